//! Numbers of a report as people read them. No I/O.

use crate::{
    brain_client::{KnownArm, KnownSaved},
    cli::aligned::rate,
};

/// Stands for what is not known.
pub(super) const UNKNOWN: &str = "-";

/// `1234567` as `1,234,567`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let grouped = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned());
    grouped.collect::<Vec<_>>().join(",")
}

/// An amount of US dollars: cents, or below a dollar as many digits as say something.
pub(super) fn usd(amount: f64) -> String {
    let sign = if amount < 0.0 { "-" } else { "" };
    match amount.abs() {
        small if small > 0.0 && small < 0.01 => format!("{sign}${small:.4}"),
        other => format!("{sign}${other:.2}"),
    }
}

pub(super) fn usd_or_unknown(amount: Option<f64>) -> String {
    amount.map_or_else(|| UNKNOWN.into(), usd)
}

/// With its interval: `$1.20 [$1.00–$1.40]`.
pub(super) fn saved(saved: Option<&KnownSaved>) -> String {
    let Some(KnownSaved { usd: amount, low, high }) = saved else { return UNKNOWN.into() };
    if low == high { usd(*amount) } else { format!("{} [{}–{}]", usd(*amount), usd(*low), usd(*high)) }
}

pub(super) fn share(share: Option<f64>) -> String {
    share.map_or_else(|| UNKNOWN.into(), |share| format!("{:.0} %", share * 100.0))
}

/// The rates of one arm; of several models each by its name.
pub(super) fn rates(arms: &[KnownArm], arm: &str) -> String {
    let of_arm: Vec<&KnownArm> = arms.iter().filter(|one| one.arm == arm && one.pass + one.fail > 0).collect();
    let shown = |one: &KnownArm| rate(one.pass_rate, Some(one.pass + one.fail));
    match of_arm.as_slice() {
        [] => UNKNOWN.into(),
        [one] => shown(one),
        many => {
            let name = |one: &KnownArm| if one.model.is_empty() { "?".to_string() } else { one.model.clone() };
            many.iter().map(|one| format!("{} {}", name(one), shown(one))).collect::<Vec<_>>().join("; ")
        }
    }
}

/// The change of a number: `+12 %`; empty without one before.
pub(super) fn change(now: u64, before: u64) -> String {
    if before == 0 {
        return String::new();
    }
    // Numbers of calls, far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let change = (now as f64 / before as f64 - 1.0) * 100.0;
    format!("{change:+.0} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_people_read_them() {
        assert_eq!([0, 999, 1000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 0.0042, 0.5, 1234.567, -0.02].map(usd), ["$0.00", "$0.0042", "$0.50", "$1234.57", "-$0.02"]);
        assert_eq!(share(Some(0.834)), "83 %");
        assert_eq!([change(15, 10), change(5, 10), change(5, 0)], ["+50 %", "-50 %", ""]);
        let known = KnownSaved { usd: 1.2, low: 1.0, high: 1.4 };
        assert_eq!([saved(Some(&known)), saved(None)], ["$1.20 [$1.00–$1.40]", "-"]);
    }
}
