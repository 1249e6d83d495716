//! A file that a brain did not close, because it or its machine came to an end, is checked in the background while it is
//! used: a wrong entry of an index is noticed by nothing else. Until it was found sound, each start checks it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crds::shown::{chain, printable};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::open::{self, Finding, LOG, beside};
use crate::{metrics::Metrics, settings::DatabaseUrl};

/// How long a check may take.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How large SQLite's log beside the file may become meanwhile, in bytes: it is not begun anew while somebody reads.
const LOG_MAX: u64 = 128 * 1024 * 1024;
/// Characters of what is wrong that are logged, at most.
const SHOWN: usize = 500;

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// The file was closed as it should be.
    NotDue,
    Running,
    Sound,
    Damaged,
    /// It came to no end.
    Unfinished,
}

/// A check in the background, or none. Cheap to clone.
#[derive(Clone)]
pub(super) struct Checking {
    stop: CancellationToken,
    became: watch::Receiver<Became>,
}

impl Checking {
    pub(super) fn not_due() -> Self {
        Self { stop: CancellationToken::new(), became: watch::channel(Became::NotDue).1 }
    }

    pub(super) fn start(file: PathBuf, metrics: Arc<Metrics>) -> Self {
        let (stop, (sender, became)) = (CancellationToken::new(), watch::channel(Became::Running));
        let bounds = Bounds { stop: stop.clone(), until: Instant::now() + LONGEST, log: beside(&file, LOG) };
        tokio::spawn(async move { sender.send_replace(checked(&file, bounds, &metrics).await) });
        Self { stop, became }
    }

    /// What became of it, once it has ended.
    pub(super) async fn ended(&self) -> Became {
        let mut became = self.became.clone();
        let ended = became.wait_for(|became| *became != Became::Running).await.map(|became| *became);
        ended.unwrap_or(Became::Unfinished)
    }

    /// Ends it. Whether nothing is known against the file.
    pub(super) async fn end(&self) -> bool {
        self.stop.cancel();
        matches!(self.ended().await, Became::NotDue | Became::Sound)
    }
}

/// What a check must not exceed.
struct Bounds {
    stop: CancellationToken,
    until: Instant,
    log: PathBuf,
}

impl Bounds {
    fn hold(&self) -> bool {
        let log_is_too_large = || std::fs::metadata(&self.log).is_ok_and(|log| log.len() > LOG_MAX);
        !self.stop.is_cancelled() && Instant::now() < self.until && !log_is_too_large()
    }
}

async fn checked(file: &Path, bounds: Bounds, metrics: &Metrics) -> Became {
    let (began, stop) = (Instant::now(), bounds.stop.clone());
    let finding = open::check(file, move || bounds.hold()).await;
    let (database, took) = (DatabaseUrl::sqlite(file).shown(), began.elapsed());
    log(&finding, stop.is_cancelled(), &database, took);
    match finding {
        Finding::Sound => {
            metrics.database_damaged(false);
            Became::Sound
        }
        Finding::Damaged(_) => {
            metrics.database_damaged(true);
            Became::Damaged
        }
        Finding::Interrupted | Finding::Failed(_) => Became::Unfinished,
    }
}

/// `stopped`: with the brain.
fn log(finding: &Finding, stopped: bool, database: &str, took: Duration) {
    match finding {
        Finding::Sound => {
            tracing::info!(database, ?took, "the file was not closed the last time; it was checked, and is sound");
        }
        Finding::Damaged(found) => {
            let found = printable(&found.replace('\n', " "), SHOWN);
            tracing::error!(
                database,
                found,
                ?took,
                "the file is damaged; restore a backup, or if rows are only missing from indexes, copy it into a new file by \
                 `routing brain copy`: docs/operations.md, A damaged file"
            );
        }
        Finding::Interrupted if stopped => {
            tracing::info!(database, ?took, "the check of the file ends with the brain; the next start repeats it");
        }
        Finding::Interrupted => {
            tracing::warn!(
                database,
                ?took,
                "the check of the file was given up, because it takes too long or holds up too much that is written; stop \
                 the brain and make a backup, which is checked"
            );
        }
        Finding::Failed(error) => {
            let error = chain(error);
            tracing::warn!(database, error, "the file could not be checked; the next start repeats it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_goes_on_until_it_is_stopped_or_takes_too_long_or_keeps_too_much_of_the_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let bounds = |log: &str, left| Bounds {
            stop: CancellationToken::new(),
            until: Instant::now() + left,
            log: folder.path().join(log),
        };
        for (name, bytes) in [("largest", LOG_MAX), ("too-large", LOG_MAX + 1)] {
            let log = std::fs::File::create(folder.path().join(name)).expect("a file");
            log.set_len(bytes).expect("its length");
        }
        assert!(bounds("none", LONGEST).hold() && bounds("largest", LONGEST).hold());
        assert!(!bounds("too-large", LONGEST).hold());
        assert!(!bounds("none", Duration::ZERO).hold());
        let stopped = bounds("none", LONGEST);
        stopped.stop.cancel();
        assert!(!stopped.hold());
    }
}
