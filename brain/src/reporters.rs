//! How many outcomes a reporter may send that name no known decision: those count for the local model, each by itself, so
//! a flood of them would steer a route.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Default of [`VARIABLE`].
pub const DEFAULT_PER_MINUTE: NonZeroU32 = NonZeroU32::new(120).expect("not 0");
/// Sets how many a reporter may send in a minute.
pub const VARIABLE: &str = "BRAIN_UNATTRIBUTED_PER_MINUTE";
/// Most reporters that are remembered.
const REMEMBERED: usize = 4_096;

/// The reporters of late, by address.
pub struct Reporters {
    limiter: DefaultKeyedRateLimiter<IpAddr>,
    per_minute: NonZeroU32,
}

impl Reporters {
    /// Each may send so many in a minute, at once or spread.
    #[must_use]
    pub fn new(per_minute: NonZeroU32) -> Self {
        Self { limiter: RateLimiter::keyed(Quota::per_minute(per_minute)), per_minute }
    }

    /// Takes one outcome from what a reporter may send.
    ///
    /// # Errors
    /// It has sent too many; what to do about it.
    pub fn admit(&self, reporter: IpAddr) -> Result<(), String> {
        if self.limiter.len() >= REMEMBERED {
            self.limiter.retain_recent();
        }
        let reporter = network(reporter);
        if self.limiter.len() < REMEMBERED && self.limiter.check_key(&reporter).is_ok() {
            return Ok(());
        }
        Err(format!(
            "decision_id: more than {} outcomes a minute from {reporter} name no decision that the brain knows; name the \
             decision, which has no such limit, or wait a minute, or set {VARIABLE} on the brain",
            self.per_minute
        ))
    }
}

/// Who has one IPv6 address has the 2^64 of its network, too.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn each_reporter_has_a_limit_of_its_own_and_one_ipv6_network_is_one() {
        let reporters = Reporters::new(NonZeroU32::new(3).expect("not 0"));
        let sent = |address: &dyn Fn(u128) -> IpAddr| (0..9).filter(|n| reporters.admit(address(*n)).is_ok()).count();
        for first in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 7)] {
            assert_eq!(sent(&|_| first.into()), 3, "{first}");
        }
        assert_eq!(sent(&|n| Ipv6Addr::from_bits((0x2001_0db8 << 96) + n).into()), 3);
        let refused = reporters.admit(Ipv4Addr::LOCALHOST.into()).expect_err("too many");
        assert!(refused.contains("more than 3 outcomes a minute from 127.0.0.1"), "{refused}");
    }

    #[test]
    fn no_more_reporters_are_remembered_than_the_bound() {
        let reporters = Reporters::new(NonZeroU32::MIN);
        let admitted = (0..REMEMBERED as u32 + 100).filter(|n| reporters.admit(Ipv4Addr::from_bits(*n).into()).is_ok());
        assert_eq!((admitted.count(), reporters.limiter.len()), (REMEMBERED, REMEMBERED));
    }
}
