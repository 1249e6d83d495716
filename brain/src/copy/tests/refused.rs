//! What is not copied, and what is said then.

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::*;

/// Changes a file as no brain does.
async fn change(url: &DatabaseUrl, statement: &str) {
    let path = url.path().expect("a file").display();
    let mut connection = SqliteConnection::connect(&format!("sqlite://{path}?mode=rwc")).await.expect("connects");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect("changed");
    connection.close().await.expect("closed");
}

/// Why a copy is refused.
async fn refused(from: &DatabaseUrl, to: &DatabaseUrl) -> String {
    let error = copy(from, to, |_| ()).await.expect_err("refused");
    let said = shown::chain(&error);
    assert!(!said.contains(PASSWORD) && !format!("{error:?}").contains(PASSWORD), "{error:?}");
    assert!(!said.contains(filled::CANARY) && !format!("{error:?}").contains(filled::CANARY), "{error:?}");
    said
}

fn assert_says(said: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
}

#[tokio::test]
async fn a_target_with_entries_is_refused_and_stays_as_it_is() {
    let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start().await);
    let from = file(&folder, "first.db");
    filled::brain(&from, 600).await.close().await;
    for to in [database(&postgres, "server").await, file(&folder, "other.db")] {
        filled::brain(&to, 1).await.close().await;
        let before = all_rows(&to).await;
        assert_says(&refused(&from, &to).await, &["--to", &to.shown(), "entries has 1 rows", "name an empty one"]);
        assert_eq!(all_rows(&to).await, before);
    }
    assert_says(&refused(&from, &from).await, &["is not empty"]);
}

#[tokio::test]
async fn of_two_copies_into_one_database_one_is_refused() {
    let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start().await);
    let from = file(&folder, "first.db");
    filled::brain(&from, 600).await.close().await;
    for to in [database(&postgres, "server").await, file(&folder, "other.db")] {
        let (one, other) = tokio::join!(copy(&from, &to, |_| ()), copy(&from, &to, |_| ()));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert_eq!(all_rows(&to).await, all_rows(&from).await);
    }
}

#[tokio::test]
async fn a_source_that_this_version_did_not_write_is_refused_and_not_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = file(&folder, "to.db");
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, '', true, x'00', 0)";
    let older = "DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
    for (name, statement, says) in [
        ("newer.db", newer, "a newer version wrote it"),
        ("older.db", older, "start the brain of this version on it once"),
        ("theirs.db", "DROP TABLE _sqlx_migrations", "it is not a brain's database"),
    ] {
        let from = file(&folder, name);
        filled::brain(&from, 1).await.close().await;
        change(&from, statement).await;
        let before = std::fs::read(from.path().expect("a file")).expect("read");
        assert_says(&refused(&from, &to).await, &["--from", &from.shown(), says]);
        assert!(std::fs::read(from.path().expect("a file")).expect("read") == before, "{name} was changed");
    }
    let missing = file(&folder, "missing.db");
    assert_says(&refused(&missing, &to).await, &["--from", &missing.shown(), "name the file of a brain"]);
    assert!(!missing.path().expect("a file").exists() && !to.path().expect("a file").exists());
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_named_with_its_argument_and_without_its_password() {
    let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start().await);
    let here = file(&folder, "first.db");
    filled::brain(&here, 1).await.close().await;
    let url = |text: &str| DatabaseUrl::parse(text).expect("a URL");
    let wrong = url(&postgres.url("postgres").replace(PASSWORD, &format!("{PASSWORD}-wrong")));
    let away = url(&format!("postgres://brain:{PASSWORD}@127.0.0.1:1/brain"));
    let empty = url(&postgres.url("postgres"));
    for (from, to, parts) in [
        (&here, &wrong, ["--to: cannot open", "set its user and password in --to"]),
        (&wrong, &here, ["--from: cannot open", "set its user and password in --from"]),
        (&here, &away, ["--to: cannot open", "start the server or correct its address in --to"]),
        (&here, &url(&postgres.url("missing")), ["--to: cannot open", "create it, or name another in --to"]),
        (&empty, &file(&folder, "to.db"), ["--from: cannot open", "it is not a brain's database"]),
    ] {
        let said = refused(from, to).await;
        assert_says(&said, &parts);
        assert!(!said.contains("BRAIN_DATABASE_URL") && !said.contains("tries again"), "{said}");
    }
}

#[tokio::test]
async fn a_value_that_the_target_cannot_hold_is_named_by_its_column_and_nothing_is_copied() {
    let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start().await);
    let to = database(&postgres, "server").await;
    let canary = filled::CANARY;
    for (name, statement, parts) in [
        ("nul.db", format!("UPDATE entries SET message = '{canary}' || char(0)"), ["entries.message", "U+0000"]),
        (
            "text.db",
            format!("UPDATE decisions SET samples = '{canary}'"),
            ["decisions.samples", "is not a whole number"],
        ),
    ] {
        let from = file(&folder, name);
        filled::brain(&from, 600).await.close().await;
        change(&from, &statement).await;
        assert_says(&refused(&from, &to).await, &parts);
        assert_eq!(all_rows(&to).await.values().map(Vec::len).sum::<usize>(), 0);
        // As the message says, or by hand: then it is copied.
        change(
            &from,
            "UPDATE entries SET message = replace(message, char(0), ''); UPDATE decisions SET samples = NULL",
        )
        .await;
        let file = file(&folder, &format!("copy-of-{name}"));
        copy(&from, &file, |_| ()).await.expect("copied");
    }
}
