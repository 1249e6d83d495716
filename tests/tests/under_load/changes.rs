//! Policies that tell themselves apart in all that shows, and the ways in which files are written.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};
use tests::{
    mcp::CallResult,
    program::{Program, Running},
    stand_in::models::Models,
    volume,
};

/// How many policies are written in turn. Neither two nor five: in the 50 ms for which a renamed file is waited for
/// there are five changes, and what is read would often be the same.
pub const POLICIES: usize = 4;
pub const NAMES: [&str; POLICIES] = ["one", "two", "three", "four"];
pub const FLOORS: [f64; POLICIES] = [0.91, 0.82, 0.73, 0.64];
/// How long a writer in place rests after each line: such a policy takes less than a hundredth of a second.
const REST: Duration = Duration::from_micros(250);

/// The policies' hashes.
pub type Hashes = [Value; POLICIES];

/// One of the policies, which differ in every field that shows in an answer or a record. Each beginning of it that ends
/// with one of the last lines is a policy, too: one that nobody wrote.
pub fn policy(url: &str, which: usize) -> String {
    let name = NAMES[which];
    let stage = json!({"system": {"text": format!("system of {name}")}, "user": "{{ args.problem }}"});
    [
        "apiVersion: routing.hyperguild.io/v1alpha1",
        "kind: RoutingPolicy",
        "metadata: {name: routing}",
        "spec:",
        &format!("  upstream: {{url: \"{url}\"}}"),
        &format!("  models: {{local: {{name: local-{name}}}, claude: {{name: claude-{name}}}}}"),
        &format!("  thresholds: {{floor: \"{}\", ceil: \"0.5\"}}", FLOORS[which]),
        &format!("  skills: [{}]", json!({"name": "debug", "stages": [stage]})),
        "  timeouts: {local: 50s, total: 100s}",
        "  limits: {inFlight: 300}",
        "",
    ]
    .join("\n")
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Beside it, then renamed, as editors do.
    Rename,
    /// Emptied, then a line at a time.
    InPieces,
    /// A folder, and a link that is swapped, as the kubelet does.
    LinkSwap,
}

/// Writes the policy; `count` is another for each.
pub fn write(folder: &Path, text: &str, way: Way, count: usize) {
    let file = folder.join("policy.yaml");
    match way {
        Way::Rename => {
            let beside = folder.join(".policy.yaml.swp");
            fs::write(&beside, text).expect("written");
            fs::rename(beside, file).expect("renamed");
        }
        Way::InPieces => in_pieces(&file, text, REST),
        Way::LinkSwap => volume::swap(folder, &format!("..{count}"), &[("policy.yaml", text)]),
    }
}

/// Empties a file and writes it anew, and rests after each line.
pub fn in_pieces(file: &Path, text: &str, rest: Duration) {
    let mut file = File::create(file).expect("emptied");
    for line in text.split_inclusive('\n') {
        file.write_all(line.as_bytes()).expect("written");
        std::thread::sleep(rest);
    }
}

/// A data plane with the first policy.
pub async fn started(models: &Models, way: Way) -> Running {
    let first = policy(&models.url(), 0);
    let program = Program::serve_policy(&first);
    if way == Way::LinkSwap {
        fs::remove_file(program.folder().join("policy.yaml")).expect("removed");
        write(program.folder(), &first, way, 0);
    }
    program.start().await
}

/// The hashes of all policies, as the program reports them.
pub async fn hashes(url: &str) -> Hashes {
    let mut hashes = NAMES.map(|_| json!(null));
    for (which, hash) in hashes.iter_mut().enumerate() {
        let routing = Program::serve_policy(&policy(url, which)).start().await;
        *hash = routing.status().await["configHash"].clone();
    }
    hashes
}

/// Which of the policies decided a call: all that shows fits one of them.
pub fn decided_by(result: &CallResult, hashes: &Hashes) -> usize {
    let hash = result.decisions("policyHash");
    let which = hashes.iter().position(|known| hash[..] == [known.clone()]);
    let which = which.unwrap_or_else(|| panic!("a policy that nobody wrote: {result:?}"));
    assert_eq!(result.text(0), format!("answer of local-{}", NAMES[which]), "{result:?}");
    assert_eq!(result.decisions("model"), [json!(format!("local-{}", NAMES[which]))], "{result:?}");
    which
}
