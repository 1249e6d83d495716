//! What holds for a database in a file: its rights, its plans, and why it cannot be used.

use super::*;

mod damage;
mod damaged_file;
mod damaged_log;
mod left_open;

#[tokio::test]
async fn a_pass_rate_reads_only_the_counts_and_by_their_key() {
    let (store, _folder) = store().await;
    let plan = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", counts::SUMS)));
    let rows = plan.bind("debug").fetch_all(&store.readers).await.expect("a plan");
    let steps: Vec<String> = rows.iter().map(|row| row.try_get("detail").expect("detail")).collect();
    let searches = steps.iter().filter(|step| step.starts_with("SEARCH counts USING INDEX")).count();
    assert_eq!(searches, 3, "{steps:#?}");
    assert!(steps.iter().all(|step| !step.contains("entries") && !step.starts_with("SCAN counts")), "{steps:#?}");
}

#[tokio::test]
async fn only_the_owner_can_read_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let (store, folder) = store().await;
    store.append(entry("debug", FinalStatus::Pass)).await.expect("written");
    for file in std::fs::read_dir(folder.path().join("deep")).expect("a folder").flatten() {
        let mode = file.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.path());
    }
}

#[tokio::test]
async fn the_error_about_an_unwritable_folder_names_the_file_and_the_cure() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let error = Store::open(&DatabaseUrl::sqlite(file.join("brain.db"))).await.err().expect("a file is not a folder");
    let message = error.to_string();
    assert!(message.contains("file/brain.db") && message.contains("BRAIN_DATABASE_URL"), "{message}");
}

#[tokio::test]
async fn nothing_is_acknowledged_once_the_file_is_deleted_or_replaced() {
    for replace in [false, true] {
        let (store, folder) = store().await;
        let path = folder.path().join("deep/brain.db");
        store.append(entry("debug", FinalStatus::Pass)).await.expect("written");
        std::fs::remove_file(&path).expect("deleted");
        if replace {
            std::fs::write(&path, "").expect("replaced");
        }
        let refused = store.append(entry("debug", FinalStatus::Pass)).await.expect_err("lost");
        assert!(matches!(&refused, StoreError::Replaced { path: named } if *named == path), "{refused:?}");
        assert!(refused.to_string().contains("restart the brain"), "{refused}");
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_refused_with_the_cure_of_its_cause() {
    let sqlite = async |path: &std::path::Path, statement: &'static str| {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.expect("opens");
        sqlx::query(statement).execute(&pool).await.expect("done");
        pool.close().await;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(
        path("text"),
        "not a database, and longer than the header of one, which has a hundred bytes".repeat(9),
    )
    .expect("written");
    sqlite(&path("foreign"), "CREATE TABLE theirs (x TEXT)").await;
    Store::open(&DatabaseUrl::sqlite(path("newer"))).await.expect("opens").close().await;
    sqlite(
        &path("newer"),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, '', 1, '', 0)",
    )
    .await;
    std::fs::create_dir(path("folder")).expect("a folder");
    for (name, cure) in [
        ("text", "restore a backup"),
        ("foreign", "belongs to another program"),
        ("newer", "a newer version wrote it"),
        ("folder", "set BRAIN_DATABASE_URL"),
    ] {
        let refused = Store::open(&DatabaseUrl::sqlite(path(name))).await.err().expect("refused").to_string();
        assert!(refused.contains(&path(name).display().to_string()) && refused.contains(cure), "{name}: {refused}");
    }
}

/// A skill of which millions of Claude's answers were judged, and none of the local model's, is asked about as often.
#[tokio::test]
async fn the_latest_verdicts_of_a_model_are_read_in_the_order_of_an_index_of_its_own() {
    let (store, _folder) = store().await;
    let plan = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", evidence::LATEST)));
    let plan = plan.bind("debug").bind("qwen").bind(0_i64).bind("").bind(9_i64);
    let rows = plan.fetch_all(&store.readers).await.expect("a plan");
    let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
    let searched = "USING INDEX outcomes_by_model (skill=? AND arm=? AND model=? AND (at_ms,id)<(?,?))";
    assert_eq!(
        plan.iter().filter(|line| line.contains("SEARCH outcomes") && line.ends_with(searched)).count(),
        2,
        "{plan:?}"
    );
}
