//! The latest decisions of all skills, by what a reader filters, page by page.

use std::collections::BTreeSet;

use sqlx::AnyPool;

use super::list::{StoredDecision, decisions_where, stored_decision};
use crate::record::Arm;

/// Most decisions of one page.
pub const PAGE_MAX: i64 = 200;
/// How many decisions a filter goes through for one page: a rare caller costs no more than that.
const SCANNED_MAX: i64 = 20_000;

/// How a decision was judged, as a reader filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Somebody says that it was right.
    Right,
    /// Somebody says that it was wrong.
    Wrong,
    /// Nobody says anything.
    NotYet,
}

/// A place in the list: the time and the id of the decision before which a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// When it was reported, in milliseconds since 1970.
    pub at_ms: i64,
    /// Its id.
    pub id: String,
}

impl Place {
    /// Before everything.
    fn newest() -> Self {
        Self { at_ms: i64::MAX, id: String::new() }
    }
}

/// Which decisions are listed.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this skill.
    pub skill: Option<String>,
    /// For this caller.
    pub caller: Option<String>,
    /// Answered by this model.
    pub arm: Option<Arm>,
    /// Judged so.
    pub judged: Option<Judged>,
    /// Older than this place.
    pub before: Option<Place>,
}

/// A page of decisions, the newest first.
#[derive(Debug)]
pub struct Page {
    /// The decisions.
    pub decisions: Vec<StoredDecision>,
    /// The decisions of which an answer is kept.
    pub reviewed: BTreeSet<String>,
    /// Where the next page begins; none: there are no older decisions.
    pub next: Option<Place>,
}

/// A condition, and the texts that it binds from $3 on.
struct Condition {
    sql: String,
    texts: Vec<String>,
}

impl Filter {
    fn narrows(&self) -> bool {
        self.caller.is_some() || self.arm.is_some() || self.judged.is_some()
    }

    /// $1 time, $2 id, then the texts. The inner query reads an index in its order and is bounded; only its rows are
    /// filtered.
    fn condition(&self, limit: i64) -> Condition {
        let mut texts = vec![];
        let mut equal = |column: &str, text: &str| {
            texts.push(text.to_string());
            format!(" AND {column} = ${}", texts.len() + 2)
        };
        let skill = self.skill.as_deref().map_or_else(String::new, |skill| equal("skill", skill));
        let caller = self.caller.as_deref().map_or_else(String::new, |caller| equal("caller", caller));
        let arm = self.arm.map_or_else(String::new, |arm| equal("arm", arm.as_str()));
        let stands = "EXISTS (SELECT 1 FROM outcomes WHERE unit = scanned.id AND state = 'stands'";
        let judged = match self.judged {
            None => String::new(),
            Some(Judged::Right) => format!(" AND {stands} AND verdict = 'pass')"),
            Some(Judged::Wrong) => format!(" AND {stands} AND verdict = 'fail')"),
            Some(Judged::NotYet) => format!(" AND NOT {stands})"),
        };
        let sql = format!(
            "d.id IN (SELECT id FROM (SELECT id, at_ms, caller, arm FROM decisions WHERE (at_ms, id) < ($1, $2){skill} \
               ORDER BY at_ms DESC, id DESC LIMIT {SCANNED_MAX}) AS scanned WHERE at_ms >= 0{caller}{arm}{judged} \
               ORDER BY at_ms DESC, id DESC LIMIT {limit}) \
             ORDER BY d.at_ms DESC, d.id DESC"
        );
        Condition { sql, texts }
    }
}

pub(super) async fn page(readers: &AnyPool, filter: &Filter, limit: i64, now_ms: i64) -> Result<Page, sqlx::Error> {
    let before = filter.before.clone().unwrap_or_else(Place::newest);
    let Condition { sql, texts } = filter.condition(limit);
    let sql = decisions_where(&sql);
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.as_str())).bind(before.at_ms).bind(before.id.as_str());
    for text in &texts {
        query = query.bind(text.as_str());
    }
    let rows = query.fetch_all(readers).await?;
    let decisions: Vec<StoredDecision> = rows.iter().map(stored_decision).collect::<Result<_, _>>()?;
    let full = i64::try_from(decisions.len()).is_ok_and(|number| number >= limit);
    let next = match decisions.last().filter(|_| full) {
        Some(last) => last.decision["id"].as_str().map(|id| Place { at_ms: last.at, id: id.into() }),
        None if filter.narrows() => last_scanned(readers, filter, &before).await?,
        None => None,
    };
    let reviewed = super::review::of_page(readers, &decisions, now_ms).await?;
    Ok(Page { decisions, reviewed, next })
}

/// Where the filter stopped, if it did not come to the end.
async fn last_scanned(readers: &AnyPool, filter: &Filter, before: &Place) -> Result<Option<Place>, sqlx::Error> {
    let skill = if filter.skill.is_some() { " AND skill = $3" } else { "" };
    let sql = format!(
        "SELECT at_ms, id FROM decisions WHERE (at_ms, id) < ($1, $2){skill} \
         ORDER BY at_ms DESC, id DESC LIMIT 1 OFFSET {}",
        SCANNED_MAX - 1
    );
    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str())).bind(before.at_ms).bind(before.id.as_str());
    if let Some(skill) = &filter.skill {
        query = query.bind(skill.as_str());
    }
    let found: Option<(i64, String)> = query.fetch_optional(readers).await?;
    Ok(found.map(|(at_ms, id)| Place { at_ms, id }))
}

/// The id of the newest entry: it changes with whatever is written, also by another brain on the same database.
pub(super) async fn newest_entry(readers: &AnyPool) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT MAX(id) FROM entries").fetch_one(readers).await
}
