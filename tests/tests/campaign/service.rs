//! The client of an operator with faults in its tower stack: below kube's own retries and above everything else, as if the
//! network and the API server did it.

use std::{
    future::pending,
    io::{self, ErrorKind},
    sync::Arc,
};

use axum::{BoxError, body::Body};
use http::{Request, Response};
use kube::{
    Client, Config,
    client::{self, ClientBuilder, retry::RetryPolicy},
};
use serde_json::json;
use tower::retry::Retry;

use super::{
    asked::{Asked, Reply},
    fault::Act,
    faults::Faults,
    watch_stream,
};

/// A client with these faults. To be called where a runtime runs, which it then belongs to.
///
/// # Panics
/// If the config cannot be used.
pub fn client(mut config: Config, faults: Arc<Faults>) -> Client {
    // Retried above the faults, as everywhere else above the network.
    config.default_retry = false;
    let real = Client::try_from(config).expect("a client");
    let service =
        tower::service_fn(move |request: Request<client::Body>| exchange(real.clone(), Arc::clone(&faults), request));
    ClientBuilder::new(Retry::new(RetryPolicy::server_retry(), service), "default").build()
}

async fn exchange(
    client: Client,
    faults: Arc<Faults>,
    request: Request<client::Body>,
) -> Result<Response<Body>, BoxError> {
    if faults.is_dead() {
        return pending().await;
    }
    let asked = Asked::of(&request);
    let act = faults.meets(&asked);
    if let Some(act) = act {
        faults.note_fault(&asked, act);
    }
    match act {
        Some(Act::CrashBefore) => return died(&faults).await,
        Some(Act::Answer(status)) => return Ok(refusal(status)),
        // As the limit of the operator's own client would end it.
        Some(act @ Act::Hang) => {
            tokio::time::sleep(act.takes()).await;
            return Err(cut());
        }
        Some(Act::CutBefore) => return Err(cut()),
        Some(Act::Stale) => {
            if let Some(reply) = faults.first_reply(&asked) {
                return Ok(response(reply));
            }
        }
        _ => {}
    }
    let answer = client.send(request).await?;
    match act {
        // A reply to a process that died meanwhile reaches nobody.
        _ if faults.is_dead() => pending().await,
        Some(Act::CrashAfter) => died(&faults).await,
        Some(Act::CutAfter) => Err(cut()),
        _ if asked.is_watch() && answer.status().is_success() => {
            let (parts, body) = answer.into_parts();
            Ok(Response::from_parts(parts, watch_stream::perturbed(Body::new(body), faults)))
        }
        _ => whole(answer, &asked, &faults, act).await,
    }
}

/// The process dies: nothing ever becomes of what it waits for.
async fn died(faults: &Faults) -> Result<Response<Body>, BoxError> {
    faults.crash();
    pending().await
}

/// A reply with its whole body, or with half of it.
async fn whole(
    answer: Response<client::Body>,
    asked: &Asked,
    faults: &Faults,
    act: Option<Act>,
) -> Result<Response<Body>, BoxError> {
    let (parts, body) = answer.into_parts();
    let mut reply = Reply { status: parts.status, headers: parts.headers, body: body.collect_bytes().await? };
    faults.note(asked, &reply);
    if act == Some(Act::Truncate) {
        reply.body.truncate(reply.body.len() / 2);
    }
    Ok(response(reply))
}

fn response(Reply { status, headers, body }: Reply) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// What an API server answers that does nothing.
fn refusal(status: u16) -> Response<Body> {
    let reason = match status {
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "the campaign refuses this", "reason": reason, "code": status});
    let response = Response::builder().status(status).header("content-type", "application/json");
    let response = if status == 429 { response.header("retry-after", "1") } else { response };
    response.body(Body::from(body.to_string())).expect("a response")
}

fn cut() -> BoxError {
    io::Error::new(ErrorKind::ConnectionReset, "the campaign cut the connection").into()
}
