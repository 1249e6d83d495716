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
    api_request::{ApiReply, ApiRequest, Class},
    fault::Act,
    faults::Faults,
    watch_stream,
};

/// What a request leads to.
type Answer = Result<Response<Body>, BoxError>;

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

async fn exchange(client: Client, faults: Arc<Faults>, request: Request<client::Body>) -> Answer {
    if faults.is_dead() {
        return pending().await;
    }
    let sent = ApiRequest::of(&request);
    let act = faults.on_request(&sent);
    if let Some(act) = act {
        faults.note(format!("{sent} ⚡ {act:?}"));
    }
    if let Some(answer) = instead(act, &sent, &faults).await {
        return answer;
    }
    let answer = match client.send(request).await {
        Ok(answer) => answer,
        Err(error) => {
            faults.on_broken();
            return Err(error.into());
        }
    };
    match act {
        // A reply to a process that died meanwhile reaches nobody.
        _ if faults.is_dead() => pending().await,
        Some(Act::CrashAfter) => died(&faults).await,
        Some(Act::CutAfter) => Err(cut(&faults)),
        _ if sent.class() == Class::Watch && answer.status().is_success() => {
            let (parts, body) = answer.into_parts();
            Ok(Response::from_parts(parts, watch_stream::perturbed(Body::new(body), &sent, act, faults)))
        }
        _ => whole(answer, &sent, &faults, act).await,
    }
}

/// What happens to a request of which the API server never hears; none: it is sent.
async fn instead(act: Option<Act>, sent: &ApiRequest, faults: &Faults) -> Option<Answer> {
    match act? {
        Act::CrashBefore => Some(died(faults).await),
        Act::CutBefore => Some(Err(cut(faults))),
        Act::Answer(status) => {
            faults.strike();
            Some(Ok(refusal(status)))
        }
        // As the limit of the operator's own client would end it.
        act @ Act::Hang => {
            let lost = cut(faults);
            tokio::time::sleep(act.takes(sent.class())).await;
            Some(Err(lost))
        }
        Act::EndAtOnce => {
            faults.strike();
            Some(Ok(Response::new(Body::empty())))
        }
        Act::BookmarkOnly(time) => {
            faults.strike();
            Some(Ok(Response::new(watch_stream::bookmark_only(sent, time))))
        }
        _ => None,
    }
}

/// The process dies: nothing ever becomes of what it waits for.
async fn died(faults: &Faults) -> Answer {
    faults.strike();
    faults.crash();
    pending().await
}

/// A reply with its whole body, with half of it, or an older one.
async fn whole(answer: Response<client::Body>, sent: &ApiRequest, faults: &Faults, act: Option<Act>) -> Answer {
    let (parts, body) = answer.into_parts();
    let mut reply = ApiReply { status: parts.status, headers: parts.headers, body: body.collect_bytes().await? };
    faults.on_reply(sent, &reply);
    match (act, faults.first_reply(sent)) {
        (Some(Act::Truncate), _) if reply.body.len() > 1 => {
            faults.strike();
            reply.body.truncate(reply.body.len() / 2);
        }
        (Some(Act::Stale), Some(first)) if !first.says_the_same_as(&reply) => {
            faults.strike();
            reply = first;
        }
        _ => {}
    }
    Ok(response(reply))
}

fn response(ApiReply { status, headers, body }: ApiReply) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// What an API server answers that does nothing.
fn refusal(status: u16) -> Response<Body> {
    let reason = match status {
        403 => "Forbidden",
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

/// The error of a connection that a fault ends.
fn cut(faults: &Faults) -> BoxError {
    faults.strike();
    io::Error::new(ErrorKind::ConnectionReset, "the campaign cut the connection").into()
}
