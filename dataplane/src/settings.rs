//! How the process runs: settings from its environment and its command line.

pub mod environment;
mod prompts;

use std::{
    net::IpAddr,
    path::{Component, Path, PathBuf},
};

use crds::{
    builtin::BuiltinPrompts,
    pod::{ADMIN_PORT, SECRETS_FOLDER, variable},
    variables::{self, ADDRESS_RULE, PORT_RULE, Reader, Variables},
};
use endpoint::{host::Hosts, serve};

use crate::{
    config::PolicySource,
    secrets::{self, SecretSource, SecretVariables},
};

/// Variable that Kubernetes sets in every pod.
const KUBERNETES: &str = "KUBERNETES_SERVICE_HOST";

/// How the data plane runs.
#[derive(Debug)]
pub struct Settings {
    /// Address of `/mcp`; none: every address of this machine, IPv6 and IPv4.
    pub bind: Option<IpAddr>,
    /// Address of the admin endpoint; none: every address.
    pub admin_bind: Option<IpAddr>,
    /// Port of `/mcp` and `/healthz`; none: the policy's `service.port`.
    pub port: Option<u16>,
    /// Port of the admin endpoint.
    pub admin_port: u16,
    /// Hosts that the admin endpoint answers for.
    pub admin_hosts: Hosts,
    /// Most connections of callers.
    pub connections: usize,
    pub source: PolicySource,
    pub secrets: SecretSource,
    /// Texts of the built-in skills' prompts: from files, or compiled in.
    pub prompts: BuiltinPrompts,
    /// Folders below which callers' files may be read; none: no file is read.
    pub workspace_roots: Vec<PathBuf>,
    /// Variables that describe a policy and are set although there is a policy file.
    pub policy_variables: Vec<String>,
}

/// Settings that cannot be used: one line per setting.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SettingsError(pub Vec<String>);

impl SettingsError {
    /// What is wrong with several parts. A variable that two of them read is named once.
    pub fn all(parts: [Vec<String>; 2]) -> Self {
        let mut lines: Vec<String> = vec![];
        for line in parts.into_iter().flatten() {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        Self(lines)
    }
}

/// Reads the settings of `routing serve`.
///
/// # Errors
/// One line for each bad variable and each missing prompt file, all in one go.
pub fn read(
    variables: &Variables,
    policy: Option<PathBuf>,
    config_maps: Option<PathBuf>,
) -> Result<Settings, SettingsError> {
    let mut reader = Reader::new(variables);
    let bind = reader.optional("ROUTING_BIND", ADDRESS_RULE, |text| text.parse().ok());
    let admin_bind = reader.optional("ROUTING_ADMIN_BIND", ADDRESS_RULE, |text| text.parse().ok()).or(bind);
    let admin_hosts = Hosts::from_variable(&mut reader, "ROUTING_ADMIN_ALLOWED_HOSTS");
    let connections = serve::connections(&mut reader);
    let port = reader.optional(variable::PORT, PORT_RULE, variables::port);
    let admin_port = reader.parsed(variable::ADMIN_PORT, ADMIN_PORT, PORT_RULE, variables::port);
    let prompts = prompts::read(variables).unwrap_or_else(|errors| {
        reader.errors.extend(errors);
        BuiltinPrompts::default()
    });
    let roots = reader.parsed(
        variable::WORKSPACE_ROOTS,
        vec![],
        "must be absolute folders that exist, separated by ':'",
        folders,
    );
    let secret_variables = SecretVariables::new(variables.iter(), listed_secrets(&mut reader));
    let (source, secrets) = sources(&mut reader, secret_variables, policy, config_maps);
    let policy_variables = match source {
        PolicySource::File { .. } => environment::set_policy_variables(variables),
        PolicySource::Environment(_) => vec![],
    };
    if !reader.errors.is_empty() {
        return Err(SettingsError(reader.errors));
    }
    Ok(Settings {
        bind,
        admin_bind,
        port,
        admin_port,
        admin_hosts,
        connections,
        source,
        secrets,
        prompts,
        workspace_roots: roots,
        policy_variables,
    })
}

/// Where the policy comes from, and its secrets.
fn sources(
    reader: &mut Reader<'_>,
    secrets: SecretVariables,
    policy: Option<PathBuf>,
    config_maps: Option<PathBuf>,
) -> (PolicySource, SecretSource) {
    match policy {
        Some(path) => (PolicySource::File { path, config_maps }, secrets_beside_policy(reader, secrets)),
        None => {
            let policy = environment::policy(reader);
            (PolicySource::Environment(Box::new(policy)), SecretSource::Environment(secrets))
        }
    }
}

/// The folder with a policy file's secrets. In a pod, which Kubernetes gives this variable, a folder that is named was
/// mounted.
fn secrets_beside_policy(reader: &Reader<'_>, variables: SecretVariables) -> SecretSource {
    let named = reader.text(variable::SECRETS_FOLDER);
    let folder = named.unwrap_or(SECRETS_FOLDER).into();
    if named.is_some() && reader.text(KUBERNETES).is_some() {
        return SecretSource::Mounted(folder, variables);
    }
    SecretSource::Folder(folder, variables)
}

/// The names in the variable that lists secrets. A bad value is not shown: it may be a secret itself.
fn listed_secrets(reader: &mut Reader<'_>) -> Vec<String> {
    let names = reader.text(secrets::LIST_VARIABLE).map(secrets::variable_names);
    if matches!(names, Some(None)) {
        let name = secrets::LIST_VARIABLE;
        let rule = "must be names of environment variables, not their values, separated by commas";
        reader.errors.push(format!("{name}: {rule}"));
    }
    names.flatten().unwrap_or_default()
}

fn is_root(folder: &Path) -> bool {
    folder.is_absolute() && folder.is_dir() && !folder.components().any(|part| part == Component::ParentDir)
}

fn folders(text: &str) -> Option<Vec<PathBuf>> {
    let folders: Vec<PathBuf> = std::env::split_paths(text).collect();
    folders.iter().all(|folder| is_root(folder)).then_some(folders)
}

#[cfg(test)]
mod tests;
