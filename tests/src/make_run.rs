//! `make run`, as a user starts it.

use tempfile::TempDir;

use crate::{checkout, documented::InBackground, ports, waiting};

/// Where `make run` listens.
#[derive(Clone, Copy)]
pub struct Ports {
    /// The data plane's `/mcp`.
    pub mcp: u16,
    /// Its admin port.
    pub admin: u16,
    /// The brain.
    pub brain: u16,
}

impl Ports {
    /// Ports that nothing listens on.
    #[must_use]
    pub fn free() -> Self {
        Self { mcp: ports::free(), admin: ports::free(), brain: ports::free() }
    }

    /// The variables that set them.
    #[must_use]
    pub fn variables(self) -> Vec<(String, String)> {
        let names = [("ROUTING_PORT", self.mcp), ("ROUTING_ADMIN_PORT", self.admin), ("BRAIN_PORT", self.brain)];
        names.map(|(name, port)| (name.into(), port.to_string())).into()
    }

    /// A text with these ports instead of the default ones.
    #[must_use]
    pub fn put_into(self, text: &str) -> String {
        let ports = [(3210, self.mcp), (3211, self.admin), (3300, self.brain)];
        ports.iter().fold(text.to_string(), |text, (default, port)| {
            text.replace(&format!("127.0.0.1:{default}"), &format!("127.0.0.1:{port}"))
        })
    }
}

/// A running `make run`; it is killed when this is dropped.
pub struct MakeRun {
    make: InBackground,
    /// Holds its database.
    _folder: TempDir,
    /// Where it listens.
    pub ports: Ports,
}

impl MakeRun {
    /// Starts it with these `ARGS` and variables, and waits until it greets.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(arguments: &str, variables: &[(&str, &str)]) -> Self {
        Self::command(&format!("make run ARGS={arguments}"), variables).await
    }

    /// The same for the whole command.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn command(command: &str, variables: &[(&str, &str)]) -> Self {
        let (folder, ports) = (tempfile::tempdir().expect("a folder"), Ports::free());
        // The variables that cargo sets for a test would make the cargo of `make run` rebuild everything.
        let of_cargo = |name: &str| name.starts_with("CARGO") && !["CARGO_HOME", "CARGO_TARGET_DIR"].contains(&name);
        let left_out = |name: &str| of_cargo(name) || ["MAKEFLAGS", "LITELLM_BASE_URL"].contains(&name);
        let mut all: Vec<(String, String)> = std::env::vars().filter(|(name, _)| !left_out(name)).collect();
        all.extend(variables.iter().map(|(name, text)| ((*name).into(), (*text).into())));
        all.extend(ports.variables());
        // Never that of whoever runs the tests.
        all.push(("BRAIN_DATABASE_URL".into(), format!("sqlite:{}", folder.path().join("brain.db").display())));
        let make = InBackground::start(command, &checkout(), &all);
        let mut running = Self { make, _folder: folder, ports };
        running.wait_until_it_greets().await;
        running
    }

    async fn wait_until_it_greets(&mut self) {
        waiting::until_true("the greeting of make run", || {
            std::future::ready(self.make.printed().contains("Ctrl-C ends it"))
        })
        .await;
    }

    /// What it has printed so far.
    ///
    /// # Panics
    /// If it has ended.
    pub fn printed(&mut self) -> String {
        self.make.printed()
    }

    /// The URL of its `/mcp`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.ports.mcp)
    }

    /// The printed line with this text.
    ///
    /// # Panics
    /// If there is none.
    pub fn line(&mut self, part: &str) -> String {
        let printed = self.printed();
        let line = printed.lines().map(str::trim).find(|line| line.contains(part));
        line.unwrap_or_else(|| panic!("no line {part}:\n{printed}")).to_string()
    }

    /// Ctrl-C: interrupts it and waits until it has ended.
    pub async fn interrupt(&mut self) {
        self.make.signal("INT");
        waiting::until_true("the end of make run", || std::future::ready(self.make.has_ended())).await;
    }
}
