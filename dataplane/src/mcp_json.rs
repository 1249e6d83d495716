//! The `.mcp.json` that MCP clients read (`contract`, part 7).

use std::{io::Write, path::Path};

use serde_json::{Map, Value, json};

use crate::mode::Mode;

/// Fixed by the contract: `koala` is a machine of the project's first owner.
pub const DEFAULT_URL: &str = "http://koala:30310/mcp";
/// Fixed by the contract; "Mode 2" is a name from the first owner's installation.
const DESCRIPTION: &str = "Mode 2 routing pod — routes skill calls to LiteLLM/local";
const BRAIN_DESCRIPTION: &str = "Brain — report how skill calls turned out with session_log";
/// Key that an earlier tool left behind; it is removed.
const PENDING: &str = "_routing_pending";
/// Largest existing file that is updated, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The servers to write.
pub struct Servers<'a> {
    /// Written as the `X-Hyperguild-Mode` header of calls.
    pub mode: Mode,
    /// Address of the data plane's `/mcp`.
    pub url: &'a str,
    /// Environment variable that holds the access token; only its name is written.
    pub token_env: Option<&'a str>,
    /// Address of the brain, with or without `/mcp`; none: the brain is not added.
    pub brain_url: Option<&'a str>,
    /// Environment variable that holds the brain's token; only its name is written.
    pub brain_token_env: Option<&'a str>,
}

/// Why the file was not written.
#[derive(Debug, thiserror::Error)]
pub enum McpJsonError {
    /// The file exists but cannot be updated.
    #[error("{path}: {reason}; nothing was changed")]
    Unusable { path: String, reason: String },
    /// A URL or the name of a variable is wrong.
    #[error("{0}")]
    Argument(String),
    /// Writing failed.
    #[error("{path}: cannot be written: {reason}; nothing was changed")]
    Write { path: String, reason: std::io::Error },
}

/// Writes the servers into the file in one step and keeps its other servers and unknown keys. Returns the names of the
/// servers that were written.
///
/// # Errors
/// The file is not a JSON object, or cannot be written; it is then unchanged.
pub fn write(path: &Path, servers: &Servers<'_>) -> Result<Vec<String>, McpJsonError> {
    let entries = entries(servers)?;
    let names = entries.iter().map(|(name, _)| name.clone()).collect();
    let mut document = read(path)?;
    merge(&mut document, entries).map_err(|reason| unusable(path, reason))?;
    let text = format!("{:#}\n", Value::Object(document));
    replace(path, &text).map_err(|reason| McpJsonError::Write { path: path.display().to_string(), reason })?;
    Ok(names)
}

fn entries(servers: &Servers<'_>) -> Result<Vec<(String, Value)>, McpJsonError> {
    let Servers { mode, url, token_env, brain_url, brain_token_env } = servers;
    check_url("--url", url)?;
    let mut headers = json!({"X-Hyperguild-Mode": mode.as_str()});
    if let Some(name) = token_env {
        headers["Authorization"] = bearer("--token-env", name)?;
    }
    let routing = json!({"type": "http", "url": url, "description": DESCRIPTION, "headers": headers});
    let mut entries = vec![("routing".to_string(), routing)];
    if let Some(brain) = brain_url {
        check_url("--brain-url", brain)?;
        let url = format!("{}/mcp", brain.trim_end_matches('/').trim_end_matches("/mcp"));
        let mut entry = json!({"type": "http", "url": url, "description": BRAIN_DESCRIPTION});
        if let Some(name) = brain_token_env {
            entry["headers"] = json!({"Authorization": bearer("--brain-token-env", name)?});
        }
        entries.push(("brain".into(), entry));
    }
    Ok(entries)
}

/// The header's value, which names the variable; the client replaces it by the token.
fn bearer(flag: &str, name: &str) -> Result<Value, McpJsonError> {
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        let message = format!("{flag}: must be the name of an environment variable, not the token itself");
        return Err(McpJsonError::Argument(message));
    }
    Ok(json!(format!("Bearer ${{{name}}}")))
}

fn check_url(flag: &str, text: &str) -> Result<(), McpJsonError> {
    let usable = url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    let message = format!("{flag}: {}: must be an http or https URL", crds::shown::url(text));
    if usable { Ok(()) } else { Err(McpJsonError::Argument(message)) }
}

fn read(path: &Path) -> Result<Map<String, Value>, McpJsonError> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Map::new()),
        Err(e) => return Err(unusable(path, format!("cannot be read: {e}"))),
    };
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(unusable(path, format!("is not a file of at most {MAX_BYTES} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| unusable(path, format!("cannot be read: {e}")))?;
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(&text) {
        Ok(Value::Object(document)) => Ok(document),
        Ok(_) => Err(unusable(path, "is JSON, but not an object".into())),
        Err(e) => {
            Err(unusable(path, format!("is not JSON (line {}, column {}); fix or move it", e.line(), e.column())))
        }
    }
}

fn merge(document: &mut Map<String, Value>, entries: Vec<(String, Value)>) -> Result<(), String> {
    document.shift_remove(PENDING);
    let servers = document.entry("mcpServers").or_insert_with(|| json!({}));
    let servers = servers.as_object_mut().ok_or("has an mcpServers that is not an object")?;
    servers.shift_remove(PENDING);
    servers.extend(entries);
    Ok(())
}

fn unusable(path: &Path, reason: String) -> McpJsonError {
    McpJsonError::Unusable { path: path.display().to_string(), reason }
}

/// Replaces the file as a whole, so that a reader never sees half of it. A link is followed to its target.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(permissions(&target)).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&target).map(drop).map_err(|e| e.error)
}

fn permissions(target: &Path) -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(target).map_or_else(|_| std::fs::Permissions::from_mode(0o644), |metadata| metadata.permissions())
}

#[cfg(test)]
mod tests;
