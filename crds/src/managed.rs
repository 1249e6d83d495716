//! The brain that the operator runs beside a policy: what its objects are called, and where the data plane finds it.

use crate::{
    FieldError, RoutingPolicySpec, compile,
    pod::BRAIN_PORT,
    policy::{Brain, ManagedBrain},
};

/// Why a managed brain has no address where nothing stands for the operator.
pub const NO_OPERATOR: &str = "only the operator runs a brain; start one with `routing brain`, and put its address into \
    spec.brain.url, for example http://localhost:3300";
/// Size of the claim of a policy that does not say.
pub const STORAGE: &str = "1Gi";
/// Name of the StatefulSet's claim template.
pub const CLAIM_TEMPLATE: &str = "data";

/// The name of all objects of a policy's brain.
#[must_use]
pub fn object_name(policy: &str) -> String {
    format!("{policy}-brain")
}

/// The name of the claim with the SQLite file: that of the StatefulSet's only pod.
#[must_use]
pub fn claim_name(policy: &str) -> String {
    format!("{CLAIM_TEMPLATE}-{}-0", object_name(policy))
}

/// Where the brain of a policy is, inside the cluster.
#[must_use]
pub fn url(policy: &str, namespace: &str) -> String {
    format!("http://{}.{namespace}.svc:{BRAIN_PORT}", object_name(policy))
}

/// Replaces a managed brain by its address and token, which is all that the data plane needs: other changes of `managed`
/// change no config. Returns what is wrong with it. With a `url` beside it nothing is replaced: compilation reports that.
pub fn place(spec: &mut RoutingPolicySpec, policy: &str, namespace: &str) -> Vec<FieldError> {
    let Some(Brain { url: None, token_secret_ref: None, managed: Some(managed) }) = &spec.brain else { return vec![] };
    let errors = compile::check_managed_brain("spec.brain.managed", managed);
    let ManagedBrain { token_secret_ref, .. } = managed;
    spec.brain = Some(Brain::at(url(policy, namespace), Some(token_secret_ref.clone())));
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{builtin::BuiltinPrompts, compile};

    fn spec(brain: &str) -> RoutingPolicySpec {
        let text = format!(
            "upstream: {{url: \"http://a\"}}\nmodels: {{local: {{name: l}}, claude: {{name: c}}}}\nbrain: {brain}"
        );
        serde_saphyr::from_str(&text).expect(brain)
    }

    fn placed(brain: &str) -> Result<RoutingPolicySpec, Vec<String>> {
        let mut spec = spec(brain);
        let errors = place(&mut spec, "edge", "house");
        if errors.is_empty() { Ok(spec) } else { Err(errors.iter().map(ToString::to_string).collect()) }
    }

    #[test]
    fn the_data_plane_gets_the_address_and_the_token_of_a_managed_brain_and_nothing_else() {
        let small = placed("{managed: {tokenSecretRef: {name: s, key: K}}}").expect("valid");
        let large = "{managed: {tokenSecretRef: {name: s, key: K}, storage: 9Gi, nodePort: 30330, reclaim: Delete}}";
        assert_eq!(placed(large).expect("valid"), small);
        let table = compile(&small, &BuiltinPrompts::default()).expect("valid");
        let brain = table.brain.expect("a brain");
        assert_eq!(brain.url.as_str(), "http://edge-brain.house.svc:3300/");
        assert_eq!(brain.token.map(|token| (token.name, token.key)), Some(("s".into(), "K".into())));
        let url = "{url: \"http://b\"}";
        assert_eq!(placed(url).expect("valid"), spec(url), "a brain elsewhere stays as it is");
    }

    #[test]
    fn what_is_wrong_with_a_managed_brain_is_named_with_path_value_and_cure() {
        let token = "tokenSecretRef: {name: s, key: K}";
        for (more, expected) in [
            ("replicas: 2", "spec.brain.managed.replicas: 2: above 1 needs databaseURLSecretRef"),
            (
                "replicas: 11, databaseURLSecretRef: {name: d, key: U}",
                "spec.brain.managed.replicas: 11: must be from 0 to 10",
            ),
            (
                "storage: 1Gi, databaseURLSecretRef: {name: d, key: U}",
                "spec.brain.managed.databaseURLSecretRef: d/U: must not have storage",
            ),
            (
                "reclaim: Delete, databaseURLSecretRef: {name: d, key: U}",
                "spec.brain.managed.databaseURLSecretRef: d/U: must not have storage",
            ),
            (
                "databaseURLSecretRef: {name: d, key: ../U}",
                "spec.brain.managed.databaseURLSecretRef.key: ../U: must be letters",
            ),
            ("storage: \"0\"", "spec.brain.managed.storage: 0: must be more than nothing, for example 1Gi"),
            ("storage: lots", "spec.brain.managed.storage: lots: must be an amount, for example 1Gi"),
            ("nodePort: 0", "spec.brain.managed.nodePort: 0: must be from 1 to 65535"),
        ] {
            let errors = placed(&format!("{{managed: {{{token}, {more}}}}}")).expect_err(more);
            assert!(errors.len() == 1 && errors[0].starts_with(expected), "{more}: {errors:?}");
        }
        let errors = placed("{managed: {tokenSecretRef: {name: s, key: ../k}}}").expect_err("a path");
        assert!(errors[0].starts_with("spec.brain.managed.tokenSecretRef.key: ../k: must be letters"), "{errors:?}");
    }

    #[test]
    fn without_an_operator_a_managed_brain_is_refused_and_so_are_none_and_two() {
        let refused = |brain: &str| {
            let errors = compile(&spec(brain), &BuiltinPrompts::default()).expect_err(brain);
            errors.0.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let managed = "managed: {tokenSecretRef: {name: s, key: K}}";
        assert_eq!(refused(&format!("{{{managed}}}")), [format!("spec.brain.managed: {NO_OPERATOR}")]);
        for brain in ["{}".to_string(), format!("{{url: \"http://b\", {managed}}}")] {
            let errors = refused(&brain);
            assert!(
                errors.len() == 1 && errors[0].starts_with("spec.brain: must have exactly one of url"),
                "{errors:?}"
            );
        }
        let both = refused(&format!("{{tokenSecretRef: {{name: s, key: K}}, {managed}}}"));
        assert!(both.len() == 1 && both[0].starts_with("spec.brain.tokenSecretRef: s/K: belongs to url"), "{both:?}");
    }
}
