//! Calls that go against the pass rate. Which ones is read from bits 1 to 16 of the request's hash: bit 0 is the
//! split's, and nothing here is random.

use crds::{policy::ExplorationMode, table::ExplorationRules};

use super::{Decided, Decision, Reason, STEPS, place_among_all};

/// The lowest of the bits that explore: the split has the one below.
const FROM_BIT: u32 = 1;

/// The decision with exploration taken in; `by_rate` is what the pass rate alone decides.
pub(super) fn applied(rules: &ExplorationRules, by_rate: Decided, hash: u64) -> Decided {
    let explores = |share| in_share(hash, share);
    let p_local = probability(rules, by_rate.p_local);
    let against = |decision| Decided { decision, reason: Reason::Explored, p_local, ..by_rate };
    match (rules.mode, by_rate.decision) {
        (ExplorationMode::Off, _) => by_rate,
        (_, Decision::Local) if explores(rules.claude_share) => against(Decision::Claude),
        (ExplorationMode::Live, Decision::Claude) if explores(rules.share) => against(Decision::Local),
        (ExplorationMode::Shadow, Decision::Claude) => Decided { shadowed: explores(rules.share), p_local, ..by_rate },
        _ => Decided { p_local, ..by_rate },
    }
}

/// The probability of the local model, when the pass rate alone gives `by_rate`.
fn probability(rules: &ExplorationRules, by_rate: f64) -> f64 {
    let gained = if rules.mode == ExplorationMode::Live { rules.share } else { 0.0 };
    by_rate * (1.0 - rules.claude_share) + (1.0 - by_rate) * gained
}

/// Whether the request belongs to this part, from 0 to 1, of all requests.
fn in_share(hash: u64, share: f64) -> bool {
    place_among_all(hash, FROM_BIT) < (share * STEPS).round() / STEPS
}
