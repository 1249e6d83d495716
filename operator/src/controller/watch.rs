//! What triggers a reconciliation: changes of a policy, of its children and pods, of ConfigMaps that it refers to.
//!
//! ```text
//! [RoutingPolicy] ◀── label, owner ── [ServiceAccount, ConfigMap, Deployment, Service, PDB, NetworkPolicy, Pod]
//!        └── refers to ──▶ [ConfigMap]          (metadata only; a reconciliation reads its policy itself)
//! ```

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use backon::ExponentialBuilder;
use crds::shown::chain;
use futures::StreamExt;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Pod, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::ListParams,
    runtime::{
        Controller,
        controller::{Config, Error as ControllerError},
        events::{Recorder, Reporter},
        reflector::ObjectRef,
        watcher,
    },
};

use super::{
    Context, PolicyMeta,
    backoff::doubled,
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
/// server each of the eight fails once: with kube's own 30 s, the last one would continue only after minutes.
const WATCH_BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// Wait between checks whether the CRD is installed.
const CRD_RETRY: Duration = Duration::from_secs(2);
/// The first and the longest wait before it is logged again that it is not.
const CRD_LOG: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));
/// Why the operator is not ready without the CRD, and what to do.
const NO_CRD: &str = "the CustomResourceDefinition routingpolicies.routing.hyperguild.io is not installed: kubectl apply \
                      -k crds; policies that were deleted with it must be applied again";

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
        until_the_crd_is_there(settings, &client, absence, readiness).await;
        until_the_crd_is_gone(settings, &client, &pods, metrics, readiness).await;
        absence = Absence::default();
        absence.report(NO_CRD.into(), readiness);
        // Whatever was missing, it is not asked for in a loop without a pause.
        tokio::time::sleep(CRD_RETRY).await;
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
        && is_missing(error)
    {
        return false;
    }
    tracing::warn!(error = chain(error), "a watch failed");
    true
}

/// Returns once policies can be listed; `absence` may have begun before.
async fn until_the_crd_is_there(settings: &Settings, client: &Client, mut absence: Absence, readiness: &Readiness) {
    let policies: Api<PolicyMeta> = scoped(settings, client);
    while let Err(error) = policies.list(&ListParams::default().limit(1)).await {
        let why = if is_missing(&error) { NO_CRD.into() } else { format!("RoutingPolicies cannot be listed: {error}") };
        absence.report(why, readiness);
        tokio::time::sleep(CRD_RETRY).await;
    }
}

/// Why nothing is watched, how often that was logged, and when it is logged again: it can take days.
#[derive(Default)]
struct Absence(Option<(String, u32, Instant)>);

impl Absence {
    fn report(&mut self, why: String, readiness: &Readiness) {
        let now = Instant::now();
        let times = match &self.0 {
            Some((last, times, again_at)) if *last == why => (now >= *again_at).then_some(times + 1),
            _ => Some(1),
        };
        if let Some(times) = times {
            tracing::warn!(%why, "not watching");
            self.0 = Some((why.clone(), times, now + doubled(CRD_LOG.0, times, CRD_LOG.1)));
        }
        readiness.not_ready(why);
    }
}

fn is_missing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
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
