use std::{fs, process::Command};

use serde_json::json;

use super::*;

fn code_review() -> Vec<Attach> {
    serde_json::from_value(json!([
        {"argument": "contents", "fromFilesIn": "files"},
        {"argument": "diff", "fromGit": "WorkingTree"},
        {"argument": "error_output", "fromLastLines": 2},
    ]))
    .expect("entries")
}

async fn filled(folder: &std::path::Path, arguments: Value) -> Result<(Value, Vec<String>), String> {
    let project = Project::new(vec![folder.to_path_buf()]);
    let Value::Object(arguments) = arguments else { panic!("an object") };
    fill(&project, &code_review(), arguments).await.map(|filled| (json!(filled.arguments), filled.notes))
}

/// A project with a change, a log and things that are not sent.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).expect("written");
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=t", "-c", "user.email=t@t.example", "-c", "commit.gpgsign=false"];
        assert!(
            Command::new("git").arg("-C").arg(folder.path()).args(who).args(arguments).status().expect("git").success()
        );
    };
    git(&["init", "--quiet"]);
    write("a.rs", b"old\n");
    write(".gitignore", b"*.log\nbuilt\n");
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "first"]);
    write("a.rs", b"new\n");
    write("out.txt", b"1\n2\n3\n");
    write("built", b"CANARY\n");
    write(".env", b"TOKEN=CANARY\n");
    write("image.png", &[0x89, b'P', 0xff]);
    folder
}

#[tokio::test]
async fn what_is_named_is_read_and_what_is_not_sent_is_said() {
    let it = project();
    let named = json!({"files": ["a.rs", ".env", "built", "image.png", "none.rs", "../x", "/etc/passwd", "a\nb"]});
    let (arguments, notes) = filled(it.path(), named).await.expect("filled");
    assert_eq!((&arguments["contents"], &arguments["files"]), (&json!({"a.rs": "new\n"}), &json!(["a.rs"])));
    assert_eq!(arguments.get("diff"), None, "files were named");
    assert_eq!(
        notes,
        [
            "left out: .env (it looks like a secret)",
            "left out: built (Git ignores it)",
            "left out: image.png (it is not UTF-8 text)",
            "left out: none.rs (there is no such file)",
            "left out: ../x (the path contains ..)",
            "left out: /etc/passwd (it is outside of the project)",
            "left out: a\\u{a}b (the path is empty, too long, or has control characters)",
        ]
    );
}

#[tokio::test]
async fn a_text_that_was_written_out_stays() {
    let it = project();
    let text = "--- a\n+++ b\n";
    let written = json!({"files": ["a.rs"], "contents": {"a.rs": "mine"}, "diff": text, "error_output": "it fails"});
    assert_eq!(filled(it.path(), written.clone()).await, Ok((written, vec![])));
}

#[tokio::test]
async fn a_diff_is_of_what_is_named_and_without_any_material_of_what_is_not_committed() {
    let it = project();
    for arguments in [json!({"files": []}), json!({"diff": "HEAD"}), json!({"diff": "working_tree", "files": ["a.rs"]})]
    {
        let (filled, _) = filled(it.path(), arguments.clone()).await.expect("filled");
        assert!(filled["diff"].as_str().is_some_and(|diff| diff.contains("-old\n+new\n")), "{arguments}: {filled}");
    }
    let (of_tree, _) = filled(it.path(), json!({})).await.expect("filled");
    assert_eq!(of_tree["contents"], json!({"out.txt": "1\n2\n3\n"}), "new files are no part of a diff");
    let unknown = filled(it.path(), json!({"diff": "no-such"})).await.expect_err("no revision");
    assert!(unknown.starts_with("argument diff: no-such: is no revision"), "{unknown}");
    let empty = tempfile::tempdir().expect("a folder");
    let asked = json!({"problem": "x"});
    let note = "no diff: the project is no Git repository".to_string();
    assert_eq!(filled(empty.path(), asked.clone()).await, Ok((asked, vec![note])), "nobody asked for a diff");
    let named = filled(empty.path(), json!({"diff": "HEAD"})).await.expect_err("no repository");
    assert_eq!(named, "argument diff: the project is no Git repository");
}

#[tokio::test]
async fn the_end_of_a_file_takes_the_place_of_its_name() {
    let it = project();
    let (read, _) = filled(it.path(), json!({"error_output": "out.txt", "files": ["a.rs"]})).await.expect("filled");
    assert_eq!(read["error_output"], "2\n3\n");
    let (kept, notes) = filled(it.path(), json!({"error_output": ".env", "files": ["a.rs"]})).await.expect("filled");
    assert_eq!((kept.get("error_output"), notes.len()), (None, 1));
    let (message, notes) = filled(it.path(), json!({"error_output": "error: no such file"})).await.expect("filled");
    assert_eq!((&message["error_output"], notes.len()), (&json!("error: no such file"), 0));
}

#[tokio::test]
async fn links_and_pipes_lead_nowhere() {
    let it = project();
    let link = |name: &str, to: &str| std::os::unix::fs::symlink(to, it.path().join(name)).expect("a link");
    link("harmless.txt", ".env");
    link("out", "/etc/passwd");
    link("inside.rs", "a.rs");
    assert!(Command::new("mkfifo").arg(it.path().join("pipe")).status().expect("mkfifo").success());
    let (arguments, notes) =
        filled(it.path(), json!({"files": ["harmless.txt", "out", "inside.rs", "pipe", "."]})).await.expect("filled");
    assert_eq!(arguments["contents"], json!({"inside.rs": "new\n"}));
    assert_eq!(notes.len(), 4, "{notes:?}");
    assert!(!json!([arguments, notes]).to_string().contains("CANARY"));
}

#[tokio::test]
async fn a_call_without_any_material_is_refused_with_what_to_name() {
    let it = project();
    for (arguments, why) in [
        (json!({"files": ["none.rs", ".env"]}), "left out: none.rs (there is no such file); left out: .env"),
        (json!({"error_output": ".env", "problem": "x"}), "left out: .env"),
        (json!({"diff": "HEAD..HEAD"}), "nothing has changed"),
    ] {
        let refused = filled(it.path(), arguments.clone()).await.expect_err("no material");
        assert!(
            refused.starts_with("there is no material to send; name files that exist, or a revision ("),
            "{refused}"
        );
        assert!(refused.contains(why), "{arguments}: {refused}");
    }
    let empty = tempfile::tempdir().expect("a folder");
    let nothing = filled(empty.path(), json!({"project_root": empty.path()})).await.expect_err("nothing");
    assert!(nothing.ends_with("(no diff: the project is no Git repository)"), "{nothing}");
    for text in ["fix the bug", "--output=/tmp/x", "HEAD:.env"] {
        let refused = filled(it.path(), json!({"diff": text})).await.expect_err("no diff");
        assert!(refused.starts_with(&format!("argument diff: {text}: is neither a diff nor a revision")), "{refused}");
    }
}

#[tokio::test]
async fn what_was_read_is_said() {
    let it = project();
    let project = Project::new(vec![it.path().to_path_buf()]);
    let Value::Object(arguments) = json!({"files": ["a.rs"], "diff": "HEAD", "error_output": "out.txt"}) else {
        panic!()
    };
    let read = fill(&project, &code_review(), arguments).await.expect("filled").read;
    let read: Vec<(&str, &str)> = read.iter().map(|(name, what)| (name.as_str(), what.as_str())).collect();
    let [contents, ("diff", diff), end] = read[..] else { panic!("{read:?}") };
    assert_eq!((contents, end), (("contents", "a.rs"), ("error_output", "the end of out.txt (4 bytes)")));
    assert!(diff.starts_with("git diff HEAD (") && diff.ends_with(" bytes)"), "{diff}");
    let missing = filled(it.path(), json!({"error_output": "missing.log", "files": ["a.rs"]})).await.expect("filled");
    assert_eq!(missing.1, ["error_output is passed as it is: this project has no file missing.log"]);
}

#[tokio::test]
async fn a_link_to_what_is_left_out_or_elsewhere_is_no_way_around() {
    let (it, outside) = (project(), project());
    std::os::unix::fs::symlink("built", it.path().join("readme.txt")).expect("a link");
    std::os::unix::fs::symlink(outside.path(), it.path().join("link")).expect("a link");
    let (_, notes) = filled(it.path(), json!({"files": ["readme.txt", "a.rs"]})).await.expect("filled");
    assert_eq!(notes, ["left out: readme.txt (Git ignores it)"]);
    let elsewhere = json!({"project_root": it.path().join("link"), "files": ["a.rs"]});
    fs::write(outside.path().join("a.rs"), "CANARY\n").expect("written");
    let (arguments, _) = filled(it.path(), elsewhere).await.expect("filled");
    assert_eq!(arguments["contents"], json!({"a.rs": "new\n"}), "of the root itself");
}
