//! Which certificates of servers are trusted.

use std::sync::{Arc, Once, OnceLock};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use rustls_platform_verifier::Verifier;

/// The protocols that a client offers, the first one preferred.
const PROTOCOLS: [&str; 2] = ["h2", "http/1.1"];

/// TLS that trusts the system's authorities and these.
///
/// # Errors
/// One of them is no certificate that TLS can use.
pub fn trusting(extra: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Error> {
    let mut usable = RootCertStore::empty();
    extra.iter().try_for_each(|certificate| usable.add(certificate.clone()))?;
    let provider = CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
    let authorities =
        Authorities { extra, provider: Arc::clone(&provider), verifier: OnceLock::new(), warned: Once::new() };
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.dangerous().with_custom_certificate_verifier(Arc::new(authorities)).with_no_client_auth();
    config.alpn_protocols = PROTOCOLS.map(|name| name.as_bytes().to_vec()).into();
    Ok(config)
}

/// Reads the system's authorities when the first certificate has to be judged: most endpoints are plain HTTP, and a start
/// need not wait for some 300 files.
#[derive(Debug)]
struct Authorities {
    extra: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    verifier: OnceLock<Verifier>,
    warned: Once,
}

impl Authorities {
    /// None if there is no authority at all; there may be some at the next attempt, if no file could be opened at this one.
    fn verifier(&self) -> Option<&Verifier> {
        if let Some(known) = self.verifier.get() {
            return Some(known);
        }
        let read = Verifier::new_with_extra_roots(self.extra.clone(), Arc::clone(&self.provider));
        let read = read.inspect_err(|error| {
            self.warned.call_once(|| {
                tracing::warn!(%error, "no certificate of the system can be read; https endpoints need a caBundle");
            });
        });
        read.ok().map(|read| self.verifier.get_or_init(|| read))
    }
}

impl ServerCertVerifier for Authorities {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let verifier = self.verifier().ok_or(unknown)?;
        verifier.verify_server_cert(certificate, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_authorities_are_read_when_the_first_certificate_is_judged() {
        let provider = Arc::new(ring::default_provider());
        let authorities = Authorities { extra: vec![], provider, verifier: OnceLock::new(), warned: Once::new() };
        assert!(!authorities.supported_verify_schemes().is_empty());
        assert!(authorities.verifier.get().is_none());
        let name = ServerName::try_from("model.example").expect("a name");
        let judged = authorities.verify_server_cert(&CertificateDer::from(vec![0]), &[], &name, &[], UnixTime::now());
        assert!(judged.is_err());
        assert!(authorities.verifier.get().is_some());
    }

    #[test]
    fn a_bundle_is_judged_at_once() {
        assert!(trusting(vec![]).is_ok());
        assert!(trusting(vec![CertificateDer::from(vec![0])]).is_err());
    }
}
