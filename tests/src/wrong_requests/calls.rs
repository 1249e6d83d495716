//! Calls of tools that do not exist, or with arguments that do not fit.

use serde_json::{Map, Value, json};

use super::{CANARY, INVALID_PARAMS, Wrong};

/// Levels of an argument that can be read, and does not fit.
const LEVELS: usize = 100;
/// Arguments beyond what a call may have.
const MANY: usize = 25_000;

/// A tool, and how it is called.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    name: &'static str,
    /// Right arguments, in JSON.
    arguments: &'static str,
    /// One of them, which is a text.
    text: &'static str,
    /// How a refusal names that one.
    named: &'static str,
}

impl Tool {
    /// Of the data plane. A text that reads in two directions is a right one.
    pub const DEBUG: Self = Self {
        name: "debug",
        arguments: r#"{"project_root":"/tmp","problem":"if access \u202e}\u2066 level != \"user\" {"}"#,
        text: "problem",
        named: "argument problem",
    };
    /// Of the brain, which stores this and concludes nothing from it.
    pub const SESSION_LOG: Self = Self {
        name: "session_log",
        arguments: r#"{"skill":"debug","final_status":"skip","message":"nothing \u202e}\u2066 was tried"}"#,
        text: "message",
        named: "argument message",
    };

    /// The message of a right call.
    #[must_use]
    pub fn message(&self) -> String {
        call(self.name, &self.right_arguments())
    }

    /// The bytes of a right call, for a connection that is kept.
    #[must_use]
    pub fn right(&self) -> String {
        Wrong::post("a right call", self.message()).text()
    }

    fn right_arguments(&self) -> Value {
        serde_json::from_str(self.arguments).expect("it is written here")
    }

    /// Wrong calls, each of them once.
    #[must_use]
    pub fn wrong(&self) -> Vec<Wrong> {
        [unknown(), self.with_wrong_arguments()].concat()
    }

    fn with_wrong_arguments(&self) -> Vec<Wrong> {
        let wrong = |what, arguments: Value, named| Wrong {
            status: 200,
            id: json!("i"),
            code: None,
            named,
            ..Wrong::post(what, call(self.name, &arguments))
        };
        let with = |name: &str, value: Value| {
            let mut arguments = self.right_arguments();
            arguments[name] = value;
            arguments
        };
        let deep = (0..LEVELS).fold(json!("x"), |inner, _| json!([inner]));
        let many: Map<String, Value> = (0..MANY).map(|i| (format!("a{i}"), json!(1))).collect();
        let nul = json!(format!("{CANARY}\0"));
        vec![
            wrong("no arguments", json!({}), "is a required property"),
            wrong("a number for a text", with(self.text, json!(4711)), self.named),
            wrong("a deep list for a text", with(self.text, deep), self.named),
            wrong("a text with U+0000", with(self.text, nul), "contains the character U+0000"),
            wrong("a text that is too long", with(self.text, json!(CANARY.repeat(100_000))), self.named),
            wrong("an argument that does not exist", with("porblem", json!(CANARY)), "porblem"),
            wrong("25,000 arguments", Value::Object(many), "values; send fewer"),
        ]
    }
}

fn call(name: &str, arguments: &Value) -> String {
    let params = json!({"name": name, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": "i", "method": "tools/call", "params": params}).to_string()
}

/// Their names are shown so that they can forge nothing.
fn unknown() -> Vec<Wrong> {
    let wrong = |what, name: &str, named| Wrong {
        status: 200,
        id: json!("i"),
        code: Some(INVALID_PARAMS),
        named,
        ..Wrong::post(what, call(name, &json!({})))
    };
    vec![
        wrong("an unknown tool", "no_such_tool", "unknown tool: no_such_tool; available: "),
        wrong("a path in place of a tool", "../../etc/passwd", "unknown tool: ../../etc/passwd; available: "),
        wrong("a name that deceives", "a\u{1b}[31m\nb\u{202e}\0", r"unknown tool: a\u{1b}[31m\u{a}b\u{202e}\u{0}; "),
    ]
}
