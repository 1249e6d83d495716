//! The ports as anyone who reaches them sees them: silent connections, odd heads, foreign hosts, addresses.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    process::{Child, Command, Stdio},
};

use serde_json::json;
use tests::{
    http,
    mcp::Mcp,
    program::{self, Program},
    stand_in::models::Models,
    waiting,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn sent(port: u16, request: &str) -> TcpStream {
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("connects");
    client.write_all(request.as_bytes()).await.expect("sent");
    client
}

/// What the program answers until it closes the connection.
async fn answer(port: u16, request: &str) -> String {
    let mut answer = String::new();
    // A reset after the answer is an end, too: the program need not read what it has refused.
    let _ = sent(port, request).await.read_to_string(&mut answer).await;
    answer
}

/// `routing serve` with at most this many descriptors, on two ports.
fn with_descriptors(limit: u32, models: &Models, (mcp, admin): (u16, u16)) -> Child {
    let program = program::binary();
    Command::new("sh")
        .args(["-c", &format!("ulimit -n {limit}; exec \"$0\" serve"), &program.display().to_string()])
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("ROUTING_BIND", "127.0.0.1"), ("BRAIN_URL", "http://127.0.0.1:1")])
        .envs([("LITELLM_BASE_URL", models.url())])
        .envs([("ROUTING_PORT", mcp.to_string()), ("ROUTING_ADMIN_PORT", admin.to_string())])
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_cost_neither_a_call_nor_a_probe_its_answer() {
    let models = Models::start().await;
    let (port, admin) = (tests::ports::free(), tests::ports::free());
    let mut routing = with_descriptors(300, &models, (port, admin));
    waiting::until("an answer", || async { http().get(format!("http://127.0.0.1:{port}/healthz")).send().await.ok() })
        .await;
    let mcp = Mcp::new(&format!("http://127.0.0.1:{port}/mcp"));
    let half_body = "POST /mcp HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    for (what, port, request) in [
        ("nothing", port, ""),
        ("half a head", port, "POST /mcp HTTP/1.1\r\nhost: a\r\ncont"),
        ("half a body", port, half_body),
        ("nothing on the admin port", admin, ""),
    ] {
        let mut silent = vec![];
        for _ in 0..400 {
            silent.push(sent(port, request).await);
        }
        assert_eq!(mcp.debug("x").await.text(0), "answer of qwen35", "{what}");
        for probe in ["/livez", "/readyz"] {
            let url = format!("http://127.0.0.1:{admin}{probe}");
            assert_eq!(http().get(url).send().await.expect("an answer").status(), 200, "{what}: {probe}");
        }
    }
    routing.kill().expect("ended");
    routing.wait().expect("ended");
}

#[tokio::test]
async fn an_unknown_path_of_the_admin_port_is_told_what_is_there() {
    let routing = Program::serve().start().await;
    let answer = http().get(format!("http://127.0.0.1:{}/stats", routing.ports.admin)).send().await.expect("an answer");
    assert_eq!(answer.status(), 404);
    assert!(answer.text().await.expect("text").starts_with("routing, admin port: /status, /metrics"));
}

#[tokio::test]
async fn heads_that_can_be_understood_in_two_ways_are_refused_on_every_port() {
    let (routing, brain) = (Program::serve().start().await, Program::brain().start().await);
    for port in [routing.ports.mcp, routing.ports.admin, brain.ports.mcp] {
        for (head, named) in [
            ("host: a\r\nhost: b", "several Host headers"),
            ("accept: */*", "no Host header"),
            ("host: a\r\ncontent-length: 2\r\ntransfer-encoding: chunked", "send one of them"),
        ] {
            let answer = answer(port, &format!("POST /mcp HTTP/1.1\r\n{head}\r\nconnection: close\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(named), "{head}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_broken_or_too_large_body_is_refused_as_such_and_a_large_one_before_it_is_sent() {
    let (routing, brain) = (Program::serve().start().await, Program::brain().start().await);
    for port in [routing.ports.mcp, brain.ports.mcp] {
        for (rest, status, named) in [
            ("content-length: 1000000000000000000\r\n\r\n", 413, "4194304 bytes"),
            ("content-length: 4194305\r\nexpect: 100-continue\r\n\r\n", 413, "4194304 bytes"),
            ("transfer-encoding: chunked\r\n\r\nxyz\r\n", 400, "chunks are malformed"),
            ("transfer-encoding: chunked\r\n\r\n3\r\nabcdef\r\n", 400, "chunks are malformed"),
        ] {
            let head = "POST /mcp HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n";
            let answer = answer(port, &format!("{head}{rest}")).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(named), "{rest:?}: {answer}");
            assert!(answer.contains(r#""jsonrpc":"2.0""#), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_request_that_is_refused_unread_is_answered_also_while_it_is_being_sent() {
    let routing = Program::serve().variable("ROUTING_MCP_TOKEN", "s3cret").start().await;
    let brain = Program::brain().variable("BRAIN_TOKEN", "s3cret").start().await;
    let large = || "x".repeat(5 << 20);
    for url in [routing.mcp_url(), brain.mcp_url()] {
        for _ in 0..10 {
            let asked = |token: &'static str| Mcp::new(&url).token(token).post().body(large()).send();
            assert_eq!(asked("wrong").await.expect("an answer").status(), 401);
            assert_eq!(asked("s3cret").await.expect("an answer").status(), 413);
        }
    }
}

#[tokio::test]
async fn brain_and_admin_port_answer_only_for_hosts_that_no_web_page_can_have() {
    let routing = Program::serve().variable("ROUTING_ADMIN_ALLOWED_HOSTS", "routing.example").start().await;
    let brain = Program::brain().variable("BRAIN_ALLOWED_HOSTS", "brain.example").start().await;
    let admin = format!("http://127.0.0.1:{}", routing.ports.admin);
    for (base, own, variable, paths) in [
        (admin, "routing.example", "ROUTING_ADMIN_ALLOWED_HOSTS", ["/status", "/metrics"]),
        (brain.base_url(), "brain.example", "BRAIN_ALLOWED_HOSTS", ["/sessions/_routing", "/pass-rate?skill=debug"]),
    ] {
        for path in paths {
            for (host, status) in [
                ("evil.example:35020", 403),
                ("127.0.0.1.evil.example", 403),
                (own, 200),
                ("10.0.0.7:30330", 200),
                ("[::1]", 200),
                ("koala", 200),
                ("ingestion.supervisor.svc.cluster.local:3300", 200),
            ] {
                let response = http().get(format!("{base}{path}")).header("host", host).send().await;
                let response = response.expect("an answer");
                assert_eq!(response.status(), status, "{path} for {host}");
                let text = response.text().await.expect("text");
                assert!(status == 200 || text.contains(variable), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn without_an_address_it_is_reached_by_ipv4_and_ipv6() {
    let ipv6 = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let routing = Program::serve().variable("ROUTING_BIND", "").start().await;
    let brain = Program::brain().variable("BRAIN_BIND", "").start().await;
    for port in [routing.ports.mcp, routing.ports.admin, brain.ports.mcp] {
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok());
        assert_eq!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.is_ok(), ipv6);
    }
}

#[tokio::test]
async fn the_admin_port_can_have_an_address_of_its_own() {
    let routing = Program::serve().variable("ROUTING_ADMIN_BIND", "127.0.0.2").start().await;
    let url = |host: &str| format!("http://{host}:{}/livez", routing.ports.admin);
    assert_eq!(http().get(url("127.0.0.2")).send().await.expect("an answer").status(), 200);
    assert!(http().get(url("127.0.0.1")).send().await.is_err());
}

#[test]
fn a_blank_token_refuses_the_start_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    for (command, variables, named) in [
        ("brain", vec![("BRAIN_TOKEN", "\n")], "BRAIN_TOKEN: is blank"),
        ("brain", vec![("BRAIN_REQUIRE_TOKEN", "true")], "BRAIN_TOKEN: is not set"),
        ("serve", vec![("ROUTING_MCP_TOKEN", " ")], "ROUTING_MCP_TOKEN: is blank"),
        ("serve", vec![("BRAIN_TOKEN", "\t\n")], "BRAIN_TOKEN: is blank"),
    ] {
        let output = program::run(&[command], &variables, folder.path());
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && printed.contains(named), "{printed}");
    }
}

#[test]
fn the_bad_variables_of_all_parts_are_named_in_one_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let bad = [("BRAIN_PORT", "x"), ("ROUTING_PORT", "y"), ("HYPERGUILD_ROUTE_LOCAL_FLOOR", "z")];
    let named = |variables: &[(&str, &str)]| {
        let output = program::run(&["demo"], variables, folder.path());
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let logs = [("ROUTING_LOG_FORMAT", "xml")];
    for printed in [named(&bad), named(&[&bad[..], &logs].concat())] {
        for (name, value) in bad {
            assert_eq!(printed.matches(&format!("{name}: {value}: must be")).count(), 1, "{name} in {printed}");
        }
    }
    let printed = named(&[&bad[..], &logs, &[("ROUTING_CONNECTIONS", "1")]].concat());
    assert!(printed.contains("ROUTING_LOG_FORMAT: xml"), "{printed}");
    assert_eq!(printed.matches("ROUTING_CONNECTIONS: 1").count(), 1, "both parts read it: {printed}");
}

#[tokio::test]
async fn the_root_of_every_port_says_what_it_is() {
    let (routing, brain) = (Program::serve().start().await, Program::brain().start().await);
    let root = async |port: u16| {
        let response = http().get(format!("http://127.0.0.1:{port}/")).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        response.text().await.expect("text")
    };
    for (port, named) in [(routing.ports.mcp, "/mcp"), (routing.ports.admin, "/status")] {
        let text = root(port).await;
        assert!(text.contains("routing") && text.contains(named) && text.lines().count() == 1, "{text}");
    }
    let page = root(brain.ports.mcp).await;
    assert!(page.starts_with("<!doctype html>") && page.contains("routing"), "{page}");
    assert_eq!(routing.mcp().send("ping", json!({})).await.status(), 200);
}
