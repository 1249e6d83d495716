//! One call of a skill: its stages one after the other, each routed on its own.
//!
//! ```text
//! arguments ─▶ prompt ─▶ evidence ─▶ decide ─▶ model ─▶ (local error, failed check ─▶ Claude) ─▶ next stage ─▶ answer
//! ```

mod attempt;
mod check;
pub mod failure;
mod material;
mod returned;
mod shadow;
mod warnings;

use std::{sync::Arc, time::Instant};

use crds::{
    policy::{OnLocalError, Source},
    shown::is_hidden,
    table::{Skill, Stage},
    template::TemplateInput,
};
use endpoint::trace::Place;
use serde_json::{Map, Value};
use tokio::sync::watch;
use uuid::Uuid;

use self::{
    attempt::{Attempt, StageCall},
    failure::CallFailure,
    material::Material,
};
pub use self::{returned::Work, shadow::ShadowPlaces, warnings::ModelWarnings};
use crate::{
    client_context::ClientContext,
    config::{Active, active::PolicyOrigin},
    data_plane::DataPlane,
    deadline,
    decide::{Decision, Reason, SkillRules, decide_for_skill, request_hash},
    decision::{DecisionRecord, answering},
    evidence::{EvidenceCache, SkillEvidence},
    grading::{self, Graded},
    mode::Mode,
    repeats::{Answered, Asked},
    review::Kept,
    traces::attribute,
    upstream::{AttemptError, Prompt},
    verdict::{Quality, Verdict},
};

/// Longest session id, in characters: that of the brain's entries.
const SESSION_MAX: usize = 256;

/// A call of a skill, its arguments already checked.
pub struct Call {
    pub data_plane: Arc<DataPlane>,
    /// The config at the start of the call; a reload does not change it.
    pub active: Arc<Active>,
    pub skill: Arc<Skill>,
    pub arguments: Map<String, Value>,
    /// Name of the caller's token in the policy; none: the endpoint is open.
    pub caller: Option<String>,
    /// From the caller's `X-Hyperguild-Mode` header; none: there was none. It only goes into the record.
    pub mode: Option<Mode>,
    /// What the client says of itself and of its call.
    pub client: ClientContext,
    /// Its span.
    pub place: Place,
    /// The current step in words, for progress notifications.
    pub activity: watch::Sender<String>,
}

/// How a call ended, and what was decided on the way.
pub struct CallOutcome {
    /// What the caller gets.
    pub answer: Result<CallAnswer, CallFailure>,
    /// The decisions whose attempts produced an answer or an error, in order.
    pub decisions: Vec<DecisionRecord>,
}

/// What a call gives its caller.
pub enum CallAnswer {
    /// The answer of the last stage.
    Text(String),
    /// The work itself, to be done by the caller.
    Work(Work),
}

/// What a stage has.
enum StageAnswer {
    /// The answer of a model.
    Text(String),
    /// None: the caller does the work.
    Returned,
}

impl Call {
    /// Runs the call to its end, within the policy's total time-out.
    pub async fn run(self) -> CallOutcome {
        let (call_id, asked) = (Uuid::now_v7(), self.asked());
        asked.into_iter().for_each(|asked| self.report_repeat(asked));
        let mut decisions = vec![];
        let answer = self.run_stages(call_id, &mut decisions).await;
        let answer = answer.map(|answer| match answer {
            StageAnswer::Text(text) => CallAnswer::Text(text),
            StageAnswer::Returned => CallAnswer::Work(Work::of(&self, decisions.last())),
        });
        let last = answering(&decisions, self.skill.stages.len().saturating_sub(1)).filter(|_| answer.is_ok());
        if let Some((asked, last)) = asked.zip(last) {
            let answered = Answered { call_id, decision_id: last.id };
            self.data_plane.repeats.note(asked, answered, Instant::now());
        }
        if let (Ok(CallAnswer::Text(text)), Some(last)) = (&answer, last) {
            self.keep_for_review(call_id, last, text);
        }
        CallOutcome { answer, decisions }
    }

    /// Sends the brain the answer that the caller gets, if the policy keeps it.
    fn keep_for_review(&self, call_id: Uuid, last: &DecisionRecord, answer: &str) {
        let kept = self.active.table.review.as_ref().and_then(|rules| Kept::of(rules, last.id, answer));
        if let Some(kept) = kept {
            self.data_plane.decision_log.keep(call_id, &self.place, self.active.brain.as_ref(), kept);
        }
    }

    /// What is asked, to notice it when it is asked again; none from the environment alone, where nothing is reported but
    /// what `contract` part 4 has.
    fn asked(&self) -> Option<Asked> {
        if self.active.origin == PolicyOrigin::Environment {
            return None;
        }
        let session = self.session().or(self.client.session.as_deref());
        Some(Asked::of(&self.skill.name, &self.arguments, session, self.caller.as_deref()))
    }

    /// Who asks the same again at once was not served by the first answer.
    fn report_repeat(&self, asked: Asked) {
        let Some(before) = self.data_plane.repeats.take(asked, Instant::now()) else { return };
        let verdict = Verdict::new(&self.skill.name, before.decision_id, Source::Implicit, Quality::Fail);
        self.data_plane.decision_log.verdict(before.call_id, &self.place, self.active.brain.as_ref(), verdict);
    }

    async fn run_stages(&self, call_id: Uuid, decisions: &mut Vec<DecisionRecord>) -> Result<StageAnswer, CallFailure> {
        if self.session().is_some_and(|id| id.chars().any(is_hidden) || id.chars().count() > SESSION_MAX) {
            return Err(CallFailure::SessionId { skill: self.skill.name.clone() });
        }
        let deadline = Instant::now() + self.skill.timeouts.total;
        let material = Material::gather(self).await;
        let mut previous: Option<String> = None;
        let stages = &self.skill.stages;
        for (i, stage) in stages.iter().enumerate() {
            let prompt = self.prompt(i, stage, previous.as_deref(), &material, deadline).await?;
            let time = deadline::stage_share(deadline.saturating_duration_since(Instant::now()), stages.len() - i);
            let stage_deadline = Instant::now() + time;
            match self.run_stage(call_id, i, &prompt, stage_deadline, decisions).await? {
                StageAnswer::Text(text) => previous = Some(text),
                // `compile` sees to it that this is the last stage.
                StageAnswer::Returned => return Ok(StageAnswer::Returned),
            }
        }
        // `compile` refuses a skill without stages, so there is an answer.
        previous.map(StageAnswer::Text).ok_or(CallFailure::NoStages)
    }

    async fn prompt(
        &self,
        stage: usize,
        spec: &Stage,
        previous: Option<&str>,
        material: &Material,
        deadline: Instant,
    ) -> Result<Prompt, CallFailure> {
        let skill = &self.skill.name;
        let input =
            TemplateInput { args: &self.arguments, previous, files: &material.files, session: &material.session };
        let rendered = self.data_plane.renderers.render(skill, &spec.user, &input, deadline).await;
        let user = rendered.map_err(|source| {
            self.data_plane.metrics.prompt_failed(source.kind());
            self.data_plane.model_warnings.of_a_prompt(skill, stage, &source);
            CallFailure::Prompt { skill: skill.clone(), stage, source }
        })?;
        Ok(Prompt { system: spec.system.clone(), user })
    }

    async fn run_stage(
        &self,
        call_id: Uuid,
        stage: usize,
        prompt: &Prompt,
        deadline: Instant,
        decisions: &mut Vec<DecisionRecord>,
    ) -> Result<StageAnswer, CallFailure> {
        let stage_call = self.decided(call_id, stage, prompt, deadline).await;
        let decision = stage_call.decided.decision;
        let first = Attempt::new(self, &stage_call, decision, stage_call.decided.reason);
        let model = first.model().to_string();
        let (record, result) = first.run(prompt).await;
        decisions.extend(record.map(|record| *record));
        match result {
            Ok(answer) => {
                shadow::after(self, &stage_call, prompt);
                let answer = self.unless_failed_check(&stage_call, prompt, answer, decisions).await;
                self.sample(&stage_call, prompt, &answer, decisions);
                Ok(answer)
            }
            Err(error) if decision == Decision::Local && self.skill.on_local_error == OnLocalError::Claude => {
                self.fall_back(&stage_call, prompt, (model, error), decisions).await
            }
            Err(error) => {
                let kept_local = decision == Decision::Local;
                Err(CallFailure::Models {
                    skill: self.skill.name.clone(),
                    attempts: vec![(decision, model, error)],
                    kept_local,
                })
            }
        }
    }

    /// Where a stage goes, by the evidence that there is.
    async fn decided(&self, call_id: Uuid, stage: usize, prompt: &Prompt, deadline: Instant) -> StageCall {
        // A pinned skill needs no evidence, so it never waits for the brain.
        let evidence = match self.active.evidence_of(&self.skill) {
            Some(cache) => self.evidence(cache).await,
            None => SkillEvidence::default(),
        };
        let hash = request_hash(&prompt.system, &prompt.user);
        let rules = SkillRules::of(&self.active.table, &self.skill);
        let decided = decide_for_skill(&rules, evidence.measured, hash);
        self.place.work("decision", || attribute::of_decision(&self.skill.name, stage, &decided));
        StageCall { call_id, stage, hash, evidence, decided, deadline }
    }

    async fn evidence(&self, cache: &Arc<EvidenceCache>) -> SkillEvidence {
        let mut span = self.place.work("evidence", Vec::new);
        let evidence = cache.of(&self.skill.name, span.context()).await;
        span.note(|| attribute::of_evidence(&evidence));
        evidence
    }

    /// The answer of the local model, or that of Claude if the skill's check sends it there. If Claude has none, the local
    /// one is kept.
    async fn unless_failed_check(
        &self,
        stage_call: &StageCall,
        prompt: &Prompt,
        answer: StageAnswer,
        decisions: &mut Vec<DecisionRecord>,
    ) -> StageAnswer {
        if !decisions.last().is_some_and(|record| record.sent_on) {
            return answer;
        }
        let (record, result) =
            Attempt::new(self, stage_call, Decision::ClaudeEscalation, Reason::FailedCheck).run(prompt).await;
        decisions.extend(record.map(|record| *record));
        result.unwrap_or(answer)
    }

    fn sample(&self, stage_call: &StageCall, prompt: &Prompt, answer: &StageAnswer, decisions: &[DecisionRecord]) {
        let StageAnswer::Text(answer) = answer else { return };
        let Some(record) = answering(decisions, stage_call.stage) else { return };
        let graded =
            Graded { call_id: stage_call.call_id, place: &self.place, hash: stage_call.hash, prompt, answer, record };
        grading::sample(&self.data_plane, &self.active, &self.skill, &graded);
    }

    async fn fall_back(
        &self,
        stage_call: &StageCall,
        prompt: &Prompt,
        (local_model, local_error): (String, AttemptError),
        decisions: &mut Vec<DecisionRecord>,
    ) -> Result<StageAnswer, CallFailure> {
        let fallback = Attempt::new(self, stage_call, Decision::ClaudeFallback, instead_of(&local_error));
        let claude_model = fallback.model().to_string();
        let (record, result) = fallback.run(prompt).await;
        decisions.extend(record.map(|record| *record));
        if let Ok(answer) = &result {
            self.sample(stage_call, prompt, answer, decisions);
        }
        result.map_err(|error| CallFailure::Models {
            skill: self.skill.name.clone(),
            attempts: vec![
                (Decision::Local, local_model, local_error),
                (Decision::ClaudeFallback, claude_model, error),
            ],
            kept_local: false,
        })
    }

    /// The caller's own session id; an empty one counts as none.
    fn session(&self) -> Option<&str> {
        self.arguments.get("session_id").and_then(Value::as_str).filter(|id| !id.is_empty())
    }
}

/// Why Claude is asked after this error of a local attempt.
fn instead_of(error: &AttemptError) -> Reason {
    match error {
        AttemptError::CircuitOpen { .. } => Reason::LocalCircuitOpen,
        AttemptError::Busy { .. } => Reason::LocalBusy,
        _ => Reason::AfterLocalError,
    }
}
