//! Endpoints whose name takes long to find, or for ever.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::json;
use tests::{
    Policy,
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
    name_server::{NameServer, SLOW},
    table::CALLS,
    unreachable::error,
};

/// Addresses of this machine that nothing else uses.
const SILENT_NAME_SERVER: &str = "127.0.53.1";
const SLOW_NAME_SERVER: &str = "127.0.53.2";
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

/// A data plane that asks this name server, the file of its policy, and what the program sees besides as long as this is
/// there.
async fn asking(name_server: &str, policy: &Policy) -> (Running, PathBuf, SmallDisk) {
    let mut disk = SmallDisk::of_mib(1);
    let program = Program::serve().within(&disk);
    let [resolver, file] = ["resolv.conf", "policy.yaml"].map(|name| program.folder().join(name));
    std::fs::write(&resolver, format!("nameserver {name_server}\noptions timeout:30 attempts:1\n")).expect("written");
    disk.show(&resolver, "/etc/resolv.conf");
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
}

/// `debug` goes to a model whose name is found late, `retrospective` to one whose name is found at once.
fn late_and_at_once(models: &FaultServer) -> Policy {
    let at = |name: &str| models.url().replace("127.0.0.1", name);
    let skills = json!([{"name": "debug", "route": "Claude"}, {"name": "retrospective", "route": "Local"}]);
    let claude = json!({"upstream": {"url": at(SLOW)}, "timeout": PATIENT});
    Policy::at(&at("quick.invalid"))
        .local(GOOD)
        .claude(GOOD)
        .spec(json!({"skills": skills, "models": {"claude": claude}}))
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

#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_that_answers_late_delays_the_calls_that_need_the_name_and_no_others() {
    let names = NameServer::start(bound(SLOW_NAME_SERVER).await, LATE);
    let models = FaultServer::start().await;
    let (routing, _file, _disk) = asking(SLOW_NAME_SERVER, &late_and_at_once(&models)).await;
    let campaign = Campaign::of(routing);
    let routing = campaign.routing();
    let (began, load, mut answered) = (Instant::now(), Load::of(&routing.mcp_url()), 0);
    let calls = load.calls(0..CALLS, WAITING, |number, got| {
        let Got::Result(result) = got else { panic!("call {number}: {got:?}") };
        assert!(!result.is_error() && result.text(0) == answer_to(number), "call {number}: {result:?}");
        answered += 1;
    });
    let others = async {
        others_are_answered(routing, &names).await;
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
    campaign.leaves_nothing_behind().await;
}
