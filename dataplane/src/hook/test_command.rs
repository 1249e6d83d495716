//! Shell commands that run tests, and whose exit code is that of the tests.

mod program;
mod wrapper;

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Bytes of the hash that are kept.
const HASH_BYTES: usize = 12;

/// The hash of a command in a folder, if the command runs tests and tells by its exit code how they went.
pub(super) fn hash(command: &str, folder: &str) -> Option<String> {
    if !runs_tests(command) {
        return None;
    }
    let words: Vec<&str> = command.split_whitespace().collect();
    let digest = Sha256::digest(format!("{folder}\0{}", words.join(" ")));
    Some(digest.iter().take(HASH_BYTES).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// The last part of a chain of `&&` runs tests; the parts before it only prepare. With a pipe, `;`, `||` or `&` the exit
/// code may be that of something else.
fn runs_tests(command: &str) -> bool {
    let plain = without_quoted(command.trim());
    let plain = plain.replace("2>&1", " ").replace("&>", ">");
    let parts: Vec<&str> = plain.split("&&").collect();
    let clear = |part: &&str| !part.contains(['|', ';', '&', '\n', '`', '(']);
    let Some((tests, before)) = parts.split_last() else { return false };
    parts.iter().all(clear) && before.iter().all(|part| prepares(part)) && is_test(tests)
}

/// A command without what stands in quotes, which is data.
fn without_quoted(command: &str) -> String {
    let (mut plain, mut quote) = (String::new(), None);
    for c in command.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                plain.push('_');
            }
            None => plain.push(c),
        }
    }
    plain
}

fn prepares(part: &str) -> bool {
    let first = part.split_whitespace().next().unwrap_or_default();
    matches!(first, "cd" | "export" | "set" | "source" | "." | "pushd") || is_assignment(first)
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

fn is_test(part: &str) -> bool {
    let words: Vec<&str> = part.split_whitespace().collect();
    program::runs_tests(wrapper::within(&without_redirections(&words)))
}

/// `> file` and `2>file` change where the text goes, not the exit code.
fn without_redirections<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let is_redirection = |word: &str| word.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['>', '<']);
    let is_target = |i: usize| i > 0 && is_redirection(words[i - 1]) && words[i - 1].ends_with(['>', '<']);
    (0..words.len()).filter(|i| !is_redirection(words[*i]) && !is_target(*i)).map(|i| words[i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_TESTS: &[&str] = &[
        "cargo test",
        "cargo +nightly test -p x -- --nocapture",
        "cargo nextest run",
        "cd x && cargo test 2>&1",
        "RUST_LOG=debug timeout -k 5 600 cargo test -q",
        "pytest -k \"a|b\" tests",
        "python3 -m pytest",
        "python -m unittest discover",
        "uv run pytest",
        "npm test",
        "npm run test:unit",
        "pnpm test",
        "yarn test",
        "go test ./...",
        "make test",
        "make -j4 check",
        "mvn -q test",
        "./gradlew :app:test",
        "dotnet test",
        "npx jest",
        "node_modules/.bin/vitest run",
        "ctest --output-on-failure",
        "bundle exec rspec",
        "vendor/bin/phpunit",
        "bats test",
        "tox -e py312",
        "cargo test > out.txt 2>&1",
        "set -e && cd a && make test",
        "go test -run TestList ./...",
        "go -C test test",
        "cargo -q test --test listing",
        "cargo test -- --nocapture",
        "pytest -n 4 -q",
        "make -C sub -j4 test",
        "make -fMakefile.ci check",
        "mvn -P ci clean verify",
        "gradle test --tests Foo",
        "npm --prefix web run test:unit",
        "pnpm --filter web test",
        "python -W error -m pytest tests",
        "vitest",
        "make check >out.txt 2> err.txt",
    ];

    #[test]
    fn commands_whose_exit_code_is_that_of_tests_are_recognised() {
        for command in OF_TESTS {
            assert!(runs_tests(command), "{command}");
        }
    }

    const OF_SOMETHING_ELSE: &[&str] = &[
        "cargo build",
        "cargo test | tail",
        "cargo test || true",
        "cargo test; echo done",
        "cargo test &",
        "cargo test && git push",
        "npm ci && npm test",
        "echo cargo test",
        "echo \"make test\"",
        "cargo test --no-run",
        "pytest --help",
        "grep -r pytest .",
        "npm run build",
        "make",
        "timeout 5",
        "$(make test)",
        "go test -list .",
        "go test -c ./x",
        "go test -n",
        "go test --list=.",
        "cargo test -- --list",
        "cargo -C test build",
        "cargo nextest list",
        "pytest --co",
        "pytest --fixtures",
        "pytest --markers",
        "pytest -V",
        "python -m pytest --collect-only -q",
        "python -c x -m pytest",
        "python x.py -m pytest",
        "ctest -N",
        "ctest --show-only=json-v1",
        "mvn -DskipTests verify",
        "mvn -Dmaven.test.skip=true verify",
        "mvn -Dmaven.test.failure.ignore test",
        "mvn -fn test",
        "mvn -pl test clean",
        "mvn test deploy",
        "gradle check -x test",
        "gradle -m test",
        "gradle -p test build",
        "vitest list",
        "vitest bench",
        "jest --showConfig",
        "jest --clearCache",
        "jest --passWithNoTests",
        "tox -l",
        "tox list",
        "tox -e py312 --notest",
        "dotnet test --list-tests",
        "dotnet test -t",
        "phpunit --list-tests",
        "phpunit --list-suites",
        "bats --count test",
        "rspec --dry-run",
        "make -C test clean",
        "make -f test build",
        "make -n test",
        "make -si test",
        "make --touch test",
        "make test deploy",
        "npm --prefix test run build",
        "npm --unknown test",
        "npm test --if-present",
        "npm test -- --listTests",
        "cat <<E\nmake test\nE",
        "",
    ];

    #[test]
    fn commands_whose_exit_code_may_be_that_of_something_else_are_not() {
        for command in OF_SOMETHING_ELSE {
            assert!(!runs_tests(command), "{command}");
        }
    }

    #[test]
    fn the_same_command_in_the_same_folder_has_the_same_hash_and_tells_nothing() {
        let of = |command, folder| hash(command, folder).expect("a test command");
        assert_eq!(of("cargo  test", "/a"), of(" cargo test\n", "/a"));
        assert_ne!(of("cargo test", "/a"), of("cargo test", "/b"));
        assert_ne!(of("cargo test", "/a"), of("cargo test secret", "/a"));
        assert!(of("cargo test secret", "/a").chars().all(|c| c.is_ascii_hexdigit()));
    }
}
