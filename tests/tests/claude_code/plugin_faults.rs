//! What is missing, away or too old is one line, and the session goes on; what is private stays in the session.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::json;
use tests::{
    checkout, ports,
    stand_in::messages::{DONE, Reply},
};

use super::{
    It, LAST,
    installed::{debug, path_with_the_program, remembered},
};

const QUIET: [(&str, &str); 1] = [("ask", "false")];

#[tokio::test]
async fn a_brain_that_is_away_is_one_line_and_the_session_goes_on() {
    let nobody = format!("http://127.0.0.1:{}", ports::free());
    let it = It::installed([debug(), debug(), Reply::text(LAST)], &[("brain_url", &nobody)]).await;
    let mut terminal = it.claude.terminal(&[]).await;
    terminal.type_line("please debug").await;
    terminal.until(LAST).await;
    let problem = format!("the brain at {nobody} is unreachable or too slow: start it (routing brain)");
    terminal.until(&format!("routing: {problem}")).await;
    terminal.type_line("+1").await;
    terminal.until(&format!("not reported: {problem}")).await;
    let shown: String = terminal.screen().split_whitespace().collect();
    assert_eq!(shown.matches("Untilthennoline").count(), 1, "once: {shown}");
    assert_eq!(it.model.requests().len(), 3, "and the model is not asked");
    it.model.say([Reply::text("I go on.")]);
    terminal.type_line("go on").await;
    terminal.until("I go on.").await;
}

fn script(file: &Path, text: &str) {
    fs::write(file, text).expect("written");
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("set");
}

#[tokio::test]
async fn without_the_program_or_with_an_old_one_the_skills_work_and_one_line_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    // As clap refuses a command that it does not know; a hook that ends with 2 blocks what it was asked about.
    script(&folder.path().join("routing"), "#!/bin/sh\necho 'unrecognized subcommand' >&2\nexit 2\n");
    let old = format!("{}:/usr/bin:/bin", folder.path().display());
    for (path, line) in [
        ("/usr/bin:/bin", "routing: the program routing is not in PATH, ~/.local/bin or ~/.cargo/bin."),
        (&*old, "is older than this plugin and has no hook command."),
    ] {
        let it = It::installed_with([debug(), Reply::text(LAST)], json!({}), &QUIET, path).await;
        let mut terminal = it.claude.terminal(&[]).await;
        terminal.until(line).await;
        terminal.type_line("please debug").await;
        terminal.until(LAST).await;
        assert_eq!(it.model.last().results()[0].texts[1], "answer of l");
        terminal.type_line("+1").await;
        terminal.until(DONE).await;
        assert_eq!(terminal.screen().matches("routing: the program").count(), 1, "{}", terminal.screen());
    }
}

/// The session keeps its server, and Claude Code takes the newer hooks at once: both work with what the other remembers.
#[tokio::test]
async fn an_update_while_a_session_runs_breaks_nothing_in_it() {
    let market = tempfile::tempdir().expect("a folder");
    for folder in [".claude-plugin", "plugin"] {
        let copied = Command::new("cp").arg("-r").arg(checkout().join(folder)).arg(market.path()).status();
        assert!(copied.expect("cp").success());
    }
    let path = path_with_the_program();
    let replies = [debug(), Reply::text(LAST)];
    let it = It::installed_from(market.path(), replies, json!({}), &QUIET, &path).await;
    let mut terminal = it.claude.terminal(&[]).await;
    terminal.type_line("please debug").await;
    terminal.until(LAST).await;
    let changed = |file: &str, from: &str, to: &str| {
        let file = market.path().join("plugin").join(file);
        let text = fs::read_to_string(&file).expect("text");
        assert!(text.contains(from), "{text}");
        fs::write(file, text.replacen(from, to, 1)).expect("written");
    };
    changed(".claude-plugin/plugin.json", "\"version\": \"0.1.0\"", "\"version\": \"9.9.9\"");
    changed("scripts/hook", "#!/bin/sh\n", "#!/bin/sh\ntouch \"$HOME/newer\"\n");
    let said = it.claude.update_plugin(market.path(), "routing").await;
    assert!(said.contains("from 0.1.0 to 9.9.9") && said.contains("Restart to apply"), "{said}");
    terminal.type_line("-1").await;
    terminal.until("reported: fail (human) for debug").await;
    it.model.say([debug(), Reply::text("And again.")]);
    terminal.type_line("once more").await;
    terminal.until("And again.").await;
    terminal.type_line("+1").await;
    terminal.until("reported: pass (human) for debug").await;
    assert_eq!(it.models.asked().len(), 2);
    assert!(it.claude.home().join("newer").exists(), "the newer hooks ran");
}

#[tokio::test]
async fn a_second_server_of_the_same_name_is_one_line() {
    let it = It::installed([], &QUIET).await;
    it.claude.mcp_http(&it.routing.mcp_url(), json!({}));
    let terminal = it.claude.terminal(&[]).await;
    terminal.until("routing: this project's .mcp.json has a server `routing`, too").await;
}

/// A project may come from anybody, and so may its servers.
#[tokio::test]
async fn the_plugin_gives_no_permission_for_a_server_of_the_projects_own_file() {
    let it = It::installed([super::debug("x"), Reply::text(LAST)], &QUIET).await;
    it.claude.mcp_http(&it.routing.mcp_url(), json!({}));
    it.claude.headless("please debug", &[]).await;
    let result = it.model.last().results().remove(0);
    assert!(result.is_error && result.text().contains("permission"), "{result:?}");
    assert_eq!(it.models.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_data_plane_that_is_away_is_reported_in_our_words() {
    let nobody = format!("http://127.0.0.1:{}/mcp", ports::free());
    let it = It::installed([debug(), Reply::text(LAST)], &[QUIET[0], ("url", &nobody)]).await;
    let run = it.claude.headless("please debug", &[]).await;
    assert_eq!(run.result(), LAST);
    // Claude Code leaves the address out.
    let ours = "routing cannot be reached at ";
    // On a busy machine the program gives up only after the first request.
    assert!(it.model.requests().iter().any(|request| request.text().contains(ours)), "the model is told, too");
    let listed = it.claude.run(&["mcp", "list"]).await.stdout;
    assert!(listed.contains("Failed to connect") && listed.contains(ours), "{listed}");
}

#[tokio::test]
async fn no_prompt_no_argument_and_no_answer_is_remembered_or_sent_by_a_hook() {
    let canaries = ["CANARY-PROMPT", "CANARY-ARGUMENT", "CANARY-ANSWER", "CANARY-WHY", "CANARY-COMMAND", "CANARY-WORD"];
    let call = json!({"project_root": "/tmp", "problem": canaries[1]});
    let tested = || Reply::bash(&format!("TOKEN={} make check", canaries[4]));
    let spec = json!({"models": {"local": {"name": format!("says:{}", canaries[2])}}});
    let script = [
        tested(),
        Reply::call("mcp__plugin_routing_routing__debug", call),
        Reply::bash("touch fixed"),
        tested(),
        // There is no such target: a test that stays red is remembered.
        Reply::bash(&format!("TOKEN={} make test", canaries[4])),
        Reply::text(&format!("{}\n{LAST}", canaries[5])),
    ];
    let it = It::installed_with(script, spec, &[], &path_with_the_program()).await;
    it.claude.project_file("Makefile", "check:\n\ttest -f fixed\n");
    let mut terminal = it.claude.terminal(&["--allowedTools", "Bash"]).await;
    terminal.type_line(canaries[0]).await;
    terminal.until(LAST).await;
    it.model.say([Reply::text("I see.")]);
    terminal.type_line(&format!("-1 because {}", canaries[3])).await;
    terminal.until("I see.").await;
    terminal.until("reported: fail (human) for debug").await;
    assert_eq!(it.verdicts().await, json!({"ci": "pass", "human": "fail"}));
    let kept = remembered(&it.claude);
    assert!(kept.contains("\"by\":\"human\"") && !kept.contains("\"red\":[],\"asked\""), "{kept}");
    assert!(!canaries.iter().any(|canary| kept.contains(canary)), "{kept}");
    assert!(it.models.received()[0].body.to_string().contains(canaries[1]), "the skill itself has it");
    let mut files = vec![it.brain.folder().to_path_buf()];
    while let Some(path) = files.pop() {
        match fs::read_dir(&path) {
            Ok(entries) => files.extend(entries.flatten().map(|entry| entry.path())),
            Err(_) => {
                let bytes = fs::read(&path).expect("a file");
                let text = String::from_utf8_lossy(&bytes);
                // The name of the model is part of a decision; here it holds the answer.
                let found =
                    canaries.iter().filter(|canary| **canary != canaries[2]).find(|canary| text.contains(*canary));
                assert_eq!(found, None, "{}", path.display());
            }
        }
    }
}
