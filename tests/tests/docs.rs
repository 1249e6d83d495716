//! What the documentation shows works: the example policy, the table of variables.

use std::{collections::BTreeSet, process::Command};

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
fn the_tables_of_measurements_are_those_of_the_benchmarks() {
    let checked = Command::new(checkout().join("tests/setup/bench-table.sh")).arg("check").output().expect("it runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

/// The version that is being made, and those that the changelog has.
#[test]
fn each_version_has_its_report_of_conformance_and_the_page_leads_to_it() {
    let read = |file: &str| std::fs::read_to_string(checkout().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let (page, changelog) = (read("docs/conformance.md"), read("CHANGELOG.md"));
    let named = changelog.lines().filter_map(|line| line.strip_prefix("## [")?.split(']').next());
    let released = named.filter(|version| version.starts_with(|c: char| c.is_ascii_digit()));
    let expected: BTreeSet<String> =
        released.chain([env!("CARGO_PKG_VERSION")]).map(|version| format!("{version}.md")).collect();
    let files = std::fs::read_dir(checkout().join("docs/conformance")).expect("a folder");
    let found: BTreeSet<String> =
        files.map(|file| file.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    assert_eq!(found, expected, "make conformance writes that of this version");
    for file in expected {
        assert!(page.contains(&format!("](conformance/{file})")), "docs/conformance.md does not lead to {file}");
    }
}
