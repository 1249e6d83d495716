//! Follows the policy and the secrets on disk.
//!
//! With file events a change takes effect at once; a check every few seconds catches what they miss: a folder created
//! later, a link whose target is elsewhere, a file system without events. What is written is waited for until it is
//! whole; what takes the place of a file, or of all files of a volume, is checked as it comes, however often.

mod writers;

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{ModifyKind, RenameMode},
};
use tokio::{
    sync::watch::{Receiver, Sender, channel},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

pub(super) use self::writers::Writers;
use self::writers::ends_writing;
use super::{Config, PolicySource};
use crate::still::STILL;

/// Time between checks without an event.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Longest wait for files that are being written, one after the other or without end.
const WRITING_AT_MOST: Duration = Duration::from_secs(30);

/// Shortest time between two checks because of swaps: whoever swaps without end does not keep a processor busy.
const SWAPS_PACE: Duration = Duration::from_millis(10);

/// Reloads the config whenever its files change, until `stop`.
pub async fn follow(config: Arc<Config>, stop: CancellationToken) {
    // Every event is a change of the channel; its value counts those that were a swap.
    let (sender, mut swaps) = channel(0);
    let _watcher = watch(&config, sender);
    let (mut checked, mut next) = (0, Instant::now());
    loop {
        let kind = tokio::select! {
            () = stop.cancelled() => return,
            Ok(()) = swaps.changed() => {
                sleep_until(next).await;
                settle(&mut swaps, checked, config.writers()).await;
                "event"
            }
            () = tokio::time::sleep(CHECK_EVERY) => "timer",
        };
        checked = seen(&mut swaps);
        config.metrics().config_check(kind);
        let config = Arc::clone(&config);
        // Reading and compiling block for milliseconds; calls must not wait for them.
        if let Err(error) = tokio::task::spawn_blocking(move || config.reload()).await {
            tracing::error!(%error, "a reload ended abnormally; the running config stays in force");
        }
        next = Instant::now() + SWAPS_PACE;
    }
}

/// The number of swaps so far; only what comes later is an event.
fn seen(swaps: &mut Receiver<u64>) -> u64 {
    *swaps.borrow_and_update()
}

/// Waits until no more events arrive, unless there was another swap, and no file is being written, but not forever: a
/// folder that is written to all the time is checked, too.
async fn settle(swaps: &mut Receiver<u64>, checked: u64, writers: &Writers) {
    let quiet = async {
        // One write causes several events.
        while seen(swaps) == checked && timeout(STILL, swaps.changed()).await.is_ok_and(|event| event.is_ok()) {}
    };
    // Either way it is time for a check.
    let _ = timeout(CHECK_EVERY, quiet).await;
    let whole = async {
        while writers.are_at_work() {
            // A writer that closes its file is an event; one that rests for too long is none.
            let _ = timeout(STILL, swaps.changed()).await;
        }
    };
    let _ = timeout(WRITING_AT_MOST, whole).await;
}

fn watch(config: &Config, swaps: Sender<u64>) -> Option<RecommendedWatcher> {
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
            let swapped = is_swap(event.kind) && event.paths.iter().any(matters);
            swaps.send_modify(|swaps| *swaps += u64::from(swapped));
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

/// Whether something has come to the place of something else.
fn is_swap(kind: EventKind) -> bool {
    kind == EventKind::Modify(ModifyKind::Name(RenameMode::To))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// How long it takes until it is time for a check.
    async fn settled(swaps: &mut Receiver<u64>, checked: u64) -> Duration {
        let began = Instant::now();
        settle(swaps, checked, &Writers::default()).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_swap_is_checked_as_it_comes_and_other_events_when_there_are_no_more() {
        let (sender, mut swaps) = channel(0);
        sender.send_modify(|_| {});
        assert!(settled(&mut swaps, 0).await >= STILL, "no swap");
        sender.send_modify(|swaps| *swaps += 1);
        assert_eq!(settled(&mut swaps, 0).await, Duration::ZERO);
        assert!(settled(&mut swaps, 1).await >= STILL, "it was checked before");
        let later = tokio::spawn(async move {
            tokio::time::sleep(STILL / 5).await;
            sender.send_modify(|swaps| *swaps += 1);
            sender
        });
        assert!(settled(&mut swaps, 1).await < STILL, "it came while others were waited for");
        later.await.expect("ends");
    }

    #[tokio::test(start_paused = true)]
    async fn a_folder_in_which_events_never_end_is_checked_all_the_same() {
        let (sender, mut swaps) = channel(0);
        let events = tokio::spawn(async move {
            for _ in 0..1000 {
                sender.send_modify(|_| {});
                tokio::time::sleep(STILL / 5).await;
            }
        });
        let took = settled(&mut swaps, 0).await;
        assert!(took >= CHECK_EVERY && took < CHECK_EVERY * 2, "{took:?}");
        events.abort();
    }
}
