//! Requests whose head two readers could understand differently are refused (RFC 9112, 3.2 and 6.1).

use axum::{
    extract::Request,
    http::{StatusCode, Version, header},
    response::Response,
};

use crate::{INVALID_REQUEST, rpc_error};

/// The refusal of a request with two Host headers, without one, or with two lengths; `head` is its first bytes as they
/// arrived.
pub(super) fn refuse<B>(request: &Request<B>, head: &[u8]) -> Option<Response> {
    let message = fault(request, head)?;
    Some(rpc_error(StatusCode::BAD_REQUEST, INVALID_REQUEST, &format!("bad request: {message}")))
}

fn fault<B>(request: &Request<B>, head: &[u8]) -> Option<&'static str> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if hosts > 1 {
        return Some("several Host headers; send one");
    }
    if hosts == 0 && request.version() == Version::HTTP_11 {
        return Some("no Host header; send one");
    }
    // hyper drops the Content-Length of a chunked request, so only the bytes show that there was one.
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    (chunked && has_length(head)).then_some("Content-Length and Transfer-Encoding; send one of them")
}

fn has_length(head: &[u8]) -> bool {
    let name = header::CONTENT_LENGTH.as_str().as_bytes();
    head.split(|byte| *byte == b'\n')
        .take_while(|line| !line.is_empty() && *line != b"\r")
        .any(|line| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_found_in_the_head_and_not_in_the_body() {
        let start = "POST /mcp HTTP/1.1\r\nhost: a\r\n";
        for (rest, found) in [
            ("content-LENGTH: 5\r\ntransfer-encoding: chunked\r\n\r\n", true),
            ("transfer-encoding: chunked\ncontent-length: 5\n\n", true),
            ("transfer-encoding: chunked\r\n\r\n5\r\ncontent-length: 5", false),
            ("x-content-length: 5\r\n\r\n", false),
        ] {
            assert_eq!(has_length(format!("{start}{rest}").as_bytes()), found, "{rest:?}");
        }
    }
}
