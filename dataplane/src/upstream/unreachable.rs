//! Why an endpoint cannot be reached: read from the HTTP client's chain of errors. No I/O.

use std::{error::Error, io};

use rustls::CertificateError;

/// Why there is no connection, with the cure. Bounded: nothing of the endpoint is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// DNS has no address.
    #[error("its name cannot be resolved; correct the host in the upstream's URL, or check DNS")]
    Name,
    /// Nobody listens on the port.
    #[error("the connection was refused; start the endpoint, or correct the port in the upstream's URL")]
    Refused,
    /// No way to the host.
    #[error("there is no route to it; check the network, its firewall and NetworkPolicies")]
    NoRoute,
    /// Neither accepted nor refused.
    #[error("the connection was not accepted in time; check the host, its firewall and NetworkPolicies")]
    TimedOut,
    /// `https` to a port that does not speak TLS.
    #[error("the port does not speak TLS; write http:// in the upstream's URL, or correct the port")]
    NotTls,
    /// The certificate is signed by an authority that is not trusted.
    #[error("its certificate is of an unknown authority; give that authority's certificate as the upstream's caBundle")]
    UnknownAuthority,
    /// The certificate is of another host.
    #[error("its certificate is not valid for this host; use the host that the certificate names")]
    WrongHost,
    /// The certificate's time is over.
    #[error("its certificate has expired; renew it, and check this machine's clock")]
    Expired,
    /// The certificate's time has not begun.
    #[error("its certificate is not valid yet; check the clocks of both machines")]
    NotYetValid,
    /// Another rule of TLS.
    #[error("TLS failed; check its certificate with openssl s_client")]
    Tls,
    /// Nothing of these.
    #[error("the connection failed")]
    Other,
}

impl Unreachable {
    /// The cause of a failed connection: the first error of the chain that tells it.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut error = Some(error);
        while let Some(current) = error {
            if let Some(cause) = cause(current) {
                return cause;
            }
            error = inner(current).or_else(|| current.source());
        }
        Self::Other
    }
}

/// The error in an I/O error; `source` skips it.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    error.downcast_ref::<io::Error>()?.get_ref().map(|inner| inner as &(dyn Error + 'static))
}

fn cause(error: &(dyn Error + 'static)) -> Option<Unreachable> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(of_tls(error));
    }
    // The client's own type is private.
    if error.to_string() == "dns error" {
        return Some(Unreachable::Name);
    }
    match error.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::ConnectionRefused => Some(Unreachable::Refused),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some(Unreachable::NoRoute),
        io::ErrorKind::TimedOut => Some(Unreachable::TimedOut),
        _ => None,
    }
}

fn of_tls(error: &rustls::Error) -> Unreachable {
    let rustls::Error::InvalidCertificate(error) = error else {
        let plain = matches!(error, rustls::Error::InvalidMessage(_));
        return if plain { Unreachable::NotTls } else { Unreachable::Tls };
    };
    match error {
        CertificateError::UnknownIssuer => Unreachable::UnknownAuthority,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Unreachable::WrongHost,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Unreachable::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Unreachable::NotYetValid,
        _ => Unreachable::Tls,
    }
}
