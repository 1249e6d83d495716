//! How many rows each table has, for people and for programs. No I/O.

use serde_json::{Map, Value};

use crate::cli::aligned::aligned;

pub(super) fn text(tables: &[(&'static str, u64)]) -> String {
    let rows: Vec<Vec<String>> =
        tables.iter().map(|(table, rows)| vec![(*table).into(), format!("{rows:>12}")]).collect();
    aligned(&rows)
}

pub(super) fn json(tables: &[(&'static str, u64)]) -> Value {
    tables.iter().map(|(table, rows)| ((*table).to_string(), Value::from(*rows))).collect::<Map<_, _>>().into()
}
