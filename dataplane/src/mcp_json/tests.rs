use super::*;

const PLAIN: Servers<'static> = Servers {
    mode: Mode::ClientLocal,
    url: MODE_URL,
    description: MODE_DESCRIPTION,
    token_env: None,
    brain_url: None,
    brain_token_env: None,
};

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
    assert_eq!(document["mcpServers"]["routing"]["url"], MODE_URL);
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

#[test]
fn what_is_not_written_stays_as_it_is_to_the_digit() {
    let before = "\u{feff}{\"n\": 18446744073709551616, \"mcpServers\": {\"a\": {\"x\": 1.10e2, \"y\":[ ]}}, \"e\": \"\\u00e4\"}";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(".mcp.json");
    std::fs::write(&path, before).expect("written");
    write(&path, &PLAIN).expect("written");
    let text = std::fs::read_to_string(&path).expect("text");
    for kept in
        ["\u{feff}{\n  \"n\": 18446744073709551616,", "\"a\": {\"x\": 1.10e2, \"y\":[ ]},", "\"e\": \"\\u00e4\"\n}\n"]
    {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    write(&path, &PLAIN).expect("written");
    assert_eq!(std::fs::read_to_string(&path).expect("text"), text, "written again, it does not change");
}

#[test]
fn a_key_that_is_there_twice_is_refused_by_name() {
    let server = r#"{"mcpServers": {"mine": {"command": "a"}, "mine": {"command": "b"}}}"#;
    let error = written(Some(server), &PLAIN).expect_err("twice");
    assert!(error.contains("has an mcpServers that has mine twice; remove one; nothing was changed"), "{error}");
    let top = r#"{"mcpServers": {}, "mcpServers": {}}"#;
    assert!(written(Some(top), &PLAIN).expect_err("twice").contains(": has mcpServers twice; remove one"));
}

#[test]
fn mode_owner_and_links_of_the_file_are_kept() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let new = |name: &str| std::fs::write(path(name), "{}").expect("written");
    new("shared");
    std::fs::set_permissions(path("shared"), std::fs::Permissions::from_mode(0o664)).expect("a mode");
    // Only root may give a file away; for others the file keeps the owner that it has.
    let _ = chown(path("shared"), Some(12345), Some(12345));
    new("first-name");
    std::fs::hard_link(path("first-name"), path("second-name")).expect("a link");
    symlink("nothing-yet", path("dangling")).expect("a link");
    symlink(path("dangling"), path("to-a-link")).expect("a link");
    let seen = |name: &str| std::fs::metadata(path(name)).map(|m| (m.mode(), m.uid(), m.gid()));
    let before = seen("shared").expect("metadata");
    for name in ["shared", "second-name", "to-a-link"] {
        write(&path(name), &PLAIN).expect("written");
    }
    assert_eq!(seen("shared").expect("metadata"), before);
    for name in ["shared", "first-name", "second-name", "nothing-yet"] {
        assert!(std::fs::read_to_string(path(name)).expect("text").contains(MODE_URL), "{name}");
    }
    assert!(path("dangling").is_symlink() && path("to-a-link").is_symlink());
    assert_eq!(std::fs::metadata(path("first-name")).expect("metadata").nlink(), 2);
    symlink("loop", path("loop")).expect("a link");
    assert!(write(&path("loop"), &PLAIN).is_err());
}

#[test]
fn addresses_are_written_in_the_form_that_answers() {
    for (url, expected) in [
        ("http://h:3210", "http://h:3210/mcp"),
        ("http://h:3210/", "http://h:3210/mcp"),
        ("http://h:3210/mcp", "http://h:3210/mcp"),
        ("http://h:3210/mcp/", "http://h:3210/mcp"),
        ("  http://h:3210/mcp \n", "http://h:3210/mcp"),
        ("https://gate/team-a/", "https://gate/team-a"),
        ("http://h/mcp?x=1", "http://h/mcp?x=1"),
    ] {
        let document = written(None, &Servers { url, ..PLAIN }).expect(url);
        assert_eq!(document["mcpServers"]["routing"]["url"], expected, "{url:?}");
    }
    for brain_url in [" http://b:3300", "http://b:3300/mcp/"] {
        let document = written(None, &Servers { brain_url: Some(brain_url), ..PLAIN }).expect(brain_url);
        assert_eq!(document["mcpServers"]["brain"]["url"], "http://b:3300/mcp");
    }
    for (brain_url, expected) in [
        ("http://mcp", "http://mcp/mcp"),
        ("http://mcp/mcp", "http://mcp/mcp"),
        ("http://b/base/mcp", "http://b/base/mcp"),
        ("http://b/base", "http://b/base/mcp"),
        ("http://mcp/mcp/mcp", "http://mcp/mcp/mcp"),
        ("http://b/?x=1", "http://b/mcp?x=1"),
    ] {
        let document = written(None, &Servers { brain_url: Some(brain_url), ..PLAIN }).expect(brain_url);
        assert_eq!(document["mcpServers"]["brain"]["url"], expected, "one /mcp at its end counts");
    }
    for url in ["h:3210", "ftp://h/mcp", "http://h/#mcp", ""] {
        let error = written(None, &Servers { url, ..PLAIN }).expect_err(url);
        assert!(error.contains("must be an http or https URL, for example http://127.0.0.1:3210/mcp"), "{error}");
    }
}
