//! The `.mcp.json` that MCP clients read (`contract`, part 7).

mod document;
mod file;

use std::path::Path;

use crds::shown::printable;
use endpoint::PATH;
use serde_json::{Value, json};
use url::Url;

pub use self::document::with_servers;
use crate::{
    bounded_file::{self, BoundedFileError},
    mode::Mode,
};

/// Address of a data plane on this machine with the default port.
pub const LOCAL_URL: &str = "http://127.0.0.1:3210/mcp";
/// What the server is, to people who read the file.
pub const DESCRIPTION: &str = "Skills such as code review and debugging, answered by a local model or by Claude";
/// Address that `routing mode` writes. Fixed by the contract: `koala` is a machine of the project's first owner.
pub const MODE_URL: &str = "http://koala:30310/mcp";
/// Description that `routing mode` writes. Fixed by the contract; "Mode 2" is a name from the first owner's
/// installation.
pub const MODE_DESCRIPTION: &str = "Mode 2 routing pod — routes skill calls to LiteLLM/local";
/// Longest URL that an error repeats, in characters.
const URL_SHOWN: usize = 200;
const BRAIN_DESCRIPTION: &str = "Brain — report how skill calls turned out with session_log";
/// Largest existing file that is updated, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The servers to write.
pub struct Servers<'a> {
    /// Written as the `X-Hyperguild-Mode` header of calls.
    pub mode: Mode,
    /// Address of the data plane's `/mcp`.
    pub url: &'a str,
    /// What the data plane is, to people who read the file.
    pub description: &'a str,
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
    /// Writing failed in the middle.
    #[error("{path}: cannot be written: {reason}; nor could its old text be put back: {after}; restore it")]
    Damaged { path: String, reason: std::io::Error, after: std::io::Error },
}

/// Writes the servers into the file and keeps its other servers and unknown keys as they are written, its mode, owner
/// and links. Returns the names of the servers that were written.
///
/// # Errors
/// The file is not a JSON object, has a key twice, or cannot be written; it is then unchanged.
pub fn write(path: &Path, servers: &Servers<'_>) -> Result<Vec<String>, McpJsonError> {
    let entries = entries(servers)?;
    let names = entries.iter().map(|(name, _)| name.clone()).collect();
    let text = document::with_servers(&read(path)?, &entries).map_err(|reason| unusable(path, reason))?;
    file::replace(path, &text).map_err(|file::ReplaceError { reason, after }| {
        let path = path.display().to_string();
        match after {
            Some(after) => McpJsonError::Damaged { path, reason, after },
            None => McpJsonError::Write { path, reason },
        }
    })?;
    Ok(names)
}

fn entries(servers: &Servers<'_>) -> Result<Vec<(String, Value)>, McpJsonError> {
    let Servers { mode, url, description, token_env, brain_url, brain_token_env } = servers;
    let url = mcp_url("--url", url)?;
    let mut headers = json!({"X-Hyperguild-Mode": mode.as_str()});
    if let Some(name) = token_env {
        headers["Authorization"] = bearer("--token-env", name)?;
    }
    let routing = json!({"type": "http", "url": url, "description": description, "headers": headers});
    let mut entries = vec![("routing".to_string(), routing)];
    if let Some(brain) = brain_url {
        let mut entry = json!({"type": "http", "url": brain_mcp_url(brain)?, "description": BRAIN_DESCRIPTION});
        if let Some(name) = brain_token_env {
            entry["headers"] = json!({"Authorization": bearer("--brain-token-env", name)?});
        }
        entries.push(("brain".into(), entry));
    }
    Ok(entries)
}

/// The header's value, which names the variable; the client replaces it by the token.
fn bearer(flag: &str, name: &str) -> Result<Value, McpJsonError> {
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_name = letters && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
    if !is_name {
        let message = format!("{flag}: must be the name of an environment variable, not the token itself");
        return Err(McpJsonError::Argument(message));
    }
    Ok(json!(format!("Bearer ${{{name}}}")))
}

/// The address of an MCP endpoint: without blanks around it and without a slash at its end. Without a path it gets
/// `/mcp`; any other path is kept, because something in front of the endpoint may map it.
fn mcp_url(flag: &str, text: &str) -> Result<String, McpJsonError> {
    let text = text.trim();
    let parsed = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    // A parser takes more than clients do: no slashes, line ends within.
    let is_plain = |url: &Url| text.contains("://") && !text.contains(char::is_whitespace) && url.fragment().is_none();
    let refused = |rule: String| {
        let shown = printable(&crds::shown::url(text), URL_SHOWN);
        McpJsonError::Argument(format!("{flag}: {shown}: {rule}"))
    };
    let parsed = parsed.filter(is_plain);
    let parsed = parsed.ok_or_else(|| refused(format!("must be an http or https URL, for example {LOCAL_URL}")))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(refused("must have no user or password, because others read the file; use --token-env".into()));
    }
    if parsed.query().is_some() {
        return Ok(text.to_string());
    }
    let without_slash = text.trim_end_matches('/');
    let has_path = !parsed.path().trim_matches('/').is_empty();
    Ok(if has_path { without_slash.to_string() } else { format!("{without_slash}{PATH}") })
}

/// The address of a brain's MCP endpoint, from the brain's with or without `/mcp`.
fn brain_mcp_url(text: &str) -> Result<String, McpJsonError> {
    let mut url =
        Url::parse(&mcp_url("--brain-url", text)?).expect("it was parsed before, and only its end has changed");
    url.set_path(&format!("{}{PATH}", endpoint::base_path(url.path())));
    Ok(url.into())
}

/// The file's text; empty if there is none.
fn read(path: &Path) -> Result<String, McpJsonError> {
    match bounded_file::text(path, MAX_BYTES) {
        Ok(text) => Ok(text),
        Err(BoundedFileError::Io(e)) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(BoundedFileError::Io(e)) => Err(unusable(path, format!("cannot be read: {e}"))),
        Err(BoundedFileError::NotAFile | BoundedFileError::TooLarge { .. }) => {
            Err(unusable(path, format!("is not a file of at most {MAX_BYTES} bytes")))
        }
    }
}

fn unusable(path: &Path, reason: String) -> McpJsonError {
    McpJsonError::Unusable { path: path.display().to_string(), reason }
}

#[cfg(test)]
mod tests;
