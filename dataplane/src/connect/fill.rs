//! Fills the arguments of a call from the caller's project, as the skill says (`attach`): the caller's model names files
//! and revisions, and does not write them out.

use std::{collections::BTreeMap, path::PathBuf};

use crds::{
    policy::{Attach, FromGit},
    shown::printable,
};
use serde_json::{Map, Value};

use super::{
    PROJECT_ROOT,
    project::{Diff, Files, GitError, LeftOut, Project, diff},
};

/// Longest name of a revision, or of a file whose end is read, in bytes.
const NAMED_MAX: usize = 1024;
/// Names what is not committed.
const WORKING_TREE: [&str; 2] = ["working_tree", "working tree"];
/// Longest text of the caller that a message repeats, in characters.
const SHOWN: usize = 100;
/// Files that are named as read, at most.
const READ_SHOWN: usize = 10;
const NOTHING: &str = "there is no material to send; name files that exist, or a revision";

/// The arguments of a call, filled.
#[derive(Debug, Default, PartialEq)]
pub struct Filled {
    pub arguments: Map<String, Value>,
    /// What each filled argument holds, in words: the caller has not seen it.
    pub read: BTreeMap<String, String>,
    /// What is not in them, and what else the caller should know.
    pub notes: Vec<String>,
}

/// Fills what the entries say. An argument that holds its text already stays.
///
/// # Errors
/// What the caller named does not exist, or nothing of it may be sent; with what to name instead.
pub async fn fill(project: &Project, attach: &[Attach], arguments: Map<String, Value>) -> Result<Filled, String> {
    let folder = project.folder(arguments.get(PROJECT_ROOT).and_then(Value::as_str));
    let named = has_material(attach, &arguments);
    let filled = Filled { arguments, ..Filled::default() };
    let mut filling = Filling { project, attach, folder, named, new_files: vec![], filled };
    // Files last: a diff may tell of new ones.
    for one in attach {
        match one {
            Attach { from_git: Some(default), argument, .. } => filling.diff(argument, *default).await?,
            Attach { from_last_lines: Some(lines), argument, .. } => filling.last_lines(argument, *lines).await,
            // Of a newer server, or below.
            _ => {}
        }
    }
    for one in attach {
        if let Attach { from_files_in: Some(list), argument, .. } = one {
            filling.files(argument, list).await;
        }
    }
    filling.done()
}

/// Whether the caller named or wrote out any material.
fn has_material(attach: &[Attach], arguments: &Map<String, Value>) -> bool {
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
    attach: &'a [Attach],
    folder: PathBuf,
    /// Whether the caller named anything.
    named: bool,
    new_files: Vec<String>,
    filled: Filled,
}

impl Filling<'_> {
    async fn files(&mut self, argument: &str, list: &str) {
        let given = self.filled.arguments.get(argument).and_then(Value::as_object).cloned().unwrap_or_default();
        let listed = self.filled.arguments.get(list).and_then(Value::as_array);
        let paths = listed.into_iter().flatten().filter_map(Value::as_str).map(String::from);
        let mut paths: Vec<String> = paths.filter(|path| !given.contains_key(path)).collect();
        paths.append(&mut self.new_files);
        if paths.is_empty() {
            return;
        }
        let (project, folder) = (self.project.clone(), self.folder.clone());
        let reading = tokio::task::spawn_blocking(move || project.files(&folder, &paths)).await;
        let Files { read, left_out } = reading.unwrap_or_default();
        self.leave_out(&left_out);
        if !read.is_empty() {
            self.filled.read.insert(argument.into(), named(&read));
        }
        let mut texts = given;
        texts.extend(read.into_iter().map(|(path, text)| (path, text.into())));
        // What is left out is not named to the skill, either: it could not read it.
        let names: Vec<Value> = texts.keys().map(|path| path.clone().into()).collect();
        self.filled.arguments.insert(list.into(), names.into());
        if !texts.is_empty() {
            self.filled.arguments.insert(argument.into(), texts.into());
        }
    }

    async fn diff(&mut self, argument: &str, default: FromGit) -> Result<(), String> {
        let given = self.filled.arguments.get(argument).and_then(Value::as_str).map(str::trim);
        let named = given.filter(|text| !text.is_empty()).map(String::from);
        let is_wanted = match named.as_deref() {
            Some(name) if WORKING_TREE.contains(&name) || is_revision(name) => true,
            Some(text) if !text.contains('\n') => return Err(no_diff(argument, text)),
            Some(_) => false,
            None => default == FromGit::WorkingTree && !self.named,
        };
        if !is_wanted {
            return Ok(());
        }
        let revision = named.as_deref().filter(|name| !WORKING_TREE.contains(name));
        match diff(&self.folder, revision).await {
            Ok(found) => self.insert_diff(argument, revision, found),
            // Nobody asked for one.
            Err(error @ (GitError::NoRepository | GitError::NoGit)) if named.is_none() => {
                self.filled.notes.push(format!("no {argument}: {error}"));
            }
            Err(error) => return Err(format!("argument {argument}: {error}")),
        }
        Ok(())
    }

    fn insert_diff(&mut self, argument: &str, revision: Option<&str>, found: Diff) {
        let Diff { text, left_out, new_files, notes } = found;
        self.leave_out(&left_out);
        self.filled.notes.extend(notes);
        self.new_files = new_files;
        self.filled.arguments.remove(argument);
        if !text.is_empty() {
            let of = printable(revision.unwrap_or("HEAD"), SHOWN);
            self.filled.read.insert(argument.into(), format!("git diff {of} ({} bytes)", text.len()));
            self.filled.arguments.insert(argument.into(), text.into());
        }
    }

    async fn last_lines(&mut self, argument: &str, lines: u32) {
        let given = self.filled.arguments.get(argument).and_then(Value::as_str).map(str::trim);
        let is_name = |text: &&str| !text.is_empty() && text.len() <= NAMED_MAX && !text.contains('\n');
        let Some(path) = given.filter(is_name).map(String::from) else { return };
        let (project, folder, name) = (self.project.clone(), self.folder.clone(), path.clone());
        let reading = tokio::task::spawn_blocking(move || {
            project.has_file(&folder, &name).then(|| project.last_lines(&folder, &name, lines))
        });
        match reading.await {
            Ok(Some(Ok(text))) => {
                let read = format!("the end of {} ({} bytes)", printable(&path, SHOWN), text.len());
                self.filled.read.insert(argument.into(), read);
                self.filled.arguments.insert(argument.into(), text.into());
            }
            Ok(Some(Err(left_out))) => {
                self.filled.arguments.remove(argument);
                self.leave_out(&[left_out]);
            }
            // A message that was written out; one that looks like a name may be meant as one.
            Ok(None) if !path.contains(char::is_whitespace) && path.contains(['/', '.']) => {
                let path = printable(&path, SHOWN);
                self.filled.notes.push(format!("{argument} is passed as it is: this project has no file {path}"));
            }
            Ok(None) | Err(_) => {}
        }
    }

    fn leave_out(&mut self, left_out: &[LeftOut]) {
        let said = left_out.iter().map(|LeftOut { path, reason }| format!("left out: {path} ({reason})"));
        self.filled.notes.extend(said);
    }

    /// A skill that answers without material answers about nothing.
    fn done(self) -> Result<Filled, String> {
        let says_something = |(name, value): (&String, &Value)| {
            let is_source =
                self.attach.iter().any(|one| one.argument == *name || one.from_files_in.as_ref() == Some(name));
            !is_source && name != PROJECT_ROOT && name != "session_id" && !value.is_null()
        };
        let is_empty = !has_material(self.attach, &self.filled.arguments);
        if is_empty && (self.named || !self.filled.arguments.iter().any(says_something)) {
            let notes = if self.filled.notes.is_empty() {
                String::new()
            } else {
                format!(" ({})", self.filled.notes.join("; "))
            };
            return Err(format!("{NOTHING}{notes}"));
        }
        Ok(self.filled)
    }
}

fn named(read: &[(String, String)]) -> String {
    let shown: Vec<String> = read.iter().take(READ_SHOWN).map(|(path, _)| printable(path, SHOWN)).collect();
    let more = read.len().saturating_sub(READ_SHOWN);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn no_diff(argument: &str, text: &str) -> String {
    let text = printable(text, SHOWN);
    format!(
        "argument {argument}: {text}: is neither a diff nor a revision; name one, for example HEAD~1 or main...HEAD"
    )
}

/// Whether a text is the name of a revision or of a range, and no text of a change. A colon would name a file, of which
/// nobody could say whether it is a secret.
fn is_revision(text: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "._/~^@{}-+".contains(c);
    text.len() <= NAMED_MAX && !text.starts_with('-') && text.chars().all(allowed)
}

#[cfg(test)]
mod tests;
