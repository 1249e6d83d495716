//! The tables of what goes wrong.

use std::time::Duration;

use super::{
    cluster_wide::Definition,
    fault::{Act, Target},
    interference::Interference,
    policy_tampering::PolicyTampering,
    tampering::Tampering,
};

/// One thing that goes wrong.
pub struct Perturbation {
    /// As a plan's line names it.
    pub name: &'static str,
    /// What it is.
    pub what: What,
}

/// What goes wrong.
#[derive(Clone, Copy)]
pub enum What {
    /// Something about a request of the operator, or about an event that it is told: what it can happen to, what happens, and to
    /// how many such in a row.
    Fault(Target, Act, u32),
    /// Somebody else does something.
    Interference(Interference),
}

impl Perturbation {
    /// Whether it takes over a minute by itself, as it lasts until the operator's own limits end it.
    #[must_use]
    pub fn takes_long(&self) -> bool {
        matches!(self.what, What::Fault(target, Act::Hang, _) if !target.is_of_lease())
    }
}

const fn fault(name: &'static str, target: Target, act: Act, times: u32) -> Perturbation {
    Perturbation { name, what: What::Fault(target, act, times) }
}

const fn others(name: &'static str, interference: Interference) -> Perturbation {
    Perturbation { name, what: What::Interference(interference) }
}

const fn children(name: &'static str, tampering: Tampering) -> Perturbation {
    others(name, Interference::Children(tampering))
}

const fn policy(name: &'static str, tampering: PolicyTampering) -> Perturbation {
    others(name, Interference::Policy(tampering))
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const CRASH_BEFORE_WRITE: Perturbation = fault("crash-before-write", Target::Write, Act::CrashBefore, 1);
const CRASH_AFTER_WRITE: Perturbation = fault("crash-after-write", Target::Write, Act::CrashAfter, 1);

/// What goes wrong in one namespace. Their number is a multiple of five, of which a seed makes its choice.
///
/// The operator waits longer after each failure in a row: after five requests that failed, 31 s; after three children
/// that were refused, 35 s. More of them would say no more and take minutes.
pub static PERTURBATIONS: [Perturbation; 70] = [
    CRASH_BEFORE_WRITE,
    CRASH_AFTER_WRITE,
    fault("crash-before-request", Target::Request, Act::CrashBefore, 1),
    fault("crash-after-request", Target::Request, Act::CrashAfter, 1),
    fault("409-of-a-write", Target::Write, Act::Answer(409), 1),
    fault("409-of-a-write-5-times", Target::Write, Act::Answer(409), 5),
    fault("422-of-a-write", Target::Write, Act::Answer(422), 1),
    fault("422-of-a-write-3-times", Target::Write, Act::Answer(422), 3),
    fault("429-of-a-write", Target::Write, Act::Answer(429), 1),
    fault("429-10-times", Target::Request, Act::Answer(429), 10),
    fault("500-of-a-write", Target::Write, Act::Answer(500), 1),
    fault("500", Target::Request, Act::Answer(500), 1),
    fault("500-5-times", Target::Request, Act::Answer(500), 5),
    fault("503-10-times", Target::Request, Act::Answer(503), 10),
    fault("hang-of-a-write", Target::Write, Act::Hang, 1),
    fault("hang", Target::Request, Act::Hang, 1),
    fault("cut-before-request", Target::Request, Act::CutBefore, 1),
    fault("cut-after-request", Target::Request, Act::CutAfter, 1),
    fault("cut-after-write", Target::Write, Act::CutAfter, 1),
    fault("truncated-reply", Target::Request, Act::Truncate, 1),
    fault("truncated-reply-to-a-write", Target::Write, Act::Truncate, 1),
    fault("stale-read", Target::News, Act::Stale, 1),
    fault("stale-read-10-times", Target::News, Act::Stale, 10),
    fault("watch-start-410", Target::Watch, Act::Answer(410), 3),
    fault("watch-start-429", Target::Watch, Act::Answer(429), 3),
    fault("watch-start-500", Target::Watch, Act::Answer(500), 3),
    fault("watch-start-hang", Target::Watch, Act::Hang, 1),
    fault("watch-start-cut", Target::Watch, Act::CutBefore, 3),
    fault("watch-cut-in-its-first-event", Target::Watch, Act::CutInside, 1),
    fault("watch-of-a-bookmark-only", Target::Watch, Act::BookmarkOnly(seconds(5)), 2),
    fault("watch-ended-at-once", Target::Watch, Act::EndAtOnce, 5),
    fault("watch-held-5s", Target::Event, Act::Hold(seconds(5)), 1),
    fault("watch-held-20s", Target::Event, Act::Hold(seconds(20)), 1),
    fault("events-twice", Target::Event, Act::Twice, 3),
    fault("events-swapped", Target::Pair, Act::Swap, 1),
    fault("event-dropped", Target::Event, Act::Drop, 1),
    fault("watch-ended", Target::Event, Act::End, 1),
    fault("watch-cut-in-an-event", Target::Event, Act::CutInside, 1),
    fault("watch-gone", Target::Event, Act::Gone, 1),
    fault("lease-read-403", Target::LeaseRead, Act::Answer(403), 3),
    fault("lease-read-500", Target::LeaseRead, Act::Answer(500), 3),
    fault("lease-read-hang", Target::LeaseRead, Act::Hang, 1),
    fault("lease-write-403", Target::LeaseWrite, Act::Answer(403), 3),
    fault("lease-write-409", Target::LeaseWrite, Act::Answer(409), 3),
    fault("lease-write-500", Target::LeaseWrite, Act::Answer(500), 3),
    fault("lease-write-hang", Target::LeaseWrite, Act::Hang, 1),
    fault("lease-write-cut-after", Target::LeaseWrite, Act::CutAfter, 1),
    fault("crash-after-lease-write", Target::LeaseWrite, Act::CrashAfter, 1),
    others("lease-stolen", Interference::LeaseStolen),
    others("lease-deleted", Interference::LeaseDeleted),
    others("two-leaders", Interference::TwoLeaders),
    children("second-manager", Tampering::Forced),
    children("children-edited", Tampering::Edited),
    children("children-deleted", Tampering::DeletedAll),
    children("child-deleted", Tampering::DeletedOne),
    children("owners-removed", Tampering::Unowned),
    children("labels-removed", Tampering::Unlabelled),
    children("labels-and-owners-removed", Tampering::Hidden),
    children("managers-stripped", Tampering::Stripped),
    children("managers-renamed", Tampering::Renamed),
    children("managers-twice", Tampering::Duplicated),
    policy("policy-managers-stripped", PolicyTampering::ManagersStripped),
    policy("policy-managers-renamed", PolicyTampering::ManagersRenamed),
    policy("policy-managers-twice", PolicyTampering::ManagersTwice),
    policy("status-co-owned", PolicyTampering::StatusCoOwned),
    policy("status-wiped", PolicyTampering::StatusWiped),
    policy("status-faked", PolicyTampering::StatusFaked),
    others("quota", Interference::Quota),
    others("limit-range", Interference::LimitRange),
    others("namespace-ending", Interference::NamespaceEnding),
];

/// What every plan on the control plane would notice; their number, too, is a multiple of five.
pub static CLUSTER_WIDE: [Perturbation; 5] = [
    others("definition-newer", Interference::Definition(Definition::Newer)),
    others("definition-older", Interference::Definition(Definition::Older)),
    others("api-server-killed", Interference::ApiServerAway(Duration::ZERO)),
    others("api-server-away-10s", Interference::ApiServerAway(seconds(10))),
    others("clock-jumps", Interference::Clock),
];

/// The two sides of a write.
pub static CRASHES: [Perturbation; 2] = [CRASH_BEFORE_WRITE, CRASH_AFTER_WRITE];

/// What happens to every request.
pub static OF_EVERY_REQUEST: [Perturbation; 7] = [
    fault("request-409", Target::Request, Act::Answer(409), 1),
    fault("request-422", Target::Request, Act::Answer(422), 1),
    fault("request-429", Target::Request, Act::Answer(429), 1),
    fault("request-500", Target::Request, Act::Answer(500), 1),
    fault("request-hang", Target::Request, Act::Hang, 1),
    fault("request-cut-before", Target::Request, Act::CutBefore, 1),
    fault("request-cut-after", Target::Request, Act::CutAfter, 1),
];

#[test]
fn no_two_perturbations_have_the_same_name() {
    let all = PERTURBATIONS.iter().chain(&CLUSTER_WIDE).chain(&OF_EVERY_REQUEST).map(|one| one.name);
    let names: std::collections::BTreeSet<&str> = all.collect();
    assert_eq!(names.len(), PERTURBATIONS.len() + CLUSTER_WIDE.len() + OF_EVERY_REQUEST.len());
}
