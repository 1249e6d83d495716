//! The brain: stores the outcomes of skill calls and provides pass rates.
//!
//! ```text
//! POST /mcp session_log ─▶ entry (limits) ─▶ store/writer (one commit for many) ─▶ entries + outcome_counts
//! GET /pass-rate?skill=…&window=7d ─▶ store: pass / (pass + fail) in the window
//! GET /sessions/{id} ─▶ store: the session's entries
//! ```
//!
//! `transport` is the MCP endpoint over HTTP. The data plane serves its skills with it, too.

#![forbid(unsafe_code)]

pub mod bearer;
pub mod entry;
pub mod http;
mod mcp;
pub mod settings;
pub mod store;
pub mod transport;
