//! The brain's settings, from the environment.

mod database;
mod postgres;

use std::{net::IpAddr, num::NonZeroU32};

use crds::variables::{ADDRESS_RULE, PORT_RULE, Reader, Variables, port};
use endpoint::{bearer, host::Hosts, serve};
use secrecy::SecretString;

pub use self::{
    database::{DatabaseUrl, Place, RULE as DATABASE_RULE},
    postgres::PostgresUrl,
};
use crate::reporters;

/// Default of `BRAIN_PORT`.
pub const DEFAULT_PORT: u16 = crds::pod::BRAIN_PORT;

/// The brain's settings.
#[derive(Debug)]
pub struct Settings {
    /// Address to listen on; none: every address of this machine, IPv6 and IPv4.
    pub bind: Option<IpAddr>,
    /// Port to listen on.
    pub port: u16,
    /// Where entries are stored.
    pub database: DatabaseUrl,
    /// Why they are stored there.
    pub place: Place,
    /// The bearer token that callers of `/mcp` and `/sessions` need; none: callers need no token.
    pub token: Option<SecretString>,
    /// Hosts that it answers for.
    pub hosts: Hosts,
    /// Most open connections.
    pub connections: usize,
    /// Most outcomes a minute of a reporter that name no known decision.
    pub unattributed_per_minute: NonZeroU32,
}

/// Reads the settings.
///
/// # Errors
/// One line per bad variable, with its name and its value without secrets.
pub fn from_environment(variables: &Variables) -> Result<Settings, Vec<String>> {
    let mut reader = Reader::new(variables);
    let bind = reader.optional("BRAIN_BIND", ADDRESS_RULE, |text| text.parse().ok());
    let port = reader.parsed("BRAIN_PORT", DEFAULT_PORT, PORT_RULE, port);
    let (database, place) = database::from_variables(&mut reader);
    let token = token(&mut reader);
    let hosts = Hosts::from_variable(&mut reader, "BRAIN_ALLOWED_HOSTS");
    let connections = serve::connections(&mut reader);
    let rule = "must be a whole number from 1 to 4294967295";
    let unattributed_per_minute =
        reader.parsed(reporters::VARIABLE, reporters::DEFAULT_PER_MINUTE, rule, |text| text.parse().ok());
    if !reader.errors.is_empty() {
        return Err(reader.errors);
    }
    Ok(Settings { bind, port, database, place, token, hosts, connections, unattributed_per_minute })
}

/// The database alone: for a command that serves nobody.
///
/// # Errors
/// One line, if its variable is bad.
pub fn database(variables: &Variables) -> Result<DatabaseUrl, Vec<String>> {
    let mut reader = Reader::new(variables);
    let (database, _) = database::from_variables(&mut reader);
    if reader.errors.is_empty() { Ok(database) } else { Err(reader.errors) }
}

/// The token. Where one is required, a Secret that was left empty does not open the brain.
fn token(reader: &mut Reader<'_>) -> Option<SecretString> {
    let required = reader.parsed("BRAIN_REQUIRE_TOKEN", false, "must be true or false", |text| text.parse().ok());
    if required && reader.text("BRAIN_TOKEN").is_none() {
        reader.errors.push("BRAIN_TOKEN: is not set, and BRAIN_REQUIRE_TOKEN=true: set a token".into());
    }
    bearer::from_variable(reader, "BRAIN_TOKEN")
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
            assert_eq!(settings.database, DatabaseUrl::sqlite(".routing/brain.db"));
        }
    }

    #[test]
    fn every_bad_variable_is_named_with_its_value_but_no_password() {
        let bad = [
            ("BRAIN_PORT", "0"),
            ("BRAIN_BIND", "localhost"),
            ("BRAIN_DATABASE_URL", "postgres://me:canary@db/x?tls=1"),
            ("BRAIN_TOKEN", "\n"),
            ("BRAIN_REQUIRE_TOKEN", "perhaps"),
            ("BRAIN_ALLOWED_HOSTS", "*"),
            ("ROUTING_CONNECTIONS", "1"),
            ("BRAIN_UNATTRIBUTED_PER_MINUTE", "0"),
        ];
        let errors = read(&bad).expect_err("all bad").join("\n");
        for part in [
            "BRAIN_PORT: 0:",
            "BRAIN_BIND: localhost:",
            "BRAIN_DATABASE_URL: postgres://…@db/x?…: must be sqlite:PATH",
            "BRAIN_TOKEN: is blank",
            "BRAIN_REQUIRE_TOKEN: perhaps: must be true or false",
            "BRAIN_ALLOWED_HOSTS: *: must be host names",
            "ROUTING_CONNECTIONS: 1: must be",
            "BRAIN_UNATTRIBUTED_PER_MINUTE: 0: must be",
        ] {
            assert!(errors.contains(part), "{errors}");
        }
        assert!(!errors.contains("canary"));
    }

    #[test]
    fn where_a_token_is_required_there_is_no_start_without_one() {
        for token in ["", " \n"] {
            let errors = read(&[("BRAIN_REQUIRE_TOKEN", "true"), ("BRAIN_TOKEN", token)]).expect_err("no token");
            assert!(errors.len() == 1 && errors[0].starts_with("BRAIN_TOKEN: is "), "{errors:?}");
        }
        assert!(read(&[("BRAIN_REQUIRE_TOKEN", "true"), ("BRAIN_TOKEN", "t")]).is_ok());
        assert!(read(&[("BRAIN_REQUIRE_TOKEN", "false")]).is_ok());
    }
}
