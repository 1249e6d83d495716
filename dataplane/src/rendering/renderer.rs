//! The process that renders one prompt.
//!
//! Standard input: a [`Job`] as JSON. Standard output: the prompt, or with the exit code [`REFUSED`] the template's error
//! as JSON. Any other end means that a limit was reached.

use std::{
    io::{self, Read, Write},
    process::ExitCode,
};

use crds::template::{self, TemplateError, TemplateInput};
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RenderError;

/// The name of the command, which is for this program alone.
pub const COMMAND: &str = "render-prompt";
/// Exit code: the template is wrong for these values.
pub const REFUSED: i32 = 3;
/// Most memory of the process, in bytes: far more than a prompt of 4 MiB and its values need.
pub const DATA_MAX_BYTES: u64 = 64 << 20;
/// Most processor time of the process, in seconds: all work that the template language allows needs less than one.
pub const CPU_MAX_S: u64 = 3;
/// Largest job that is read, in bytes: more than the largest request, a session and the largest files together.
const JOB_MAX_BYTES: u64 = 32 << 20;

/// What is to be rendered.
#[derive(Serialize, Deserialize)]
pub struct Job<Input> {
    template: String,
    input: Input,
}

impl<'a> Job<&'a TemplateInput<'a>> {
    /// As the process reads it.
    pub fn text(template: &str, input: &'a TemplateInput<'a>) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(&Job { template: template.to_string(), input })?)
    }
}

/// A [`TemplateError::Render`] on its way.
#[derive(Serialize, Deserialize)]
struct Refusal {
    line: usize,
    reason: String,
}

/// Reads a job from standard input, and writes what became of it to standard output.
#[must_use]
pub fn run() -> ExitCode {
    match limit().and_then(|()| read()).map(|job| template::render(&job.template, &job.input)) {
        Ok(Ok(prompt)) => written(prompt.as_bytes(), ExitCode::SUCCESS),
        Ok(Err(TemplateError::Render { line, reason })) => {
            let refusal = serde_json::to_vec(&Refusal { line, reason: reason.into() }).unwrap_or_default();
            written(&refusal, ExitCode::from(REFUSED as u8))
        }
        // Was parsed before, so there is no other error.
        Ok(Err(_)) | Err(_) => ExitCode::FAILURE,
    }
}

/// What is used from here on; the program itself takes some of it.
fn limit() -> io::Result<()> {
    // A second more, because the signal at the end of that is the one that others send, too.
    let limits = [(Resource::Data, DATA_MAX_BYTES, 0), (Resource::Cpu, CPU_MAX_S, 1)];
    for (resource, most, more) in limits {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most + more) })?;
    }
    Ok(())
}

fn read() -> io::Result<Job<Value>> {
    let mut text = vec![];
    io::stdin().lock().take(JOB_MAX_BYTES).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

fn written(text: &[u8], code: ExitCode) -> ExitCode {
    match io::stdout().lock().write_all(text) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The error that the process wrote.
pub(super) fn refusal(output: &[u8]) -> Option<RenderError> {
    let Refusal { line, reason } = serde_json::from_slice(output).ok()?;
    Some(TemplateError::Render { line, reason: reason.into() }.into())
}

/// Whether this signal is that of the limit of processor time.
pub(super) fn is_of_too_much_work(signal: i32) -> bool {
    signal == Signal::XCPU.as_raw()
}

/// Whether this signal is that of an allocation that failed, or of a stack that is used up.
pub(super) fn is_of_a_failed_allocation(signal: i32) -> bool {
    [Signal::ABORT, Signal::SEGV, Signal::BUS].iter().any(|own| own.as_raw() == signal)
}
