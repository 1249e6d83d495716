//! The CustomResourceDefinition: generated from the types, plus what types cannot express.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kube::CustomResourceExt;
use serde_json::json;

use crate::RoutingPolicy;

/// The CustomResourceDefinition, as `make generate` writes it.
///
/// Until the operator reports a status, the API server sets `status.observedGeneration: -1`. By the rules of kstatus,
/// which Flux and others follow, an object without a status is ready; with -1 it is in progress.
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
