//! Renders prompts, each in a process of its own: whatever a policy's author wrote and whatever a caller sent, a template
//! that runs without end or fills its memory costs its own process, and the call gets an error that says so.
//!
//! The process is this program again, with no variables and no open files but its pipes. It gets the template and its
//! values on standard input and limits itself (see `renderer`). It starts in milliseconds, and a model takes seconds.

pub mod renderer;

use std::{
    collections::BTreeMap,
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use crds::template::{OUTPUT_MAX_BYTES, TemplateError, TemplateInput};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    sync::Semaphore,
    time::timeout,
};

use self::renderer::{CPU_MAX_S, DATA_MAX_BYTES, Job};

/// Longest time to render one prompt.
const RENDER_MAX: Duration = Duration::from_secs(10);
/// Most prompts that are rendered at a time.
const PLACES: usize = 4;
/// Most of them of one skill: the others' are rendered whatever one does.
const PLACES_OF_A_SKILL: usize = 2;

/// Why there is no prompt. Never shows a value of the arguments.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The template does not fit the values, or exceeds a limit of the template language.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The template takes too long.
    #[error("it takes longer than {RENDER_MAX:?}, or more than {CPU_MAX_S} s of a processor; make its values smaller")]
    TimedOut,
    /// The template ended its process: it used up the memory or the stack.
    #[error("it needs more than {} MiB of memory, or more stack than there is; make its values smaller", DATA_MAX_BYTES >> 20)]
    Exhausted,
    /// Others took all the time of the call.
    #[error("no time is left for it, because other prompts take long; call again in a moment")]
    NoPlace,
    /// The process cannot be started or reached.
    #[error("its process cannot be used: {0}; it needs /proc, and a limit of processes that is not used up")]
    Process(#[from] io::Error),
}

/// Renders a bounded number of prompts at a time.
pub struct Renderers(Semaphore);

impl Default for Renderers {
    fn default() -> Self {
        Self(Semaphore::new(PLACES))
    }
}

/// The places of each skill of a policy.
pub struct SkillPlaces(BTreeMap<String, Semaphore>);

impl SkillPlaces {
    pub fn new<'a>(skills: impl Iterator<Item = &'a String>) -> Self {
        Self(skills.map(|skill| (skill.clone(), Semaphore::new(PLACES_OF_A_SKILL))).collect())
    }
}

impl Renderers {
    /// The prompt of a template with these values, within `left`.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn render(
        &self,
        places: &SkillPlaces,
        skill: &str,
        template: &str,
        input: &TemplateInput<'_>,
        left: Duration,
    ) -> Result<String, RenderError> {
        let place = async {
            // Neither is ever closed, so waiting cannot fail.
            let of_skill = match places.0.get(skill) {
                Some(places) => places.acquire().await.ok(),
                None => None,
            };
            (of_skill, self.0.acquire().await.ok())
        };
        let _place = timeout(left, place).await.map_err(|_| RenderError::NoPlace)?;
        let job = Job::text(template, input)?;
        timeout(RENDER_MAX.min(left), in_a_process(&job)).await.map_err(|_| RenderError::TimedOut)?
    }
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
    command.arg0("routing").arg(renderer::COMMAND).env_clear().kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
}

async fn write(child: &mut Child, job: &[u8]) -> io::Result<()> {
    match child.stdin.take() {
        Some(mut stdin) => stdin.write_all(job).await,
        None => Ok(()),
    }
}

fn result(status: ExitStatus, output: Vec<u8>) -> Result<String, RenderError> {
    match status.code() {
        Some(0) => String::from_utf8(output).map_err(|_| RenderError::Exhausted),
        Some(renderer::REFUSED) => Err(renderer::refusal(&output).unwrap_or(RenderError::Exhausted)),
        _ if renderer::ran_out_of_time(status) => Err(RenderError::TimedOut),
        _ => Err(RenderError::Exhausted),
    }
}
