//! The brain's settings, from the environment.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use crds::variables::{ADDRESS_RULE, PORT_RULE, Reader, Variables, port};
use secrecy::SecretString;

/// Default of `BRAIN_PORT`.
pub const DEFAULT_PORT: u16 = 3300;
/// File of the database unless `BRAIN_DATABASE_URL` sets another.
const DEFAULT_DATABASE: &str = ".routing/brain.db";

/// The brain's settings.
#[derive(Debug)]
pub struct Settings {
    /// Address to listen on.
    pub bind: IpAddr,
    /// Port to listen on.
    pub port: u16,
    /// Where entries are stored.
    pub database: DatabaseUrl,
    /// The bearer token that callers of `/mcp` and `/sessions` need; none: callers need no token.
    pub token: Option<SecretString>,
}

/// The path of a SQLite file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseUrl(pub PathBuf);

impl DatabaseUrl {
    /// Reads `sqlite:PATH` or `sqlite://PATH`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"))?;
        let is_path = !path.is_empty() && !path.contains('?') && !path.starts_with(':');
        is_path.then(|| Self(path.into()))
    }
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self(DEFAULT_DATABASE.into())
    }
}

/// Reads the settings.
///
/// # Errors
/// One line per bad variable, with its name and its value without secrets.
pub fn from_environment(variables: &Variables) -> Result<Settings, Vec<String>> {
    let mut reader = Reader::new(variables);
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let bind = reader.parsed("BRAIN_BIND", any, ADDRESS_RULE, |text| text.parse().ok());
    let port = reader.parsed("BRAIN_PORT", DEFAULT_PORT, PORT_RULE, port);
    let database_rule = "must be sqlite:PATH, for example sqlite:/data/brain.db";
    let database = reader.parsed("BRAIN_DATABASE_URL", DatabaseUrl::default(), database_rule, DatabaseUrl::parse);
    let token = reader.text("BRAIN_TOKEN").map(|token| token.trim().into());
    if reader.errors.is_empty() { Ok(Settings { bind, port, database, token }) } else { Err(reader.errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        from_environment(&variables.iter().copied().collect())
    }

    #[test]
    fn defaults_hold_for_unset_and_empty_variables() {
        for variables in [vec![], vec![("BRAIN_PORT", ""), ("BRAIN_TOKEN", ""), ("BRAIN_DATABASE_URL", "")]] {
            let settings = read(&variables).expect("defaults");
            assert_eq!((settings.port, settings.token.is_none()), (3300, true));
            assert_eq!(settings.database, DatabaseUrl(".routing/brain.db".into()));
        }
    }

    #[test]
    fn every_bad_variable_is_named_with_its_value_but_no_password() {
        let bad =
            [("BRAIN_PORT", "0"), ("BRAIN_BIND", "localhost"), ("BRAIN_DATABASE_URL", "postgres://me:canary@db/x")];
        let errors = read(&bad).expect_err("all bad").join("\n");
        for part in ["BRAIN_PORT: 0:", "BRAIN_BIND: localhost:", "BRAIN_DATABASE_URL: postgres://…@db/x:"] {
            assert!(errors.contains(part), "{errors}");
        }
        assert!(!errors.contains("canary"));
    }
}
