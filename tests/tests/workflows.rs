//! The workflows of both forges: they are the same, and all that they do is in scripts. `make lint` checks their form;
//! `tests/e2e` shows that the steps deliver.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tests::checkout;

const FORGES: [&str; 2] = [".gitea/workflows", ".github/workflows"];
const CI: &str = "ci.yml";
const CD: &str = "cd.yml";
/// The folders of the scripts that a step may call.
const SCRIPTS: [&str; 3] = [".ci/", "deploy/", "tests/"];
const DELIVERY: &str = "deploy/delivery/";

fn read(file: impl AsRef<Path>) -> String {
    let file = checkout().join(file);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn text(workflow: &str) -> String {
    read(format!("{}/{workflow}", FORGES[0]))
}

fn parsed(workflow: &str) -> Value {
    serde_saphyr::from_str(&text(workflow)).expect("YAML")
}

fn steps(workflow: &str) -> Vec<Value> {
    let workflow = parsed(workflow);
    let jobs = workflow["jobs"].as_object().expect("jobs").values();
    jobs.flat_map(|job| job["steps"].as_array().expect("steps").clone()).collect()
}

/// Name and text of each step that runs something.
fn runs(workflow: &str) -> Vec<(String, String)> {
    let run = |step: &Value| Some((step["name"].as_str()?.to_string(), step["run"].as_str()?.to_string()));
    steps(workflow).iter().filter_map(run).collect()
}

/// The words that could be a file or a program.
fn words(run: &str) -> impl Iterator<Item = &str> {
    run.split(|c: char| !(c.is_ascii_alphanumeric() || "._-/".contains(c)))
}

fn scripts(run: &str) -> Vec<&str> {
    words(run).filter(|word| SCRIPTS.iter().any(|folder| word.starts_with(folder))).collect()
}

#[test]
fn both_forges_have_the_same_workflows() {
    for forge in FORGES {
        let mut names: Vec<_> = fs::read_dir(checkout().join(forge))
            .expect("a folder")
            .map(|file| file.expect("a file").file_name())
            .collect();
        names.sort();
        assert_eq!(names, [CD, CI], "{forge}");
    }
    for workflow in [CD, CI] {
        let [gitea, github] = FORGES.map(|forge| read(format!("{forge}/{workflow}")));
        assert_eq!(gitea, github, "{workflow}");
    }
}

#[test]
fn every_script_that_a_step_calls_exists_and_is_executable() {
    let mut called = 0;
    for (name, run) in [runs(CI), runs(CD)].concat() {
        for script in scripts(&run) {
            let file =
                fs::metadata(checkout().join(script)).unwrap_or_else(|error| panic!("{name}: {script}: {error}"));
            assert!(file.is_file() && file.permissions().mode() & 0o111 == 0o111, "{name}: {script} cannot be run");
            called += 1;
        }
    }
    assert!(called >= 11, "{called}");
}

/// The list of targets is in one place, `.ci/run`.
#[test]
fn ci_runs_the_one_list_of_make_targets() {
    let runs = runs(CI);
    let (_, last) = runs.last().expect("a step");
    assert_eq!(scripts(last), [".ci/run"]);
    for (name, run) in &runs {
        assert!(!words(run).any(|word| word == "make"), "{name}: {run}");
    }
    for target in ["lint", "test", "e2e"] {
        assert!(read(".ci/run").contains(&format!("step \"make {target}\" make {target}\n")), "{target}");
    }
}

#[test]
fn each_step_of_a_delivery_calls_one_script() {
    let runs = runs(CD);
    let of_delivery = runs.iter().flat_map(|(name, run)| {
        let scripts = scripts(run).into_iter().filter_map(|script| script.strip_prefix(DELIVERY));
        scripts.map(|script| (name.as_str(), script)).collect::<Vec<_>>()
    });
    let expected = [
        ("Name the version", "version.sh"),
        ("Build routing", "build.sh"),
        ("Build routing-operator", "build.sh"),
        ("Push routing", "push.sh"),
        ("Push routing-operator", "push.sh"),
        ("Update the GitOps repository", "bump.sh"),
    ];
    assert_eq!(of_delivery.collect::<Vec<_>>(), expected);
    for (name, run) in &runs {
        for program in ["buildctl", "cargo", "docker", "git", "kubectl"] {
            assert!(!words(run).any(|word| word == program), "{name}: {program} belongs in a script");
        }
        assert!(!run.contains("skopeo copy"), "{name}: {DELIVERY}push.sh pushes");
    }
}

/// `build.sh NAME FILE`, `push.sh FILE IMAGE` and `bump.sh ROUTING OPERATOR`, each with the output of an earlier step.
#[test]
fn each_step_of_a_delivery_uses_the_output_of_another_for_the_same_image() {
    let runs = runs(CD);
    let run =
        |name: &str| runs.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no step {name}")).1.trim();
    for image in ["routing", "routing-operator"] {
        let built = format!("{DELIVERY}build.sh {image} \"$RUNNER_TEMP/{image}.tar\"");
        assert_eq!(run(&format!("Build {image}")), built);
        let pushed = format!("{DELIVERY}push.sh \"$RUNNER_TEMP/{image}.tar\" \"$REGISTRY/{image}:$VERSION\" |");
        let pushed = format!("{pushed}\n  tee \"$RUNNER_TEMP/{image}.reference\"");
        assert_eq!(run(&format!("Push {image}")), pushed);
    }
    let [routing, operator] =
        ["routing", "routing-operator"].map(|image| format!("\"$(cat \"$RUNNER_TEMP/{image}.reference\")\""));
    assert_eq!(run("Update the GitOps repository"), format!("{DELIVERY}bump.sh {routing} {operator}"));
}

/// So the same text runs anywhere, and the value of a variable is never part of a command.
#[test]
fn a_step_takes_everything_from_its_environment() {
    for (name, run) in [runs(CI), runs(CD)].concat() {
        assert!(!run.contains("${{"), "{name}: {run}");
    }
}

#[test]
fn a_password_is_in_the_environment_of_the_one_step_that_needs_it() {
    let mut with_secrets = Vec::new();
    for step in steps(CD) {
        let shown = step.to_string();
        for password in ["REGISTRY_PASSWORD", "GITOPS_PASSWORD"] {
            let reference = format!("${{{{ secrets.{password} }}}}");
            if shown.contains(&reference) {
                assert_eq!(step["env"][password], json!(reference));
                with_secrets.push(step["name"].as_str().expect("a name").to_string());
            }
        }
    }
    assert_eq!(with_secrets, ["Log in to the registry", "Update the GitOps repository"]);
    let secrets = [text(CI), text(CD)].concat().matches("secrets.").count();
    assert_eq!(secrets, with_secrets.len(), "no other step has a secret");
}

#[test]
fn every_setting_is_named_in_the_workflow_and_documented() {
    let (workflow, docs) = (text(CD), read("docs/delivery.md"));
    let (comment, body) = workflow.split_once("\nname: cd\n").expect("a comment first");
    let named: Vec<&str> = ["vars.", "secrets."]
        .iter()
        .flat_map(|context| body.split(context).skip(1))
        .filter_map(|rest| words(rest).next())
        .collect();
    assert!(named.len() >= 9, "{named:?}");
    for name in named {
        assert!(words(comment).any(|word| word == name), "{name} is not in the comment of {CD}");
        assert!(docs.contains(&format!("`{name}`")), "{name} is not in docs/delivery.md");
    }
}

#[test]
fn workflows_have_read_only_permissions_and_a_time_limit() {
    for workflow in [CI, CD].map(parsed) {
        assert_eq!(workflow["permissions"], json!({"contents": "read"}));
        assert!(workflow["concurrency"]["group"].is_string(), "{workflow}");
        for (name, job) in workflow["jobs"].as_object().expect("jobs") {
            assert!(job["timeout-minutes"].as_u64().is_some_and(|minutes| minutes <= 180), "{name}");
            assert_eq!(job["permissions"], Value::Null, "{name}");
        }
    }
    assert_eq!(parsed(CD)["concurrency"]["cancel-in-progress"], json!(false), "a delivery that has begun is completed");
}

/// The tag of an action can be moved to another commit.
#[test]
fn third_party_actions_are_pinned_to_a_commit() {
    for step in [steps(CI), steps(CD)].concat() {
        let Some(action) = step["uses"].as_str() else { continue };
        let (name, commit) = action.split_once('@').expect("a version");
        assert!(commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{name}: {commit}");
        if name == "actions/checkout" {
            assert_eq!(step["with"]["persist-credentials"], json!(false));
            assert_eq!(step["with"]["fetch-depth"], json!(0), "tags make the version");
        }
    }
}

#[test]
fn the_buildkit_that_delivers_is_the_one_that_the_tests_run() {
    let modules = read("tests/cluster/buildkit/go.mod");
    let version = modules.lines().find_map(|line| line.trim().strip_prefix("github.com/moby/buildkit v")).expect("it");
    let version = version.split(' ').next().expect("a version");
    assert!(read(".ci/buildkit").contains(&format!("/buildkit:v{version}\n")), "{version}");
}

/// Every `go.mod` below a folder.
fn go_modules(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| match path {
            path if path.is_dir() => go_modules(&path),
            path if path.ends_with("go.mod") => vec![path],
            _ => vec![],
        })
        .collect()
}

/// The version of the `go` line, as numbers.
fn go_version(module: &Path) -> Vec<u32> {
    let text = read(module);
    let version = text.lines().find_map(|line| line.strip_prefix("go ")).expect("a version");
    version.split('.').map(|part| part.parse().expect("a number")).collect()
}

#[test]
fn the_go_that_ci_installs_is_new_enough_for_every_module() {
    let named = steps(CI).iter().find_map(|step| step["with"]["go-version-file"].as_str().map(PathBuf::from));
    let installed = go_version(&named.expect("a file"));
    let modules = go_modules(&checkout().join("tests"));
    assert!(modules.len() >= 4, "{modules:?}");
    for module in modules {
        assert!(go_version(&module) <= installed, "{} needs a newer Go than {installed:?}", module.display());
    }
}
