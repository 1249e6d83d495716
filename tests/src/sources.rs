//! What the sources of this checkout define.

use std::{collections::BTreeSet, process::Command};

use crate::checkout;

/// Where the tests are that only a cluster runs.
const OF_A_CLUSTER: &str = "tests/tests/e2e/";

/// The names of tests.
#[derive(Default)]
pub struct Tests {
    /// Those of `make test`.
    pub here: BTreeSet<String>,
    /// Those of `make e2e` alone.
    pub on_a_cluster: BTreeSet<String>,
}

impl Tests {
    /// Those of this checkout, with or without its history.
    ///
    /// # Panics
    /// If git cannot search.
    #[must_use]
    pub fn of_this_checkout() -> Self {
        let found = grep(&["-E", r"^ *(#\[(tokio::)?test|(pub )?(async )?fn )", "--", "*.rs"]);
        let mut tests = Self::default();
        for (path, name) in named(&found) {
            let of = if path.starts_with(OF_A_CLUSTER) { &mut tests.on_a_cluster } else { &mut tests.here };
            of.insert(name.into());
        }
        tests.on_a_cluster = &tests.on_a_cluster - &tests.here;
        tests
    }

    /// Whether there is a test of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.here.contains(name) || self.on_a_cluster.contains(name)
    }
}

/// How many calls of a case `make test` makes where these are not all, with the file that says so.
///
/// # Panics
/// If git cannot search.
#[must_use]
pub fn fewer_calls() -> BTreeSet<(String, usize)> {
    let found = grep(&["-o", "-E", r"calls::in_make_test\([0-9]+\)", "--", "tests/tests"]);
    let number = |call: &str| call.chars().filter(char::is_ascii_digit).collect::<String>().parse::<usize>().ok();
    let fewer = found.lines().filter_map(|line| line.split_once(':'));
    fewer.filter_map(|(file, call)| Some((file.to_string(), number(call)?))).collect()
}

/// What `git grep` finds in this checkout, with or without its history.
fn grep(arguments: &[&str]) -> String {
    let found = Command::new("git").args(["grep", "--no-index"]).args(arguments).current_dir(checkout()).output();
    String::from_utf8(found.expect("git runs").stdout).expect("UTF-8")
}

/// The path and the name of each function that follows the mark of a test, in lines as `git grep` prints them.
fn named(found: &str) -> Vec<(&str, &str)> {
    let (mut all, mut is_test) = (vec![], false);
    for (path, line) in found.lines().filter_map(|line| line.split_once(':')) {
        match line.split_once("fn ") {
            None => is_test = true,
            Some((_, rest)) => {
                let name = rest.split(['(', '<']).next().unwrap_or_default();
                all.extend(std::mem::take(&mut is_test).then_some((path, name)));
            }
        }
    }
    all
}

#[test]
fn only_tests_are_found() {
    let found = "a.rs:fn helper() {}\na.rs:#[test]\na.rs:fn one() {}\nb.rs:    #[tokio::test(flavor = \"x\")]\n\
                 b.rs:    async fn two() {\nb.rs:pub fn three<T>() {}";
    assert_eq!(named(found), [("a.rs", "one"), ("b.rs", "two")]);
}
