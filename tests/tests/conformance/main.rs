//! The published conformance suites of MCP against the data plane, with skills of an ordinary policy, and against the
//! brain.

mod baseline;
mod page;
mod suites;

use futures::future::join_all;
use tests::{
    checkout, pages,
    program::{Program, Running},
    stand_in::models::Models,
};

use self::{
    baseline::{Baseline, Reasons, differences},
    suites::{Measured, Suite},
};

const FOLDER: &str = "tests/tests/conformance";
/// The report of this version.
const REPORT: &str = concat!("docs/conformance/", env!("CARGO_PKG_VERSION"), ".md");
/// How it begins.
const HEADING: &str = concat!(
    "# Conformance of ",
    env!("CARGO_PKG_VERSION"),
    "\n\nWhat was run, and how: [conformance](../conformance.md)."
);
const SERVERS: [&str; 2] = ["data plane", "brain"];
/// Suites, and the versions of the protocol that each is run for.
const SUITES: [(Suite, &str); 3] =
    [(Suite::Stable, "2025-11-25"), (Suite::Alpha, "2025-11-25"), (Suite::Alpha, "2026-07-28")];

/// What was run, and what it found.
struct Run {
    suite: Suite,
    version: &'static str,
    server: &'static str,
    measured: Measured,
}

impl Run {
    /// The file with what does not pass.
    fn file(&self) -> String {
        format!("{FOLDER}/baselines/{}-{}-{}.toml", self.suite.name(), self.version, self.server.replace(' ', "-"))
    }

    fn baseline(&self) -> Baseline {
        toml::from_str(&read(&self.file())).unwrap_or_else(|error| panic!("{}: {error}", self.file()))
    }
}

fn read(file: &str) -> String {
    std::fs::read_to_string(checkout().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn reasons() -> Reasons {
    toml::from_str(&read(&format!("{FOLDER}/reasons.toml"))).expect("reasons")
}

async fn data_plane(models: &Models) -> Running {
    let policy = read(&format!("{FOLDER}/policy.yaml"));
    assert!(policy.contains("http://127.0.0.1:4000"), "{policy}");
    Program::serve_policy(&policy.replace("http://127.0.0.1:4000", &models.url())).start().await
}

async fn run_all() -> Vec<Run> {
    let models = Models::start().await;
    let (data_plane, brain) = (data_plane(&models).await, Program::brain().start().await);
    let urls = [data_plane.mcp_url(), brain.mcp_url()];
    let run = async |(suite, version): (Suite, &'static str), server: usize| {
        let measured = suites::run(suite, version, &urls[server]).await;
        Run { suite, version, server: SERVERS[server], measured }
    };
    // Side by side, as most of their time is waiting.
    let each = SUITES.iter().flat_map(|suite| [0, 1].map(|server| run(*suite, server)));
    join_all(each).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suites_find_what_the_baselines_and_the_page_say() {
    let (runs, reasons) = (run_all().await, reasons());
    let mut lines = vec![];
    for run in &runs {
        let file = run.file();
        let found = differences(&run.measured, &run.baseline(), &reasons, run.server);
        lines.extend(found.into_iter().map(|line| format!("{file}: {line}")));
    }
    for reason in &reasons.reason {
        for scenario in &reason.scenarios {
            let known = runs.iter().any(|run| run.baseline().contains_key(scenario));
            if !known {
                lines.push(format!("{FOLDER}/reasons.toml: {scenario} is in no baseline: remove it"));
            }
        }
    }
    assert!(lines.is_empty(), "{}", lines.join("\n"));
    pages::begin(REPORT, HEADING);
    pages::keep(REPORT, &page::of(&runs, &reasons));
}
