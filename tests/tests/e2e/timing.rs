//! How long things took, printed as figures; goals are met or missed, and no test fails because of them.

use std::time::Duration;

/// Times of one kind.
#[derive(Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Adds a time.
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
        self.0.sort();
    }

    /// The time that this share of them did not exceed, by the nearest rank.
    pub fn at(&self, share: f64) -> Duration {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// Prints the figures, with the goal for p99 and the maximum if there is one.
    pub fn print(&self, what: &str, goal: Option<(Duration, Duration)>) {
        let (p50, p99, max) = (self.at(0.5), self.at(0.99), self.at(1.0));
        let goal = goal.map_or(String::new(), |(goal_p99, goal_max)| {
            let met = if p99 < goal_p99 && max < goal_max { "met" } else { "missed" };
            format!("; goal p99 < {goal_p99:?}, max < {goal_max:?}: {met}")
        });
        println!("{what}, {} times: p50 {p50:.2?}, p99 {p99:.2?}, max {max:.2?}{goal}", self.0.len());
    }
}

#[test]
fn shares_of_times_use_the_nearest_rank() {
    let mut times = Times::default();
    (1..=50).rev().for_each(|i| times.add(Duration::from_secs(i)));
    assert_eq!([0.5, 0.99, 1.0].map(|share| times.at(share).as_secs()), [25, 50, 50]);
}
