//! Fills the arguments of a call from the caller's project, as the skill says (`attach`): the caller's model names files
//! and revisions, and does not write them out.

use std::path::PathBuf;

use crds::policy::{Attach, FromGit};
use serde_json::{Map, Value};

use super::project::{Files, GitError, LeftOut, Project, diff};

/// Arguments of the built-in skills that hold the project's folder.
const PROJECT_ROOT: &str = "project_root";
/// Longest name of a revision, or of a file whose end is read, in bytes.
const NAMED_MAX: usize = 1024;
/// Names what is not committed.
const WORKING_TREE: [&str; 2] = ["working_tree", "working tree"];

/// The arguments of a call, filled.
#[derive(Debug, Default, PartialEq)]
pub struct Filled {
    pub arguments: Map<String, Value>,
    /// What is not in them, and what else the caller should know.
    pub notes: Vec<String>,
}

/// Fills what the entries say. An argument that holds its text already stays.
///
/// # Errors
/// What the caller named does not exist; with the argument's name, and what to name instead.
pub async fn fill(project: &Project, attach: &[Attach], arguments: Map<String, Value>) -> Result<Filled, String> {
    let folder = project.folder(arguments.get(PROJECT_ROOT).and_then(Value::as_str));
    let named = names_anything(attach, &arguments);
    let mut filling = Filling { project, folder, named, filled: Filled { arguments, notes: vec![] } };
    for one in attach {
        match one {
            Attach { from_files_in: Some(list), argument, .. } => filling.files(argument, list).await,
            Attach { from_git: Some(default), argument, .. } => filling.diff(argument, *default).await?,
            Attach { from_last_lines: Some(lines), argument, .. } => filling.last_lines(argument, *lines).await,
            // Of a newer server.
            _ => {}
        }
    }
    Ok(filling.filled)
}

/// Whether the caller named or wrote out any material.
fn names_anything(attach: &[Attach], arguments: &Map<String, Value>) -> bool {
    let sources = attach.iter().flat_map(|one| one.from_files_in.iter().chain([&one.argument]));
    sources.filter_map(|name| arguments.get(name)).any(|value| match value {
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
        Value::String(text) => !text.trim().is_empty(),
        _ => false,
    })
}

struct Filling<'a> {
    project: &'a Project,
    folder: PathBuf,
    named: bool,
    filled: Filled,
}

impl Filling<'_> {
    async fn files(&mut self, argument: &str, list: &str) {
        let given = self.filled.arguments.get(argument).and_then(Value::as_object).cloned().unwrap_or_default();
        let listed = self.filled.arguments.get(list).and_then(Value::as_array);
        let paths = listed.into_iter().flatten().filter_map(Value::as_str).map(String::from);
        let paths: Vec<String> = paths.filter(|path| !given.contains_key(path)).collect();
        if paths.is_empty() {
            return;
        }
        let (project, folder) = (self.project.clone(), self.folder.clone());
        let reading = tokio::task::spawn_blocking(move || project.files(&folder, &paths)).await;
        let Files { read, left_out } = reading.unwrap_or_default();
        self.leave_out(&left_out);
        let mut texts = given;
        texts.extend(read.into_iter().map(|(path, text)| (path, text.into())));
        if !texts.is_empty() {
            self.filled.arguments.insert(argument.into(), texts.into());
        }
    }

    async fn diff(&mut self, argument: &str, default: FromGit) -> Result<(), String> {
        let given = self.filled.arguments.get(argument).and_then(Value::as_str).map(str::trim);
        let named = given.filter(|text| !text.is_empty());
        let is_wanted = match named {
            Some(name) => WORKING_TREE.contains(&name) || is_revision(name),
            None => default == FromGit::WorkingTree && !self.named,
        };
        if !is_wanted {
            return Ok(());
        }
        let revision = named.filter(|name| !WORKING_TREE.contains(name)).map(String::from);
        let was_named = named.is_some();
        match diff(&self.folder, revision.as_deref()).await {
            Ok(found) => self.insert_diff(argument, found),
            // Nobody asked for one.
            Err(GitError::NoRepository | GitError::NoGit) if !was_named => {}
            Err(error) => return Err(format!("argument {argument}: {error}")),
        }
        Ok(())
    }

    fn insert_diff(&mut self, argument: &str, found: super::project::Diff) {
        self.leave_out(&found.left_out);
        self.filled.notes.extend(found.notes);
        if found.text.is_empty() {
            self.filled.notes.push(format!("{argument}: nothing has changed"));
        }
        self.filled.arguments.insert(argument.into(), found.text.into());
    }

    async fn last_lines(&mut self, argument: &str, lines: u32) {
        let given = self.filled.arguments.get(argument).and_then(Value::as_str).map(str::trim);
        let is_name = |text: &&str| !text.is_empty() && text.len() <= NAMED_MAX && !text.contains('\n');
        let Some(path) = given.filter(is_name).map(String::from) else { return };
        let (project, folder) = (self.project.clone(), self.folder.clone());
        let reading = tokio::task::spawn_blocking(move || {
            project.has_file(&folder, &path).then(|| project.last_lines(&folder, &path, lines))
        });
        match reading.await {
            Ok(Some(Ok(text))) => drop(self.filled.arguments.insert(argument.into(), text.into())),
            Ok(Some(Err(left_out))) => self.leave_out(&[left_out]),
            // A message that was written out.
            Ok(None) | Err(_) => {}
        }
    }

    fn leave_out(&mut self, left_out: &[LeftOut]) {
        let said = left_out.iter().map(|LeftOut { path, reason }| format!("left out: {path} ({reason})"));
        self.filled.notes.extend(said);
    }
}

/// Whether a text is the name of a revision or of a range, and no text of a change. A colon would name a file, of which
/// nobody could say whether it is a secret.
fn is_revision(text: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "._/~^@{}-+".contains(c);
    text.len() <= NAMED_MAX && !text.starts_with('-') && text.chars().all(allowed)
}

#[cfg(test)]
mod tests;
