//! A template that does more than fill in values, rendered as a data plane renders it: by the program `routing` in a process
//! of its own, which limits itself. Whatever the template does, its process ends, what it wrote is bounded, and a refusal
//! shows no value.

use std::{
    env,
    fs::File,
    io::{Read, Seek, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crds::template::{OUTPUT_MAX_BYTES, Template};
use serde_json::{Map, Value, json};

use crate::{
    input::with_a_large_stack,
    template::{assert_shows_no_value, parts, with_values},
};

/// Generous: the process may use a processor for 3 s.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at whether it has ended.
const STEP: Duration = Duration::from_millis(2);
/// Exit code: the template is wrong for these values.
const REFUSED: i32 = 3;
/// Exit code: the template engine panicked.
const PANICKED: i32 = 101;
/// The signals of its own limits: an allocation that fails (ABRT), a stack that is used up (BUS, SEGV), the time of a
/// processor (XCPU).
const OF_ITS_LIMITS: [i32; 4] = [6, 7, 11, 24];

/// See [`parts`].
pub fn check(input: &[u8]) {
    let Some((template, arguments)) = parts(input) else { return };
    with_a_large_stack(|| {
        let parsed = Template::parse(template);
        parsed.iter().filter(|template| !template.is_plain()).for_each(|template| of_template(template, &arguments));
    });
}

fn of_template(template: &Template, arguments: &Map<String, Value>) {
    let job = with_values(arguments, |values| json!({"template": template.text(), "input": values}).to_string());
    // Arguments that are nested deeper than that are in no request that is read.
    if serde_json::from_str::<Value>(&job).is_err() {
        return;
    }
    let (status, output) = rendered(&job);
    assert!(output.len() <= OUTPUT_MAX_BYTES, "{} bytes", output.len());
    match (status.code(), status.signal()) {
        (Some(0), _) => assert!(std::str::from_utf8(&output).is_ok(), "a prompt is text"),
        (Some(REFUSED), _) => {
            let refusal: Value = serde_json::from_slice(&output).expect("JSON");
            assert_shows_no_value(template, refusal["reason"].as_str().expect("why"));
        }
        // Only the process has panicked; its call gets an error.
        (Some(PANICKED), _) => {}
        (_, signal) => assert!(signal.is_some_and(|signal| OF_ITS_LIMITS.contains(&signal)), "{status}"),
    }
}

/// How the process that renders ended, and what it wrote. Files, as a pipe whose reader ends would end the fuzzer, too.
fn rendered(job: &str) -> (ExitStatus, Vec<u8>) {
    let program = env::var_os("ROUTING_BIN").expect("ROUTING_BIN is not set: run `make test` or `make fuzz`");
    let (mut given, mut written) = (file(), file());
    given.write_all(job.as_bytes()).and_then(|()| given.rewind()).expect("a file");
    let mut command = Command::new(program);
    // As a data plane starts it.
    command.arg("render-prompt").env_clear().env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
    command.stdin(given).stdout(written.try_clone().expect("a file")).stderr(Stdio::null());
    let status = ended(&mut command.spawn().expect("the program starts"));
    let mut output = vec![];
    written.rewind().and_then(|()| written.read_to_end(&mut output)).expect("a file");
    (status, output)
}

fn file() -> File {
    tempfile::tempfile().expect("a file")
}

fn ended(process: &mut Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = process.try_wait().expect("a process") {
            return status;
        }
        if began.elapsed() > LIMIT {
            process.kill().expect("a process");
            panic!("it does not end");
        }
        thread::sleep(STEP);
    }
}
