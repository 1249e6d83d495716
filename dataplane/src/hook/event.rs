//! The input of a hook, as far as it matters.

use serde_json::Value;

use super::{
    question,
    rating::{self, Spoken},
    revert, test_command,
};

/// Longest id, in characters.
const ID_MAX: usize = 256;
/// Longest name of a skill, in characters.
const SKILL_MAX: usize = 48;
/// What Claude Code says instead of an answer when a call goes on in the background.
const IN_BACKGROUND: &str = "moved to the background";
/// How the error of a command begins that ended by itself.
const EXIT_CODE: &str = "Exit code ";
/// Codes that say nothing of tests: not executable, not found, interrupted, killed, terminated.
const NOT_OF_TESTS: [u32; 5] = [126, 127, 130, 137, 143];

/// A call of one of our tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Claude Code's id of it.
    pub id: String,
    pub skill: String,
    /// It goes on in the background: there is no answer yet.
    pub in_background: bool,
}

/// What happened in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Started,
    /// The user spoke to us.
    Spoken(Spoken),
    /// The user wrote something else.
    Prompt,
    Answered(Call),
    Failed,
    /// A test command ended; its hash, and whether it was green.
    Tested(String, bool),
    /// Commits may have been reverted.
    MayHaveReverted,
    /// The model wants to end its turn; `told` is its word on the skill, if it was asked.
    Stopped {
        again: bool,
        told: Option<question::Told>,
    },
    Ended,
    Other,
}

/// An event with its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    pub session: String,
    /// Where Claude Code works.
    pub folder: String,
    pub event: Event,
}

impl Input {
    /// Reads the input of a hook; none: it has no session.
    pub fn read(input: &Value) -> Option<Self> {
        let session = text(input, "session_id").filter(|id| !id.is_empty())?;
        let folder = text(input, "cwd").unwrap_or_default();
        Some(Self { session: session.into(), folder: folder.into(), event: event(input, folder_of(input)) })
    }
}

fn folder_of(input: &Value) -> &str {
    text(input, "cwd").unwrap_or_default()
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn event(input: &Value, folder: &str) -> Event {
    match text(input, "hook_event_name").unwrap_or_default() {
        "SessionStart" => Event::Started,
        "SessionEnd" => Event::Ended,
        "UserPromptSubmit" => {
            rating::read(text(input, "prompt").unwrap_or_default()).map_or(Event::Prompt, Event::Spoken)
        }
        "PostToolUse" => after_tool(input, folder, true),
        "PostToolUseFailure" => after_tool(input, folder, false),
        "Stop" => Event::Stopped {
            again: input.get("stop_hook_active") == Some(&Value::Bool(true)),
            told: question::read(text(input, "last_assistant_message").unwrap_or_default()),
        },
        _ => Event::Other,
    }
}

fn after_tool(input: &Value, folder: &str, worked: bool) -> Event {
    let tool = text(input, "tool_name").unwrap_or_default();
    match (skill(tool), worked) {
        (Some(_), false) => Event::Failed,
        (Some(skill), true) => answered(input, skill).map_or(Event::Other, Event::Answered),
        (None, _) if tool == "Bash" => ran(input, folder, worked),
        (None, _) => Event::Other,
    }
}

/// The skill of one of our tools: `mcp__routing__SKILL`, in a plugin `mcp__plugin_routing_routing__SKILL`.
fn skill(tool: &str) -> Option<&str> {
    let (server, skill) = tool.strip_prefix("mcp__")?.split_once("__")?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let is_skill = (1..=SKILL_MAX).contains(&skill.len()) && skill.chars().all(plain);
    (server.contains("routing") && is_skill).then_some(skill)
}

fn answered(input: &Value, skill: &str) -> Option<Call> {
    let id = text(input, "tool_use_id").filter(|id| (1..=ID_MAX).contains(&id.chars().count()))?;
    let notice = input.get("tool_response").map(Value::to_string).unwrap_or_default();
    Some(Call { id: id.into(), skill: skill.into(), in_background: notice.contains(IN_BACKGROUND) })
}

/// A command that goes on in the background, or was interrupted, says nothing.
fn ran(input: &Value, folder: &str, worked: bool) -> Event {
    let command = input.pointer("/tool_input/command").and_then(Value::as_str).unwrap_or_default();
    let is =
        |pointer: &str| input.pointer(pointer).is_some_and(|value| *value != Value::Bool(false) && !value.is_null());
    let green = if worked {
        let open = ["/tool_input/run_in_background", "/tool_response/interrupted", "/tool_response/backgroundTaskId"];
        (!open.into_iter().any(is)).then_some(true)
    } else {
        exit_code(text(input, "error").unwrap_or_default()).filter(|code| !NOT_OF_TESTS.contains(code)).map(|_| false)
    };
    match (green, test_command::hash(command, folder)) {
        (Some(green), Some(hash)) => Event::Tested(hash, green),
        (Some(true), None) if revert::may_revert(command) => Event::MayHaveReverted,
        _ => Event::Other,
    }
}

fn exit_code(error: &str) -> Option<u32> {
    error.strip_prefix(EXIT_CODE)?.lines().next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(input: Value) -> Event {
        let mut input = input;
        (input["session_id"], input["cwd"]) = (json!("s"), json!("/p"));
        Input::read(&input).expect("an event").event
    }

    fn bash(name: &str, command: &str, more: Value) -> Event {
        let mut input = json!({"hook_event_name": name, "tool_name": "Bash", "tool_input": {"command": command}});
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        read(input)
    }

    #[test]
    fn tools_of_ours_are_known_by_their_names_and_others_are_not() {
        for (tool, expected) in [
            ("mcp__routing__debug", Some("debug")),
            ("mcp__plugin_routing_routing__own__skill", Some("own__skill")),
            ("mcp__brain__session_log", None),
            ("mcp__routing__", None),
            ("mcp__routing__Not a skill", None),
            ("Bash", None),
        ] {
            assert_eq!(skill(tool), expected, "{tool}");
        }
    }

    #[test]
    fn a_call_has_its_id_and_one_in_the_background_is_known_by_its_notice() {
        let used = |response: Value| {
            read(json!({"hook_event_name": "PostToolUse", "tool_name": "mcp__routing__debug", "tool_use_id": "t",
                "tool_response": response}))
        };
        let call = |in_background| Event::Answered(Call { id: "t".into(), skill: "debug".into(), in_background });
        assert_eq!(used(json!([{"type": "text", "text": "because"}])), call(false));
        assert_eq!(used(json!("The call was moved to the background.")), call(true));
        let failed = json!({"hook_event_name": "PostToolUseFailure", "tool_name": "mcp__routing__debug"});
        assert_eq!(read(failed), Event::Failed);
    }

    #[test]
    fn only_a_test_command_that_ended_by_itself_is_red_or_green() {
        let tested =
            |green| test_command::hash("cargo test", "/p").map(|hash| Event::Tested(hash, green)).expect("one");
        assert_eq!(bash("PostToolUse", "cargo test", json!({"tool_response": {"interrupted": false}})), tested(true));
        assert_eq!(bash("PostToolUseFailure", "cargo test", json!({"error": "Exit code 101\nfailed"})), tested(false));
        for more in
            [json!({"tool_response": {"interrupted": true}}), json!({"tool_response": {"backgroundTaskId": "b"}})]
        {
            assert_eq!(bash("PostToolUse", "cargo test", more.clone()), Event::Other, "{more}");
        }
        for error in ["Exit code 127\nnot found", "Exit code 130", "The user interrupted", "Command timed out"] {
            assert_eq!(bash("PostToolUseFailure", "cargo test", json!({"error": error})), Event::Other, "{error}");
        }
        assert_eq!(bash("PostToolUse", "git revert HEAD", json!({})), Event::MayHaveReverted);
        assert_eq!(bash("PostToolUseFailure", "git revert HEAD", json!({"error": "Exit code 1"})), Event::Other);
    }
}
