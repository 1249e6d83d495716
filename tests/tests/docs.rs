//! What the documentation shows works: the example policy, the table of variables.

use crds::policy::Reason;
use operator::{controller::error::Error, metrics::Metrics};
use tests::{checkout, program};

#[test]
fn the_example_policy_is_valid() {
    let output = program::run(&["check", "docs/examples/policy.yaml"], &[], &checkout());
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_readme_names_every_variable_that_the_code_reads() {
    let readme = std::fs::read_to_string(checkout().join("README.md")).expect("text");
    let mut named = 0;
    for file in [
        "crds/src/pod.rs",
        "dataplane/src/settings.rs",
        "dataplane/src/settings/environment.rs",
        "dataplane/src/settings/prompts.rs",
        "dataplane/src/cli.rs",
        "dataplane/src/cli/serve.rs",
        "brain/src/settings.rs",
        "brain/src/reporters.rs",
        "brain/src/settings/database.rs",
        "endpoint/src/serve/limits.rs",
    ] {
        let text = std::fs::read_to_string(checkout().join(file)).expect("text");
        let quoted = text.split('"').skip(1).step_by(2);
        let is_variable = |text: &&str| {
            text.contains('_')
                && !text.starts_with("CARGO_")
                && !text.ends_with('_')
                && text.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        };
        for variable in quoted.filter(is_variable) {
            assert!(readme.contains(&format!("`{variable}`")), "{variable} of {file}");
            named += 1;
        }
    }
    assert!(named >= 22, "{named}");
}

#[test]
fn every_reason_of_a_condition_and_every_metric_of_the_operator_is_documented() {
    let read = |file: &str| std::fs::read_to_string(checkout().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let reasons = read("docs/status.md");
    for reason in Reason::ALL {
        assert!(reasons.contains(&format!("\n| `{}` |", reason.as_str())), "{reason:?} is not a row of docs/status.md");
    }
    let operator = read("docs/operator.md");
    let metrics = Metrics::default();
    metrics.failed(Error::TimedOut.category());
    let text = metrics.text();
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(names.len() >= 7, "{names:?}");
    for name in names {
        assert!(operator.contains(&format!("`{name}")), "{name} is not in docs/operator.md");
    }
}

#[test]
fn the_readmes_table_of_measurements_is_that_of_the_benchmarks() {
    let rows = |text: &str| text.lines().filter(|line| line.starts_with("| ")).map(str::to_string).collect::<Vec<_>>();
    let [readme, calls, failover] = ["README.md", "bench/results/calls.txt", "bench/results/failover.txt"]
        .map(|path| std::fs::read_to_string(checkout().join(path)).expect("text"));
    let table = readme.split_once("<!-- bench: begin").and_then(|(_, rest)| rest.split_once("<!-- bench: end"));
    let shown = rows(table.expect("marks around the table").0);
    let measured = [rows(&calls), rows(&failover)].concat();
    assert!(!measured.is_empty() && shown[1..] == measured, "run tests/setup/bench-table.sh: {shown:#?} {measured:#?}");
}
