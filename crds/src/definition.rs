//! The CustomResourceDefinition: what the types give, and what they cannot say.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kube::CustomResourceExt;
use serde_json::json;

use crate::RoutingPolicy;

/// The CustomResourceDefinition, as `make generate` writes it.
///
/// A policy that the operator has not looked at yet gets `status.observedGeneration: -1` from the API server. By kstatus,
/// which Flux and others go by, an object without a status is ready; this one is in progress.
#[must_use]
pub fn definition() -> CustomResourceDefinition {
    let mut definition = RoutingPolicy::crd();
    let schemas =
        definition.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut());
    for schema in schemas {
        if let Some(status) = schema.properties.as_mut().and_then(|fields| fields.get_mut("status")) {
            status.default = Some(JSON(json!({"observedGeneration": -1})));
        }
    }
    definition
}
