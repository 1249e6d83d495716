//! The imports of `src/controller` draw the pipeline that CONTRIBUTING.md shows.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use syn::{
    UseTree,
    visit::{self, Visit},
};

const HEADING: &str = "## The operator's pipeline";
const DRIVER: &str = "controller";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The modules of the picture, in its order.
fn picture() -> Vec<String> {
    let text = fs::read_to_string(root().join("../CONTRIBUTING.md")).expect("CONTRIBUTING.md");
    let block = text.split(HEADING).nth(1).and_then(|rest| rest.split("```").nth(1)).expect("the picture");
    let lines = block.lines().skip(1).filter_map(|line| line.split_once(' '));
    lines.flat_map(|(_, modules)| modules.split('·').map(|module| module.trim().to_string())).collect()
}

/// The files of the controller with the path of their module: `["apply", "decide"]` of `apply/decide.rs`.
fn files(folder: &Path, module: &[String]) -> Vec<(Vec<String>, PathBuf)> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut found = vec![];
    for path in entries {
        let below = |name: &str| [module, &[name.to_string()]].concat();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("UTF-8").to_string();
        match path.extension() {
            Some(extension) if extension == "rs" => found.push((below(&name), path)),
            None if path.is_dir() => found.extend(files(&path, &below(&name))),
            _ => {}
        }
    }
    found
}

/// Modules of the controller that a file names.
struct Imports {
    module: Vec<String>,
    found: BTreeSet<String>,
}

impl Imports {
    fn of(module: &[String], text: &str) -> BTreeSet<String> {
        let mut imports = Self { module: module.to_vec(), found: BTreeSet::new() };
        imports.visit_file(&syn::parse_file(text).expect("Rust"));
        imports.found
    }

    /// `path` as written, from where its first segment leads.
    fn note(&mut self, path: &[String]) {
        let supers = path.iter().take_while(|segment| *segment == "super").count();
        let module = match path.first().map(String::as_str) {
            Some("crate") if path.get(1).is_some_and(|second| second == DRIVER) => path.get(2).cloned(),
            Some("super") if supers == self.module.len() => path.get(supers).cloned(),
            // The driver's own children.
            Some("self") if self.module.is_empty() => path.get(1).cloned(),
            _ => None,
        };
        self.found.extend(module);
    }

    fn note_tree(&mut self, tree: &UseTree, before: &[String]) {
        let below = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.note_tree(&path.tree, &below(&path.ident)),
            UseTree::Name(name) => self.note(&below(&name.ident)),
            UseTree::Rename(name) => self.note(&below(&name.ident)),
            UseTree::Glob(_) => self.note(&[before, &["*".to_string()]].concat()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_tree(tree, before)),
        }
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.note_tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.note(&segments);
        visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        // Tests build their inputs by earlier and later steps alike.
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
}

#[test]
fn a_step_imports_no_later_one() {
    let order = picture();
    let rank = |module: &str| order.iter().position(|name| name == module);
    let mut files = files(&root().join("src/controller"), &[]);
    files.push((vec![], root().join("src/controller.rs")));
    let (mut wrong, mut seen) = (vec![], BTreeSet::new());
    for (module, path) in files {
        if module.last().is_some_and(|name| name == "tests") {
            continue;
        }
        let own = module.first().map_or(DRIVER, String::as_str);
        seen.insert(own.to_string());
        for import in Imports::of(&module, &fs::read_to_string(&path).expect("text")) {
            // What is directly in `controller.rs`, such as `Context`, is the driver's.
            let import = if root().join(format!("src/controller/{import}.rs")).is_file() { &import } else { DRIVER };
            if import != own && rank(import) >= rank(own) {
                wrong.push(format!("{} imports {import}, which comes later", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        seen,
        order.into_iter().collect(),
        "the picture in CONTRIBUTING.md shows every module of the controller"
    );
}

#[test]
fn imports_are_found_however_they_are_written() {
    let text = "use super::super::{apply::{self, refusal::Problem}, status};
        use crate::controller::report as r;
        fn f() { super::super::nudge::nudge(); crate::metrics::x(); Some::<super::super::requeue::Unsettled>(); }
        mod tests { use super::super::super::watch; }";
    let found = Imports::of(&["build".into(), "pod".into()], text);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["apply", "nudge", "report", "requeue", "status"]);
    assert_eq!(Imports::of(&[], "use self::watch::run;").into_iter().collect::<Vec<_>>(), ["watch"]);
    // What is not a module is the driver's.
    let of_driver = Imports::of(&["apply".into()], "use super::*; fn f(_: &super::Context) {}");
    assert_eq!(of_driver.into_iter().collect::<Vec<_>>(), ["*", "Context"]);
}
