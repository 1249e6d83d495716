//! What the operator's administrator allows policies to name: images, and Secrets by a label. Off unless set.

use std::{collections::BTreeMap, fmt, str::FromStr};

use clap::Args;

/// Which images and Secrets policies may name; without a setting, all of them.
#[derive(Args, Clone, Debug, Default)]
pub struct Restrictions {
    /// Images that policies may name, separated by commas: each as it is written, or ending with /*, :* or @* (default:
    /// all)
    #[arg(long = "allowed-images", env = "ROUTING_ALLOWED_IMAGES", value_name = "LIST", value_delimiter = ',')]
    pub images: Vec<AllowedImage>,

    /// Label, as KEY or KEY=VALUE, that a Secret must have before a policy may name it (default: none)
    #[arg(long, env = "ROUTING_SECRET_LABEL", value_name = "LABEL")]
    pub secret_label: Option<SecretLabel>,
}

/// An entry of the list of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedImage(String);

impl AllowedImage {
    /// Whether this entry allows an image, both as they are written: nothing is completed, neither `docker.io` nor
    /// `latest`.
    #[must_use]
    pub fn allows(&self, image: &str) -> bool {
        let Some(prefix) = self.0.strip_suffix('*') else { return self.0 == image };
        image.strip_prefix(prefix).is_some_and(|rest| {
            // In "routing:5000/evil", "routing" is a registry and 5000 its port.
            let further = !prefix.ends_with('/') && rest.contains('/');
            !rest.is_empty() && !further && !rest.split('/').any(|part| part == "..")
        })
    }
}

impl FromStr for AllowedImage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("an entry is empty; leave the setting out to allow every image".into());
        }
        let fixed = text.strip_suffix('*').unwrap_or(text);
        if fixed.contains('*') || fixed.contains(char::is_whitespace) {
            return Err("only the last character of an entry may be *, and it has no spaces".into());
        }
        // "ghcr.io/org*" would allow "ghcr.io/org-evil/x", too.
        if fixed != text && !(fixed.len() > 1 && fixed.ends_with(['/', ':', '@'])) {
            return Err("an entry with * must end with /*, :* or @*, for example ghcr.io/org/*".into());
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for AllowedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A label that a Secret must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretLabel {
    key: String,
    value: Option<String>,
}

impl SecretLabel {
    /// Whether these labels have it, with its value if one is set.
    #[must_use]
    pub fn is_among(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.get(&self.key).is_some_and(|value| self.value.as_ref().is_none_or(|wanted| wanted == value))
    }
}

impl FromStr for SecretLabel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (text, None),
        };
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
        if key.is_empty() || !plain(key) || !value.is_none_or(|value| plain(value) && !value.contains('/')) {
            return Err("must be a label as KEY or KEY=VALUE, for example example.com/for-policies=true".into());
        }
        Ok(Self { key: key.into(), value: value.map(Into::into) })
    }
}

impl fmt::Display for SecretLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.key),
            None => f.write_str(&self.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_allows_what_is_below_it_and_nothing_beside_it() {
        for (entry, allowed, refused) in [
            ("routing:0.1.0", vec!["routing:0.1.0"], vec!["routing:0.1.0-evil", "routing", "x/routing:0.1.0"]),
            (
                "ghcr.io/org/*",
                vec!["ghcr.io/org/routing:1", "ghcr.io/org/a/b@sha256:00"],
                vec![
                    "ghcr.io/org-evil/x",
                    "ghcr.io/org/",
                    "ghcr.io/org/../evil/x",
                    "ghcr.io.evil/org/x",
                    "ghcr.io/org",
                ],
            ),
            ("routing:*", vec!["routing:0.1.0"], vec!["routing:5000/evil", "routing-evil:1", "routing@sha256:00"]),
            ("h:5000/routing@*", vec!["h:5000/routing@sha256:00"], vec!["h:5000/routing:1", "h:5000/routing@a/b"]),
        ] {
            let entry: AllowedImage = entry.parse().expect(entry);
            for image in allowed {
                assert!(entry.allows(image), "{entry} {image}");
            }
            for image in refused {
                assert!(!entry.allows(image), "{entry} {image}");
            }
        }
    }

    #[test]
    fn an_entry_that_would_allow_more_than_it_seems_to_is_refused() {
        for entry in ["ghcr.io/org*", "*", "/*", "ghcr.io/*/routing", "", " ", "a b"] {
            assert!(entry.parse::<AllowedImage>().is_err(), "{entry}");
        }
    }

    #[test]
    fn a_label_is_a_key_or_a_key_with_its_value() {
        let labels = |value: &str| BTreeMap::from([("example.com/policies".to_string(), value.to_string())]);
        let label: SecretLabel = "example.com/policies=yes".parse().expect("a label");
        assert!(label.is_among(&labels("yes")) && !label.is_among(&labels("no")) && !label.is_among(&BTreeMap::new()));
        let label: SecretLabel = "example.com/policies".parse().expect("a label");
        assert!(label.is_among(&labels("")) && !label.is_among(&BTreeMap::new()));
        for wrong in ["", "=yes", "a b", "a=b=c", "a,b", "a=b/c"] {
            assert!(wrong.parse::<SecretLabel>().is_err(), "{wrong}");
        }
    }
}
