//! Before step 2, pure: what a policy names and the operator's administrator does not allow.

use crds::{FieldError, RoutingPolicySpec, references};

use super::dereference::Secrets;
use crate::restrictions::Restrictions;

/// Every image and Secret of a policy that the operator's settings do not allow, with its field and the cure.
#[must_use]
pub fn violations(spec: &RoutingPolicySpec, restrictions: &Restrictions, secrets: &Secrets) -> Vec<FieldError> {
    image(spec, restrictions).into_iter().chain(unlabelled(spec, restrictions, secrets)).collect()
}

/// The operator's own image is always allowed: it is named in no policy.
fn image(spec: &RoutingPolicySpec, Restrictions { images, .. }: &Restrictions) -> Option<FieldError> {
    let image = spec.data_plane.image.as_ref()?;
    if images.is_empty() || images.iter().any(|entry| entry.allows(image)) {
        return None;
    }
    let entries = images.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let message =
        format!("the operator allows only {entries}; use one of them, or leave it out for the operator's own");
    Some(FieldError::new("spec.dataPlane.image", image, message))
}

fn unlabelled(spec: &RoutingPolicySpec, restrictions: &Restrictions, secrets: &Secrets) -> Vec<FieldError> {
    let Some(label) = &restrictions.secret_label else { return vec![] };
    let refused = |(path, name): (String, &str)| {
        let message = match secrets.get(name) {
            Some(Ok(labels)) if label.is_among(labels) => return None,
            Some(Ok(_)) => {
                format!(
                    "the Secret needs the label {label} before a policy may name it; add it, or name another Secret"
                )
            }
            // A Secret that is created later would be mounted without having been checked.
            Some(Err(why)) => why.clone(),
            None => "its labels were not read".into(),
        };
        Some(FieldError::new(path, name, message))
    };
    references::secret_names(spec).into_iter().filter_map(refused).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> RoutingPolicySpec {
        serde_saphyr::from_str(
            "upstream: {url: \"http://a\", apiKeySecretRef: {name: keys, key: K}}\n\
             models: {local: {name: l}, claude: {name: c}}\ndataPlane: {image: \"evil/x:1\"}",
        )
        .expect("a spec")
    }

    fn refused(restrictions: &Restrictions, secrets: &Secrets) -> Vec<String> {
        violations(&spec(), restrictions, secrets).iter().map(ToString::to_string).collect()
    }

    fn with_label(labels: &[(&str, &str)]) -> Secrets {
        let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        [("keys".to_string(), Ok(labels))].into()
    }

    #[test]
    fn without_settings_everything_is_allowed() {
        assert_eq!(refused(&Restrictions::default(), &Secrets::new()), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_allowed_is_named_with_field_value_and_cure() {
        let images = vec!["ghcr.io/org/*".parse().expect("an entry"), "routing:1".parse().expect("an entry")];
        let restrictions = Restrictions { images, secret_label: Some("a/b=c".parse().expect("a label")) };
        let image = "spec.dataPlane.image: evil/x:1: the operator allows only ghcr.io/org/*, routing:1; use one of them, \
             or leave it out for the operator's own";
        let field = "spec.upstream.apiKeySecretRef.name: keys: ";
        let label = "the Secret needs the label a/b=c before a policy may name it; add it, or name another Secret";
        assert_eq!(
            refused(&restrictions, &with_label(&[("a/b", "d")])),
            [image.to_string(), format!("{field}{label}")]
        );
        assert_eq!(refused(&restrictions, &with_label(&[("a/b", "c")])), [image]);
        let missing = [("keys".to_string(), Err("there is no such Secret".into()))].into();
        assert_eq!(refused(&restrictions, &missing)[1], format!("{field}there is no such Secret"));
        assert_eq!(refused(&restrictions, &Secrets::new())[1], format!("{field}its labels were not read"));
    }
}
