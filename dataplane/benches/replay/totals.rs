//! What a replay adds up to.

use crate::settings::{CALLS, OUTAGE, TAIL};

/// Calls of a block, for the time until the routes have settled.
const BLOCK: usize = 50;
const BLOCKS: usize = CALLS / BLOCK;

/// How a call ended.
#[derive(Default)]
pub struct Event {
    pub call: usize,
    /// Claude's answer was given.
    pub claude: bool,
    pub right: bool,
    /// Went against the rate.
    pub explored: bool,
    /// The local model was asked in the background.
    pub shadowed: bool,
    /// Answers that were graded.
    pub graded: u64,
    /// Claude answered after a failed check.
    pub escalated: bool,
}

/// Sums over calls.
#[derive(Clone, Default)]
pub struct Totals {
    calls: u64,
    claude: u64,
    right: u64,
    /// How often each model would have been right.
    alone: [u64; 2],
    tail: [u64; 3],
    explored: u64,
    shadowed: u64,
    graded: u64,
    escalated: u64,
    blocks: [u64; BLOCKS],
}

impl Totals {
    pub fn add(&mut self, event: &Event, alone: [bool; 2]) {
        self.calls += 1;
        self.claude += u64::from(event.claude);
        self.right += u64::from(event.right);
        self.explored += u64::from(event.explored && !event.claude);
        self.shadowed += u64::from(event.shadowed);
        self.graded += event.graded;
        self.escalated += u64::from(event.escalated);
        self.blocks[event.call / BLOCK] += u64::from(event.claude);
        for (sum, right) in self.alone.iter_mut().zip(alone) {
            *sum += u64::from(right);
        }
        if event.call >= CALLS - TAIL {
            for (sum, one) in self.tail.iter_mut().zip([true, event.claude, event.right]) {
                *sum += u64::from(one);
            }
        }
    }

    pub fn plus(mut self, other: &Self) -> Self {
        let pairs = [
            (&mut self.calls, other.calls),
            (&mut self.claude, other.claude),
            (&mut self.right, other.right),
            (&mut self.explored, other.explored),
            (&mut self.shadowed, other.shadowed),
            (&mut self.graded, other.graded),
            (&mut self.escalated, other.escalated),
        ];
        let arrays = (self.alone.iter_mut().zip(&other.alone)).chain(self.tail.iter_mut().zip(&other.tail));
        let arrays = arrays.chain(self.blocks.iter_mut().zip(&other.blocks)).map(|(sum, more)| (sum, *more));
        pairs.into_iter().chain(arrays).for_each(|(sum, more)| *sum += more);
        self
    }

    fn percent(&self, number: u64) -> f64 {
        number as f64 * 100.0 / self.calls as f64
    }

    /// Calls that Claude answered, in percent.
    pub fn claude(&self) -> f64 {
        self.percent(self.claude)
    }

    /// Right answers, in percent.
    pub fn right(&self) -> f64 {
        self.percent(self.right)
    }

    /// Calls that the local model answered against the rate, in percent.
    pub fn explored(&self) -> f64 {
        self.percent(self.explored)
    }

    /// Calls of the local model in the background, in percent of all calls.
    pub fn shadowed(&self) -> f64 {
        self.percent(self.shadowed)
    }

    /// Gradings, in percent of all calls.
    pub fn graded(&self) -> f64 {
        self.percent(self.graded)
    }

    /// Calls that Claude answered after a failed check, in percent.
    pub fn escalated(&self) -> f64 {
        self.percent(self.escalated)
    }

    /// Of the last calls: Claude's share, and right answers, in percent.
    pub fn tail(&self) -> (f64, f64) {
        let [calls, claude, right] = self.tail.map(|sum| sum as f64);
        (claude * 100.0 / calls, right * 100.0 / calls)
    }

    /// Right answers beyond those of a coin that sends the same share of all calls to Claude, in points.
    pub fn lift(&self) -> f64 {
        let [local, claude] = self.alone.map(|right| self.percent(right));
        self.right() - (local + (claude - local) * self.claude() / 100.0)
    }

    /// Calls per skill after the outage until Claude's share stays within `points` of the ideal; none: it never does.
    pub fn settled(&self, ideal: &Self, points: f64) -> Option<usize> {
        let of_block = self.calls as f64 / BLOCKS as f64;
        let off = |block: &usize| {
            let difference = self.blocks[*block] as f64 - ideal.blocks[*block] as f64;
            difference.abs() * 100.0 / of_block > points
        };
        match (OUTAGE.end / BLOCK..BLOCKS).rev().find(off) {
            None => Some(0),
            Some(block) if block + 1 == BLOCKS => None,
            Some(block) => Some((block + 1) * BLOCK - OUTAGE.end),
        }
    }
}
