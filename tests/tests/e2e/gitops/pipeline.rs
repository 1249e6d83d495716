//! The delivery as in its workflow: the steps of `.gitea/workflows/cd.yml` that call a script of `deploy/delivery`,
//! run with bash as a runner does, one after the other.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use serde_json::Value;
use tests::checkout;
use tokio::sync::OnceCell;

use super::{
    repository::Repository,
    site::{GIT_PASSWORD, Site, run},
};

const WORKFLOW: &str = ".gitea/workflows/cd.yml";
/// The folder of the scripts that the steps call.
const SCRIPTS: &str = "deploy/delivery/";
const VERSION: &str = "deploy/delivery/version.sh";
const BUILD: &str = "deploy/delivery/build.sh";
const BUMP: &str = "deploy/delivery/bump.sh";

/// A version whose images are in the registry.
pub struct Pushed {
    /// The version.
    pub version: String,
    /// Where its steps keep their files.
    work: PathBuf,
}

/// Which version images have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The workspace's, which the images of the other tests have, too.
    Workspace,
    /// The checkout's, as the workflow names it.
    Checkout,
}

/// Builds both images and pushes them, once per run.
pub async fn pushed(site: &Site, of: Of) -> &'static Pushed {
    static PUSHED: [OnceCell<Pushed>; 2] = [OnceCell::const_new(), OnceCell::const_new()];
    PUSHED[of as usize].get_or_init(|| async { push(site, of) }).await
}

fn push(site: &Site, of: Of) -> Pushed {
    let work = site.folder.join(format!("runner-{}", of as usize));
    fs::create_dir(&work).expect("a folder");
    for step in steps().iter().filter(|step| !script(step).contains(BUMP)) {
        let began = Instant::now();
        run(step_command(site, &work, script(step), &[]).current_dir(checkout()));
        println!("  {}: {:.0} s", step["name"].as_str().unwrap_or_default(), began.elapsed().as_secs_f64());
        if script(step).contains(VERSION) && of == Of::Workspace {
            fs::write(work.join("env"), concat!("VERSION=", env!("CARGO_PKG_VERSION"), "\n")).expect("written");
        }
    }
    let version = handed_on(&work).remove("VERSION").expect("the workflow names the version");
    Pushed { version, work }
}

impl Pushed {
    /// Commits the release to a repository.
    pub fn release(&self, site: &Site, repository: &Repository) {
        for step in steps().iter().filter(|step| script(step).contains(BUMP)) {
            let environment = environment(&step["env"], repository);
            run(step_command(site, &self.work, script(step), &environment).current_dir(checkout()));
        }
        repository.pull();
    }

    /// The reference of an image, as it was pushed.
    pub fn reference(&self, image: &str) -> String {
        let file = self.work.join(format!("{image}.reference"));
        fs::read_to_string(file).expect("pushed before").trim().to_string()
    }
}

fn script(step: &Value) -> &str {
    step["run"].as_str().unwrap_or_default()
}

/// The steps that call a script of the delivery.
fn steps() -> Vec<Value> {
    let text = fs::read_to_string(checkout().join(WORKFLOW)).expect("the workflow");
    let workflow: Value = serde_saphyr::from_str(&text).expect("YAML");
    let steps = workflow["jobs"]["deliver"]["steps"].as_array().expect("steps");
    let ours = |step: &&Value| script(step).contains(SCRIPTS);
    steps.iter().filter(ours).cloned().collect()
}

/// What the workflow sets for a step, with this run's variables and secrets.
fn environment(env: &Value, repository: &Repository) -> Vec<(String, String)> {
    let value = |given: &str| match given.trim_start_matches("${{ ").trim_end_matches(" }}") {
        "vars.GITOPS_URL" => repository.url.clone(),
        "vars.GITOPS_USER" => "git".into(),
        "secrets.GITOPS_PASSWORD" => GIT_PASSWORD.into(),
        // As a runner does for variables that are not set.
        other if other.starts_with("vars.") => String::new(),
        literal => literal.into(),
    };
    let env = env.as_object().into_iter().flatten();
    env.map(|(name, given)| (name.clone(), value(given.as_str().unwrap_or_default()))).collect()
}

/// A step in the shell that a runner starts; steps that build run with a BuildKit.
fn step_command(site: &Site, work: &Path, script: &str, environment: &[(String, String)]) -> Command {
    let mut shell = vec!["bash".to_string()];
    if script.contains(BUILD) {
        shell.insert(0, checkout().join("tests/cluster/with-buildkit.sh").display().to_string());
    }
    let mut command = site.command(&shell[0]);
    command
        .args(&shell[1..])
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
        .env("RUNNER_TEMP", work)
        .env("GITHUB_ENV", work.join("env"))
        .env("REGISTRY", site.registry())
        .envs(handed_on(work))
        .envs(environment.iter().cloned());
    command
}

/// What earlier steps set for later ones.
fn handed_on(work: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(work.join("env")).unwrap_or_default();
    let variables = text.lines().filter_map(|line| line.split_once('='));
    variables.map(|(name, value)| (name.to_string(), value.to_string())).collect()
}
