//! Prints the CustomResourceDefinition; `make generate` writes it to `crds/routingpolicies.yaml`.

use kube::CustomResourceExt;

fn main() -> Result<(), serde_saphyr::SerializeError> {
    print!("{}", serde_saphyr::to_string(&crds::RoutingPolicy::crd())?);
    Ok(())
}
