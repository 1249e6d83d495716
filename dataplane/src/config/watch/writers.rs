//! Which files somebody has open and has written to: half of one may be there.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use notify::{
    Event, EventKind,
    event::{AccessKind, AccessMode, ModifyKind},
};

/// How long a writer that writes nothing more is waited for.
const RESTS_AT_MOST: Duration = Duration::from_secs(5);
/// Most files that are remembered; others count as whole.
const FILES_MAX: usize = 256;

/// The files that are being written, with the time of the last write.
#[derive(Clone, Default)]
pub(in crate::config) struct Writers(Arc<Mutex<HashMap<PathBuf, Instant>>>);

impl Writers {
    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Instant>> {
        // Every change is complete, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what an event says of the files that it names.
    pub(super) fn note(&self, event: &Event) {
        let mut files = self.lock();
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) if files.len() < FILES_MAX => {
                files.extend(event.paths.iter().map(|path| (path.clone(), Instant::now())));
            }
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => forget(&mut files, event),
            kind if ends_writing(kind) => forget(&mut files, event),
            _ => {}
        }
    }

    /// Whether a file is being written.
    pub(in crate::config) fn are_at_work(&self) -> bool {
        let mut files = self.lock();
        files.retain(|_, last| last.elapsed() < RESTS_AT_MOST);
        !files.is_empty()
    }
}

fn forget(files: &mut HashMap<PathBuf, Instant>, event: &Event) {
    files.retain(|path, _| !event.paths.contains(path));
}

/// Whether a writer has closed a file.
pub(super) fn ends_writing(kind: EventKind) -> bool {
    kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
mod tests {
    use notify::event::{DataChange, RemoveKind};

    use super::*;

    #[test]
    fn a_file_is_being_written_from_its_first_write_until_it_is_closed_or_gone() {
        let writers = Writers::default();
        let event = |kind, path: &str| Event::new(kind).add_path(path.into());
        let write = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let close = EventKind::Access(AccessKind::Close(AccessMode::Write));
        for end in [close, EventKind::Remove(RemoveKind::File)] {
            writers.note(&event(write, "a"));
            writers.note(&event(write, "a"));
            writers.note(&event(end, "b"));
            assert!(writers.are_at_work());
            writers.note(&event(end, "a"));
            assert!(!writers.are_at_work());
        }
    }
}
