//! The data plane: serves MCP skills and routes each call to a local model or to Claude by the skill's measured pass
//! rate.
//!
//! ```text
//! http ─▶ mcp (access, arguments) ─▶ call ─▶ rendering ─▶ evidence ─▶ decide ─▶ upstream ─▶ answer
//!                                      │        ▲ brain_client        │
//!                                      └──────▶ decision_log ◀────────┘
//! config (file or environment, hot reload) ─▶ read by all of them; admin, metrics ─▶ report what runs
//!
//! connect (beside a project) ─▶ http, of a data plane elsewhere
//! ```
//!
//! `decide` and `deadline` do no I/O; `cli` wires the commands. `decide` is public for the replay of recorded outcomes
//! (`benches/replay`), which measures the rule itself and not a copy of it, and with `decision` for `benches/micro`;
//! `received` and `routes` are public for `fuzz`.

#![forbid(unsafe_code)]

mod admin;
mod bounded_file;
mod brain_client;
mod call;
pub mod cli;
mod client_context;
mod clock;
mod config;
mod connect;
mod core_dumps;
mod data_plane;
mod deadline;
pub mod decide;
pub mod decision;
mod decision_log;
mod demo;
mod evidence;
mod grading;
mod hook;
mod http;
mod http_client;
mod mcp;
mod mcp_json;
mod metrics;
mod mode;
mod otlp;
pub mod received;
mod rendering;
mod repeats;
mod review;
pub mod routes;
mod savings;
mod secrets;
mod server;
mod settings;
mod shutdown;
mod skill_report;
mod still;
mod telemetry;
mod traces;
mod upstream;
mod verdict;
mod workspace;
