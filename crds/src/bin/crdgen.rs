//! Prints the CustomResourceDefinition; `make generate` writes it to `crds/routingpolicies.yaml`.

fn main() -> Result<(), serde_saphyr::SerializeError> {
    print!("{}", serde_saphyr::to_string(&crds::definition())?);
    Ok(())
}
