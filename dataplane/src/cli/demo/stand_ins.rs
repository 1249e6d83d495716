//! Which of the demo's models are stand-ins: those for which no variable names an endpoint.

use crds::variables::Variables;

use crate::{
    demo::stand_in,
    settings::environment::{CLAUDE_BASE_URL, CLAUDE_MODEL, LITELLM_BASE_URL, LOCAL_BASE_URL, LOCAL_MODEL},
};

/// The stand-ins of a demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StandIns {
    /// Both models are real.
    Neither,
    /// The local model is real.
    ForClaude,
    /// Claude is real.
    ForLocal,
    /// No model is real.
    ForBoth,
}

impl StandIns {
    pub(super) fn of(variables: &Variables) -> Self {
        let is_real = |own| [own, LITELLM_BASE_URL].iter().any(|name| variables.get(name).is_some());
        match (is_real(LOCAL_BASE_URL), is_real(CLAUDE_BASE_URL)) {
            (true, true) => Self::Neither,
            (true, false) => Self::ForClaude,
            (false, true) => Self::ForLocal,
            (false, false) => Self::ForBoth,
        }
    }

    /// The variables with the models' names, and the names of those that are stand-ins.
    pub(super) fn names(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let (local, claude) = match self {
            Self::Neither => (false, false),
            Self::ForClaude => (false, true),
            Self::ForLocal => (true, false),
            Self::ForBoth => (true, true),
        };
        let all = [(local, LOCAL_MODEL, stand_in::LOCAL), (claude, CLAUDE_MODEL, stand_in::CLAUDE)];
        all.into_iter().filter(|(is_one, ..)| *is_one).map(|(_, variable, name)| (variable, name))
    }

    /// File with the outcomes, beside that of real models; none: they belong there.
    pub(super) fn database(self) -> Option<&'static str> {
        match self {
            Self::Neither => None,
            Self::ForClaude => Some("demo-real-local.db"),
            Self::ForLocal => Some("demo-real-claude.db"),
            Self::ForBoth => Some("demo.db"),
        }
    }

    /// The models, for the greeting.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Neither => "those of your variables",
            Self::ForClaude => {
                "local: the one at ROUTING_LOCAL_BASE_URL; Claude: a stand-in, demo-claude: no language model runs; \
                 set ROUTING_CLAUDE_BASE_URL for a real one"
            }
            Self::ForLocal => {
                "local: a stand-in, demo-local: no language model runs; set ROUTING_LOCAL_BASE_URL for a real one; \
                 Claude: the one at ROUTING_CLAUDE_BASE_URL"
            }
            Self::ForBoth => {
                "two stand-ins, demo-local and demo-claude: no language model runs; set LITELLM_BASE_URL for real ones"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_without_an_endpoint_is_a_stand_in() {
        for (set, expected) in [
            (&[][..], StandIns::ForBoth),
            (&[LITELLM_BASE_URL], StandIns::Neither),
            (&[LOCAL_BASE_URL], StandIns::ForClaude),
            (&[CLAUDE_BASE_URL], StandIns::ForLocal),
            (&[LOCAL_BASE_URL, CLAUDE_BASE_URL], StandIns::Neither),
            (&[LITELLM_BASE_URL, CLAUDE_BASE_URL], StandIns::Neither),
        ] {
            let variables: Variables = set.iter().map(|name| (*name, "http://llm:8080")).collect();
            assert_eq!(StandIns::of(&variables), expected, "{set:?}");
        }
    }
}
