//! The brain: stores the outcomes of skill calls and provides pass rates.
//!
//! ```text
//! POST /mcp session_log ─▶ entry (limits) ─▶ store/writer (one commit for many) ─▶ entries + outcome_counts
//! GET /pass-rate?skill=…&window=7d ─▶ store: pass / (pass + fail) in the window
//! GET /sessions/{id} ─▶ store: the session's entries, its decisions and their outcomes
//! ```

#![forbid(unsafe_code)]

pub mod entry;
pub mod http;
mod mcp;
pub mod settings;
pub mod store;
