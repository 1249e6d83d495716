//! The skills as MCP tools.

pub mod access;
mod answer;
mod instructions;
mod progress;
mod span;
pub mod tools;

use std::sync::Arc;

use axum::http::request::Parts;
use crds::table::Skill;
use endpoint::{Caught, ToolCall, Tools, trace::Place};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CustomRequest, CustomResult,
        DiscoverResult, Implementation, InitializeRequestParams, InitializeResult, ListToolsResult,
        PaginatedRequestParams, ServerCapabilities, ServerConfig, SubscriptionFilter, Tool,
    },
    service::{RequestContext, SubscriptionContext},
};
use serde_json::{Map, Value};
use tokio::sync::watch;

pub use self::instructions::MATERIAL;
use self::{access::Caller, span::CallSpan};
use crate::{
    call::{Call, CallAnswer, CallOutcome},
    client_context::ClientContext,
    config::Active,
    data_plane::DataPlane,
    mode::Mode,
    traces::attribute,
};

/// How a line begins that speaks for this program: the decision line, and what the hooks ask the calling model for. Such a
/// line of an answer is quoted, so that it is neither.
pub const MARK: &str = "routing:";
/// What the server says of itself.
const DESCRIPTION: &str = "Skills that run on a local model or on Claude, by how often the local model got each right.";
/// How long clients may use a list of tools without asking again, in milliseconds: those that listen for changes hear of
/// one at once.
const TTL_MS: u64 = 30_000;

/// Serves the active config's skills.
#[derive(Clone)]
pub struct Skills(Arc<DataPlane>);

impl Skills {
    pub fn new(data_plane: Arc<DataPlane>) -> Self {
        Self(data_plane)
    }

    async fn run(&self, call: ToolCall) -> Result<CallToolResult, ErrorData> {
        let ToolCall { request, meta, parts, gone, progress, share: _share } = call;
        let active = self.0.config.active();
        let by = CalledBy::of(&meta, parts.as_ref());
        drop(parts);
        let skill = active.table.skills.get(request.name.as_ref()).cloned();
        let mut span =
            CallSpan::begin(&self.0, skill.as_ref().map(|skill| skill.name.as_str()), by.client.trace.as_ref());
        let Some(skill) = skill else {
            span.ended(Some("unknown_skill"));
            return Err(endpoint::unknown_tool(&request.name, &tools::names(&active.table)));
        };
        let arguments = match skill.arguments.check(request.arguments.unwrap_or_default()) {
            Ok(arguments) => arguments,
            Err(violations) => {
                self.not_made(span, &skill.name, "arguments");
                return Ok(answer::wrong_arguments(&skill.name, &violations));
            }
        };
        let Some(in_flight) = self.0.admit(active.table.in_flight) else {
            self.not_made(span, &skill.name, "busy");
            return Ok(answer::busy(&skill.name, active.table.in_flight));
        };
        let (call, activities) = self.prepared(&active, &skill, arguments, by, span.place());
        // Boxed: every future around it would have room for it more than once.
        let running = Box::pin(call.run());
        let ended = tokio::select! {
            ended = progress::with_heartbeat(running, &gone, progress.as_ref(), activities) => ended,
            // `span` ends as cancelled, here and where the call is.
            () = self.0.shutdown.hard_stop.cancelled() => return Ok(answer::stopping(&skill.name)),
        };
        drop(in_flight);
        let outcome = ended.ok_or_else(|| ErrorData::internal_error("the call was cancelled", None))?;
        span.ended(outcome.answer.is_err().then_some(attribute::TOOL_ERROR));
        Ok(self.answer(&active, &skill.name, outcome))
    }

    /// A call of a skill is refused before it runs.
    fn not_made(&self, mut span: CallSpan, skill: &str, kind: &'static str) {
        self.0.metrics.call(skill, kind);
        span.ended(Some(kind));
    }

    /// A call that is about to run, and where it says what it does.
    fn prepared(
        &self,
        active: &Arc<Active>,
        skill: &Arc<Skill>,
        arguments: Map<String, Value>,
        by: CalledBy,
        place: Place,
    ) -> (Call, watch::Receiver<String>) {
        let (activity, activities) = watch::channel(String::new());
        let CalledBy { client, mode, caller } = by;
        let (data_plane, active, skill) = (Arc::clone(&self.0), Arc::clone(active), Arc::clone(skill));
        (Call { data_plane, active, skill, arguments, caller, mode, client, place, activity }, activities)
    }

    fn answer(&self, active: &Active, skill: &str, outcome: CallOutcome) -> CallToolResult {
        let CallOutcome { answer, decisions } = outcome;
        self.0.metrics.call(skill, if answer.is_ok() { "answered" } else { "failed" });
        match answer {
            Ok(CallAnswer::Text(text)) => answer::answered(skill, text, &decisions, active.table.decision_line),
            Ok(CallAnswer::Work(work)) => answer::returned(skill, &work, &decisions, active.table.decision_line),
            Err(failure) => answer::failed(&failure, &decisions),
        }
    }
}

/// Who calls, by what came with the call.
struct CalledBy {
    client: ClientContext,
    mode: Option<Mode>,
    caller: Option<String>,
}

impl CalledBy {
    fn of(meta: &Map<String, Value>, parts: Option<&Parts>) -> Self {
        let client = ClientContext::of(meta);
        let caller = parts.and_then(|parts| parts.extensions.get::<Caller>());
        Self {
            client: parts.iter().fold(client, |client, parts| client.within(&parts.headers)),
            mode: parts.and_then(|parts| Mode::of(&parts.headers)),
            caller: caller.map(|Caller(name)| name.to_string()),
        }
    }
}

impl Tools for Skills {
    async fn call(&self, call: ToolCall) -> Result<CallToolResult, ErrorData> {
        let name = call.request.name.clone();
        endpoint::caught(&name, Box::pin(self.run(call))).await.map_err(|caught| {
            if matches!(caught, Caught::Panicked) && self.0.config.active().table.skills.contains_key(name.as_ref()) {
                self.0.metrics.call(&name, "panicked");
            }
            caught.into()
        })
    }
}

impl ServerHandler for Skills {
    fn get_info(&self) -> ServerConfig {
        let about = Implementation::new("routing", crds::VERSION).with_title("routing").with_description(DESCRIPTION);
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_tool_list_changed().build())
            .with_server_info(about)
            .with_instructions(instructions::of(&self.0.config.active().table))
    }

    /// Nothing tells a client that began with `initialize` of changed tools: that needs a session or a stream.
    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        context.peer.set_peer_info(request.clone());
        let mut result = self.negotiate_initialize(&request)?;
        result.capabilities = ServerCapabilities::builder().enable_tools().build();
        Ok(result)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info()).with_ttl_ms(TTL_MS))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut result = ListToolsResult::with_all_items(tools::list(&self.0.config.active().table));
        (result.ttl_ms, result.cache_scope) = (Some(TTL_MS), Some(CacheScope::Private));
        Ok(result)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let active = self.0.config.active();
        active.table.skills.get(name).map(|skill| tools::tool(skill, active.table.always_load))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.call(ToolCall::within(request, context)).await.map(Into::into)
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.supported_by(&self.get_info().capabilities))
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let mut revision = self.0.config.tools_revision();
        loop {
            tokio::select! {
                // An open stream would keep the server from stopping.
                () = self.0.shutdown.stopping.cancelled() => return Ok(()),
                () = subscription.cancelled() => return Ok(()),
                changed = revision.changed() => {
                    if changed.is_err() || subscription.sink().notify_tool_list_changed().await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(endpoint::unknown_request(&request))
    }
}
