//! SQLite's log beside the file, in which the latest commits are until the file has them: cut, with a wrong bit, or beside a
//! file that is cut.

use std::{path::Path, sync::Arc};

use futures::{StreamExt, stream};

use super::{
    damage::{Numbers, assert_names_file_and_cure, used, with_wrong_bit, written_in},
    *,
};

/// Of the log's header, and of the header of each page in it.
const HEADER: usize = 32;
const PAGE: usize = 24 + 4096;
/// Entries that are in the file alone, and then in the log.
const IN_FILE: usize = 20;
const IN_LOG: usize = 12;

/// A file and its log, as a crash leaves them: the messages of the session are the numbers of its entries.
struct Crashed {
    file: Vec<u8>,
    log: Vec<u8>,
}

async fn crashed(folder: &Path) -> Crashed {
    let path = folder.join("whole.db");
    let url = DatabaseUrl::sqlite(&path);
    let store = Store::open(&url).await.expect("opens");
    for number in 0..IN_FILE {
        store.append(written_in("s", number.to_string())).await.expect("written");
    }
    store.close().await;
    let store = Store::open(&url).await.expect("opens again");
    for number in IN_FILE..IN_FILE + IN_LOG {
        store.append(written_in("s", number.to_string())).await.expect("written");
    }
    let read = |end: &str| std::fs::read(format!("{}{end}", path.display())).expect("a file");
    let crashed = Crashed { file: read(""), log: read("-wal") };
    store.close().await;
    assert_eq!((crashed.log.len() - HEADER) % PAGE, 0, "the log has whole pages");
    crashed
}

fn write(path: &Path, file: &[u8], log: &[u8]) {
    std::fs::write(path, file).expect("written");
    std::fs::write(format!("{}-wal", path.display()), log).expect("written");
}

/// The entries of a file beside a damaged log: the first ones, and none that was half in it. They count as what they are.
async fn entries_are_the_first_ones(path: &Path) -> usize {
    let store = Store::open(&DatabaseUrl::sqlite(path)).await.expect("the file is whole");
    let read: Vec<String> = store
        .session("s", SESSION_ENTRIES_MAX)
        .await
        .expect("entries")
        .into_iter()
        .map(|entry| entry.message)
        .collect();
    let first: Vec<String> = (0..read.len()).map(|number| number.to_string()).collect();
    assert_eq!(read, first, "{}", path.display());
    assert!(read.len() >= IN_FILE, "{}: {} entries", path.display(), read.len());
    let evidence = store.evidence(&over("debug", DAY)).await.expect("evidence");
    let expected = i64::try_from(read.len()).expect("fits");
    assert_eq!((evidence.rate.pass, evidence.rate.fail, evidence.total), (expected, 0, expected), "{}", path.display());
    store.close().await;
    read.len()
}

/// Cut at the end of a page of the log and a byte beside it; wrong bits in its header, in that of its first page, and anywhere.
fn damaged(log: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let mut numbers = Numbers(4);
    let ends = (0..=(log.len() - HEADER) / PAGE).map(|page| HEADER + page * PAGE);
    let lengths = ends.flat_map(|end| [end.saturating_sub(1), end, end + 1]).filter(move |length| *length <= log.len());
    let lengths = [0, 1, log.len() / 2].into_iter().chain(lengths.step_by(7));
    let cut = lengths.map(move |length| (format!("cut-{length}.db"), log[..length].to_vec()));
    let bits: Vec<(usize, usize)> = (0..HEADER + 24)
        .map(|at| (at, at % 8))
        .chain((0..30).map(|_| (numbers.below(log.len()), numbers.below(8))))
        .collect();
    let wrong = bits.into_iter().map(move |(at, bit)| (format!("bit-{at}-{bit}.db"), with_wrong_bit(log, at, bit)));
    cut.chain(wrong)
}

#[tokio::test]
async fn a_log_that_is_damaged_costs_the_entries_from_there_on_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let Crashed { file, log } = crashed(folder.path()).await;
    write(&folder.path().join("same.db"), &file, &log);
    assert_eq!(entries_are_the_first_ones(&folder.path().join("same.db")).await, IN_FILE + IN_LOG);
    let file = Arc::new(file);
    let found = stream::iter(damaged(&log)).map(|(name, log)| {
        let (path, file) = (folder.path().join(name), Arc::clone(&file));
        async move {
            write(&path, &file, &log);
            let found = entries_are_the_first_ones(&path).await;
            // Entries follow, and are there.
            used(path).await;
            found
        }
    });
    let found: Vec<usize> = found.buffer_unordered(16).collect().await;
    let distinct: std::collections::BTreeSet<usize> = found.iter().copied().collect();
    println!("{} damaged logs left {distinct:?} of {} entries", found.len(), IN_FILE + IN_LOG);
    assert!(distinct.len() > IN_LOG / 2, "wherever it is damaged: {distinct:?}");
}

#[tokio::test]
async fn a_file_that_is_cut_beside_its_log_is_refused_or_serves_what_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let Crashed { file, log } = crashed(folder.path()).await;
    let lengths = [16, 99, 100, 512, 4095, 4096, 4097, 2 * 4096, file.len() / 2, file.len() - 4096, file.len() - 1];
    for (log, of) in [(&log[..], "whole"), (&log[..log.len() / 2], "cut")] {
        for length in lengths {
            let path = folder.path().join(format!("cut-{length}-{of}.db"));
            write(&path, &file[..length], log);
            used(path).await;
        }
    }
}

/// SQLite takes such a file for a new one, and deletes the log.
#[tokio::test]
async fn a_file_that_was_emptied_is_refused_while_its_log_has_entries_and_is_else_begun_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let Crashed { file, log } = crashed(folder.path()).await;
    for length in [0, 1] {
        let path = folder.path().join(format!("emptied-{length}.db"));
        write(&path, &file[..length], &log);
        let refused = Store::open(&DatabaseUrl::sqlite(&path)).await.err().expect("refused").to_string();
        assert_names_file_and_cure(&path, &refused);
        let kept = std::fs::read(format!("{}-wal", path.display())).expect("the log");
        assert_eq!(kept, log, "nothing is changed");
        write(&path, &file[..length], &[]);
        let store = Store::open(&DatabaseUrl::sqlite(&path)).await.expect("a new one");
        store.append(entry("debug", FinalStatus::Pass)).await.expect("written");
        assert_eq!(store.evidence(&over("debug", DAY)).await.expect("evidence").total, 1);
        store.close().await;
    }
}
