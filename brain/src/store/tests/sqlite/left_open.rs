//! A file that a brain did not close is checked in the background, by SQLite's comparison of each index with its table.

use std::{fs::File, os::unix::fs::FileExt};

use ::tests::wrong_bit;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use tokio::sync::mpsc;

use super::{damage::written_in, *};
use crate::{
    copy::copy,
    store::{
        checking::Became,
        open::{Finding, check},
    },
};

const SESSION: &str = "session";
const INDEX: &str = "entries_by_session";
/// So few that the index has one page.
const FEW: usize = 20;
/// So many that a check asks several times whether it goes on.
const MANY: usize = 300;

/// A file that was closed as it should be.
async fn closed(folder: &tempfile::TempDir, entries: usize) -> DatabaseUrl {
    let url = DatabaseUrl::sqlite(folder.path().join("brain.db"));
    let store = Store::open(&url).await.expect("opens");
    let writes = (0..entries).map(|number| store.append(written_in(SESSION, number.to_string())));
    futures::future::try_join_all(writes).await.expect("all written");
    store.close().await;
    url
}

/// As a crash leaves it.
async fn left_open(folder: &tempfile::TempDir, entries: usize) -> DatabaseUrl {
    let url = closed(folder, entries).await;
    drop(Store::open(&url).await.expect("opens"));
    url
}

fn path(url: &DatabaseUrl) -> &std::path::Path {
    url.path().expect("a file")
}

/// What became of the check at a start, and what the metric said of the file then. The end is as it should be.
async fn started(url: &DatabaseUrl) -> (Became, String) {
    let store = Store::open(url).await.expect("opens");
    let became = store.checking.ended().await;
    let answer = store.metrics().answer().into_body();
    let text = axum::body::to_bytes(answer, usize::MAX).await.expect("a body");
    let text = String::from_utf8(text.to_vec()).expect("text");
    let damaged = text.lines().find_map(|line| line.strip_prefix("routing_brain_database_damaged "));
    store.append(entry("debug", FinalStatus::Pass)).await.expect("written");
    store.close().await;
    (became, damaged.expect("the metric").to_string())
}

#[tokio::test]
async fn a_wrong_bit_in_an_index_is_found_after_an_unclean_end_and_at_each_start_until_it_is_mended() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = closed(&folder, FEW).await;
    wrong_bit::in_index(path(&url), INDEX, SESSION);
    // Nothing else notices it: it opens, and is written.
    drop(Store::open(&url).await.expect("opens"));
    for _ in 0..2 {
        assert_eq!(started(&url).await, (Became::Damaged, "1".into()));
    }
    let Finding::Damaged(found) = check(path(&url), || true).await else { panic!("it is damaged") };
    assert!(found.contains(INDEX) && found.len() < 1000, "{found}");
    let mut connection = SqliteConnectOptions::new().filename(path(&url)).connect().await.expect("connects");
    sqlx::raw_sql("REINDEX").execute(&mut connection).await.expect("repaired");
    connection.close().await.expect("closed");
    assert_eq!(started(&url).await, (Became::Sound, "0".into()));
    assert_eq!(started(&url).await, (Became::NotDue, "0".into()));
}

#[tokio::test]
async fn a_copy_of_a_file_with_a_damaged_index_has_all_rows_and_a_sound_index() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = closed(&folder, FEW).await;
    wrong_bit::in_index(path(&url), INDEX, SESSION);
    let whole = DatabaseUrl::sqlite(folder.path().join("whole.db"));
    copy(&url, &whole, |_| ()).await.expect("copied");
    let finding = check(path(&whole), || true).await;
    assert!(matches!(finding, Finding::Sound), "{finding:?}");
    let store = Store::open(&whole).await.expect("opens");
    assert_eq!(store.session(SESSION, SESSION_ENTRIES_MAX).await.expect("entries").len(), FEW);
    store.close().await;
}

/// The index by which SQLite counts the entries.
const COUNTED: &str = "sqlite_autoindex_entries_1";
/// Where a page says how many entries it has (https://sqlite.org/fileformat2.html, 1.6).
const CELLS: u64 = 3;

/// Has an index of one page end an entry early.
async fn shorten(url: &DatabaseUrl, index: &str) {
    let mut connection = SqliteConnectOptions::new().filename(path(url)).connect().await.expect("connects");
    let root = "SELECT (rootpage - 1) * (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = $1";
    let page: i64 = sqlx::query_scalar(root).bind(index).fetch_one(&mut connection).await.expect("an index");
    connection.close().await.expect("closed");
    let (file, at) =
        (File::options().read(true).write(true).open(path(url)).expect("a file"), page.unsigned_abs() + CELLS);
    let mut cells = [0; 2];
    file.read_exact_at(&mut cells, at).expect("a number");
    file.write_all_at(&(u16::from_be_bytes(cells) - 1).to_be_bytes(), at).expect("written");
}

#[tokio::test]
async fn a_copy_has_all_rows_also_where_the_index_by_which_they_are_counted_lacks_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = closed(&folder, FEW).await;
    shorten(&url, COUNTED).await;
    let Finding::Damaged(found) = check(path(&url), || true).await else { panic!("it is damaged") };
    assert!(found.contains("missing from index"), "{found}");
    let whole = DatabaseUrl::sqlite(folder.path().join("whole.db"));
    let copied = copy(&url, &whole, |_| ()).await.expect("copied");
    assert!(copied.iter().any(|one| one.table == "entries" && one.rows == FEW as u64), "{copied:?}");
    let finding = check(path(&whole), || true).await;
    assert!(matches!(finding, Finding::Sound), "{finding:?}");
}

#[tokio::test]
async fn a_file_that_was_closed_is_not_checked_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = closed(&folder, FEW).await;
    assert_eq!(started(&url).await, (Became::NotDue, "0".into()));
    // Damage that came while nobody had it open is not looked for.
    wrong_bit::in_index(path(&url), INDEX, SESSION);
    assert_eq!(started(&url).await, (Became::NotDue, "0".into()));
}

/// The check runs on this thread and begins when the test waits: it is told to end before that.
#[tokio::test]
async fn a_check_ends_with_the_brain_and_begins_anew_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = left_open(&folder, MANY).await;
    let store = Store::open(&url).await.expect("opens");
    store.close().await;
    assert_eq!(store.checking.ended().await, Became::Unfinished);
    assert_eq!(started(&url).await, (Became::Sound, "0".into()));
    assert_eq!(started(&url).await, (Became::NotDue, "0".into()));
}

#[tokio::test]
async fn entries_are_written_while_a_check_is_in_its_middle_and_then_it_ends_as_it_is_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = closed(&folder, MANY).await;
    let store = Store::open(&url).await.expect("opens");
    let (begun, mut has_begun) = mpsc::unbounded_channel();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let file = path(&url).to_path_buf();
    let goes_on = move || begun.send(()).is_ok() && held.recv().is_ok();
    let checking = tokio::spawn(async move { check(&file, goes_on).await });
    has_begun.recv().await.expect("it has begun");
    for _ in 0..50 {
        store.append(entry("debug", FinalStatus::Pass)).await.expect("written");
    }
    assert!(!checking.is_finished(), "it was in its middle all the time");
    drop(release);
    let finding = checking.await.expect("it ended");
    assert!(matches!(finding, Finding::Interrupted), "{finding:?}");
    store.close().await;
}
