//! A hundred changes a second, in every way in which files are written, also half of them at a time; and changes that
//! come as fast as they are taken.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tests::{
    fault_rows::lines_of,
    load::{Got, Load},
    program::{Program, Running},
    stand_in::models::Models,
    volume, waiting,
};

use super::changes::{FLOORS, Hashes, NAMES, POLICIES, Way, decided_by, hashes, in_pieces, policy, started, write};

/// Time between two changes: a hundred a second.
const BETWEEN: Duration = Duration::from_millis(10);
/// So many take ten seconds.
const CHANGES: usize = 1000;
/// How long a writer rests in the middle of a file: much longer than the data plane waits for more.
const REST: Duration = Duration::from_millis(400);
/// Calls in flight meanwhile.
const AT_A_TIME: usize = 8;
const APPLIED: &str = r#"routing_config_reloads_total{kind="applied"}"#;

/// Makes calls until told to stop, and returns how many each policy decided.
async fn calls(routing: &Running, hashes: &Hashes, stop: &AtomicBool) -> [usize; POLICIES] {
    let mut decided = [0; POLICIES];
    let load = Load::of(&routing.mcp_url());
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        load.calls(next..next + AT_A_TIME * 4, AT_A_TIME, |number, got| {
            let Got::Result(result) = got else { panic!("call {number}: {got:?}") };
            decided[decided_by(&result, hashes)] += 1;
        })
        .await;
        next += AT_A_TIME * 4;
    }
    decided
}

/// What the models got and what was recorded fits one policy each, too.
async fn consistent(routing: &Running, models: &Models, hashes: &Hashes, count: usize) {
    for request in models.received() {
        let name = request.model().strip_prefix("local-").expect("a local model").to_string();
        assert_eq!(request.message(0), format!("system of {name}"));
    }
    routing.has_recorded(count).await;
    for record in lines_of(&routing.log(), "decided") {
        let which = hashes.iter().position(|hash| *hash == record["policy_hash"]).expect("one of the policies");
        let fits = (json!(format!("local-{}", NAMES[which])), json!(FLOORS[which]));
        assert_eq!((record["model"].clone(), record["floor"].clone()), fits, "{record}");
    }
    assert_eq!(routing.status().await["origin"], "policy");
}

/// Writes the policies in turn all the time while calls are made, and then the second. At least so many of the changes
/// take effect; of those that come while one is read, the last does.
async fn a_hundred_changes_a_second(way: Way, at_least: f64) {
    let models = Models::start().await;
    let url = models.url();
    let hashes = hashes(&url).await;
    let routing = started(&models, way).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (folder, stop) = (routing.folder().to_path_buf(), Arc::clone(&stop));
        move || {
            let began = Instant::now();
            for count in 1..=CHANGES {
                write(&folder, &policy(&url, count % POLICIES), way, count);
                let due = BETWEEN * u32::try_from(count).unwrap_or(u32::MAX);
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
            write(&folder, &policy(&url, 1), way, CHANGES + 1);
            stop.store(true, Ordering::Relaxed);
            began.elapsed()
        }
    });
    let decided = calls(&routing, &hashes, &stop).await;
    let took = writer.join().expect("files can be written");
    // A change is in force a moment before it is counted.
    let is_last = || async { routing.status().await["configHash"] == hashes[1] && routing.metric(APPLIED).await > 0.0 };
    waiting::until_true("the last policy", is_last).await;
    let applied = routing.metric(APPLIED).await;
    println!("{way:?}: {CHANGES} changes in {took:?}, {applied} applied, {decided:?} calls by each policy");
    assert!(applied >= at_least, "{applied} of {CHANGES} changes in {took:?} took effect");
    consistent(&routing, &models, &hashes, decided.iter().sum()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_renamed_a_hundred_times_a_second_fail_no_call_and_mix_no_policies() {
    // Each is waited for as long as its writer might go on, twenty a second at most.
    a_hundred_changes_a_second(Way::Rename, 20.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_emptied_and_written_a_hundred_times_a_second_fail_no_call_and_mix_no_policies() {
    // Hardly ever is such a file whole; the last one is.
    a_hundred_changes_a_second(Way::InPieces, 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_swapped_a_hundred_times_a_second_fail_no_call_and_mix_no_policies() {
    a_hundred_changes_a_second(Way::LinkSwap, 50.0).await;
}

/// What changes all the time is read from time to time; here each change waits until the one before is in force.
async fn changes_as_fast_as_they_are_taken(way: Way, changes: usize) {
    let models = Models::start().await;
    let url = models.url();
    let hashes = hashes(&url).await;
    let routing = started(&models, way).await;
    let stop = AtomicBool::new(false);
    let change = async {
        let began = Instant::now();
        for count in 1..=changes {
            let which = count % POLICIES;
            let (folder, text) = (routing.folder().to_path_buf(), policy(&url, which));
            let written = tokio::task::spawn_blocking(move || write(&folder, &text, way, count));
            written.await.expect("files can be written");
            let is_new = || async { routing.status().await["configHash"] == hashes[which] };
            waiting::until_true("the change", is_new).await;
        }
        stop.store(true, Ordering::Relaxed);
        began.elapsed()
    };
    let (took, decided) = tokio::join!(change, calls(&routing, &hashes, &stop));
    println!("{way:?}: {changes} changes in {took:?}, {decided:?} calls by each policy");
    // A change is in force a moment before it is counted.
    waiting::until_true("the count", || async { routing.metric(APPLIED).await >= changes as f64 }).await;
    assert_eq!(routing.metric(APPLIED).await, changes as f64, "each took effect once, and whole");
    assert!(decided.iter().all(|calls| *calls > 0), "{decided:?}");
    consistent(&routing, &models, &hashes, decided.iter().sum()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_swapped_as_fast_as_they_are_taken_are_each_in_force_and_never_mix() {
    changes_as_fast_as_they_are_taken(Way::LinkSwap, 300).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_renamed_as_fast_as_they_are_taken_are_each_in_force_and_never_mix() {
    changes_as_fast_as_they_are_taken(Way::Rename, 80).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_emptied_and_written_as_fast_as_they_are_taken_are_each_in_force_and_never_mix() {
    changes_as_fast_as_they_are_taken(Way::InPieces, 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_writer_rests_in_the_middle_takes_effect_only_when_it_is_whole() {
    let models = Models::start().await;
    let url = models.url();
    let hashes = hashes(&url).await;
    let routing = started(&models, Way::InPieces).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (file, stop) = (routing.folder().join("policy.yaml"), Arc::clone(&stop));
        move || {
            in_pieces(&file, &policy(&url, 1), REST);
            stop.store(true, Ordering::Relaxed);
        }
    });
    let decided = calls(&routing, &hashes, &stop).await;
    writer.join().expect("files can be written");
    // A change is in force a moment before it is counted.
    let is_last = || async { routing.status().await["configHash"] == hashes[1] && routing.metric(APPLIED).await > 0.0 };
    waiting::until_true("the whole policy", is_last).await;
    assert_eq!(routing.metric(r#"routing_config_reloads_total{kind="refused"}"#).await, 0.0, "no half was read");
    assert_eq!(routing.metric(APPLIED).await, 1.0);
    consistent(&routing, &models, &hashes, decided.iter().sum()).await;
}

/// A ConfigMap has two texts, which are swapped together; a policy never has one of each.
#[tokio::test(flavor = "multi_thread")]
async fn the_texts_of_a_config_map_are_of_one_version() {
    let models = Models::start().await;
    let text = |key: &str| json!({"configMapKeyRef": {"name": "prompts", "key": key}});
    let stages = json!([
        {"system": text("a.md"), "user": "{{ args.problem }}"},
        {"system": text("b.md"), "user": "{{ previous }}"},
    ]);
    let spec = json!({"skills": [{"name": "debug", "stages": stages}]});
    let program =
        Program::serve_policy(&tests::Policy::at(&models.url()).spec(spec)).arguments(&["--configmaps", "maps"]);
    let maps = program.folder().join("maps/prompts");
    let swap = |folder: &Path, count: usize| {
        let text = format!("version {count}");
        volume::swap(folder, &format!("..{count}"), &[("a.md", &text), ("b.md", &text)]);
    };
    swap(&maps, 0);
    let routing = program.start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            for count in 1..=CHANGES / 4 {
                swap(&maps, count);
                // With pauses, so that it is read again and again.
                std::thread::sleep(if count % 10 == 0 { BETWEEN * 30 } else { BETWEEN });
            }
            stop.store(true, Ordering::Relaxed);
        }
    });
    let mut seen = 0;
    while !stop.load(Ordering::Relaxed) {
        let result = routing.mcp().debug("x").await;
        assert!(!result.is_error(), "{result:?}");
        let [first, second] = &models.received()[seen..] else { panic!("two model calls") };
        assert_eq!(first.message(0), second.message(0), "both texts are of one version");
        seen += 2;
    }
    writer.join().expect("files can be written");
    let applied = routing.metric(APPLIED).await;
    println!("{applied} versions applied in {} calls", seen / 2);
    assert!(applied >= 2.0, "{applied}");
}
