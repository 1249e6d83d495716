//! Every file of the corpus through its target, as `make fuzz` does with its own inputs.

use std::{collections::BTreeSet, fs, path::PathBuf};

use fuzz::{TARGETS, Target, target};

/// Largest corpus, in bytes: it is cloned with the project.
const CORPUS_MAX: u64 = 1024 * 1024;

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn files(target: &str) -> Vec<PathBuf> {
    let folder = corpus().join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn replay(Target { name, check }: Target) {
    let files = files(name);
    assert!(!files.is_empty(), "{name}");
    for file in files {
        // A panic names the file by this line.
        println!("{}", file.display());
        check(&fs::read(&file).expect("a file"));
    }
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            replay(target(stringify!($name)).expect("a target"));
        })*

        #[test]
        fn every_target_is_replayed_and_has_a_folder() {
            let replayed = BTreeSet::from([$(stringify!($name).to_string()),*]);
            let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_string()).collect();
            let folders = fs::read_dir(corpus()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
            let folders: BTreeSet<String> = folders.map(|name| name.into_string().expect("UTF-8")).collect();
            assert_eq!((&replayed, &folders), (&targets, &targets));
        }
    };
}

targets!(
    answer_check,
    arguments,
    brain,
    decide,
    hook,
    mcp_body,
    mcp_json,
    model_answer,
    pass_rate,
    policy,
    rendering,
    secret,
    session_entry,
    session_log,
    template,
);

#[test]
fn the_corpus_is_small() {
    let files = TARGETS.iter().flat_map(|target| files(target.name));
    let bytes: u64 = files.map(|file| file.metadata().expect("a file").len()).sum();
    assert!(bytes <= CORPUS_MAX, "{bytes} bytes");
}
