//! What `routing connect` knows of its client and of the server's tools. No I/O.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use endpoint::method::CLIENT_INFO;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::project::Project;

/// The client's session, in the `_meta` of calls.
pub const SESSION: &str = "routing.hyperguild.io/session";
/// Most roots of a client that are read.
const ROOTS_MAX: usize = 32;

/// One client, from its first message to its end.
pub struct Session {
    /// Names it in records.
    id: String,
    folder: PathBuf,
    state: Mutex<State>,
}

struct State {
    /// None: the client has roots, and none is a folder here.
    project: Option<Project>,
    /// Of the client, in its `initialize`.
    info: Option<Value>,
    has_roots: bool,
    negotiated: Option<String>,
    tools: HashMap<String, Arc<Value>>,
    in_flight: HashMap<String, CancellationToken>,
}

impl Session {
    /// `folder` is where the client started this program.
    pub fn new(id: String, folder: PathBuf) -> Self {
        let state = State {
            project: Some(Project::new(vec![folder.clone()])),
            info: None,
            has_roots: false,
            negotiated: None,
            tools: HashMap::new(),
            in_flight: HashMap::new(),
        };
        Self { id, folder, state: Mutex::new(state) }
    }

    /// Notes what a client says of itself when it begins.
    pub fn begins(&self, params: &Value) {
        let mut state = self.lock();
        state.info = params.get("clientInfo").cloned();
        state.has_roots = params["capabilities"]["roots"].is_object();
    }

    pub fn negotiated(&self, version: Option<&str>) {
        self.lock().negotiated = version.map(String::from);
    }

    pub fn version(&self) -> Option<String> {
        self.lock().negotiated.clone()
    }

    pub fn has_roots(&self) -> bool {
        self.lock().has_roots
    }

    /// Takes the folders of a client's answer to `roots/list`; without any roots, it is the one of the start.
    pub fn take_roots(&self, result: &Value) {
        let roots = result["roots"].as_array().map(Vec::as_slice).unwrap_or_default();
        let uris = roots.iter().filter_map(|root| root["uri"].as_str());
        let folders = uris.filter_map(|uri| Url::parse(uri).ok()?.to_file_path().ok());
        let mut folders: Vec<PathBuf> = folders.take(ROOTS_MAX).collect();
        if roots.is_empty() {
            folders.push(self.folder.clone());
        }
        self.lock().project = (!folders.is_empty()).then(|| Project::new(folders));
    }

    pub fn project(&self) -> Option<Project> {
        self.lock().project.clone()
    }

    /// Keeps the definitions of a list, by name.
    pub fn take_tools(&self, tools: &[Value]) {
        let named = tools.iter().filter_map(|tool| Some((tool["name"].as_str()?.to_string(), Arc::new(tool.clone()))));
        self.lock().tools.extend(named);
    }

    pub fn tool(&self, name: &str) -> Option<Arc<Value>> {
        self.lock().tools.get(name).cloned()
    }

    /// Adds to a call what records have of its client, where the client says nothing itself.
    pub fn sign(&self, params: &mut Value) {
        let info = self.lock().info.clone();
        let Some(params) = params.as_object_mut() else { return };
        let meta = params.entry("_meta").or_insert_with(|| json!({}));
        if !meta.is_object() {
            *meta = json!({});
        }
        let Some(meta) = meta.as_object_mut() else { return };
        meta.entry(SESSION).or_insert_with(|| self.id.clone().into());
        if let Some(info) = info {
            meta.entry(CLIENT_INFO).or_insert(info);
        }
    }

    pub fn start(&self, id: &Value) -> CancellationToken {
        let token = CancellationToken::new();
        self.lock().in_flight.insert(id.to_string(), token.clone());
        token
    }

    pub fn end(&self, id: &Value) {
        self.lock().in_flight.remove(&id.to_string());
    }

    pub fn cancel(&self, id: &Value) {
        if let Some(token) = self.lock().in_flight.get(&id.to_string()) {
            token.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
