//! What a hook asks: the brain, Git, the data plane's admin port.

use std::{future::Future, path::Path, time::Duration};

use crds::{shown::printable, variables::Variables};
use serde_json::Value;

use super::{git, settings::Settings};
use crate::{
    bounded_file,
    brain_client::{BrainError, KnownSkill},
    cli::{
        aligned::{aligned, rate},
        brain_at::BrainAt,
        outcome::{LOGGED, OutcomeEntry},
        status,
    },
    clock,
    hook::{Facts, Report, State, Wanted, last_decision},
    verdict::OUTCOME,
};

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most calls in the background that are asked about at once.
const PENDING_MAX: usize = 8;
/// Longest text of the brain that is shown, in characters.
const SHOWN: usize = 400;
/// Longest id of a session that is sent, in characters.
const SESSION_MAX: usize = 256;
/// Largest `.mcp.json` that is read, in bytes.
const MCP_JSON_MAX: u64 = 1024 * 1024;

/// The brain, for one session.
pub(super) struct Asked {
    brain: BrainAt,
    admin_url: String,
    ask: bool,
    session: String,
}

impl Asked {
    pub(super) fn new(settings: &Settings, session: &str) -> Result<Self, String> {
        let token = settings.brain_token.iter().map(|token| ("BRAIN_TOKEN", token.clone()));
        let variables: Variables = token.collect();
        let unusable = |_| {
            let shown = crds::shown::url(&settings.brain_url);
            format!("the plugin's brain_url, {shown}, must be an http or https URL")
        };
        let brain = BrainAt::in_a_hurry(&settings.brain_url, &variables).map_err(unusable)?;
        let plain = session.chars().count() <= SESSION_MAX && printable(session, SESSION_MAX) == session;
        let session = if plain { session.into() } else { String::new() };
        Ok(Self { brain, admin_url: settings.admin_url.clone(), ask: settings.ask, session })
    }

    /// What is known of what is wanted.
    pub(super) async fn facts(&self, wanted: &Wanted, state: &State) -> Facts {
        let mut facts = Facts { now_ms: clock::now_ms(), ask: self.ask, ..Facts::default() };
        if let Some(call) = &wanted.on_its_way {
            let known = self.within(self.brain.client.decisions_of_call_on_their_way(call)).await;
            // Waiting again for what never comes holds the session up as much.
            facts.away = known.as_ref().is_ok_and(Vec::is_empty);
            facts.calls.insert(call.clone(), known);
        }
        for call in wanted.pending.iter().rev().take(PENDING_MAX) {
            // One silence is enough.
            if facts.calls.values().any(Result::is_err) {
                break;
            }
            facts.calls.insert(call.clone(), self.within(self.brain.client.decisions_of_call(call)).await);
        }
        if wanted.verdicts
            && let Some(decision) = last_decision(state, &facts)
        {
            let known = self.within(self.brain.client.decision(&decision)).await;
            facts.away |= known.is_err();
            facts.verdicts = known.ok().flatten().map(|known| known.verdicts);
        }
        if wanted.reverted {
            facts.reverted = self.reverted().await;
        }
        if wanted.status {
            facts.status = self.status().await;
        }
        facts.away |= facts.calls.values().any(Result::is_err);
        facts.second_server = wanted.second_server && has_second_server(Path::new(".mcp.json"));
        facts
    }

    /// Sends a verdict; returns what changed, or why it was not taken.
    pub(super) async fn report(&self, report: &Report) -> Result<String, String> {
        let right = report.verdict.right;
        let final_status = if right { "pass" } else { "fail" };
        let source = report.verdict.by.as_str();
        let entry = OutcomeEntry {
            skill: &report.skill,
            phase: OUTCOME,
            final_status,
            session_id: &self.session,
            decision_id: Some(&report.decision),
            source: Some(source),
            message: report.basis,
        };
        let answer = self.within(self.brain.client.session_log(&entry)).await?;
        let text = answer.pointer("/result/content/0/text").and_then(Value::as_str);
        let told = text.filter(|_| answer.pointer(LOGGED).is_some()).map(|text| printable(text, SHOWN));
        Ok(told.unwrap_or_else(|| format!("reported: {final_status} ({source}) for {}", report.skill)))
    }

    async fn within<T>(&self, request: impl Future<Output = Result<T, BrainError>>) -> Result<T, String> {
        let answer = tokio::time::timeout(PATIENCE, request).await.unwrap_or(Err(BrainError::Unreachable));
        answer.map_err(|error| self.why(&error))
    }

    /// What is wrong, and which option of the plugin to set.
    fn why(&self, error: &BrainError) -> String {
        let address = &self.brain.address;
        match error {
            BrainError::Status(401) if self.brain.has_token => {
                format!("the brain at {address} does not accept the token: correct the plugin's brain_token")
            }
            BrainError::Status(401) => format!("the brain at {address} wants a token: set the plugin's brain_token"),
            BrainError::Status(400 | 404) => format!(
                "what answers at {address} is an earlier version of the brain or another program: update it, or correct the plugin's brain_url"
            ),
            BrainError::Failed { reason } => format!("the brain at {address} could not write it: {reason}"),
            BrainError::Refused { reason } => format!("the brain at {address} refused it: {reason}"),
            _ => format!("the brain at {address} {error}: start it (routing brain), or correct the plugin's brain_url"),
        }
    }

    /// Decisions of commits that were reverted just now, as far as the brain knows them.
    async fn reverted(&self) -> Vec<(String, String)> {
        let mut known = vec![];
        for decision in git::reverted_just_now().await {
            if let Ok(Some(found)) = self.within(self.brain.client.decision(&decision)).await {
                known.push((decision, found.text("skill").to_string()));
            }
        }
        known
    }

    /// As `routing status` shows it, or if the admin port cannot be reached, what the brain knows.
    async fn status(&self) -> String {
        let shown = tokio::time::timeout(PATIENCE, status::in_short(&self.admin_url, Some(&self.brain))).await;
        if let Ok(Ok(shown)) = shown {
            return shown;
        }
        match self.within(self.brain.client.evidence(None)).await {
            Ok(skills) => of_the_brain(&skills, &self.brain.address),
            Err(problem) => format!("routing: {problem}. {}", self.no_admin_port()),
        }
    }

    fn no_admin_port(&self) -> String {
        let address = crds::shown::url(&self.admin_url);
        format!("The data plane's admin port does not answer at {address} either (the plugin's admin_url).")
    }
}

fn of_the_brain(skills: &[KnownSkill], address: &str) -> String {
    let row = |skill: &KnownSkill| {
        let models = skill.models.iter().map(|model| {
            let name = if model.model.is_empty() { String::new() } else { format!(" ({})", model.model) };
            format!("{}{name}: {}", model.arm, rate(model.rate.pass_rate, Some(model.rate.samples())))
        });
        vec![printable(&skill.skill, SHOWN), printable(&models.collect::<Vec<_>>().join("; "), SHOWN)]
    };
    let rows: Vec<_> = skills.iter().map(row).collect();
    let none = if rows.is_empty() { "  nothing yet\n" } else { "" };
    let all = format!("routing: what the brain at {address} knows\n{none}{}", aligned(&rows));
    all.trim_end().into()
}

/// Whether a project's file names a server like the plugin's.
fn has_second_server(file: &Path) -> bool {
    // A pipe in its place would hold the session up.
    let text = bounded_file::text(file, MCP_JSON_MAX).ok();
    let document: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());
    document.is_some_and(|document| document.pointer("/mcpServers/routing").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_the_same_name_is_seen_and_what_is_no_such_file_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(".mcp.json");
        assert!(!has_second_server(&file));
        for (text, expected) in [
            (r#"{"mcpServers": {"routing": {}}}"#, true),
            (r#"{"mcpServers": {"brain": {}}}"#, false),
            ("{", false),
            ("[]", false),
        ] {
            std::fs::write(&file, text).expect("written");
            assert_eq!(has_second_server(&file), expected, "{text}");
        }
    }

    #[test]
    fn without_the_admin_port_the_brains_rates_are_shown() {
        let skill = KnownSkill {
            skill: "debug".into(),
            models: vec![crate::brain_client::KnownModel {
                arm: "local".into(),
                model: "q".into(),
                ..Default::default()
            }],
            ..KnownSkill::default()
        };
        assert_eq!(
            of_the_brain(&[skill], "http://b"),
            "routing: what the brain at http://b knows\n  debug  local (q): not measured"
        );
        assert!(of_the_brain(&[], "http://b").ends_with("nothing yet"));
    }
}
