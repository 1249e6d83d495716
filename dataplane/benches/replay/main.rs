//! What the rule does to recorded answers of real models (`REPLAY` names the folder; `make bench REPLAY=DIR`).
//!
//! Every decision is made by `dataplane::decide`, and which of several verdicts counts by `brain::verdict`. What the
//! brain does with time is a model here (`evidence.rs`): time is counted in calls, verdicts are known at once.

mod arms;
mod data;
mod evidence;
mod faults;
mod fixed;
mod random;
mod report;
mod settings;
mod strict;
mod totals;

use std::path::PathBuf;

use dataplane::decide as rule;

fn main() {
    let Some(folder) = std::env::var_os("REPLAY").filter(|folder| !folder.is_empty()).map(PathBuf::from) else {
        return println!("replay: skipped; REPLAY=DIR names the folder with the recorded answers");
    };
    println!("{}", tests::host::described());
    let recorded = data::Recorded::read(&folder);
    fixed::replay(&recorded.math);
    report::faults(&recorded);
    report::strict(&recorded);
}
