//! `routing connect`: an MCP server on standard input and output that a client starts beside the project. It forwards
//! every message to the data plane, of both protocol eras, and fills the arguments of calls from the project.
//!
//! ```text
//! client ─ stdin ─▶ forward ─▶ fill (project: files, git) ─▶ server (HTTP) ─▶ data plane
//!        ◀ stdout ─ described ◀──────────────────────────────┘
//! ```

mod described;
mod fill;
mod forward;
mod project;
mod server;
mod session;

use std::{path::PathBuf, sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::timeout,
};
use url::Url;

pub use self::session::SESSION;
use self::{forward::Forward, server::Server, session::Session};
use crate::http_client::ClientError;

/// What `routing connect` has filled, in the `_meta` of a call: argument, and in words what it holds.
pub const FILLED: &str = "routing.hyperguild.io/filled";
/// The argument of a skill that names the folder of the project.
const PROJECT_ROOT: &str = "project_root";
/// The user's file with the token, below the folder of the user's settings.
pub const TOKEN_FILE: &str = "~/.config/routing/token";
/// Longest message of a client, in bytes: that of the data plane.
const LINE_MAX_BYTES: u64 = endpoint::BODY_MAX_BYTES as u64;
/// How long what is in flight may take once the client has closed its side.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// Most messages that are worked on at the same time.
const AT_ONCE: usize = 64;

/// Where to connect, and for whom.
pub struct Settings {
    pub url: Url,
    pub token: Option<SecretString>,
    /// In which the client started this program.
    pub folder: PathBuf,
    /// Names the client's session in records.
    pub session: String,
}

/// Why it ended.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("HTTP cannot be spoken: {0}")]
    Http(#[from] ClientError),
    #[error("the client cannot be read or written to: {0}")]
    Client(#[from] std::io::Error),
}

/// Serves one client until its input ends.
///
/// # Errors
/// Its input or output broke.
pub async fn run(
    settings: Settings,
    input: impl AsyncBufRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
) -> Result<(), ConnectError> {
    let Settings { url, token, folder, session } = settings;
    let (lines, written) = mpsc::unbounded_channel();
    let writing = tokio::spawn(write(written, output));
    let forward = Arc::new(Forward::new(Server::new(url, token)?, Session::new(session, folder), lines));
    let read = read(&forward, input).await;
    drop(forward);
    // A client that does not read any more gets no more time than one that does.
    if let Ok(written) = timeout(LAST_ANSWERS, writing).await {
        written.map_err(std::io::Error::other)??;
    }
    Ok(read?)
}

async fn read(forward: &Arc<Forward>, mut input: impl AsyncBufRead + Unpin) -> std::io::Result<()> {
    let (places, mut tasks) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    loop {
        let mut line = vec![];
        let length = (&mut input).take(LINE_MAX_BYTES + 1).read_until(b'\n', &mut line).await?;
        if length == 0 {
            // The client will send nothing more, and may still read for a moment.
            let _ = timeout(LAST_ANSWERS, tasks.join_all()).await;
            return Ok(());
        }
        if length as u64 > LINE_MAX_BYTES {
            return Err(std::io::Error::other(format!("a message is longer than {LINE_MAX_BYTES} bytes")));
        }
        while tasks.try_join_next().is_some() {}
        let Some((message, cancelled)) = forward.take(&line) else { continue };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            forward.refuse(&message, AT_ONCE);
            continue;
        };
        let forward = Arc::clone(forward);
        tasks.spawn(async move {
            forward.pass(message, &cancelled).await;
            drop(place);
        });
    }
}

async fn write(mut lines: mpsc::UnboundedReceiver<String>, mut output: impl AsyncWrite + Unpin) -> std::io::Result<()> {
    while let Some(line) = lines.recv().await {
        output.write_all(line.as_bytes()).await?;
        output.write_all(b"\n").await?;
        output.flush().await?;
    }
    Ok(())
}
