//! Which clients are tested, and what each of them is shown to do: `docs/clients.md` is this table.

use crate::drivers::Driver;

/// How it is shown that a client does something.
pub enum Shown {
    /// By `main.rs`.
    Here,
    /// By the test of this name.
    By(&'static str),
    /// Not at all: why.
    Not(&'static str),
}

/// What a client does: a column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    List,
    Call,
    Progress,
    ToolError,
    Refused,
    Cancel,
}

impl Deed {
    pub const ALL: [Self; 6] = [Self::List, Self::Call, Self::Progress, Self::ToolError, Self::Refused, Self::Cancel];

    /// The head of its column.
    pub fn title(self) -> &'static str {
        match self {
            Self::List => "lists",
            Self::Call => "calls",
            Self::Progress => "gets progress",
            Self::ToolError => "gets a skill's error",
            Self::Refused => "shows a 401",
            Self::Cancel => "cancels",
        }
    }
}

/// A client: a row of the table.
pub struct Client {
    /// The name of its skill.
    pub skill: &'static str,
    pub name: &'static str,
    /// The file that pins its version, and what is in front of the version there.
    pub pin: (&'static str, &'static str),
    pub protocol: &'static str,
    /// How `main.rs` runs it; none if other tests do.
    pub driver: Option<Driver>,
    /// What it says when it has no token; empty if other tests check that.
    pub refused: &'static str,
    /// In the order of [`Deed::ALL`].
    pub deeds: [Shown; 6],
}

impl Client {
    pub fn shown(&self, deed: Deed) -> &Shown {
        &self.deeds[deed as usize]
    }
}

const TYPESCRIPT: (&str, &str) = ("tests/clients/package.json", r#""@modelcontextprotocol/client": ""#);
const PYTHON: (&str, &str) = ("tests/clients/requirements.txt", "mcp==");
const INSPECTOR: (&str, &str) = ("tests/clients/inspection/package.json", r#""@modelcontextprotocol/inspector": ""#);
const RMCP: (&str, &str) = ("Cargo.toml", r#"rmcp = { version = "="#);
const STATELESS: &str = "2026-07-28";
const INITIALIZE: &str = "2025-11-25";
const OUR_WORDS: &str = "unauthorized: send Authorization: Bearer with a valid token";

use Shown::{By, Here, Not};

const ALL_HERE: [Shown; 6] = [Here, Here, Here, Here, Here, Here];
const OF_THE_INSPECTOR: [Shown; 6] = [Here, Here, Not("it asks for no progress and prints none"), Here, Here, Here];

pub static CLIENTS: [Client; 14] = [
    Client {
        skill: "typescript",
        name: "TypeScript SDK, version 2, `auto`",
        pin: TYPESCRIPT,
        protocol: STATELESS,
        driver: Some(Driver::TypeScript("auto")),
        refused: OUR_WORDS,
        deeds: ALL_HERE,
    },
    Client {
        skill: "typescript-default",
        name: "TypeScript SDK, version 2, as it comes",
        pin: TYPESCRIPT,
        protocol: INITIALIZE,
        driver: Some(Driver::TypeScript("default")),
        refused: OUR_WORDS,
        deeds: ALL_HERE,
    },
    Client {
        skill: "typescript-1",
        name: "TypeScript SDK, version 1",
        pin: ("tests/clients/package.json", r#""@modelcontextprotocol/sdk": ""#),
        protocol: INITIALIZE,
        driver: Some(Driver::TypeScript("v1")),
        refused: OUR_WORDS,
        deeds: ALL_HERE,
    },
    Client {
        skill: "mcp-remote",
        name: "`mcp-remote`, for clients that only start programs",
        pin: ("tests/clients/package.json", r#""mcp-remote": ""#),
        protocol: INITIALIZE,
        driver: Some(Driver::TypeScript("remote")),
        refused: "routing has no sign-in: send the header Authorization: Bearer TOKEN",
        deeds: ALL_HERE,
    },
    Client {
        skill: "python",
        name: "Python SDK, `auto`",
        pin: PYTHON,
        protocol: STATELESS,
        driver: Some(Driver::Python("auto")),
        refused: OUR_WORDS,
        deeds: ALL_HERE,
    },
    Client {
        skill: "python-legacy",
        name: "Python SDK, `legacy`",
        pin: PYTHON,
        protocol: INITIALIZE,
        driver: Some(Driver::Python("legacy")),
        refused: OUR_WORDS,
        deeds: ALL_HERE,
    },
    Client {
        skill: "fastmcp",
        name: "fastmcp",
        pin: ("tests/clients/fastmcp/requirements.txt", "fastmcp=="),
        protocol: STATELESS,
        driver: Some(Driver::FastMcp),
        refused: OUR_WORDS,
        deeds: ALL_HERE,
    },
    Client {
        skill: "go",
        name: "Go SDK",
        pin: ("tests/clients/go/go.mod", "require github.com/modelcontextprotocol/go-sdk v"),
        protocol: STATELESS,
        driver: Some(Driver::Go),
        refused: "Unauthorized",
        deeds: ALL_HERE,
    },
    Client {
        skill: "rmcp",
        name: "rmcp (Rust), `Discover`",
        pin: RMCP,
        protocol: STATELESS,
        driver: Some(Driver::Rmcp { initialize: false }),
        refused: "AuthRequired",
        deeds: ALL_HERE,
    },
    Client {
        skill: "rmcp-initialize",
        name: "rmcp (Rust), `Initialize`",
        pin: RMCP,
        protocol: INITIALIZE,
        driver: Some(Driver::Rmcp { initialize: true }),
        refused: "AuthRequired",
        deeds: ALL_HERE,
    },
    Client {
        skill: "inspector",
        name: "MCP inspector, `--cli`",
        pin: INSPECTOR,
        protocol: INITIALIZE,
        driver: Some(Driver::Inspector(&[])),
        refused: "auth_required",
        deeds: OF_THE_INSPECTOR,
    },
    Client {
        skill: "inspector-auto",
        name: "MCP inspector, `--cli --protocol-era auto`",
        pin: INSPECTOR,
        protocol: STATELESS,
        driver: Some(Driver::Inspector(&["--protocol-era", "auto"])),
        refused: "auth_required",
        deeds: OF_THE_INSPECTOR,
    },
    Client {
        skill: "claude-code",
        name: "Claude Code",
        pin: ("tests/clients/package.json", r#""@anthropic-ai/claude-code": ""#),
        protocol: STATELESS,
        driver: None,
        refused: "",
        deeds: [
            By("the_model_sees_what_the_skills_are_for_from_the_start_unless_the_policy_says_otherwise"),
            By("the_model_gets_the_answer_and_the_decision_and_the_record_has_the_id_of_its_call"),
            By("a_call_that_reports_progress_is_waited_for_longer_than_a_silent_one"),
            By("wrong_arguments_are_an_error_in_our_words_to_the_model_which_can_call_again"),
            By("a_wrong_token_is_reported_in_our_words_to_the_model_and_by_mcp_list"),
            By("escape_in_a_terminal_ends_the_call_at_our_server"),
        ],
    },
    Client {
        skill: "codex",
        name: "Codex",
        pin: ("tests/clients/package.json", r#""@openai/codex": ""#),
        protocol: "2025-06-18",
        driver: None,
        refused: "",
        deeds: [
            By("its_model_is_told_of_the_skills_calls_one_and_gets_the_decision_first"),
            By("its_model_is_told_of_the_skills_calls_one_and_gets_the_decision_first"),
            Not("it shows none"),
            By("wrong_arguments_are_told_to_its_model_in_our_words"),
            By("a_wrong_token_and_a_server_that_is_away_leave_it_without_the_skills"),
            By("its_end_in_a_call_ends_the_model_call"),
        ],
    },
];
