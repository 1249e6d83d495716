//! The kinds of faults of requests and events, and the points of a run that they can happen at.

use std::time::Duration;

use super::{
    api_request::{Class, resource_of},
    point::{Point, Recorded},
};

/// Two events that are swapped come within this time.
const PAIR_WITHIN: Duration = Duration::from_secs(2);

/// What it can happen to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// Requests other than watches.
    Request,
    /// Those that change something.
    Write,
    /// Reads whose answer is another than it was at first.
    News,
    /// Watches, as they begin.
    Watch,
    /// Events of all watches, without bookmarks.
    Event,
    /// Events that another of the same watch follows soon.
    Pair,
    /// Requests that read the lease.
    LeaseRead,
    /// Requests that change the lease.
    LeaseWrite,
}

impl Target {
    /// The points of a run that are such.
    #[must_use]
    pub fn points(self, recorded: &[Recorded]) -> Vec<&Point> {
        let is_one = |(at, of): &(usize, &Recorded)| match (self, Class::of_key(&of.point.key)) {
            (Self::Request, Class::Read | Class::Write)
            | (Self::Write, Class::Write)
            | (Self::Watch, Class::Watch)
            | (Self::Event, Class::Event)
            | (Self::LeaseRead, Class::LeaseRead)
            | (Self::LeaseWrite, Class::LeaseWrite) => true,
            (Self::News, Class::Read) => of.is_news,
            (Self::Pair, Class::Event) => is_followed(of, &recorded[at + 1..]),
            _ => false,
        };
        recorded.iter().enumerate().filter(is_one).map(|(_, of)| &of.point).collect()
    }

    /// Whether it is about the lease.
    #[must_use]
    pub fn is_of_lease(self) -> bool {
        matches!(self, Self::LeaseRead | Self::LeaseWrite)
    }
}

fn is_followed(event: &Recorded, later: &[Recorded]) -> bool {
    let is_next = |next: &Recorded| {
        Class::of_key(&next.point.key) == Class::Event && resource_of(&next.point.key) == resource_of(&event.point.key)
    };
    later.iter().take_while(|next| next.at < event.at + PAIR_WITHIN).any(is_next)
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
    /// The watch begins, and ends at once.
    EndAtOnce,
    /// The watch begins, brings a bookmark and nothing else for so long, and ends.
    BookmarkOnly(Duration),
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
    /// The connection of the watch ends in the middle of the event; of a watch that begins, of its first one.
    CutInside,
    /// The API server says, instead of the event, that the watch is too old.
    Gone,
}

impl Act {
    /// How long it lasts.
    #[must_use]
    pub fn takes(self, class: Class) -> Duration {
        match self {
            Self::Hang => class.silence_max(),
            Self::Hold(time) | Self::BookmarkOnly(time) => time,
            _ => Duration::ZERO,
        }
    }
}

/// What happens, where, and how often in a row: of events to the next ones of the same watch, of requests to the same one when
/// it is sent again.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Where it begins.
    pub point: Point,
    /// What happens.
    pub act: Act,
    /// How often.
    pub times: u32,
}

/// How many requests there were.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Other than watches, and not of the lease.
    pub requests: u64,
    /// Those that change something.
    pub writes: u64,
}

#[test]
fn the_points_of_a_run_are_told_apart_by_what_can_happen_to_them() {
    let began = std::time::Instant::now();
    let recorded: Vec<Recorded> = [
        ("get:services/edge:1", 0, false),
        ("get:services/edge:2", 1, true),
        ("apply:services/edge:1", 1, false),
        ("watch:services[x]:1", 1, false),
        ("event:ADDED:services/edge:1", 2, false),
        ("event:ADDED:pods:1", 2, false),
        ("event:MODIFIED:services/edge:1", 3, false),
        ("get:leases/l:1", 9, false),
        ("patch:leases/l:1", 9, false),
    ]
    .into_iter()
    .map(|(point, second, is_news)| Recorded {
        point: point.parse().expect("a point"),
        at: began + Duration::from_secs(second),
        is_news,
    })
    .collect();
    for (target, expected) in [
        (Target::Request, vec!["get:services/edge:1", "get:services/edge:2", "apply:services/edge:1"]),
        (Target::Write, vec!["apply:services/edge:1"]),
        (Target::News, vec!["get:services/edge:2"]),
        (Target::Watch, vec!["watch:services[x]:1"]),
        (Target::Event, vec!["event:ADDED:services/edge:1", "event:ADDED:pods:1", "event:MODIFIED:services/edge:1"]),
        (Target::Pair, vec!["event:ADDED:services/edge:1"]),
        (Target::LeaseRead, vec!["get:leases/l:1"]),
        (Target::LeaseWrite, vec!["patch:leases/l:1"]),
    ] {
        let points: Vec<String> = target.points(&recorded).into_iter().map(ToString::to_string).collect();
        assert_eq!(points, expected, "{target:?}");
    }
}
