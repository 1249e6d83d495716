//! Whose turn it is: a bounded number of policies is reconciled at a time, and namespaces take turns, so that hundreds of
//! changes in one of them do not delay the change in another.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// Turns that are given at a time.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// In all.
    pub all: usize,
    /// To one namespace, so that its slow ones cannot have every place.
    pub of_one: usize,
}

/// The turns of all policies.
#[derive(Clone)]
pub struct Turns {
    places: Places,
    queues: Arc<Mutex<Queues>>,
}

#[derive(Default)]
struct Queues {
    running: HashMap<String, usize>,
    /// The namespaces that wait, the next one first; each with those that wait, the oldest first.
    waiting: VecDeque<(String, VecDeque<oneshot::Sender<Turn>>)>,
}

/// A turn; dropping it gives it to the next one.
pub struct Turn {
    namespace: String,
    turns: Turns,
}

impl Turns {
    /// Turns with these places.
    #[must_use]
    pub fn new(places: Places) -> Self {
        Self { places, queues: Arc::default() }
    }

    /// Waits for a turn. Who stops waiting leaves the queue.
    pub async fn take(&self, namespace: &str) -> Turn {
        let (sender, receiver) = oneshot::channel();
        self.lock().enqueue(namespace, sender);
        self.give();
        // A sender leaves the queue only to send, and the queue lives as long as `self`.
        receiver.await.expect("the queue sends to each that waits")
    }

    /// Gives the places that are free.
    fn give(&self) {
        while let Some((namespace, sender)) = self.next() {
            // One that stopped waiting just now: its turn ends here, outside of the lock.
            drop(sender.send(Turn { namespace, turns: self.clone() }));
        }
    }

    // A function of its own, so that the lock is not held while a turn is sent.
    fn next(&self) -> Option<(String, oneshot::Sender<Turn>)> {
        self.lock().next(self.places)
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.lock().end(&self.namespace);
        self.turns.give();
    }
}

impl Queues {
    fn enqueue(&mut self, namespace: &str, sender: oneshot::Sender<Turn>) {
        match self.waiting.iter_mut().find(|(name, _)| name == namespace) {
            Some((_, queue)) => queue.push_back(sender),
            None => self.waiting.push_back((namespace.into(), [sender].into())),
        }
    }

    /// The next turn, if there is a place for it: of the first namespace that has not all of its own, which is then the
    /// last to be asked again.
    fn next(&mut self, places: Places) -> Option<(String, oneshot::Sender<Turn>)> {
        loop {
            let running = self.running.values().sum::<usize>();
            let has_place = |name: &str| self.running.get(name).is_none_or(|running| *running < places.of_one);
            let at = self.waiting.iter().position(|(name, _)| has_place(name)).filter(|_| running < places.all)?;
            let (namespace, mut queue) = self.waiting.remove(at)?;
            // Who stopped waiting is passed over.
            let next = std::iter::from_fn(|| queue.pop_front()).find(|sender| !sender.is_closed());
            if !queue.is_empty() {
                self.waiting.push_back((namespace.clone(), queue));
            }
            if let Some(sender) = next {
                *self.running.entry(namespace.clone()).or_default() += 1;
                return Some((namespace, sender));
            }
        }
    }

    fn end(&mut self, namespace: &str) {
        if let Some(running) = self.running.get_mut(namespace) {
            *running -= 1;
        }
        self.running.retain(|_, running| *running > 0);
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future::LocalBoxFuture};

    use super::*;

    /// Those that wait, in the order in which they began.
    type Waiting<'a> = Vec<(&'static str, LocalBoxFuture<'a, Turn>)>;

    fn waiting<'a>(turns: &'a Turns, namespaces: &[&'static str]) -> Waiting<'a> {
        let mut all: Waiting<'_> = namespaces.iter().map(|name| (*name, turns.take(name).boxed_local())).collect();
        // Polled once, each stands in its queue.
        let has_turn: Vec<Option<Turn>> = all.iter_mut().map(|(_, turn)| turn.now_or_never()).collect();
        assert!(has_turn.iter().all(Option::is_none), "no place is free");
        all
    }

    /// Who has a turn now; it leaves the list.
    fn next(waiting: &mut Waiting<'_>) -> Option<(&'static str, Turn)> {
        let found = waiting.iter_mut().enumerate().find_map(|(at, (_, turn))| Some((at, turn.now_or_never()?)));
        found.map(|(at, turn)| (waiting.remove(at).0, turn))
    }

    #[test]
    fn namespaces_take_turns_however_many_wait_in_one() {
        let turns = Turns::new(Places { all: 1, of_one: 1 });
        let mut running = turns.take("many").now_or_never();
        let mut waiting = waiting(&turns, &["many", "many", "many", "few", "many", "other"]);
        let mut order = vec![];
        while let Some(turn) = running.take() {
            drop(turn);
            running = next(&mut waiting).map(|(name, turn)| {
                order.push(name);
                turn
            });
        }
        assert_eq!(order, ["many", "few", "other", "many", "many", "many"]);
    }

    #[test]
    fn one_namespace_cannot_have_every_place() {
        let turns = Turns::new(Places { all: 3, of_one: 2 });
        let slow = [turns.take("many").now_or_never(), turns.take("many").now_or_never()];
        assert!(slow.iter().all(Option::is_some));
        let mut waiting = waiting(&turns, &["many"]);
        assert!(turns.take("few").now_or_never().is_some(), "a place is left for others");
        assert!(next(&mut waiting).is_none());
        drop(slow);
        assert!(next(&mut waiting).is_some());
    }

    #[test]
    fn who_stops_waiting_holds_up_nobody() {
        let turns = Turns::new(Places { all: 1, of_one: 1 });
        let running = turns.take("a").now_or_never();
        let mut waiting = waiting(&turns, &["a", "b", "b"]);
        drop(waiting.remove(0));
        drop(waiting.remove(0));
        drop(running);
        assert_eq!(next(&mut waiting).map(|(name, _)| name), Some("b"));
        drop(waiting);
        assert!(turns.take("c").now_or_never().is_some(), "every place is free again");
    }
}
