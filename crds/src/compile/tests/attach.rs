//! What clients are told of a skill, and which arguments one beside the project fills.

use super::*;
use crate::policy::FromGit;

#[test]
fn every_rule_about_titles_and_filled_arguments_names_the_field() {
    let debug = |more: &str| format!("  skills: [{{name: debug, {more}}}]");
    let nothing = "spec.skills[0].attach[0]: must have exactly one of fromFilesIn, fromGit and fromLastLines";
    assert_refused(vec![
        (debug("title: \"\""), "spec.skills[0].title: 0 characters: must be 1 to 80 characters"),
        (debug(&format!("title: {}", "t".repeat(81))), "spec.skills[0].title: 81 characters"),
        (
            debug(&format!("whenToUse: {}", "w".repeat(501))),
            "spec.skills[0].whenToUse: 501 characters: must be 1 to 500",
        ),
        (debug("attach: [{argument: contents}]"), nothing),
        (debug("attach: [{argument: contents, fromGit: Named, fromLastLines: 3}]"), nothing),
        (
            debug("attach: [{argument: content, fromFilesIn: files}]"),
            "spec.skills[0].attach[0].argument: content: is no argument of the skill's inputSchema",
        ),
        (
            debug("attach: [{argument: contents, fromFilesIn: file}]"),
            "spec.skills[0].attach[0].fromFilesIn: file: is no argument of the skill's inputSchema",
        ),
        (
            debug("attach: [{argument: files, fromFilesIn: files}]"),
            "spec.skills[0].attach[0].fromFilesIn: files: must be another argument",
        ),
        (
            debug("attach: [{argument: context, fromLastLines: 9}, {argument: context, fromGit: Named}]"),
            "spec.skills[0].attach[1].argument: context: is already filled by an entry above",
        ),
        (
            debug("attach: [{argument: context, fromFilesIn: files}]"),
            "spec.skills[0].attach[0].argument: context: must have type: object in the skill's inputSchema",
        ),
        (
            debug("attach: [{argument: contents, fromFilesIn: context}]"),
            "spec.skills[0].attach[0].fromFilesIn: context: must have type: array in the skill's inputSchema",
        ),
        (
            debug("attach: [{argument: files, fromGit: Named}]"),
            "spec.skills[0].attach[0].argument: files: must have type: string in the skill's inputSchema",
        ),
        (
            debug("attach: [{argument: context, fromLastLines: 0}]"),
            "spec.skills[0].attach[0].fromLastLines: 0: must be from",
        ),
    ]);
}

#[test]
fn a_built_in_skill_with_a_schema_of_the_users_fills_what_that_declares() {
    let schema = "inputSchema: {type: object, properties: {error_output: {type: string}, contents: {type: object}}}";
    let table = with(&format!("  skills: [{{name: debug, {schema}}}]")).expect("compiles");
    let filled: Vec<&str> = table.skills["debug"].attach.iter().map(|one| one.argument.as_str()).collect();
    assert_eq!(filled, ["error_output"], "contents are filled from files, which it does not have");
}

#[test]
fn a_skill_without_a_title_has_one_made_of_its_name() {
    let own =
        "{name: release-notes_2, description: d, inputSchema: {type: object}, stages: [{system: {text: s}, user: u}]}";
    let table = with(&format!("  skills: [{{name: debug, attach: [{{argument: context, fromGit: Named}}]}}, {own}]"))
        .expect("compiles");
    let (debug, own) = (&table.skills["debug"], &table.skills["release-notes_2"]);
    assert_eq!((own.title.as_str(), &own.when_to_use, own.attach.len()), ("Release notes 2", &None, 0));
    assert!(debug.title.contains("second opinion") && debug.when_to_use.is_some(), "those of the built-in skill");
    assert_eq!(debug.attach.iter().map(|one| one.from_git).collect::<Vec<_>>(), [Some(FromGit::Named)]);
}
