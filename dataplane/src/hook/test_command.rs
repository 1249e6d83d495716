//! Shell commands that run tests, and whose exit code is that of the tests.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Programs that only run tests.
const RUNNERS: [&str; 11] =
    ["pytest", "py.test", "jest", "vitest", "ctest", "rspec", "phpunit", "bats", "tox", "nosetests", "nextest"];
/// What stands before a program and lets its exit code through.
const WRAPPERS: [&str; 6] = ["env", "time", "nice", "npx", "bunx", "command"];
/// The same in two words.
const WRAPPERS_OF_TWO: [[&str; 2]; 6] =
    [["uv", "run"], ["poetry", "run"], ["pipenv", "run"], ["bundle", "exec"], ["pnpm", "exec"], ["yarn", "exec"]];
/// With these no test runs.
const RUNS_NOTHING: [&str; 8] =
    ["--help", "-h", "--version", "--no-run", "--list", "--collect-only", "--listTests", "--dry-run"];
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
    let words = unwrapped(&words);
    !words.iter().any(|word| RUNS_NOTHING.contains(word)) && of_program(words)
}

/// Without variables, `timeout N` and the like.
fn unwrapped<'a>(words: &'a [&'a str]) -> &'a [&'a str] {
    match words {
        [first, rest @ ..] if is_assignment(first) || WRAPPERS.contains(first) => unwrapped(rest),
        ["timeout" | "gtimeout", rest @ ..] => unwrapped(after_the_time(rest)),
        [first, second, rest @ ..] if WRAPPERS_OF_TWO.contains(&[*first, *second]) => unwrapped(rest),
        words => words,
    }
}

/// Behind the options of `timeout` and its number; the options `-k` and `-s` have a value.
fn after_the_time<'a>(words: &'a [&'a str]) -> &'a [&'a str] {
    match words {
        ["-k" | "-s", _, rest @ ..] => after_the_time(rest),
        [option, rest @ ..] if option.starts_with('-') => after_the_time(rest),
        [_, rest @ ..] => rest,
        [] => words,
    }
}

fn of_program(words: &[&str]) -> bool {
    let [program, arguments @ ..] = words else { return false };
    let name = program.rsplit('/').next().unwrap_or(program);
    let targets = || arguments.iter().filter(|word| !word.starts_with('-') && !word.contains('='));
    let first = targets().find(|word| !word.starts_with('+')).copied().unwrap_or_default();
    match name {
        name if RUNNERS.contains(&name) => true,
        "cargo" => matches!(first, "test" | "t" | "nextest"),
        "go" | "dotnet" => first == "test",
        "npm" | "pnpm" | "yarn" | "bun" => of_a_script(&targets().copied().collect::<Vec<_>>()),
        "make" | "gmake" => targets().any(|target| matches!(*target, "test" | "tests" | "check")),
        "mvn" | "mvnw" => targets().any(|goal| matches!(*goal, "test" | "verify")),
        "gradle" | "gradlew" => targets().any(|task| matches!(task.rsplit(':').next(), Some("test" | "check"))),
        python if python.starts_with("python") => {
            arguments.windows(2).any(|pair| pair[0] == "-m" && matches!(pair[1], "pytest" | "unittest"))
        }
        _ => false,
    }
}

/// `npm test`, `npm run test:unit`.
fn of_a_script(words: &[&str]) -> bool {
    let script = match words {
        ["run" | "run-script", script, ..] | [script, ..] => script,
        [] => return false,
    };
    matches!(*script, "test" | "t" | "tst") || script.starts_with("test:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_whose_exit_code_is_that_of_tests_are_recognised() {
        for command in [
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
        ] {
            assert!(runs_tests(command), "{command}");
        }
    }

    #[test]
    fn commands_whose_exit_code_may_be_that_of_something_else_are_not() {
        for command in [
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
            "cat <<E\nmake test\nE",
            "",
        ] {
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
