use std::os::unix::fs::PermissionsExt;

use sqlx::{Connection, SqliteConnection};

use super::*;
use crate::{
    copy::tests::{all_rows, filled},
    store::Store,
};

/// The files of a folder, sorted.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_brain_on_a_restored_backup_has_the_same_rows_rates_and_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let backups = tempfile::tempdir().expect("a folder");
    let url = DatabaseUrl::sqlite(folder.path().join("brain.db"));
    let store = filled::brain(&url, 3_000).await;
    let file = backups.path().join("brain-backup.db");
    // The newest entries are in the log beside the file.
    let made = backup(&url, &file, false).await.expect("a backup");
    let before = all_rows(&url).await;
    filled::fill(&store, 3_000, 3_500).await;
    store.close().await;
    let metadata = std::fs::metadata(&file).expect("a file");
    assert_eq!((metadata.permissions().mode() & 0o777, metadata.len()), (0o600, made.bytes));
    assert_eq!(files(backups.path()), ["brain-backup.db"], "and nothing beside it");
    for (table, rows) in made.tables {
        assert_eq!(before[table].len() as u64, rows, "{table}");
    }
    // As docs/operations.md says: stop, put the file in place, start.
    let restored = DatabaseUrl::sqlite(folder.path().join("restored/brain.db"));
    std::fs::create_dir(folder.path().join("restored")).expect("a folder");
    std::fs::copy(&file, restored.path().expect("a file")).expect("copied");
    assert_eq!(all_rows(&restored).await, before);
    let rolled_back = filled::answers(&restored).await;
    assert_ne!(rolled_back, filled::answers(&url).await, "what came after the backup is not in it");
    let store = Store::open(&restored).await.expect("opens");
    filled::fill(&store, 3_000, 3_500).await;
    store.close().await;
    assert_eq!(filled::answers(&restored).await, filled::answers(&url).await, "it writes on as the other did");
}

#[tokio::test]
async fn a_backup_while_the_brain_writes_is_of_one_moment() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = DatabaseUrl::sqlite(folder.path().join("brain.db"));
    let store = filled::brain(&url, 2_000).await;
    let file = folder.path().join("backup.db");
    let writes = async {
        for number in 2_000.. {
            let _ = filled::write(&store, number).await;
        }
    };
    let made =
        tokio::select! { made = backup(&url, &file, false) => made.expect("a backup"), () = writes => unreachable!() };
    assert!(made.tables[0].1 >= 1_900, "{made:?}");
    crate::copy::tests::assert_counts_are_those_of_the_rows(&DatabaseUrl::sqlite(&file)).await;
}

#[tokio::test]
async fn a_file_is_replaced_only_if_that_is_asked_for_and_never_by_half_a_backup() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let url = DatabaseUrl::sqlite(at("brain.db"));
    filled::brain(&url, 600).await.close().await;
    std::fs::write(at("old"), "an old backup").expect("written");
    let refused = |error: BackupError| crds::shown::chain(&error);
    let said = refused(backup(&url, &at("old"), false).await.expect_err("it is there"));
    assert!(said.contains("old exists already") && said.contains("--replace"), "{said}");
    // A page in the middle is gone: the backup of before stays.
    let damaged = DatabaseUrl::sqlite(at("damaged.db"));
    let mut bytes = std::fs::read(at("brain.db")).expect("read");
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(at("damaged.db"), bytes).expect("written");
    let said = refused(backup(&damaged, &at("old"), true).await.expect_err("it is damaged"));
    assert!(said.contains("old could not be made") || said.contains("is damaged"), "{said}");
    assert_eq!(std::fs::read_to_string(at("old")).expect("read"), "an old backup");
    backup(&url, &at("old"), true).await.expect("replaced");
    assert_eq!(all_rows(&DatabaseUrl::sqlite(at("old"))).await, all_rows(&url).await);
    let left: Vec<String> = files(folder.path()).into_iter().filter(|name| name.contains("partial")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_damage_that_copies_well_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = DatabaseUrl::sqlite(folder.path().join("brain.db"));
    filled::brain(&url, 600).await.close().await;
    let path = url.path().expect("a file").display();
    let mut connection = SqliteConnection::connect(&format!("sqlite://{path}")).await.expect("connects");
    // NULL where the schema has none.
    let damage = "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = replace(sql, 'message        TEXT   NOT NULL', \
        'message TEXT'), sql = replace(sql, 'message      TEXT   NOT NULL', 'message TEXT') WHERE name = 'entries'";
    sqlx::raw_sql(damage).execute(&mut connection).await.expect("changed");
    connection.close().await.expect("closed");
    let mut connection = SqliteConnection::connect(&format!("sqlite://{path}")).await.expect("connects");
    let null = "UPDATE entries SET message = NULL WHERE id = (SELECT MIN(id) FROM entries); PRAGMA writable_schema = 1; \
        UPDATE sqlite_master SET sql = replace(sql, 'message TEXT', 'message TEXT NOT NULL') WHERE name = 'entries'";
    sqlx::raw_sql(null).execute(&mut connection).await.expect("changed");
    connection.close().await.expect("closed");
    let error = backup(&url, &folder.path().join("backup.db"), false).await.expect_err("it is damaged");
    let said = crds::shown::chain(&error);
    assert!(said.contains("is damaged") && said.contains("NULL value in entries.message"), "{said}");
    assert_eq!(files(folder.path()), ["brain.db"]);
}

#[tokio::test]
async fn what_cannot_be_backed_up_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let url = DatabaseUrl::sqlite(at("brain.db"));
    filled::brain(&url, 1).await.close().await;
    let server = DatabaseUrl::parse("postgres://me:canary@db:5433/brain").expect("a URL");
    for (url, file, parts) in [
        (&server, at("b"), ["pg_dump --format=custom --file=", "--username=USER postgres://db:5433/brain"]),
        (&url, at(""), ["is a folder", "brain-backup.db"]),
        (&url, at("no/b"), ["cannot be written", "its folder must exist"]),
        (&DatabaseUrl::sqlite(at("none.db")), at("b"), ["none.db", "name the file of a brain"]),
    ] {
        let said = crds::shown::chain(&backup(url, &file, false).await.expect_err("refused"));
        assert!(parts.iter().all(|part| said.contains(part)) && !said.contains("canary"), "{said}");
    }
    assert_eq!(files(folder.path()), ["brain.db"]);
}

#[tokio::test]
async fn the_database_is_never_replaced_by_its_own_backup() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("brain.db");
    let url = DatabaseUrl::sqlite(&own);
    let store = filled::brain(&url, 20).await;
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&own, &link).expect("a link");
    for name in ["brain.db", "brain.db-wal", "brain.db-shm", "brain.db-journal", "link.db"] {
        let refused = backup(&url, &folder.path().join(name), true).await.expect_err(name).to_string();
        assert!(refused.contains("is the database itself, or a part of it"), "{name}: {refused}");
    }
    filled::fill(&store, 20, 40).await;
    store.close().await;
}
