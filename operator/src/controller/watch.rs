//! What triggers a reconciliation: changes of a policy, of its children and pods, of ConfigMaps that it refers to.
//!
//! ```text
//! [RoutingPolicy] ◀── label, owner ── [ServiceAccount, ConfigMap, PVC, StatefulSet, Deployment, Service, PDB,
//!        │                                      NetworkPolicy, Pod]
//!        └── refers to ──▶ [ConfigMap]          (metadata only; a reconciliation reads what changed itself)
//! ```

mod changes;
mod definition;
mod sources;

use std::{sync::Arc, time::Duration};

use backon::ExponentialBuilder;
use crds::shown::chain;
use futures::StreamExt;
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{PersistentVolumeClaim, Pod, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Client,
    runtime::{
        Controller,
        controller::Error as ControllerError,
        events::{Recorder, Reporter},
        reflector::Store,
        watcher,
    },
};

use self::{definition::Absence, sources::Sources};
use super::{
    Context, PolicyMeta,
    build::Installation,
    error_policy,
    labels::FIELD_MANAGER,
    prepare::Workers,
    reconcile_within_limits,
    turns::{Places, Turns},
};
use crate::{Settings, admin::Readiness, metrics::Metrics, pod_status};

/// Policies that are reconciled at the same time.
const PLACES: Places = Places { all: 24, of_one: 8 };
/// No wait.
const AT_ONCE: Duration = Duration::from_millis(1);

/// Watches and reconciles until the future is dropped; when the CRD is deleted, from the start once it is there again.
pub async fn run(settings: &Settings, client: Client, metrics: &Arc<Metrics>, readiness: &Readiness) {
    let pods = match pod_status::client() {
        Ok(pods) => pods,
        Err(error) => {
            tracing::error!(%error, "cannot build the HTTP client for pods");
            return;
        }
    };
    let mut absence = Absence::default();
    loop {
        let states = Arc::default();
        let sources = Sources { settings, client: &client, states: &states, metrics };
        definition::wait_for(sources.scoped(), absence, readiness).await;
        until_the_crd_is_gone(&sources, &pods, readiness).await;
        absence = Absence::default();
        absence.begin(readiness).await;
    }
}

async fn until_the_crd_is_gone(sources: &Sources<'_>, pods: &reqwest::Client, readiness: &Readiness) {
    let (store, policies) = sources.policies();
    let controller = with_children(Controller::for_stream(policies, store.clone()), sources);
    // Each watch waits for itself; one wait here would delay all of them.
    let controller = controller.trigger_backoff(watcher::ExponentialBackoff::from(
        ExponentialBuilder::default().with_min_delay(AT_ONCE).with_max_delay(AT_ONCE).without_max_times(),
    ));
    let context = Arc::new(context(sources, store.clone(), pods));
    let results = controller.run(reconcile_within_limits, error_policy, context);
    let watching = async {
        if store.wait_until_ready().await.is_ok() {
            readiness.ready("watching");
        }
        std::future::pending::<()>().await;
    };
    let reconciling = results.take_while(|result| std::future::ready(note(result)));
    tokio::select! {
        () = reconciling.for_each(|_| std::future::ready(())) => {}
        () = watching => {}
    }
}

fn context(
    Sources { settings, client, states, metrics }: &Sources<'_>,
    store: Store<PolicyMeta>,
    pods: &reqwest::Client,
) -> Context {
    let reporter = Reporter { controller: FIELD_MANAGER.into(), instance: Some(settings.pod_name.clone()) };
    Context {
        client: (*client).clone(),
        pods: pods.clone(),
        recorder: Recorder::new((*client).clone(), reporter),
        metrics: Arc::clone(metrics),
        installation: Installation { image: settings.image.clone(), namespace: settings.pod_namespace.clone() },
        restrictions: settings.restrictions.clone(),
        resync: settings.resync,
        states: Arc::clone(states),
        workers: Workers::default(),
        turns: Turns::new(PLACES),
        store,
    }
}

/// Whether to go on: not if policies do not exist as a kind. A failed reconciliation is logged where its retry is scheduled,
/// a failed watch where it is retried, and counted.
fn note<T, E: std::error::Error + 'static>(result: &Result<T, ControllerError<E, watcher::Error>>) -> bool {
    let error = match result {
        Ok(_) | Err(ControllerError::ReconcilerFailed(..) | ControllerError::ObjectNotFound(_)) => return true,
        Err(error) => error,
    };
    if let ControllerError::QueueError(
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error),
    ) = error
        && definition::is_missing(error)
    {
        return false;
    }
    if !matches!(error, ControllerError::QueueError(_)) {
        tracing::error!(error = chain(error), "the controller failed");
    }
    true
}

fn with_children(controller: Controller<PolicyMeta>, sources: &Sources<'_>) -> Controller<PolicyMeta> {
    controller
        .reconcile_on(sources.children::<ServiceAccount>())
        .reconcile_on(sources.children::<PersistentVolumeClaim>())
        .reconcile_on(sources.children::<StatefulSet>())
        .reconcile_on(sources.children::<Deployment>())
        .reconcile_on(sources.children::<Service>())
        .reconcile_on(sources.children::<PodDisruptionBudget>())
        .reconcile_on(sources.children::<NetworkPolicy>())
        .reconcile_on(sources.children::<Pod>())
        .reconcile_on(sources.config_maps())
}
