//! The span of a call, how it ended and how long it took. A call that is dropped, because its caller is gone or the server
//! stops, ends as cancelled.

use std::{sync::Arc, time::Instant};

use endpoint::trace::{Place, Span, TraceContext};

use crate::data_plane::DataPlane;

const CANCELLED: &str = "cancelled";

/// A call that runs.
pub(super) struct CallSpan {
    data_plane: Arc<DataPlane>,
    /// None: there is no such skill.
    skill: Option<String>,
    span: Span,
    began: Instant,
    /// How it ended; none: it has not.
    error: Option<Option<&'static str>>,
}

impl CallSpan {
    /// Begins, within the caller's trace if it has one.
    pub(super) fn begin(data_plane: &Arc<DataPlane>, skill: Option<&str>, within: Option<&TraceContext>) -> Self {
        Self {
            data_plane: Arc::clone(data_plane),
            skill: skill.map(Into::into),
            span: data_plane.traces.call(skill, within),
            began: Instant::now(),
            error: None,
        }
    }

    /// Where its parts begin.
    pub(super) fn place(&self) -> Place {
        self.span.place()
    }

    /// It ended with an answer, or with an error of this kind that the caller gets as such; it is counted elsewhere.
    pub(super) fn ended(&mut self, error: Option<&'static str>) {
        self.error = Some(error);
    }
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        let error = self.error.unwrap_or(Some(CANCELLED));
        if let Some(kind) = error {
            self.span.fail(kind);
        }
        // A call that panicked is counted as such.
        if let Some(skill) = self.skill.as_deref().filter(|_| self.error.is_none() && !std::thread::panicking()) {
            self.data_plane.metrics.call(skill, CANCELLED);
        }
        self.data_plane.traces.called(self.skill.as_deref(), self.began.elapsed().as_secs_f64(), error);
    }
}
