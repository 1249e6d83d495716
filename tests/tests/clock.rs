//! A clock that is set back by an hour must neither lengthen a deadline nor age a pass rate: both use the clock that only
//! goes forward, so there is nothing to set.

use std::{collections::BTreeSet, process::Command};

use tests::checkout;

/// The files of the data plane that read the clock on the wall, and what for.
const ON_THE_WALL: [(&str, &str); 5] = [
    ("cli/hook/kept.rs", "the age of files that a hook left behind"),
    ("clock.rs", "times in records and in /status"),
    ("config/still.rs", "whether a file changed a moment ago; a wrong clock only makes it wait for 50 ms"),
    ("demo/examples.rs", "times of example outcomes"),
    ("traces/evaluation.rs", "the time of an event for OpenTelemetry"),
];
/// Those that ask `clock.rs`.
const IN_RECORDS: [(&str, &str); 8] = [
    ("admin.rs", "when the next trial of a model is, as it is shown"),
    ("call/attempt.rs", "the time in a record"),
    ("cli/evidence.rs", "ages that are shown"),
    ("cli/hook.rs", "the age of what a hook kept"),
    ("cli/hook/asked.rs", "the same"),
    ("cli/status.rs", "ages that are shown"),
    ("config/reload.rs", "since when a policy is refused"),
    ("upstream/reach.rs", "since when an endpoint is reached"),
];

fn that_name(word: &str) -> BTreeSet<String> {
    let found = Command::new("git")
        .args(["grep", "--no-index", "-lF", word, "--", "."])
        .current_dir(checkout().join("dataplane/src"))
        .output()
        .expect("git runs");
    String::from_utf8(found.stdout).expect("UTF-8").lines().map(str::to_string).collect()
}

#[test]
fn only_times_that_are_shown_or_stored_come_from_the_clock_on_the_wall() {
    for (word, known) in [("SystemTime", &ON_THE_WALL[..]), ("clock::now_ms()", &IN_RECORDS[..])] {
        let known = known.iter().map(|(file, _)| (*file).to_string()).collect();
        assert_eq!(that_name(word), known, "{word}: a deadline or an age uses std::time::Instant");
    }
}
