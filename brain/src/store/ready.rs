//! Whether the database can be used yet: a server may be away when the brain starts.

use std::sync::Arc;

use tokio::sync::watch;

use super::StoreError;

type State = Option<Arc<str>>;

/// Whether the database can be used. Cheap to clone.
#[derive(Clone)]
pub(super) struct Ready(watch::Receiver<State>);

/// Says when it can.
pub(super) struct Preparing(watch::Sender<State>);

impl Ready {
    /// It can from the start.
    pub(super) fn now() -> Self {
        Self(watch::channel(None).1)
    }

    /// It cannot yet, because of this.
    pub(super) fn later(because: String) -> (Preparing, Self) {
        let (sender, receiver) = watch::channel(Some(because.into()));
        (Preparing(sender), Self(receiver))
    }

    /// # Errors
    /// Why it cannot be used yet.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let because = self.0.borrow().clone();
        because.map_or(Ok(()), |because| Err(StoreError::Away(because.to_string())))
    }
}

impl Preparing {
    /// There is another reason.
    pub(super) fn because(&self, because: String) {
        self.0.send_replace(Some(because.into()));
    }

    pub(super) fn ready(&self) {
        self.0.send_replace(None);
    }

    /// Whether nobody waits any more.
    pub(super) fn is_unwanted(&self) -> bool {
        self.0.is_closed()
    }
}
