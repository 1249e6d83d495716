//! The client of rmcp, in this process.

use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient,
    model::{CallToolRequestParams, ProgressNotificationParam, ProtocolVersion},
    service::{NotificationContext, RunningService},
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::Ask;

/// Keeps the messages of progress.
struct Listener(UnboundedSender<String>);

impl ClientHandler for Listener {
    async fn on_progress(&self, progress: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        // Fails only when the call is at its end.
        let _ = self.0.send(progress.message.unwrap_or_default());
    }
}

type Client = RunningService<RoleClient, Listener>;

pub async fn ask(
    url: &str,
    token: &str,
    initialize: bool,
    ask: Ask<'_>,
    now: impl Future<Output = ()>,
) -> Result<Value, String> {
    let (sender, mut messages) = mpsc::unbounded_channel();
    let client = connected(url, token, initialize, Listener(sender)).await?;
    let said = match ask {
        Ask::List => listed(&client).await,
        Ask::Call(tool, arguments) => answered(&client, request(tool, arguments), &mut messages).await,
        Ask::Cancel(tool, arguments) => cancelled(&client, request(tool, arguments), &mut messages, now).await,
    };
    client.cancel().await.map_err(|error| error.to_string())?;
    said
}

async fn connected(url: &str, token: &str, initialize: bool, listener: Listener) -> Result<Client, String> {
    let mut config = StreamableHttpClientTransportConfig::with_uri(url);
    if !token.is_empty() {
        config = config.auth_header(token);
    }
    // Of the tests' own, which has a provider of cryptography.
    let transport = StreamableHttpClientTransport::with_client(tests::http(), config);
    let lifecycle = if initialize {
        ClientLifecycleMode::Initialize
    } else {
        ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
    };
    listener.serve_with_lifecycle(transport, lifecycle).await.map_err(|error| format!("{error:?}"))
}

fn request(tool: &str, arguments: &str) -> CallToolRequestParams {
    CallToolRequestParams::new(tool.to_string()).with_arguments(serde_json::from_str(arguments).expect("JSON"))
}

async fn listed(client: &Client) -> Result<Value, String> {
    let tools = client.list_all_tools().await.map_err(|error| error.to_string())?;
    Ok(tools.iter().map(|tool| tool.name.to_string()).collect())
}

async fn answered(
    client: &Client,
    request: CallToolRequestParams,
    messages: &mut UnboundedReceiver<String>,
) -> Result<Value, String> {
    let result = client.call_tool(request).await.map_err(|error| error.to_string())?;
    let mut result = serde_json::to_value(result).map_err(|error| error.to_string())?;
    let progress: Vec<String> = std::iter::from_fn(|| messages.try_recv().ok()).collect();
    result["progress"] = json!(progress);
    Ok(result)
}

/// A call that is dropped is cancelled.
async fn cancelled(
    client: &Client,
    request: CallToolRequestParams,
    messages: &mut UnboundedReceiver<String>,
    now: impl Future<Output = ()>,
) -> Result<Value, String> {
    tokio::select! {
        result = client.call_tool(request) => Ok(json!({"answered": format!("{result:?}")})),
        _ = futures::future::join(messages.recv(), now) => Ok(json!({"cancelled": "by its caller"})),
    }
}
