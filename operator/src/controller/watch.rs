//! What triggers a reconciliation: changes of a policy, of its children and pods, of ConfigMaps that it refers to.
//!
//! ```text
//! [RoutingPolicy] ◀── label, owner ── [ServiceAccount, ConfigMap, StatefulSet, Deployment, Service, PDB,
//!        │                                      NetworkPolicy, Pod]
//!        └── refers to ──▶ [ConfigMap]          (metadata only; a reconciliation reads its policy itself)
//! ```

mod definition;

use std::{sync::Arc, time::Duration};

use backon::ExponentialBuilder;
use crds::shown::chain;
use futures::StreamExt;
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{ConfigMap, Pod, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{
        Controller,
        controller::{Config, Error as ControllerError},
        events::{Recorder, Reporter},
        reflector::ObjectRef,
        watcher,
    },
};

use self::definition::Absence;
use super::{
    Context, PolicyMeta,
    build::Installation,
    error_policy,
    labels::{self, FIELD_MANAGER},
    prepare::Workers,
    reconcile_within_limits,
    states::States,
    watched::Watched,
};
use crate::{Settings, admin::Readiness, metrics::Metrics, pod_status};

/// Policies that are reconciled at the same time.
const AT_ONCE: u16 = 8;
/// The first and the longest wait after a watch failed. One wait delays all watches, and after a restart of the API
/// server each of the nine fails once: with kube's own 30 s, the last one would continue only after minutes.
const WATCH_BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
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
        definition::wait_for(scoped(settings, &client), absence, readiness).await;
        until_the_crd_is_gone(settings, &client, &pods, metrics, readiness).await;
        absence = Absence::default();
        absence.begin(readiness).await;
    }
}

async fn until_the_crd_is_gone(
    settings: &Settings,
    client: &Client,
    pods: &reqwest::Client,
    metrics: &Arc<Metrics>,
    readiness: &Readiness,
) {
    let config = Config::default().concurrency(AT_ONCE);
    let (first, most) = WATCH_BACKOFF;
    let backoff =
        ExponentialBuilder::default().with_min_delay(first).with_max_delay(most).with_jitter().without_max_times();
    let controller = Controller::new(scoped::<PolicyMeta>(settings, client), watcher::Config::default())
        .with_config(config)
        .trigger_backoff(watcher::ExponentialBackoff::from(backoff));
    let store = controller.store();
    let states = Arc::<States>::default();
    let reporter = Reporter { controller: FIELD_MANAGER.into(), instance: Some(settings.pod_name.clone()) };
    let context = Arc::new(Context {
        client: client.clone(),
        pods: pods.clone(),
        recorder: Recorder::new(client.clone(), reporter),
        metrics: Arc::clone(metrics),
        installation: Installation { image: settings.image.clone(), namespace: settings.pod_namespace.clone() },
        restrictions: settings.restrictions.clone(),
        resync: settings.resync,
        states: Arc::clone(&states),
        workers: Workers::default(),
    });
    let results =
        with_children(controller, settings, client, states).run(reconcile_within_limits, error_policy, context);
    let watching = async {
        if store.wait_until_ready().await.is_ok() {
            readiness.ready("watching");
        }
        std::future::pending::<()>().await;
    };
    let reconciling = results.take_while(|result| std::future::ready(note(result, metrics)));
    tokio::select! {
        () = reconciling.for_each(|_| std::future::ready(())) => {}
        () = watching => {}
    }
}

/// Whether to go on: not if a watched kind does not exist, which only the CRD's can. A failed reconciliation is logged
/// where its retry is scheduled; any other failed watch is retried by itself.
fn note<T, E: std::error::Error + 'static>(
    result: &Result<T, ControllerError<E, watcher::Error>>,
    metrics: &Metrics,
) -> bool {
    let error = match result {
        Ok(_) | Err(ControllerError::ReconcilerFailed(..) | ControllerError::ObjectNotFound(_)) => return true,
        Err(error) => error,
    };
    metrics.watch_failed();
    if let ControllerError::QueueError(
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error),
    ) = error
        && definition::is_missing(error)
    {
        return false;
    }
    tracing::warn!(error = chain(error), "a watch failed");
    true
}

fn scoped<K>(settings: &Settings, client: &Client) -> Api<K>
where
    K: Resource<Scope = kube::core::NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match &settings.namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

fn with_children(
    controller: Controller<PolicyMeta>,
    settings: &Settings,
    client: &Client,
    states: Arc<States>,
) -> Controller<PolicyMeta> {
    let ours = watcher::Config::default().labels(&labels::managed());
    controller
        .watches(scoped::<Watched<ServiceAccount>>(settings, client), ours.clone(), |o| policies_of(&o))
        .watches(scoped::<Watched<StatefulSet>>(settings, client), ours.clone(), |o| policies_of(&o))
        .watches(scoped::<Watched<Deployment>>(settings, client), ours.clone(), |o| policies_of(&o))
        .watches(scoped::<Watched<Service>>(settings, client), ours.clone(), |o| policies_of(&o))
        .watches(scoped::<Watched<PodDisruptionBudget>>(settings, client), ours.clone(), |o| policies_of(&o))
        .watches(scoped::<Watched<NetworkPolicy>>(settings, client), ours.clone(), |o| policies_of(&o))
        .watches(scoped::<Watched<Pod>>(settings, client), ours, |o| policies_of(&o))
        // Children and prompts in one watch, without a label selector: prompts do not have our labels.
        .watches(scoped::<Watched<ConfigMap>>(settings, client), watcher::Config::default(), move |o| {
            let mut policies = policies_of(&o);
            let namespace = o.namespace().unwrap_or_default();
            let referring = states.referring(&namespace, &o.name_any());
            policies.extend(referring.iter().map(|name| ObjectRef::new(name).within(&namespace)));
            policies
        })
}

/// The policies that an object belongs to, by label and by owner: changing one of the two does not hide the object.
fn policies_of(object: &impl ResourceExt) -> Vec<ObjectRef<PolicyMeta>> {
    let by_label = object.labels().get(labels::INSTANCE).filter(|_| object.labels().contains_key(labels::MANAGED_BY));
    let owners =
        object.owner_references().iter().filter(|owner| owner.kind == "RoutingPolicy").map(|owner| &owner.name);
    let namespace = object.namespace().unwrap_or_default();
    let mut names: Vec<&String> = by_label.into_iter().chain(owners).collect();
    names.dedup();
    names.into_iter().map(|name| ObjectRef::new(name).within(&namespace)).collect()
}
