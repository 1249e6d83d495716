//! The brain's settings, from the environment.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use secrecy::SecretString;

/// Default of `BRAIN_PORT`.
pub const DEFAULT_PORT: u16 = 3300;
/// Default of `BRAIN_DATABASE_URL`: a file below the working directory.
pub const DEFAULT_DATABASE_URL: &str = "sqlite:.routing/brain.db";

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
    ///
    /// # Errors
    /// The form that the URL must have.
    pub fn parse(text: &str) -> Result<Self, String> {
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
        match path {
            Some(path) if !path.is_empty() && !path.contains('?') && !path.starts_with(':') => Ok(Self(path.into())),
            _ => Err("must be sqlite:PATH, for example sqlite:/data/brain.db".into()),
        }
    }
}

/// Reads the settings; an empty variable counts as unset.
///
/// # Errors
/// One line per bad variable, with its name and its value without secrets.
pub fn from_environment(variables: &BTreeMap<String, String>) -> Result<Settings, Vec<String>> {
    let set = |name: &str| variables.get(name).filter(|value| !value.is_empty());
    let mut errors = vec![];
    let mut read = |name: &str, default: &str, parse: &dyn Fn(&str) -> Result<(), String>| {
        let text = set(name).map_or(default, String::as_str).to_string();
        if let Err(message) = parse(&text) {
            // The value of a database URL may hold a password.
            errors.push(format!("{name}: {}: {message}", crds::redact::url(&text)));
        }
        text
    };
    let bind = read("BRAIN_BIND", "0.0.0.0", &|text| parse_bind(text).map(drop));
    let port = read("BRAIN_PORT", &DEFAULT_PORT.to_string(), &|text| parse_port(text).map(drop));
    let database = read("BRAIN_DATABASE_URL", DEFAULT_DATABASE_URL, &|text| DatabaseUrl::parse(text).map(drop));
    match (parse_bind(&bind), parse_port(&port), DatabaseUrl::parse(&database)) {
        (Ok(bind), Ok(port), Ok(database)) => {
            Ok(Settings { bind, port, database, token: set("BRAIN_TOKEN").map(|t| t.trim().into()) })
        }
        _ => Err(errors),
    }
}

fn parse_bind(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "must be an IP address, for example 127.0.0.1".into())
}

fn parse_port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| "must be a port from 1 to 65535".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        from_environment(&variables.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect())
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
