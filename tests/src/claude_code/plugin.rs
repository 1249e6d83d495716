//! Plugins of a marketplace that is a folder.

use std::path::Path;

use serde_json::Value;

use super::ClaudeCode;

impl ClaudeCode {
    /// Installs a plugin from a marketplace's folder, with values for its `userConfig`.
    ///
    /// # Panics
    /// If Claude Code refuses one or the other.
    pub async fn install_plugin(&self, marketplace: &Path, plugin: &str, config: &[(&str, &str)]) {
        self.must(&["plugin", "marketplace", "add", &marketplace.display().to_string()]).await;
        let full_name = format!("{plugin}@{}", name_of(marketplace));
        let values: Vec<String> = config.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let options = values.iter().flat_map(|value| ["--config", value]);
        let arguments: Vec<&str> = ["plugin", "install", &full_name].into_iter().chain(options).collect();
        self.must(&arguments).await;
    }

    /// Brings a plugin to the version that its marketplace's folder has now; what Claude Code says.
    ///
    /// # Panics
    /// If Claude Code refuses.
    pub async fn update_plugin(&self, marketplace: &Path, plugin: &str) -> String {
        let market = name_of(marketplace);
        self.must(&["plugin", "marketplace", "update", &market]).await;
        self.must(&["plugin", "update", &format!("{plugin}@{market}")]).await
    }

    async fn must(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments).await;
        // The values may be secret.
        let command = &arguments[..arguments.len().min(3)];
        assert!(ended.status.success(), "{command:?}:\n{}\n{}", ended.stdout, ended.stderr);
        ended.stdout
    }
}

/// The name that a marketplace has given itself.
fn name_of(marketplace: &Path) -> String {
    let file = marketplace.join(".claude-plugin/marketplace.json");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let market: Value = serde_json::from_str(&text).expect("JSON");
    market["name"].as_str().expect("a name").into()
}
