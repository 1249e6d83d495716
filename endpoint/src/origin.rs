//! Which web pages may call: browsers send `Origin`, other clients do not. MCP requires this check, because of DNS
//! rebinding.

use axum::http::{HeaderMap, header};
use crds::shown::printable;

/// Longest origin that a refusal repeats, in characters.
const SHOWN: usize = 100;

/// Checks the `Origin` header: none, a loopback page, or one of `allowed` (lower case).
///
/// # Errors
/// The refused origin, shortened and escaped, so that it can be shown.
pub fn check(headers: &HeaderMap, allowed: &[String]) -> Result<(), String> {
    for value in headers.get_all(header::ORIGIN) {
        let origin = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        if !is_loopback(&origin) && !allowed.contains(&origin) {
            return Err(printable(&origin, SHOWN));
        }
    }
    Ok(())
}

fn is_loopback(origin: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let Some(authority) = authority else { return false };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_pages_and_listed_origins_may_call() {
        let allowed = ["https://chat.example".to_string()];
        for (origin, passes) in [
            ("http://localhost:5173", true),
            ("https://127.0.0.1", true),
            ("http://[::1]:80", true),
            ("https://Chat.example", true),
            ("https://chat.example:8443", false),
            ("http://evil.example", false),
            ("http://localhost.evil.example", false),
            ("http://localhost:80@evil.example", false),
            ("ftp://localhost", false),
            ("null", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ORIGIN, origin.parse().expect("a header"))]);
            assert_eq!(check(&headers, &allowed).is_ok(), passes, "{origin}");
        }
        assert!(check(&HeaderMap::new(), &[]).is_ok());
    }
}
