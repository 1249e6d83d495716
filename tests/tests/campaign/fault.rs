//! The kinds of faults of requests and events, and what is counted to find the one that is met.

use std::time::Duration;

use operator::client::SILENCE_MAX;

/// What is counted to find the one that it happens to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// Requests other than watches.
    Request,
    /// Those that change something.
    Write,
    /// Reads of what was read before.
    Repeated,
    /// Watches, as they begin.
    Watch,
    /// Events of all watches, without bookmarks.
    Event,
}

/// What happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// The operator dies before it has sent the request.
    CrashBefore,
    /// The operator dies when the API server has done what it was asked for.
    CrashAfter,
    /// The API server answers with this status, and does nothing.
    Answer(u16),
    /// There is no answer until the operator's own client gives up, and nothing is done.
    Hang,
    /// The connection ends before the request is sent.
    CutBefore,
    /// The connection ends after the API server has done what it was asked for.
    CutAfter,
    /// Half of the reply is lost, and nothing says so.
    Truncate,
    /// The reply is the first one that this question ever had.
    Stale,
    /// This event and those after it in the same watch are held back for so long.
    Hold(Duration),
    /// The event comes twice.
    Twice,
    /// The event comes after the next one of the same watch.
    Swap,
    /// The event does not come.
    Drop,
    /// The watch ends before the event.
    End,
    /// The connection of the watch ends in the middle of the event.
    CutInside,
    /// The API server says, instead of the event, that the watch is too old.
    Gone,
}

impl Act {
    /// How long it lasts.
    #[must_use]
    pub fn takes(self) -> Duration {
        match self {
            Self::Hang => SILENCE_MAX,
            Self::Hold(time) => time,
            _ => Duration::ZERO,
        }
    }
}

/// What happens, to which one, and to how many in a row: of events the next ones, of requests the same one when it is
/// sent again.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// What is counted.
    pub target: Target,
    /// What happens.
    pub act: Act,
    /// To which one, from 1.
    pub nth: u64,
    /// How often.
    pub times: u32,
}

/// How many there were.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Requests other than watches.
    pub requests: u64,
    /// Those that change something.
    pub writes: u64,
    /// Reads of what was read before.
    pub repeated: u64,
    /// Watches.
    pub watches: u64,
    /// Events of all watches.
    pub events: u64,
}

impl Counts {
    /// How many of these there were.
    #[must_use]
    pub fn of(self, target: Target) -> u64 {
        match target {
            Target::Request => self.requests,
            Target::Write => self.writes,
            Target::Repeated => self.repeated,
            Target::Watch => self.watches,
            Target::Event => self.events,
        }
    }
}
