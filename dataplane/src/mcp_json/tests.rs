use super::*;

const PLAIN: Servers<'static> =
    Servers { mode: Mode::ClientLocal, url: DEFAULT_URL, token_env: None, brain_url: None, brain_token_env: None };

fn written(before: Option<&str>, servers: &Servers<'_>) -> Result<Value, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(".mcp.json");
    if let Some(before) = before {
        std::fs::write(&path, before).expect("written");
    }
    let result = write(&path, servers).map_err(|e| e.to_string());
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    match result {
        Ok(_) => Ok(serde_json::from_str(&text).expect("JSON")),
        Err(error) => {
            assert_eq!(text, before.unwrap_or_default(), "a refused file is unchanged");
            Err(error)
        }
    }
}

#[test]
fn contract_7_a_new_file_has_exactly_this_server() {
    let expected = json!({"mcpServers": {"routing": {
        "type": "http", "url": "http://koala:30310/mcp",
        "description": "Mode 2 routing pod — routes skill calls to LiteLLM/local",
        "headers": {"X-Hyperguild-Mode": "client-local"}
    }}});
    assert_eq!(written(None, &PLAIN), Ok(expected.clone()));
    assert_eq!(written(Some("\n"), &PLAIN), Ok(expected));
}

#[test]
fn contract_7_other_servers_and_unknown_keys_are_kept() {
    let before = r#"{"x": [1], "mcpServers": {"other": {"command": "c"}, "routing": {"url": "old"}}, "y": null}"#;
    let document = written(Some(before), &PLAIN).expect("written");
    assert_eq!((&document["x"], &document["mcpServers"]["other"]), (&json!([1]), &json!({"command": "c"})));
    assert_eq!(document["mcpServers"]["routing"]["url"], DEFAULT_URL);
    assert_eq!(
        document.as_object().map(|d| d.keys().cloned().collect::<Vec<_>>()),
        Some(vec!["x".into(), "mcpServers".into(), "y".into()])
    );
}

#[test]
fn contract_7_url_and_token_env() {
    let servers = Servers { url: "https://node:1/mcp", token_env: Some("MY_TOKEN"), ..PLAIN };
    let document = written(None, &servers).expect("written");
    let routing = &document["mcpServers"]["routing"];
    assert_eq!(
        (&routing["url"], &routing["headers"]["Authorization"]),
        (&json!("https://node:1/mcp"), &json!("Bearer ${MY_TOKEN}"))
    );
    let error = written(None, &Servers { token_env: Some("sk-a-token"), ..PLAIN }).expect_err("not a name");
    assert!(error.contains("--token-env") && !error.contains("sk-a-token"), "{error}");
}

#[test]
fn contract_7_no_pending_key_remains() {
    let before = r#"{"_routing_pending": true, "mcpServers": {"_routing_pending": {}}}"#;
    assert!(!written(Some(before), &PLAIN).expect("written").to_string().contains("_routing_pending"));
}

#[test]
fn the_brain_is_added_on_demand() {
    for url in ["http://b:3300", "http://b:3300/", "http://b:3300/mcp"] {
        let document = written(None, &Servers { brain_url: Some(url), ..PLAIN }).expect("written");
        assert_eq!(document["mcpServers"]["brain"]["url"], "http://b:3300/mcp");
        assert_eq!(document["mcpServers"]["brain"].get("headers"), None);
    }
    let with_token = Servers { brain_url: Some("http://b"), brain_token_env: Some("BRAIN_TOKEN"), ..PLAIN };
    let document = written(None, &with_token).expect("written");
    assert_eq!(document["mcpServers"]["brain"]["headers"], json!({"Authorization": "Bearer ${BRAIN_TOKEN}"}));
}

#[test]
fn a_file_that_cannot_be_updated_is_left_alone_with_the_reason() {
    for (before, reason) in
        [("{", "is not JSON (line 1"), ("[]", "not an object"), (r#"{"mcpServers": []}"#, "not an object")]
    {
        let error = written(Some(before), &PLAIN).expect_err(before);
        assert!(error.contains(reason) && error.contains("nothing was changed"), "{error}");
    }
    assert!(written(None, &Servers { url: "node1", ..PLAIN }).expect_err("not a URL").starts_with("--url: node1"));
}
