//! Endpoints to which no connection comes about.

use std::time::Duration;

use socket2::SockRef;
use tests::{
    fault_server::{Fault, FaultServer},
    ports,
    program::Program,
    small_disk::SmallDisk,
    stand_in::models::Models,
    waiting,
};
use tokio::net::{TcpStream, UdpSocket};

use super::{
    ATTEMPT,
    campaign::Campaign,
    claude_alone,
    table::{Case, Expected, case},
};

/// Time of an attempt that ends by itself.
const PATIENT: &str = "60s";
/// An address of this machine that nothing else uses.
const SILENT_NAME_SERVER: &str = "127.0.53.1";

fn error(name: &str, kind: &'static str) -> Case {
    case(name, Fault::NONE, Expected::Error(kind))
}

async fn unreachable(case: &Case, url: &str, attempt: &str) {
    let mut campaign = Campaign::of(Program::serve_policy(&claude_alone(url, attempt)).start().await);
    campaign.claude(case).await;
    campaign.leaves_nothing_behind().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_refuses_or_speaks_no_tls_has_one_record_for_each_call() {
    unreachable(&error("refuses", "unreachable"), &format!("http://127.0.0.1:{}", ports::free()), PATIENT).await;
    let plain = Models::start().await;
    unreachable(&error("speaks no TLS", "unreachable"), &plain.url().replace("http:", "https:"), PATIENT).await;
}

/// A port that is listened on and whose queue of connections is full: the kernel drops what else comes, as a firewall
/// would. The connections that fill it are open as long as what is returned.
async fn black_hole() -> (String, impl Sized) {
    let listener = ports::listener();
    SockRef::from(&listener).listen(1).expect("a shorter queue");
    let port = listener.local_addr().expect("an address").port();
    let mut filling = vec![];
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(("127.0.0.1", port))).await
    {
        filling.push(connected.expect("a connection, or none"));
        assert!(filling.len() < 100, "the queue is never full");
    }
    (format!("http://127.0.0.1:{port}"), (listener, filling))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_whose_packets_vanish_costs_each_call_its_time_and_no_more() {
    let (url, _open) = black_hole().await;
    unreachable(&error("swallows connections", "timeout"), &url, ATTEMPT).await;
}

/// A name server that hears everything and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_that_does_not_answer_costs_each_call_its_time_and_blocks_nothing_else() {
    let silent = UdpSocket::bind((SILENT_NAME_SERVER, 53)).await;
    let silent = silent.unwrap_or_else(|e| panic!("port 53 of {SILENT_NAME_SERVER}: {e}; run the tests as root"));
    let mut disk = SmallDisk::of_mib(1);
    let resolver = tempfile::NamedTempFile::new().expect("a file");
    let lines = format!("nameserver {SILENT_NAME_SERVER}\noptions timeout:30 attempts:1\n");
    std::fs::write(resolver.path(), lines).expect("written");
    disk.show(resolver.path(), "/etc/resolv.conf");
    let program = Program::serve().within(&disk);
    // Its folder is not the one that it is started in: it enters another name space.
    let file = program.folder().join("policy.yaml");
    std::fs::write(&file, claude_alone("http://model.invalid", ATTEMPT).to_string()).expect("written");
    let program = program.variable("ROUTING_POLICY_FILE", &file.display().to_string());
    let mut campaign = Campaign::of(program.start().await);
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
