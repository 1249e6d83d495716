//! A brain that fails at any point of an exchange: its rates, its list of tools and its log, each as a test says. What
//! has no fault is answered well. It keeps the entries that it hears, also those that it fails to answer.

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use super::{
    FaultServer,
    fault::{Answer, Fault},
    now::Now,
    plays::{Asked, Plays},
};

/// What `session_log` has in its `_meta` if several records are taken in one request, and of how many.
const SEVERAL: &str = "routing.hyperguild.io/session_log_several";
const SEVERAL_MOST: usize = 64;
/// What a result has in its `_meta`: what became of each entry.
const LOGGED: &str = "routing.hyperguild.io/logged";

/// What a brain is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A pass rate.
    Rate,
    /// Its tools.
    Tools,
    /// To log entries, one or several.
    Entries,
}

/// What its `session_log` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// The arguments of `contract` part 4.
    Contract,
    /// The record of a decision, too.
    Record,
    /// Several of them in one request.
    Several,
}

/// An entry as it came in.
#[derive(Debug)]
pub struct Entry {
    /// Its arguments.
    pub arguments: Value,
    /// Its place among those of its request.
    pub place: usize,
    /// How many its request had.
    pub of: usize,
    /// Its request had no fault.
    pub is_answered_well: bool,
}

impl Answer {
    /// That of a pass rate, which is JSON.
    #[must_use]
    pub fn rate(rate: &str) -> Self {
        Self::of(format!(r#"{{"skill":"debug","pass_rate":{rate},"total":53}}"#))
    }

    /// That all entries are logged.
    #[must_use]
    pub fn logged() -> Self {
        let meta = format!(r#"{{"{LOGGED}":{}}}"#, Self::ECHO);
        Self::of(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[],"_meta":{meta}}}}}"#))
    }

    /// That this became of the entries of a request, which is JSON, in turn.
    #[must_use]
    pub fn each(self, became: &[&'static str]) -> Self {
        Self { each: became.into(), ..self }
    }

    fn tools(takes: Takes) -> Self {
        let properties = match takes {
            Takes::Contract => json!({"message": {"type": "string"}}),
            Takes::Record | Takes::Several => {
                json!({"decision": {"type": "object"}, "decision_id": {"type": "string"}})
            }
        };
        let mut tool = json!({"name": "session_log", "inputSchema": {"type": "object", "properties": properties}});
        if takes == Takes::Several {
            tool["_meta"] = json!({SEVERAL: SEVERAL_MOST});
        }
        Self::of(json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [tool]}}).to_string())
    }
}

/// The running brain.
pub struct FaultyBrain {
    server: FaultServer,
    heard: Arc<Heard>,
}

impl FaultyBrain {
    /// Starts it without a fault. It has no rate.
    pub async fn start(takes: Takes) -> Self {
        let heard = Arc::new(Heard { takes, so_far: Mutex::default() });
        Self { server: FaultServer::playing(Plays::Brain(Arc::clone(&heard))).await, heard }
    }

    /// Its base URL, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Requests that ask for this have this fault from now on, also on connections that are open, and others have none.
    /// Of several faults for the same, each is had in turn. The counts begin anew.
    pub fn fail(&self, faults: Vec<(Ask, Fault)>) {
        self.server.set(Now::of_a_brain(faults));
        self.heard.lock().asked = [0; 3];
    }

    /// How many requests asked for this.
    #[must_use]
    pub fn asked(&self, ask: Ask) -> usize {
        self.heard.lock().asked[ask as usize]
    }

    /// The entries that it heard since the last time.
    #[must_use]
    pub fn take_entries(&self) -> Vec<Entry> {
        std::mem::take(&mut self.heard.lock().entries)
    }
}

/// What it heard.
pub(super) struct Heard {
    takes: Takes,
    so_far: Mutex<SoFar>,
}

#[derive(Default)]
struct SoFar {
    asked: [usize; 3],
    entries: Vec<Entry>,
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, SoFar> {
        self.so_far.lock().expect("nothing that holds it panics")
    }

    /// What a request asks for, which is counted.
    pub(super) fn asked(&self, request: &str) -> Option<Asked> {
        let (ask, entries) = what_is_asked(request)?;
        let mut so_far = self.lock();
        let turn = so_far.asked[ask as usize];
        so_far.asked[ask as usize] += 1;
        Some(Asked::Brain { ask, turn, entries })
    }

    pub(super) fn note(&self, entries: &[Value], is_answered_well: bool) {
        let (of, all) = (entries.len(), entries.iter().cloned().enumerate());
        self.lock().entries.extend(all.map(|(place, arguments)| Entry { arguments, place, of, is_answered_well }));
    }

    pub(super) fn good(&self, ask: Ask) -> Answer {
        match ask {
            Ask::Rate => Answer::rate("null"),
            Ask::Tools => Answer::tools(self.takes),
            Ask::Entries => Answer::logged(),
        }
    }
}

/// What a request asks for, with its entries.
fn what_is_asked(request: &str) -> Option<(Ask, Vec<Value>)> {
    let (head, body) = request.split_once("\r\n\r\n")?;
    if head.starts_with("GET /pass-rate?") {
        return Some((Ask::Rate, vec![]));
    }
    let mut message: Value = serde_json::from_str(body).ok().filter(|_| head.starts_with("POST /mcp "))?;
    if message["method"] == "tools/list" {
        return Some((Ask::Tools, vec![]));
    }
    let mut arguments = message.pointer_mut("/params/arguments").map(Value::take)?;
    let several = arguments.get_mut("entries").map(Value::take);
    Some((Ask::Entries, if let Some(Value::Array(several)) = several { several } else { vec![arguments] }))
}
