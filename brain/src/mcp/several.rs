//! Several records of decisions in one request: a data plane at work has a few every hundredth of a second. Records only:
//! nothing is read before they are written, so they can be written together.

use rmcp::model::{CallToolResult, JsonObject};
use serde_json::{Value, json};

use super::{answer, failed, is_retryable, retryable, said};
use crate::{
    entry::{Entry, RETRYABLE, SEVERAL_MOST},
    metrics::INVALID,
    store::Store,
};

/// The one argument.
const ENTRIES: &str = "entries";

/// Logs the records in the argument `entries`, in their order, each as if it had come alone.
pub(super) async fn log(store: &Store, mut arguments: JsonObject) -> CallToolResult {
    let entries = match arguments.remove(ENTRIES) {
        Some(Value::Array(entries)) if (1..=SEVERAL_MOST).contains(&entries.len()) => entries,
        _ => {
            return failed(&format!(
                "nothing was logged: argument {ENTRIES}: must be a list of 1 to {SEVERAL_MOST} entries"
            ));
        }
    };
    let (mut good, mut wrong) = (vec![], vec![]);
    for entry in entries {
        match record(entry) {
            Ok(entry) => {
                good.push(entry);
                wrong.push(None);
            }
            Err(error) => wrong.push(Some(error)),
        }
    }
    let mut written = match store.append_all(good).await {
        Ok(written) => written.into_iter(),
        Err(error) => return retryable(failed(&said(&error))),
    };
    let logged: Vec<Value> = wrong
        .into_iter()
        .filter_map(|wrong| match wrong {
            Some(error) => {
                store.metrics().entry(INVALID);
                Some(json!({"error": format!("nothing was logged: {error}")}))
            }
            // There is one for each that is good.
            None => written.next().map(|written| match written {
                Ok(id) => json!({"id": id}),
                Err(error) => json!({"error": said(&error), RETRYABLE: is_retryable(&error)}),
            }),
        })
        .collect();
    let done = logged.iter().filter(|logged| logged.get("id").is_some()).count();
    answer(format!("logged: {done} of {}", logged.len()), logged.into())
}

fn record(entry: Value) -> Result<Entry, String> {
    let Value::Object(arguments) = entry else { return Err("an entry is no object".into()) };
    let entry = Entry::from_arguments(arguments).map_err(|errors| crds::shown::printable(&errors.join("; "), 1000))?;
    if entry.decision.is_some() { Ok(entry) } else { Err("argument decision: is missing; report others alone".into()) }
}
