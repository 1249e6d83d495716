//! The config as the pods read it: the policy itself, with its references resolved and without what is only for the
//! cluster.

use crds::{Document, RoutingPolicy, RoutingPolicySpec, pod::RENDERED};
use kube::Resource;
use serde_json::{Value, json};

use super::policy::UnknownField;

/// Largest config, in bytes. The ConfigMap holds two of them, and Kubernetes allows it 1 MiB.
pub const CONFIG_MAX_BYTES: usize = 500 * 1024;

/// The config and its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Content of `policy.yaml`, as YAML or as JSON.
    pub text: String,
    /// Hash of the config, as the pods compute it.
    pub hash: String,
}

/// Renders the config of a policy. `service`, `suspend` and `dataPlane` (except its workspaces) are for the cluster:
/// without them, scaling or exposing the data plane changes no hash. Fields that this version does not know are kept: a
/// pod of a newer version may know them, and any other pod reports them.
///
/// # Errors
/// The config is larger than a ConfigMap can hold.
pub fn render(name: &str, spec: &RoutingPolicySpec, unknown: &[UnknownField]) -> Result<Rendered, String> {
    let document = document(name, spec, unknown);
    // YAML, which is readable, if it reads back exactly as it was; otherwise JSON, which is valid YAML, too.
    let yaml = serde_saphyr::to_string(&document).ok().filter(|yaml| reads_back_as(yaml, &document));
    let text = yaml.unwrap_or_else(|| document.to_string());
    if text.len() > CONFIG_MAX_BYTES {
        return Err(format!(
            "spec: {} bytes with the texts of its ConfigMaps: must be at most {CONFIG_MAX_BYTES}; shorten prompts, or \
             split the skills between two policies",
            text.len()
        ));
    }
    let hash = Document::parse(&text).map_err(|e| format!("spec: pods cannot read it back: {e}"))?.hash;
    Ok(Rendered { text, hash })
}

fn document(name: &str, spec: &RoutingPolicySpec, unknown: &[UnknownField]) -> Value {
    let mut spec = serde_json::to_value(spec).unwrap_or_default();
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("service");
        fields.remove("suspend");
        let workspaces = fields.remove("dataPlane").and_then(|mut pods| pods.get_mut("workspaces").map(Value::take));
        if let Some(workspaces) = workspaces {
            fields.insert("dataPlane".into(), json!({"workspaces": workspaces}));
        }
    }
    unknown.iter().for_each(|field| field.put_into(&mut spec));
    json!({
        "apiVersion": RoutingPolicy::api_version(&()),
        "kind": RoutingPolicy::kind(&()),
        "metadata": {"name": name, "annotations": {RENDERED: "true"}},
        "spec": spec,
    })
}

fn reads_back_as(yaml: &str, document: &Value) -> bool {
    serde_saphyr::from_str::<Value>(yaml).is_ok_and(|read| read == *document)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(more: &str) -> RoutingPolicySpec {
        let yaml =
            format!("upstream: {{url: \"http://a\"}}\nmodels: {{local: {{name: l}}, claude: {{name: c}}}}\n{more}");
        serde_saphyr::from_str(&yaml).expect(more)
    }

    fn hash(more: &str) -> String {
        render("routing", &spec(more), &[]).expect(more).hash
    }

    #[test]
    fn fields_that_are_only_for_the_cluster_change_no_hash() {
        let plain = hash("");
        for more in [
            "suspend: true",
            "service: {type: ClusterIP, port: 80}",
            "dataPlane: {replicas: 5, image: other:1, podLabels: {a: b}}",
        ] {
            assert_eq!(hash(more), plain, "{more}");
        }
        for more in [
            "thresholds: {floor: \"0.95\", ceil: \"0.70\"}",
            "dataPlane: {workspaces: [{name: code, persistentVolumeClaim: {claimName: c}}]}",
            "limits: {inFlight: 5}",
        ] {
            assert_ne!(hash(more), plain, "{more}");
        }
    }

    #[test]
    fn every_text_reaches_the_pods_as_it_was_written() {
        for text in [
            "plain",
            "  lead\n\n trail  \n",
            "tab\there",
            "yes",
            "0.90",
            "quote\" ' # : -",
            "\u{1F600} ü\u{0301}",
            "a\r\nb",
            "\u{7f}\u{85}\u{2028}\u{feff}x",
            "{{ x }}\n---\n...",
        ] {
            let mut policy = spec("skills: [{name: debug, stages: [{system: {text: x}, user: u}]}]");
            let stages = policy.skills.as_mut().and_then(|skills| skills[0].stages.as_mut()).expect("a stage");
            stages[0].system.text = Some(text.into());
            let rendered = render("routing", &policy, &[]).expect(text);
            let read = Document::parse(&rendered.text).expect("a policy");
            let back =
                read.policy.spec.skills.expect("skills")[0].stages.clone().expect("stages")[0].system.text.clone();
            assert_eq!(back.as_deref(), Some(text), "{}", rendered.text);
            assert_eq!(read.unknown_fields, Vec::<String>::new());
        }
    }

    #[test]
    fn a_config_that_no_config_map_can_hold_is_refused_with_its_size() {
        let mut policy = spec("skills: [{name: debug, stages: [{system: {text: x}, user: u}]}]");
        let stages = policy.skills.as_mut().and_then(|skills| skills[0].stages.as_mut()).expect("a stage");
        stages[0].system.text = Some("x".repeat(CONFIG_MAX_BYTES));
        let error = render("routing", &policy, &[]).expect_err("too large");
        assert!(error.starts_with("spec: 512") && error.contains("must be at most 512000"), "{error}");
    }
}
