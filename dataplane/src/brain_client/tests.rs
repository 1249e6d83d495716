//! How answers and addresses are read.

use super::*;

#[test]
fn contract_3_only_pass_rate_is_required() {
    let read = |text: &str| measured(&serde_json::from_str(text).expect("JSON")).map(|m| (m.pass_rate, m.samples));
    assert_eq!(read(r#"{"pass_rate":0.94}"#), Ok((Some(0.94), None)));
    assert_eq!(read(r#"{"pass_rate":null,"total":0}"#), Ok((None, Some(0))));
    assert_eq!(read(r#"{"skill":"debug","pass_rate":1,"total":53}"#), Ok((Some(1.0), Some(53))));
    assert_eq!(read(r#"{"pass_rate":0.5,"pass":3,"fail":3,"total":9}"#), Ok((Some(0.5), Some(6))));
    assert_eq!(read(r#"{"pass_rate":0.5,"pass":-3,"fail":3,"total":"x"}"#), Ok((Some(0.5), None)));
}

#[test]
fn a_zero_has_no_sign() {
    for zero in ["-0", "-0.0", "-1e-400"] {
        let body = format!(r#"{{"pass_rate":{zero},"claude":{{"pass_rate":{zero}}}}}"#);
        let measured = measured(&serde_json::from_str(&body).expect("JSON")).expect("a rate");
        let rates = [measured.pass_rate, measured.arms.expect("both models").claude.pass_rate];
        assert_eq!(rates.map(|rate| format!("{:.2}", rate.expect("a rate"))), ["0.00", "0.00"], "{zero}");
    }
}

#[test]
fn contract_3_a_rate_that_is_no_number_from_0_to_1_is_an_error() {
    for text in [
        r#"{"pass_rate":1.7}"#,
        r#"{"pass_rate":-0.1}"#,
        r#"{"pass_rate":"0.9"}"#,
        r#"{"pass_rate":true}"#,
        "{}",
        "[]",
        "1",
    ] {
        assert!(measured(&serde_json::from_str(text).expect("JSON")).is_err(), "{text}");
    }
}

#[test]
fn no_session_whose_id_begins_with_an_underscore_is_read_however_it_is_written() {
    let target = BrainTarget { url: "http://b/base/".parse().expect("a URL"), token: None };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let brain = BrainClient::new(&target, None, Client::new());
    let path = |id: &str| brain.session_url(id).map(|url| url.path().to_string());
    assert_eq!(path("mine"), Some("/base/sessions/mine".into()));
    assert_eq!(path("../a b/%5Frouting"), Some("/base/sessions/..%2Fa%20b%2F%255Frouting".into()));
    for id in ["_routing", "\t_routing", "\n_routing", "\r\n_\trouting", "_", "", "\t", ".", "..", "\t.."] {
        assert_eq!(path(id), None, "{id:?}");
    }
}

#[test]
fn the_address_that_mcp_clients_have_is_the_brains_too() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    for base in ["http://b", "http://b/", "http://b/mcp", "http://b/mcp/"] {
        let target = BrainTarget { url: base.parse().expect("a URL"), token: None };
        let brain = BrainClient::new(&target, None, Client::new());
        let urls = [endpoint::PATH, "/pass-rate"].map(|path| brain.url(path).to_string());
        assert_eq!(urls, ["http://b/mcp", "http://b/pass-rate"], "{base}");
    }
    // Only once, as `routing mode` writes it.
    let target = BrainTarget { url: "http://mcp/mcp/mcp".parse().expect("a URL"), token: None };
    assert_eq!(BrainClient::new(&target, None, Client::new()).url(endpoint::PATH).as_str(), "http://mcp/mcp/mcp");
}

#[test]
fn an_answer_may_come_as_one_event() {
    assert_eq!(unwrapped(b"{\"a\":1}"), b"{\"a\":1}");
    assert_eq!(unwrapped(b"event: message\ndata: {\"a\":1}\n\n"), b" {\"a\":1}");
    let after_another = b"data: {\"method\":\"x\"}\n\nevent: message\ndata: {\"a\":1}\n\ndata: \n\n";
    assert_eq!(unwrapped(after_another), b" {\"a\":1}");
    assert_eq!(unwrapped(b"<html>"), b"<html>");
}
