//! A small language model that really runs: SmolLM2-135M behind llama.cpp's own server (`tests/model/serve.py`).

use std::{
    fs::File,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{checkout, http, ports, required, waiting};

/// Its name.
pub const NAME: &str = "smollm2";

/// The running model; it ends when this is dropped.
pub struct LanguageModel {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl LanguageModel {
    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), ports::free());
        let log = folder.path().join("log");
        let file = File::create(&log).expect("a log");
        let child = Command::new(required("ROUTING_TEST_MODEL"))
            .arg(checkout().join("tests/model/serve.py"))
            .args(["--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a log"))
            .stderr(file)
            .spawn()
            .expect("the model starts");
        let mut model = Self { child, port, _folder: folder };
        let url = format!("{}/health", model.url());
        waiting::until("the language model", || {
            let printed = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(model.child.try_wait().expect("a status").is_none(), "it ended:\n{}", printed());
            async { http().get(&url).send().await.ok().filter(|answer| answer.status().is_success()) }
        })
        .await;
        model
    }

    /// Its base URL, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for LanguageModel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
