//! Each kind of wrong request a thousand times, over connections that are kept, with right calls in between: each has its
//! one answer, and nothing is left of them (`tests/faults.toml`, rows 40 to 42).

use std::{ops::Range, sync::Arc, time::Instant};

use tests::{
    Policy,
    at_rest::AtRest,
    calls::{self, CALLS},
    program::{Program, Running},
    raw_http::Connection,
    stand_in::models::Models,
    wrong_requests::{self, Tool, Wrong},
};

/// After so many rounds, memory is taken that is kept; what is held then is the measure.
const FIRST: usize = 20;
/// From so many bytes on, reading a body takes long.
const LONG: usize = 64 * 1024;
/// So few that the largest bodies of all at once fit into what a brain has for bodies.
const CLIENTS: usize = 8;

/// Requests of a kind that takes a build without optimisation long to read.
fn long_ones() -> usize {
    calls::in_make_test(20)
}

/// What clients send to a program.
struct Load {
    port: u16,
    long_ones: usize,
    wrong: Vec<Wrong>,
    right: String,
    /// In the answer to a right call.
    answered: &'static str,
}

impl Load {
    fn of(program: &Running, tool: Tool, answered: &'static str) -> Arc<Self> {
        let wrong = [wrong_requests::messages(), wrong_requests::of_http(), tool.wrong()].concat();
        Arc::new(Self { port: program.ports.mcp, long_ones: long_ones(), wrong, right: tool.right(), answered })
    }

    /// In each round every wrong request and a right call, each client with its share of the rounds.
    async fn make(self: &Arc<Self>, rounds: Range<usize>) {
        let clients = (0..CLIENTS).map(|client| {
            let (load, rounds) = (Arc::clone(self), rounds.clone());
            tokio::spawn(async move { load.of_client(client, rounds).await })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.expect("each request has its answer");
        }
    }

    async fn of_client(&self, client: usize, rounds: Range<usize>) {
        let mut connection = Connection::open(self.port).await;
        // Each begins with another kind, so that long bodies are not all at once.
        let kinds = self.wrong.len();
        for round in rounds.skip(client).step_by(CLIENTS) {
            for i in 0..kinds {
                let wrong = &self.wrong[(i + client * kinds / CLIENTS) % kinds];
                if round < self.long_ones || wrong.body.len() < LONG {
                    connection.send(wrong.text().as_bytes()).await;
                    let answer = connection.only_answer(wrong.what).await;
                    wrong.is_answered(answer.status, &answer.body);
                }
            }
            connection.send(self.right.as_bytes()).await;
            let answer = connection.only_answer("a right call").await;
            assert!(answer.status == 200 && answer.body.contains(self.answered), "{answer:?}");
        }
    }
}

async fn each_has_one_answer_and_nothing_is_left(program: &Running, tool: Tool, answered: &'static str) {
    let (load, began) = (Load::of(program, tool, answered), Instant::now());
    let before = AtRest::of(program).await;
    load.make(0..FIRST).await;
    let before = before.warm(program).await;
    load.make(FIRST..CALLS).await;
    calls::print(&format!("{} kinds of wrong requests, each", load.wrong.len()), CALLS, began);
    before.is_back(program).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_wrong_requests_of_each_kind_have_an_answer_each_from_the_data_plane_and_leave_nothing() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url())).start().await;
    each_has_one_answer_and_nothing_is_left(&routing, Tool::DEBUG, "answer of l").await;
    assert_eq!(models.asked().len(), CALLS, "no model call but for the right calls");
    routing.has_recorded(CALLS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_wrong_requests_of_each_kind_have_an_answer_each_from_the_brain_and_leave_nothing() {
    let brain = Program::brain().start().await;
    each_has_one_answer_and_nothing_is_left(&brain, Tool::SESSION_LOG, "logged: ").await;
    let stored = tests::http().get(format!("{}/sessions/_none", brain.base_url())).send().await.expect("an answer");
    let stored = stored.text().await.expect("text");
    assert!(stored.contains("was tried") && !stored.contains("CANARY"), "right entries alone are stored");
}
