//! Programs that report all the time, and what they were told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};
use tests::{mcp::Mcp, program::Running};
use tokio::task::JoinHandle;

/// Programs that report at the same time.
const WRITERS: usize = 8;
/// Where what was logged is in an answer.
const LOGGED: &str = "/result/_meta/routing.hyperguild.io~1logged/id";

/// What was acknowledged: the ids of entries, each with the id of its decision, by kind.
#[derive(Default)]
pub struct Acknowledged {
    pub decisions: BTreeMap<String, String>,
    pub verdicts: BTreeMap<String, String>,
    pub gradings: BTreeMap<String, String>,
    /// Decisions that were sent and not acknowledged.
    pub unknown: Vec<String>,
}

/// Reports until it is told to stop, through whatever happens to the brain.
pub struct Writers {
    pub acknowledged: Arc<Mutex<Acknowledged>>,
    count: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Writers {
    /// Starts them, spread over brains.
    pub fn start(brains: &[&Running]) -> Self {
        let mut it = Self { acknowledged: Arc::default(), count: Arc::default(), stop: Arc::default(), tasks: vec![] };
        for i in 0..WRITERS {
            let mcp = brains[i % brains.len()].mcp();
            let (acknowledged, count, stop) = (it.acknowledged.clone(), it.count.clone(), it.stop.clone());
            it.tasks.push(tokio::spawn(async move {
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    let told = report(&mcp, i * 10_000_000 + number, &acknowledged).await;
                    count.fetch_add(told, Ordering::Relaxed);
                    // A brain that is away refuses at once: no writer keeps a processor busy.
                    tokio::task::yield_now().await;
                }
            }));
        }
        it
    }

    /// Entries that were acknowledged so far.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub async fn stop(self) -> Acknowledged {
        self.stop.store(true, Ordering::Relaxed);
        futures::future::join_all(self.tasks).await.into_iter().for_each(|ended| ended.expect("no writer panics"));
        std::mem::take(&mut *self.acknowledged.lock().expect("no writer panics"))
    }
}

/// A decision, a verdict on it and what a judgement of it took; returns how many were acknowledged.
async fn report(mcp: &Mcp, number: usize, acknowledged: &Mutex<Acknowledged>) -> usize {
    let decision = format!("00000000-0000-4000-8000-{number:012}");
    let record = json!({"id": decision, "skill": "debug", "decision": "local", "model": "qwen", "stage": 0,
        "pass_rate": null, "prompt_tokens": 10, "completion_tokens": 20});
    let logs = [
        json!({"session_id": "_routing", "skill": "_routing", "final_status": "skip", "decision_id": decision, "decision": record}),
        json!({"skill": "debug", "final_status": "pass", "decision_id": decision}),
        json!({"skill": "debug", "final_status": "skip", "decision_id": decision, "usage": {"model": "judge"}}),
    ];
    let mut told = 0;
    for (i, arguments) in logs.into_iter().enumerate() {
        let id = log(mcp, &arguments).await;
        let mut all = acknowledged.lock().expect("no writer panics");
        let Some(id) = id else {
            if i == 0 {
                all.unknown.push(decision);
            }
            return told;
        };
        let kind = match i {
            0 => &mut all.decisions,
            1 => &mut all.verdicts,
            _ => &mut all.gradings,
        };
        kind.insert(id, decision.clone());
        told += 1;
    }
    told
}

/// Calls `session_log`; returns the id of the entry if it is acknowledged.
pub async fn log(mcp: &Mcp, arguments: &Value) -> Option<String> {
    let call = json!({"name": "session_log", "arguments": arguments});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}).to_string();
    let answer: Value = mcp.post().body(body).send().await.ok()?.json().await.ok()?;
    answer.pointer(LOGGED)?.as_str().map(str::to_string)
}
