//! Records that the brain did not get, as the data plane counts them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tests::{get_json, program::Running};

/// How long records may take to be in the brain, or to be given up.
const SETTLED: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(100);

/// How many records were dropped so far, by what they are and why.
#[derive(Default)]
pub struct NotLogged(BTreeMap<String, f64>);

impl NotLogged {
    pub async fn of(routing: &Running) -> Self {
        Self(routing.admin("/metrics").await.lines().filter_map(dropped).collect())
    }

    /// What came since then, in words.
    pub fn since(&self, before: &Self) -> String {
        let more = self.0.iter().map(|(name, count)| (name, count - before.0.get(name).unwrap_or(&0.0)));
        let said: Vec<String> =
            more.filter(|(_, more)| *more > 0.0).map(|(name, more)| format!("{more} {name}")).collect();
        if said.is_empty() { "nothing".into() } else { said.join(", ") }
    }
}

/// A line of metrics such as `routing_decision_log_dropped_total{kind="unreachable"} 2`.
fn dropped(line: &str) -> Option<(String, f64)> {
    let (what, rest) = line.strip_prefix("routing_")?.split_once("_dropped_total{kind=\"")?;
    let (kind, count) = rest.split_once("\"} ")?;
    Some((format!("{what} ({kind})"), count.parse().ok()?))
}

/// Waits until each record is in the brain or counted, and says how many there are. A record that was stored while its
/// connection broke is both.
pub async fn settled(routing: &Running, brain: &Running) -> String {
    let began = Instant::now();
    loop {
        let made = recorded(&routing.admin("/metrics").await);
        let stored =
            get_json(format!("{}/pass-rate?skill=_routing&window=1d", brain.base_url())).await["total"].as_f64();
        let (stored, dropped) = (stored.unwrap_or_default(), routing.decisions_not_logged().await);
        let known = stored + dropped;
        if known >= made || began.elapsed() > SETTLED {
            let (lost, both) = ((made - known).max(0.0), (known - made).max(0.0));
            return format!(
                "records: {made} made, {stored} in the brain, {dropped} counted as not logged, of which {both} are there \
                 all the same; {lost} neither there nor counted"
            );
        }
        tokio::time::sleep(STEP).await;
    }
}

/// Records of model calls.
fn recorded(metrics: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with("routing_decisions_total{"));
    // From 0: the sum of nothing would be -0.
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).fold(0.0, |all, one| all + one)
}
