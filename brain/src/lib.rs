//! The brain: stores the outcomes of skill calls and provides pass rates.
//!
//! ```text
//! POST /mcp session_log ─▶ entry (limits), record ─▶ store/writer (one commit for many) ─▶ entries, decisions, outcomes
//!                                              which verdict counts: verdict  ─▶ counts ◀┘
//! GET /pass-rate?skill=…&window=7d ─▶ store/evidence: pass / (pass + fail) in the window, per model and source
//! GET /, /api/v1/… ─▶ http/page, http/api ─▶ store/recent, skill_state: what the page shows; store/review: kept answers
//! GET /metrics ─▶ metrics: counted in store/writer and http/metrics; store/figures
//! GET /sessions/{id} ─▶ store: the session's entries, its decisions and their outcomes
//! ```

#![forbid(unsafe_code)]

pub mod backup;
pub mod copy;
pub mod entry;
pub mod http;
pub mod judged;
mod mcp;
pub mod metrics;
mod outcome;
mod record;
pub mod report;
pub mod reporters;
pub mod settings;
pub mod skill_state;
mod spent;
pub mod store;
pub mod verdict;
