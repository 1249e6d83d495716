//! One connection, HTTP/1 or HTTP/2, with its time-outs.

use std::{convert::Infallible, pin::pin, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, Version, header},
    response::Response,
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Duration, Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::{
    activity::{Activity, HEAD_TIMEOUT},
    answer,
    connections::{Admitted, Peer},
    framing,
    linger::lingering,
    socket::Observed,
};

/// How long a connection that is asked to end may take.
const CLOSE_GRACE: Duration = Duration::from_secs(1);
/// How long after the stop a connection is still read: a request that is on its way when the connection is closed would
/// be lost. Its answer ends the connection.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

/// Serves a connection until its peer ends it, it waits too long, its place is needed, or `stop` is cancelled and what
/// is in flight has been answered.
pub(super) async fn serve<S>(socket: S, app: Router, admitted: &Admitted, stop: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (activity, peer) = (&admitted.activity, admitted.peer);
    let io = TokioIo::new(Observed { socket, activity: Arc::clone(activity) });
    let service = service_fn(|request: Request<Incoming>| {
        let (stop, is_http1) = (stop.clone(), request.version() < Version::HTTP_2);
        let answered = answered(app.clone(), Arc::clone(activity), peer, request);
        async move {
            let response = answered.await?;
            Ok::<_, Infallible>(if is_http1 && stop.is_cancelled() { last(response) } else { response })
        }
    });
    let builder = Builder::new(TokioExecutor::new());
    let mut connection = pin!(builder.serve_connection(io, service));
    let (mut stopping, mut closes_at, mut ends_at) = (false, None, None);
    loop {
        let wake_at = ends_at.or_else(|| activity.deadline()).unwrap_or_else(|| Instant::now() + HEAD_TIMEOUT);
        let wake_at = closes_at.map_or(wake_at, |at: Instant| at.min(wake_at));
        tokio::select! {
            // Ended, or failed because of its peer.
            _ = connection.as_mut() => return,
            () = activity.replaced.cancelled() => return,
            () = activity.changed.notified() => {}
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                closes_at = Some(Instant::now() + ON_ITS_WAY);
            }
            () = sleep_until(wake_at) => {
                if closes_at.is_some_and(|at| at <= Instant::now()) {
                    closes_at = None;
                    connection.as_mut().graceful_shutdown();
                }
                if ends_at.is_some_and(|at| at <= Instant::now()) {
                    return;
                }
                if activity.deadline().is_some_and(|at| at <= Instant::now()) {
                    ends_at = Some(Instant::now() + CLOSE_GRACE);
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// The last answer of a connection of HTTP/1; HTTP/2 has a frame for that.
fn last(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn answered(
    mut app: Router,
    activity: Arc<Activity>,
    peer: Peer,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let (in_flight, head) = activity.begin();
    if let Some(refused) = framing::refuse(&request, &head) {
        return Ok(refused);
    }
    // With what came of the body it is as large as that, and the call lasts.
    drop(head);
    let mut request = lingering(request.map(Body::new));
    request.extensions_mut().insert(Arc::clone(&activity));
    request.extensions_mut().insert(peer);
    // A router is always ready.
    Ok(app.call(request).await?.map(|body| answer::of(body, activity, in_flight)))
}
