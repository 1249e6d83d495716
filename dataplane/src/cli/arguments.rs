//! What can be written on the command line, and the help that explains it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use crds::{pod::variable, variables::Variables};

use super::{brain, connect, evidence, hook, report, status};
use crate::rendering::renderer;

/// Serves skills (prompts) as MCP tools; a skill's pass rate decides whether a call goes to a local model or to Claude.
#[derive(Parser)]
#[command(name = "routing", version = crds::VERSION, args_conflicts_with_subcommands = true, after_help = MORE)]
pub struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) serve: ServeArgs,
}

/// Below the help of `routing`.
const MORE: &str = "\
Pass rate: passes / (passes + fails) of the outcomes that were reported for a skill, by default in the last 7 days.
Environment variables: see `routing serve --help` and `routing brain --help`.";

/// Below the help of `routing serve`.
const SERVE_VARIABLES: &str = "\
Environment:
  ROUTING_PORT                       Port of /mcp and /healthz [default: service.port of the policy, or 3210]
  ROUTING_ADMIN_PORT                 Port of /status, /metrics, /readyz and /livez [default: 3211]
  ROUTING_BIND                       Address of both ports [default: 0.0.0.0]
  ROUTING_WORKSPACE_ROOTS            Folders, separated by ':', below which skills may read files [default: none]
  SUPERVISOR_CONFIG_DIR              Folder of prompt files that replace the built-in ones
  RUST_LOG                           What is logged [default: info]
  ROUTING_LOG_FORMAT                 text or json [default: text]

Environment, with a policy file:
  ROUTING_SECRETS_DIR                Folder of the Secrets: DIR/<name>/<key>; if it does not exist, the variable <key>
                                     is read [default: /var/run/routing/secrets]

Environment, without a policy file (piguard and ingestion.supervisor are the project's first installation):
  ROUTING_MCP_TOKEN                  Token that callers must send [default: none is needed]
  LITELLM_BASE_URL                   OpenAI-compatible endpoint of both models [default: http://piguard:4000]
  LITELLM_API_KEY                    Key sent to it
  ROUTING_LOCAL_BASE_URL             Endpoint of the local model alone [default: that of both models]
  ROUTING_LOCAL_API_KEY              Key sent to it; LITELLM_API_KEY is not
  ROUTING_CLAUDE_BASE_URL            Endpoint of Claude alone [default: that of both models]
  ROUTING_CLAUDE_API_KEY             Key sent to it; LITELLM_API_KEY is not
  HYPERGUILD_LOCAL_MODEL             Name of the local model [default: qwen35]
  HYPERGUILD_CLAUDE_MODEL            Name of the Claude model [default: claude-sonnet-4-6]
  HYPERGUILD_ROUTE_LOCAL_FLOOR       Pass rate at or above which calls go to the local model [default: 0.90]
  HYPERGUILD_ROUTE_LOCAL_CEIL        Pass rate below which calls go to Claude [default: 0.70]
  HYPERGUILD_PASS_RATE_TTL_SECONDS   How long a pass rate is cached [default: 60]
  BRAIN_URL                          Address of the brain [default: http://ingestion.supervisor:3300]
  BRAIN_TOKEN                        Token sent to it";

/// Below the help of `routing brain`.
const BRAIN_VARIABLES: &str = "\
Environment:
  BRAIN_PORT           Port [default: 3300]
  BRAIN_BIND           Address [default: 0.0.0.0]
  BRAIN_DATABASE_URL   sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE [default: brain.db in $XDG_DATA_HOME/routing, or in ~/.local/share/routing]
  BRAIN_TOKEN          Token that callers of /mcp and /sessions must send [default: none is needed]
  RUST_LOG             What is logged [default: info]
  ROUTING_LOG_FORMAT   text or json [default: text]";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Serves the skills as MCP tools (the default command)
    #[command(after_help = SERVE_VARIABLES)]
    Serve(ServeArgs),
    /// Stores outcomes and serves pass rates; with a command, copies or backs up its database instead
    #[command(after_help = BRAIN_VARIABLES)]
    Brain(brain::BrainArgs),
    /// Validates policy files, without a cluster; exit code 1 if one is invalid
    Check(CheckArgs),
    /// Adds the data plane, and if asked the brain, to an MCP client's .mcp.json
    McpJson(McpJsonArgs),
    /// An MCP server on standard input and output, for a client to start beside a project: forwards to the data plane, and
    /// reads the files and changes that the caller names
    #[command(after_help = connect::VARIABLES)]
    Connect(connect::ConnectArgs),
    /// As mcp-json, with the address and the description of the project's first installation
    Mode(ModeArgs),
    /// Reports to the brain whether an answer passed or failed; pass rates are computed from that
    Outcome(OutcomeArgs),
    /// Shows the evidence that the brain has of skills, or begins that of a skill anew
    Evidence(evidence::EvidenceArgs),
    /// Shows where the calls of each skill go and why, and whether the models answer
    Status(status::StatusArgs),
    /// Shows what calls did and cost, how often answers were right, and what was saved
    Report(report::ReportArgs),
    /// Answers hooks: of Claude Code, for the plugin, and of Git
    Hook(hook::HookArgs),
    /// Runs a data plane and a brain in this process, with stand-in models unless LITELLM_BASE_URL is set
    Demo(DemoArgs),
    /// Renders one prompt, for `routing serve`
    #[command(name = renderer::COMMAND, hide = true)]
    RenderPrompt,
}

#[derive(Args)]
pub(super) struct ServeArgs {
    /// RoutingPolicy file; without one, variables such as LITELLM_BASE_URL apply [env: ROUTING_POLICY_FILE]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Folder with the ConfigMaps that the policy refers to: DIR/<name>/<key>
    #[arg(long, value_name = "DIR")]
    pub(super) configmaps: Option<PathBuf>,
}

impl ServeArgs {
    /// The policy file, from the argument or otherwise from the variable.
    pub(super) fn policy_file(&self, variables: &Variables) -> Option<PathBuf> {
        self.policy.clone().or_else(|| variables.get(variable::POLICY_FILE).map(Into::into))
    }
}

#[derive(Args)]
pub(super) struct CheckArgs {
    /// RoutingPolicy files
    #[arg(required = true, value_name = "POLICY")]
    pub(super) policies: Vec<PathBuf>,
    /// Folder with the ConfigMaps that the policy refers to: DIR/<name>/<key>
    #[arg(long, value_name = "DIR")]
    pub(super) configmaps: Option<PathBuf>,
    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

#[derive(Args)]
pub(super) struct McpJsonArgs {
    /// Address of the data plane's MCP endpoint
    #[arg(long, value_name = "URL", default_value = crate::mcp_json::LOCAL_URL)]
    pub(super) url: String,
    #[command(flatten)]
    pub(super) options: McpJsonOptions,
}

#[derive(Args)]
pub(super) struct ModeArgs {
    /// Kind of client
    #[arg(value_enum)]
    pub(super) mode: ModeName,
    /// Address of the data plane's MCP endpoint; koala is the project's first installation
    #[arg(long, value_name = "URL", default_value = crate::mcp_json::MODE_URL)]
    pub(super) url: String,
    #[command(flatten)]
    pub(super) options: McpJsonOptions,
}

/// What `mcp-json` and `mode` have in common.
#[derive(Args)]
pub(super) struct McpJsonOptions {
    /// File to update; other servers and keys in it are kept
    #[arg(long, value_name = "FILE", default_value = ".mcp.json")]
    pub(super) out: PathBuf,
    /// Name of the variable with the access token; the token is not written
    #[arg(long, value_name = "NAME")]
    pub(super) token_env: Option<String>,
    /// Address of the brain; adds it as a second server, so that outcomes can be reported
    #[arg(long, value_name = "URL")]
    pub(super) brain_url: Option<String>,
    /// Name of the variable with the brain's token; the token is not written
    #[arg(long, value_name = "NAME", requires = "brain_url")]
    pub(super) brain_token_env: Option<String>,
    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ModeName {
    /// It runs on its user's machine
    ClientLocal,
}

#[derive(Args)]
pub(super) struct OutcomeArgs {
    /// Skill that answered, for example debug
    #[arg(required_unless_present_any = ["commits", "reverts", "retract"])]
    pub(super) skill: Option<String>,
    /// Whether its answer was right (pass) or not (fail)
    #[arg(value_enum, required_unless_present_any = ["commits", "reverts", "retract"])]
    pub(super) outcome: Option<OutcomeName>,
    /// Id of the decision: decision_id in the answer's decision line
    #[arg(long, value_name = "ID")]
    pub(super) decision: Option<String>,
    /// Takes back what this --source reported on the decision; SKILL may be left out if the brain knows the decision
    #[arg(long, requires = "decision", conflicts_with_all = ["outcome", "new_skill", "commits", "reverts"])]
    pub(super) retract: bool,
    /// Who says so: human, ci, review, agent, check, grader or implicit [default: the brain's, agent]
    #[arg(long, value_name = "SOURCE")]
    pub(super) source: Option<String>,
    /// Id of the MCP client's session, as in the call's session_id; the outcome becomes one of its entries
    #[arg(long, value_name = "S")]
    pub(super) session: Option<String>,
    /// The brain knows nothing of the skill yet; without this, and unless it knows the decision, an unknown name is taken for
    /// a misspelt one
    #[arg(long)]
    pub(super) new_skill: bool,
    /// Reports, as source ci, on all decisions that commits of the range name in trailers `Routing-Decision: ID`
    #[arg(long, value_name = "RANGE", requires = "ci", conflicts_with_all = ONE_OUTCOME)]
    pub(super) commits: Option<String>,
    /// With --commits: whether the tests of these commits passed
    #[arg(long, value_enum, requires = "commits")]
    pub(super) ci: Option<CiResult>,
    /// Reports fail, as source ci, on the decisions that commits name which were reverted in the range
    #[arg(long, value_name = "RANGE", conflicts_with_all = ONE_OUTCOME, conflicts_with = "commits")]
    pub(super) reverts: Option<String>,
    /// Address of the brain; BRAIN_TOKEN holds its token [env: BRAIN_URL] [default: the first installation's]
    #[arg(long, value_name = "URL")]
    pub(super) brain_url: Option<String>,
    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// The arguments that tell of one outcome: commits tell of many.
const ONE_OUTCOME: [&str; 6] = ["skill", "outcome", "decision", "source", "session", "new_skill"];

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum CiResult {
    Pass,
    Fail,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum OutcomeName {
    Pass,
    Fail,
}

#[derive(Args)]
pub(super) struct DemoArgs {
    /// Adds example outcomes, so that the skills take different routes; in a database of their own
    #[arg(long)]
    pub(super) with_examples: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    #[default]
    Text,
    /// For scripts
    Json,
}
