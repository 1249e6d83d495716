//! Where state is: outcomes are in the user's data folder, and those of examples and stand-ins are not among real ones.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    documented::InBackground,
    get_json,
    make_run::Ports,
    program::{self, Program},
    waiting,
};

async fn fails(brain: &str) -> Value {
    get_json(format!("{brain}/pass-rate?skill=debug")).await["fail"].clone()
}

/// Reports that an answer of `debug` was wrong.
fn report(brain: &str, folder: &Path) {
    let output = program::run(&["outcome", "debug", "fail", "--new-skill", "--brain-url", brain], &[], folder);
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn the_brain_keeps_outcomes_in_the_users_data_folder_and_says_where() {
    let home = tempfile::tempdir().expect("a folder");
    let path = |below: &str| home.path().join(below).display().to_string();
    for (data, user, database) in [
        (path("data"), path(""), path("data/routing/brain.db")),
        (String::new(), path("me"), path("me/.local/share/routing/brain.db")),
    ] {
        let brain = Program::brain().variable("XDG_DATA_HOME", &data).variable("HOME", &user).start().await;
        report(&brain.base_url(), brain.folder());
        assert!(Path::new(&database).is_file(), "{database}");
        assert!(brain.log().contains(&database), "{}", brain.log());
        assert!(!brain.folder().join(".routing").exists(), "nothing is left in the current folder");
    }
}

#[tokio::test]
async fn outcomes_of_an_earlier_version_in_this_folder_are_found_and_the_log_says_so() {
    let home = tempfile::tempdir().expect("a folder");
    let brain = Program::brain().variable("BRAIN_DATABASE_URL", "sqlite:.routing/brain.db").start().await;
    report(&brain.base_url(), brain.folder());
    let home_variable = home.path().display().to_string();
    let variables = [("BRAIN_DATABASE_URL", ""), ("XDG_DATA_HOME", ""), ("HOME", home_variable.as_str())];
    let brain = brain.restarted_with(&variables).await;
    assert_eq!(fails(&brain.base_url()).await, json!(1));
    let used = brain.folder().join(".routing/brain.db").display().to_string();
    let instead = home.path().join(".local/share/routing/brain.db").display().to_string();
    for named in ["an earlier version kept outcomes in this folder", &used, &instead] {
        assert!(brain.log().contains(named), "{named}\n{}", brain.log());
    }
    assert!(!home.path().join(".local").exists());
}

/// `routing demo` of a user with a home of their own.
struct Demo {
    running: InBackground,
    home: TempDir,
    ports: Ports,
}

impl Demo {
    async fn start(arguments: &str, home: TempDir, more: &[(&str, &str)]) -> Self {
        let ports = Ports::free();
        fs::create_dir_all(home.path().join("tmp")).expect("created");
        let below = |folder: &str| home.path().join(folder).display().to_string();
        let mut variables = ports.variables();
        variables.extend([("HOME".into(), below("")), ("TMPDIR".into(), below("tmp"))]);
        variables.extend(more.iter().map(|(name, text)| ((*name).to_string(), (*text).to_string())));
        let command = format!("exec '{}' demo {arguments}", program::binary().display());
        let running = InBackground::start(&command, home.path(), &variables);
        let mut demo = Self { running, home, ports };
        waiting::until_true("the greeting", || std::future::ready(demo.running.printed().contains("Ctrl-C ends it")))
            .await;
        demo
    }

    fn brain(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.brain)
    }

    /// What it printed about where outcomes are.
    fn outcomes(&mut self) -> String {
        let printed = self.running.printed();
        printed.lines().find_map(|line| line.trim().strip_prefix("outcomes  ")).expect("a line").to_string()
    }

    async fn end(mut self) -> TempDir {
        self.running.signal("INT");
        waiting::until_true("the end", || std::future::ready(self.running.has_ended())).await;
        self.home
    }
}

#[tokio::test]
async fn the_demo_keeps_outcomes_of_stand_ins_apart_from_real_ones_and_prints_where() {
    let home = tempfile::tempdir().expect("a folder");
    let data = home.path().join(".local/share/routing");
    let mut demo = Demo::start("", home, &[]).await;
    report(&demo.brain(), demo.home.path());
    let file = data.join("demo.db");
    assert!(demo.outcomes().starts_with(&file.display().to_string()), "{}", demo.outcomes());
    assert!(file.is_file() && !data.join("brain.db").exists());
    let demo = Demo::start("", demo.end().await, &[]).await;
    assert_eq!(fails(&demo.brain()).await, json!(1), "they are kept");

    let somewhere = [("LITELLM_BASE_URL", "http://127.0.0.1:1")];
    let mut demo = Demo::start("", demo.end().await, &somewhere).await;
    assert!(demo.outcomes().starts_with(&data.join("brain.db").display().to_string()), "{}", demo.outcomes());
    assert_eq!(fails(&demo.brain()).await, json!(0), "those of stand-ins do not count for real models");
}

#[tokio::test]
async fn examples_are_in_a_database_of_their_own_which_is_gone_afterwards() {
    let home = tempfile::tempdir().expect("a folder");
    let own = home.path().join("own.db");
    let url = format!("sqlite:{}", own.display());
    let set = [("BRAIN_DATABASE_URL", url.as_str())];
    let demo = Demo::start("", home, &set).await;
    report(&demo.brain(), demo.home.path());
    let mut home = demo.end().await;
    for _ in 0..2 {
        let mut demo = Demo::start("--with-examples", home, &set).await;
        let rate = get_json(format!("{}/pass-rate?skill=debug", demo.brain())).await;
        assert_eq!((&rate["pass_rate"], &rate["total"]), (&json!(0.8), &json!(10)), "the same each time");
        report(&demo.brain(), demo.home.path());
        let temporary = demo.home.path().join("tmp").display().to_string();
        assert!(demo.outcomes().starts_with(&temporary), "{}", demo.outcomes());
        home = demo.end().await;
        assert_eq!(fs::read_dir(home.path().join("tmp")).expect("a folder").count(), 0, "it is deleted");
        assert!(!home.path().join(".local").exists());
    }
    let demo = Demo::start("", home, &set).await;
    let rate = get_json(format!("{}/pass-rate?skill=debug", demo.brain())).await;
    assert_eq!((&rate["fail"], &rate["total"]), (&json!(1), &json!(1)), "the own database has no example");
}
