//! The dashboard and the alerts of `deploy/monitoring`, in a real Prometheus that scraped a real run.

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use tests::{
    Policy, checkout, get_json, http, manifests, ports,
    postgres::Postgres,
    program::{Program, Running},
    stand_in::models::Models,
    supervised::Supervised,
    waiting,
};

/// The metrics of tokens and money have these names; they begin with the first answer that has a price.
const NEEDS_A_PRICE: [&str; 2] = ["routing_tokens_total", "routing_cost_usd_total"];

fn monitoring(file: &str) -> String {
    std::fs::read_to_string(checkout().join("deploy/monitoring").join(file)).expect("the file")
}

fn rules() -> Value {
    let rule: Value = serde_saphyr::from_str(&monitoring("rules.yaml")).expect("YAML");
    rule["spec"].clone()
}

/// Name and query of each alert.
fn alerts() -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_string();
    let rules = rules()["groups"][0]["rules"].as_array().expect("rules").clone();
    rules.iter().map(|rule| (text(&rule["alert"]), text(&rule["expr"]))).collect()
}

/// Title and query of each target of each panel, with the variables as Grafana fills them in.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&monitoring("routing.json")).expect("JSON");
    let targets = |panel: &Value| {
        let title = panel["title"].as_str().expect("a title").to_string();
        let queries = panel["targets"].as_array().expect("targets").clone();
        queries.into_iter().map(move |target| (title.clone(), target["expr"].as_str().expect("a query").to_string()))
    };
    let all = dashboard["panels"].as_array().expect("panels").iter().flat_map(targets);
    all.map(|(title, query)| {
        let filled = [("$__rate_interval", "1m"), ("$namespace", ".*"), ("$policy", ".*")];
        (title, filled.iter().fold(query, |query, (variable, value)| query.replace(variable, value)))
    })
    .collect()
}

/// The names of metrics in a query.
fn names(query: &str) -> Vec<String> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("routing_")).map(str::to_string).collect()
}

fn promtool(arguments: &[&str], folder: &Path) -> String {
    let output = Command::new("promtool").args(arguments).current_dir(folder).output();
    let output = output.expect("promtool: install Debian's package prometheus (tests/setup/tools.sh)");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    text
}

/// The source of a program's metrics: a file, and those in the folder beside it.
fn metrics_of(source: &Path) -> String {
    let folder = std::fs::read_dir(source.join("metrics")).into_iter().flatten();
    let files = folder.map(|entry| entry.expect("an entry").path()).chain([source.join("metrics.rs")]);
    files.map(|file| std::fs::read_to_string(file).expect("source")).collect()
}

#[test]
fn every_metric_of_a_panel_or_an_alert_is_one_that_a_program_has() {
    let programs = [("routing_", "dataplane"), ("routing_operator_", "operator"), ("routing_brain_", "brain")];
    let source = programs.map(|(prefix, folder)| (prefix, metrics_of(&checkout().join(folder).join("src"))));
    let suffixes = ["_total", "_bucket", "_count", "_sum", "_info", ""];
    let is_known = |name: &str| {
        source.iter().any(|(prefix, text)| {
            let own = name.strip_prefix(prefix).unwrap_or_default();
            suffixes
                .iter()
                .filter_map(|suffix| own.strip_suffix(suffix))
                .any(|base| text.contains(&format!("\"{base}\"")))
        })
    };
    let queries: Vec<String> = panels().into_iter().chain(alerts()).map(|(_, query)| query).collect();
    let unknown: Vec<String> = queries
        .iter()
        .flat_map(|query| names(query))
        .filter(|name| !is_known(name) && !NEEDS_A_PRICE.contains(&name.as_str()))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(!is_known("routing_no_such_total"));
}

#[test]
fn every_alert_is_explained_where_it_points_to() {
    let page = std::fs::read_to_string(checkout().join("docs/monitoring.md")).expect("the page");
    for rule in rules()["groups"][0]["rules"].as_array().expect("rules") {
        let name = rule["alert"].as_str().expect("a name");
        assert!(page.contains(&format!("### {name}\n")), "docs/monitoring.md has no section {name}");
        let annotations = &rule["annotations"];
        assert!(["summary", "description"].iter().all(|text| annotations[text].as_str().is_some_and(|t| t.len() > 10)));
        assert_eq!(annotations["runbook"], format!("docs/monitoring.md#{}", name.to_lowercase()));
        // Alertmanager makes a link of it, which a path is not.
        assert!(annotations.get("runbook_url").is_none(), "{annotations}");
        assert!(["critical", "warning", "info"].contains(&rule["labels"]["severity"].as_str().expect("a severity")));
    }
}

#[test]
fn promtool_accepts_the_rules_and_each_alert_fires_and_stays_silent_as_it_should() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rules.json"), rules().to_string()).expect("written");
    let count = alerts().len();
    let checked = promtool(&["check", "rules", "rules.json"], folder.path());
    assert!(checked.contains(&format!("{count} rules found")), "{checked}");
    let cases = std::fs::read_to_string(checkout().join("tests/tests/monitoring.yaml")).expect("the cases");
    let tested: Vec<_> =
        alerts().into_iter().filter(|(name, _)| !cases.contains(&format!("alertname=\"{name}\""))).collect();
    assert!(tested.is_empty(), "no case for {tested:?}");
    std::fs::write(folder.path().join("cases.yaml"), cases).expect("written");
    println!("{checked}{}", promtool(&["test", "rules", "cases.yaml"], folder.path()));
}

#[test]
fn the_kustomization_builds_and_its_monitors_select_the_pods() {
    let objects = manifests::built("monitoring");
    let dashboard = &objects["ConfigMap routing-dashboard"];
    assert_eq!(dashboard["metadata"]["labels"]["grafana_dashboard"], "1");
    assert_eq!(
        serde_json::from_str::<Value>(dashboard["data"]["routing.json"].as_str().expect("text")).expect("JSON")["uid"],
        "routing"
    );
    for (monitor, port) in
        [("routing", "admin"), ("routing-operator", "admin"), ("routing-brain", "http"), ("brain", "http")]
    {
        let spec = &objects[&format!("PodMonitor {monitor}")]["spec"];
        assert_eq!(spec["selector"]["matchLabels"], json!({"app.kubernetes.io/name": monitor}));
        assert_eq!(spec["podMetricsEndpoints"][0]["port"], port);
    }
    let brain = &manifests::built("brain")["Deployment brain"];
    assert_eq!(
        brain["metadata"]["namespace"],
        objects["PodMonitor brain"]["spec"]["namespaceSelector"]["matchNames"][0]
    );
    assert_eq!(brain["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"], "brain");
    assert_eq!(brain["spec"]["template"]["spec"]["containers"][0]["ports"][0]["name"], "http");
    assert!(objects.contains_key("PrometheusRule routing"));
}

/// A Prometheus that scrapes these addresses every second, with the alerts. Each has a job and the name of a policy.
struct Prometheus {
    _process: Supervised,
    _folder: tempfile::TempDir,
    url: String,
}

impl Prometheus {
    async fn start(targets: &[(&str, &str, u16)]) -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), ports::free());
        let jobs: Vec<Value> = targets
            .iter()
            .map(|(job, policy, port)| {
                let labels = json!({"namespace": "routing", "policy": policy, "pod": "homelab-1"});
                json!({"job_name": job, "static_configs": [{"targets": [format!("127.0.0.1:{port}")], "labels": labels}]})
            })
            .collect();
        let config = json!({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.json"], "scrape_configs": jobs});
        std::fs::write(folder.path().join("prometheus.yaml"), config.to_string()).expect("written");
        std::fs::write(folder.path().join("rules.json"), rules().to_string()).expect("written");
        let address = format!("127.0.0.1:{port}");
        let command = [
            "prometheus",
            "--config.file=prometheus.yaml",
            "--storage.tsdb.path=data",
            &format!("--web.listen-address={address}"),
        ]
        .map(str::to_string);
        let process = Supervised::start("prometheus", &command, &[], folder.path());
        let url = format!("http://{address}");
        waiting::until("Prometheus (Debian's package prometheus; see tests/setup/tools.sh)", || {
            let request = http().get(format!("{url}/-/ready"));
            async { request.send().await.ok().filter(|answer| answer.status().is_success()) }
        })
        .await;
        Self { _process: process, _folder: folder, url }
    }

    /// The series that a query gives now.
    async fn query(&self, query: &str) -> Vec<Value> {
        let url = http().get(format!("{}/api/v1/query", self.url)).query(&[("query", query)]);
        let answer: Value = url.send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }
}

async fn call(routing: &Running, i: usize) {
    for skill in ["debug", "retrospective"] {
        let arguments = match skill {
            "debug" => json!({"project_root": "/tmp", "problem": format!("problem {i}")}),
            _ => json!({"project_root": "/tmp", "session_id": format!("s{i}")}),
        };
        routing.mcp().result(skill, arguments).await;
    }
}

#[tokio::test]
async fn every_panel_and_alert_can_be_queried_after_a_real_run() {
    let models = Models::start().await;
    let brain = Program::brain().start().await;
    let nobody = format!("http://127.0.0.1:{}", ports::free());
    // One data plane that works, and one whose local model fails and whose brain is away.
    let grading = json!({"skills": [{"name": "debug", "grading": {"by": "Claude", "share": "1", "maxPerHour": 1, "rubric": "It is right."}}, {"name": "retrospective"}],
        "brain": {"url": brain.base_url()}});
    let well = Policy::at(&models.url()).local("local-model").claude("says:pass").spec(grading);
    let well = Program::serve_policy(&well).start().await;
    let ill = Policy::at(&models.url()).local("status-500").claude("claude-model");
    let ill =
        Program::serve_policy(&ill.spec(json!({"brain": {"url": nobody}, "evidence": {"ttl": "10ms"}}))).start().await;
    let targets = [
        ("well", "homelab", well.ports.admin),
        ("ill", "elsewhere", ill.ports.admin),
        ("brain", "homelab", brain.ports.mcp),
    ];
    let prometheus = Prometheus::start(&targets).await;
    // Those of the operator, which is not part of this run, of money, of a locked skill and of shadow calls have none.
    let without =
        ["routing_operator_", "routing_tokens", "routing_cost", "routing_shadow_calls", "routing_evidence_locked"];
    for (round, (title, query)) in panels().into_iter().enumerate() {
        let filled = !without.iter().any(|prefix| query.contains(prefix));
        waiting::until_true(&format!("data of the panel {title}: {query}"), || async {
            call(&well, round).await;
            call(&ill, round).await;
            // A query that cannot run fails the test.
            let found = prometheus.query(&query).await;
            !filled || !found.is_empty()
        })
        .await;
    }
    for (name, query) in alerts() {
        prometheus.query(&query).await;
        println!("{name}: its query runs");
    }
    // Pending, because they fire only after minutes.
    for name in ["RoutingLocalModelFailing", "RoutingLocalCircuitOpen", "RoutingManyFallbacks", "RoutingBrainAway"] {
        waiting::until_true(name, || async {
            call(&ill, 0).await;
            let alerts = get_json(format!("{}/api/v1/alerts", prometheus.url)).await;
            alerts["data"]["alerts"]
                .as_array()
                .is_some_and(|all| all.iter().any(|alert| alert["labels"]["alertname"] == name))
        })
        .await;
    }
    println!(
        "{} queries of panels gave data or are of other parts, {} queries of alerts ran",
        panels().len(),
        alerts().len()
    );
}

#[tokio::test]
async fn a_brain_whose_database_is_away_says_so_and_its_alerts_begin() {
    let mut server = Postgres::start().await;
    let _ = server.sql("postgres", "CREATE DATABASE watched");
    let brain = Program::brain().variable("BRAIN_DATABASE_URL", &server.url("watched")).start().await;
    let prometheus = Prometheus::start(&[("brain", "homelab", brain.ports.mcp)]).await;
    let outcome = json!({"skill": "debug", "final_status": "pass"});
    brain.mcp().result("session_log", outcome.clone()).await;
    let is =
        async |query: &str, value: &str| prometheus.query(query).await.iter().any(|series| series["value"][1] == value);
    waiting::until_true("the database is up", || is("routing_brain_database_up", "1")).await;
    server.crash();
    waiting::until_true("the database is away", || is("routing_brain_database_up", "0")).await;
    for name in ["RoutingBrainDatabaseAway", "RoutingBrainWritesFail"] {
        let pending = format!("ALERTS{{alertname=\"{name}\",policy=\"homelab\"}}");
        waiting::until_true(name, || async {
            brain.mcp().result("session_log", outcome.clone()).await;
            is(&pending, "1").await
        })
        .await;
    }
    server.run_again().await;
    waiting::until_true("it is back", || is("routing_brain_database_up", "1")).await;
}
