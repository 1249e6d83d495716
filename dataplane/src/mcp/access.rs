//! Who may call: host, origin, token. Read from the active config at each request, so a change takes effect at once.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    middleware::Next,
    response::Response,
};
use crds::shown::printable;
use endpoint::{INVALID_REQUEST, UNAVAILABLE, bearer, host, origin, rpc_error, unauthorized};

use crate::{config::Active, data_plane::DataPlane};

/// Longest host that a refusal repeats, in characters.
const HOST_SHOWN: usize = 100;

/// Request extension: the name of the caller's token.
#[derive(Clone)]
pub struct Caller(pub Arc<str>);

/// Lets a request through to MCP, or answers why it is refused.
pub async fn admit(State(data_plane): State<Arc<DataPlane>>, mut request: Request, next: Next) -> Response {
    let hosts: Vec<String> = host::requested(&request).collect();
    match caller(&data_plane.config.active(), request.headers(), &hosts) {
        Ok(caller) => {
            if let Some(name) = caller {
                request.extensions_mut().insert(Caller(name.into()));
            }
            next.run(request).await
        }
        Err(refusal) => {
            data_plane.metrics.refused(refusal.kind());
            refusal.response()
        }
    }
}

#[derive(Debug, PartialEq)]
enum AccessRefusal {
    Host(String),
    Origin(String),
    /// Whether a token was presented.
    Unauthorized(bool),
    Closed,
}

impl AccessRefusal {
    fn kind(&self) -> &'static str {
        match self {
            Self::Host(_) => "host",
            Self::Origin(_) => "origin",
            Self::Unauthorized(_) => "unauthorized",
            Self::Closed => "closed",
        }
    }

    fn response(&self) -> Response {
        match self {
            Self::Host(host) => {
                let message =
                    format!("forbidden: host {host}; only hosts in the policy's access.allowedHosts may be used");
                rpc_error(StatusCode::FORBIDDEN, INVALID_REQUEST, &message)
            }
            Self::Origin(origin) => {
                let message = format!(
                    "forbidden: origin {origin}; only pages on this machine and origins in access.allowedOrigins may call"
                );
                rpc_error(StatusCode::FORBIDDEN, INVALID_REQUEST, &message)
            }
            Self::Unauthorized(presented) => unauthorized(*presented),
            Self::Closed => {
                let message =
                    "closed: the policy requires a token and none of its Secrets exists; see /status on the admin port";
                rpc_error(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, message)
            }
        }
    }
}

/// The name of the caller's token; none when the endpoint is open.
fn caller(active: &Active, headers: &HeaderMap, hosts: &[String]) -> Result<Option<String>, AccessRefusal> {
    let access = &active.table.access;
    check_host(hosts, &access.hosts)?;
    origin::check(headers, &access.origins).map_err(AccessRefusal::Origin)?;
    if access.tokens.is_empty() {
        return Ok(None);
    }
    if active.is_closed() {
        return Err(AccessRefusal::Closed);
    }
    let presented = bearer::presented(headers).ok_or(AccessRefusal::Unauthorized(false))?;
    // Every token is compared, so that the time taken does not reveal which one was close.
    let matching = active.tokens.iter().filter(|(_, token)| token.matches(presented));
    let caller = matching.fold(None, |found, (name, _)| found.or(Some(name.clone())));
    caller.map(Some).ok_or(AccessRefusal::Unauthorized(true))
}

/// Checks every host that a request names, in lower case; `allowed` lists them with or without a port.
fn check_host(hosts: &[String], allowed: &[String]) -> Result<(), AccessRefusal> {
    if allowed.is_empty() {
        return Ok(());
    }
    let is_allowed = |host: &str| allowed.iter().any(|allowed| *allowed == host || *allowed == host::name(host));
    match hosts.iter().find(|host| !is_allowed(host)) {
        Some(host) => Err(AccessRefusal::Host(printable(host, HOST_SHOWN))),
        None if hosts.is_empty() => Err(AccessRefusal::Host("(none)".into())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_allowed_with_any_port_or_with_the_one_listed() {
        let allowed = ["routing.example".to_string(), "10.0.0.7:30310".to_string(), "[::1]".to_string()];
        for (host, passes) in [
            ("routing.example", true),
            ("routing.example:8080", true),
            ("10.0.0.7:30310", true),
            ("10.0.0.7:30311", false),
            ("10.0.0.7", false),
            ("[::1]:80", true),
            ("evil.example", false),
            ("", false),
        ] {
            assert_eq!(check_host(&[host.into()], &allowed).is_ok(), passes, "{host}");
        }
        assert!(check_host(&[], &allowed).is_err(), "a list, and no host");
        assert!(check_host(&["routing.example".into(), "evil.example".into()], &allowed).is_err(), "one of two");
        assert!(check_host(&[], &[]).is_ok(), "no list: any host");
    }
}
