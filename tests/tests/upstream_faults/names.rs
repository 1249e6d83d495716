//! Endpoints whose name takes long to find, or for ever.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::json;
use tests::{
    Policy,
    at_rest::AtRest,
    calls::CALLS,
    fault_server::{FaultServer, GOOD, answer_to},
    load::{Got, Load},
    program::{Program, Running},
    small_disk::SmallDisk,
    waiting,
};
use tokio::net::UdpSocket;

use super::{
    ATTEMPT, PATIENT,
    campaign::Campaign,
    claude_alone,
    hanging::{Bursts, hasty},
    name_server::{NameServer, SLOW, UNKNOWN},
    unreachable::{claude_answers, error, with_local_at},
};

/// Addresses of this machine that nothing else uses, each of one test.
const SILENT_NAME_SERVER: &str = "127.0.53.1";
const SLOW_NAME_SERVER: &str = "127.0.53.2";
const SILENT_NAME_SERVER_OF_LOCAL: &str = "127.0.53.3";
const SLOW_NAME_SERVER_OF_LOCAL: &str = "127.0.53.4";
const NAME_SERVER_WITHOUT_THE_NAME: &str = "127.0.53.5";
/// The slow name is found no sooner.
const LATE: Duration = Duration::from_secs(2);
/// Calls that need the slow name at once: if each took a thread, other calls would be without one. More follow when it is
/// found.
const WAITING: usize = 200;
/// Calls that do not need it.
const OTHERS: usize = 10;
/// What a question for a name consists of: one for each kind of address.
const ONE_QUESTION: usize = 2;

/// A port on which a name server listens.
async fn bound(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind((address, 53)).await;
    socket.unwrap_or_else(|e| panic!("port 53 of {address}: {e}; run the tests as root"))
}

/// A program that asks this name server, and waits for its answer for minutes, as long as what is returned beside it is
/// there.
fn seeing(name_server: &str, program: Program) -> (Program, SmallDisk) {
    let mut disk = SmallDisk::of_mib(1);
    let program = program.within(&disk);
    let resolver = program.folder().join("resolv.conf");
    std::fs::write(&resolver, format!("nameserver {name_server}\noptions timeout:30 attempts:5\n")).expect("written");
    disk.show(&resolver, "/etc/resolv.conf");
    (program, disk)
}

/// A data plane that asks this name server, the file of its policy, and what the program sees besides as long as this is
/// there.
async fn asking(name_server: &str, policy: &Policy) -> (Running, PathBuf, SmallDisk) {
    let (program, disk) = seeing(name_server, Program::serve());
    let file = program.folder().join("policy.yaml");
    std::fs::write(&file, policy.to_string()).expect("written");
    // Its folder is not the one that it is started in: it enters another name space.
    let program = program.variable("ROUTING_POLICY_FILE", &file.display().to_string());
    (program.start().await, file, disk)
}

/// A name server that hears everything and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_that_does_not_answer_costs_each_call_its_time_and_blocks_nothing_else() {
    let silent = bound(SILENT_NAME_SERVER).await;
    let (routing, file, _disk) = asking(SILENT_NAME_SERVER, &claude_alone("http://model.invalid", ATTEMPT)).await;
    let mut campaign = Campaign::of(routing);
    campaign.claude(&error("a name that nobody answers for", "timeout")).await;
    let mut asked = [0; 512];
    assert!(silent.try_recv(&mut asked).is_ok(), "the name server was asked");
    // Files are read by the same threads that ask for names: a changed policy takes effect all the same.
    let good = FaultServer::start().await;
    let routing = campaign.routing();
    let hash = routing.status().await["configHash"].clone();
    std::fs::write(file, claude_alone(&good.url(), ATTEMPT).to_string()).expect("written");
    waiting::until_true("the changed policy", || async { routing.status().await["configHash"] != hash }).await;
    println!("held while names are asked for: {:?}", routing.held());
    assert!(routing.held().threads < 64, "{:?}", routing.held());
    campaign.leaves_nothing_behind().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_that_does_not_answer_costs_the_local_model_its_own_time_and_then_claude_answers() {
    let _silent = bound(SILENT_NAME_SERVER_OF_LOCAL).await;
    let claude = FaultServer::start().await;
    let (url, other) = ("http://model.invalid", FaultServer::start().await);
    let policy = hasty(url, &claude.url());
    let (routing, file, _disk) = asking(SILENT_NAME_SERVER_OF_LOCAL, &policy).await;
    let mut bursts = Bursts::of(routing, file, policy, url);
    bursts.meet(&error("a local name that nobody answers for", "timeout"), &claude).await;
    bursts.change_to(&hasty(&other.url(), &claude.url())).await;
    let held = bursts.routing().held();
    println!("held while names are asked for: {held:?}");
    assert!(held.threads < 64, "{held:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_model_whose_name_there_is_not_has_one_record_for_each_call_and_claude_answers() {
    let _names = NameServer::start(bound(NAME_SERVER_WITHOUT_THE_NAME).await, LATE);
    let claude = FaultServer::start().await;
    let program = with_local_at(&format!("http://{UNKNOWN}"), &claude);
    let (program, _disk) = seeing(NAME_SERVER_WITHOUT_THE_NAME, program);
    claude_answers("a name that there is not", program, &claude, "its name cannot be resolved").await;
}

/// `debug` goes to a model whose name is found late, `retrospective` to one whose name is found at once.
fn late_and_at_once(models: &FaultServer, [late, at_once]: [&str; 2]) -> Policy {
    let at = |name: &str| models.url().replace("127.0.0.1", name);
    let skills = json!([{"name": "debug", "route": late}, {"name": "retrospective", "route": at_once}]);
    let (side, model) = (late.to_lowercase(), json!({"upstream": {"url": at(SLOW)}, "timeout": PATIENT}));
    Policy::at(&at("quick.invalid")).local(GOOD).claude(GOOD).spec(json!({"skills": skills, "models": {side: model}}))
}

/// While calls wait for the name, others are answered.
async fn others_are_answered(routing: &Running, names: &NameServer) {
    names.asked().await;
    let in_flight = || async { routing.metric("routing_in_flight_calls").await };
    waiting::until_true("all calls", || async { in_flight().await == WAITING as f64 }).await;
    let mcp = routing.mcp();
    for _ in 0..OTHERS {
        let result = mcp.result("retrospective", json!({"project_root": "/tmp"})).await;
        assert!(!result.is_error(), "{result:?}");
    }
    println!("held while {WAITING} calls wait for a name: {:?}", routing.held());
    assert!(routing.held().threads < 64, "{:?}", routing.held());
    assert_eq!(in_flight().await, WAITING as f64, "all of them still wait");
}

/// `routes`: that of the calls which need the name, and that of the others.
async fn a_late_name_delays_no_others(name_server: &str, routes: [&str; 2]) {
    let names = NameServer::start(bound(name_server).await, LATE);
    let models = FaultServer::start().await;
    let (routing, _file, _disk) = asking(name_server, &late_and_at_once(&models, routes)).await;
    let before = AtRest::of(&routing).await;
    let (began, load, mut answered) = (Instant::now(), Load::of(&routing.mcp_url()), 0);
    let calls = load.calls(0..CALLS, WAITING, |number, got| {
        let Got::Result(result) = got else { panic!("call {number}: {got:?}") };
        assert!(!result.is_error() && result.text(0) == answer_to(number), "call {number}: {result:?}");
        assert_eq!(result.decisions("decision"), [json!(routes[0].to_lowercase())], "call {number}");
        answered += 1;
    });
    let others = async {
        others_are_answered(&routing, &names).await;
        names.answer();
    };
    tokio::join!(calls, others);
    drop(load);
    println!(
        "{answered} calls after {:.1} s, at most {} questions at once",
        began.elapsed().as_secs_f64(),
        names.most()
    );
    // That they waited for the name shows above: it was answered after the others.
    assert_eq!(answered, CALLS);
    assert_eq!(names.most(), ONE_QUESTION, "the name is asked for once, however many calls wait");
    routing.has_recorded(CALLS + OTHERS).await;
    before.is_back(&routing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_that_answers_late_delays_the_calls_that_need_the_name_and_no_others() {
    a_late_name_delays_no_others(SLOW_NAME_SERVER, ["Claude", "Local"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_that_answers_late_delays_the_calls_of_a_local_model_and_no_others() {
    a_late_name_delays_no_others(SLOW_NAME_SERVER_OF_LOCAL, ["Local", "Claude"]).await;
}
