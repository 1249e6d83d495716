//! Shadow calls: after an answer by Claude the local model is asked the same in the background. What it says is recorded
//! and never shown. No caller waits for it, it has its own places and its own time, and it is no fallback.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use endpoint::trace::Place;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Call,
    attempt::{Attempt, StageCall, end_model_span, model_span, note_end},
    check,
};
use crate::{
    config::Active,
    data_plane::DataPlane,
    decide::{Decision, Reason},
    decision::DecisionRecord,
    grading::{self, Graded},
    upstream::Prompt,
};
use crds::table::Skill;

/// Shadow calls at the same time, at most: each holds a prompt, and the local model has callers to answer.
const AT_A_TIME: usize = 4;

/// Places for shadow calls; none free: the next one is dropped and counted.
pub struct ShadowPlaces(Arc<Semaphore>);

impl Default for ShadowPlaces {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

impl ShadowPlaces {
    fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// Starts the shadow call of a stage that was answered, if the decision asks for one.
pub(super) fn after(call: &Call, stage_call: &StageCall, prompt: &Prompt) {
    if !stage_call.decided.shadowed {
        return;
    }
    let Some(place) = call.data_plane.shadows.take() else {
        call.data_plane.metrics.shadow(&call.skill.name, "dropped");
        return;
    };
    let mut record = Attempt::new(call, stage_call, Decision::Local, Reason::Explored).into_record();
    (record.shadow, record.claude_price) = (true, None);
    let shadow = Shadow {
        data_plane: Arc::clone(&call.data_plane),
        active: Arc::clone(&call.active),
        record,
        prompt: prompt.clone(),
        skill: Arc::clone(&call.skill),
        hash: stage_call.hash,
        place: call.place.clone(),
    };
    let call_id = stage_call.call_id;
    tokio::spawn(async move {
        shadow.run(call_id).await;
        drop(place);
    });
}

/// Everything a shadow call needs after its call has ended.
struct Shadow {
    data_plane: Arc<DataPlane>,
    active: Arc<Active>,
    record: Box<DecisionRecord>,
    prompt: Prompt,
    skill: Arc<Skill>,
    hash: u64,
    place: Place,
}

impl Shadow {
    async fn run(mut self, call_id: uuid::Uuid) {
        // It waits for no place: those who wait have callers.
        let admission = match self.active.local.admit_now() {
            Ok(admission) => admission,
            Err(error) => return self.data_plane.metrics.shadow(&self.skill.name, error.kind()),
        };
        let began = Instant::now();
        let span = model_span(&self.place, &self.active.local, &mut self.record);
        let within = self.record.client.trace.as_ref();
        let reply = self.active.local.ask(admission, within, &self.prompt, self.time()).await;
        note_end(&mut self.record, &reply);
        self.record.set_duration(began.elapsed());
        if let Ok(answer) = &reply.result {
            self.record.check = check::checked(&self.skill, self.record.stage, answer).await;
        }
        end_model_span(span, &self.record);
        let Self { data_plane, active, record, prompt, skill, hash, place } = self;
        data_plane.decision_log.record(call_id, &place, active.brain.as_ref(), &record);
        check::report(&data_plane.decision_log, &active, &skill, (call_id, &place), &record);
        if let Ok(answer) = &reply.result {
            let graded =
                Graded { call_id, place: &place, hash, prompt: &prompt, answer: &answer.text, record: &record };
            grading::sample(&data_plane, &active, &skill, &graded);
        }
    }

    /// The time of a local attempt, whatever is left of the call's own.
    fn time(&self) -> Duration {
        self.skill.timeouts.local
    }
}
