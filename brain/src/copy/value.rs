//! A value of a column, as both kinds of database hold it.

use std::hash::{Hash, Hasher};

use sqlx::{Any, Row, any::AnyRow, query::Query};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Double,
}

/// A value; none: NULL.
#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
    Double(Option<f64>),
}

impl Kind {
    /// By the name of its type, which both kinds of database spell alike.
    pub(super) fn declared(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "text" => Some(Self::Text),
            "bigint" => Some(Self::Integer),
            "double precision" => Some(Self::Double),
            _ => None,
        }
    }

    /// As a sentence has it.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "a whole number",
            Self::Double => "a number",
        }
    }

    /// The value of a row's column; none: it is of another kind, as SQLite allows. The driver's error is not used, because
    /// it repeats the value.
    pub(super) fn of(self, row: &AnyRow, column: usize) -> Option<Value> {
        match self {
            Self::Text => row.try_get(column).ok().map(Value::Text),
            Self::Integer => row.try_get(column).ok().map(Value::Integer),
            // SQLite has no -0.0.
            Self::Double => {
                let number: Option<f64> = row.try_get(column).ok()?;
                Some(Value::Double(number.map(|number| number + 0.0)))
            }
        }
    }
}

impl Value {
    /// About how much memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        let text = if let Self::Text(Some(text)) = self { text.len() } else { 0 };
        size_of::<Self>() + text
    }

    /// Whether it is a text that Postgres cannot hold.
    pub(super) fn has_nul(&self) -> bool {
        matches!(self, Self::Text(Some(text)) if text.contains(crate::record::NUL))
    }

    pub(super) fn bind<'q>(
        &'q self,
        query: Query<'q, Any, sqlx::any::AnyArguments>,
    ) -> Query<'q, Any, sqlx::any::AnyArguments> {
        match self {
            Self::Text(text) => query.bind(text.as_deref()),
            Self::Integer(number) => query.bind(*number),
            Self::Double(number) => query.bind(*number),
        }
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Text(text) => text.hash(state),
            Self::Integer(number) => number.hash(state),
            // Each bit of it.
            Self::Double(number) => number.map(f64::to_bits).hash(state),
        }
    }
}
