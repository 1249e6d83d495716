//! Tables, ages and rates for people at a terminal. No I/O.

use crds::interval::wilson;

/// Space between two columns.
const GAP: &str = "  ";

/// Rows whose columns begin at the same place, each after two spaces.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{GAP}{cell:width$}"));
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    rows.iter().map(line).collect()
}

/// A rate with its interval: `0.68 [0.53–0.80] of 41`.
pub(super) fn rate(rate: Option<f64>, samples: Option<u64>) -> String {
    let Some(rate) = rate else { return unmeasured(samples) };
    let interval = samples.and_then(|samples| wilson(rate, samples));
    let interval = interval.map(|at| format!(" [{:.2}–{:.2}]", at.low, at.high)).unwrap_or_default();
    let of = samples.map(|samples| format!(" of {samples}")).unwrap_or_default();
    format!("{rate:.2}{interval}{of}")
}

fn unmeasured(samples: Option<u64>) -> String {
    match samples {
        Some(samples) if samples > 0 => format!("too few: {samples}"),
        _ => "not measured".into(),
    }
}

/// How long ago, in the largest whole unit: `3 min`.
pub(super) fn age(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_begin_at_the_same_place() {
        let rows = [vec!["a".into(), "b".into(), String::new()], vec!["äöü".into(), "c".into()]];
        assert_eq!(aligned(&rows), "  a    b\n  äöü  c\n");
    }

    #[test]
    fn a_rate_is_shown_with_its_interval_and_samples() {
        assert_eq!(rate(Some(0.683), Some(41)), "0.68 [0.53–0.80] of 41");
        assert_eq!(rate(Some(0.5), None), "0.50");
        assert_eq!(
            [rate(None, Some(3)), rate(None, Some(0)), rate(None, None)],
            ["too few: 3", "not measured", "not measured"]
        );
    }

    #[test]
    fn an_age_has_one_unit() {
        let shown = [0, 119_000, 120_000, 7_200_000, 172_800_000].map(age);
        assert_eq!(shown, ["0 s", "119 s", "2 min", "2 h", "2 d"]);
    }
}
