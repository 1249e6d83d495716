//! Why a reconciliation failed. It is retried; what only a person can fix is reported in the status instead.

use std::time::Duration;

use crds::shown::printable;
use strum::IntoStaticStr;

/// Longest message of the API server that is kept, in characters.
pub(crate) const MESSAGE_MAX: usize = 1_000;
/// Longest reconciliation of one policy: a request that hangs must not occupy a worker forever.
pub(crate) const RECONCILE_MAX: Duration = Duration::from_secs(60);

/// A failed reconciliation, by the step that failed.
#[derive(Debug, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Error {
    /// What the policy refers to, its children or its pods could not be read.
    #[error("{0}")]
    Dereference(RequestError),
    /// A child could not be written.
    #[error("{0}")]
    Apply(RequestError),
    /// The status could not be written.
    #[error("{0}")]
    Report(RequestError),
    /// It took longer than `RECONCILE_MAX`.
    #[error("not finished within {} s", RECONCILE_MAX.as_secs())]
    TimedOut,
    /// A bug: this reconciliation panicked; other policies are not affected.
    #[error("panicked; please report this")]
    Panicked,
}

impl Error {
    /// The label `error` of the metric: `dereference`, `apply`, `report`, `timed_out` or `panicked`.
    #[must_use]
    pub fn category(&self) -> &'static str {
        self.into()
    }
}

/// A request to the API server that failed.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {}", described(error))]
pub struct RequestError {
    what: String,
    error: Box<kube::Error>,
}

impl RequestError {
    /// For `map_err`: `what` is the request, for example `reading ConfigMap prompts`.
    pub(crate) fn new(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        |error| Self { what, error: Box::new(error) }
    }
}

/// The message and status code of the API server's answer, without the rest of it.
fn described(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} ({})", printable(&status.message, MESSAGE_MAX), status.code),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_step_for_the_metric_and_what_was_requested_for_the_reader() {
        let status = kube::core::Status { message: "etcd is busy".into(), code: 500, ..kube::core::Status::default() };
        let error = Error::Apply(RequestError::new("applying Service edge")(kube::Error::Api(Box::new(status))));
        assert_eq!(
            (error.category(), error.to_string().as_str()),
            ("apply", "applying Service edge: etcd is busy (500)")
        );
        assert_eq!(Error::TimedOut.category(), "timed_out");
    }
}
