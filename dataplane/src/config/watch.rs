//! Follows the policy and the secrets on disk.
//!
//! With file events a change takes effect at once; a check every few seconds catches what they miss: a folder created
//! later, a link whose target is elsewhere, a file system without events.

mod writers;

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(super) use self::writers::Writers;
use self::writers::ends_writing;
use super::{Config, PolicySource};
use crate::still::STILL;

/// Time between checks without an event.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Longest wait for files that are being written, one after the other or without end.
const WRITING_AT_MOST: Duration = Duration::from_secs(30);

/// Reloads the config whenever its files change, until `stop`.
pub async fn follow(config: Arc<Config>, stop: CancellationToken) {
    let (sender, mut events) = mpsc::channel::<()>(1);
    let _watcher = watch(&config, sender);
    loop {
        let kind = tokio::select! {
            () = stop.cancelled() => return,
            Some(()) = events.recv() => {
                settle(&mut events, config.writers()).await;
                "event"
            }
            () = tokio::time::sleep(CHECK_EVERY) => "timer",
        };
        config.metrics().config_check(kind);
        let config = Arc::clone(&config);
        // Reading and compiling block for milliseconds; calls must not wait for them.
        if let Err(error) = tokio::task::spawn_blocking(move || config.reload()).await {
            tracing::error!(%error, "a reload ended abnormally; the running config stays in force");
        }
    }
}

/// Waits until no more events arrive and no file is being written, but not forever: a folder that is written to all the
/// time is checked, too.
async fn settle(events: &mut mpsc::Receiver<()>, writers: &Writers) {
    // One write causes several events.
    let quiet = async { while tokio::time::timeout(STILL, events.recv()).await.is_ok_and(|event| event.is_some()) {} };
    // Either way it is time for a check.
    let _ = tokio::time::timeout(CHECK_EVERY, quiet).await;
    let whole = async {
        while writers.are_at_work() {
            // A writer that closes its file is an event; one that rests for too long is none.
            let _ = tokio::time::timeout(STILL, events.recv()).await;
        }
    };
    let _ = tokio::time::timeout(WRITING_AT_MOST, whole).await;
}

fn watch(config: &Config, sender: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let policy = match config.source().0 {
        PolicySource::File { path, .. } => path.file_name().map(OsString::from),
        PolicySource::Environment(_) => None,
    };
    let (parent, writers) = (policy_folder(config), config.writers().clone());
    let changed = move |event: notify::Result<notify::Event>| {
        let matters = |path: &PathBuf| path.parent() != parent.as_deref() || concerns(path, policy.as_deref());
        let Ok(event) = event else { return };
        if !event.paths.iter().any(matters) {
            return;
        }
        writers.note(&event);
        if !event.kind.is_access() || ends_writing(event.kind) {
            // One event in the channel is enough: it stands for all later ones.
            let _ = sender.try_send(());
        }
    };
    let started = notify::recommended_watcher(changed).and_then(|mut watcher| {
        for (folder, mode) in folders(config) {
            watcher.watch(&folder, mode)?;
        }
        Ok(watcher)
    });
    started.inspect_err(|error| tracing::warn!(%error, "file events are unavailable; files are checked every 5 s")).ok()
}

/// Whether a change in the policy's folder can concern the policy: a change of the file itself, or of one of the links
/// through which the kubelet swaps a volume. Other files there, such as a log, do not matter.
fn concerns(path: &Path, policy: Option<&OsStr>) -> bool {
    path.file_name().is_some_and(|name| Some(name) == policy || name.as_encoded_bytes().starts_with(b".."))
}

/// The policy's own folder as an absolute path, like the paths in events.
fn policy_folder(config: &Config) -> Option<PathBuf> {
    let PolicySource::File { path, .. } = config.source().0 else { return None };
    std::path::absolute(path).ok()?.parent().map(PathBuf::from)
}

/// The folders to watch. Never the files themselves: an editor or the kubelet replaces them.
fn folders(config: &Config) -> Vec<(PathBuf, RecursiveMode)> {
    let (source, secrets) = config.source();
    let mut folders = vec![];
    folders.extend(policy_folder(config).map(|folder| (folder, RecursiveMode::NonRecursive)));
    if let PolicySource::File { config_maps, .. } = source {
        folders.extend(config_maps.clone().map(|folder| (folder, RecursiveMode::Recursive)));
    }
    folders.extend(secrets.folder().map(|folder| (folder.to_path_buf(), RecursiveMode::Recursive)));
    folders.retain(|(folder, _)| folder.is_dir());
    folders
}
