//! A language model behind TLS, whose certificate is of a private authority.

use std::{fs, process::Stdio};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{checkout, ports, required};

/// A running one; it ends when this is dropped.
pub struct TlsModel {
    port: u16,
    authority: String,
    _server: Child,
    _folder: TempDir,
}

impl TlsModel {
    /// Starts it with a certificate that is `valid`, `expired`, `not-yet-valid`, or for an `other-host`.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(certificate: &str) -> Self {
        let (port, folder) = (ports::free(), tempfile::tempdir().expect("a folder"));
        let mut server = Command::new(required("ROUTING_TEST_VENV").join("bin/python"))
            .arg(checkout().join("tests/clients/tls_model.py"))
            .args([&port.to_string(), &folder.path().display().to_string(), certificate])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("python runs");
        let mut lines = BufReader::new(server.stdout.take().expect("its output")).lines();
        assert_eq!(lines.next_line().await.expect("a line").as_deref(), Some("READY"));
        let authority = fs::read_to_string(folder.path().join("ca.crt")).expect("a certificate");
        Self { port, authority, _server: server, _folder: folder }
    }

    /// Its base URL, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of its authority, as a policy has it.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}
