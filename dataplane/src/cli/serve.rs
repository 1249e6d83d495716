//! `routing serve`.

use std::{net::IpAddr, process::ExitCode, sync::Arc};

use crds::{RoutingTable, pod::variable, variables::Variables};
use endpoint::{host::Hosts, serve::Limits};
use futures::FutureExt;

use super::{CliError, ServeArgs};
use crate::{
    config::{self, Config, PolicySource, active::Shared},
    data_plane::DataPlane,
    decision_log::DecisionLog,
    metrics::Metrics,
    otlp::{self, Signal},
    server::{self, Ports},
    settings::{self, Settings, SettingsError},
    shutdown::Shutdown,
    traces::Traces,
    workspace::WorkspaceFiles,
};

pub(super) async fn run(args: ServeArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let policy = args.policy_file(variables);
    if policy.is_none() && args.configmaps.is_some() {
        return Err(CliError::Message("--configmaps: needs a policy file; give one with --policy".into()));
    }
    let mut signals = server::signals()?;
    let settings = settings::read(variables, policy, args.configmaps)?;
    let policy_variables = settings.policy_variables.clone();
    let listening = Listening::of(&settings, 1);
    let data_plane = start(settings, variables)?;
    warn_of_ignored(&policy_variables, &data_plane.config.active().table);
    if signals.arrived().now_or_never().is_some() {
        tracing::info!("told to stop before anything was served");
        return Ok(ExitCode::SUCCESS);
    }
    let ports = listening.ports(&data_plane)?;
    server::serve(data_plane, ports, signals).await?;
    Ok(ExitCode::SUCCESS)
}

/// Where a data plane is going to listen.
pub(super) struct Listening {
    pub(super) bind: Option<IpAddr>,
    pub(super) admin_bind: Option<IpAddr>,
    /// None: the policy's.
    port: Option<u16>,
    pub(super) admin_port: u16,
    admin_hosts: Hosts,
    limits: Limits,
}

impl Listening {
    /// `servers`: how many servers for callers this process has.
    pub(super) fn of(settings: &Settings, servers: usize) -> Self {
        Self {
            bind: settings.bind,
            admin_bind: settings.admin_bind,
            port: settings.port,
            admin_port: settings.admin_port,
            admin_hosts: settings.admin_hosts.clone(),
            limits: Limits::of_callers(settings.connections, servers),
        }
    }

    pub(super) fn port(&self, data_plane: &DataPlane) -> u16 {
        self.port.unwrap_or(data_plane.config.active().table.port)
    }

    /// Listens.
    pub(super) fn ports(&self, data_plane: &DataPlane) -> Result<Ports, CliError> {
        let port = self.port(data_plane);
        let mcp = server::listen(self.bind, port, variable::PORT)?;
        let admin = server::listen(self.admin_bind, self.admin_port, variable::ADMIN_PORT)?;
        tracing::info!(
            mcp = server::shown(self.bind, port),
            admin = server::shown(self.admin_bind, self.admin_port),
            connections = self.limits.connections,
            version = crds::VERSION,
            "listening"
        );
        Ok(Ports { mcp, admin, limits: self.limits, admin_hosts: self.admin_hosts.clone() })
    }
}

/// With a policy file, the variables that describe a policy are ignored, except those from which a secret is read.
fn warn_of_ignored(policy_variables: &[String], table: &RoutingTable) {
    let is_secret = |name: &&String| table.secrets().any(|secret| secret.key == **name);
    let ignored: Vec<&str> = policy_variables.iter().filter(|name| !is_secret(name)).map(String::as_str).collect();
    if !ignored.is_empty() {
        tracing::warn!(
            ignored = ignored.join(", "),
            "these variables are ignored, because there is a policy file; set their values there"
        );
    }
}

/// Starts a data plane, which runs its config and follows its files.
pub(super) fn start(settings: Settings, variables: &Variables) -> Result<Arc<DataPlane>, CliError> {
    let metrics = Arc::new(Metrics::default());
    let otlp = otlp::start(variables, &[Signal::Traces, Signal::Metrics], "routing", &metrics.otlp);
    let otlp = otlp.map_err(SettingsError)?;
    let traces = Traces::of(&otlp);
    let client = super::http_client()?;
    let shared = Shared { client, metrics: Arc::clone(&metrics) };
    let follows_files = matches!(settings.source, PolicySource::File { .. });
    let config = Arc::new(Config::start(settings.source, settings.secrets, settings.prompts, shared)?);
    let shutdown = Shutdown::default();
    if follows_files {
        tokio::spawn(config::follow(Arc::clone(&config), shutdown.stopping.clone()));
    }
    tokio::spawn(config::probe(Arc::clone(&config), shutdown.stopping.clone()));
    let decision_log = DecisionLog::start(Arc::clone(&metrics), traces.clone());
    let workspace = WorkspaceFiles::new(settings.workspace_roots);
    let data_plane = DataPlane::new(config, metrics, decision_log, workspace, (otlp, traces), shutdown);
    tokio::spawn(warn_unless_prompts_can_be_rendered(Arc::clone(&data_plane)));
    Ok(data_plane)
}

/// Else only the callers would notice.
async fn warn_unless_prompts_can_be_rendered(data_plane: Arc<DataPlane>) {
    if let Err(error) = data_plane.renderers.check().await {
        tracing::error!(%error, "prompts of templates that do more than fill in values cannot be rendered");
    }
}
