//! What the events of a Claude Code session lead to: a line for its user, a verdict for the brain, or nothing.
//!
//! ```text
//! event ─▶ wanted (what to ask) ─▶ facts ─▶ plan (new state, reports, what to say) ─▶ reports sent ─▶ conclude ─▶ answer
//! ```
//!
//! No I/O: `cli::hook` reads and writes. Nothing here keeps a prompt, an argument or an answer: only ids, names of skills,
//! verdicts, and hashes of test commands.

mod answer;
mod event;
mod facts;
mod line;
mod plan;
mod question;
mod rating;
mod revert;
mod state;
mod test_command;

pub use self::{
    answer::HookAnswer,
    event::{Event, Input},
    facts::{Facts, Wanted, wanted},
    plan::{Report, conclude, last_decision, plan},
    state::State,
};

#[cfg(test)]
mod tests;
