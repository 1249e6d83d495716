//! A real LiteLLM proxy: the one users run. Its models are mocks (`tests/litellm/config.yaml`), except for a small one
//! that really runs (`tests/litellm/real_model.yaml`).

use std::{
    fs::File,
    process::{Child, Command, Stdio},
    sync::{Arc, Weak},
};

use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::{checkout, http, ports, required, waiting};

/// The proxy's master key.
pub const KEY: &str = "sk-test-master-key";

/// A running proxy; it ends when the last test that holds it does.
pub struct LiteLlm {
    child: std::sync::Mutex<Child>,
    port: u16,
    folder: TempDir,
}

impl LiteLlm {
    /// The proxy of this test process, started if no other test holds it.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<LiteLlm>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let started = Arc::new(Self::start("tests/litellm/config.yaml", &[]).await);
        *shared = Arc::downgrade(&started);
        started
    }

    /// A proxy of its own with the config at this path of the checkout, and these variables for it.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(config: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = ports::free();
        let log = File::create(folder.path().join("log")).expect("a log");
        let child = Command::new(required("ROUTING_TEST_VENV").join("bin/litellm"))
            .arg("--config")
            .arg(checkout().join(config))
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .envs(variables.iter().copied())
            .env("LITELLM_MASTER_KEY", KEY)
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("LiteLLM starts");
        let proxy = Self { child: std::sync::Mutex::new(child), port, folder };
        let url = format!("{}/health/liveliness", proxy.url());
        waiting::until("LiteLLM to be alive", || async {
            assert!(proxy.ended().is_none(), "LiteLLM ended:\n{}", proxy.log());
            http().get(&url).send().await.ok().filter(|answer| answer.status().is_success())
        })
        .await;
        proxy
    }

    fn ended(&self) -> Option<std::process::ExitStatus> {
        self.child.lock().expect("no panic while locked").try_wait().expect("a status")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The id of its process.
    ///
    /// # Panics
    /// If a test panicked while it looked after the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.lock().expect("no panic while locked").id()
    }

    /// Its base URL, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for LiteLlm {
    fn drop(&mut self) {
        // SIGKILL: after SIGTERM it waits for calls that hang on purpose.
        if let Ok(child) = self.child.get_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
