//! Bearer tokens, compared in constant time.

use axum::http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The SHA-256 of a token. Comparing two reveals neither how much of a guess is right nor how long the token is.
#[derive(Clone)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of an expected token.
    #[must_use]
    pub fn of(token: &SecretString) -> Self {
        Self(Sha256::digest(token.expose_secret().as_bytes()).into())
    }

    /// Whether a presented token is the expected one.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        self.0.ct_eq(&presented).into()
    }
}

/// The token of an `Authorization: Bearer` header.
#[must_use]
pub fn presented(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_matches() {
        let expected = TokenDigest::of(&"s3cret".into());
        for (presented, matches) in
            [("s3cret", true), ("s3cre", false), ("s3crett", false), ("S3CRET", false), ("", false)]
        {
            assert_eq!(expected.matches(presented), matches, "{presented}");
        }
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        for (header, token) in
            [("Bearer t", Some("t")), ("bearer  t ", Some("t")), ("Basic t", None), ("t", None), ("Bearer", None)]
        {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, header.parse().expect("a header"))]);
            assert_eq!(presented(&headers), token, "{header}");
        }
    }
}
