//! Changes on disk take effect without a restart, however they are written; a bad one changes nothing.

use std::{fs, os::unix::fs::symlink};

use futures::StreamExt;
use serde_json::{Value, json};
use tests::{
    Policy, bombs, memory,
    policy::written,
    program::{Program, Running},
    stand_in::{brain::Brain, models::Models},
    volume, waiting,
};

/// `access` with these tokens: their names, and their keys in the Secret `s`.
fn access(tokens: &[(&str, &str)]) -> Value {
    let token = |(name, key): &(&str, &str)| json!({"name": name, "secretRef": {"name": "s", "key": key}});
    json!({"access": {"tokens": tokens.iter().map(token).collect::<Value>()}})
}

async fn answered_by(routing: &Running, model: &str) {
    waiting::until_true(model, || async { routing.mcp().debug("x").await.text(0) == format!("answer of {model}") })
        .await;
}

async fn refused(routing: &Running, part: &str) -> String {
    waiting::until("the refusal", || async {
        let reason = routing.status().await["refused"]["reason"].as_str().unwrap_or_default().to_string();
        reason.contains(part).then_some(reason)
    })
    .await
}

async fn accepted(routing: &Running) {
    waiting::until_true("no refusal", || async { routing.status().await["refused"].is_null() }).await;
}

#[tokio::test]
async fn a_plain_write_and_an_editors_rename_take_effect() {
    let models = Models::start().await;
    let with = |local: &str| Policy::at(&models.url()).local(local).to_string();
    let routing = Program::serve_policy(&with("one")).start().await;
    answered_by(&routing, "one").await;
    let hash = routing.status().await["configHash"].clone();
    fs::write(routing.folder().join("policy.yaml"), with("two")).expect("written");
    answered_by(&routing, "two").await;
    assert_ne!(routing.status().await["configHash"], hash);
    let swap = routing.folder().join(".policy.yaml.swp");
    fs::write(&swap, with("three")).expect("written");
    fs::rename(&swap, routing.folder().join("policy.yaml")).expect("renamed");
    answered_by(&routing, "three").await;
    assert_eq!(routing.metric(r#"routing_config_reloads_total{kind="applied"}"#).await, 2.0);
    assert!(routing.metric(r#"routing_config_checks_total{kind="event"}"#).await >= 2.0, "file events, not the timer");
}

#[tokio::test]
async fn a_kubelets_link_swap_takes_effect_for_policy_and_secrets() {
    let models = Models::start().await;
    let with = |local: &str| {
        let key = json!({"upstream": {"apiKeySecretRef": {"name": "s", "key": "KEY"}}});
        Policy::at(&models.url()).local(local).spec(access(&[("me", "TOKEN")])).spec(key).to_string()
    };
    let program = Program::serve_policy("");
    let (config, secrets) = (program.folder().join("config"), program.folder().join("secrets"));
    volume::swap(&config, "..one", &[("policy.yaml", &with("one"))]);
    volume::swap(&secrets.join("s"), "..one", &[("TOKEN", "token-one"), ("KEY", "key-one")]);
    fs::remove_file(program.folder().join("policy.yaml")).expect("removed");
    symlink(config.join("policy.yaml"), program.folder().join("policy.yaml")).expect("a link");
    let routing = program.start().await;
    let key = |i: usize| models.received()[i].headers["authorization"].to_str().unwrap_or_default().to_string();
    assert_eq!(routing.mcp().token("token-one").debug("x").await.text(0), "answer of one");
    assert_eq!(key(0), "Bearer key-one");

    volume::swap(&config, "..two", &[("policy.yaml", &with("two"))]);
    volume::swap(&secrets.join("s"), "..two", &[("TOKEN", "token-two"), ("KEY", "key-two")]);
    waiting::until_true("the new token", || async {
        routing.mcp().token("token-two").send("tools/list", json!({})).await.status() == 200
    })
    .await;
    waiting::until_true("the new model", || async {
        routing.mcp().token("token-two").debug("x").await.text(0) == "answer of two"
    })
    .await;
    assert_eq!(
        routing.mcp().token("token-one").send("tools/list", json!({})).await.status(),
        401,
        "the old token is void"
    );
    assert_eq!(key(models.received().len() - 1), "Bearer key-two");
}

#[tokio::test]
async fn a_token_and_a_key_that_change_alone_take_effect() {
    let models = Models::start().await;
    let key = json!({"upstream": {"apiKeySecretRef": {"name": "s", "key": "KEY"}}});
    let policy = Policy::at(&models.url()).spec(access(&[("old", "OLD"), ("new", "NEW")])).spec(key);
    let program = Program::serve_policy(&policy);
    let secrets = program.folder().join("secrets/s");
    fs::create_dir_all(&secrets).expect("a folder");
    for (name, value) in [("OLD", "token-old"), ("KEY", "key-one")] {
        fs::write(secrets.join(name), value).expect("written");
    }
    let routing = program.start().await;
    let hash = routing.status().await["configHash"].clone();
    assert_eq!(routing.mcp().token("token-old").tools().await.len(), 4, "one of two tokens is there");
    assert_eq!(routing.mcp().token("token-new").send("tools/list", json!({})).await.status(), 401);

    fs::write(secrets.join("NEW"), " token-new \n").expect("written");
    fs::write(secrets.join("KEY"), "key-two").expect("written");
    waiting::until_true("the new token in addition to the old", || async {
        routing.mcp().token("token-new").send("tools/list", json!({})).await.status() == 200
    })
    .await;
    assert_eq!(routing.mcp().token("token-old").tools().await.len(), 4, "rotation: both are valid");
    waiting::until_true("the new key", || async {
        routing.mcp().token("token-new").debug("x").await;
        models.received().last().expect("a request").headers["authorization"] == "Bearer key-two"
    })
    .await;
    waiting::until_true("a record with the token's name", || async { routing.log().contains(r#""caller":"new""#) })
        .await;

    fs::remove_file(secrets.join("OLD")).expect("removed");
    waiting::until_true("the end of the old token", || async {
        routing.mcp().token("token-old").send("tools/list", json!({})).await.status() == 401
    })
    .await;
    let status = routing.status().await;
    assert_eq!((&status["missingSecrets"][0]["key"], &status["configHash"]), (&json!("OLD"), &hash));
    assert!(routing.metric(r#"routing_config_reloads_total{kind="secrets_applied"}"#).await >= 1.0);

    let log = routing.log();
    assert_eq!(log.matches("config loaded").count(), 1, "the config is the same: {log}");
    let changes: Vec<Value> = log.lines().filter(|line| line.contains("secrets changed")).map(json_of).collect();
    let named = changes.iter().flat_map(|line| line["secrets"].as_str().unwrap_or_default().split(", "));
    let named: std::collections::BTreeSet<&str> = named.collect();
    assert_eq!(named.into_iter().collect::<Vec<_>>(), ["s/KEY", "s/NEW", "s/OLD"], "{log}");
    assert!(!log.contains("key-") && !log.contains("token-"), "names, never values: {log}");
}

fn json_of(line: &str) -> Value {
    serde_json::from_str(line).expect("a line of JSON")
}

#[tokio::test]
async fn a_changed_policy_waits_for_its_secrets_and_the_running_config_stays_in_force() {
    let models = Models::start().await;
    let with = |key: &str| Policy::at(&models.url()).spec(access(&[("me", key)])).to_string();
    let program = Program::serve_policy(&with("FIRST"));
    let secrets = program.folder().join("secrets/s");
    fs::create_dir_all(&secrets).expect("a folder");
    let routing = program.start().await;
    let early = routing.admin("/readyz").await;
    assert!(early.starts_with("secret s key FIRST: "), "not before all secrets were there once: {early}");
    fs::write(secrets.join("FIRST"), "token-first").expect("written");
    waiting::until_true("the secret to be found", || async { routing.admin("/readyz").await == "ready\n" }).await;
    let hash = routing.status().await["configHash"].clone();

    fs::write(routing.folder().join("policy.yaml"), with("SECOND")).expect("written");
    waiting::until_true("the changed policy to wait", || async {
        routing.status().await["awaitedSecrets"][0]["key"] == json!("SECOND")
    })
    .await;
    let status = routing.status().await;
    assert_eq!(
        (&status["configHash"], &status["refused"], &status["missingSecrets"]),
        (&hash, &json!(null), &json!([]))
    );
    assert_eq!(routing.mcp().token("token-first").tools().await.len(), 4, "the running config stays in force");
    fs::write(secrets.join("SECOND"), "token-second").expect("written");
    waiting::until_true("the changed policy", || async {
        routing.mcp().token("token-second").send("tools/list", json!({})).await.status() == 200
    })
    .await;
    assert_eq!(routing.mcp().token("token-first").send("tools/list", json!({})).await.status(), 401);
    assert_eq!(routing.status().await["awaitedSecrets"], json!([]));

    fs::remove_file(secrets.join("SECOND")).expect("removed");
    waiting::until_true("the endpoint to be closed", || async {
        routing.mcp().token("token-second").send("tools/list", json!({})).await.status() == 503
    })
    .await;
    assert_eq!(routing.admin("/readyz").await, "ready\n", "a removed secret takes no pod out of service");
}

#[tokio::test]
async fn an_invalid_file_and_a_removed_one_change_nothing_and_are_reported() {
    let models = Models::start().await;
    let with = |local: &str, more: &str| written(&models.url(), local, more);
    let routing = Program::serve_policy(&with("one", "")).start().await;
    let path = routing.folder().join("policy.yaml");
    let hash = routing.status().await["configHash"].clone();
    for (text, part) in [
        (
            with("two", "thresholds: {floor: \"0,9\", ceil: \"0.70\"}"),
            "policy.yaml:7:16: spec.thresholds.floor: 0,9: must be a decimal",
        ),
        (with("two", "nonsense: 1"), "policy.yaml:7:3: spec.nonsense: unknown field"),
        ("spec: [".to_string(), "policy.yaml"),
        (String::new(), "policy.yaml"),
    ] {
        fs::write(&path, &text).expect("written");
        refused(&routing, part).await;
        assert_eq!(routing.mcp().debug("x").await.text(0), "answer of one", "{part}");
        assert_eq!(routing.status().await["configHash"], hash);
        fs::write(&path, with("one", "")).expect("written");
        accepted(&routing).await;
    }
    fs::remove_file(&path).expect("removed");
    refused(&routing, "cannot be read").await;
    assert_eq!(routing.mcp().debug("x").await.text(0), "answer of one");
    fs::write(&path, with("two", "")).expect("written");
    answered_by(&routing, "two").await;
    accepted(&routing).await;
    assert!(routing.log().contains("the running config stays in force"));
}

#[tokio::test]
async fn a_hostile_policy_is_refused_and_the_running_one_goes_on_serving() {
    let models = Models::start().await;
    let good = Policy::at(&models.url()).local("one");
    let routing = Program::serve_policy(&good.to_string()).start().await;
    for bomb in bombs::all() {
        let path = routing.folder().join("policy.yaml");
        fs::write(&path, good.clone().spec(bomb.spec).to_string()).expect("written");
        refused(&routing, bomb.refusal).await;
        assert_eq!(routing.mcp().debug("x").await.text(0), "answer of one", "{}", bomb.name);
        fs::write(&path, good.to_string()).expect("written");
        accepted(&routing).await;
    }
    assert!(routing.peak_mib() < memory::DATA_PLANE_MIB, "{} MiB", routing.peak_mib());
}

#[tokio::test]
async fn a_start_with_a_refused_policy_runs_the_last_good_one_beside_it_and_says_so() {
    let models = Models::start().await;
    let program = Program::serve_policy("kind: Nonsense");
    let good = Policy::at(&models.url()).local("good").to_string();
    fs::write(program.folder().join("last-good.yaml"), &good).expect("written");
    let routing = program.start().await;
    assert_eq!(routing.mcp().debug("x").await.text(0), "answer of good");
    let status = routing.status().await;
    assert_eq!(status["origin"], "last_good");
    assert!(status["refused"]["reason"].as_str().is_some_and(|reason| reason.contains("policy.yaml")), "{status}");
    fs::write(routing.folder().join("policy.yaml"), good).expect("written");
    waiting::until_true("the policy itself", || async { routing.status().await["origin"] == "policy" }).await;
    accepted(&routing).await;
}

#[tokio::test]
async fn fields_of_a_newer_version_are_only_a_warning_in_a_rendered_policy() {
    let policy = Policy::at("http://127.0.0.1:1")
        .annotation("routing.hyperguild.io/rendered", "true")
        .spec(json!({"fromTheFuture": {"a": 1}}));
    let routing = Program::serve_policy(&policy).start().await;
    assert_eq!(routing.status().await["unknownFields"], json!(["spec.fromTheFuture"]));
}

#[tokio::test]
async fn a_call_in_flight_keeps_the_config_that_it_started_with() {
    let models = Models::start().await;
    let with = |local: &str| Policy::at(&models.url()).local(local).to_string();
    let routing = Program::serve_policy(&with("waits")).start().await;
    let hash = routing.status().await["configHash"].clone();
    let call = tokio::spawn({
        let mcp = routing.mcp();
        async move { mcp.debug("x").await }
    });
    waiting::until_true("the model to be asked", || async { !models.received().is_empty() }).await;
    fs::write(routing.folder().join("policy.yaml"), with("two")).expect("written");
    waiting::until_true("the new config", || async { routing.status().await["configHash"] != hash }).await;
    models.release();
    let result = call.await.expect("a result");
    assert_eq!((result.text(0), result.decisions("policyHash")), ("answer of waits", vec![hash]));
}

#[tokio::test]
async fn prompts_from_a_folder_of_config_maps_are_reloaded_too() {
    let models = Models::start().await;
    let system = json!({"configMapKeyRef": {"name": "prompts", "key": "debug.md"}});
    let stages = json!([{"system": system, "user": "{{ args.problem }}"}]);
    let policy = Policy::at(&models.url()).spec(json!({"skills": [{"name": "debug", "stages": stages}]}));
    let program = Program::serve_policy(&policy).arguments(&["--configmaps", "maps"]);
    fs::create_dir_all(program.folder().join("maps/prompts")).expect("a folder");
    fs::write(program.folder().join("maps/prompts/debug.md"), "first prompt").expect("written");
    let routing = program.start().await;
    routing.mcp().debug("x").await;
    assert_eq!(models.received()[0].message(0), "first prompt");
    let hash = routing.status().await["configHash"].clone();
    fs::write(routing.folder().join("maps/prompts/debug.md"), "second prompt").expect("written");
    waiting::until_true("a new hash", || async { routing.status().await["configHash"] != hash }).await;
    routing.mcp().debug("x").await;
    assert_eq!(models.received()[1].message(0), "second prompt");
}

#[tokio::test]
async fn a_token_that_is_written_in_place_is_used_once_it_is_whole_and_until_then_the_old_one() {
    let models = Models::start().await;
    let policy = Policy::at(&models.url()).spec(access(&[("me", "TOKEN")]));
    let program = Program::serve_policy(&policy);
    let secrets = program.folder().join("secrets/s");
    fs::create_dir_all(&secrets).expect("a folder");
    fs::write(secrets.join("TOKEN"), "token-one").expect("written");
    let routing = program.start().await;
    let status_with = async |token: &str| routing.mcp().token(token).send("tools/list", json!({})).await.status();
    let mut file = fs::File::create(secrets.join("TOKEN")).expect("emptied");
    for part in ["token", "-", "two"] {
        for _ in 0..20 {
            assert_eq!(status_with("token-one").await, 200, "the new one is not whole");
        }
        std::io::Write::write_all(&mut file, part.as_bytes()).expect("written");
    }
    drop(file);
    waiting::until_true("the new token", || async { status_with("token-two").await == 200 }).await;
    assert_eq!(status_with("token-one").await, 401);
    assert!(!routing.log().contains("a secret is missing"), "{}", routing.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_for_a_brain_that_was_replaced_and_does_not_answer_hold_up_no_others() {
    const WAITING: u16 = 400;
    let (models, new) = (Models::start().await, Brain::that_takes_decisions(Brain::rate("null")).await);
    // It takes connections, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = format!("http://{}", silent.local_addr().expect("an address"));
    let with = |brain: &str| Policy::at(&models.url()).spec(json!({"brain": {"url": brain}})).to_string();
    let routing = Program::serve_policy(&with(&silent)).start().await;
    let mcp = routing.mcp();
    let calls = (0..WAITING).map(|i| {
        let mcp = mcp.clone();
        async move { assert!(!mcp.debug(&format!("call {i}")).await.is_error()) }
    });
    futures::stream::iter(calls).buffer_unordered(100).collect::<()>().await;
    let hash = routing.status().await["configHash"].clone();
    fs::write(routing.folder().join("policy.yaml"), with(&new.url())).expect("written");
    waiting::until_true("the new config", || async { routing.status().await["configHash"] != hash }).await;
    let began = std::time::Instant::now();
    mcp.debug("for the new brain").await;
    waiting::until_true("its record", || async { !new.entries().is_empty() }).await;
    println!("its record came after {:.1} s", began.elapsed().as_secs_f64());
    // With a time-out of its own for each, this would take minutes.
    waiting::until_true("the others to be given up", || async {
        routing.metric(r#"routing_decision_log_dropped_total{kind="unreachable"}"#).await >= f64::from(WAITING)
    })
    .await;
}
