//! Probes the models' endpoints from time to time, so that one that is down is seen before a caller meets it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{Active, Config};
use crate::upstream::endpoint_of;

/// Time between probes when nothing changes.
const EVERY: Duration = Duration::from_secs(60);

/// Probes the endpoints now, whenever the config changes and once a minute, until `stop`.
pub async fn probe(config: Arc<Config>, stop: CancellationToken) {
    stop.run_until_cancelled(probe_forever(&config)).await;
}

async fn probe_forever(config: &Config) {
    let (mut changes, mut said) = (config.generation(), BTreeMap::new());
    loop {
        let active = config.active();
        futures::future::join_all(active.models().map(|(_, model)| model.probe())).await;
        report(&active, &mut said);
        // Without the config this process ends.
        let _ = tokio::time::timeout(EVERY, changes.changed()).await;
    }
}

/// Logs what is wrong with an endpoint, once for each problem, and when nothing is wrong any more.
fn report(active: &Active, said: &mut BTreeMap<&str, String>) {
    for (name, model) in active.models() {
        let problem = model.reachability().problem;
        let before = said.insert(name, problem.clone()).unwrap_or_default();
        if problem == before {
            continue;
        }
        let (model, endpoint) = (&model.target().model, endpoint_of(&model.target().url));
        if problem.is_empty() {
            tracing::info!(name, model, endpoint, "the model's endpoint is well again");
        } else {
            tracing::warn!(name, model, endpoint, problem, "the model's endpoint has a problem");
        }
    }
}
