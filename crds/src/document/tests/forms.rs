//! Files as people write them.

use std::time::Instant;

use super::*;

const OTHER: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: routing}\n";

/// The errors of a text, each as it is shown.
fn errors(text: &str) -> Vec<String> {
    match Document::parse(text) {
        Ok(document) => {
            let mut errors = document.unknown_field_errors();
            errors.extend(document.form_errors_beside(&errors));
            errors.iter().map(ToString::to_string).collect()
        }
        Err(DocumentError::Form(errors)) => errors.iter().map(ToString::to_string).collect(),
        Err(other) => vec![other.to_string()],
    }
}

#[test]
fn empty_documents_are_skipped_and_the_policy_is_taken_from_among_other_resources() {
    for text in [
        format!("{POLICY}---\n"),
        format!("---\n{POLICY}---\n# nothing\n---\n\n...\n"),
        format!("# a comment\n--- # another\n{POLICY}..."),
        format!("\u{feff}{POLICY}"),
        format!("{OTHER}---\n{POLICY}"),
        format!("{POLICY}--- \n{OTHER}---\n- a list\n--- text\n"),
        format!("{OTHER}---\r\n{}", POLICY.replace('\n', "\r\n")),
    ] {
        let document = Document::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(document.hash, Document::parse(POLICY).expect("a policy").hash, "{text}");
    }
}

#[test]
fn config_maps_of_its_namespace_in_the_same_file_belong_to_the_policy() {
    let map = |name: &str, namespace: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{namespace}}}\ndata: {{a.md: text, n: 1}}\n---\n"
        )
    };
    let maps = [map("prompts", ""), map("elsewhere", ", namespace: other")].concat();
    let (plain, with) = (Document::parse(POLICY).expect("a policy"), Document::parse(&(maps + POLICY)));
    let with = with.expect("a policy");
    let keys: Vec<_> = with.config_maps.iter().map(|(key, text)| (&*key.name, &*key.key, text.as_str())).collect();
    assert_eq!(keys, [("prompts", "a.md", "text")]);
    assert!(plain.config_maps.is_empty());
    assert_eq!(plain.hash, with.hash, "texts that the policy does not refer to are no part of the config");
}

#[test]
fn positions_are_those_in_the_file_also_behind_other_documents() {
    let text = format!("{OTHER}---\n{POLICY}");
    let at = Positions::of(&text).find("spec.thresholds.floor").map(|at| (at.line, at.column));
    assert_eq!(at, Some((14, 5)));
    let broken = format!("{POLICY}---\nkind: [Namespace\n");
    assert!(message(&broken).starts_with("17:"), "{}", message(&broken));
    let broken = format!("{OTHER}---\n{}", POLICY.replace("kind: Rout", "kind: [Rout"));
    assert!(message(&broken).starts_with("6:") || message(&broken).starts_with("7:"), "{}", message(&broken));
}

#[test]
fn a_file_without_a_policy_or_with_several_is_refused_with_the_reason() {
    for (text, error) in [
        ("", "holds no policy: it is empty, or has comments only; see docs/examples/policy.yaml"),
        ("# later\n---\n\n", "holds no policy: it is empty, or has comments only; see docs/examples/policy.yaml"),
        (OTHER, "is apiVersion v1 kind Namespace, not a RoutingPolicy of routing.hyperguild.io/v1alpha1"),
        ("- a\n", "is a list, not a RoutingPolicy of routing.hyperguild.io/v1alpha1"),
        ("text\n", "is a single value, not a RoutingPolicy of routing.hyperguild.io/v1alpha1"),
        (
            &format!("{OTHER}---\n- a\n"),
            "is apiVersion v1 kind Namespace, and a list, not a RoutingPolicy of routing.hyperguild.io/v1alpha1",
        ),
        (
            &format!("{POLICY}---\n{OTHER}---\n\n{POLICY}"),
            "holds 2 policies, at the lines 1, 22; give each a file of its own",
        ),
        (&"---\na\n".repeat(101), "has 101 documents; at most 100 are read; give the policy a file of its own"),
    ] {
        assert_eq!(errors(text), [error], "{text}");
    }
}

#[test]
fn a_field_without_a_value_counts_as_left_out() {
    let with = |more: &str| format!("{POLICY}{more}");
    for more in
        ["  access:\n", "  access:\n    tokens:\n", "  brain: null\n", "  dataPlane: {replicas: ~, nodeSelector: }\n"]
    {
        let document = Document::parse(&with(more)).unwrap_or_else(|error| panic!("{more}: {error}"));
        assert_eq!(document.policy.spec, Document::parse(POLICY).expect("a policy").policy.spec, "{more}");
        assert_eq!(errors(&with(more)), Vec::<String>::new());
    }
    let nulls_of_a_schema = with("    - name: mine\n      inputSchema: {type: object, default: null}\n");
    let document = Document::parse(&nulls_of_a_schema).expect("a policy");
    let schema = document.policy.spec.skills.expect("skills")[2].input_schema.clone().expect("a schema");
    assert_eq!(schema.get("default"), Some(&Value::Null));
    for (text, error) in [
        (POLICY.replace("{name: qwen}", "{name: }"), "spec.models.local.name: is required"),
        (POLICY.replace("\"http://litellm:4000\"", ""), "spec.upstream.url: is required"),
        (
            POLICY.replace("metadata: {name: routing}", "metadata:"),
            "metadata: is required; write metadata: {name: NAME}",
        ),
        (with("    -\n"), "spec.skills[2]: null: must have fields; write it as {name: value}, or with a line for each"),
    ] {
        assert_eq!(errors(&text), [error], "{text}");
    }
}

#[test]
fn a_value_of_another_type_or_case_is_refused_with_path_value_and_cure() {
    for (more, error) in [
        (
            "  service: {port: 03210}",
            "spec.service.port: 03210: must be a whole number; write 3210, without a leading zero",
        ),
        ("  service: {port: \"3210\"}", "spec.service.port: 3210: must be a whole number; write 3210, without quotes"),
        ("  service: {port: 32.5}", "spec.service.port: 32.5: must be a whole number"),
        ("  service: {port: http}", "spec.service.port: http: must be a whole number"),
        ("  service: {port: -1}", "spec.service.port: -1: the value is less than the minimum of 1"),
        ("  service: {port: 99999999999999999999}", "spec.service.port: 1"),
        (
            "  service: {type: nodePort}",
            "spec.service.type: nodePort: must be one of NodePort, ClusterIP, LoadBalancer; did you mean NodePort?",
        ),
        ("  service: 3210", "spec.service: 3210: must have fields"),
        ("  suspend: \"true\"", "spec.suspend: true: must be true or false, without quotes"),
        ("  suspend: yes", "spec.suspend: yes: must be true or false, without quotes"),
        ("  decisionLine: hide", "spec.decisionLine: hide: must be one of Show, Hide; did you mean Hide?"),
        ("  access: {allowedHosts: a.example}", "spec.access.allowedHosts: a.example: must be a list"),
        ("  access: {tokens: {name: a}}", "spec.access.tokens: must be a list"),
        (
            "  evidence: {window: 7}",
            "spec.evidence.window: 7: needs its unit: write 7s for seconds; the units are ms, s, m, h and d",
        ),
        ("  evidence: {window: [7d]}", "spec.evidence.window: must be text"),
        ("  dataPlane: {podLabels: {a: 1}}", "spec.dataPlane.podLabels.a: 1: must be text; write it in quotes"),
        ("  treshold: {}", "spec.treshold: unknown field; did you mean thresholds?"),
        ("  limits: {inflight: 5}", "spec.limits.inflight: unknown field; did you mean inFlight?"),
        ("    - {name: trainer, rout: Local}", "spec.skills[2].rout: unknown field; did you mean route?"),
        ("  elsewhere: 1", "spec.elsewhere: unknown field; remove it, or correct its name"),
        (
            "    - {name: trainer, route: claude}",
            "spec.skills[2].route: claude: must be one of Auto, Local, Claude; did you mean Claude?",
        ),
    ] {
        let found = errors(&format!("{POLICY}{more}\n"));
        assert_eq!(found.len(), 1, "{more}: {found:?}");
        assert!(found[0].starts_with(error), "{more}:\n  {}\n  {error}", found[0]);
        for word in ["u16", "u32", "i64", "Option", "struct", "invalid type", "serde", "expected", "variant"] {
            assert!(!found[0].contains(word), "{word} in {}", found[0]);
        }
    }
    let numbered = POLICY.replace("{name: routing}", "{name: 123}");
    assert_eq!(errors(&numbered), [format!("metadata.name: 123: {}", form::NAME_RULE)]);
    assert_eq!(errors(&format!("{POLICY}  service: {{port: 3210.0}}\n")), Vec::<String>::new());
}

#[test]
fn the_positions_of_many_errors_cost_as_much_as_that_of_one() {
    let fields: String = (0..80_000).map(|i| format!("  u{i}: 1\n")).collect();
    let text = format!("{POLICY}{fields}");
    assert!(text.len() > MAX_BYTES / 2 && text.len() <= MAX_BYTES);
    let start = Instant::now();
    let errors = Document::parse(&text).expect("a policy").unknown_field_errors();
    let parsed = start.elapsed();
    assert_eq!(errors.len(), 50);
    let start = Instant::now();
    let positions = Positions::of(&text);
    assert!(errors.iter().all(|error| positions.find(&error.path).is_some_and(|at| at.line > 15)));
    let located = start.elapsed();
    assert!(located < parsed * 5, "parsed in {parsed:?}, located in {located:?}");
}

#[test]
fn a_document_of_any_depth_is_read_or_refused_on_the_stack_of_a_worker() {
    for (open, close) in [("{a: ", "}"), ("[", "]")] {
        for depth in [1, DEPTH_MAX - 5, DEPTH_MAX - 4, 64, 1000, 100_000] {
            let text = format!(
                "{POLICY}    - name: mine\n      inputSchema: {{a: {}1{}}}\n",
                open.repeat(depth),
                close.repeat(depth)
            );
            let read = move || {
                let error = Document::parse(&text).err().map(|error| error.to_string());
                (error, Positions::of(&text).find("spec.skills[2].inputSchema.a"))
            };
            let worker = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(read).expect("a thread");
            let (error, position) = worker.join().expect("an answer");
            if depth + 5 <= DEPTH_MAX {
                assert_eq!((error, position.map(|at| at.line)), (None, Some(17)), "{depth} of {open}");
            } else {
                let error = error.unwrap_or_default();
                assert!(
                    error.contains("deep") || error.contains("nest") || error.contains("limit"),
                    "{depth} of {open}: {error}"
                );
            }
        }
    }
}
