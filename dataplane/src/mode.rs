//! The caller's mode, from the `X-Hyperguild-Mode` header.

use axum::http::HeaderMap;

/// Name of the header (`contract`, part 6).
pub const HEADER: &str = "x-hyperguild-mode";

/// How the caller works with the data plane. There is only one mode; absent and unknown values mean it, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The client runs on its user's machine and its skills are routed here.
    #[default]
    ClientLocal,
}

impl Mode {
    /// As written in headers and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientLocal => "client-local",
        }
    }

    /// The mode that a request names; none: it has no such header, which means the default. So does an unknown value.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        headers.get(HEADER).map(|value| Self::named(value.as_bytes()).unwrap_or_default())
    }

    fn named(name: &[u8]) -> Option<Self> {
        (name == Self::ClientLocal.as_str().as_bytes()).then_some(Self::ClientLocal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contract_6_absent_and_unknown_modes_mean_client_local() {
        assert_eq!(Mode::of(&HeaderMap::new()), None);
        assert_eq!(Mode::default().as_str(), "client-local");
        for value in ["client-local", "banana", ""] {
            let headers = HeaderMap::from_iter([(HEADER.parse().expect("a name"), value.parse().expect("a value"))]);
            assert_eq!(Mode::of(&headers), Some(Mode::ClientLocal), "{value}");
        }
    }
}
