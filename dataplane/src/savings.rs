//! What was saved, as the brain says it, for `/status`. Asked for rarely, because it is read by many and changes slowly.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crds::{period::USUAL_WINDOW, pod::savings::SavingsReport};
use tokio::{sync::Mutex, time::timeout};

use crate::brain_client::{BrainClient, KnownReport};

/// How long an answer, or that there is none, is kept.
const KEPT: Duration = Duration::from_secs(60);
/// How long a status waits for it.
const WAIT: Duration = Duration::from_secs(1);

/// The last answer of a brain.
pub struct Savings {
    brain: Arc<BrainClient>,
    /// When it was asked, and what it said.
    last: Mutex<Option<(Instant, Option<SavingsReport>)>>,
}

impl Savings {
    pub fn of(brain: Arc<BrainClient>) -> Self {
        Self { brain, last: Mutex::default() }
    }

    /// Whether it is the same brain's.
    pub fn asks(&self, brain: &Arc<BrainClient>) -> bool {
        Arc::ptr_eq(&self.brain, brain)
    }

    /// What the brain says; none: it did not answer, or keeps no costs.
    pub async fn now(&self) -> Option<SavingsReport> {
        let mut last = self.last.lock().await;
        if let Some((_, known)) = last.as_ref().filter(|(asked, _)| asked.elapsed() < KEPT) {
            return known.clone();
        }
        let answer = timeout(WAIT, self.brain.report(USUAL_WINDOW)).await;
        let known = answer.ok().and_then(Result::ok).map(|(_, report)| of(&report));
        *last = Some((Instant::now(), known.clone()));
        known
    }
}

fn of(report: &KnownReport) -> SavingsReport {
    let total = &report.total;
    let saved = total.saved.as_ref();
    SavingsReport {
        since: USUAL_WINDOW.into(),
        calls: total.calls,
        share_local: total.share_local,
        cost_usd: total.cost_usd,
        saved_usd: saved.map(|saved| saved.usd),
        saved_low: saved.map(|saved| saved.low),
        saved_high: saved.map(|saved| saved.high),
    }
}
