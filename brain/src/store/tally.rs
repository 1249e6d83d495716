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

    /// Adds all of another.
    pub(super) fn merge(&mut self, other: Self) {
        for (row, number) in other.counts {
            *self.counts.entry(row).or_default() += number;
        }
        for (row, amounts) in other.spending {
            self.spending.entry(row).or_default().add(&amounts);
        }
    }

    /// Writes it, in the order of the rows.
    pub(super) async fn write(&self, tx: &mut Transaction<'_, Any>) -> Result<(), sqlx::Error> {
        for (row, number) in self.counts.iter().filter(|(_, number)| **number != 0) {
            counts::add(tx, row, *number).await?;
        }
        for (row, amounts) in &self.spending {
            spending::add(tx, row, amounts).await?;
        }
        Ok(())
    }
}
