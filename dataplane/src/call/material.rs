//! What fills a call's prompts in addition to its arguments: files and the session's entries. They are read only for
//! skills whose templates use them; if they cannot be read, the call still continues.

use std::{sync::Arc, time::Duration};

use crds::template::FileMaterial;
use serde_json::Value;

use tokio::sync::Semaphore;

use super::Call;
use crate::workspace::unreadable;

/// Longest time to read a call's files.
const FILES_TIMEOUT: Duration = Duration::from_secs(10);
/// Calls whose files are read at a time. A read that a disk never answers has its place for ever, so that such a disk takes no
/// more threads than these: names, checks and new policies need some, too.
static READS: Semaphore = Semaphore::const_new(32);

#[derive(Default)]
pub(super) struct Material {
    pub(super) files: Vec<FileMaterial>,
    pub(super) session: Vec<Value>,
}

impl Material {
    pub(super) async fn gather(call: &Call) -> Self {
        let uses = |variable| call.skill.stages.iter().any(|stage| stage.user.uses(variable));
        let files = if uses("files") { files(call).await } else { vec![] };
        let session = if uses("session") { session(call).await } else { vec![] };
        Self { files, session }
    }
}

async fn files(call: &Call) -> Vec<FileMaterial> {
    let project_root = call.arguments.get("project_root").and_then(Value::as_str).unwrap_or_default().to_string();
    let named = call.arguments.get("files").and_then(Value::as_array).into_iter().flatten();
    let named: Vec<String> = named.filter_map(|path| path.as_str().map(str::to_string)).collect();
    if named.is_empty() {
        return vec![];
    }
    let data_plane = Arc::clone(&call.data_plane);
    let paths = named.clone();
    let read = async {
        // Never closed, so there is always a place at last.
        let place = READS.acquire().await.ok()?;
        let reading = tokio::task::spawn_blocking(move || {
            let read = data_plane.workspace.read(&project_root, &paths);
            drop(place);
            read
        });
        reading.await.ok()
    };
    match tokio::time::timeout(FILES_TIMEOUT, read).await {
        Ok(Some(files)) => files,
        // A workspace may be on a disk that hangs.
        _ => named.iter().map(|path| unreadable(path, "it could not be read in time".into())).collect(),
    }
}

async fn session(call: &Call) -> Vec<Value> {
    let (Some(brain), Some(session)) = (&call.active.brain, call.session()) else { return vec![] };
    match brain.session(session).await {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(%error, "the brain gave no entries of the caller's session");
            vec![]
        }
    }
}
