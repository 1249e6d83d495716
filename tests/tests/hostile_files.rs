//! Policy files that are written to end, hang or fill a program: `routing check` refuses each, within a pod's memory.

use std::fs;

use tests::{Policy, bombs, program::check};

#[test]
fn check_refuses_a_hostile_policy_with_its_field_and_bound() {
    for bomb in bombs::all() {
        let (valid, printed) = check(&Policy::at("http://a").spec(bomb.spec.clone()), &[]);
        assert!(!valid && printed.contains(bomb.refusal), "{}: {printed}", bomb.name);
        for i in 0..bomb.skills() {
            assert!(printed.contains(&format!(": spec.skills[{i}].")), "{}, {i}: {printed}", bomb.name);
        }
        assert!(printed.lines().count() <= 2 * bomb.skills(), "{}: {printed}", bomb.name);
    }
}

#[test]
fn check_refuses_a_large_text_that_is_referred_to_hundreds_of_times() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("large")).expect("a folder");
    for (bytes, refusal) in
        [(1_000_000, "is 1000000 bytes; a text has at most 65536"), (65_536, "at most 1048576 bytes together")]
    {
        fs::write(folder.path().join("large/k"), "x".repeat(bytes)).expect("written");
        let maps = folder.path().display().to_string();
        // Within the memory of a pod: 512 copies of it would be half a gigabyte, several times.
        let (valid, printed) = check(&Policy::at("http://a").spec(bombs::references()), &["--configmaps", &maps]);
        assert!(!valid && printed.contains(refusal), "{printed:.600}");
    }
}
