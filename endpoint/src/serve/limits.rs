//! How many connections a server may have open.

use crds::variables::Reader;
use rustix::process::{Resource, getrlimit};

/// Variable of the largest number of callers' connections.
pub const CONNECTIONS_VARIABLE: &str = "ROUTING_CONNECTIONS";
/// Default of [`CONNECTIONS_VARIABLE`].
pub const CONNECTIONS_DEFAULT: usize = 1024;
/// Fewest connections that can be set.
const CONNECTIONS_MIN: usize = 16;
/// Most connections that can be set.
const CONNECTIONS_MAX: usize = 65_536;
/// Connections of the admin port. Their descriptors are set aside, so callers cannot use them up.
const ADMIN_CONNECTIONS: usize = 64;
/// Descriptors set aside for files, folders, the database and what the runtime needs.
const FILES: usize = 64;

/// Bounds of one server's open connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most connections in all. A further one replaces the one that has been idle longest.
    pub connections: usize,
    /// Most connections of one address, loopback included.
    pub per_address: usize,
}

impl Limits {
    /// The bounds of the port for callers: at most `connections`, and at most what this process's descriptors allow if
    /// it has `servers` such ports.
    #[must_use]
    pub fn of_callers(connections: usize, servers: usize) -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| limit as usize);
        Self::within(descriptors, connections, servers)
    }

    /// Each call may need a second connection, to a model: callers get half of what is not set aside.
    fn within(descriptors: usize, connections: usize, servers: usize) -> Self {
        let half = descriptors.saturating_sub(ADMIN_CONNECTIONS + FILES) / 2 / servers.max(1);
        Self::new(connections.min(half).max(CONNECTIONS_MIN))
    }

    /// The bounds of the admin port: 64 connections.
    #[must_use]
    pub fn of_admin() -> Self {
        Self::new(ADMIN_CONNECTIONS)
    }

    /// One address may have half of them: behind a NodePort, many callers can have the address of a node.
    fn new(connections: usize) -> Self {
        Self { connections, per_address: connections / 2 }
    }
}

/// Reads [`CONNECTIONS_VARIABLE`].
pub fn connections(reader: &mut Reader<'_>) -> usize {
    let rule = "must be a whole number from 16 to 65536";
    let within = |text: &str| text.parse().ok().filter(|count| (CONNECTIONS_MIN..=CONNECTIONS_MAX).contains(count));
    reader.parsed(CONNECTIONS_VARIABLE, CONNECTIONS_DEFAULT, rule, within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_leave_descriptors_for_models_for_files_and_for_the_admin_port() {
        for (descriptors, servers, connections) in
            [(usize::MAX, 1, 1024), (1024, 1, 448), (1024, 2, 224), (300, 1, 86), (100, 1, CONNECTIONS_MIN)]
        {
            let limits = Limits::within(descriptors, CONNECTIONS_DEFAULT, servers);
            assert_eq!(limits, Limits { connections, per_address: connections / 2 }, "{descriptors}");
        }
    }

    #[test]
    fn the_number_of_connections_has_bounds_that_are_named() {
        for (text, value) in [("", Some(1024)), ("16", Some(16)), ("15", None), ("65537", None), ("many", None)] {
            let variables = [(CONNECTIONS_VARIABLE, text)].into_iter().collect();
            let mut reader = Reader::new(&variables);
            let read = connections(&mut reader);
            assert_eq!(reader.errors.is_empty().then_some(read), value, "{text}");
            assert!(reader.errors.iter().all(|line| line.contains("from 16 to 65536")), "{:?}", reader.errors);
        }
    }
}
