//! The brain that a command asks, and what it says when the brain does not answer.

use crds::{shown, table::BrainTarget, variables::Variables};
use url::Url;

use super::CliError;
use crate::brain_client::{BrainClient, BrainError};

/// A brain and the address that messages show.
pub(super) struct BrainAt {
    pub(super) client: BrainClient,
    pub(super) address: String,
    pub(super) has_token: bool,
}

/// The address from the option or otherwise from the variable.
pub(super) fn given<'a>(option: Option<&'a str>, variables: &'a Variables) -> Option<&'a str> {
    option.or_else(|| variables.get("BRAIN_URL"))
}

impl BrainAt {
    /// The brain at this address, with the token in `BRAIN_TOKEN`.
    pub(super) fn new(address: &str, variables: &Variables) -> Result<Self, CliError> {
        Self::with(address, variables, BrainClient::patient)
    }

    fn with(
        address: &str,
        variables: &Variables,
        patience: impl FnOnce(BrainClient) -> BrainClient,
    ) -> Result<Self, CliError> {
        let shown = shown::url(address);
        let url = http_url(address)
            .ok_or_else(|| CliError::Message(format!("--brain-url: {shown}: must be an http or https URL")))?;
        let token = variables.get("BRAIN_TOKEN").map(|token| token.trim().into());
        let client = BrainClient::new(&BrainTarget { url, token: None }, token.as_ref(), super::http_client()?);
        Ok(Self { client: patience(client), address: shown, has_token: token.is_some() })
    }

    /// The same, without time for a slow disk: a session waits.
    pub(super) fn in_a_hurry(address: &str, variables: &Variables) -> Result<Self, CliError> {
        Self::with(address, variables, |client| client)
    }

    /// Why there is no answer, and what to do, as a sentence without its end.
    pub(super) fn why(&self, error: &BrainError) -> String {
        let address = &self.address;
        match error {
            BrainError::Unavailable { reason } => format!("the brain at {address} cannot answer now: {reason}"),
            BrainError::Failed { reason } => format!("the brain at {address} could not write it: {reason}"),
            BrainError::Refused { reason } => format!("the brain at {address} refused it: {reason}"),
            BrainError::Status(401) if self.has_token => {
                format!("the brain at {address} does not accept the token in BRAIN_TOKEN (401); take that of the brain")
            }
            BrainError::Status(401) => format!(
                "the brain at {address} wants a token (401), and BRAIN_TOKEN is not set; set it to the brain's token"
            ),
            BrainError::Status(404) => format!(
                "what answers at {address} keeps no evidence per model (404): it is an earlier version of the brain or another program; check --brain-url and BRAIN_URL"
            ),
            _ => format!(
                "the brain at {address} {error}; check that it is running, and name it by --brain-url or BRAIN_URL, its token by BRAIN_TOKEN"
            ),
        }
    }
}

/// A URL that can be asked.
pub(super) fn http_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}
