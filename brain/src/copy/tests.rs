use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use ::tests::postgres::{PASSWORD, Postgres};
use crds::shown;

use super::{rows::Rows, value::Value, *};
use crate::store::Store;

pub(crate) mod filled;

mod refused;

/// An empty database of a server.
async fn database(postgres: &Postgres, name: &str) -> DatabaseUrl {
    let _ = postgres.sql("postgres", &format!("CREATE DATABASE \"{name}\""));
    DatabaseUrl::parse(&postgres.url(name)).expect("a URL")
}

fn file(folder: &tempfile::TempDir, name: &str) -> DatabaseUrl {
    DatabaseUrl::sqlite(folder.path().join(name))
}

/// Every row of every table, with its columns by name, in one order.
pub(crate) async fn all_rows(url: &DatabaseUrl) -> BTreeMap<&'static str, Vec<String>> {
    let connection = open::existing(url).await.expect("opens");
    let mut end = End::reading(connection, FROM, url).await.expect("begins");
    let mut all = BTreeMap::new();
    for name in TABLES {
        let mut table = Table::read(&mut end.connection, name).await.expect("columns");
        table.columns.sort_by(|one, other| one.0.cmp(&other.0));
        let mut shown = vec![];
        let mut rows = Rows::of(&mut end, &table);
        while let Some(batch) = rows.next().await.expect("rows") {
            shown.extend(batch.shown());
        }
        shown.sort();
        all.insert(name, shown);
    }
    all
}

impl rows::Batch {
    fn shown(&self) -> impl Iterator<Item = String> {
        self.by_row().map(|row: &[Value]| format!("{row:?}"))
    }
}

#[tokio::test]
async fn everything_is_copied_both_ways_row_by_row_and_counts_the_same() {
    let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start().await);
    let (first, server, back) =
        (file(&folder, "first.db"), database(&postgres, "server").await, file(&folder, "deep/back.db"));
    filled::brain(&first, 20_000).await.close().await;
    let began = std::time::Instant::now();
    let there = copy(&first, &server, |_| ()).await.expect("copied");
    let again = copy(&server, &back, |_| ()).await.expect("copied");
    println!("20,000 entries to Postgres and back in {:.1?}: {again:?}", began.elapsed());
    assert_eq!(there, again);
    let rows = all_rows(&first).await;
    for Copied { table, rows: copied } in there {
        assert!(copied > 0, "{table}: the test has no row of it");
        assert_eq!(u64::try_from(rows[table].len()).expect("a number"), copied, "{table}");
    }
    assert!(rows["entries"].len() > 19_000, "{} were written", rows["entries"].len());
    for state in ["stands", "replaced", "retracted", "reset"] {
        assert!(rows["outcomes"].iter().any(|row| row.contains(&format!("{state:?}"))), "no outcome is {state}");
    }
    for (name, copy) in [("Postgres", &server), ("SQLite", &back)] {
        let copied = all_rows(copy).await;
        for table in TABLES {
            assert!(copied[table] == rows[table], "{table} differs in {name}");
        }
    }
    let answers = filled::answers(&first).await;
    for copy in [&server, &back] {
        assert_eq!(filled::answers(copy).await, answers);
        // The brain of the copy writes on.
        let store = Store::open(copy).await.expect("opens");
        filled::fill(&store, 20_000, 20_100).await;
        store.close().await;
        assert!(all_rows(copy).await["entries"].len() > rows["entries"].len());
    }
}

#[tokio::test]
async fn what_a_brain_writes_meanwhile_is_in_the_copy_as_a_whole_or_not_at_all() {
    let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start().await);
    let server = database(&postgres, "server").await;
    let (first, back) = (file(&folder, "first.db"), file(&folder, "back.db"));
    for (from, to) in [(first, server.clone()), (server, back)] {
        // The second one has rows of the first already.
        let store = filled::brain(&from, 3_000).await;
        let (begun, written) = (tokio::sync::Notify::new(), AtomicUsize::new(0));
        let writes = async {
            begun.notified().await;
            for number in 3_000.. {
                let _ = filled::write(&store, number).await;
                written.fetch_add(1, Ordering::Relaxed);
            }
        };
        let copied = async {
            let progress = |_| begun.notify_one();
            copy(&from, &to, progress).await.expect("copied")
        };
        let copied = tokio::select! { copied = copied => copied, () = writes => unreachable!("it writes on") };
        store.close().await;
        let (written, copied) = (written.into_inner(), copied[0].rows);
        let now = u64::try_from(all_rows(&from).await["entries"].len()).expect("a number");
        assert!(
            written > 0 && copied < now,
            "{written} were written meanwhile; {copied} of {now} entries are in the copy"
        );
        assert_counts_are_those_of_the_rows(&to).await;
    }
}

/// Of each skill: entries as they are counted, and as there are rows.
pub(crate) async fn assert_counts_are_those_of_the_rows(url: &DatabaseUrl) {
    let mut connection = open::existing(url).await.expect("opens");
    for (counted, rows) in [
        (
            "SELECT skill, CAST(SUM(number) AS BIGINT) FROM counts WHERE what = 'entry' AND width_ms = 60000 GROUP BY 1 ORDER BY 1",
            "SELECT skill, COUNT(*) FROM entries GROUP BY 1 ORDER BY 1",
        ),
        (
            "SELECT skill, CAST(SUM(calls) AS BIGINT) FROM spending WHERE width_ms = 60000 AND line <> 'grading' GROUP BY 1 ORDER BY 1",
            "SELECT skill, COUNT(*) FROM decisions GROUP BY 1 ORDER BY 1",
        ),
    ] {
        let counted: Vec<(String, i64)> = sqlx::query_as(counted).fetch_all(&mut connection).await.expect("counts");
        let rows: Vec<(String, i64)> = sqlx::query_as(rows).fetch_all(&mut connection).await.expect("rows");
        assert_eq!(counted, rows);
        assert!(!rows.is_empty());
    }
}

#[tokio::test]
async fn a_copy_that_breaks_off_leaves_an_empty_database_and_can_be_started_again() {
    let (folder, mut postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start().await);
    let (here, server, back) =
        (file(&folder, "first.db"), database(&postgres, "server").await, file(&folder, "back.db"));
    filled::brain(&here, 1_000).await.close().await;
    for (from, to, argument) in [(&here, &server, TO), (&server, &back, FROM)] {
        // With some tables copied, and more to come.
        let error = copy(from, to, |progress| {
            if progress.table == TABLES[1] {
                postgres.crash()
            }
        })
        .await;
        let said = shown::chain(&error.expect_err("the server is gone"));
        assert!(
            said.starts_with(&format!("{argument}: the database {} failed, and nothing", server.shown())),
            "{said}"
        );
        assert!(!said.contains(PASSWORD), "{said}");
        postgres.run_again().await;
        let left: usize = all_rows(to).await.values().map(Vec::len).sum();
        assert_eq!(left, 0, "of a copy that broke off");
        copy(from, to, |_| ()).await.expect("copied");
        assert_eq!(all_rows(to).await, all_rows(from).await);
    }
}

#[tokio::test]
async fn the_tables_are_those_of_both_schemas_and_nothing_in_them_counts_by_itself() {
    let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start().await);
    let (here, server) = (file(&folder, "brain.db"), database(&postgres, "server").await);
    let mut columns = vec![];
    for (url, tables) in [
        (&here, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"),
        (
            &server,
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = current_schema()",
        ),
    ] {
        let mut connection = open::prepared(url).await.expect("opens");
        let mut tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut connection).await.expect("tables");
        tables.retain(|name| name != "_sqlx_migrations");
        tables.sort();
        let mut known = TABLES;
        known.sort_unstable();
        assert_eq!(tables, known, "a new table must be copied, too: add it to TABLES");
        let mut all = vec![];
        for name in TABLES {
            all.push(Table::read(&mut connection, name).await.expect("known kinds of columns").columns);
        }
        columns.push(all);
    }
    assert_eq!(columns[0], columns[1], "the same columns in the same order");
    // A sequence would have to go on after the copied rows.
    let counting = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = current_schema() \
        AND (is_identity = 'YES' OR column_default LIKE 'nextval(%')";
    assert_eq!(postgres.sql("server", counting), "0");
}
