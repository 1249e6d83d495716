//! The URL of a Postgres database: it holds a password, so only a part of it is ever shown.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// The parameters that count. Others are refused: the driver would log one that it does not know, with its value.
const PARAMETERS: [&str; 12] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// Where a Postgres database is, and who reads it.
#[derive(Clone, Debug)]
pub struct PostgresUrl {
    whole: SecretString,
    shown: String,
}

impl PostgresUrl {
    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok().filter(|url| ["postgres", "postgresql"].contains(&url.scheme()))?;
        let known = url.query_pairs().all(|(name, value)| PARAMETERS.contains(&&*name) && !value.contains('\0'));
        let given =
            |name: &str| url.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned());
        let host = given("host").or_else(|| url.host_str().map(str::to_string)).filter(|host| !host.is_empty())?;
        let port = given("port").or_else(|| url.port().map(|port| port.to_string()));
        let database = given("dbname").unwrap_or_else(|| url.path().trim_start_matches('/').into());
        if !known || database.is_empty() {
            return None;
        }
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Some(Self { whole: text.into(), shown: format!("postgres://{host}{port}/{database}") })
    }

    /// Without user, password and parameters.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// For the driver alone.
    pub(crate) fn whole(&self) -> &str {
        self.whole.expose_secret()
    }
}

impl PartialEq for PostgresUrl {
    fn eq(&self, other: &Self) -> bool {
        self.whole() == other.whole()
    }
}

impl Eq for PostgresUrl {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_user_password_and_parameters() {
        for (text, shown) in [
            ("postgres://me:canary@db/brain", "postgres://db/brain"),
            ("postgresql://me:canary@db:6432/brain?sslmode=verify-full", "postgres://db:6432/brain"),
            ("postgres://me@db/brain?password=canary&application_name=canary", "postgres://db/brain"),
            ("postgres://[::1]:5432/brain", "postgres://[::1]:5432/brain"),
            ("postgres:///brain?host=/run/postgresql&user=me&password=canary", "postgres:///run/postgresql/brain"),
        ] {
            let url = PostgresUrl::parse(text).expect(text);
            assert_eq!(url.shown(), shown);
            assert!(!format!("{url:?}").contains("canary"), "{url:?}");
        }
    }

    #[test]
    fn what_names_no_database_or_has_an_unknown_parameter_is_refused() {
        for text in [
            "postgres://db",
            "postgres://db/",
            "postgres:///brain",
            "mysql://db/brain",
            "postgres://db/b?sslpassword=x",
            "db/brain",
        ] {
            assert_eq!(PostgresUrl::parse(text), None, "{text}");
        }
    }
}
