//! Logs: `RUST_LOG` says which, `ROUTING_LOG_FORMAT=json` in which form.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// rmcp logs every request at INFO, and each caller that goes away as an error.
const DEFAULT_FILTER: &str = "info,rmcp=warn,rmcp::service=off";

/// Starts logging to standard error.
///
/// # Errors
/// A variable that can not be used, with its value and what is allowed.
pub fn start(filter: Option<&str>, format: Option<&str>) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter.unwrap_or(DEFAULT_FILTER))
        .map_err(|e| format!("RUST_LOG: {}: {e}", filter.unwrap_or_default()))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        None | Some("text") => logs.with_ansi(std::io::stderr().is_terminal()).init(),
        Some("json") => logs.json().flatten_event(true).init(),
        Some(other) => return Err(format!("ROUTING_LOG_FORMAT: {other}: must be text or json")),
    }
    Ok(())
}
