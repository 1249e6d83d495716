//! One model call with its record. The record is written whatever happens, even if the caller disconnects.

mod turn;

use std::time::{Duration, Instant};

use crds::{policy::OnLocalError, table::ClaudeTarget};
use endpoint::trace::{Place, Span};
use uuid::Uuid;

use super::{Call, StageAnswer, check};
use crate::{
    deadline,
    decide::{Decided, Decision, Reason},
    decision::{Basis, Checked, DecisionRecord, PriceAtTheTime, milliseconds},
    evidence::SkillEvidence,
    mode::Mode,
    traces::attribute,
    upstream::{Admission, AttemptError, ModelClient, Prompt, Reply},
};

/// What both attempts of a stage share.
pub(super) struct StageCall {
    pub(super) call_id: Uuid,
    pub(super) stage: usize,
    pub(super) hash: u64,
    pub(super) evidence: SkillEvidence,
    pub(super) decided: Decided,
    pub(super) deadline: Instant,
}

impl StageCall {
    fn basis(&self, call: &Call) -> Basis {
        Basis::of(&self.decided, self.evidence.measured, &call.active.table, &call.skill)
    }
}

pub(super) struct Attempt<'a> {
    call: &'a Call,
    stage_call: &'a StageCall,
    /// None: the caller does the work.
    model: Option<&'a ModelClient>,
    /// Boxed, as everywhere on its way: futures would have room for it more than once.
    record: Box<DecisionRecord>,
}

/// How an attempt ended: its record, and what it gave. Without a model call there is no record.
pub(super) type Ended = (Option<Box<DecisionRecord>>, Result<StageAnswer, AttemptError>);

impl<'a> Attempt<'a> {
    pub(super) fn new(call: &'a Call, stage_call: &'a StageCall, decision: Decision, reason: Reason) -> Self {
        let model = match decision {
            Decision::Local => Some(&call.active.local),
            Decision::Claude | Decision::ClaudeFallback | Decision::ClaudeEscalation => call.active.claude.as_ref(),
        };
        let name = model.map_or(ClaudeTarget::CALLER, |model| &model.target().model);
        let record = Box::new(DecisionRecord {
            stage: stage_call.stage,
            hash: format!("{:016x}", stage_call.hash),
            pass_rate: stage_call.evidence.measured.pass_rate,
            samples: stage_call.evidence.measured.samples,
            evidence_age_ms: stage_call.evidence.age.map(milliseconds),
            floor: call.skill.thresholds.floor,
            ceil: call.skill.thresholds.ceil,
            claude_price: claude_price(call, decision),
            caller: call.caller.clone(),
            session: call.session().map(str::to_string),
            mode: call.mode.map(Mode::as_str),
            policy_hash: call.active.hash.clone(),
            basis: stage_call.basis(call),
            gradings_used_up: call.data_plane.gradings.are_used_up(&call.skill, Instant::now()),
            client: call.client.clone(),
            effective_rate: stage_call.decided.effective_rate,
            ..DecisionRecord::new(&call.skill.name, decision, reason, name)
        });
        Self { call, stage_call, model, record }
    }

    /// The record alone, for a model call that is made elsewhere.
    pub(super) fn into_record(self) -> Box<DecisionRecord> {
        self.record
    }

    /// The name of the model, or what stands for the caller.
    pub(super) fn model(&self) -> &str {
        &self.record.model
    }

    /// Calls the model, or returns the work to the caller.
    pub(super) async fn run(self, prompt: &Prompt) -> Ended {
        let Some(model) = self.model else { return (Some(self.returned()), Ok(StageAnswer::Returned)) };
        let ends = Instant::now() + self.budget(model);
        match self.admitted(model, ends).await {
            Ok(admission) => self.ask(model, admission, prompt, ends).await,
            Err(error) => {
                self.note_not_called(&error);
                (None, Err(error))
            }
        }
    }

    /// The record of work that the caller does; there is nothing to wait for, to check or to warn of.
    fn returned(self) -> Box<DecisionRecord> {
        let Self { call, stage_call, model: _, mut record } = self;
        (record.answered_by, record.returned) = (Some(ClaudeTarget::CALLER.into()), true);
        PendingRecord { call, stage_call, began: Instant::now(), record: None, span: Span::default() }
            .write(&mut record);
        record
    }

    async fn ask(self, model: &ModelClient, admission: Admission, prompt: &Prompt, ends: Instant) -> Ended {
        self.tell("");
        let Self { call, stage_call, model: _, mut record } = self;
        let span = model_span(&call.place, model, &mut record);
        let within = record.client.trace.clone();
        let pending = PendingRecord { call, stage_call, began: Instant::now(), record: Some(record), span };
        let budget = ends.saturating_duration_since(Instant::now());
        let reply = model.ask(admission, within.as_ref(), prompt, budget).await;
        let checked = match &reply.result {
            Ok(answer) => check::checked(&call.skill, stage_call.stage, answer).await,
            Err(_) => None,
        };
        (Some(pending.finish(&reply, checked)), reply.result.map(|answer| StageAnswer::Text(answer.text)))
    }

    /// The time for this attempt; a local one leaves time for a fallback to Claude.
    fn budget(&self, model: &ModelClient) -> Duration {
        let left = self.stage_call.deadline.saturating_duration_since(Instant::now());
        match self.record.decision {
            Decision::Local => {
                let skill = &self.call.skill;
                let escapes = skill.on_local_error == OnLocalError::Claude || check::escalates(skill);
                // To return the work takes no time.
                let fallback = escapes && self.call.active.claude.is_some();
                deadline::local_share(left, skill.timeouts, fallback)
            }
            Decision::Claude | Decision::ClaudeFallback | Decision::ClaudeEscalation => {
                model.target().timeout.map_or(left, |own| own.min(left))
            }
        }
    }
}

/// What Claude would cost, for a call that it may be spared.
fn claude_price(call: &Call, decision: Decision) -> Option<PriceAtTheTime> {
    let claude = call.active.claude.as_ref().filter(|_| decision == Decision::Local)?;
    claude.target().price.as_ref().map(PriceAtTheTime::of)
}

/// The record of an attempt in flight. Dropped before the attempt ends, it is written with the error `cancelled`.
struct PendingRecord<'a> {
    call: &'a Call,
    stage_call: &'a StageCall,
    began: Instant,
    record: Option<Box<DecisionRecord>>,
    span: Span,
}

impl PendingRecord<'_> {
    fn finish(mut self, reply: &Reply, checked: Option<Checked>) -> Box<DecisionRecord> {
        // Set on creation, and taken only here or in `drop`, which runs later.
        let mut record = self.record.take().expect("a pending record is finished once");
        note_end(&mut record, reply);
        record.check = checked;
        record.sent_on = check::sends_on(self.call, &record, self.stage_call.deadline);
        self.write(&mut record);
        let Call { data_plane, active, skill, place, .. } = self.call;
        check::report(&data_plane.decision_log, active, skill, (self.stage_call.call_id, place), &record);
        self.call.data_plane.model_warnings.of(&record, &reply.result);
        record
    }

    fn write(&mut self, record: &mut DecisionRecord) {
        record.set_duration(self.began.elapsed());
        end_model_span(std::mem::take(&mut self.span), record);
        let brain = self.call.active.brain.as_ref();
        self.call.data_plane.decision_log.record(self.stage_call.call_id, &self.call.place, brain, record);
    }
}

/// Begins the span of a model call; the record then has its trace, in which the endpoint and verdicts are, too.
pub(super) fn model_span(place: &Place, model: &ModelClient, record: &mut DecisionRecord) -> Span {
    let name = format!("{} {}", attribute::CHAT, record.model);
    let span = place.request(name, || attribute::of_model_call(record, model));
    record.client.trace = span.context().or_else(|| record.client.trace.take());
    span
}

/// Ends the span of a model call as its record says.
pub(super) fn end_model_span(mut span: Span, record: &DecisionRecord) {
    span.note(|| attribute::of_model_answer(record));
    if let Some(kind) = record.error {
        span.fail(kind);
    }
}

/// Notes in the record how its model call ended.
pub(super) fn note_end(record: &mut DecisionRecord, reply: &Reply) {
    record.usage = reply.usage;
    match &reply.result {
        Ok(answer) => {
            record.answered_by.clone_from(&answer.gateway.answered_by);
            record.gateway_fallback = answer.gateway.fell_back;
            record.finish_reason = answer.finish_reason;
        }
        Err(error) => record.error = Some(error.kind()),
    }
}

impl Drop for PendingRecord<'_> {
    fn drop(&mut self) {
        if let Some(mut record) = self.record.take() {
            record.error = Some(AttemptError::Cancelled.kind());
            self.write(&mut record);
        }
    }
}
