//! What a transaction adds to the counts and to the spending. Entries that are committed together mostly add to the same
//! rows, so each row is written once, at the end.

use std::collections::BTreeMap;

use sqlx::{Any, Transaction};

use super::{
    counts::{self, About, What},
    floor_to, spending,
};
use crate::spent::Spent;

/// A minute, hour and day have a row each.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<counts::Row, i64>,
    spending: BTreeMap<spending::Row, spending::Amounts>,
}

impl Tally {
    /// Adds to what happened at a time; a negative number takes it back.
    pub(super) fn count(&mut self, about: About<'_>, what: &What, at_ms: i64, number: i64) {
        for width in counts::WIDTHS {
            let row = counts::Row::new(about, what, width, floor_to(at_ms, width));
            *self.counts.entry(row).or_default() += number;
        }
    }

    /// Adds a call of a model for a skill.
    pub(super) fn spend(&mut self, about: About<'_>, spent: &Spent, at_ms: i64) {
        for width in counts::WIDTHS {
            let row = spending::Row::new(about, spent, width, floor_to(at_ms, width));
            self.spending.entry(row).or_default().add(&spending::Amounts::of(spent));
        }
    }

    /// The rows that it changes, in their order.
    pub(super) fn rows(&self) -> impl Iterator<Item = Added<'_>> {
        let counts = self.counts.iter().filter(|(_, number)| **number != 0);
        let counts = counts.map(|(row, number)| Added::Count(row, *number));
        counts.chain(self.spending.iter().map(|(row, amounts)| Added::Spending(row, amounts)))
    }
}

/// What is added to a row.
pub(super) enum Added<'a> {
    Count(&'a counts::Row, i64),
    Spending(&'a spending::Row, &'a spending::Amounts),
}

impl Added<'_> {
    pub(super) async fn write(&self, tx: &mut Transaction<'_, Any>) -> Result<(), sqlx::Error> {
        match self {
            Self::Count(row, number) => counts::add(tx, row, *number).await,
            Self::Spending(row, amounts) => spending::add(tx, row, amounts).await,
        }
    }
}
