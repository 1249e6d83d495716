//! The rules about the brain that the operator runs.

use super::{errors::Errors, upstream::secret_ref};
use crate::{
    FieldError,
    policy::{
        ManagedBrain, Reclaim,
        brain::{REPLICAS_MAX, SEVERAL_NEED_POSTGRES, STORAGE_IS_FOR_SQLITE},
    },
};

/// Everything wrong with a managed brain; its resources are of Kubernetes' own types, and its API server checks them.
#[must_use]
pub fn check_managed_brain(path: &str, managed: &ManagedBrain) -> Vec<FieldError> {
    let ManagedBrain {
        token_secret_ref,
        database_url_secret_ref,
        replicas,
        storage,
        storage_class_name,
        reclaim,
        node_port,
        resources: _,
    } = managed;
    let mut errors = Errors::default();
    secret_ref(&format!("{path}.tokenSecretRef"), Some(token_secret_ref), &mut errors);
    let database = secret_ref(&format!("{path}.databaseURLSecretRef"), database_url_secret_ref.as_ref(), &mut errors);
    let few = *replicas <= REPLICAS_MAX;
    errors.check(format!("{path}.replicas"), replicas, few, format!("must be from 0 to {REPLICAS_MAX}"));
    let shared = *replicas <= 1 || database.is_some();
    errors.check(format!("{path}.replicas"), replicas, shared, SEVERAL_NEED_POSTGRES);
    if let Some(database) = &database {
        let of_sqlite = storage.is_some() || storage_class_name.is_some() || *reclaim == Reclaim::Delete;
        let shown = format!("{}/{}", database.name, database.key);
        errors.check(format!("{path}.databaseURLSecretRef"), shown, !of_sqlite, STORAGE_IS_FOR_SQLITE);
    }
    if let Some(storage) = storage {
        let amount = storage.amount().ok_or_else(|| "must be an amount, for example 1Gi".to_string());
        let amount = errors.take(format!("{path}.storage"), &storage.0, amount);
        let some = amount.is_none_or(|amount| amount > 0.0);
        errors.check(format!("{path}.storage"), &storage.0, some, "must be more than nothing, for example 1Gi");
    }
    if let Some(port) = node_port {
        errors.check(format!("{path}.nodePort"), port, *port > 0, "must be from 1 to 65535");
    }
    errors.into_field_errors().0
}
