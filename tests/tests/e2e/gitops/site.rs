//! What a cluster with delivery by Git has next to it: a Git server, an image registry, and Flux. They are processes of
//! this machine, and end with this one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::json;
use tests::{http, ports, required, supervised::Supervised, waiting};
use tokio::sync::OnceCell;

use crate::setup::cluster;

/// Password of the user `git`, who may push; only for this run's server, which listens on loopback.
pub const GIT_PASSWORD: &str = "password-of-git-in-a-test";
/// User and password for pushes, as variables of the delivery's scripts.
pub const GIT_CREDENTIALS: [(&str, &str); 2] = [("GITOPS_USER", "git"), ("GITOPS_PASSWORD", GIT_PASSWORD)];
/// The namespace of Flux's objects.
pub const NAMESPACE: &str = "flux-system";

/// The programs, and where they listen.
pub struct Site {
    /// For files of the tests: keys, archives.
    pub folder: PathBuf,
    git: u16,
    registry: u16,
    _programs: Vec<Supervised>,
}

/// The site of this run.
pub async fn site() -> &'static Site {
    static SITE: OnceCell<Site> = OnceCell::const_new();
    SITE.get_or_init(Site::start).await
}

/// The folder of Flux's controllers and sops.
pub fn flux() -> PathBuf {
    required("ROUTING_TEST_FLUX")
}

impl Site {
    async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("routing-gitops-").tempdir().expect("a folder").keep();
        let (git, registry) = (ports::free(), ports::free());
        let mut programs = vec![start_git_server(&folder, git), start_registry(&folder, registry)];
        install_definitions().await;
        programs.extend(start_controllers(&folder).await);
        answers(&format!("http://127.0.0.1:{registry}/v2/")).await;
        Self { folder, git, registry, _programs: programs }
    }

    /// Where images are pushed to and pulled from.
    pub fn registry(&self) -> String {
        format!("127.0.0.1:{}", self.registry)
    }

    /// Where a repository is read.
    pub fn repository_url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}.git", self.git)
    }

    /// Where a repository is on the server's disk.
    pub fn repository_folder(&self, name: &str) -> PathBuf {
        self.folder.join("git").join(format!("{name}.git"))
    }

    /// A command that finds kubectl, sops, BuildKit and this machine's own programs, and uses the registry
    /// without TLS.
    pub fn command(&self, program: &str) -> Command {
        let registries = self.folder.join("registries.conf");
        let text = format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", self.registry());
        fs::write(&registries, text).expect("written");
        let found = [required("ROUTING_TEST_KUBERNETES"), flux(), required("ROUTING_TEST_BUILDKIT")]
            .map(|folder| folder.display().to_string());
        let machine = std::env::var("PATH").expect("a PATH");
        let mut command = Command::new(program);
        command
            .env("PATH", format!("{}:{machine}", found.join(":")))
            .env("KUBECONFIG", std::env::var_os("E2E_KUBECONFIG").expect("checked before"))
            .env("CONTAINERS_REGISTRIES_CONF", registries)
            .env("SOPS_AGE_KEY_FILE", self.age_key())
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        command
    }

    /// The file of the key that secrets in Git are encrypted for.
    pub fn age_key(&self) -> PathBuf {
        self.folder.join("age.agekey")
    }
}

/// Runs a command until it ends and returns what it printed.
pub fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let printed = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{command:?}\n{printed}{}", String::from_utf8_lossy(&stderr));
    printed
}

fn start_git_server(folder: &Path, port: u16) -> Supervised {
    let repositories = folder.join("git");
    fs::create_dir(&repositories).expect("a folder");
    let command = [
        flux().join("git-server").display().to_string(),
        format!("127.0.0.1:{port}"),
        repositories.display().to_string(),
    ];
    // The folder of all programs is removed when this one has ended, which is when this process has.
    let password = [("GIT_PASSWORD".to_string(), GIT_PASSWORD.to_string())];
    Supervised::start_and_remove("git-server", &command, &password, folder, Some(folder))
}

/// Debian's registry; from 127.0.0.1 containerd pulls without TLS.
fn start_registry(folder: &Path, port: u16) -> Supervised {
    let config = folder.join("registry.yaml");
    let images = folder.join("images");
    let text = format!(
        "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
         http: {{addr: 127.0.0.1:{port}}}\n",
        images.display()
    );
    fs::write(&config, text).expect("written");
    let command = ["docker-registry".to_string(), "serve".into(), config.display().to_string()];
    Supervised::start("docker-registry", &command, &[], folder)
}

/// Flux's own CustomResourceDefinitions, and its namespace.
async fn install_definitions() {
    let definitions = flux().join("crds").display().to_string();
    cluster().kubectl(&["apply", "--server-side", "--filename", &definitions]).expect_worked();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    cluster().apply("default", &namespace.to_string());
    for kind in ["gitrepositories.source", "kustomizations.kustomize"] {
        cluster().serves(&format!("{kind}.toolkit.fluxcd.io")).await;
    }
}

/// Starts them as processes of this machine: their images cannot be pulled here.
async fn start_controllers(folder: &Path) -> Vec<Supervised> {
    let kubeconfig = std::env::var("E2E_KUBECONFIG").expect("checked before");
    let variables = [
        ("KUBECONFIG".to_string(), kubeconfig),
        ("RUNTIME_NAMESPACE".into(), NAMESPACE.into()),
        ("HOME".into(), folder.display().to_string()),
    ];
    let artifacts = folder.join("artifacts");
    fs::create_dir(&artifacts).expect("a folder");
    let storage = format!("127.0.0.1:{}", ports::free());
    let own: [(&str, Vec<String>); 2] = [
        (
            "source-controller",
            vec![
                format!("--storage-path={}", artifacts.display()),
                format!("--storage-addr={storage}"),
                format!("--storage-adv-addr={storage}"),
            ],
        ),
        // How often it checks whether a dependency is ready; by default every half a minute.
        ("kustomize-controller", vec!["--requeue-dependency=1s".into()]),
    ];
    let mut started = vec![];
    for (name, arguments) in own {
        let health = format!("127.0.0.1:{}", ports::free());
        let mut command = vec![flux().join(name).display().to_string(), "--enable-leader-election=false".into()];
        command.extend([format!("--health-addr={health}"), format!("--metrics-addr=127.0.0.1:{}", ports::free())]);
        command.extend(arguments);
        started.push(Supervised::start(name, &command, &variables, folder));
        answers(&format!("http://{health}/readyz")).await;
    }
    started
}

async fn answers(url: &str) {
    waiting::until(&format!("{url} to answer"), || async {
        http().get(url).send().await.ok().filter(|answer| answer.status().is_success())
    })
    .await;
}
