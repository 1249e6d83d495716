//! `contract` part 7 at the command line; the file's content is unit-tested in `dataplane/src/mcp_json`.

use serde_json::{Value, json};
use tests::program;

#[test]
fn contract_7_the_command_writes_the_default_file_and_keeps_what_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(".mcp.json");
    std::fs::write(&path, r#"{"_routing_pending":1,"mcpServers":{"mine":{"command":"x"}}}"#).expect("written");
    let output = program::run(&["mode", "client-local"], &[], folder.path());
    assert!(output.status.success(), "{output:?}");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("text")).expect("JSON");
    assert_eq!(
        document,
        json!({"mcpServers": {
            "mine": {"command": "x"},
            "routing": {
                "type": "http",
                "url": "http://koala:30310/mcp",
                "description": "Mode 2 routing pod — routes skill calls to LiteLLM/local",
                "headers": {"X-Hyperguild-Mode": "client-local"}
            }
        }})
    );
}

#[test]
fn contract_7_out_url_and_token_env() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = [
        "mode",
        "client-local",
        "--out",
        "other.json",
        "--url",
        "http://node:1/mcp",
        "--token-env",
        "MY_TOKEN",
        "--brain-url",
        "http://b:3300",
        "--output",
        "json",
    ];
    let output = program::run(&arguments, &[], folder.path());
    let printed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(printed, json!({"file": "other.json", "servers": ["routing", "brain"]}));
    let text = std::fs::read_to_string(folder.path().join("other.json")).expect("text");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["mcpServers"]["routing"]["headers"]["Authorization"], "Bearer ${MY_TOKEN}");
    assert_eq!(document["mcpServers"]["brain"]["url"], "http://b:3300/mcp");
    assert!(!folder.path().join(".mcp.json").exists());
}

#[test]
fn a_file_that_is_not_json_is_left_alone_and_an_unknown_mode_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(".mcp.json"), "{ mine").expect("written");
    let output = program::run(&["mode", "client-local"], &[], folder.path());
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success()
            && printed.contains(".mcp.json: is not JSON")
            && printed.contains("nothing was changed"),
        "{printed}"
    );
    assert_eq!(std::fs::read_to_string(folder.path().join(".mcp.json")).expect("text"), "{ mine");
    assert!(!program::run(&["mode", "client-remote"], &[], folder.path()).status.success());
}

#[test]
fn mcp_json_writes_a_data_plane_on_this_machine_in_plain_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(".mcp.json");
    std::fs::write(&path, r#"{"mcpServers":{"mine":{"command":"x"}}}"#).expect("written");
    let arguments = ["mcp-json", "--brain-url", "http://127.0.0.1:3300", "--token-env", "ROUTING_MCP_TOKEN"];
    let output = program::run(&arguments, &[], folder.path());
    assert_eq!(String::from_utf8_lossy(&output.stdout), ".mcp.json: routing, brain\n");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("text")).expect("JSON");
    let servers = &document["mcpServers"];
    assert_eq!(servers["mine"], json!({"command": "x"}));
    assert_eq!(
        servers["routing"],
        json!({
            "type": "http",
            "url": "http://127.0.0.1:3210/mcp",
            "description": "Skills such as code review and debugging, answered by a local model or by Claude",
            "headers": {"X-Hyperguild-Mode": "client-local", "Authorization": "Bearer ${ROUTING_MCP_TOKEN}"}
        })
    );
    assert_eq!(servers["brain"]["url"], "http://127.0.0.1:3300/mcp");
    let output = program::run(&["mcp-json", "--url", "http://10.0.0.7:30310"], &[], folder.path());
    assert!(output.status.success(), "{output:?}");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("text")).expect("JSON");
    assert_eq!(document["mcpServers"]["routing"]["url"], "http://10.0.0.7:30310/mcp");
}

#[test]
fn the_help_names_mcp_json_and_says_what_mode_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let help =
        |arguments: &[&str]| String::from_utf8_lossy(&program::run(arguments, &[], folder.path()).stdout).into_owned();
    let all = help(&["--help"]);
    for part in ["mcp-json  Adds the data plane", "mode      As mcp-json, with the address"] {
        assert!(all.contains(part), "{all}");
    }
    assert!(help(&["mcp-json", "--help"]).contains("[default: http://127.0.0.1:3210/mcp]"));
    assert!(help(&["mode", "--help"]).contains("the project's first installation"));
}

/// A container is often given a single file of its host. A rename onto it fails with EBUSY.
#[test]
fn a_file_that_is_mounted_is_written_in_place() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let folder = tempfile::tempdir().expect("a folder");
    let (given, mounted) = (folder.path().join("given.json"), folder.path().join("there/.mcp.json"));
    std::fs::create_dir(mounted.parent().expect("a folder")).expect("a folder");
    std::fs::write(&given, r#"{"mcpServers": {"mine": {"command": "x"}}}"#).expect("written");
    std::fs::set_permissions(&given, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    std::fs::write(&mounted, "what the mount hides").expect("written");
    let before = std::fs::metadata(&given).expect("metadata");

    let script = r#"mount --bind given.json there/.mcp.json; cd there; "$0" mode client-local; ls -A"#;
    let output = std::process::Command::new("unshare")
        // Without root it needs a user namespace; the mount is seen in the namespace only, and ends with it.
        .args(if before.uid() == 0 { &["--mount"][..] } else { &["--map-root-user", "--mount"] })
        .args(["sh", "-euc", script])
        .arg(program::binary())
        .current_dir(folder.path())
        .output()
        .expect("unshare runs; it is in the package util-linux");
    let printed = String::from_utf8_lossy(&output.stderr);
    let cure = "run it as root with CAP_SYS_ADMIN, or allow user namespaces (sysctl user.max_user_namespaces)";
    assert!(!printed.contains("unshare") && !printed.contains("mount: "), "no mount, so {cure}: {printed}");
    assert!(output.status.success(), "{printed}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), ".mcp.json: routing\n.mcp.json\n", "nothing is left beside it");

    let document: Value = serde_json::from_str(&std::fs::read_to_string(&given).expect("text")).expect("JSON");
    assert_eq!(document["mcpServers"]["mine"], json!({"command": "x"}));
    assert_eq!(document["mcpServers"]["routing"]["type"], "http");
    let after = std::fs::metadata(&given).expect("metadata");
    assert_eq!((after.ino(), after.mode(), after.uid()), (before.ino(), before.mode(), before.uid()));
    assert_eq!(std::fs::read_to_string(&mounted).expect("text"), "what the mount hides");
}
