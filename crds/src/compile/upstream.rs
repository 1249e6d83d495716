//! The rules about URLs, models and references to Secrets.

use serde_json::{Map, Value};
use url::{Host, Url};

use super::{errors::Errors, optional, price};
use crate::{
    FieldError,
    arguments::{JSON_DEPTH_MAX, is_deeper_than},
    managed::NO_OPERATOR,
    policy::{
        Brain, Model, SecretKeyRef, TextSource, Upstream,
        brain::{ONE_BRAIN, TOKEN_BESIDE_URL},
        models::{CONCURRENT_MAX, NAME_MAX as MODEL_NAME_MAX},
        upstream::REFERENCE_MAX,
    },
    references::NO_CLUSTER,
    shown,
    table::{BrainTarget, CHAT_COMPLETIONS, ModelTarget},
};

/// Largest `parameters`, in bytes of JSON.
const PARAMETERS_MAX_BYTES: usize = 8 * 1024;
/// Fields of a request that the data plane itself sets.
const RESERVED_PARAMETERS: [&str; 3] = ["messages", "model", "stream"];

pub(super) fn target(path: &str, model: &Model, shared: &Upstream, errors: &mut Errors) -> Option<ModelTarget> {
    let Model { name, parameters, upstream, timeout, max_concurrent, price } = model;
    errors.check(
        format!("{path}.name"),
        name,
        is_model_name(name),
        format!("must be 1 to {MODEL_NAME_MAX} characters, none of them hidden"),
    );
    check_parameters(&format!("{path}.parameters"), parameters, errors);
    check_concurrency(&format!("{path}.maxConcurrent"), *max_concurrent, errors);
    let timeout =
        optional(timeout.as_ref(), |period| errors.take(format!("{path}.timeout"), period.text(), period.duration()))?;
    let price = optional(price.as_ref(), |given| price::compile(&format!("{path}.price"), given, errors))?;
    let endpoint = match upstream {
        Some(own) => endpoint(&format!("{path}.upstream"), own, errors)?,
        None => endpoint("spec.upstream", shared, errors)?,
    };
    Some(ModelTarget {
        model: name.clone(),
        url: endpoint.url,
        api_key: endpoint.api_key,
        ca_bundle: endpoint.ca_bundle,
        parameters: parameters.clone(),
        timeout,
        max_concurrent: max_concurrent.map(|most| most as usize),
        price,
    })
}

/// Where a model is called, and with what.
struct Endpoint {
    url: Url,
    api_key: Option<SecretKeyRef>,
    ca_bundle: Option<String>,
}

fn endpoint(path: &str, upstream: &Upstream, errors: &mut Errors) -> Option<Endpoint> {
    let Upstream { url, api_key_secret_ref, ca_bundle } = upstream;
    let base = base_url(&format!("{path}.url"), url, "apiKeySecretRef", errors);
    let api_key = secret_ref(&format!("{path}.apiKeySecretRef"), api_key_secret_ref.as_ref(), errors);
    let ca_bundle = optional(ca_bundle.as_ref(), |source| certificates(&format!("{path}.caBundle"), source, errors))?;
    Some(Endpoint { url: chat_completions(base?), api_key, ca_bundle })
}

fn check_concurrency(path: &str, most: Option<u32>, errors: &mut Errors) {
    if let Some(most) = most {
        let rule = format!("must be from 1 to {CONCURRENT_MAX}; leave it out for no limit");
        errors.check(path, most, (1..=CONCURRENT_MAX).contains(&most), rule);
    }
}

pub(super) fn brain(path: &str, brain: &Brain, errors: &mut Errors) -> Option<BrainTarget> {
    let Brain { url, token_secret_ref, managed } = brain;
    if let (Some(_), Some(token)) = (managed, token_secret_ref) {
        let shown = format!("{}/{}", token.name, token.key);
        errors.push(FieldError::new(format!("{path}.tokenSecretRef"), shown, TOKEN_BESIDE_URL));
        return None;
    }
    let url = match (url, managed) {
        (Some(url), None) => base_url(&format!("{path}.url"), url, "tokenSecretRef", errors),
        // The operator has put an address in its place.
        (None, Some(_)) => {
            errors.push(FieldError::absent(format!("{path}.managed"), NO_OPERATOR));
            None
        }
        (None, None) | (Some(_), Some(_)) => {
            errors.push(FieldError::absent(path, ONE_BRAIN));
            None
        }
    };
    let token = secret_ref(&format!("{path}.tokenSecretRef"), token_secret_ref.as_ref(), errors);
    Some(BrainTarget { url: url?, token })
}

/// A base URL that a path can be appended to; `secret` is the field for what authenticates there.
fn base_url(path: &str, text: &str, secret: &str, errors: &mut Errors) -> Option<Url> {
    let url = parse_base_url(text).map_err(|problem| match problem {
        BaseUrlError::User => format!("{problem}; put it into a Secret, and name that in {secret}"),
        other => other.to_string(),
    });
    errors.take(path, shown::url(text), url)
}

/// Why a text is not a base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// It cannot be read.
    #[error("must be a URL, for example http://litellm:4000")]
    Form,
    /// It is neither http nor https.
    #[error("must start with http:// or https://")]
    Scheme,
    /// It names no host.
    #[error("must have a host")]
    Host,
    /// No path can be appended to it.
    #[error("must not have a query or a fragment")]
    Query,
    /// It would be shown and stored, and a second `Authorization` header would be sent.
    #[error("must not have a user or a password")]
    User,
    /// A cloud serves its machines' credentials at such an address.
    #[error(
        "must not be a link-local address (169.254.0.0/16, fe80::/10); use the name or another address of the host"
    )]
    LinkLocal,
}

/// Reads a base URL: http or https, a host that is not link-local, no user, neither query nor fragment.
///
/// # Errors
/// What the URL must have, or must not have.
pub fn parse_base_url(text: &str) -> Result<Url, BaseUrlError> {
    let url = Url::parse(text).map_err(|_| BaseUrlError::Form)?;
    let problem = if !matches!(url.scheme(), "http" | "https") {
        BaseUrlError::Scheme
    } else if url.host_str().is_none_or(str::is_empty) {
        BaseUrlError::Host
    } else if url.query().is_some() || url.fragment().is_some() {
        BaseUrlError::Query
    } else if !url.username().is_empty() || url.password().is_some() {
        BaseUrlError::User
    } else if url.host().is_some_and(|host| is_link_local(&host)) {
        BaseUrlError::LinkLocal
    } else {
        return Ok(url);
    };
    Err(problem)
}

fn is_link_local(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(_) => false,
        Host::Ipv4(address) => address.is_link_local(),
        Host::Ipv6(address) => match address.to_ipv4() {
            Some(address) => address.is_link_local(),
            None => address.is_unicast_link_local(),
        },
    }
}

/// Whether a text can be a model's name in a request.
#[must_use]
pub fn is_model_name(name: &str) -> bool {
    (1..=MODEL_NAME_MAX).contains(&name.chars().count()) && !name.chars().any(crate::shown::is_hidden)
}

/// `…/v1/chat/completions` below the base; of a base that ends in a part of this, nothing is doubled.
fn chat_completions(mut base: Url) -> Url {
    let path = base.path().trim_end_matches('/');
    let path = path.strip_suffix(CHAT_COMPLETIONS).unwrap_or(path);
    let prefix = path.strip_suffix("/v1").unwrap_or(path).to_string();
    base.set_path(&format!("{prefix}/v1{CHAT_COMPLETIONS}"));
    base
}

fn check_parameters(path: &str, parameters: &Map<String, Value>, errors: &mut Errors) {
    for name in RESERVED_PARAMETERS.iter().filter(|name| parameters.contains_key(**name)) {
        errors.push(FieldError::absent(format!("{path}.{name}"), "is set by the data plane itself; remove it"));
    }
    let bytes = serde_json::to_string(parameters).map_or(usize::MAX, |json| json.len());
    errors.check(
        path,
        format!("{bytes} bytes"),
        bytes <= PARAMETERS_MAX_BYTES,
        format!("must be at most {PARAMETERS_MAX_BYTES} bytes of JSON"),
    );
    if parameters.values().any(|value| is_deeper_than(value, JSON_DEPTH_MAX - 1)) {
        errors.push(FieldError::absent(path, format!("is nested deeper than {JSON_DEPTH_MAX} levels; flatten it")));
    }
}

/// A reference whose name and key can be used as a folder and a file name.
pub(super) fn secret_ref(path: &str, reference: Option<&SecretKeyRef>, errors: &mut Errors) -> Option<SecretKeyRef> {
    let reference = reference?;
    for (field, value) in [("name", &reference.name), ("key", &reference.key)] {
        let usable = is_reference(value);
        errors.check(
            format!("{path}.{field}"),
            value,
            usable,
            "must be letters, digits, '.', '-' and '_', and not start with '..'",
        );
    }
    Some(reference.clone())
}

/// Whether a text can be the name or key of a Secret or ConfigMap, and so the name of a file.
#[must_use]
pub fn is_reference(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=REFERENCE_MAX).contains(&text.len()) && text.chars().all(allowed) && !text.starts_with("..") && text != "."
}

/// The PEM certificates of a bundle. Whether TLS can use each of them is checked where the HTTP client is created.
fn certificates(path: &str, source: &TextSource, errors: &mut Errors) -> Option<String> {
    let pem = text(path, source, errors)?;
    let is_pem = pem.contains("-----BEGIN CERTIFICATE-----") && pem.contains("-----END CERTIFICATE-----");
    errors.check(
        path,
        format!("{} bytes", pem.len()),
        is_pem,
        "must be PEM: -----BEGIN CERTIFICATE----- … -----END CERTIFICATE-----",
    );
    is_pem.then_some(pem)
}

/// The text of a source whose reference has been resolved.
pub(super) fn text(path: &str, source: &TextSource, errors: &mut Errors) -> Option<String> {
    match source {
        TextSource { text: Some(text), config_map_key_ref: None } => Some(text.clone()),
        TextSource { text: None, config_map_key_ref: Some(reference) } => {
            let shown = format!("{}/{}", reference.name, reference.key);
            errors.push(FieldError::new(format!("{path}.configMapKeyRef"), shown, NO_CLUSTER));
            None
        }
        _ => {
            errors.push(FieldError::absent(path, "must have exactly one of text and configMapKeyRef"));
            None
        }
    }
}
