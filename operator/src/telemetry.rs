//! Logs: `RUST_LOG` filters them, `ROUTING_LOG_FORMAT` is their format, `text` or `json`.

use std::io::IsTerminal;

use crds::{pod::variable, variables::Variables};
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Without most of kube's lines: it logs failed requests, too, but the operator's own lines name their purpose.
const DEFAULT_FILTER: &str = "info,kube_client=off,kube_runtime=error,kube_lease_manager=error";

/// Variable with the filter of log lines, in the syntax of tracing's `EnvFilter`.
const FILTER: &str = "RUST_LOG";

/// Starts logging to standard error.
///
/// # Errors
/// A line for each variable that cannot be used, with its value and what is allowed.
pub fn start() -> Result<(), Vec<String>> {
    let set = [FILTER, variable::LOG_FORMAT].into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?)));
    let variables: Variables = set.collect();
    let filter_text = variables.get(FILTER).unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(filter_text).map_err(|e| format!("RUST_LOG: {filter_text}: {e}"));
    let json = match variables.get(variable::LOG_FORMAT) {
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
