//! Passes one message on, and its answer back.

use std::{sync::Arc, time::Duration};

use endpoint::method::{CALL, INITIALIZE, LIST, PROTOCOL_VERSION};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    FILLED, PROJECT_ROOT, described,
    fill::{self, Filled},
    server::{self, Server},
    session::Session,
};

/// How long a client may take to name its roots.
const ROOTS_TIMEOUT: Duration = Duration::from_secs(2);
/// Ids of this program's own requests.
const ROOTS: &str = "routing-connect-roots";
const OWN_LIST: &str = "routing-connect-list";
const PARSE_ERROR: i32 = endpoint::PARSE_ERROR;

pub struct Forward {
    server: Server,
    session: Session,
    lines: mpsc::UnboundedSender<String>,
    /// Whether the client was asked for its roots and has not answered.
    roots_asked: watch::Sender<bool>,
}

impl Forward {
    pub fn new(server: Server, session: Session, lines: mpsc::UnboundedSender<String>) -> Self {
        Self { server, session, lines, roots_asked: watch::Sender::new(false) }
    }

    /// Reads a line of the client; none: there is nothing to pass on. A request can be cancelled from then on.
    pub fn take(&self, line: &[u8]) -> Option<(Value, CancellationToken)> {
        let message: Value = match serde_json::from_slice(line) {
            Ok(message) => message,
            Err(_) if line.iter().all(u8::is_ascii_whitespace) => return None,
            Err(error) => {
                let error = json!({"code": PARSE_ERROR, "message": format!("parse error: {error}")});
                self.say(&json!({"jsonrpc": "2.0", "id": null, "error": error}));
                return None;
            }
        };
        if !message.is_object() {
            let error = json!({"code": endpoint::INVALID_REQUEST, "message": "send one message, an object, per line"});
            self.say(&json!({"jsonrpc": "2.0", "id": null, "error": error}));
            return None;
        }
        match message["method"].as_str() {
            None => {
                self.answered(&message);
                return None;
            }
            // The data plane sees the connection close.
            Some("notifications/cancelled") => {
                self.session.cancel(&message["params"]["requestId"]);
                return None;
            }
            Some(INITIALIZE) => self.session.begins(&message["params"]),
            Some("notifications/initialized" | "notifications/roots/list_changed") => self.ask_for_roots(),
            Some(_) => {}
        }
        let cancelled = self.session.start(&message["id"]);
        Some((message, cancelled))
    }

    /// Passes a message on, and back what the server says to it.
    pub async fn pass(&self, message: Value, cancelled: &CancellationToken) {
        if message["id"].is_null() {
            // A notification has no answer, and its failure none to whom it could be told.
            let _ = self.server.send(&message, None, self.session.version().as_deref(), |_| {}).await;
            return;
        }
        let id = message["id"].clone();
        tokio::select! {
            biased;
            () = cancelled.cancelled() => {}
            () = self.request(message) => {}
        }
        self.session.end(&id);
    }

    /// A request for which there is no place.
    pub fn refuse(&self, message: &Value, at_once: usize) {
        self.session.end(&message["id"]);
        if !message["id"].is_null() {
            let busy = format!("routing connect is already working on {at_once} requests; call again in a moment");
            self.say(&server::error(&message["id"], &busy));
        }
    }

    async fn request(&self, mut message: Value) {
        let (id, method) = (message["id"].clone(), message["method"].as_str().unwrap_or_default().to_string());
        let mut notes = vec![];
        let mut tool = None;
        if method == CALL {
            tool = self.tool(&message).await;
            match self.filled(&mut message, tool.as_deref()).await {
                Ok(said) => notes = said,
                Err(wrong) => return self.say(&tool_error(&id, &message, &wrong)),
            }
        }
        let schema = tool.as_ref().map(|tool| &tool["inputSchema"]);
        let mut answered = false;
        let passed = |mut said: Value| {
            if said["id"] == id {
                answered = true;
                self.reshape(&method, &mut said, &notes);
            }
            self.say(&said);
        };
        let sent = self.server.send(&message, schema, self.session.version().as_deref(), passed).await;
        match sent {
            Err(error) if !answered => self.say(&server::error(&id, &error.to_string())),
            Ok(()) if !answered => self.say(&server::error(&id, "the server ended its answer early; call again")),
            _ => {}
        }
    }

    /// The definition of the tool that a call is about, asked for if the client has not listed the tools.
    async fn tool(&self, call: &Value) -> Option<Arc<Value>> {
        let name = call["params"]["name"].as_str().unwrap_or_default();
        if self.session.tool(name).is_none() {
            let list = json!({"jsonrpc": "2.0", "id": OWN_LIST, "method": LIST});
            // What fails here fails again, and is told, when the call itself is sent.
            let _ = self.server.send(&list, None, None, |said| self.take_tools(&said["result"])).await;
        }
        self.session.tool(name)
    }

    /// Fills the arguments of a call; what is to be said of that, or what the caller named wrongly.
    async fn filled(&self, call: &mut Value, tool: Option<&Value>) -> Result<Vec<String>, String> {
        self.session.sign(&mut call["params"]);
        let Some(tool) = tool else { return Ok(vec![]) };
        let attach = described::attach_of(tool);
        self.wait_for_roots().await?;
        let project = self.session.project().ok_or("none of the client's roots is a folder of this machine")?;
        let mut arguments = match call["params"]["arguments"].take() {
            Value::Object(arguments) => arguments,
            Value::Null => Map::new(),
            other => {
                call["params"]["arguments"] = other;
                return Ok(vec![]);
            }
        };
        let folder = project.folder(arguments.get(PROJECT_ROOT).and_then(Value::as_str));
        described::complete(tool, &folder.to_string_lossy(), &mut arguments);
        if attach.is_empty() {
            call["params"]["arguments"] = arguments.into();
            return Ok(vec![]);
        }
        let Filled { arguments, read, mut notes } = fill::fill(&project, &attach, arguments).await?;
        call["params"]["arguments"] = arguments.into();
        if !read.is_empty() {
            notes.insert(0, format!("read: {}", read.values().map(String::as_str).collect::<Vec<_>>().join("; ")));
            call["params"]["_meta"][FILLED] = json!(read);
        }
        Ok(notes)
    }

    /// What the client sees of an answer.
    fn reshape(&self, method: &str, answer: &mut Value, notes: &[String]) {
        let Some(result) = answer.get_mut("result") else { return };
        if let Some(text) = result.get("instructions").and_then(Value::as_str) {
            result["instructions"] = described::instructions(text).into();
        }
        match method {
            INITIALIZE => self.session.negotiated(result["protocolVersion"].as_str()),
            LIST => {
                self.take_tools(result);
                result
                    .get_mut("tools")
                    .and_then(Value::as_array_mut)
                    .into_iter()
                    .flatten()
                    .for_each(described::describe);
            }
            CALL if !notes.is_empty() => {
                let note = json!({"type": "text", "text": format!("note of routing connect: {}.", notes.join("; "))});
                // After the line of the decision, because clients cut results at their end.
                if let Some(blocks) = result.get_mut("content").and_then(Value::as_array_mut) {
                    blocks.insert(blocks.len().min(1), note);
                }
            }
            _ => {}
        }
    }

    fn take_tools(&self, result: &Value) {
        self.session.take_tools(result["tools"].as_array().map(Vec::as_slice).unwrap_or_default());
    }

    fn ask_for_roots(&self) {
        if self.session.has_roots() {
            self.roots_asked.send_replace(true);
            self.say(&json!({"jsonrpc": "2.0", "id": ROOTS, "method": "roots/list"}));
        }
    }

    fn answered(&self, answer: &Value) {
        if answer["id"] == ROOTS {
            self.session.take_roots(&answer["result"]);
            self.roots_asked.send_replace(false);
        }
    }

    /// Until they are known nothing may be read.
    async fn wait_for_roots(&self) -> Result<(), String> {
        let mut asked = self.roots_asked.subscribe();
        let answered = tokio::time::timeout(ROOTS_TIMEOUT, asked.wait_for(|asked| !asked)).await;
        answered
            .map(drop)
            .map_err(|_| "the client has not said which folders may be read (roots/list); call again".into())
    }

    fn say(&self, message: &Value) {
        // Fails only when the client is gone.
        let _ = self.lines.send(message.to_string());
    }
}

/// What the caller named does not exist: its model can correct that, so it is a result and no error of the protocol.
fn tool_error(id: &Value, call: &Value, wrong: &str) -> Value {
    let name = crds::shown::printable(call["params"]["name"].as_str().unwrap_or_default(), 64);
    let content = json!([{"type": "text", "text": format!("{name}: {wrong}")}]);
    let mut result = json!({"content": content, "isError": true});
    if !call["params"]["_meta"][PROTOCOL_VERSION].is_null() {
        result["resultType"] = "complete".into();
    }
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}
