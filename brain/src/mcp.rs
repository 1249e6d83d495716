//! The MCP tool `session_log`.

mod several;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::http::request::Parts;
use endpoint::{ToolCall, Tools, serve::Peer};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest, CustomResult,
        Implementation, ListToolsResult, MetaObject, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
        ToolAnnotations,
    },
    service::RequestContext,
};
use serde_json::{Value, json};

use crate::{
    entry::{Entry, FinalStatus, LOGGED, RETRYABLE, SEVERAL, SEVERAL_MOST},
    judged::{Judged, OnJudged},
    metrics::{FAILED, INVALID, LIMITED},
    outcome,
    record::Record,
    reporters::Reporters,
    store::{Query, Store, StoreError},
};

const SESSION_LOG: &str = "session_log";
const DESCRIPTION: &str = "Reports how a skill's answer turned out. Call it with phase \"outcome\" once you know: \
final_status \"pass\" when the answer was right and useful, \"fail\" when it was not, with the decision_id from the answer's \
routing line. These reports decide where the skill's next calls go.";

#[derive(Clone)]
pub(crate) struct BrainTools {
    store: Store,
    reporters: Arc<Reporters>,
    on_judged: OnJudged,
}

impl BrainTools {
    pub(crate) fn new(store: Store, reporters: Reporters, on_judged: OnJudged) -> Self {
        Self { store, reporters: Arc::new(reporters), on_judged }
    }

    async fn run(&self, request: CallToolRequestParams, reporter: IpAddr) -> Result<CallToolResult, ErrorData> {
        match &*request.name {
            SESSION_LOG => {}
            SEVERAL => return Ok(several::log(&self.store, request.arguments.unwrap_or_default()).await),
            _ => return Err(endpoint::unknown_tool(&request.name, SESSION_LOG)),
        }
        let entry = match Entry::from_arguments(request.arguments.unwrap_or_default()) {
            Ok(entry) => entry,
            Err(errors) => {
                self.store.metrics().entry(INVALID);
                let text = format!("nothing was logged: {}", errors.join("; "));
                let text = crds::shown::printable(&text, 1000);
                return Ok(failed(&text));
            }
        };
        Ok(self.log(entry, reporter).await.unwrap_or_else(|error| {
            let result = failed(&said(&error));
            if is_retryable(&error) { retryable(result) } else { result }
        }))
    }

    /// Writes an entry and says what changed. The text is all that most clients show.
    async fn log(&self, entry: Entry, reporter: IpAddr) -> Result<CallToolResult, StoreError> {
        let says_nothing = entry.final_status == FinalStatus::Skip;
        // A record, or an entry about no decision, steers nothing.
        if entry.decision.is_some() || entry.usage.is_some() || (says_nothing && entry.decision_id.is_none()) {
            let id = self.store.append(entry).await?;
            return Ok(answer(format!("logged: {id}"), json!({"id": id})));
        }
        let judged = self.read(self.judged(&entry)).await?;
        if judged.is_none() {
            self.reporters.admit(reporter).map_err(|reason| {
                self.store.metrics().entry(LIMITED);
                StoreError::Refused { reason }
            })?;
        }
        if says_nothing {
            let id = self.store.append(entry).await?;
            return Ok(answer(format!("logged: {id}"), json!({"id": id})));
        }
        let query = Query::of_all(&entry.skill);
        let (before, logged) = (self.read(self.store.evidence(&query)).await?, entry.clone());
        // All names are looked up only to find the one that was probably meant, and before this entry is one of them.
        let known = if outcome::is_unknown(&before) { Some(self.read(self.store.skills()).await?) } else { None };
        let id = self.store.append(entry).await?;
        (self.on_judged)(&Judged::of(&logged, judged.as_ref()));
        let after = self.store.evidence(&query).await?;
        let text = outcome::told(&logged, judged.as_ref(), (&before, &after), known.as_deref());
        let change = json!({"id": id, "skill": logged.skill, "before": before.rate, "after": after.rate});
        Ok(answer(text, change))
    }

    /// What an entry needs before it is written. If the database does not give it, the entry has failed, too.
    async fn read<T>(&self, reading: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        reading.await.inspect_err(|_| self.store.metrics().entry(FAILED))
    }

    /// The record of the decision that an entry is about, if it is known.
    async fn judged(&self, entry: &Entry) -> Result<Option<Record>, StoreError> {
        let Some(id) = &entry.decision_id else { return Ok(None) };
        let known = self.store.decision(id).await?;
        Ok(known.and_then(|known| Record::read(known.decision.as_object()?).ok()))
    }
}

/// Why an entry was not logged, or may not have been.
fn said(error: &StoreError) -> String {
    match error {
        StoreError::Refused { .. } => format!("nothing was logged: {error}"),
        StoreError::Unknown(_) => error.to_string(),
        _ => format!("nothing was logged: {}", error.with_cure()),
    }
}

/// Whether nothing is wrong with the entry itself.
fn is_retryable(error: &StoreError) -> bool {
    !matches!(error, StoreError::Refused { .. })
}

fn failed(text: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}

/// The same, of an entry with which nothing is wrong.
fn retryable(mut result: CallToolResult) -> CallToolResult {
    result.meta.get_or_insert_with(MetaObject::new).insert(RETRYABLE.to_string(), true.into());
    result
}

/// Structured content would hide the text in clients that show it instead.
fn answer(text: String, meta: Value) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    let mut object = MetaObject::new();
    object.insert(LOGGED.to_string(), meta);
    result.meta = Some(object);
    result
}

/// Where a request comes from. Without a connection, as in a test of the routes alone, all are one.
fn reporter(parts: Option<&Parts>) -> IpAddr {
    let peer = parts.and_then(|parts| parts.extensions.get::<Peer>());
    peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |Peer(address)| *address)
}

fn session_log() -> Tool {
    let annotations = ToolAnnotations::new().read_only(false).destructive(false).idempotent(false).open_world(false);
    let mut meta = MetaObject::new();
    meta.insert(SEVERAL.to_string(), SEVERAL_MOST.into());
    Tool::new(SESSION_LOG, DESCRIPTION, Arc::new(Entry::schema())).with_annotations(annotations).with_meta(meta)
}

impl Tools for BrainTools {
    async fn call(&self, call: ToolCall) -> Result<CallToolResult, ErrorData> {
        let name = call.request.name.clone();
        Ok(endpoint::caught(&name, Box::pin(self.run(call.request, reporter(call.parts.as_ref())))).await?)
    }
}

impl ServerHandler for BrainTools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("routing-brain", crds::VERSION))
            .with_instructions("Stores the outcomes of skill calls; report them with session_log.")
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![session_log()]))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        (name == SESSION_LOG).then(session_log)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.call(ToolCall::within(request, context)).await.map(Into::into)
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(endpoint::unknown_request(&request))
    }
}
