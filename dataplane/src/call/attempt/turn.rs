//! An attempt's turn: it waits until its model may be called, or does without it.

use std::time::Instant;

use super::Attempt;
use crate::{
    deadline,
    upstream::{Admission, AttemptError, ModelClient},
};

impl Attempt<'_> {
    /// The right to call the model, as soon as it is this call's turn.
    pub(super) async fn admitted(&self, model: &ModelClient, ends: Instant) -> Result<Admission, AttemptError> {
        let began = Instant::now();
        let admission = match model.admit_now() {
            Err(AttemptError::Busy { .. }) => {
                self.tell(", waits for its turn");
                let _span = self.call.place.work("wait", Vec::new);
                model.admit(deadline::wait_share(ends.saturating_duration_since(began))).await
            }
            at_once => at_once,
        };
        if model.target().max_concurrent.is_some() && !matches!(admission, Err(AttemptError::CircuitOpen { .. })) {
            self.call.data_plane.metrics.waited(self.record.decision.arm(), began.elapsed());
        }
        admission
    }

    /// A circuit has its own warning when it opens.
    pub(super) fn note_not_called(&self, error: &AttemptError) {
        let data_plane = &self.call.data_plane;
        data_plane.metrics.not_called(self.record.decision.arm(), error.kind());
        if matches!(error, AttemptError::Busy { .. }) {
            data_plane.model_warnings.failed(&self.record, error);
        }
    }

    /// Tells a caller that listens what this attempt does.
    pub(super) fn tell(&self, more: &str) {
        let Self { call, stage_call, record, .. } = self;
        if call.activity.is_closed() {
            return;
        }
        let (skill, decision, model) = (&record.skill, record.decision.as_str(), &record.model);
        let (stage, stages) = (stage_call.stage + 1, call.skill.stages.len());
        call.activity.send_replace(format!("{skill}: stage {stage} of {stages}, {decision} ({model}){more}"));
    }
}
