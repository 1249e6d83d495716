//! Where a hook finds the brain: the options of the plugin, or else the variables of the other commands.

use crds::{pod::ADMIN_PORT, variables::Variables};

/// How Claude Code names the options of a plugin for its hooks; one that is left at its default has no variable.
const OPTION: &str = "CLAUDE_PLUGIN_OPTION_";
const BRAIN_URL: &str = "http://127.0.0.1:3300";

/// How Claude Code was started; `claude -p` prints only the last reply, which must not be that to a question of ours.
const ENTRYPOINT: &str = "CLAUDE_CODE_ENTRYPOINT";
const OF_A_SCRIPT: &str = "sdk";

/// The settings of the hooks.
pub(super) struct Settings {
    pub(super) brain_url: String,
    /// As the commands read it.
    pub(super) brain_token: Option<String>,
    /// The data plane's admin port, for its status.
    pub(super) admin_url: String,
    /// Whether the model may be asked.
    pub(super) ask: bool,
}

impl Settings {
    pub(super) fn of(variables: &Variables) -> Self {
        let option = |name: &str| variables.filled_in(&format!("{OPTION}{name}"));
        let brain_url = option("BRAIN_URL").or_else(|| variables.get("BRAIN_URL")).unwrap_or(BRAIN_URL);
        let brain_token = option("BRAIN_TOKEN").or_else(|| variables.get("BRAIN_TOKEN"));
        let admin_url = option("ADMIN_URL").map_or_else(|| format!("http://127.0.0.1:{ADMIN_PORT}"), Into::into);
        let wanted = option("ASK").is_none_or(|ask| !matches!(ask, "false" | "0" | "no"));
        let ask = wanted && !variables.get(ENTRYPOINT).is_some_and(|from| from.starts_with(OF_A_SCRIPT));
        Self { brain_url: brain_url.into(), brain_token: brain_token.map(Into::into), admin_url, ask }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Settings {
        Settings::of(&variables.iter().copied().collect())
    }

    #[test]
    fn the_plugins_options_come_before_the_variables_of_other_commands_and_these_before_the_defaults() {
        let none = of(&[]);
        assert_eq!((&*none.brain_url, none.brain_token, none.ask), (BRAIN_URL, None, true));
        let variables = [("BRAIN_URL", "http://b"), ("BRAIN_TOKEN", "t")];
        let settings = of(&variables);
        assert_eq!((&*settings.brain_url, settings.brain_token.as_deref()), ("http://b", Some("t")));
        let options = [
            ("CLAUDE_PLUGIN_OPTION_BRAIN_URL", "http://o"),
            ("CLAUDE_PLUGIN_OPTION_BRAIN_TOKEN", "${user_config.brain_token}"),
            ("CLAUDE_PLUGIN_OPTION_ASK", "false"),
        ];
        let settings = of(&[&variables[..], &options].concat());
        assert_eq!(
            (&*settings.brain_url, settings.brain_token.as_deref(), settings.ask),
            ("http://o", Some("t"), false)
        );
        assert_eq!(["cli", "sdk-cli", "sdk-py"].map(|from| of(&[(ENTRYPOINT, from)]).ask), [true, false, false]);
    }
}
