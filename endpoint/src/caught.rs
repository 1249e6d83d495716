//! A panic in a call ends that call only.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use rmcp::ErrorData;

/// Runs a call. If it panics, which is a defect of this program, its caller gets an internal error; what the call held
/// is dropped, so its record is written. The log names the call, not the panic's text, which can quote a prompt.
///
/// # Errors
/// The call's own error, or the internal error.
pub async fn caught<T>(call: &str, work: impl Future<Output = Result<T, ErrorData>>) -> Result<T, Caught> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(ended) => ended.map_err(Caught::Own),
        Err(_) => {
            tracing::error!(call = crds::shown::printable(call, 64), "a call panicked; please report it");
            Err(Caught::Panicked)
        }
    }
}

/// Why a call has no result.
#[derive(Debug)]
pub enum Caught {
    /// The call answered with this error.
    Own(ErrorData),
    /// The call panicked.
    Panicked,
}

impl From<Caught> for ErrorData {
    fn from(caught: Caught) -> Self {
        match caught {
            Caught::Own(error) => error,
            Caught::Panicked => Self::internal_error("internal error: the call failed because of a defect", None),
        }
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::ErrorCode;

    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_call_is_an_internal_error_that_does_not_quote_it() {
        let panics = async { if std::hint::black_box(true) { panic!("CANARY") } else { Ok(()) } };
        let error = ErrorData::from(caught("debug", panics).await.expect_err("it panicked"));
        assert_eq!(error.code, ErrorCode::INTERNAL_ERROR);
        assert!(!error.message.contains("CANARY"), "{error:?}");
        assert_eq!(caught("debug", async { Ok(7) }).await.expect("a result"), 7);
    }
}
