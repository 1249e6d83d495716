//! `routing serve`.

use std::{process::ExitCode, sync::Arc};

use crds::{RoutingTable, pod::variable, variables::Variables};

use super::{CliError, ServeArgs};
use crate::{
    config::{self, Config, PolicySource, active::Shared},
    data_plane::DataPlane,
    decision_log::DecisionLog,
    metrics::Metrics,
    server,
    settings::{self, Settings},
    shutdown::Shutdown,
    workspace::WorkspaceFiles,
};

pub(super) async fn run(args: ServeArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let policy = args.policy_file(variables);
    if policy.is_none() && args.configmaps.is_some() {
        return Err(CliError::Message("--configmaps: needs a policy file; give one with --policy".into()));
    }
    let settings = settings::read(variables, policy, args.configmaps)?;
    let (bind, admin_port, port) = (settings.bind, settings.admin_port, settings.port);
    let policy_variables = settings.policy_variables.clone();
    let data_plane = start(settings)?;
    warn_of_ignored(&policy_variables, &data_plane.config.active().table);
    let port = port.unwrap_or(data_plane.config.active().table.port);
    let mcp = server::listen(bind, port, variable::PORT).await?;
    let admin = server::listen(bind, admin_port, variable::ADMIN_PORT).await?;
    tracing::info!(%bind, port, admin_port, version = crds::VERSION, "listening");
    server::serve(data_plane, mcp, admin).await?;
    Ok(ExitCode::SUCCESS)
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
pub(super) fn start(settings: Settings) -> Result<Arc<DataPlane>, CliError> {
    let metrics = Arc::new(Metrics::default());
    let client = super::http_client()?;
    let shared = Shared { client, metrics: Arc::clone(&metrics) };
    let follows_files = matches!(settings.source, PolicySource::File { .. });
    let config = Arc::new(Config::start(settings.source, settings.secrets, settings.prompts, shared)?);
    let shutdown = Shutdown::default();
    if follows_files {
        tokio::spawn(config::follow(Arc::clone(&config), shutdown.stopping.clone()));
    }
    let decision_log = DecisionLog::start(Arc::clone(&metrics));
    let workspace = WorkspaceFiles::new(settings.workspace_roots);
    Ok(DataPlane::new(config, metrics, decision_log, workspace, shutdown))
}
