//! The environment of a process as a value: each program reads its variables by the same rules (`contract`, part 1).

use std::collections::BTreeMap;

use crate::shown::{self, printable};

/// Longest value that an error repeats, in characters.
const SHOWN: usize = 100;
/// What a port must be.
pub const PORT_RULE: &str = "must be a port from 1 to 65535";
/// What an address to listen on must be.
pub const ADDRESS_RULE: &str = "must be an IP address, for example 127.0.0.1";

/// Variables by name. An empty one counts as unset.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// The text of a variable, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The text of a variable that an MCP client fills in: some leave the name of what has no value.
    #[must_use]
    pub fn filled_in(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|text| !text.is_empty() && !text.starts_with("${"))
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, text: &str) {
        self.0.insert(name.into(), text.into());
    }

    /// Sets a variable unless it is set.
    pub fn set_default(&mut self, name: &str, text: &str) {
        if self.get(name).is_none() {
            self.set(name, text);
        }
    }

    /// All of them as they are, also empty ones: a secret that is empty is reported as such.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

impl<N: Into<String>, T: Into<String>> FromIterator<(N, T)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, text)| (name.into(), text.into())).collect())
    }
}

/// Reads variables and collects what is wrong with them, so that all bad ones are named in one go.
pub struct Reader<'a> {
    variables: &'a Variables,
    /// A line for each bad variable: its name, its value without what may be secret, and what it must be.
    pub errors: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Reads these variables.
    #[must_use]
    pub fn new(variables: &'a Variables) -> Self {
        Self { variables, errors: vec![] }
    }

    /// The text of a variable, if it is set.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.variables.get(name)
    }

    /// The value of a variable, if it is set and `parse` takes it; `rule` says what it must be.
    pub fn optional<T>(&mut self, name: &str, rule: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(text);
        if value.is_none() {
            self.error(name, text, rule);
        }
        value
    }

    /// As [`Self::optional`], with a default for a variable that is not set or not usable.
    pub fn parsed<T>(&mut self, name: &str, default: T, rule: &str, parse: impl Fn(&str) -> Option<T>) -> T {
        self.optional(name, rule, parse).unwrap_or(default)
    }

    /// Adds an error about a variable.
    pub fn error(&mut self, name: &str, text: &str, rule: &str) {
        self.errors.push(format!("{name}: {}: {rule}", printable(&shown::url(text), SHOWN)));
    }
}

/// A port other than 0.
#[must_use]
pub fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contract_1_an_empty_variable_counts_as_unset() {
        let mut variables = Variables::from_iter([("A", "1"), ("B", "")]);
        assert_eq!((variables.get("A"), variables.get("B"), variables.get("C")), (Some("1"), None, None));
        variables.set_default("A", "2");
        variables.set_default("B", "2");
        assert_eq!((variables.get("A"), variables.get("B")), (Some("1"), Some("2")));
    }

    #[test]
    fn every_bad_variable_is_named_without_its_secrets() {
        let variables = Variables::from_iter([("PORT", "0"), ("URL", "postgres://me:canary@db/x")]);
        let mut reader = Reader::new(&variables);
        assert_eq!(reader.parsed("PORT", 1, PORT_RULE, port), 1);
        assert_eq!(reader.optional::<u8>("URL", "must be something else", |_| None), None);
        assert_eq!(reader.optional::<u8>("UNSET", "must be something else", |_| None), None);
        assert_eq!(
            reader.errors,
            ["PORT: 0: must be a port from 1 to 65535", "URL: postgres://…@db/x: must be something else"]
        );
    }
}
