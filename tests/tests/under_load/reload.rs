//! A hundred changes a second, in every way in which files are written, also half of them at a time.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    load::{Got, Load},
    mcp::CallResult,
    program::{Program, Running},
    stand_in::models::Models,
    volume, waiting,
};

/// How long files are changed.
const CHANGING: Duration = Duration::from_secs(10);
/// Time between two changes: a hundred a second.
const BETWEEN: Duration = Duration::from_millis(10);
/// How long a writer rests in the middle of a file: much longer than the data plane waits for more.
const REST: Duration = Duration::from_millis(400);
/// Calls in flight meanwhile.
const AT_A_TIME: usize = 8;

const NAMES: [&str; 2] = ["one", "two"];
const FLOORS: [f64; 2] = [0.91, 0.82];

/// One of two policies that differ in every field that shows in an answer or a record. Each beginning of it that ends
/// with one of the last lines is a policy, too: one that nobody wrote.
fn policy(url: &str, which: usize) -> String {
    let name = NAMES[which];
    let stage = json!({"system": {"text": format!("system of {name}")}, "user": "{{ args.problem }}"});
    [
        "apiVersion: routing.hyperguild.io/v1alpha1",
        "kind: RoutingPolicy",
        "metadata: {name: routing}",
        "spec:",
        &format!("  upstream: {{url: \"{url}\"}}"),
        &format!("  models: {{local: {{name: local-{name}}}, claude: {{name: claude-{name}}}}}"),
        &format!("  thresholds: {{floor: \"{}\", ceil: \"0.5\"}}", FLOORS[which]),
        &format!("  skills: [{}]", json!({"name": "debug", "stages": [stage]})),
        "  timeouts: {local: 50s, total: 100s}",
        "  limits: {inFlight: 300}",
        "",
    ]
    .join("\n")
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Beside it, then renamed, as editors do.
    Rename,
    /// Emptied, then a line at a time.
    InPieces,
    /// A folder, and a link that is swapped, as the kubelet does.
    LinkSwap,
}

fn write(folder: &Path, text: &str, way: Way, count: usize) {
    let file = folder.join("policy.yaml");
    match way {
        Way::Rename => {
            let beside = folder.join(".policy.yaml.swp");
            fs::write(&beside, text).expect("written");
            fs::rename(beside, file).expect("renamed");
        }
        Way::InPieces => in_pieces(&file, text, BETWEEN / 20),
        Way::LinkSwap => volume::swap(folder, &format!("..{count}"), &[("policy.yaml", text)]),
    }
}

/// Empties a file and writes it anew, and rests after each line.
fn in_pieces(file: &Path, text: &str, rest: Duration) {
    let mut file = File::create(file).expect("emptied");
    for line in text.split_inclusive('\n') {
        file.write_all(line.as_bytes()).expect("written");
        std::thread::sleep(rest);
    }
}

async fn started(models: &Models, way: Way) -> Running {
    let program = Program::serve_policy(&policy(&models.url(), 0));
    if way == Way::LinkSwap {
        fs::remove_file(program.folder().join("policy.yaml")).expect("removed");
        write(program.folder(), &policy(&models.url(), 0), way, 0);
    }
    program.start().await
}

/// The hashes of both policies, as the program reports them.
async fn hashes(url: &str) -> [Value; 2] {
    let mut hashes = [json!(null), json!(null)];
    for which in [0, 1] {
        let routing = Program::serve_policy(&policy(url, which)).start().await;
        hashes[which] = routing.status().await["configHash"].clone();
    }
    hashes
}

/// Which of the policies decided a call: all that shows fits one of them.
fn decided_by(result: &CallResult, hashes: &[Value; 2]) -> usize {
    let hash = result.decisions("policyHash");
    let which = hashes.iter().position(|known| hash[..] == [known.clone()]);
    let which = which.unwrap_or_else(|| panic!("a policy that nobody wrote: {result:?}"));
    assert_eq!(result.text(0), format!("answer of local-{}", NAMES[which]), "{result:?}");
    assert_eq!(result.decisions("model"), [json!(format!("local-{}", NAMES[which]))], "{result:?}");
    which
}

/// Makes calls until told to stop, and returns how many each policy decided.
async fn calls(routing: &Running, hashes: &[Value; 2], stop: &AtomicBool) -> [usize; 2] {
    let mut decided = [0, 0];
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
async fn consistent(routing: &Running, models: &Models, hashes: &[Value; 2], count: usize) {
    for request in models.received() {
        let name = request.model().strip_prefix("local-").expect("a local model").to_string();
        assert_eq!(request.message(0), format!("system of {name}"));
    }
    let log = waiting::until("the records", || async {
        let log = routing.log();
        (log.matches(r#""message":"decided""#).count() >= count).then_some(log)
    })
    .await;
    let mut records = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains(r#""message":"decided""#)) {
        let record: Value = serde_json::from_str(line).expect("a line of JSON");
        let which = hashes.iter().position(|hash| *hash == record["policy_hash"]).expect("one of the policies");
        let fits = (json!(format!("local-{}", NAMES[which])), json!(FLOORS[which]));
        assert_eq!((record["model"].clone(), record["floor"].clone()), fits, "{line}");
        *records.entry(which).or_insert(0) += 1;
    }
    assert_eq!(records.values().sum::<usize>(), count, "one record for each call");
    assert_eq!(routing.status().await["origin"], "policy");
}

/// Writes the two policies in turn all the time while calls are made, and then the second.
async fn a_hundred_changes_a_second(way: Way) {
    let models = Models::start().await;
    let url = models.url();
    let hashes = hashes(&url).await;
    let routing = started(&models, way).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (folder, stop) = (routing.folder().to_path_buf(), Arc::clone(&stop));
        move || {
            let began = Instant::now();
            let mut count = 0;
            while began.elapsed() < CHANGING {
                count += 1;
                write(&folder, &policy(&url, count % 2), way, count);
                std::thread::sleep(
                    (BETWEEN * u32::try_from(count).unwrap_or(u32::MAX)).saturating_sub(began.elapsed()),
                );
            }
            count += 1;
            write(&folder, &policy(&url, 1), way, count);
            stop.store(true, Ordering::Relaxed);
            count
        }
    });
    let decided = calls(&routing, &hashes, &stop).await;
    let changes = writer.join().expect("files can be written");
    waiting::until_true("the last policy", || async { routing.status().await["configHash"] == hashes[1] }).await;
    let applied = routing.metric(r#"routing_config_reloads_total{kind="applied"}"#).await;
    println!("{way:?}: {changes} changes, {applied} applied, {decided:?} calls by each policy");
    assert!(changes > 100 && applied > 0.0, "{changes} changes in {CHANGING:?}, {applied} applied");
    consistent(&routing, &models, &hashes, decided.iter().sum()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_renamed_a_hundred_times_a_second_fail_no_call_and_mix_no_policies() {
    a_hundred_changes_a_second(Way::Rename).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_emptied_and_written_a_hundred_times_a_second_fail_no_call_and_mix_no_policies() {
    a_hundred_changes_a_second(Way::InPieces).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_swapped_a_hundred_times_a_second_fail_no_call_and_mix_no_policies() {
    a_hundred_changes_a_second(Way::LinkSwap).await;
}

/// What changes all the time is read from time to time; here each change waits until the one before is in force.
#[tokio::test(flavor = "multi_thread")]
async fn policies_that_change_as_fast_as_they_are_taken_fail_no_call_and_never_mix() {
    let models = Models::start().await;
    let url = models.url();
    let hashes = hashes(&url).await;
    let routing = started(&models, Way::Rename).await;
    let stop = AtomicBool::new(false);
    let change = async {
        let (began, mut changes) = (Instant::now(), 0);
        while began.elapsed() < CHANGING {
            changes += 1;
            write(routing.folder(), &policy(&url, changes % 2), Way::Rename, changes);
            let is_new = || async { routing.status().await["configHash"] == hashes[changes % 2] };
            waiting::until_true("the change", is_new).await;
        }
        stop.store(true, Ordering::Relaxed);
        changes
    };
    let (changes, decided) = tokio::join!(change, calls(&routing, &hashes, &stop));
    let applied = routing.metric(r#"routing_config_reloads_total{kind="applied"}"#).await;
    println!("{applied} reloads in {CHANGING:?}, {decided:?} calls by each policy");
    assert!(applied >= changes as f64 && decided.iter().all(|calls| *calls > 0), "{changes} changes");
    consistent(&routing, &models, &hashes, decided.iter().sum()).await;
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
    waiting::until_true("the whole policy", || async { routing.status().await["configHash"] == hashes[1] }).await;
    assert_eq!(routing.metric(r#"routing_config_reloads_total{kind="refused"}"#).await, 0.0, "no half was read");
    assert_eq!(routing.metric(r#"routing_config_reloads_total{kind="applied"}"#).await, 1.0);
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
            let began = Instant::now();
            let mut count = 0;
            while began.elapsed() < CHANGING {
                count += 1;
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
    let applied = routing.metric(r#"routing_config_reloads_total{kind="applied"}"#).await;
    println!("{applied} versions applied in {} calls", seen / 2);
    assert!(applied >= 2.0, "{applied}");
}
