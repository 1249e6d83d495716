//! What a call costs: the latency that the data plane adds to that of the model's own endpoint, the processor time and the
//! memory, with a real brain beside it and a stand-in for the models. `make bench` keeps the output; docs/benchmarks.md has
//! the method. `ROUNDS`, `CELL_SECONDS` and `PARTS` make it shorter.

mod latency;
mod memory;
mod profile;
mod rig;
mod settings;
mod sizes;
mod start;
mod table;

use tests::host;

use self::{rig::Rig, settings::Settings, table::Table};

#[tokio::main]
async fn main() {
    let settings = Settings::of_environment();
    println!("{}\n{settings}", host::described());
    let mut table = Table::default();
    if settings.has("start") {
        start::measure(&mut table).await;
    }
    if settings.has("memory") {
        memory::measure(&settings, &mut table).await;
    }
    if settings.has("latency") {
        latency::measure(&settings, &Rig::start(4).await, &mut table).await;
    }
    if settings.has("sizes") {
        sizes::measure(&settings, &mut table).await;
    }
    if settings.has("profile") {
        profile::measure(&settings).await;
    }
    println!("{table}");
}
