//! The samples and the policies of pages, and a ConfigMap beside a policy, as one of the samples has it.

use std::fs;

use serde_json::Value;
use tests::{Policy, checkout, documented, program};

#[test]
fn every_sample_and_every_policy_of_the_laptop_page_passes_check() {
    let samples = fs::read_dir(checkout().join("deploy/samples")).expect("the samples");
    let mut samples: Vec<String> = samples.map(|entry| entry.expect("an entry").path().display().to_string()).collect();
    samples.retain(|path| path.ends_with(".yaml"));
    assert!(samples.len() >= 7, "{samples:?}");
    let folder = tempfile::tempdir().expect("a folder");
    for (i, spec) in documented::code_blocks("docs/laptop.md", "## Choose the models", "yaml").iter().enumerate() {
        let spec: Value = serde_saphyr::from_str(spec).expect("YAML");
        let path = folder.path().join(format!("{i}.yaml"));
        fs::write(&path, Policy::of("laptop", &spec).to_string()).expect("written");
        samples.push(path.display().to_string());
    }
    let arguments: Vec<&str> = std::iter::once("check").chain(samples.iter().map(String::as_str)).collect();
    let output = program::run(&arguments, &[], folder.path());
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.matches(": valid; skills ").count() == samples.len(), "{printed}");
}

#[test]
fn a_config_map_in_the_policys_file_is_used_and_one_of_another_namespace_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = fs::read_to_string(checkout().join("deploy/samples/own-skill.yaml")).expect("the sample");
    let check = |text: &str| {
        fs::write(folder.path().join("policy.yaml"), text).expect("written");
        let output = program::run(&["check", "policy.yaml"], &[], folder.path());
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (valid, first) = check(&sample);
    assert!(valid, "{first}");
    let (valid, second) = check(&sample.replace("You invent no reasons.", "You never invent reasons."));
    assert!(valid && first != second, "its text is part of the config: {second}");
    let elsewhere = sample.replacen("namespace: routing", "namespace: other", 1);
    let (valid, printed) = check(&elsewhere);
    assert!(!valid && printed.contains("own-prompts/commit-message.md: there is no cluster"), "{printed}");
}
