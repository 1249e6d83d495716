//! Logs: `RUST_LOG` says which, `ROUTING_LOG_FORMAT=json` in which form.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// kube logs failed requests as well, and those are logged here with what they were for.
const DEFAULT_FILTER: &str = "info,kube_client=off,kube_runtime=error,kube_lease_manager=error";

/// Starts logging to standard error.
///
/// # Errors
/// A line for each variable that cannot be used, with its value and what is allowed.
pub fn start() -> Result<(), Vec<String>> {
    let set = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let filter_text = set("RUST_LOG").unwrap_or_else(|| DEFAULT_FILTER.into());
    let filter = EnvFilter::try_new(&filter_text).map_err(|e| format!("RUST_LOG: {filter_text}: {e}"));
    let json = match set("ROUTING_LOG_FORMAT").as_deref() {
        None | Some("text") => Ok(false),
        Some("json") => Ok(true),
        Some(other) => Err(format!("ROUTING_LOG_FORMAT: {other}: must be text or json")),
    };
    let (filter, json) = match (filter, json) {
        (Ok(filter), Ok(json)) => (filter, json),
        (filter, json) => return Err(filter.err().into_iter().chain(json.err()).collect()),
    };
    let logs = fmt::layer().with_writer(std::io::stderr);
    let logs = if json {
        logs.json().flatten_event(true).boxed()
    } else {
        logs.with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    tracing_subscriber::registry().with(filter).with(logs).init();
    Ok(())
}
