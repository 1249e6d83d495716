//! A data plane under load for a long time, with its log of decisions, while one call of the local model in ten fails, and
//! one of Claude's in a hundred, each in a way that is drawn by its number, and the brain is killed in the middle of every
//! fifth minute: what they hold must not grow, and every call has one right answer. The models are stand-ins. `make soak`
//! keeps the output; `MINUTES`, `PER_SECOND` and `KILL_EVERY` make it shorter, and `SEED` repeats the faults of a run.

mod calls;
mod faults;
mod log;
mod not_logged;

use std::{
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use serde_json::json;
use tests::{
    Policy,
    fault_server::{FAULTY, FaultServer},
    flat::{By, judged},
    host,
    memory::Held,
    number,
    open_loop::{self, Measured, Rate},
    program::{Program, Running},
};
use tokio::time::sleep;

use self::{calls::Calls, log::Log, not_logged::NotLogged};

/// One of so many calls of the local model fails.
const LOCAL_ONE_OF: u32 = 10;
/// The same of Claude's endpoint.
const CLAUDE_ONE_OF: u32 = 100;
/// One row of the table.
const ROW: Duration = Duration::from_secs(60);
/// What descriptors may have more at the end: connections that are kept open for the next call.
const DESCRIPTORS_SPARE: f64 = 16.0;
/// What the brain may have more at the end, in MiB: SQLite keeps up to 2 MiB of pages for each of its five connections, and
/// these fill while the database grows.
const PAGES_MIB: f64 = 10.0;

/// All that runs.
struct Soak {
    local: FaultServer,
    claude: FaultServer,
    brain: Running,
    routing: Running,
    log: Arc<Log>,
}

/// What the two programs held at the end of a minute.
struct Row {
    routing: Held,
    brain: Held,
}

impl Soak {
    async fn start(seed: u64) -> Self {
        let (local, claude) = (FaultServer::start().await, FaultServer::start().await);
        let brain = Program::brain().start().await;
        local.fail_one_of(LOCAL_ONE_OF, faults::of_the_local_model(), seed);
        // Another seed: otherwise each call that fails at Claude would be one of those that fail at the local model.
        claude.fail_one_of(CLAUDE_ONE_OF, faults::of_claude(), !seed);
        let policy = Policy::at(&claude.url()).local(FAULTY).claude(FAULTY).spec(json!({
            "brain": {"url": brain.base_url()},
            "models": {"local": {"upstream": {"url": local.url()}}},
            "timeouts": {"local": "2s", "total": "6s"},
            "limits": {"inFlight": 2_000},
        }));
        let (log, output) = Log::begin();
        let routing = Program::serve_policy(&policy).output(output).start().await;
        Self { local, claude, brain, routing, log }
    }

    /// The load of a minute, with or without a crash of the brain in its middle.
    async fn minute(&mut self, minute: u64, per_second: u32, crash: bool) -> Row {
        let before = NotLogged::of(&self.routing).await;
        let rate = Rate { per_second, time: ROW };
        let first = usize::try_from(minute - 1).expect("a number of minutes") * rate.calls() as usize;
        let calls = Arc::new(Calls::from(first, &self.routing));
        let load = open_loop::run(rate, Arc::clone(&calls));
        let measured = if crash {
            let crashed = async {
                sleep(ROW / 2).await;
                self.brain.crash_and_restart().await;
            };
            tokio::join!(load, crashed).0
        } else {
            load.await
        };
        let row = Row { routing: self.routing.held(), brain: self.brain.held() };
        print(minute, &measured, calls.both_failed(), &row, self.routing.decisions_not_logged().await);
        if crash {
            let lost = NotLogged::of(&self.routing).await.since(&before);
            println!("killed: the brain in minute {minute}; not logged since its beginning: {lost}");
        }
        row
    }
}

fn print(minute: u64, measured: &Measured, both_failed: usize, row: &Row, not_logged: f64) {
    println!(
        "| {minute} | {} | {both_failed} | {} | {:.1?} | {:.1?} | {:.1} | {} | {:.1} | {} | {not_logged} |",
        measured.answered() - both_failed,
        measured.failed,
        measured.at(0.5),
        measured.at(0.99),
        row.routing.mib(),
        row.routing.descriptors,
        row.brain.mib(),
        row.brain.descriptors
    );
}

#[tokio::main]
async fn main() {
    let (minutes, per_second, kill_every) =
        (number("MINUTES", 30_u64), number("PER_SECOND", 200), number("KILL_EVERY", 5_u64).max(1));
    let seed = number("SEED", UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()));
    let mut soak = Soak::start(seed).await;
    println!("{}\n{per_second} calls/s for {minutes} minutes; SEED={seed} repeats its faults", host::described());
    println!(
        "| minute | answered | both failed | failed | p50 | p99 | data plane MiB | descriptors | brain MiB | descriptors | not logged |"
    );
    let (began, mut rows, mut connections) = (Instant::now(), vec![], 0);
    for minute in 1..=minutes {
        rows.push(soak.minute(minute, per_second, minute.is_multiple_of(kill_every)).await);
        connections = connections.max(soak.local.connections() + soak.claude.connections());
    }
    println!("took {:.0} s", began.elapsed().as_secs_f64());
    judge(&rows);
    println!("connections to the models after a minute's last answer: at most {connections}");
    println!("{}\n{}", not_logged::settled(&soak.routing, &soak.brain).await, soak.log.said());
}

fn judge(rows: &[Row]) {
    for (what, of, by, spare) in [
        ("memory of the data plane, MiB", of_memory(rows, |row| &row.routing), By::Median, 0.0),
        ("memory of the brain, MiB", of_memory(rows, |row| &row.brain), By::Median, PAGES_MIB),
        ("descriptors of the data plane", of_descriptors(rows, |row| &row.routing), By::Most, DESCRIPTORS_SPARE),
        ("descriptors of the brain", of_descriptors(rows, |row| &row.brain), By::Most, DESCRIPTORS_SPARE),
    ] {
        println!("{}", judged(what, &of, by, spare));
    }
}

fn of_memory(rows: &[Row], held: fn(&Row) -> &Held) -> Vec<f64> {
    rows.iter().map(|row| held(row).mib()).collect()
}

#[allow(clippy::cast_precision_loss)]
fn of_descriptors(rows: &[Row], held: fn(&Row) -> &Held) -> Vec<f64> {
    rows.iter().map(|row| held(row).descriptors as f64).collect()
}
