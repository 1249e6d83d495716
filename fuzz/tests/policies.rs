//! The policies of this repository, by the target `policy`: what the operator renders of each compiles to the same table.

use std::{fs, path::Path};

use crds::{Document, builtin::BuiltinPrompts, compile};
use fuzz::target;

/// Folders with a policy in each of their files, below the checkout.
const FOLDERS: [&str; 3] = ["crds/fixtures", "deploy/samples", "docs/examples"];

fn compiles(text: &str) -> bool {
    Document::parse(text).is_ok_and(|document| compile(&document.policy.spec, &BuiltinPrompts::default()).is_ok())
}

#[test]
fn each_policy_of_this_repository_compiles_to_the_same_table_once_it_is_rendered() {
    let (policy, mut compiled) = (target("policy").expect("a target"), 0);
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for folder in FOLDERS {
        for entry in fs::read_dir(checkout.join(folder)).expect("a folder") {
            let file = entry.expect("an entry").path();
            if file.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            // A panic names the file by this line.
            println!("{}", file.display());
            let text = fs::read_to_string(&file).expect("text");
            (policy.check)(text.as_bytes());
            compiled += usize::from(compiles(&text));
        }
    }
    assert!(compiled >= 100, "{compiled}");
}
