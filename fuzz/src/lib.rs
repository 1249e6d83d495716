//! What holds for every text that comes from outside. Each target is a function of bytes that panics if it does not hold:
//! `tests/corpus.rs` calls it with the files of `corpus`, and `make fuzz` with inputs that libFuzzer makes of them.
//!
//! A target calls the functions that the programs call, or a program itself. Where the data plane keeps such functions to
//! itself, it calls them through `dataplane::received` and `dataplane::routes`, which nothing else uses: they put together
//! what a program does between reading and writing, and decide nothing.

#![forbid(unsafe_code)]

mod answer_check;
mod arguments;
mod brain;
mod data_plane;
mod decide;
mod hook;
mod input;
mod mcp_body;
mod mcp_json;
mod model_answer;
mod pass_rate;
mod policy;
mod rendering;
mod secret;
mod served;
mod session_entry;
mod session_log;
mod template;
mod text;

/// One kind of input with what holds for it.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name of its folder in `corpus`.
    pub name: &'static str,
    /// Panics if something does not hold for this input.
    pub check: fn(&[u8]),
}

/// All targets, sorted by name.
pub const TARGETS: [Target; 15] = [
    Target { name: "answer_check", check: answer_check::check },
    Target { name: "arguments", check: arguments::check },
    Target { name: "brain", check: brain::check },
    Target { name: "decide", check: decide::check },
    Target { name: "hook", check: hook::check },
    Target { name: "mcp_body", check: mcp_body::check },
    Target { name: "mcp_json", check: mcp_json::check },
    Target { name: "model_answer", check: model_answer::check },
    Target { name: "pass_rate", check: pass_rate::check },
    Target { name: "policy", check: policy::check },
    Target { name: "rendering", check: rendering::check },
    Target { name: "secret", check: secret::check },
    Target { name: "session_entry", check: session_entry::check },
    Target { name: "session_log", check: session_log::check },
    Target { name: "template", check: template::check },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
