//! Steps 2 and 3 together, apart from everything else: they work on what a policy's author wrote.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crds::{
    FieldError, RoutingPolicy,
    apart::{Apart, ApartError},
    policy::Reason,
};
use kube::api::DynamicObject;

use super::{
    build::{Children, Installation, build, last_good},
    child::ChildKey,
    dereference::Texts,
    policy::UnknownField,
    validate::{Invalid, Valid, validate},
};

/// Policies that are prepared at the same time.
const AT_ONCE: usize = 4;
/// Longest preparation of one policy. The largest valid ones take a part of a second.
const PREPARE_MAX: Duration = Duration::from_secs(10);

/// Where policies are prepared.
#[derive(Clone)]
pub struct Workers(Apart);

impl Default for Workers {
    fn default() -> Self {
        Self(Apart::new(AT_ONCE))
    }
}

/// A policy with the children to apply, or why it cannot be run.
pub type Prepared = Result<(Valid, Children), Invalid>;

/// What a policy is prepared from.
pub struct Given {
    /// The policy as it was read.
    pub policy: Arc<RoutingPolicy>,
    /// Its fields that this version does not know.
    pub unknown: Vec<UnknownField>,
    /// The texts that it refers to.
    pub texts: Texts,
    /// What it names and the operator's settings do not allow.
    pub not_allowed: Vec<FieldError>,
    /// Objects with the names of its children.
    pub existing: Arc<BTreeMap<ChildKey, DynamicObject>>,
}

/// Validates a policy and builds its children.
pub async fn prepare(workers: &Workers, given: Given, installation: Installation) -> Prepared {
    let Workers(apart) = workers.clone();
    let work = move || {
        let Given { policy, unknown, texts, not_allowed, existing } = given;
        let valid = validate(&policy, &unknown, &texts, &not_allowed)?;
        let last_good = last_good(&existing, policy.status.as_ref());
        let children = build(&policy, &valid, last_good, &installation);
        Ok((valid, children))
    };
    let waiting = tokio::task::spawn_blocking(move || apart.run(PREPARE_MAX, work));
    waiting.await.unwrap_or(Err(ApartError::Panicked)).unwrap_or_else(|error| Err(unfinished(error)))
}

fn unfinished(error: ApartError) -> Invalid {
    let message = format!("spec: checking it {error}; simplify the inputSchema and the templates of its skills");
    Invalid { reason: Reason::Invalid, message, references: None, unfinished: true }
}
