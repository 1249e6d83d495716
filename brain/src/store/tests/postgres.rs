//! The tests of the store once more, on a Postgres server, and what holds for one alone.

use std::process::Command;

use ::tests::postgres::{PASSWORD, Postgres};
use crds::shown;
use sqlx::{AnyConnection, Connection};

use super::*;

/// The URL of a server, with a slash at the end, in a run on Postgres.
const SERVER: &str = "BRAIN_TEST_POSTGRES";
/// What holds for a file alone, and what is here.
const OF_ONE: [&str; 6] =
    ["tests::sqlite", "tests::postgres", "tests::network", "tests::migration", "of_the_version_before", "in_sqlite"];

pub(super) fn server() -> Option<String> {
    std::env::var(SERVER).ok()
}

/// A new database of a server.
pub(super) async fn database(server: &str) -> DatabaseUrl {
    sqlx::any::install_default_drivers();
    let name = format!("test_{}", uuid::Uuid::now_v7().simple());
    let mut connection = AnyConnection::connect(&format!("{server}postgres")).await.expect("connects");
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(create).execute(&mut connection).await.expect("a database");
    connection.close().await.expect("closed");
    DatabaseUrl::parse(&format!("{server}{name}")).expect("a URL")
}

#[tokio::test]
async fn every_test_of_the_store_holds_on_postgres_too() {
    let postgres = Postgres::start().await;
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    again.args(["store::", "--test-threads=4"]).env(SERVER, postgres.url(""));
    again.args(OF_ONE.iter().flat_map(|of_one| ["--skip", of_one]));
    let output = tokio::task::spawn_blocking(move || again.output()).await.expect("joined").expect("runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    let passed = printed.lines().filter(|line| line.ends_with("... ok")).count();
    assert!(passed >= 20, "{printed}");
    println!("{passed} tests of the store passed on Postgres");
}

/// Several brains on one database, each with a writer of its own.
#[tokio::test]
async fn what_two_brains_write_side_by_side_adds_up() {
    let postgres = Postgres::start().await;
    let url = database(&postgres.url("")).await;
    let (one, other) = tokio::join!(Store::open(&url), Store::open(&url));
    let stores = [one.expect("opens"), other.expect("opens at the same time")];
    let id = verdicts::decide(&stores[0], "debug", "local", "qwen").await;
    let began = std::time::Instant::now();
    let writes = (0..2_000).map(|i| {
        let (store, id) = (&stores[i % 2], &id);
        async move {
            let status = if i % 3 == 0 { "fail" } else { "pass" };
            match i % 4 {
                0 => verdicts::report(store, id, "debug", crate::verdict::Source::Agent, status).await,
                1 => verdicts::report(store, id, "debug", crate::verdict::Source::Human, status).await,
                _ => store.append(entry("debug", FinalStatus::Pass)).await,
            }
        }
    });
    futures::future::try_join_all(writes).await.expect("all written");
    println!("2000 entries by two brains in {:.1?}", began.elapsed());
    for store in &stores {
        let evidence = store.evidence(&over("debug", DAY)).await.expect("evidence");
        assert_eq!((evidence.total, evidence.rate.samples(), evidence.decisions), (2_000, 1_001, 1));
        assert_eq!(recount::all_counts(store).await, recount::all_recounted(store).await);
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_refused_by_its_cause_and_without_its_password() {
    let postgres = Postgres::start().await;
    for (database, statements) in [("foreign", vec!["CREATE TABLE theirs (x TEXT)"]), ("newer", vec![])] {
        let _ = postgres.sql("postgres", &format!("CREATE DATABASE \"{database}\""));
        statements.iter().for_each(|statement| drop(postgres.sql(database, statement)));
    }
    let url = |text: &str| DatabaseUrl::parse(text).expect("a URL");
    Store::open(&url(&postgres.url("newer"))).await.expect("opens").close().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, '', true, '', 0)";
    let _ = postgres.sql("newer", newer);
    let wrong = postgres.url("postgres").replace(PASSWORD, "canary-wrong");
    for (text, cure) in [
        (postgres.url("foreign"), "it belongs to another program"),
        (postgres.url("newer"), "a newer version wrote it"),
        (postgres.url("missing"), "create it, or name another"),
        (wrong, "set its user and password in BRAIN_DATABASE_URL"),
        (postgres.url("postgres") + "?sslmode=require", "set sslmode and sslrootcert"),
    ] {
        let error = Store::open(&url(&text)).await.err().expect(cure);
        let said = shown::chain(&error);
        assert!(said.contains("127.0.0.1") && said.contains(cure), "{said}");
        assert!(!said.contains("canary") && !format!("{error:?}").contains("canary"), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_or_read_only_is_waited_for() {
    let mut postgres = Postgres::start().await;
    let url = database(&postgres.url("")).await;
    postgres.crash();
    let store = Store::open(&url).await.expect("it is waited for");
    let refused = store.append(entry("debug", FinalStatus::Pass)).await.expect_err("away").to_string();
    assert!(refused.contains("cannot be used yet") && refused.contains("start the server"), "{refused}");
    assert!(!refused.contains("canary"), "{refused}");
    postgres.run_again().await;
    ::tests::waiting::until_true("the store", || async { store.reach().await.is_ok() }).await;
    store.append(entry("debug", FinalStatus::Pass)).await.expect("written");
    // Once more, while it runs.
    postgres.crash();
    store.append(entry("debug", FinalStatus::Pass)).await.expect_err("away");
    let away = store.reach().await.expect_err("away").to_string();
    assert!(away.contains("cannot be used; start the server"), "{away}");
    postgres.run_again().await;
    ::tests::waiting::until_true("the store", || async { store.reach().await.is_ok() }).await;
    store.append(entry("debug", FinalStatus::Pass)).await.expect("written");
    assert!(store.evidence(&over("debug", DAY)).await.expect("evidence").total >= 2);
}

#[tokio::test]
async fn a_value_that_the_database_cannot_store_costs_its_own_entry_alone() {
    let postgres = Postgres::start().await;
    let made = "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    let _ = postgres.sql("postgres", made);
    let url = DatabaseUrl::parse(&postgres.url("latin")).expect("a URL");
    let store = Store::open(&url).await.expect("opens");
    let writes = (0..40).map(|i| {
        let message = if i == 20 { "\u{1f600}" } else { "ü" };
        store.append(Entry { message: message.into(), ..entry("debug", FinalStatus::Pass) })
    });
    let results = futures::future::join_all(writes).await;
    let refused: Vec<usize> = (0..40).filter(|i| results[*i].is_err()).collect();
    assert_eq!(refused, [20]);
    assert!(matches!(&results[20], Err(StoreError::Refused { .. })), "{:?}", results[20]);
    assert_eq!(store.evidence(&over("debug", DAY)).await.expect("evidence").total, 39);
    store.reach().await.expect("nothing is wrong with the database");
}
