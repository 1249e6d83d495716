//! What a policy is compiled into: everything that a call needs, checked and parsed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Map, Value};
use url::Url;

use crate::{
    answer_check::AnswerCheck,
    arguments::{ArgumentSchema, refused_by_clients},
    policy::{
        Attach, CheckCounts, DecisionLine, EvidenceOf, ExplorationMode, GradedBy, OnExpired, OnFailedCheck,
        OnLocalError, RelativeTo, RouteMode, RouteStatus, SecretKeyRef, Source,
    },
    template::Template,
};

/// A compiled policy. Immutable: a changed policy becomes a new table, and calls in flight keep the old one.
#[derive(Debug)]
pub struct RoutingTable {
    /// The local model and how to reach it.
    pub local: ModelTarget,
    /// Claude and how to reach it, or the caller.
    pub claude: ClaudeTarget,
    /// The model that judges answers of skills with `grading.by: Grader`.
    pub grader: Option<ModelTarget>,
    /// The brain and how to reach it; none: there are no pass rates.
    pub brain: Option<BrainTarget>,
    /// How pass rates are queried, cached and held.
    pub evidence: EvidenceRules,
    /// Which calls go against the pass rate.
    pub exploration: ExplorationRules,
    /// Which answers the brain keeps; none: no answer.
    pub review: Option<ReviewRules>,
    /// The skills by name.
    pub skills: BTreeMap<String, Arc<Skill>>,
    /// Whether clients are asked to show the skills to their model from the start.
    pub always_load: bool,
    /// Who may call: tokens, origins, hosts.
    pub access: AccessRules,
    /// Most calls worked on at the same time; further ones are refused.
    pub in_flight: usize,
    /// Whether answers carry the line with the decision's id.
    pub decision_line: DecisionLine,
    /// Port of `/mcp` and `/healthz`.
    pub port: u16,
}

/// A model and how to reach it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelTarget {
    /// The value of `model` in the request.
    pub model: String,
    /// The endpoint's `…/v1/chat/completions`.
    pub url: Url,
    /// Where the API key is that is sent as bearer token; none: no key is sent.
    pub api_key: Option<SecretKeyRef>,
    /// PEM certificates of a private authority, trusted in addition to the public ones.
    pub ca_bundle: Option<String>,
    /// Fields merged into the request.
    pub parameters: Map<String, Value>,
    /// Longest attempt; none: what is left of the call's budget.
    pub timeout: Option<Duration>,
    /// Most calls at the same time, at least 1; none: no limit.
    pub max_concurrent: Option<usize>,
    /// What it costs; none: not known.
    pub price: Option<TokenPrice>,
}

/// What tokens cost, in millionths of a US dollar per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenPrice {
    /// Tokens of prompts.
    pub input: u64,
    /// Tokens of answers.
    pub output: u64,
    /// Tokens of prompts that the provider had cached.
    pub cached: u64,
}

/// Who does what the local model does not do.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaudeTarget {
    /// A model.
    Model(Box<ModelTarget>),
    /// Whoever calls: the work is returned, and no model is called.
    Caller,
}

impl ClaudeTarget {
    /// Stands for the caller where a model is named: in records, at the brain, in reports.
    pub const CALLER: &str = "caller";

    /// The model; none: the caller does the work.
    #[must_use]
    pub fn model(&self) -> Option<&ModelTarget> {
        match self {
            Self::Model(target) => Some(target),
            Self::Caller => None,
        }
    }

    /// The model's name, or what stands for the caller.
    #[must_use]
    pub fn name(&self) -> &str {
        self.model().map_or(Self::CALLER, |target| &target.model)
    }
}

/// What [`ModelTarget::url`] ends in.
pub(crate) const CHAT_COMPLETIONS: &str = "/chat/completions";

impl ModelTarget {
    /// The endpoint's `…/v1/models`, which lists its models.
    #[must_use]
    pub fn models_url(&self) -> Url {
        let mut url = self.url.clone();
        let path = url.path();
        let prefix = path.strip_suffix(CHAT_COMPLETIONS).unwrap_or(path.trim_end_matches('/'));
        url.set_path(&format!("{prefix}/models"));
        url
    }
}

/// The brain and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrainTarget {
    /// Base URL; `/pass-rate` and `/mcp` are appended.
    pub url: Url,
    /// Where the bearer token is; none: no token is sent.
    pub token: Option<SecretKeyRef>,
}

/// How pass rates are queried, cached and held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceRules {
    /// Whose outcomes count.
    pub of: EvidenceOf,
    /// Which verdicts count, with `of: Model`; at least one, strongest first.
    pub sources: Vec<Source>,
    /// The period whose outcomes count, for example `7d`; passed to the brain as written.
    pub window: String,
    /// How long a pass rate is cached.
    pub ttl: Duration,
    /// With fewer samples than this a skill has no pass rate.
    pub min_samples: u64,
    /// What counts once the window holds fewer, with `of: Model`.
    pub on_expired: OnExpired,
    /// How long the last known pass rate is used while the brain cannot be reached.
    pub hold_for: Duration,
}

/// Which calls go against the pass rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExplorationRules {
    /// What becomes of those that explore the local model; `Off`: there are none, of either kind.
    pub mode: ExplorationMode,
    /// Part of the calls that the pass rate sends to Claude, from 0 to 1.
    pub share: f64,
    /// Part of the calls that would stay local, from 0 to 1.
    pub claude_share: f64,
}

/// Which answers the brain keeps, and how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReviewRules {
    /// How long.
    pub keep: Duration,
    /// Part of the answers, more than 0 and at most 1.
    pub share: f64,
}

impl EvidenceRules {
    /// The sources that count for a skill, strongest first: those listed, without a grader that the policy does not trust
    /// for this skill. Empty: none.
    #[must_use]
    pub fn sources_of(&self, skill: &Skill) -> Vec<Source> {
        let counts = |source: &Source| *source != Source::Grader || skill.counts_gradings();
        self.sources.iter().copied().filter(counts).collect()
    }

    /// Whether the brain is told which sources count for a skill; otherwise the query is the contract's.
    #[must_use]
    pub fn names_sources_of(&self, skill: &Skill) -> bool {
        self.of == EvidenceOf::Model || skill.grading.is_some()
    }
}

impl ExplorationRules {
    /// No call goes against the pass rate.
    pub const OFF: Self = Self { mode: ExplorationMode::Off, share: 0.0, claude_share: 0.0 };
}

/// Floor and ceil as numbers, `0 <= ceil <= floor <= 1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThresholdValues {
    /// At or above this pass rate: local.
    pub floor: f64,
    /// Below this pass rate: Claude.
    pub ceil: f64,
}

impl ThresholdValues {
    /// Both from 0 to 1; none: ceil is above floor.
    #[must_use]
    pub fn new(floor: f64, ceil: f64) -> Option<Self> {
        (ceil <= floor).then_some(Self { floor, ceil })
    }

    /// Where a pass rate sends calls (`contract`, part 2).
    #[must_use]
    pub fn route(self, pass_rate: f64) -> RouteStatus {
        match pass_rate {
            rate if rate >= self.floor => RouteStatus::Local,
            rate if rate < self.ceil => RouteStatus::Claude,
            _ => RouteStatus::Split,
        }
    }
}

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallTimeouts {
    /// The local model's attempts of all stages.
    pub local: Duration,
    /// The whole call: all stages, and both attempts of each stage.
    pub total: Duration,
}

/// A skill, ready to serve.
#[derive(Debug)]
pub struct Skill {
    /// Name of the tool.
    pub name: String,
    /// What the skill does and when to use it; the calling model reads this.
    pub description: String,
    /// Its name for people.
    pub title: String,
    /// When to use it, and when not; none: the description says it.
    pub when_to_use: Option<String>,
    /// The JSON Schema of the arguments, as `tools/list` shows it.
    pub input_schema: Arc<Map<String, Value>>,
    /// The same schema, compiled for checking a call's arguments.
    pub arguments: ArgumentSchema,
    /// The arguments that a client beside the project fills.
    pub attach: Vec<Attach>,
    /// How long a call may take.
    pub timeouts: CallTimeouts,
    /// The model calls, at least one.
    pub stages: Vec<Stage>,
    /// The skill's own thresholds, or else the policy's.
    pub thresholds: ThresholdValues,
    /// What these are measured by.
    pub relative_to: RelativeTo,
    /// By pass rate, or pinned to one model.
    pub route: RouteMode,
    /// What happens if the local model fails.
    pub on_local_error: OnLocalError,
    /// The check of each answer; none: answers are not checked.
    pub check: Option<SkillCheck>,
    /// Which answers a model judges; none: no answer.
    pub grading: Option<GradingRules>,
}

impl Skill {
    /// Whether callers see the same tool in both.
    fn is_listed_as(&self, other: &Self) -> bool {
        let shown = |skill: &Self| (skill.name.clone(), skill.title.clone(), skill.when_to_use.clone());
        shown(self) == shown(other)
            && self.description == other.description
            && self.input_schema == other.input_schema
            && self.attach == other.attach
    }

    /// Whether a stage, counted from 0, is the last one, whose answer the caller gets.
    #[must_use]
    pub fn is_last(&self, stage: usize) -> bool {
        stage + 1 == self.stages.len()
    }

    /// Whether what a model that judges says counts for the skill's pass rate: only if the policy says so.
    #[must_use]
    pub fn counts_gradings(&self) -> bool {
        self.grading.as_ref().is_some_and(|grading| grading.counts)
    }
}

/// A skill's check of its answers, and what follows from it.
#[derive(Debug)]
pub struct SkillCheck {
    /// The check itself.
    pub check: AnswerCheck,
    /// Which results are reported as outcomes.
    pub counts: CheckCounts,
    /// What happens if an answer of the local model fails it.
    pub on_failed: OnFailedCheck,
}

/// Which answers of a skill a model judges, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct GradingRules {
    /// Share of the answers, from 0 to 1.
    pub share: f64,
    /// Most judgements in an hour.
    pub max_per_hour: usize,
    /// What makes an answer good.
    pub rubric: String,
    /// The judging model.
    pub by: GradedBy,
    /// Whether the judgements count for the pass rate.
    pub counts: bool,
}

/// One model call of a skill.
#[derive(Debug)]
pub struct Stage {
    /// The system prompt, sent unchanged. Shared with the calls in flight.
    pub system: Arc<str>,
    /// The template of the user prompt.
    pub user: Template,
}

/// Who may call: tokens, origins, hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessRules {
    /// The callers' names and where their tokens are; empty: callers need no token.
    pub tokens: Vec<(String, SecretKeyRef)>,
    /// Origins that may call in addition to loopback ones, in lower case.
    pub origins: Vec<String>,
    /// Hosts under which the endpoint may be called, in lower case; empty: any.
    pub hosts: Vec<String>,
}

impl RoutingTable {
    /// The models that are called, with their names in the policy.
    pub fn models(&self) -> impl Iterator<Item = (&'static str, &ModelTarget)> {
        [("local", Some(&self.local)), ("claude", self.claude.model()), ("grader", self.grader.as_ref())]
            .into_iter()
            .filter_map(|(name, model)| Some((name, model?)))
    }

    /// Whether both tables list the same tools for callers.
    #[must_use]
    pub fn offers_the_same_tools_as(&self, other: &Self) -> bool {
        let same = |(a, b): (&Arc<Skill>, &Arc<Skill>)| a.is_listed_as(b);
        self.always_load == other.always_load
            && self.skills.len() == other.skills.len()
            && self.skills.values().zip(other.skills.values()).all(same)
    }

    /// The longest that a call of any skill may take.
    #[must_use]
    pub fn longest_call(&self) -> Duration {
        self.skills.values().map(|skill| skill.timeouts.total).max().unwrap_or_default()
    }

    /// What keeps some clients from using a skill, a sentence each. The policy can run all the same.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let of_skill = |skill: &Arc<Skill>| {
            let keywords: Vec<&str> = refused_by_clients(&skill.input_schema).collect();
            (!keywords.is_empty()).then(|| {
                format!(
                    "skill {}: inputSchema has {} at its top level, which MCP allows and model APIs refuse with the \
                    whole request: clients rewrite such a tool, leave it out, or fail; move it into a property",
                    skill.name,
                    keywords.join(" and ")
                )
            })
        };
        self.skills.values().filter_map(of_skill).collect()
    }

    /// Every Secret key that the table refers to.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretKeyRef> {
        let models = self.models().filter_map(|(_, target)| target.api_key.as_ref());
        let brain = self.brain.iter().filter_map(|brain| brain.token.as_ref());
        models.chain(brain).chain(self.access.tokens.iter().map(|(_, secret)| secret))
    }
}
