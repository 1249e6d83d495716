use std::pin::pin;

use futures::{future::join_all, poll};

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn places(limit: usize) -> Arc<Places> {
    let places = Arc::new(Places::default());
    places.resize(Some(limit));
    places
}

fn is_busy<T>(taken: &Result<T, AttemptError>) -> bool {
    matches!(taken, Err(AttemptError::Busy { .. }))
}

#[tokio::test]
async fn whoever_waits_longest_is_next_and_a_newcomer_does_not_overtake() {
    let places = places(2);
    let (first, second) = (places.take_free().expect("free"), places.take_free().expect("free"));
    let (mut third, mut fourth) = (pin!(places.take(LONG)), pin!(places.take(LONG)));
    assert!(poll!(&mut third).is_pending() && poll!(&mut fourth).is_pending());
    assert_eq!((places.taken(), places.waiting()), (2, 2));
    drop(first);
    assert!(is_busy(&places.take_free()), "it is the third's");
    assert!(poll!(&mut fourth).is_pending());
    let third = third.await.expect("its turn");
    drop(second);
    let fourth = fourth.await.expect("its turn");
    assert_eq!((places.taken(), places.waiting()), (2, 0));
    drop((third, fourth));
    assert_eq!(places.taken(), 0);
}

#[tokio::test]
async fn whoever_leaves_the_queue_holds_up_nobody() {
    let places = places(1);
    let first = places.take_free().expect("free");
    let mut stays = {
        let mut leaves = Box::pin(places.take(LONG));
        assert!(poll!(&mut leaves).is_pending());
        let mut stays = Box::pin(places.take(LONG));
        assert!(poll!(&mut stays).is_pending());
        drop(leaves);
        stays
    };
    assert_eq!(places.waiting(), 1);
    drop(first);
    assert!(poll!(&mut stays).is_ready());
}

#[tokio::test]
async fn the_wait_and_the_queue_end() {
    let places = places(1);
    let first = places.take_free().expect("free");
    let Err(AttemptError::Busy { limit: 1, waited }) = places.take(Duration::from_millis(20)).await else {
        panic!("it never became free")
    };
    assert!(waited >= Duration::from_millis(20), "{waited:?}");
    let mut queue: Vec<_> = (0..WAITING_PER_PLACE).map(|_| Box::pin(places.take(LONG))).collect();
    for waiting in &mut queue {
        assert!(poll!(waiting).is_pending());
    }
    let Err(AttemptError::Busy { waited: Duration::ZERO, .. }) = places.take(LONG).await else {
        panic!("the queue is full")
    };
    drop(first);
    join_all(queue.into_iter().map(|waiting| async move { drop(waiting.await.expect("its turn")) })).await;
    assert_eq!((places.taken(), places.waiting()), (0, 0));
}

#[tokio::test]
async fn a_lower_limit_counts_the_calls_under_way_and_a_higher_one_serves_those_that_wait() {
    let places = Arc::new(Places::default());
    let mut taken: Vec<Place> = (0..5).map(|_| places.take_free().expect("no limit")).collect();
    places.resize(Some(2));
    for left in [4, 3, 2] {
        assert!(is_busy(&places.take_free()), "{left} left");
        taken.truncate(left);
    }
    assert!(is_busy(&places.take_free()), "two of two");
    taken.truncate(1);
    taken.push(places.take_free().expect("one of two"));
    let mut waits = pin!(places.take(LONG));
    assert!(poll!(&mut waits).is_pending());
    places.resize(Some(3));
    let third = waits.await.expect("the new place");
    assert!(is_busy(&places.take_free()), "three of three");
    places.resize(Some(1));
    places.resize(Some(4));
    let fourth = places.take_free().expect("four of four: what was too many counts");
    assert!(is_busy(&places.take_free()));
    places.resize(None);
    drop((taken, third, fourth));
    places.resize(Some(1));
    let only = places.take_free().expect("free");
    assert!(is_busy(&places.take_free()) && places.taken() == 1);
    drop(only);
}
