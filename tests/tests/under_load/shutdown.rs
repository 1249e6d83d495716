//! The end of a data plane that is at work.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tests::{
    Policy,
    fault_rows::lines_of,
    load::{Got, Load},
    program::{Program, Running},
    stand_in::{brain::Brain, models::Models},
    waiting,
};

/// Clients that call again and again, each over a connection that it keeps.
const CLIENTS: usize = 20;
/// How long a model takes that answers.
const MOMENT: Duration = Duration::from_millis(50);

/// What happened to the calls of all clients.
#[derive(Default)]
struct Counts {
    answered: AtomicUsize,
    stopped: AtomicUsize,
    next: AtomicUsize,
}

/// Clients that try nothing again; each stops when nobody listens any more.
async fn clients(routing: &Running, models: &Models, counts: &Arc<Counts>) -> Vec<tokio::task::JoinHandle<()>> {
    let clients = (0..CLIENTS).map(|_| {
        let (load, counts) = (Load::of(&routing.mcp_url()), Arc::clone(counts));
        tokio::spawn(async move {
            loop {
                let number = counts.next.fetch_add(1, Ordering::Relaxed);
                match load.call(number).await.1 {
                    Got::Result(result) if result.is_error() => {
                        assert!(result.text(0).contains("the server is being stopped"), "{result:?}");
                        counts.stopped.fetch_add(1, Ordering::Relaxed);
                    }
                    Got::Result(_) => {
                        counts.answered.fetch_add(1, Ordering::Relaxed);
                    }
                    Got::NobodyListens => return,
                    lost => panic!("call {number}: {lost:?}"),
                }
            }
        })
    });
    let clients = clients.collect();
    let are_many = || async { counts.answered.load(Ordering::Relaxed) > 5 * CLIENTS };
    while_answering(models, waiting::until_true("calls", are_many)).await;
    all_wait(routing).await;
    clients
}

/// While the model answers the calls that wait for it, again and again.
async fn while_answering<T>(models: &Models, something: impl Future<Output = T>) -> T {
    let done = AtomicBool::new(false);
    let something = async {
        let value = something.await;
        done.store(true, Ordering::Relaxed);
        value
    };
    let answering = async {
        while !done.load(Ordering::Relaxed) {
            models.release();
            tokio::time::sleep(MOMENT).await;
        }
    };
    tokio::join!(something, answering).0
}

/// Each client has a call in flight, and none of them is answered until the model is told to.
async fn all_wait(routing: &Running) {
    let wait = || async { routing.metric("routing_in_flight_calls").await == CLIENTS as f64 };
    waiting::until_true("every client to have a call in flight", wait).await;
}

async fn is_draining(routing: &Running) {
    waiting::until_true("the drain", || async { routing.status().await["draining"] == json!(true) }).await;
}

/// A policy whose model answers when it is told to, with a brain that takes every record.
fn policy(models: &Models, brain: &Brain) -> Policy {
    Policy::at(&models.url()).local("waits").spec(json!({"brain": {"url": brain.url()}}))
}

async fn at_work() -> (Models, Brain, Running) {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("null")).await);
    let routing = Program::serve_policy(&policy(&models, &brain)).start().await;
    (models, brain, routing)
}

async fn nothing_was_lost(clients: Vec<tokio::task::JoinHandle<()>>, counts: &Counts, models: &Models, brain: &Brain) {
    for client in clients {
        client.await.expect("no call is lost");
    }
    let (answered, stopped) = (counts.answered.load(Ordering::Relaxed), counts.stopped.load(Ordering::Relaxed));
    println!("{answered} calls answered, {stopped} told that the server is being stopped");
    assert_eq!(models.received().len(), answered + stopped, "one model call for each");
    assert_eq!(brain.entries().len(), answered + stopped, "one record for each");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_loses_no_call_and_no_record_of_clients_that_keep_their_connections() {
    let (models, brain, mut routing) = at_work().await;
    let counts = Arc::new(Counts::default());
    let clients = clients(&routing, &models, &counts).await;
    routing.signal("TERM");
    is_draining(&routing).await;
    // None of them was answered meanwhile.
    all_wait(&routing).await;
    assert!(while_answering(&models, routing.ended()).await.success());
    nothing_was_lost(clients, &counts, &models, &brain).await;
    assert_eq!(counts.stopped.load(Ordering::Relaxed), 0, "there was time for all");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_twice_under_load_ends_the_server_at_once_and_loses_no_call() {
    let (models, brain, mut routing) = at_work().await;
    let counts = Arc::new(Counts::default());
    let clients = clients(&routing, &models, &counts).await;
    routing.signal("TERM");
    is_draining(&routing).await;
    // Each client has heard that its connection ends, so none is kept while the second signal ends the phase.
    let asked = counts.next.load(Ordering::Relaxed);
    let are_more = || async { counts.next.load(Ordering::Relaxed) > asked + 5 * CLIENTS };
    while_answering(&models, waiting::until_true("calls", are_more)).await;
    all_wait(&routing).await;
    let began = Instant::now();
    routing.signal("TERM");
    assert!(while_answering(&models, routing.ended()).await.success());
    assert!(began.elapsed() < Duration::from_secs(8), "it did not wait out the 10 s: {:?}", began.elapsed());
    nothing_was_lost(clients, &counts, &models, &brain).await;
    assert_eq!(counts.stopped.load(Ordering::Relaxed), 0, "the second signal cuts off no call");
}

/// No client knows of the first signal when the second comes. The kernel may make one signal of two, so it may take the
/// 10 s of one.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_twice_at_once_under_load_loses_no_call_of_clients_that_know_of_neither() {
    let (models, brain, mut routing) = at_work().await;
    let counts = Arc::new(Counts::default());
    let clients = clients(&routing, &models, &counts).await;
    routing.signal("TERM");
    routing.signal("TERM");
    waiting::until_true("the stop", || async { routing.log().contains("stopping: answering calls in flight") }).await;
    all_wait(&routing).await;
    assert!(while_answering(&models, routing.ended()).await.success());
    nothing_was_lost(clients, &counts, &models, &brain).await;
    assert_eq!(counts.stopped.load(Ordering::Relaxed), 0, "the second signal cuts off no call");
}

/// A call may outlast `timeouts.total` only if that was longer when it began: then it is cut off.
#[tokio::test(flavor = "multi_thread")]
async fn calls_under_load_that_outlast_the_grace_are_answered_and_recorded_when_it_ends() {
    let (models, brain, mut routing) = at_work().await;
    let counts = Arc::new(Counts::default());
    let clients = clients(&routing, &models, &counts).await;
    let hash = routing.status().await["configHash"].clone();
    let shorter = policy(&models, &brain).spec(json!({"timeouts": {"local": "1s", "total": "2s"}}));
    fs::write(routing.folder().join("policy.yaml"), shorter.to_string()).expect("written");
    waiting::until_true("the new config", || async { routing.status().await["configHash"] != hash }).await;
    all_wait(&routing).await;
    routing.signal("TERM");
    is_draining(&routing).await;
    routing.signal("TERM");
    assert!(routing.ended().await.success(), "exit 0");
    nothing_was_lost(clients, &counts, &models, &brain).await;
    assert_eq!(counts.stopped.load(Ordering::Relaxed), CLIENTS, "each call in flight was told why it ended");
    let records = lines_of(&routing.log(), "decided");
    let cancelled = records.iter().filter(|record| record["error"] == "cancelled").count();
    assert_eq!(cancelled, CLIENTS, "each of them has its record");
    assert_eq!(records.len(), counts.answered.load(Ordering::Relaxed) + CLIENTS);
}
