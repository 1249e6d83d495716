//! The span of a call, and how long it took. A call that is dropped, because its caller is gone or the server stops, ends
//! as cancelled.

use std::{sync::Arc, time::Instant};

use crate::{
    data_plane::DataPlane,
    traces::{Place, Span, attribute},
};

const CANCELLED: &str = "cancelled";

/// A call that runs.
pub(super) struct CallSpan {
    data_plane: Arc<DataPlane>,
    skill: String,
    span: Span,
    began: Instant,
    /// How it ended; none: it has not.
    error: Option<Option<&'static str>>,
}

impl CallSpan {
    /// Begins, within the caller's trace if it has one.
    pub(super) fn begin(data_plane: &Arc<DataPlane>, skill: &str, traceparent: Option<&str>) -> Self {
        Self {
            data_plane: Arc::clone(data_plane),
            skill: skill.into(),
            span: data_plane.traces.call(skill, traceparent),
            began: Instant::now(),
            error: None,
        }
    }

    /// Where its parts begin.
    pub(super) fn place(&self) -> Place {
        self.span.place()
    }

    /// It ended with an answer, or with an error that the caller gets as such.
    pub(super) fn ended(&mut self, answered: bool) {
        self.error = Some((!answered).then_some(attribute::TOOL_ERROR));
    }
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        let error = self.error.unwrap_or(Some(CANCELLED));
        if let Some(kind) = error {
            self.span.fail(kind);
        }
        self.data_plane.traces.called(&self.skill, self.began.elapsed().as_secs_f64(), error);
    }
}
