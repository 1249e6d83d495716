//! What a profile says of the costs of a call: the parts of a program, together with those that do the same.

use std::collections::BTreeMap;

/// How the parts begin that are the system's.
const SYSTEM: &str = "system: ";
const OF_THE_SYSTEM: &str = "the system (sockets, waking of threads)";
/// What follows the name of a part that copies memory for who calls it.
const COPIES: &str = ", copies";
const REST: &str = "all the rest";
/// How many are ranked.
const RANKED: usize = 3;

/// What the other parts do, and their names.
const GROUPS: [(&str, &str); 8] = [
    ("HTTP (hyper, http, axum, reqwest)", HTTP),
    ("JSON (serde_json)", "serde serde_core serde_json"),
    ("memory (the allocator)", "allocator"),
    ("the runtime (tokio)", "futures_core futures_util mio tokio tokio_util"),
    ("this program's own work", "brain crds dataplane endpoint routing"),
    ("prompts (minijinja)", "minijinja"),
    ("hashes (sha2)", "block_buffer digest sha2"),
    ("logs, metrics and traces", LOGS),
];
const HTTP: &str = "axum axum_core bytes form_urlencoded h2 http http_body http_body_util httparse hyper hyper_rustls \
                    hyper_util idna matchit percent_encoding reqwest tower tower_http tower_layer tower_service url want";
const LOGS: &str = "opentelemetry opentelemetry_otlp opentelemetry_sdk prometheus_client tracing tracing_appender \
                    tracing_core tracing_subscriber";

/// The three largest costs, ranked, each with its share and, of the processor time of a call in milliseconds, with its own.
/// Given is the share of each part: `system: CALL`, `allocator` or a crate, of which the copies may be apart.
#[must_use]
pub fn largest<'a>(shares: impl IntoIterator<Item = (&'a str, f64)>, each: f64) -> String {
    let mut groups = BTreeMap::<&str, f64>::new();
    for (part, share) in shares {
        *groups.entry(group(part)).or_default() += share;
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|(_, share), (_, less)| less.total_cmp(share));
    let line = |(place, (group, share)): (usize, (&str, f64))| {
        format!("{place}. {group}: {:.1} %, {:.1} µs\n", share * 100.0, share * each * 1000.0)
    };
    (1..).zip(groups.into_iter().take(RANKED)).map(line).collect()
}

fn group(part: &str) -> &'static str {
    if part.starts_with(SYSTEM) {
        return OF_THE_SYSTEM;
    }
    let part = part.strip_suffix(COPIES).unwrap_or(part);
    GROUPS.iter().find(|(_, parts)| parts.split(' ').any(|of| of == part)).map_or(REST, |(group, _)| *group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_costs_of_a_call_are_ranked_with_all_their_parts() {
        let shares = [
            ("serde_json", 0.08),
            ("system: futex", 0.05),
            ("system: epoll_wait", 0.06),
            ("allocator", 0.07),
            ("hyper", 0.04),
            ("axum", 0.06),
            ("serde_json, copies", 0.01),
            ("indexmap", 0.02),
        ];
        assert_eq!(
            largest(shares, 0.5),
            "1. the system (sockets, waking of threads): 11.0 %, 55.0 µs\n\
             2. HTTP (hyper, http, axum, reqwest): 10.0 %, 50.0 µs\n\
             3. JSON (serde_json): 9.0 %, 45.0 µs\n"
        );
        assert_eq!(largest([], 0.5), "");
    }

    #[test]
    fn each_part_of_a_profile_is_in_one_group() {
        let mut parts: Vec<&str> = GROUPS.iter().flat_map(|(_, parts)| parts.split(' ')).collect();
        let all = parts.len();
        parts.sort_unstable();
        parts.dedup();
        assert_eq!(parts.len(), all);
        assert_eq!((group("unknown"), group("uuid, copies")), (REST, REST));
    }
}
