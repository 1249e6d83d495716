//! Names of MCP's methods and of what requests say about themselves, and the error about a method that is not served.

use crds::shown::printable;
use rmcp::{ErrorData, model::ErrorCode};

/// Calls a tool: the method that can take long.
pub const CALL: &str = "tools/call";
/// Lists the tools.
pub const LIST: &str = "tools/list";
/// Begins a session (MCP before 2026-07-28).
pub const INITIALIZE: &str = "initialize";
/// Asks what a server can do (MCP from 2026-07-28).
pub(crate) const DISCOVER: &str = "server/discover";
/// Key of the protocol version in the `_meta` of a request (MCP from 2026-07-28).
pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// Header with the protocol version of a request (MCP from 2025-06-18).
pub const PROTOCOL_VERSION_HEADER: &str = "mcp-protocol-version";
/// Key of the client's name and version in the `_meta` of a request (MCP from 2026-07-28).
pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// Longest name of a method that an error repeats, in characters.
const SHOWN: usize = 64;

pub(crate) fn not_found(method: &str) -> ErrorData {
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, not_found_text(method), None)
}

pub(crate) fn not_found_text(method: &str) -> String {
    format!("method not found: {}", printable(method, SHOWN))
}
