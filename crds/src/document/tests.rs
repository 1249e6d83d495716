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
    let error = Document::parse(text).expect_err("not a policy");
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
fn a_text_that_is_not_a_policy_is_refused_with_its_position() {
    let no_yaml = POLICY.replace("kind: RoutingPolicy", "kind: [RoutingPolicy");
    assert!(message(&no_yaml).starts_with(['2', '3']), "{}", message(&no_yaml));
    let twice = POLICY.replace("kind: RoutingPolicy", "kind: RoutingPolicy\nkind: RoutingPolicy");
    assert!(message(&twice).contains("kind"), "{}", message(&twice));
    assert!(message("a: b").contains("not a RoutingPolicy"));
    assert!(message(&"#".repeat(MAX_BYTES + 1)).contains("at most"));
}

#[test]
fn every_field_of_the_wrong_form_is_named_at_once() {
    let text = POLICY
        .replace("name: routing", "name: Not_A_Name")
        .replace("name: qwen", "name: 5")
        .replace("floor: \"0.90\"", "floor: true")
        .replace("    ceil: \"0.70\"\n", "")
        .replace("route: Local", "route: Elsewhere");
    let text = format!("{text}  evidnce: {{}}\n  limits: {{inFlight: \"5\"}}\n  service: {{port: 70000}}\n  brain:\n");
    let DocumentError::Form(errors) = Document::parse(&text).expect_err("wrong") else { panic!("not form errors") };
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    for line in [
        "metadata.name: Not_A_Name: must be 1 to 52 of a-z",
        "spec.models.local.name: 5: must be text; write it in quotes",
        "spec.thresholds.floor: true: must be text",
        "spec.thresholds.ceil: is required",
        "spec.skills[1].route: Elsewhere: must be one of Auto, Local, Claude",
        "spec.limits.inFlight: 5: must be a whole number; write 5, without quotes",
        "spec.evidnce: unknown field; did you mean evidence?",
        "spec.service.port: 70000: the value is greater than the maximum of 65535",
    ] {
        assert!(lines.iter().any(|found| found.starts_with(line)), "{line}: {lines:#?}");
    }
    assert_eq!(lines.len(), 8, "{lines:#?}");
}

#[test]
fn words_that_old_yaml_took_for_booleans_are_text() {
    let document = Document::parse(&POLICY.replace("name: qwen", "name: n").replace("name: claude", "name: off"))
        .expect("a policy");
    assert_eq!((document.form_errors_beside(&[]), document.policy.spec.models.local.name.as_str()), (vec![], "n"));
}

#[test]
fn a_form_error_is_left_out_where_there_is_a_clearer_one() {
    let text = POLICY.replace("floor: \"0.90\"", "floor: 0.9");
    let document = Document::parse(&text).expect("a policy");
    let clearer = [FieldError::absent("spec.thresholds.floor", "quote it")];
    assert_eq!(document.form_errors_beside(&clearer), []);
    assert_eq!(document.form_errors_beside(&[]).len(), 1);
}

#[test]
fn fields_are_located_in_the_text() {
    let positions = Positions::of(POLICY);
    let at = |path| positions.find(path).map(|p| (p.line, p.column));
    assert_eq!(at("spec.thresholds.floor"), Some((10, 5)));
    assert_eq!(at("spec.skills[1].route"), Some((15, 7)));
    assert_eq!(at("spec.skills[1].thresholds.floor"), Some((14, 7)), "the nearest field that is there");
    assert_eq!(at("nowhere"), None);
}

mod forms;
