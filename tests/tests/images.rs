//! The Dockerfiles as text: what `contract` part 8 fixes, and that both compile the same. `tests/e2e` shows what the
//! built images contain.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::Value;
use tests::{checkout, program};

const BOTH: [&str; 2] = ["Dockerfile.routing", "Dockerfile.operator"];
const LAST_STAGE: &str = "FROM scratch\n";

fn read(file: &str) -> String {
    std::fs::read_to_string(checkout().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Keyword and arguments of each instruction, comments left out and lines joined.
fn instructions(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let split = |line: &str| {
        let (keyword, arguments) = line.split_once(' ').expect("a keyword and arguments");
        (keyword.to_string(), arguments.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    joined.lines().filter(|line| !line.is_empty()).map(split).collect()
}

/// The arguments of every instruction with this keyword.
fn all<'a>(instructions: &'a [(String, String)], keyword: &str) -> Vec<&'a str> {
    instructions.iter().filter(|(found, _)| found == keyword).map(|(_, arguments)| arguments.as_str()).collect()
}

fn last_stage(file: &str) -> Vec<(String, String)> {
    let text = read(file);
    let (_, stage) = text.split_once(LAST_STAGE).unwrap_or_else(|| panic!("{file} has no empty base"));
    instructions(stage)
}

fn builder(file: &str) -> String {
    read(file).split_once(LAST_STAGE).unwrap_or_else(|| panic!("{file} has no empty base")).0.to_string()
}

#[test]
fn both_dockerfiles_share_one_builder_stage() {
    let [routing, operator] = BOTH.map(builder);
    assert_eq!(routing, operator);
    assert!(routing.contains("cargo build --frozen --release --package dataplane --package operator"));
    for file in BOTH {
        assert_eq!(all(&last_stage(file), "FROM"), Vec::<&str>::new(), "{file}: the empty base is the last stage");
    }
}

/// Cargo runs with a mount of the stage `vendor`, which a build context can replace; and no `# syntax` line makes
/// BuildKit pull another frontend.
#[test]
fn vendored_crates_are_mounted_wherever_cargo_runs_and_no_other_frontend_is_pulled() {
    let stages = builder("Dockerfile.routing");
    assert!(stages.contains("\nFROM scratch AS vendor\n"), "empty, unless a build context replaces it");
    let commands = instructions(&stages);
    let of_cargo: Vec<&str> = all(&commands, "RUN").into_iter().filter(|run| run.contains("cargo ")).collect();
    assert_eq!(of_cargo.len(), 2, "dependencies, programs: {of_cargo:?}");
    for run in of_cargo {
        assert!(run.starts_with("--mount=type=bind,from=vendor,target=/build/.cargo "), "{run}");
    }
    for file in BOTH {
        assert!(!read(file).to_lowercase().replace(' ', "").contains("#syntax="), "{file}");
    }
}

#[test]
fn contract_8_image_of_the_data_plane() {
    let stage = last_stage("Dockerfile.routing");
    let variables: BTreeSet<&str> = all(&stage, "ENV").iter().flat_map(|line| line.split(' ')).collect();
    for variable in ["SUPERVISOR_CONFIG_DIR=/app/config/supervisor", "ROUTING_PORT=3210"] {
        assert!(variables.contains(variable), "{variables:?}");
    }
    assert!(all(&stage, "EXPOSE").iter().any(|ports| ports.split(' ').any(|port| port == "3210")));
    assert_eq!(all(&stage, "USER"), ["65532:65532"]);
    assert_eq!(all(&stage, "ENTRYPOINT"), ["[\"/usr/local/bin/routing\"]"]);
    assert_eq!(all(&stage, "CMD"), Vec::<&str>::new(), "no arguments: it serves");
}

#[test]
fn contract_8_the_five_prompts_are_baked_in() {
    let stage = last_stage("Dockerfile.routing");
    let baked = all(&stage, "COPY").into_iter().find_map(|copy| copy.strip_suffix(" /app/config/supervisor/"));
    let source = baked.and_then(|copy| copy.strip_prefix("--from=builder /build/")).expect("prompts of the source");
    let files = std::fs::read_dir(checkout().join(source)).expect("a folder").map(|file| file.expect("a file"));
    let names: BTreeSet<String> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names, crds::builtin::PROMPT_FILES.map(|(name, _)| name.to_string()).into());
    let named = ["review.md", "debug.md", "retrospective.md", "trainer-reader.md", "trainer-writer.md"];
    assert_eq!(names, named.map(String::from).into());
}

#[test]
fn the_operators_image_is_one_program_that_runs_as_nobody() {
    let stage = last_stage("Dockerfile.operator");
    assert_eq!(all(&stage, "USER"), ["65532:65532"]);
    assert_eq!(all(&stage, "ENTRYPOINT"), ["[\"/usr/local/bin/routing-operator\"]"]);
    assert_eq!(all(&stage, "CMD"), Vec::<&str>::new());
}

#[test]
fn both_images_trust_the_same_authorities_and_have_labels() {
    let certificates = "/etc/ssl/certs/ca-certificates.crt";
    for file in BOTH {
        let stage = last_stage(file);
        assert!(all(&stage, "COPY").contains(&format!("--from=builder {certificates} {certificates}").as_str()));
        assert!(all(&stage, "ENV").iter().any(|line| line.ends_with(&format!("SSL_CERT_FILE={certificates}"))));
        let labels = all(&stage, "LABEL").join(" ");
        for label in ["title", "description", "licenses", "version=\"$VERSION\"", "revision=\"$REVISION\""] {
            assert!(labels.contains(&format!("org.opencontainers.image.{label}")), "{file}: {label}: {labels}");
        }
    }
}

#[test]
fn the_default_version_of_an_image_is_the_workspaces_and_the_manifests_name_it() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(builder("Dockerfile.routing").contains(&format!("\nARG VERSION={version}\n")), "{version}");
    let manifest = read("deploy/operator/deployment.yaml");
    for image in [format!("image: routing-operator:{version}\n"), format!("value: routing:{version}\n")] {
        assert!(manifest.contains(&image), "{image}");
    }
}

/// Otherwise the builder's first layer fails, or a new member's dependencies are not in it.
#[test]
fn the_files_that_the_builder_copies_first_are_a_complete_workspace() {
    let folder = tempfile::tempdir().expect("a folder");
    let builder = instructions(&builder("Dockerfile.routing"));
    let mut stubs = None;
    for (keyword, arguments) in &builder {
        match keyword.as_str() {
            "COPY" => copy(arguments, folder.path()),
            "RUN" => {
                stubs = arguments.split_once("for source in ").and_then(|(_, rest)| rest.split_once(';'));
                break;
            }
            _ => {}
        }
    }
    for stub in stubs.expect("empty sources").0.split(' ') {
        let file = folder.path().join(stub);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, "fn main() {}\n").expect("written");
    }
    // `metadata` forgives a program, test or bench whose source is missing; what builds does not, nor does `fetch`.
    cargo(folder.path(), &["fetch", "--locked", "--offline", "--target", "host-tuple"]);
    let metadata = cargo(folder.path(), &["metadata", "--no-deps", "--format-version=1", "--offline"]);
    let metadata: Value = serde_json::from_slice(&metadata).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    assert_eq!(names, ["brain", "crds", "dataplane", "endpoint", "fuzz", "operator", "tests"].into());
}

/// Otherwise the builder compiles the empty sources of its first layer.
#[test]
fn the_build_context_has_the_sources_that_the_builder_copies() {
    let sent = read(".dockerignore");
    let builder = instructions(&builder("Dockerfile.routing"));
    let copied = all(&builder, "COPY").into_iter().filter_map(|arguments| arguments.split_once(' '));
    let folders: Vec<&str> = copied.filter(|(from, to)| from == to).map(|(from, _)| from).collect();
    assert!(folders.len() >= 5, "{folders:?}");
    for folder in folders {
        assert!(sent.lines().any(|line| line == format!("!{folder}src")), "{folder}src is not in .dockerignore");
    }
}

/// What cargo prints in a folder.
fn cargo(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(folder).output().expect("cargo runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// `COPY FILE… FOLDER` from the checkout.
fn copy(arguments: &str, to: &Path) {
    let mut sources: Vec<&str> = arguments.split(' ').collect();
    let folder = to.join(sources.pop().expect("a folder"));
    std::fs::create_dir_all(&folder).expect("a folder");
    for source in sources {
        let name = Path::new(source).file_name().expect("a file");
        std::fs::copy(checkout().join(source), folder.join(name)).expect("copied");
    }
}

#[tokio::test]
async fn one_version_is_shown_by_command_status_and_metric() {
    let version = crds::VERSION;
    let shown = program::run(&["--version"], &[], &checkout()).stdout;
    assert_eq!(String::from_utf8_lossy(&shown), format!("routing {version}\n"));
    let operator = Command::new(tests::required("ROUTING_OPERATOR_BIN")).arg("--version").output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&operator.stdout), format!("routing-operator {version}\n"));
    let routing = program::Program::serve().start().await;
    assert_eq!(routing.status().await["version"], version);
    let metrics = routing.admin("/metrics").await;
    assert!(metrics.contains(&format!("routing_build_info{{version=\"{version}\"}} 1\n")), "{metrics}");
}

/// The images build the dependencies of the workspace from its manifests alone, so each target that a manifest names needs
/// a file in its place.
#[test]
fn both_dockerfiles_have_a_file_for_each_target_that_a_manifest_names() {
    let workspace: toml::Value = toml::from_str(&read("Cargo.toml")).expect("TOML");
    let members = workspace["workspace"]["members"].as_array().expect("members").iter().filter_map(|one| one.as_str());
    let mut targets = vec![];
    for member in members {
        let manifest: toml::Value = toml::from_str(&read(&format!("{member}/Cargo.toml"))).expect("TOML");
        for (kind, folder) in [("bench", "benches"), ("test", "tests")] {
            let named = manifest.get(kind).and_then(toml::Value::as_array).into_iter().flatten();
            targets.extend(named.map(|target| match target.get("path").and_then(toml::Value::as_str) {
                Some(path) => format!("{member}/{path}"),
                None => format!("{member}/{folder}/{}.rs", target["name"].as_str().expect("a name")),
            }));
        }
    }
    assert!(targets.len() >= 5, "{targets:?}");
    for dockerfile in BOTH {
        let text = read(dockerfile);
        let missing: Vec<&String> = targets.iter().filter(|target| !text.contains(*target)).collect();
        assert!(missing.is_empty(), "{dockerfile}: {missing:?}");
    }
}
