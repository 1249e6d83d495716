//! The data plane: serves MCP skills and routes each call to a local model or to Claude by the skill's measured pass
//! rate.
//!
//! ```text
//! http ─▶ mcp (access, arguments) ─▶ call ─▶ evidence ─▶ decide ─▶ upstream ─▶ answer
//!                                      │        ▲ brain_client        │
//!                                      └──────▶ decision_log ◀────────┘
//! config (file or environment, hot reload) ─▶ read by all of them; admin, metrics ─▶ report what runs
//! ```
//!
//! `decide` and `deadline` do no I/O; `cli` wires the commands.

#![forbid(unsafe_code)]

pub mod admin;
pub mod brain_client;
pub mod call;
pub mod cli;
pub mod clock;
pub mod config;
pub mod data_plane;
pub mod deadline;
pub mod decide;
pub mod decision;
pub mod decision_log;
pub mod demo;
pub mod evidence;
pub mod http;
pub mod http_client;
pub mod mcp;
pub mod mcp_json;
pub mod metrics;
pub mod mode;
pub mod secrets;
pub mod server;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
pub mod upstream;
pub mod workspace;
