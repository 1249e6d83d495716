//! The file of a secret: it holds what a header can carry, or an error that shows nothing of it.

use dataplane::received::secret;
use http::HeaderValue;
use secrecy::ExposeSecret;

/// Everything that can be wrong.
const REASONS: [&str; 3] = ["is empty", "is not UTF-8", "has characters that an HTTP header cannot carry"];

/// The content of the file.
pub fn check(input: &[u8]) {
    match secret(input.to_vec()) {
        Ok(secret) => {
            let value = secret.expose_secret();
            assert!(!value.is_empty() && std::str::from_utf8(input).map(str::trim) == Ok(value));
            assert!(HeaderValue::from_str(&format!("Bearer {value}")).is_ok());
            assert!(!format!("{secret:?}").contains(value) || value.len() < 32, "it is shown");
        }
        Err(reason) => assert!(REASONS.contains(&reason.as_str()), "another reason may show what the file holds"),
    }
}
