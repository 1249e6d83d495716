//! Which `Host` may be asked for. A web page can make a name of its own point to this machine (DNS rebinding); its
//! requests then carry that name, so only names that no page can have are answered.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::Response,
};
use crds::{shown::printable, variables::Reader};

use crate::{INVALID_REQUEST, rpc_error};

/// Longest host that a refusal repeats, in characters.
const SHOWN: usize = 100;
/// Domains that exist only in a cluster or a house: nobody can register a name in them.
const PRIVATE: [&str; 5] = [".localhost", ".svc", ".local", ".internal", ".home.arpa"];

/// The hosts of a server: IP addresses, names of one label, names in private domains, and those that are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    listed: Vec<String>,
    /// The variable that lists more, for the refusal.
    variable: &'static str,
}

impl Hosts {
    /// Reads the list of a variable: names separated by commas.
    pub fn from_variable(reader: &mut Reader<'_>, variable: &'static str) -> Self {
        let rule = "must be host names without port or wildcard, separated by commas, for example brain.example";
        Self { listed: reader.parsed(variable, vec![], rule, names), variable }
    }

    fn allows(&self, host: &str) -> bool {
        let name = name(host);
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_address = name.starts_with('[') || name.parse::<std::net::Ipv4Addr>().is_ok();
        is_address
            || !name.contains('.')
            || PRIVATE.iter().any(|domain| name.ends_with(domain))
            || self.listed.iter().any(|listed| listed == name)
    }
}

fn names(text: &str) -> Option<Vec<String>> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    let is_name = |name: &String| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    names.iter().all(is_name).then_some(names)
}

/// The hosts that a request names, in lower case: its `Host` header, and the authority of its target, which HTTP/2 has
/// instead.
pub fn requested<B>(request: &Request<B>) -> impl Iterator<Item = String> {
    let headers = request.headers().get_all(header::HOST).iter().map(|host| String::from_utf8_lossy(host.as_bytes()));
    let authority = request.uri().authority().map(|authority| authority.as_str().into());
    headers.chain(authority).map(|host| host.to_ascii_lowercase())
}

/// A host without its port.
#[must_use]
pub fn name(host: &str) -> &str {
    let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    port.map_or(host, |(name, _)| name)
}

/// Lets a request for an allowed host through, and refuses others with 403.
pub async fn admit(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    let refused = requested(&request).find(|host| !hosts.allows(host));
    let Some(host) = refused else { return next.run(request).await };
    let message = format!(
        "forbidden: host {}; use an IP address, localhost or a name of one label, or list the host in {}",
        printable(&host, SHOWN),
        hosts.variable
    );
    rpc_error(StatusCode::FORBIDDEN, INVALID_REQUEST, &message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_no_web_page_can_have_are_answered() {
        let variables = [("HOSTS", "Brain.example, b.example")].into_iter().collect();
        let hosts = Hosts::from_variable(&mut Reader::new(&variables), "HOSTS");
        for (host, allowed) in [
            ("127.0.0.1:3300", true),
            ("10.0.0.7", true),
            ("[::1]:3300", true),
            ("localhost:3300", true),
            ("koala:30330", true),
            ("ingestion.supervisor.svc:3300", true),
            ("ingestion.supervisor.svc.cluster.local.", true),
            ("host.docker.internal", true),
            ("brain.example:80", true),
            ("", true),
            ("evil.example:35020", false),
            ("x.svc.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("127.0.0.1:80@evil.example", false),
            ("a.brain.example", false),
            ("evil.example:", false),
        ] {
            assert_eq!(hosts.allows(host), allowed, "{host}");
        }
    }

    #[test]
    fn a_wildcard_or_a_port_in_the_list_is_refused_with_the_rule() {
        for text in ["*", "*.example", "a.example:80", "a,,b", "http://a"] {
            let variables = [("HOSTS", text)].into_iter().collect();
            let mut reader = Reader::new(&variables);
            Hosts::from_variable(&mut reader, "HOSTS");
            assert!(reader.errors.iter().any(|line| line.contains("without port or wildcard")), "{text}");
        }
    }
}
