//! The tests of the brain as a program once more, on a Postgres server: `tests::postgres::for_a_brain` gives each brain of
//! this program a database there.

#[path = "../brain.rs"]
mod brain;
#[path = "../cli_evidence/main.rs"]
mod cli_evidence;
#[path = "../contract_3_pass_rate.rs"]
mod contract_3_pass_rate;
#[path = "../contract_4_decision_log.rs"]
mod contract_4_decision_log;
#[path = "../evidence.rs"]
mod evidence;
#[path = "../money.rs"]
mod money;
#[path = "../the_loop.rs"]
mod the_loop;
#[path = "../verdicts.rs"]
mod verdicts;

use tests::program::Program;

#[tokio::test]
async fn brains_of_this_program_write_to_postgres() {
    let brain = Program::brain().start().await;
    assert!(brain.log().contains("postgres://127.0.0.1:"), "{}", brain.log());
    assert!(!brain.folder().join("data").exists(), "there is no file");
}
