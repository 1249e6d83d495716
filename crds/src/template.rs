//! The user prompt of a stage: a template written by the policy's author.
//!
//! Undefined variables are errors, nothing is escaped, and work and output are limited. A template is measured before it
//! is parsed, so that it cannot overflow a stack. The limits do not hold everything that a template can do with its values
//! (a list that holds the one before it twice is printed without end): what is not plain, the data plane renders in a
//! process of its own.

mod measure;
mod names;
mod plain;

use std::{borrow::Cow, collections::BTreeSet, io};

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, machinery, syntax::SyntaxConfig, value::Serde};
use serde::Serialize;
use serde_json::{Map, Value};

/// Most instructions one rendering may execute.
const FUEL: u64 = 200_000;
/// The same of what may be rendered where a call runs: a fraction of a millisecond.
const FUEL_AT_ONCE: u64 = 1_000;
/// Longest rendered prompt, in bytes.
pub const OUTPUT_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Deepest nesting of blocks.
const RECURSION_MAX: usize = 64;
/// The variables of a template, besides the functions of the template language.
const VARIABLES: [&str; 4] = ["args", "previous", "files", "session"];
const NAME: &str = "user";

pub use measure::{BLOCKS_MAX, BRACKETS_MAX, OPERATORS_MAX, TEMPLATE_OPERATORS_MAX};

/// A template that is measured and parsed: see [`render`].
#[derive(Debug)]
pub struct Template {
    text: String,
    variables: BTreeSet<String>,
    /// Compiled for [`Template::render_at_once`]; none: it is not plain.
    plain: Option<Environment<'static>>,
}

/// The values of a template's variables.
#[derive(Serialize)]
pub struct TemplateInput<'a> {
    /// The caller's arguments, already checked against the skill's schema.
    pub args: &'a Map<String, Value>,
    /// The answer of the previous stage; absent in the first stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<&'a str>,
    /// The files named in the arguments.
    pub files: &'a [FileMaterial],
    /// Earlier entries of the caller's session.
    pub session: &'a [Value],
}

/// A file that the caller named: its content, or why it could not be read.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct FileMaterial {
    /// The path as the caller wrote it.
    pub path: String,
    /// The text of the file.
    pub content: Option<String>,
    /// Why there is no content.
    pub error: Option<String>,
}

/// A template that cannot be parsed or rendered. Never shows a value of the arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The text is not a template.
    #[error("line {line}: {reason}")]
    Syntax {
        /// Line in the template, from 1.
        line: usize,
        /// What the parser expected.
        reason: String,
    },
    /// The template exceeds a bound, or uses something that templates of this project do not have.
    #[error("line {line}, column {column}: {reason}; {cure}")]
    Refused {
        /// Line in the template, from 1.
        line: usize,
        /// Column in the template, from 1.
        column: usize,
        /// What is refused, with its bound or name.
        reason: String,
        /// What to write instead.
        cure: String,
    },
    /// The template reads a variable that never exists.
    #[error("unknown variable {name}; {cure}")]
    UnknownVariable {
        /// The variable, for example `args.problem`.
        name: String,
        /// Which variables exist instead.
        cure: String,
    },
    /// Rendering failed.
    #[error("line {line}: {reason}")]
    Render {
        /// Line in the template, from 1.
        line: usize,
        /// What failed; never a value.
        reason: Cow<'static, str>,
    },
}

impl Template {
    /// Parses a template whose filters, tests and functions all exist.
    ///
    /// # Errors
    /// Where and why the text is not a template, or every name in it that does not exist.
    pub fn parse(text: &str) -> Result<Self, Vec<TemplateError>> {
        measure::check(text, &block_lines_leave_no_trace()).map_err(|error| vec![error])?;
        let parsed = machinery::parse(text, NAME, block_lines_leave_no_trace()).map_err(|e| vec![syntax(&e)])?;
        let unknown = names::unknown(&parsed);
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let environment = environment(text.to_string(), FUEL_AT_ONCE).map_err(|e| vec![syntax(&e)])?;
        let compiled = environment.get_template(NAME).map_err(|e| vec![syntax(&e)])?;
        let variables = compiled.undeclared_variables(true).into_iter().collect();
        Ok(Self { text: text.to_string(), variables, plain: plain::is_plain(&parsed).then_some(environment) })
    }

    /// Whether it only puts its values into a text, so that rendering it takes little time and memory.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.plain.is_some()
    }

    /// The prompt of a plain template, if it takes no more than a moment; none: it takes longer, or is not plain.
    ///
    /// # Errors
    /// As [`render`].
    pub fn render_at_once(&self, input: &impl Serialize) -> Result<Option<String>, TemplateError> {
        let Some(environment) = &self.plain else { return Ok(None) };
        match rendered(environment, input) {
            Err(error) if error.kind() == ErrorKind::OutOfFuel => Ok(None),
            rendered => rendered.map(Some).map_err(|error| failed(&error)),
        }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the template reads this variable.
    #[must_use]
    pub fn uses(&self, variable: &str) -> bool {
        self.variables.iter().any(|name| name.split('.').next() == Some(variable))
    }

    /// An error for each variable that never exists: any but the four, `previous` in the first stage, or an argument
    /// that the schema does not declare. `declared` is none if the schema does not list its arguments.
    #[must_use]
    pub fn unknown_variables(&self, first_stage: bool, declared: Option<&BTreeSet<String>>) -> Vec<TemplateError> {
        let cure_for = |name: &str| {
            let mut path = name.split('.');
            match (path.next().unwrap_or_default(), path.next(), declared) {
                ("previous", ..) if first_stage => Some("the first stage has no previous answer".to_string()),
                ("args", Some(_), Some(declared)) if declared.is_empty() => {
                    Some("inputSchema declares no properties; add it there".to_string())
                }
                ("args", Some(argument), Some(declared)) if !declared.contains(argument) => {
                    let names: Vec<&str> = declared.iter().map(String::as_str).collect();
                    Some(format!("inputSchema.properties declares: {}", names.join(", ")))
                }
                (root, ..) if VARIABLES.contains(&root) || names::is_function(root) => None,
                _ => Some(format!("available: {}", VARIABLES.join(", "))),
            }
        };
        let unknown =
            |name: &String| cure_for(name).map(|cure| TemplateError::UnknownVariable { name: name.clone(), cure });
        self.variables.iter().filter_map(unknown).collect()
    }
}

/// Renders the text of a [`Template`] with these values. Unless it is plain, in a process of its own.
///
/// # Errors
/// The line and the kind of failure: an undefined value, too much work, or too long a prompt.
pub fn render(text: &str, input: &impl Serialize) -> Result<String, TemplateError> {
    environment(text, FUEL).and_then(|environment| rendered(&environment, input)).map_err(|error| failed(&error))
}

fn rendered(environment: &Environment<'_>, input: &impl Serialize) -> Result<String, minijinja::Error> {
    let mut output = Bounded::default();
    environment.get_template(NAME)?.render_captured_to(Serde(input), &mut output)?;
    // It lasts as long as the call, and has room for twice as much.
    output.0.shrink_to_fit();
    Ok(String::from_utf8(output.0).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn environment<'a>(text: impl Into<Cow<'a, str>>, fuel: u64) -> Result<Environment<'a>, minijinja::Error> {
    let mut environment = Environment::new();
    for function in names::REMOVED {
        environment.remove_global(function);
    }
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_recursion_limit(RECURSION_MAX);
    environment.set_syntax(block_lines_leave_no_trace());
    environment.set_fuel(Some(fuel));
    environment.add_template_owned(NAME, text)?;
    Ok(environment)
}

fn failed(error: &minijinja::Error) -> TemplateError {
    TemplateError::Render { line: error.line().unwrap_or(1), reason: reason(error.kind()).into() }
}

fn syntax(error: &minijinja::Error) -> TemplateError {
    TemplateError::Syntax {
        line: error.line().unwrap_or(1),
        reason: error.detail().unwrap_or("is not a template").to_string(),
    }
}

/// A line that holds only a block tag adds no empty line to the prompt.
fn block_lines_leave_no_trace() -> SyntaxConfig {
    let mut builder = SyntaxConfig::builder();
    builder.trim_blocks(true).lstrip_blocks(true);
    builder.build().expect("no delimiter is changed, so none can clash")
}

fn reason(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::UndefinedError => "a value is not defined; guard an optional one with {% if … is defined %}",
        ErrorKind::OutOfFuel => "the template does too much work",
        ErrorKind::WriteFailure => "the prompt is longer than 4 MiB",
        ErrorKind::InvalidOperation => "an operation does not fit its value",
        _ => "the template cannot be rendered with these arguments",
    }
}

/// Takes output up to the limit, then fails.
#[derive(Default)]
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT_MAX_BYTES {
            return Err(io::Error::other("output limit"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
