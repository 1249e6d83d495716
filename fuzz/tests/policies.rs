//! The policies of this repository, by the target `policy`: what the operator renders of each compiles to the same table.

use std::{
    fs,
    num::NonZero,
    panic,
    path::{Path, PathBuf},
    thread,
};

use crds::{Document, builtin::BuiltinPrompts, compile};
use fuzz::target;

/// Folders with a policy in each of their files, below the checkout.
const FOLDERS: [&str; 3] = ["crds/fixtures", "deploy/samples", "docs/examples"];

fn compiles(text: &str) -> bool {
    Document::parse(text).is_ok_and(|document| compile(&document.policy.spec, &BuiltinPrompts::default()).is_ok())
}

fn policies() -> Vec<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let entries = FOLDERS.into_iter().flat_map(|folder| fs::read_dir(checkout.join(folder)).expect("a folder"));
    let files = entries.map(|entry| entry.expect("an entry").path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml")).collect()
}

#[test]
fn each_policy_of_this_repository_compiles_to_the_same_table_once_it_is_rendered() {
    let (check, files) = (target("policy").expect("a target").check, policies());
    let is_right = |file: &PathBuf| {
        let text = fs::read_to_string(file).expect("text");
        // What is wrong is printed before it is known of which file.
        if panic::catch_unwind(|| check(text.as_bytes())).is_err() {
            panic!("{}", file.display());
        }
        compiles(&text)
    };
    let share = files.len().div_ceil(thread::available_parallelism().map_or(1, NonZero::get));
    let compiled: usize = thread::scope(|scope| {
        let of_share = |files: &[PathBuf]| files.iter().filter(|file| is_right(file)).count();
        let workers: Vec<_> = files.chunks(share).map(|files| scope.spawn(move || of_share(files))).collect();
        workers.into_iter().map(|worker| worker.join().expect("each policy is right")).sum()
    });
    assert!(compiled >= 100, "{compiled}");
}
