//! The MCP tool `session_log`.

use std::sync::Arc;

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest, CustomResult,
        Implementation, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
        ToolAnnotations,
    },
    service::RequestContext,
};
use serde_json::json;

use crate::{entry::Entry, store::Store};

const SESSION_LOG: &str = "session_log";
const DESCRIPTION: &str = "Reports how a skill's answer turned out. Call it with phase \"outcome\" once you know: \
final_status \"pass\" when the answer was right and useful, \"fail\" when it was not, with the decision_id from the answer's \
routing line. These reports decide where the skill's next calls go.";

#[derive(Clone)]
pub(crate) struct BrainTools {
    store: Store,
}

impl BrainTools {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    async fn call(&self, request: CallToolRequestParams) -> Result<CallToolResponse, ErrorData> {
        if request.name != SESSION_LOG {
            return Err(endpoint::unknown_tool(&request.name, SESSION_LOG));
        }
        let entry = match Entry::from_arguments(request.arguments.unwrap_or_default()) {
            Ok(entry) => entry,
            Err(errors) => {
                let text = format!("nothing was logged: {}", errors.join("; "));
                let text = crds::shown::printable(&text, 1000);
                return Ok(CallToolResult::error(vec![ContentBlock::text(text)]).into());
            }
        };
        Ok(match self.store.append(entry).await {
            Ok(id) => CallToolResult::structured(json!({"id": id})),
            Err(error) => CallToolResult::error(vec![ContentBlock::text(format!("nothing was logged: {error}"))]),
        }
        .into())
    }
}

fn session_log() -> Tool {
    let annotations = ToolAnnotations::new().read_only(false).destructive(false).idempotent(false).open_world(false);
    Tool::new(SESSION_LOG, DESCRIPTION, Arc::new(Entry::schema())).with_annotations(annotations)
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
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.clone();
        Ok(endpoint::caught(&name, self.call(request)).await?)
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(endpoint::unknown_request(&request))
    }
}
