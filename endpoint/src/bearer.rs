//! Bearer tokens, compared in constant time.

use axum::http::{HeaderMap, header};
use crds::variables::Reader;
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

    /// Whether a presented token is the expected one. An empty one never is, even if the expected one is empty.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        bool::from(self.0.ct_eq(&digest)) && !presented.is_empty()
    }
}

/// The token of a variable, without white space around it; none if the variable is not set. One that holds only white
/// space is an error: a secret that was not filled in must not open a server.
pub fn from_variable(reader: &mut Reader<'_>, name: &str) -> Option<SecretString> {
    let token = reader.text(name)?.trim();
    if token.is_empty() {
        reader.errors.push(format!("{name}: is blank: set a token, or leave the variable unset"));
        return None;
    }
    Some(token.into())
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
    fn an_empty_token_never_matches_not_even_an_empty_one() {
        assert!(!TokenDigest::of(&"".into()).matches(""));
    }

    #[test]
    fn a_blank_token_variable_is_an_error_that_names_it() {
        for (text, token, named) in [("", None, false), (" t\n", Some("t"), false), (" \n\t", None, true)] {
            let variables = [("A_TOKEN", text)].into_iter().collect();
            let mut reader = Reader::new(&variables);
            let read = from_variable(&mut reader, "A_TOKEN");
            assert_eq!(read.as_ref().map(|token| token.expose_secret()), token, "{text:?}");
            assert_eq!(reader.errors.iter().any(|line| line.starts_with("A_TOKEN: is blank")), named, "{text:?}");
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
