//! Reports decisions to the brain: best effort, in order within a call, and no call waits for it.

mod answers;
mod delivery;
mod entry;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use endpoint::trace::{Place, TraceContext};
use tokio::{
    sync::{
        OwnedSemaphorePermit,
        mpsc::{self, error::TrySendError},
    },
    task::JoinHandle,
};
use uuid::Uuid;

pub use self::delivery::PACE;
use self::{answers::Room, delivery::deliver};
use crate::{
    brain_client::BrainClient,
    decision::{Checked, DecisionRecord},
    grading::Spent,
    metrics::Metrics,
    review::Kept,
    traces::Traces,
    upstream::FinishReason,
    verdict::Verdict,
};

/// Number of workers; all entries of a call go to the same one, so they are sent in order.
const WORKERS: usize = 4;
/// Entries that may wait for one worker; further ones are dropped and counted.
const QUEUE: usize = 512;
/// The session and the skill of every entry (`contract`, part 4).
pub const ROUTING: &str = "_routing";

struct Item {
    brain: Arc<BrainClient>,
    report: Report,
    place: Place,
}

/// What is reported to the brain.
enum Report {
    Decision(Box<DecisionRecord>),
    Verdict(Verdict),
    Spent(Spent),
    /// With its room, which is free again once it is sent or dropped.
    Answer(Box<Kept>, OwnedSemaphorePermit),
}

impl Report {
    /// It did not reach the brain.
    fn dropped(&self, metrics: &Metrics, kind: &'static str) {
        match self {
            Self::Decision(_) => metrics.decision_log_dropped(kind),
            Self::Verdict(_) | Self::Spent(_) => metrics.verdict_dropped(kind),
            Self::Answer(..) => metrics.review_dropped(kind),
        }
    }

    /// Which skill and which decision it is about.
    fn of(&self) -> (&str, Uuid) {
        match self {
            Self::Decision(record) => (&record.skill, record.id),
            Self::Verdict(verdict) => (&verdict.skill, verdict.decision_id),
            Self::Spent(spent) => (&spent.skill, spent.decision_id),
            Self::Answer(kept, _) => (kept.skill, kept.decision_id),
        }
    }
}

/// The queues of decisions that wait for the brain, and their workers.
pub struct DecisionLog {
    queues: Mutex<Vec<mpsc::Sender<Item>>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    waiting: Arc<AtomicUsize>,
    room: Room,
    metrics: Arc<Metrics>,
    traces: Traces,
}

impl DecisionLog {
    /// Starts the workers; needs a Tokio runtime.
    pub fn start(metrics: Arc<Metrics>, traces: Traces) -> Arc<Self> {
        let waiting = Arc::new(AtomicUsize::new(0));
        let (queues, workers) = (0..WORKERS)
            .map(|_| {
                let (sender, receiver) = mpsc::channel(QUEUE);
                (sender, tokio::spawn(deliver(receiver, Arc::clone(&waiting), Arc::clone(&metrics))))
            })
            .unzip();
        let (queues, workers, room) = (Mutex::new(queues), Mutex::new(workers), Room::default());
        Arc::new(Self { queues, workers, waiting, room, metrics, traces })
    }

    /// Logs a decision of the call `call_id`, whose span is at `place`: one log line always, and an entry in the brain if
    /// there is one.
    pub fn record(&self, call_id: Uuid, place: &Place, brain: Option<&Arc<BrainClient>>, record: &DecisionRecord) {
        log_line(record);
        self.metrics.used(&record.skill, &record.model, record.decision.arm(), &record.usage);
        self.traces.decided(record);
        if record.shadow {
            self.metrics.shadow(&record.skill, record.error.unwrap_or("answered"));
        } else {
            self.metrics.decision(record);
        }
        if brain.is_some() {
            self.send(call_id, brain, Report::Decision(Box::new(record.clone())), place.clone());
        }
    }

    /// Reports what it took to judge a decision of the call `call_id`, whose span is at `place`.
    pub fn graded(&self, call_id: Uuid, place: &Place, brain: Option<&Arc<BrainClient>>, spent: Spent) {
        self.metrics.used(&spent.skill, &spent.usage.model, Spent::ARM, &spent.usage.usage);
        if spent.usage.usage.is_known() {
            self.send(call_id, brain, Report::Spent(spent), place.clone());
        }
    }

    /// Reports a verdict on a decision of the call `call_id`, after that decision; it came from what is at `place`.
    pub fn verdict(&self, call_id: Uuid, place: &Place, brain: Option<&Arc<BrainClient>>, verdict: Verdict) {
        self.metrics.verdict(&verdict);
        self.send(call_id, brain, Report::Verdict(verdict), place.clone());
    }

    /// Sends the brain an answer of the call `call_id` to keep, after its decision.
    pub fn keep(&self, call_id: Uuid, place: &Place, brain: Option<&Arc<BrainClient>>, kept: Kept) {
        match self.room.take(&kept) {
            Some(room) => self.send(call_id, brain, Report::Answer(Box::new(kept), room), place.clone()),
            None => self.metrics.review_dropped("too_many_bytes"),
        }
    }

    fn send(&self, call_id: Uuid, brain: Option<&Arc<BrainClient>>, report: Report, place: Place) {
        let Some(brain) = brain else { return };
        // The low bits of a UUIDv7 are random.
        let worker = usize::try_from(call_id.as_u128() % WORKERS as u128).unwrap_or_default();
        let item = Item { brain: Arc::clone(brain), report, place };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let refused = match locked(&self.queues).get(worker) {
            Some(queue) => queue.try_send(item).map_err(TrySendError::into_inner).err(),
            None => Some(item),
        };
        if let Some(item) = refused {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            item.report.dropped(&self.metrics, "queue_full");
        }
    }

    /// Delivers what is queued, for at most `grace`; later entries are dropped and counted.
    pub async fn flush(&self, grace: Duration) {
        locked(&self.queues).clear();
        let workers = std::mem::take(&mut *locked(&self.workers));
        if tokio::time::timeout(grace, futures::future::join_all(workers)).await.is_err() {
            let dropped = self.waiting.load(Ordering::Relaxed);
            tracing::warn!(dropped, "the brain did not accept all decisions in time");
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing that holds the lock can panic in the middle of a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn log_line(record: &DecisionRecord) {
    // In one place: the fields of an event are fixed where it is written.
    let (usage, client, basis) = (&record.usage, &record.client, &record.basis);
    tracing::info!(
        target: "routing::decision",
        id = %record.id, skill = record.skill, stage = record.stage, hash = record.hash,
        pass_rate = record.pass_rate, samples = record.samples, evidence_age_ms = record.evidence_age_ms,
        floor = record.floor, ceil = record.ceil,
        reason = record.reason.as_str(), decision = record.decision.as_str(),
        model = record.model, answered_by = record.answered_by, gateway_fallback = record.gateway_fallback,
        prompt_tokens = usage.prompt_tokens, completion_tokens = usage.completion_tokens,
        cached_tokens = usage.cached_tokens, cost_usd = usage.cost.map(|cost| cost.usd),
        finish_reason = record.finish_reason.map(FinishReason::as_str),
        duration_ms = record.duration_ms, error = record.error,
        caller = record.caller, session = record.session, mode = record.mode,
        check = record.check.map(Checked::as_str),
        client_call_id = client.call_id, client_session = client.session,
        client_name = client.name, client_version = client.version,
        traceparent = client.trace.as_ref().map(TraceContext::traceparent),
        policy_hash = record.policy_hash, evidence_of = basis.evidence_of,
        effective_floor = basis.effective_floor, effective_ceil = basis.effective_ceil,
        claude_pass_rate = basis.claude_pass_rate, claude_samples = basis.claude_samples,
        held = basis.held.then_some(true), held_age_ms = basis.held_age_ms, p_local = basis.p_local,
        shadow = record.shadow.then_some(true), sent_on = record.sent_on.then_some(true),
        "decided"
    );
}
