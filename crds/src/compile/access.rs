//! The rules about tokens, origins and hosts.

use url::Url;

use super::{errors::Errors, upstream};
use crate::{
    dns_label::is_dns_label,
    policy::{
        Access, AccessToken,
        access::{CALLER_MAX, HOST_MAX, NAMES_MAX, TOKENS_MAX},
    },
    table::AccessRules,
};

/// No origin and no host has it; those who write it expect it to stand for any name.
const WILDCARD: char = '*';

pub(super) fn rules(path: &str, access: &Access, errors: &mut Errors) -> AccessRules {
    let Access { tokens, allowed_origins, allowed_hosts } = access;
    for (field, length, most) in [
        ("tokens", tokens.len(), TOKENS_MAX),
        ("allowedOrigins", allowed_origins.len(), NAMES_MAX),
        ("allowedHosts", allowed_hosts.len(), NAMES_MAX),
    ] {
        errors.check(
            format!("{path}.{field}"),
            format!("{length} entries"),
            length <= most,
            format!("must be at most {most}"),
        );
    }
    for (i, token) in tokens.iter().take(TOKENS_MAX).enumerate() {
        check_token(&format!("{path}.tokens[{i}]"), token, &tokens[..i], errors);
    }
    for (i, origin) in allowed_origins.iter().enumerate() {
        let message = if origin.contains(WILDCARD) {
            "has no wildcards; name each origin, for example https://chat.example"
        } else {
            "must be an origin: scheme, host, and port unless it is the default, for example https://chat.example"
        };
        errors.check(format!("{path}.allowedOrigins[{i}]"), origin, is_origin(origin), message);
    }
    for (i, host) in allowed_hosts.iter().enumerate() {
        let message = if host.contains(WILDCARD) {
            "has no wildcards; leave allowedHosts out for any host"
        } else {
            "must be a host name or address, with or without a port"
        };
        errors.check(format!("{path}.allowedHosts[{i}]"), host, is_host(host), message);
    }
    AccessRules {
        tokens: tokens.iter().map(|token| (token.name.clone(), token.secret_ref.clone())).collect(),
        origins: allowed_origins.iter().map(|origin| origin.to_ascii_lowercase()).collect(),
        hosts: allowed_hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
    }
}

fn check_token(path: &str, token: &AccessToken, earlier: &[AccessToken], errors: &mut Errors) {
    let name = &token.name;
    errors.check(
        format!("{path}.name"),
        name,
        is_dns_label(name, CALLER_MAX),
        "must be lower-case letters, digits and '-', starting and ending with a letter or digit",
    );
    let duplicate = earlier.iter().any(|other| other.name == *name);
    errors.check(
        format!("{path}.name"),
        name,
        !duplicate,
        "a token with this name is already defined above; names identify callers, so each must be unique",
    );
    upstream::secret_ref(&format!("{path}.secretRef"), Some(&token.secret_ref), errors);
}

fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && !text.contains(WILDCARD)
            && url.origin().ascii_serialization().eq_ignore_ascii_case(text)
    })
}

fn is_host(text: &str) -> bool {
    let printable = !text.contains(['/', '@', '?', '#', ' ', '\\', WILDCARD]) && !text.contains("://");
    (1..=HOST_MAX).contains(&text.len())
        && printable
        && Url::parse(&format!("http://{text}")).is_ok_and(|url| url.host().is_some())
}
