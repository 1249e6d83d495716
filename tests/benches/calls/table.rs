//! The table of the README: what was measured, and whether the goal is met.

use std::{fmt, time::Duration};

/// Rows of what was measured.
#[derive(Default)]
pub struct Table(Vec<String>);

impl Table {
    /// Adds a row; `goal` says what the goal is, and whether it is met.
    pub fn row(&mut self, what: &str, measured: &str, goal: Option<String>) {
        let shown = goal.as_ref().map(|goal| format!("; goal {goal}")).unwrap_or_default();
        println!("{what}: {measured}{shown}");
        let row = format!("| {what} | {measured} | {} |", goal.unwrap_or_default());
        self.0.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.join("\n"))
    }
}

/// What a figure should be.
#[derive(Clone, Copy)]
pub enum Goal {
    /// Less than this.
    Below(f64),
}

impl Goal {
    /// The goal in words, and whether a figure meets it.
    pub fn of(self, figure: f64, unit: &str) -> String {
        let Self::Below(limit) = self;
        let met = if figure < limit { "met" } else { "missed" };
        format!("< {limit} {unit}: {met}")
    }
}

/// A time in milliseconds.
pub fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
