//! The routes of a data plane without a socket, and without what runs beside them in the program. For `fuzz` alone, which
//! states what holds for whatever is sent.

use std::{path::PathBuf, sync::Arc};

use axum::Router;
use crds::builtin::BuiltinPrompts;

use crate::{
    config::{Config, PolicySource, active::Shared},
    data_plane::DataPlane,
    decision_log::DecisionLog,
    http, http_client,
    metrics::Metrics,
    otlp::Otlp,
    secrets::{SecretSource, SecretVariables},
    shutdown::Shutdown,
    traces::Traces,
    workspace::WorkspaceFiles,
};

/// The routes of the public port with the policy in this file, which is read once: neither is it followed, nor are its
/// endpoints asked in the background. It has no secrets, and reads no files. Needs a Tokio runtime.
///
/// # Errors
/// Why the policy cannot run.
pub fn of_policy(path: PathBuf) -> Result<Router, String> {
    let metrics = Arc::new(Metrics::default());
    let client = http_client::build(vec![]).map_err(|error| error.to_string())?;
    let shared = Shared { client, metrics: Arc::clone(&metrics) };
    let source = PolicySource::File { path, config_maps: None };
    let secrets = SecretSource::Environment(SecretVariables::default());
    let config =
        Config::start(source, secrets, BuiltinPrompts::default(), shared).map_err(|error| error.to_string())?;
    let decision_log = DecisionLog::start(Arc::clone(&metrics), Traces::default());
    let observed = (Otlp::default(), Traces::default());
    let files = WorkspaceFiles::default();
    let data_plane = DataPlane::new(Arc::new(config), metrics, decision_log, files, observed, Shutdown::default());
    Ok(http::app(&data_plane))
}
