//! The end of a data plane that is at work, and of one that has hardly begun.

use std::{
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tests::{
    Policy,
    load::{Got, Load},
    memory,
    program::{self, Program, Running},
    stand_in::{brain::Brain, models::Models},
    waiting,
};

/// Clients that call again and again, each over a connection that it keeps.
const CLIENTS: usize = 20;

/// What happened to the calls of all clients.
#[derive(Default)]
struct Counts {
    answered: AtomicUsize,
    stopped: AtomicUsize,
    next: AtomicUsize,
}

/// Clients that try nothing again; each stops when nobody listens any more.
async fn clients(routing: &Running, counts: &Arc<Counts>) -> Vec<tokio::task::JoinHandle<()>> {
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
    waiting::until_true("calls", || async { counts.answered.load(Ordering::Relaxed) > 10 * CLIENTS }).await;
    clients
}

/// A policy whose calls take a moment, with a brain that takes every record.
async fn at_work() -> (Models, Brain, Running) {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("null")).await);
    let policy = Policy::at(&models.url()).spec(json!({"brain": {"url": brain.url()}}));
    let routing = Program::serve_policy(&policy).start().await;
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
    let clients = clients(&routing, &counts).await;
    routing.signal("TERM");
    assert!(routing.ended().await.success());
    nothing_was_lost(clients, &counts, &models, &brain).await;
    assert_eq!(counts.stopped.load(Ordering::Relaxed), 0, "there was time for all");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_twice_under_load_ends_the_server_at_once_and_loses_no_call() {
    let (models, brain, mut routing) = at_work().await;
    let counts = Arc::new(Counts::default());
    let clients = clients(&routing, &counts).await;
    routing.signal("TERM");
    waiting::until_true("the drain", || async { routing.status().await["draining"] == json!(true) }).await;
    // Each client has heard that its connection ends, so none is kept while the second signal ends the phase.
    let asked = counts.next.load(Ordering::Relaxed);
    waiting::until_true("calls", || async { counts.next.load(Ordering::Relaxed) > asked + 10 * CLIENTS }).await;
    let began = Instant::now();
    routing.signal("TERM");
    assert!(routing.ended().await.success());
    assert!(began.elapsed() < Duration::from_secs(8), "it did not wait out the 10 s: {:?}", began.elapsed());
    nothing_was_lost(clients, &counts, &models, &brain).await;
}

/// A program that handles no SIGTERM yet cannot be stopped in a container, where it is process 1: there the kernel drops
/// signals that are not handled, and the pod takes its whole grace to end. So it handles them before all else.
#[tokio::test]
async fn sigterm_before_it_is_ready_ends_it_at_once_and_it_listens_on_nothing() {
    let policy = slow_to_read();
    let early: Vec<bool> = (0..ROUNDS).map(|_| handles_sigterm_before_it_listens(&policy)).collect();
    assert!(early.contains(&true), "{early:?}");
}

/// So often it is tried whether the test is fast enough to see it before it listens.
const ROUNDS: usize = 5;
/// Of the signals in `/proc/PID/status`.
const SIGTERM: u64 = 1 << 14;

/// A policy whose reading takes much longer than the rest of the start.
fn slow_to_read() -> String {
    let properties = (0..200).map(|i| (format!("p{i}"), json!({"type": "string"})));
    let schema = json!({"type": "object", "properties": properties.collect::<serde_json::Map<_, _>>()});
    let stage = json!({"system": {"text": "s"}, "user": "u"});
    let skill = |i| json!({"name": format!("s{i}"), "description": "d", "inputSchema": schema, "stages": [stage]});
    Policy::at("http://127.0.0.1:1").spec(json!({"skills": (0..64).map(skill).collect::<Vec<_>>()})).to_string()
}

/// Starts the program and sends SIGTERM as soon as it handles that. Whether nothing listened then.
fn handles_sigterm_before_it_listens(policy: &str) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("policy.yaml"), policy).expect("written");
    let log = folder.path().join("log");
    let mut routing = Command::new(program::binary())
        .args(["serve", "--policy", "policy.yaml"])
        .env_clear()
        .env("ROUTING_BIND", "127.0.0.1")
        .env("ROUTING_PORT", tests::ports::free().to_string())
        .env("ROUTING_ADMIN_PORT", tests::ports::free().to_string())
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).expect("a log"))
        .spawn()
        .expect("the binary starts");
    let began = Instant::now();
    while memory::handled_signals(routing.id()) & SIGTERM == 0 {
        assert!(began.elapsed() < waiting::LIMIT, "it never handles SIGTERM");
        std::thread::yield_now();
    }
    let listened = || std::fs::read_to_string(&log).expect("a log").contains("listening");
    let early = !listened();
    let killed = Command::new("kill").args(["-s", "TERM", &routing.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let ended = routing.wait().expect("ended");
    assert!(ended.success(), "{ended:?}: {:.600}", std::fs::read_to_string(&log).expect("a log"));
    early && !listened()
}
