//! The open connections of a server, and which of them gives way when there are too many.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::{Duration, Instant};

use super::{Limits, activity::Activity};

/// Shortest time between two warnings that the limit is reached.
const WARN_EVERY: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(super) struct Connections(Arc<Shared>);

struct Shared {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: BTreeMap<u64, (IpAddr, Arc<Activity>)>,
    next: u64,
    warned: Option<Instant>,
}

/// The address of whoever opened a request's connection, an extension of the request; of an IPv4 peer that address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer(pub IpAddr);

/// A connection that counts until this is dropped.
pub(super) struct Admitted {
    pub(super) activity: Arc<Activity>,
    /// Who opened it.
    pub(super) peer: Peer,
    id: u64,
    connections: Connections,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared { limits, state: Mutex::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits a connection. If there are too many, the one that has waited longest for its peer gives way; none if all
    /// of them are at work.
    pub(super) fn admit(&self, peer: IpAddr) -> Option<Admitted> {
        let Limits { connections, per_address } = self.0.limits;
        // An IPv4 peer of a listener on `::` is the same as on 0.0.0.0.
        let peer = peer.to_canonical();
        let mut state = self.state();
        let of_the_peer = state.open.values().filter(|(address, _)| *address == peer).count();
        if of_the_peer >= per_address {
            state.warn("of one address", per_address);
            state.replace(|address| address == peer)?;
        } else if state.open.len() >= connections {
            state.warn("in all", connections);
            state.replace(|_| true)?;
        }
        let (id, activity) = (state.next, Activity::new());
        state.next += 1;
        state.open.insert(id, (peer, Arc::clone(&activity)));
        Some(Admitted { activity, peer: Peer(peer), id, connections: self.clone() })
    }
}

impl State {
    /// Ends the connection that has waited longest among those of some addresses.
    fn replace(&mut self, of: impl Fn(IpAddr) -> bool) -> Option<()> {
        let waiting = self.open.iter().filter(|(_, (address, _))| of(*address));
        let waiting = waiting.filter_map(|(id, (_, activity))| activity.waiting_since().map(|since| (since, *id)));
        let (_, longest) = waiting.min()?;
        let (_, activity) = self.open.remove(&longest)?;
        activity.replaced.cancel();
        Some(())
    }

    fn warn(&mut self, which: &str, limit: usize) {
        if self.warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            self.warned = Some(Instant::now());
            tracing::warn!(limit, "too many connections {which}: those that wait longest are closed for new ones");
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.connections.state().open.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::activity::UNREAD_GRACE, *};

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_connections_replace_the_one_that_waits_longest_and_never_one_at_work() {
        let connections = Connections::new(Limits { connections: 3, per_address: 2 });
        let mut open = vec![];
        for last in 1..=3 {
            open.push(connections.admit(address(last)).expect("room"));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let (at_work, _) = open[0].activity.begin();
        let fourth = connections.admit(address(4)).expect("the second gives way");
        let replaced: Vec<bool> = open.iter().map(|open| open.activity.replaced.is_cancelled()).collect();
        assert_eq!(replaced, [false, true, false]);
        let (_third, _fourth) = (open[2].activity.begin(), fourth.activity.begin());
        assert!(connections.admit(address(5)).is_none(), "all are at work");
        drop(at_work);
        assert!(connections.admit(address(5)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_cannot_take_the_places_of_the_others() {
        let connections = Connections::new(Limits { connections: 4, per_address: 2 });
        let other = connections.admit(address(1)).expect("room");
        tokio::time::advance(Duration::from_secs(1)).await;
        let flood: Vec<Admitted> = (0..20)
            .map(|_| connections.admit("::ffff:10.0.0.2".parse().expect("an address")).expect("its own"))
            .collect();
        assert!(!other.activity.replaced.is_cancelled());
        assert_eq!(flood.iter().filter(|open| !open.activity.replaced.is_cancelled()).count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_has_ten_seconds_on_its_way_before_its_connection_gives_way() {
        let connections = Connections::new(Limits { connections: 1, per_address: 1 });
        let late = connections.admit(address(1)).expect("room");
        let (in_flight, _) = late.activity.begin();
        tokio::time::advance(UNREAD_GRACE).await;
        let unread = late.activity.unread();
        tokio::time::advance(UNREAD_GRACE - Duration::from_secs(1)).await;
        assert!(connections.admit(address(1)).is_none(), "it may be read still");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(late.activity.waiting_since().is_some(), "its peer had its time");
        let (_another, _) = late.activity.begin();
        assert!(late.activity.waiting_since().is_none(), "another call is at work");
        drop((unread, in_flight));
        assert!(late.activity.waiting_since().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_counts_as_waiting() {
        let connections = Connections::new(Limits { connections: 2, per_address: 1 });
        let slow = connections.admit(address(1)).expect("room");
        let (_in_flight, _) = slow.activity.begin();
        let reading = slow.activity.reading();
        assert!(slow.activity.waiting_since().is_some());
        drop(reading);
        assert!(slow.activity.waiting_since().is_none(), "the body is there: the call is at work");
    }
}
