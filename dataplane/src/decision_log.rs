//! Reports decisions to the brain: best effort, in order within a call, and no call waits for it.

mod answers;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use endpoint::trace::{Place, TraceContext};
use serde::Serialize;
use tokio::{
    sync::{
        OwnedSemaphorePermit,
        mpsc::{self, error::TrySendError},
    },
    task::JoinHandle,
};
use uuid::Uuid;

use self::answers::Room;
use crate::{
    brain_client::{BrainClient, BrainError},
    decision::{Checked, DecisionRecord},
    grading::Spent,
    metrics::Metrics,
    review::Kept,
    traces::{Traces, attribute},
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
    pub fn record(&self, call_id: Uuid, place: &Place, brain: Option<&Arc<BrainClient>>, record: DecisionRecord) {
        log_line(&record);
        self.metrics.used(&record.skill, &record.model, record.decision.arm(), &record.usage);
        self.traces.decided(&record);
        if record.shadow {
            self.metrics.shadow(&record.skill, record.error.unwrap_or("answered"));
        } else {
            self.metrics.decision(&record);
        }
        self.send(call_id, brain, Report::Decision(Box::new(record)), place.clone());
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

async fn deliver(mut queue: mpsc::Receiver<Item>, waiting: Arc<AtomicUsize>, metrics: Arc<Metrics>) {
    while let Some(Item { brain, report, place }) = queue.recv().await {
        let (skill, id) = report.of();
        let mut span = place.request("log", || attribute::of_log(skill, id));
        let within = span.context();
        let delivered = match report {
            Report::Decision(record) => {
                let told = tell(&brain, &record, within.as_ref()).await;
                if let Err(error) = &told {
                    metrics.decision_log_dropped(error.kind());
                    tracing::warn!(id = %record.id, %error, "the brain did not accept a decision");
                }
                told
            }
            Report::Verdict(verdict) => tell_verdict(&brain, &verdict, within.as_ref(), &metrics).await,
            Report::Spent(spent) => tell_spent(&brain, &spent, within.as_ref(), &metrics).await,
            Report::Answer(kept, _room) => answers::tell(&brain, &kept, within.as_ref(), &metrics).await,
        };
        if let Err(error) = delivered {
            span.fail(error.kind());
        }
        waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sends a verdict to a brain that takes its source into account; for others it would be as good as a person's.
async fn tell_verdict(
    brain: &BrainClient,
    verdict: &Verdict,
    within: Option<&TraceContext>,
    metrics: &Metrics,
) -> Result<(), BrainError> {
    if !brain.takes_sources().await {
        metrics.verdict_dropped("not_supported");
        return Ok(());
    }
    brain.session_log_within(within, verdict).await.map(drop).inspect_err(|error| {
        metrics.verdict_dropped(error.kind());
        tracing::warn!(id = %verdict.decision_id, source = verdict.source.as_str(), %error, "the brain did not accept a verdict");
    })
}

/// Sends what a judgement took to a brain that keeps it; for others it would be an entry about nothing.
async fn tell_spent(
    brain: &BrainClient,
    spent: &Spent,
    within: Option<&TraceContext>,
    metrics: &Metrics,
) -> Result<(), BrainError> {
    if !brain.takes_usage().await {
        return Ok(());
    }
    brain.session_log_within(within, spent).await.map(drop).inspect_err(|error| {
        metrics.verdict_dropped(error.kind());
        tracing::warn!(id = %spent.decision_id, %error, "the brain did not accept what a judgement took");
    })
}

/// Sends the entry with its record to a brain that declares it. Other brains, and one that refuses it after all, get
/// only the contract's entry, and of a shadow call nothing.
async fn tell(brain: &BrainClient, record: &DecisionRecord, within: Option<&TraceContext>) -> Result<(), BrainError> {
    let send = async |entry: DecisionEntry<'_>| brain.session_log_within(within, &entry).await.map(drop);
    if record.shadow {
        // It is no decision of a caller, so there is no entry of the contract's for it.
        let known = brain.takes_decisions().await;
        return if known { send(DecisionEntry::of_shadow(record)).await } else { Ok(()) };
    }
    if brain.takes_decisions().await {
        match send(DecisionEntry::with_record(record)).await {
            Err(BrainError::Refused { .. }) => brain.takes_no_decisions(),
            told => return told,
        }
    }
    send(DecisionEntry::of(record)).await
}

/// The entry of `contract` part 4, with the record only for a brain that declares it.
#[derive(Serialize)]
struct DecisionEntry<'a> {
    session_id: &'static str,
    skill: &'a str,
    phase: &'static str,
    final_status: &'static str,
    message: String,
    duration_ms: u64,
    project_root: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'a DecisionRecord>,
}

impl<'a> DecisionEntry<'a> {
    fn of(record: &'a DecisionRecord) -> Self {
        Self {
            session_id: ROUTING,
            skill: ROUTING,
            phase: "decide",
            final_status: record.final_status(),
            message: record.message(),
            duration_ms: record.duration_ms,
            project_root: "",
            decision_id: None,
            decision: None,
        }
    }

    fn with_record(record: &'a DecisionRecord) -> Self {
        Self { decision_id: Some(record.id), decision: Some(record), ..Self::of(record) }
    }

    /// `skip`, even if the model call failed: that is no outcome of the skill's.
    fn of_shadow(record: &'a DecisionRecord) -> Self {
        Self { skill: &record.skill, phase: "shadow", final_status: "skip", ..Self::with_record(record) }
    }
}

fn log_line(record: &DecisionRecord) {
    tracing::info!(
        target: "routing::decision",
        id = %record.id,
        skill = record.skill,
        stage = record.stage,
        hash = record.hash,
        pass_rate = record.pass_rate,
        samples = record.samples,
        evidence_age_ms = record.evidence_age_ms,
        floor = record.floor,
        ceil = record.ceil,
        reason = record.reason.as_str(),
        decision = record.decision.as_str(),
        model = record.model,
        answered_by = record.answered_by,
        gateway_fallback = record.gateway_fallback,
        prompt_tokens = record.usage.prompt_tokens,
        completion_tokens = record.usage.completion_tokens,
        cached_tokens = record.usage.cached_tokens,
        cost_usd = record.usage.cost.map(|cost| cost.usd),
        finish_reason = record.finish_reason.map(FinishReason::as_str),
        duration_ms = record.duration_ms,
        error = record.error,
        caller = record.caller,
        session = record.session,
        mode = record.mode,
        check = record.check.map(Checked::as_str),
        client_call_id = record.client.call_id,
        client_session = record.client.session,
        client_name = record.client.name,
        client_version = record.client.version,
        traceparent = record.client.trace.as_ref().map(TraceContext::traceparent),
        policy_hash = record.policy_hash,
        evidence_of = record.basis.evidence_of,
        effective_floor = record.basis.effective_floor,
        effective_ceil = record.basis.effective_ceil,
        claude_pass_rate = record.basis.claude_pass_rate,
        claude_samples = record.basis.claude_samples,
        held = record.basis.held.then_some(true),
        held_age_ms = record.basis.held_age_ms,
        p_local = record.basis.p_local,
        shadow = record.shadow.then_some(true),
        sent_on = record.sent_on.then_some(true),
        "decided"
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{decide::Decision, decision::tests::record};

    #[test]
    fn contract_4_the_entry_has_exactly_these_arguments() {
        let mut record = record(Decision::Local, Some(0.94));
        record.duration_ms = 12;
        assert_eq!(
            json!(DecisionEntry::of(&record)),
            json!({"session_id": "_routing", "skill": "_routing", "phase": "decide", "final_status": "skip",
                "message": "debug: local — model=qwen35, pass_rate=0.94", "duration_ms": 12, "project_root": ""})
        );
    }

    #[test]
    fn a_shadow_call_is_an_entry_of_its_skill_that_says_nothing_about_quality() {
        let record = DecisionRecord { shadow: true, error: Some("timeout"), ..record(Decision::Local, Some(0.1)) };
        let entry = json!(DecisionEntry::of_shadow(&record));
        assert_eq!(
            (&entry["skill"], &entry["phase"], &entry["final_status"], &entry["message"]),
            (&json!("debug"), &json!("shadow"), &json!("skip"), &json!("debug: shadow — model=qwen35"))
        );
        assert_eq!(
            (&entry["decision_id"], &entry["decision"]["shadow"], &entry["decision"]["decision"]),
            (&json!(record.id), &json!(true), &json!("local"))
        );
    }

    #[test]
    fn contract_4_session_and_project_never_carry_the_callers_own() {
        let with_record = json!(DecisionEntry::with_record(&record(Decision::Local, None)));
        assert_eq!((&with_record["session_id"], &with_record["project_root"]), (&json!("_routing"), &json!("")));
        assert_eq!(with_record["decision"]["session"], "mine");
    }
}
