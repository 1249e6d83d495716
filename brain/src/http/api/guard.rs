//! Who may ask: programs, and of all web pages only the brain's own; with the token, if one is set.

use axum::{
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use endpoint::{bearer, host};

use super::ApiError;
use crate::http::Guard;

/// Lets a request through that may be answered. Names under which other sites could be reached at this address (DNS
/// rebinding) are refused before, by [`endpoint::host`]; so the same origin is the brain's own page.
pub(super) async fn admit(State(Guard(expected)): State<Guard>, request: Request, next: Next) -> Response {
    if !same_site(&request) {
        return ApiError::OtherSite.into_response();
    }
    let presented = bearer::presented(request.headers());
    match expected {
        Some(expected) if !presented.is_some_and(|token| expected.matches(token)) => {
            ApiError::Unauthorized.into_response()
        }
        _ => {
            let mut response = next.run(request).await;
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
    }
}

/// Whether no browser says that a page of another origin asks. Programs send neither header. Browsers send `Origin` with
/// whatever can change something, and `Sec-Fetch-Site` with everything over HTTPS and on this machine; what they send
/// without both is a read whose answer they keep from other sites.
fn same_site<B>(request: &Request<B>) -> bool {
    let site = request.headers().get_all("sec-fetch-site").iter().all(|site| site == "same-origin" || site == "none");
    let asked: Vec<String> = host::requested(request).collect();
    let mut origins = request.headers().get_all(header::ORIGIN).iter();
    site && origins.all(|origin| {
        let origin = String::from_utf8_lossy(origin.as_bytes()).to_ascii_lowercase();
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority.is_some_and(|authority| !asked.is_empty() && asked.iter().all(|host| host == authority))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_web_pages_only_that_of_the_same_origin_may_ask() {
        for (headers, allowed) in [
            (vec![], true),
            (vec![("origin", "http://brain:3300"), ("sec-fetch-site", "same-origin")], true),
            (vec![("origin", "https://brain:3300")], true),
            (vec![("sec-fetch-site", "none")], true),
            (vec![("origin", "http://localhost:5173")], false),
            (vec![("origin", "http://brain:3300.evil.example")], false),
            (vec![("origin", "http://brain")], false),
            (vec![("origin", "null")], false),
            (vec![("origin", "http://brain:3300"), ("origin", "http://evil.example")], false),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "cross-site")], false),
            (vec![("origin", "http://brain:3300"), ("sec-fetch-site", "cross-site")], false),
        ] {
            let mut request = Request::builder().uri("/api/v1/skills").header("host", "brain:3300");
            for (name, value) in &headers {
                request = request.header(*name, *value);
            }
            assert_eq!(same_site(&request.body(()).expect("a request")), allowed, "{headers:?}");
        }
    }
}
