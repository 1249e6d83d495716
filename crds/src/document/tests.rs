use super::*;

const POLICY: &str = r#"apiVersion: routing.hyperguild.io/v1alpha1
kind: RoutingPolicy
metadata: {name: routing}
spec:
  upstream: {url: "http://litellm:4000"}
  models:
    local: {name: qwen}
    claude: {name: claude}
  thresholds:
    floor: "0.90"
    ceil: "0.70"
  skills:
    - name: debug
    - name: code_review
      route: Local
"#;

fn message(text: &str) -> String {
    let error = Document::parse(text).expect_err("no policy");
    format!("{} {error}", error.position().map(|p| p.to_string()).unwrap_or_default())
}

#[test]
fn a_policy_is_parsed_with_its_defaults() {
    let document = Document::parse(POLICY).expect("a policy");
    assert_eq!(document.unknown_fields, Vec::<String>::new());
    assert_eq!(document.policy.spec.evidence.ttl.text(), "60s");
    assert_eq!(document.policy.spec.limits.in_flight, 256);
    assert_eq!(document.hash.len(), 64);
}

#[test]
fn unknown_fields_are_found_at_every_depth_and_are_part_of_the_hash() {
    let text = POLICY.replace("route: Local", "rout: Local").replace("    ceil:", "    cell: \"0.1\"\n    ceil:");
    let document = Document::parse(&text).expect("a policy");
    assert_eq!(document.unknown_fields, ["spec.thresholds.cell", "spec.skills[1].rout"]);
    assert_ne!(document.hash, Document::parse(POLICY).expect("a policy").hash);
}

#[test]
fn what_is_no_policy_is_refused_with_its_place() {
    let no_yaml = POLICY.replace("kind: RoutingPolicy", "kind: [RoutingPolicy");
    assert!(message(&no_yaml).starts_with(['2', '3']), "{}", message(&no_yaml));
    let wrong_type = POLICY.replace("route: Local", "route: Elsewhere");
    assert!(
        message(&wrong_type).starts_with("15:") && message(&wrong_type).contains("Elsewhere"),
        "{}",
        message(&wrong_type)
    );
    let no_models = POLICY.replace("models:", "model:");
    assert!(message(&no_models).contains("models"), "{}", message(&no_models));
    let twice = POLICY.replace("kind: RoutingPolicy", "kind: RoutingPolicy\nkind: RoutingPolicy");
    assert!(message(&twice).contains("kind"), "{}", message(&twice));
    assert!(message("a: b").contains("not a RoutingPolicy"));
    assert!(message(&format!("{POLICY}---\n{POLICY}")).contains("document"));
    assert!(message(&"#".repeat(MAX_BYTES + 1)).contains("at most"));
}

#[test]
fn fields_are_located_in_the_text() {
    let at = |path| position(POLICY, path).map(|p| (p.line, p.column));
    assert_eq!(at("spec.thresholds.floor"), Some((10, 5)));
    assert_eq!(at("spec.skills[1].route"), Some((15, 7)));
    assert_eq!(at("spec.skills[1].thresholds.floor"), Some((14, 7)), "the nearest field that is there");
    assert_eq!(at("nowhere"), None);
}
