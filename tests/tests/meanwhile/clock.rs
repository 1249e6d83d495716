//! A clock that is set back by an hour must neither lengthen a deadline nor age a pass rate: both use the clock that only
//! goes forward. The sources are searched for the other one, and a real data plane lives through it.

use std::{
    collections::BTreeSet,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    Policy,
    calls::{self, CALLS},
    checkout,
    fault_server::{Act, Answer, FAULTY, Fault, FaultServer, GOOD, Point, answer_to},
    load::{Got, Load},
    program::{Program, Running},
    stand_in::brain::Brain,
    waiting,
    wall_clock::WallClock,
};

/// The files of the data plane that read the clock on the wall, and what for.
const ON_THE_WALL: [(&str, &str); 4] = [
    ("cli/hook/kept.rs", "the age of files that a hook left behind"),
    ("clock.rs", "times in records and in /status"),
    ("still.rs", "whether a file changed a moment ago; a wrong clock only makes it wait for 50 ms"),
    ("traces/evaluation.rs", "the time of an event for OpenTelemetry"),
];
/// Those that ask `clock.rs`.
const IN_RECORDS: [(&str, &str); 8] = [
    ("admin.rs", "when the next trial of a model is, as it is shown"),
    ("cli/evidence.rs", "ages that are shown"),
    ("cli/hook.rs", "the age of what a hook kept"),
    ("cli/hook/asked.rs", "the same"),
    ("cli/status.rs", "ages that are shown"),
    ("config/reload.rs", "since when a policy is refused"),
    ("decision.rs", "the time in a record"),
    ("upstream/reach.rs", "since when an endpoint is reached"),
];

fn that_name(word: &str) -> BTreeSet<String> {
    let found = Command::new("git")
        .args(["grep", "--no-index", "-lF", word, "--", "."])
        .current_dir(checkout().join("dataplane/src"))
        .output()
        .expect("git runs");
    String::from_utf8(found.stdout).expect("UTF-8").lines().map(str::to_string).collect()
}

#[test]
fn only_times_that_are_shown_or_stored_come_from_the_clock_on_the_wall() {
    for (word, known) in [("SystemTime", &ON_THE_WALL[..]), ("clock::now_ms()", &IN_RECORDS[..])] {
        let known = known.iter().map(|(file, _)| (*file).to_string()).collect();
        assert_eq!(that_name(word), known, "{word}: a deadline or an age uses std::time::Instant");
    }
}

const HOUR: Duration = Duration::from_secs(3600);
/// The time of an attempt of the local model.
const ATTEMPT: Duration = Duration::from_secs(3);
/// Calls at a time once the clock has gone back.
const AT_A_TIME: usize = 100;
/// Fewer than failures after which the local model is left alone.
const IN_FLIGHT: usize = 3;

/// The records of its log, in order.
async fn records(routing: &Running, count: usize) -> Vec<Value> {
    let found = waiting::until("the records", || async {
        let log = routing.log();
        let lines = log.lines().map(serde_json::from_str::<Value>);
        let lines: Vec<_> = lines.collect::<Result<_, _>>().ok()?;
        let records: Vec<_> = lines.into_iter().filter(|line| line["message"] == "decided").collect();
        (records.len() >= count).then_some(records)
    });
    found.await
}

fn ids(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["id"].as_str().expect("an id")).collect()
}

/// Calls whose local model hangs, and during which the clock goes back.
async fn calls_in_flight(routing: &Running, models: &FaultServer, clock: &WallClock) {
    models.fail(Fault::at(Point::Asked, Act::Hang));
    let began = Instant::now();
    let mcp = routing.mcp();
    let calls = futures::future::join_all((0..IN_FLIGHT).map(|_| mcp.debug("it hangs")));
    let back = async {
        waiting::until_true("the calls", || async { models.asked().0 == IN_FLIGHT }).await;
        clock.set(&format!("-{}", HOUR.as_secs()));
    };
    let (results, ()) = tokio::join!(calls, back);
    println!("answered {:.1} s after they began", began.elapsed().as_secs_f64());
    for result in results {
        assert_eq!(result.decisions("error"), [json!("timeout"), Value::Null], "{result:?}");
    }
}

/// A thousand calls go where the brain's rate sends them, and have a record each.
async fn others_follow(routing: &Running, recorded: usize) {
    let (began, mut answered) = (Instant::now(), 0);
    let each = |number: usize, got: Got| {
        let Got::Result(result) = got else { panic!("call {number}: {got:?}") };
        assert!(!result.is_error() && result.text(0) == answer_to(number), "call {number}: {result:?}");
        assert_eq!(result.decisions("reason"), [json!("below_ceil")], "call {number}");
        answered += 1;
    };
    Load::of(&routing.mcp_url()).calls(0..CALLS, AT_A_TIME, each).await;
    assert_eq!(answered, CALLS);
    calls::print("after the clock has gone back", CALLS, began);
    routing.has_recorded(recorded + CALLS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_by_an_hour_lengthens_no_deadline_and_holds_no_pass_rate() {
    let (models, brain) = (FaultServer::start().await, Brain::that_takes_decisions(Brain::rate("0.95")).await);
    let policy = Policy::at(&models.url()).local(FAULTY).claude(GOOD).spec(json!({
        "brain": {"url": brain.url()},
        "evidence": {"ttl": "1s"},
        "timeouts": {"local": format!("{}s", ATTEMPT.as_secs())},
    }));
    let clock = WallClock::new();
    let program = Program::serve_policy(&policy);
    let set = |program: Program, (name, value): (String, String)| program.variable(&name, &value);
    let mut routing = clock.variables().into_iter().fold(program, set).start().await;
    calls_in_flight(&routing, &models, &clock).await;
    let before = records(&routing, 2 * IN_FLIGHT).await;
    brain.answer(Brain::rate("0.1"));
    models.fail(Fault::answer(Answer::good()));
    let (mcp, mut calls, began) = (routing.mcp(), 0, Instant::now());
    waiting::until_true("the brain's new rate", || {
        calls += 1;
        let (mcp, problem) = (&mcp, format!("call {calls}"));
        async move { mcp.debug(&problem).await.decisions("reason") == [json!("below_ceil")] }
    })
    .await;
    println!("the brain's new rate counts after {:.1} s", began.elapsed().as_secs_f64());
    let all = records(&routing, before.len() + calls).await;
    assert_eq!(all.len(), before.len() + calls, "one record of each attempt");
    waiting::until_true("the brain has them all", || async { brain.entries().len() == all.len() }).await;
    are_as_if_no_clock_had_been_set(&before, &all[before.len()..]);
    only_what_is_shown_went_back(&brain, ids(&before)[0], ids(&all)[before.len()]);
    others_follow(&routing, all.len()).await;
    routing.signal("TERM");
    assert!(routing.ended().await.success());
}

/// Records of attempts that were under way when the clock went back, and of calls after that, one at a time.
fn are_as_if_no_clock_had_been_set(before: &[Value], after: &[Value]) {
    for record in before.iter().filter(|record| record["error"] == "timeout") {
        let took = Duration::from_millis(record["duration_ms"].as_u64().expect("a number"));
        assert!(took >= ATTEMPT && took < waiting::LIMIT, "{record}");
    }
    // Those under way end in any order.
    let (mut before, after) = (ids(before), ids(after));
    before.sort_unstable();
    let all = [before, after].concat();
    assert!(all.is_sorted_by(|one, next| one < next), "ids sort in the order of the attempts: {all:?}");
}

fn only_what_is_shown_went_back(brain: &Brain, before: &str, after: &str) {
    let entries = brain.entries();
    let time_of = |id: &str| {
        let decisions = entries.iter().map(|entry| &entry["params"]["arguments"]["decision"]);
        let time = decisions.filter(|decision| decision["id"] == id).find_map(|decision| decision["time_ms"].as_u64());
        time.unwrap_or_else(|| panic!("{id} is not in the brain"))
    };
    let back = time_of(before).saturating_sub(time_of(after));
    println!("the times of records went back by {back} ms");
    assert!(Duration::from_millis(back) > HOUR / 2, "the clock was not set");
}
