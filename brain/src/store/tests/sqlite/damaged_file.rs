//! A file that is cut anywhere or has a wrong bit anywhere, or whose counts cannot be.

use std::path::Path;

use crds::period::Period;
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

use super::{
    damage::{Numbers, used_all, with_wrong_bit},
    *,
};
use crate::verdict::Source;

/// As SQLite makes them for this program.
const PAGE: usize = 4096;

/// A file with entries of several kinds, some of whose pages are free again.
async fn whole(folder: &Path) -> Vec<u8> {
    let path = folder.join("whole.db");
    let url = DatabaseUrl::sqlite(&path);
    Store::open(&url).await.expect("opens").close().await;
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.expect("connects");
    let rows =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80) SELECT i, zeroblob(3000) FROM n";
    let freed = sqlx::AssertSqlSafe(format!("CREATE TABLE filler AS {rows}; DROP TABLE filler"));
    sqlx::raw_sql(freed).execute(&mut connection).await.expect("freed");
    sqlx::Connection::close(connection).await.expect("closed");
    let store = Store::open(&url).await.expect("opens again");
    for number in 0..20 {
        let decision = if number % 4 == 0 { "claude" } else { "local" };
        let id = verdicts::decide(&store, "debug", decision, "qwen").await;
        let status = if number % 5 == 0 { "fail" } else { "pass" };
        verdicts::report(&store, &id, "debug", Source::Agent, status).await.expect("reported");
    }
    let writes = (0..120).map(|number| store.append(damage::written_in("s", "m".repeat(number % 9 * 40))));
    futures::future::try_join_all(writes).await.expect("all written");
    store.close().await;
    std::fs::read(path).expect("a file")
}

/// Each end of a page, a byte before it and one after it, within the header, and the middle.
#[tokio::test]
async fn a_file_that_is_cut_anywhere_is_refused_by_its_name_or_serves_what_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = whole(folder.path()).await;
    let pages = file.len() / PAGE;
    assert!(pages > 40 && file.len() % PAGE == 0, "{}", file.len());
    let ends = (1..=pages).flat_map(|page| [page * PAGE - 1, page * PAGE, page * PAGE + 1]);
    let lengths = [0, 1, 2, 16, 99, 100, 101, 511, 512, file.len() / 2].into_iter().chain(ends);
    let lengths: std::collections::BTreeSet<usize> = lengths.filter(|length| *length < file.len()).collect();
    let expected = lengths.len();
    let cut = lengths.into_iter().map(|length| (format!("cut-{length}.db"), file[..length].to_vec()));
    let (refused, served) = used_all(folder.path(), cut).await;
    assert_eq!(refused + served.len(), expected);
    // Served is a file without content, which is a new one, and one of whose last page a part is there.
    assert!(served.len() <= 4, "{} of {expected} were served", served.len());
}

/// Each byte of the header, the begin of each page, where its tree is described, the list of free pages, and others.
fn bits(file: &[u8]) -> Vec<(usize, usize)> {
    let mut numbers = Numbers(48);
    let first_free = file[32..36].iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    assert!(first_free > 1, "there are free pages");
    let mut bits: Vec<(usize, usize)> = (0..100).map(|at| (at, at % 8)).collect();
    bits.extend((0..file.len() / PAGE).map(|page| (page * PAGE + numbers.below(12), numbers.below(8))));
    bits.extend((0..48).map(|at| ((first_free - 1) * PAGE + at, numbers.below(8))));
    bits.extend((0..120).map(|_| (numbers.below(file.len()), numbers.below(8))));
    bits
}

#[tokio::test]
async fn a_file_with_a_wrong_bit_anywhere_is_refused_by_its_name_or_serves_what_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = whole(folder.path()).await;
    let (_, rates) = used_all(folder.path(), vec![("same.db".into(), file.clone())]).await;
    let rate = rates.first().copied().flatten().expect("the rate of the whole file");
    assert_eq!((rate.pass, rate.fail), (136, 4));
    let bits = bits(&file);
    assert!(bits.len() >= 300, "{}", bits.len());
    let expected = bits.len();
    let files = bits.iter().map(|(at, bit)| (format!("bit-{at}-{bit}.db"), with_wrong_bit(&file, *at, *bit)));
    let (refused, served) = used_all(folder.path(), files).await;
    let same = served.iter().filter(|found| **found == Some(rate)).count();
    println!("{expected} bits: {refused} refused, {} served, {same} of them with the same rate", served.len());
    assert_eq!(refused + served.len(), expected);
    assert!(refused >= 20 && served.len() >= 100, "{refused} refused, {} served", served.len());
    assert!(same > served.len() / 2, "{same} of {}", served.len());
}

/// As a wrong bit makes them: below nothing, and beyond what can be added up.
#[tokio::test]
async fn a_count_that_cannot_be_is_an_error_and_makes_no_rate() {
    let (store, home) = store().await;
    let id = verdicts::decide(&store, "debug", "local", "qwen").await;
    verdicts::report(&store, &id, "debug", Source::Agent, "pass").await.expect("reported");
    store.append(entry("debug", FinalStatus::Fail)).await.expect("written");
    let path = home.path().join("deep/brain.db");
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.expect("connects");
    for (table, number, of) in [("counts", "number", "what = 'a+'"), ("spending", "calls", "line = 'local'")] {
        for (wrong, refused) in [(-3, true), (i64::MAX, true), (i64::MIN, true), (1, false)] {
            let damage = format!("UPDATE {table} SET {number} = {wrong} WHERE {of}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(damage)).execute(&mut connection).await.expect("done");
            let failed = match table {
                "counts" => store.evidence(&over("debug", DAY)).await.err(),
                _ => store.report(&Period::from_text("1h")).await.err(),
            };
            let said = failed.map(|error| crds::shown::chain(&error));
            assert_eq!(said.is_some(), refused, "{table} {wrong}: {said:?}");
            assert!(said.is_none_or(|said| said.contains("restore a backup")), "{table} {wrong}");
        }
    }
}
