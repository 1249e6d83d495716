//! A disk that is full for a while, or cannot be written for another reason: a sentence that says what to do, and nothing
//! is lost.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use tests::{
    get_json,
    postgres::Postgres,
    program::{self, Program, Running},
    small_disk::SmallDisk,
    waiting,
};

use crate::faults::{healthz, over, refused, report};

/// Entries that a full disk may still take, because files have room in them.
const ROOM: u64 = 10_000;
const FULL: &str = "free space on its disk";
const READ_ONLY: &str = "make its folder writable";

/// A brain that counts every outcome.
fn brain(url: &str) -> Program {
    Program::brain().variable("BRAIN_UNATTRIBUTED_PER_MINUTE", "1000000").variable("BRAIN_DATABASE_URL", url)
}

/// Reports until one is refused; returns how many were not.
async fn until_refused(brain: &Running) -> u64 {
    for acknowledged in 0..ROOM {
        if !report(brain).await.0 {
            return acknowledged;
        }
    }
    panic!("a full disk took {ROOM} entries");
}

async fn total(brain: &Running) -> u64 {
    let rate = get_json(format!("{}/pass-rate?skill=debug", brain.base_url())).await;
    rate["total"].as_u64().expect("a number")
}

/// While a file cannot be written: it is said, and what is there is read on.
async fn file_refuses(brain: &Running, cure: &str, acknowledged: u64) {
    let (logged, said) = report(brain).await;
    assert!(!logged && said.starts_with("nothing was logged: ") && said.contains(cure), "{said}");
    assert_eq!(total(brain).await, acknowledged);
    assert_eq!(healthz(brain).await.0, 200, "a restart would not help");
    println!("{said}");
}

/// Backs a brain's file up, which checks it; returns how many entries are there.
fn backup(disk: &SmallDisk, url: &str, to: &Path) -> u64 {
    let within = disk.within();
    let mut command = Command::new(&within[0]);
    command.args(&within[1..]).arg(program::binary()).args(["brain", "backup", "--output", "json"]).arg(to);
    let output = command.env("BRAIN_DATABASE_URL", url).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    said["tables"]["entries"].as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_or_read_only_costs_a_file_no_acknowledged_entry() {
    let mut disk = SmallDisk::of_mib(8);
    let url = format!("sqlite:{}", disk.path().join("brain.db").display());
    let brain = brain(&url).within(&disk).start().await;
    assert!(report(&brain).await.0);
    disk.fill();
    let mut acknowledged = 1 + until_refused(&brain).await;
    file_refuses(&brain, FULL, acknowledged).await;
    disk.free();
    acknowledged += 1;
    over(&brain, acknowledged).await;

    // A failure makes the brain open its file again: it can no longer be written then.
    disk.fill();
    acknowledged += until_refused(&brain).await;
    disk.make_read_only();
    waiting::until_true("the file to be opened again", || async { report(&brain).await.1.contains(READ_ONLY) }).await;
    file_refuses(&brain, READ_ONLY, acknowledged).await;
    disk.make_writable();
    disk.free();
    acknowledged += 1;
    over(&brain, acknowledged).await;
    assert_eq!(backup(&disk, &url, &brain.folder().join("backup.db")), acknowledged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_program_locks_is_refused_until_it_is_free() {
    const LOCK: &str = "import sqlite3, sys\n\
        c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
        c.execute('BEGIN EXCLUSIVE')\nprint('locked', flush=True)\nsys.stdin.read()";
    let brain = brain("sqlite:brain.db").start().await;
    assert!(report(&brain).await.0);
    let mut other = Command::new("python3")
        .args(["-c", LOCK])
        .arg(brain.folder().join("brain.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut said = String::new();
    BufReader::new(other.stdout.take().expect("piped")).read_line(&mut said).expect("text");
    assert_eq!(said, "locked\n");
    file_refuses(&brain, "another program writes it: stop that one", 1).await;
    drop(other.stdin.take());
    assert!(other.wait().expect("it ends").success());
    over(&brain, 2).await;
}

/// The tables are on the small disk, and what the server needs besides is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_costs_postgres_no_acknowledged_entry() {
    let disk = SmallDisk::of_mib(32);
    let server = Postgres::start_within(&disk).await;
    let space = disk.path().join("space").display().to_string();
    // By the server, so that the folder is its own.
    let _ = server.sql("postgres", &format!("COPY (SELECT 1) TO PROGRAM 'mkdir {space}'"));
    let _ = server.sql("postgres", &format!("CREATE TABLESPACE small LOCATION '{space}'"));
    let _ = server.sql("postgres", "CREATE DATABASE small TABLESPACE small");
    let brain = brain(&server.url("small")).start().await;
    waiting::until_true("the database", || async { healthz(&brain).await.0 == 200 }).await;
    assert!(report(&brain).await.0);
    disk.fill();
    let mut acknowledged = 1 + until_refused(&brain).await;
    refused(&brain, "free space on the server's disk").await;
    assert_eq!(total(&brain).await, acknowledged);
    disk.free();
    acknowledged += 1;
    over(&brain, acknowledged).await;
    assert_eq!(server.sql("small", "SELECT COUNT(*) FROM entries"), acknowledged.to_string());
}
