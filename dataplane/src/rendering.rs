//! Renders prompts. Templates that only put values into a text, as most do, are rendered where the call runs, or on a thread
//! apart if there is much to put. Any other is rendered in a process of its own: whatever its author wrote and whatever a
//! caller sent, a template that runs without end or fills its memory costs its own process, and the call gets an error that
//! says so.
//!
//! The process is this program again, without its variables, in a process group of its own. It gets the template and its
//! values on standard input and limits itself (see `renderer`): whatever becomes of the data plane, it ends within seconds.
//! It starts in milliseconds, and a model takes seconds.

pub mod renderer;

use std::{
    collections::BTreeMap,
    io,
    os::unix::process::ExitStatusExt,
    panic::AssertUnwindSafe,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crds::template::{self, OUTPUT_MAX_BYTES, Template, TemplateError, TemplateInput};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    sync::Semaphore,
    time::timeout_at,
};

use self::renderer::{CPU_MAX_S, DATA_MAX_BYTES, Job};

/// Largest values that may be rendered where the call runs, in bytes.
const AT_ONCE_MAX_BYTES: usize = 32 * 1024;
/// Longest time to render one prompt.
const RENDER_MAX: Duration = Duration::from_secs(10);
/// Most prompts that are rendered at a time.
const PLACES: usize = 4;
/// Most of them of one skill: the others' are rendered whatever one does.
const PLACES_OF_A_SKILL: usize = 2;
/// Skills whose places are remembered; beyond that, those with nothing to render are forgotten.
const SKILLS_MAX: usize = 256;
/// The allocator reserves a gigabyte at its start. Only reserved, and not committed, each part that is used counts towards the
/// limit that the process sets itself.
const RESERVE_ONLY: (&str, &str) = ("MIMALLOC_ARENA_EAGER_COMMIT", "0");
/// Exit code of a program that panicked.
const PANICKED: i32 = 101;

/// Why there is no prompt. Never shows a value of the arguments.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The template does not fit the values, or exceeds a limit of the template language.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The template takes too long.
    #[error("it takes more than {CPU_MAX_S} s of a processor; make its values smaller")]
    TooMuchWork,
    /// The template used up the memory or the stack.
    #[error("it needs more than {} MiB of memory, or more stack than there is; make its values smaller", DATA_MAX_BYTES >> 20)]
    Exhausted,
    /// A bug of the template engine.
    #[error("the template engine panicked; please report this")]
    Panicked,
    /// Time was up.
    #[error("it was not rendered within {:.1} s: the template takes long, or this machine is busy", .0.as_secs_f64())]
    TimedOut(Duration),
    /// Others took all the time of the call.
    #[error("no time is left for it, because other prompts take long; call again in a moment")]
    NoPlace,
    /// Something else ended the process.
    #[error(
        "its process was ended from outside (signal {0}); call again, and if that repeats, look for what ends it, for example a memory limit"
    )]
    Ended(i32),
    /// The process cannot be started or reached.
    #[error("its process cannot be used: {0}; it needs /proc, and a limit of processes that is not used up")]
    Process(#[from] io::Error),
}

impl RenderError {
    /// Whether the policy's author can fix it.
    pub fn is_of_the_template(&self) -> bool {
        matches!(self, Self::Template(_) | Self::TooMuchWork | Self::Exhausted | Self::Panicked)
    }

    /// For the metric.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Template(_) => "template",
            Self::TooMuchWork => "work",
            Self::Exhausted => "memory",
            Self::Panicked => "panicked",
            Self::TimedOut(_) => "timeout",
            Self::NoPlace => "no_place",
            Self::Ended(_) => "ended",
            Self::Process(_) => "process",
        }
    }
}

/// Renders a bounded number of prompts at a time.
pub struct Renderers {
    /// Of plain templates.
    threads: Semaphore,
    /// Of all others.
    places: Semaphore,
    /// Kept across reloads: a skill has no more places by being changed.
    of_skills: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

impl Default for Renderers {
    fn default() -> Self {
        Self { threads: Semaphore::new(PLACES), places: Semaphore::new(PLACES), of_skills: Mutex::default() }
    }
}

impl Renderers {
    /// The prompt of a template with these values, by the deadline.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn render(
        &self,
        skill: &str,
        template: &Template,
        input: &TemplateInput<'_>,
        deadline: Instant,
    ) -> Result<String, RenderError> {
        let deadline = tokio::time::Instant::from_std(deadline);
        if template.is_plain() {
            if let Some(rendered) = at_once(template, input) {
                return rendered;
            }
            let _place = timeout_at(deadline, self.threads.acquire()).await.map_err(|_| RenderError::NoPlace)?;
            return on_a_thread(template, input).await;
        }
        self.in_a_process(skill, template.text(), input, deadline).await
    }

    async fn in_a_process(
        &self,
        skill: &str,
        template: &str,
        input: &TemplateInput<'_>,
        deadline: tokio::time::Instant,
    ) -> Result<String, RenderError> {
        let of_skill = self.places_of(skill);
        // Neither is ever closed, so waiting cannot fail.
        let place = async { (of_skill.acquire().await.ok(), self.places.acquire().await.ok()) };
        let _place = timeout_at(deadline, place).await.map_err(|_| RenderError::NoPlace)?;
        let job = Job::text(template, input)?;
        let began = tokio::time::Instant::now();
        let rendered = timeout_at(deadline.min(began + RENDER_MAX), in_a_process(&job)).await;
        rendered.map_err(|_| RenderError::TimedOut(began.elapsed()))?
    }

    /// Whether prompts can be rendered here at all.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self) -> Result<(), RenderError> {
        let input = TemplateInput { args: &serde_json::Map::new(), previous: None, files: &[], session: &[] };
        self.in_a_process("", "a trial", &input, tokio::time::Instant::now() + RENDER_MAX).await.map(drop)
    }

    fn places_of(&self, skill: &str) -> Arc<Semaphore> {
        // Every change is complete before the next can fail, so a panic elsewhere leaves nothing half done.
        let mut skills = self.of_skills.lock().unwrap_or_else(PoisonError::into_inner);
        if skills.len() >= SKILLS_MAX {
            skills.retain(|_, places| Arc::strong_count(places) > 1);
        }
        let new = || Arc::new(Semaphore::new(PLACES_OF_A_SKILL));
        Arc::clone(skills.entry(skill.to_string()).or_insert_with(new))
    }
}

/// Renders where the call runs what takes no more than a moment; none: it takes longer.
fn at_once(template: &Template, input: &TemplateInput<'_>) -> Option<Result<String, RenderError>> {
    let is_small = input.files.is_empty()
        && input.session.is_empty()
        && input.previous.map_or(0, str::len) <= AT_ONCE_MAX_BYTES
        && bytes(input.args.values()) <= AT_ONCE_MAX_BYTES;
    if !is_small {
        return None;
    }
    // A rendering changes nothing of the template: what it makes is dropped with it.
    let rendering = AssertUnwindSafe(|| template.render_at_once(input));
    match std::panic::catch_unwind(rendering) {
        Ok(rendered) => rendered.map_err(RenderError::Template).transpose(),
        Err(_) => Some(Err(RenderError::Panicked)),
    }
}

/// About as many bytes as values take.
fn bytes<'a>(values: impl Iterator<Item = &'a Value>) -> usize {
    let of = |value: &Value| match value {
        Value::String(text) => text.len(),
        Value::Array(values) => bytes(values.iter()),
        Value::Object(members) => members.keys().map(String::len).sum::<usize>() + bytes(members.values()),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    values.map(|value| size_of::<Value>() + of(value)).sum()
}

async fn on_a_thread(template: &Template, input: &TemplateInput<'_>) -> Result<String, RenderError> {
    let (text, input) = (template.text().to_string(), serde_json::to_value(input).map_err(io::Error::from)?);
    let rendered = tokio::task::spawn_blocking(move || template::render(&text, &input)).await;
    Ok(rendered.map_err(|_| RenderError::Panicked)??)
}

/// Ends the process, too, if it is dropped.
async fn in_a_process(job: &[u8]) -> Result<String, RenderError> {
    let mut child = start()?;
    // It may end before it has read everything; then its status says why.
    let _ = write(&mut child, job).await;
    let mut output = vec![];
    if let Some(stdout) = child.stdout.take() {
        stdout.take(OUTPUT_MAX_BYTES as u64 + 1).read_to_end(&mut output).await?;
    }
    result(child.wait().await?, output)
}

fn start() -> io::Result<Child> {
    let program = if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { std::env::current_exe()? };
    let mut command = Command::new(program);
    // An interrupt from the terminal is for the data plane, which answers what is in flight.
    command.arg0("routing").arg(renderer::COMMAND).env_clear().process_group(0).kill_on_drop(true);
    command.env(RESERVE_ONLY.0, RESERVE_ONLY.1);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
}

async fn write(child: &mut Child, job: &[u8]) -> io::Result<()> {
    match child.stdin.take() {
        Some(mut stdin) => stdin.write_all(job).await,
        None => Ok(()),
    }
}

fn result(status: ExitStatus, output: Vec<u8>) -> Result<String, RenderError> {
    match (status.code(), status.signal()) {
        (Some(0), _) => String::from_utf8(output).map_err(|_| RenderError::Panicked),
        (Some(renderer::REFUSED), _) => Err(renderer::refusal(&output).unwrap_or(RenderError::Panicked)),
        (Some(PANICKED), _) => Err(RenderError::Panicked),
        (_, Some(signal)) if renderer::is_of_too_much_work(signal) => Err(RenderError::TooMuchWork),
        (_, Some(signal)) if !renderer::is_of_a_failed_allocation(signal) => Err(RenderError::Ended(signal)),
        _ => Err(RenderError::Exhausted),
    }
}
