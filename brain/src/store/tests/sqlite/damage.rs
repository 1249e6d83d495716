//! What holds for every damaged file: it is refused by its name, with what to do, or it serves what is whole; what it
//! acknowledges is in it, and no rate is one that cannot be.

use std::path::{Path, PathBuf};

use crds::period::Period;
use futures::{StreamExt, stream};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

use super::*;

/// Files that are tried at the same time: most of it is waiting for the disk.
const AT_ONCE: usize = 16;
/// The session of entries that are written to a damaged file.
const AFTER: &str = "after";

pub(super) fn written_in(session: &str, message: String) -> Entry {
    Entry { session_id: session.into(), message, ..entry("debug", FinalStatus::Pass) }
}

/// Numbers that look like chance and are the same in each run: splitmix64.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).expect("fits");
        usize::try_from((mixed ^ (mixed >> 31)) % bound).expect("below the bound")
    }
}

/// A copy with one wrong bit.
pub(super) fn with_wrong_bit(file: &[u8], at: usize, bit: usize) -> Vec<u8> {
    let mut damaged = file.to_vec();
    damaged[at] ^= 1 << bit;
    damaged
}

/// What became of a damaged file.
#[derive(Debug)]
pub(super) enum Became {
    Refused,
    /// With the rate that it gave, if it gave one.
    Served(Option<Rate>),
}

/// Opens a file and uses it.
pub(super) async fn used(path: PathBuf) -> Became {
    let became = async {
        let store = match Store::open(&DatabaseUrl::sqlite(&path)).await {
            Ok(store) => store,
            Err(refused) => {
                assert_names_file_and_cure(&path, &refused.to_string());
                return Became::Refused;
            }
        };
        let rate = everything_that_is_read_is_possible(&path, &store).await;
        let acknowledged = acknowledged(&path, &store).await;
        store.close().await;
        assert_kept(&path, &acknowledged).await;
        Became::Served(rate)
    };
    let became = tokio::time::timeout(Duration::from_secs(60), became).await;
    let became = became.unwrap_or_else(|_| panic!("{}: no end", path.display()));
    for left in ["", "-wal", "-shm"] {
        // Some of them were never there.
        let _ = std::fs::remove_file(format!("{}{left}", path.display()));
    }
    became
}

pub(super) fn assert_names_file_and_cure(path: &Path, refused: &str) {
    let cure = ["restore a backup", "to another file"].into_iter().find(|cure| refused.contains(cure));
    assert!(refused.contains(&path.display().to_string()) && cure.is_some(), "{}: {refused}", path.display());
}

/// Asks for everything there is to read. A failure is an answer; a rate is one.
async fn everything_that_is_read_is_possible(path: &Path, store: &Store) -> Option<Rate> {
    let of_all = over("debug", DAY);
    let latest = Query { local: Some("qwen".into()), at_least: 500, ..over("debug", DAY) };
    let mut found = None;
    for query in [latest, of_all] {
        let Ok(evidence) = store.coverage_evidence(&query).await else { continue };
        for rate in evidence.models.iter().map(|model| model.rate).chain([evidence.rate]) {
            assert_possible(path, rate.pass_rate);
            assert!(rate.pass >= 0 && rate.fail >= 0, "{}: {rate:?}", path.display());
        }
        found = Some(evidence.rate);
    }
    let week = Period::from_text("7d");
    if let Ok(report) = store.report(&week).await {
        assert_possible(path, report.total.share_local);
        report.skills.iter().for_each(|skill| assert_possible(path, skill.figures.share_local));
    }
    drop((store.outcomes("debug", LIST_MAX).await, store.decisions("debug", LIST_MAX).await));
    drop((store.page(&Filter::default(), PAGE_MAX).await, store.series(&week).await, store.skills().await));
    drop((store.session("s", SESSION_ENTRIES_MAX).await, store.session("_routing", SESSION_ENTRIES_MAX).await));
    drop((
        store.reviews(None, REVIEWS_MAX).await,
        store.kept().await,
        store.figures().await,
        store.newest_entry().await,
    ));
    found
}

fn assert_possible(path: &Path, rate: Option<f64>) {
    assert!(rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)), "{}: {rate:?}", path.display());
}

/// The ids of the entries that the store says are written now. Whatever fails, its writer goes on.
async fn acknowledged(path: &Path, store: &Store) -> Vec<String> {
    let writes = (0..6).map(|_| store.append(written_in(AFTER, "z".repeat(900))));
    let mut ids = vec![];
    for answer in futures::future::join_all(writes).await {
        match answer {
            Ok(id) => ids.push(id),
            Err(error) => assert!(!matches!(error, StoreError::Closed), "{}: the writer ended", path.display()),
        }
    }
    ids
}

/// They are in the table, or it cannot be read. Whether an index leads to them, a wrong bit in its keys decides, which only
/// `PRAGMA integrity_check` notices.
async fn assert_kept(path: &Path, acknowledged: &[String]) {
    let Ok(mut connection) = SqliteConnectOptions::new().filename(path).connect().await else { return };
    let all = sqlx::query_scalar("SELECT id FROM entries NOT INDEXED WHERE session_id = $1").bind(AFTER);
    let Ok(found): Result<Vec<String>, _> = all.fetch_all(&mut connection).await else { return };
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !found.contains(id)).collect();
    assert!(lost.is_empty(), "{}: acknowledged and not there: {lost:?}", path.display());
}

/// Each of these files, by its name, is written and used. How many were refused, and the rates of those that were not.
pub(super) async fn used_all(
    folder: &Path,
    files: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> (usize, Vec<Option<Rate>>) {
    let became = stream::iter(files).map(|(name, file)| async move {
        let path = folder.join(name);
        std::fs::write(&path, file).expect("written");
        used(path).await
    });
    let became: Vec<Became> = became.buffer_unordered(AT_ONCE).collect().await;
    let served: Vec<_> =
        became.iter().filter_map(|became| if let Became::Served(rate) = became { Some(*rate) } else { None }).collect();
    (became.len() - served.len(), served)
}
