//! A real OpenTelemetry collector, which keeps what it receives.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{http, ports, required, supervised::Supervised, waiting};

/// A running collector; it ends when this is dropped.
pub struct Collector {
    process: Supervised,
    folder: TempDir,
    port: u16,
}

impl Collector {
    /// Starts one on a free port of this machine.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), ports::free());
        let process = start(folder.path(), port);
        let collector = Self { process, folder, port };
        collector.answers().await;
        collector
    }

    async fn answers(&self) {
        let url = self.url();
        waiting::until("the collector", || {
            let request = http().get(&url);
            async { request.send().await.ok() }
        })
        .await;
    }

    /// The address for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it; what it received stays.
    pub fn stop(&mut self) {
        self.process.kill();
    }

    /// Starts it again after `stop`, at the same address.
    pub async fn start_again(&mut self) {
        self.process = start(self.folder.path(), self.port);
        self.answers().await;
    }

    /// All that it received of a signal, `traces`, `metrics` or `logs`, as it was sent.
    #[must_use]
    pub fn text(&self, signal: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{signal}.json"))).unwrap_or_default()
    }

    /// The spans so far, in the order of their begin.
    #[must_use]
    pub fn spans(&self) -> Vec<Value> {
        let mut spans = self.items("traces", ["resourceSpans", "scopeSpans", "spans"]);
        spans.sort_by_key(|span| span["startTimeUnixNano"].as_str().unwrap_or_default().to_string());
        spans
    }

    /// The events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        self.items("logs", ["resourceLogs", "scopeLogs", "logRecords"])
    }

    /// The names of the metrics so far.
    #[must_use]
    pub fn metrics(&self) -> Vec<Value> {
        self.items("metrics", ["resourceMetrics", "scopeMetrics", "metrics"])
    }

    fn items(&self, signal: &str, path: [&str; 3]) -> Vec<Value> {
        // A line that is being written has no end yet.
        let lines = self.text(signal);
        let whole = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect::<Vec<_>>();
        path.into_iter().fold(whole, |outer, name| {
            outer.iter().flat_map(|item| item[name].as_array().cloned().unwrap_or_default()).collect()
        })
    }
}

fn start(folder: &Path, port: u16) -> Supervised {
    let exporter = |signal: &str| json!({"path": folder.join(format!("{signal}.json")), "append": true, "flush_interval": "100ms"});
    let pipeline = |signal: &str| json!({"receivers": ["otlp"], "exporters": [format!("file/{signal}")]});
    let config = json!({
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": format!("127.0.0.1:{port}")}}}},
        "exporters": {"file/traces": exporter("traces"), "file/metrics": exporter("metrics"), "file/logs": exporter("logs")},
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {"traces": pipeline("traces"), "metrics": pipeline("metrics"), "logs": pipeline("logs")}
        }
    });
    // JSON is YAML.
    std::fs::write(folder.join("config.yaml"), config.to_string()).expect("written");
    let program = required("ROUTING_TEST_COLLECTOR").display().to_string();
    let command = [program, "--config".into(), format!("file:{}", folder.join("config.yaml").display())];
    Supervised::start("collector", &command, &[], folder)
}

/// The attributes of a span, an event or a data point, by name.
#[must_use]
pub fn attributes(item: &Value) -> Value {
    let all = item["attributes"].as_array().cloned().unwrap_or_default();
    let value = |attribute: &Value| attribute["value"].as_object().and_then(|value| value.values().next().cloned());
    let mut named: Vec<_> = all
        .iter()
        .map(|one| (one["key"].as_str().unwrap_or_default().to_string(), value(one).unwrap_or_default()))
        .collect();
    named.sort_by(|(one, _), (other, _)| one.cmp(other));
    Value::Object(named.into_iter().collect())
}
