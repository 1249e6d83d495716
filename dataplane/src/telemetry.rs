//! Logs: `RUST_LOG` selects the lines, `ROUTING_LOG_FORMAT` their format, `text` or `json`.

mod paced;

use std::{
    io::IsTerminal,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, Layer, filter::filter_fn, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use self::paced::Paced;

const DEFAULT_FILTER: &str = "info";
/// Lines that are buffered while standard error is not read; further ones are dropped.
const LINES_BUFFERED: usize = 10_000;

static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();
static LOST: AtomicU64 = AtomicU64::new(0);

/// Lines that were dropped because standard error was not read, or could not be written.
pub fn dropped_lines() -> u64 {
    DROPPED.get().map_or(0, |dropped| dropped.dropped_lines() as u64) + LOST.load(Ordering::Relaxed)
}

/// Starts logging to standard error.
///
/// # Errors
/// A line for each variable that cannot be used, with its value and what is allowed.
pub fn start(filter: Option<&str>, format: Option<&str>) -> Result<LogGuard, Vec<String>> {
    let filter_text = filter.unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(filter_text).map_err(|e| format!("RUST_LOG: {filter_text}: {e}"));
    let json = match format {
        None | Some("text") => Ok(false),
        Some("json") => Ok(true),
        Some(other) => Err(format!("ROUTING_LOG_FORMAT: {other}: must be text or json")),
    };
    let (filter, json) = match (filter, json) {
        (Ok(filter), Ok(json)) => (filter, json),
        (filter, json) => return Err(filter.err().into_iter().chain(json.err()).collect()),
    };
    // If nobody reads standard error, lines are lost, but no call waits.
    let writer = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_BUFFERED);
    let (writer, guard) = writer.finish(Paced::new(std::io::stderr(), &LOST));
    // Set once: a process has one log.
    let _ = DROPPED.set(writer.error_counter());
    let logs = fmt::layer().with_writer(writer);
    let logs = if json {
        logs.json().flatten_event(true).boxed()
    } else {
        logs.with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    tracing_subscriber::registry().with(filter).with(logs.with_filter(filter_fn(may_be_logged))).init();
    std::panic::set_hook(Box::new(|panic| log_panic(panic.location())));
    Ok(LogGuard { _worker: guard })
}

/// Logs where a panic happened. Its text is left out: it can quote a prompt, for example when a slice fails.
fn log_panic(place: Option<&std::panic::Location<'_>>) {
    let place = place.map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "panic: this is a defect; please report it with this place");
}

/// Writes what is buffered when dropped.
pub struct LogGuard {
    _worker: WorkerGuard,
}

/// Applies whatever `RUST_LOG` selects: below WARN, rmcp logs requests with their arguments, which are prompts. Its
/// `service` module also logs an error for each caller that disconnects.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    !target.starts_with("rmcp") || (*metadata.level() <= Level::WARN && !target.starts_with("rmcp::service"))
}
