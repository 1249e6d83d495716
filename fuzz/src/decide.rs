//! The decision and the hash: `contract`, part 2.

use crds::table::ThresholdValues;
use dataplane::decide::{Decision, Reason, decide, request_hash};
use sha2::{Digest, Sha256};

/// Two pass rates, floor, ceil and a hash of 8 bytes each, then `SYSTEM NUL USER`.
pub fn check(input: &[u8]) {
    let mut eights = input.chunks_exact(8).map(|bytes| u64::from_be_bytes(bytes.try_into().expect("8 bytes")));
    let mut next = || eights.next().unwrap_or_default();
    let [one, other, floor, ceil] = [next(), next(), next(), next()].map(number);
    let hash = next();
    of_texts(input.get(40..).unwrap_or_default());
    let Some(thresholds) = ThresholdValues::new(share(floor), share(ceil)) else { return };
    assert_eq!(decide(None, thresholds, hash), (Decision::Local, Reason::NoPassRate));
    for rate in [one, other, thresholds.floor, thresholds.ceil] {
        of_a_rate(rate, thresholds, hash);
    }
    let (lower, higher) = if one <= other { (one, other) } else { (other, one) };
    let is_local = |rate| decide(Some(rate), thresholds, hash).0 == Decision::Local;
    if lower <= higher {
        assert!(!is_local(lower) || is_local(higher), "{lower} {higher} {thresholds:?} {hash}");
    }
}

fn of_a_rate(rate: f64, thresholds: ThresholdValues, hash: u64) {
    let decided = decide(Some(rate), thresholds, hash);
    assert_eq!(decided, decide(Some(rate), thresholds, hash), "it is a function");
    let expected = if rate >= thresholds.floor {
        (Decision::Local, Reason::AtOrAboveFloor)
    } else if rate < thresholds.ceil {
        (Decision::Claude, Reason::BelowCeil)
    } else if hash & 1 == 0 {
        (Decision::Local, Reason::Split)
    } else {
        (Decision::Claude, Reason::Split)
    };
    assert_eq!(decided, expected, "{rate} {thresholds:?} {hash}");
}

/// Any number, most often a share.
fn number(bits: u64) -> f64 {
    let any = f64::from_bits(bits);
    if bits & 3 == 0 { any } else { share(any) }
}

#[allow(clippy::cast_precision_loss)]
fn share(any: f64) -> f64 {
    if (0.0..=1.0).contains(&any) { any } else { (any.to_bits() % 1_001) as f64 / 1_000.0 }
}

/// The hash is of both texts, in this order, with one byte between them.
fn of_texts(bytes: &[u8]) {
    let Some((system, user)) = crate::input::two_texts(bytes) else { return };
    let whole = [system.as_bytes(), &[0], user.as_bytes()].concat();
    let digest: [u8; 32] = Sha256::digest(&whole).into();
    let first = u64::from_be_bytes(digest[..8].try_into().expect("8 bytes"));
    assert_eq!(request_hash(system, user), first);
    // The byte between them is NUL, so texts that have one themselves can be told apart only by where it is.
    if system != user && !user.contains('\0') {
        assert_ne!(request_hash(system, user), request_hash(user, system), "the order counts");
    }
}
