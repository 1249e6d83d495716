//! What stands before a program and lets its exit code through.

use super::is_assignment;

const OF_ONE: [&str; 6] = ["env", "time", "nice", "npx", "bunx", "command"];
const OF_TWO: [[&str; 2]; 6] =
    [["uv", "run"], ["poetry", "run"], ["pipenv", "run"], ["bundle", "exec"], ["pnpm", "exec"], ["yarn", "exec"]];

/// The words of the program itself: without variables, `timeout N` and the like.
pub(super) fn within<'a>(words: &'a [&'a str]) -> &'a [&'a str] {
    match words {
        [first, rest @ ..] if is_assignment(first) || OF_ONE.contains(first) => within(rest),
        ["timeout" | "gtimeout", rest @ ..] => within(after_the_time(rest)),
        [first, second, rest @ ..] if OF_TWO.contains(&[*first, *second]) => within(rest),
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
