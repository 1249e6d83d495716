//! `routing demo`: everything on this machine, in one process.

mod greeting;
mod outcomes;
mod stand_ins;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use brain::{http::Ends, metrics::Metrics, store::Store};
use crds::{pod::variable, table::ClaudeTarget, variables::Variables};
use endpoint::serve::{Limits, until};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use self::{greeting::Greeting, outcomes::Outcomes, stand_ins::StandIns};
use super::{
    CliError, DemoArgs, brain as brain_command,
    serve::{self, Listening},
};
use crate::{
    data_plane::DataPlane,
    demo::{examples, stand_in},
    server::{self, ServeError},
    settings::{self, SettingsError, environment::LITELLM_BASE_URL},
};

const LOOPBACK: &str = "127.0.0.1";
/// Servers for callers in this process: data plane, brain, stand-in models.
const SERVERS: usize = 3;
/// How long the brain and the stand-in models may take to stop.
const PART_GRACE: Duration = Duration::from_secs(2);
/// How long a pass rate is cached unless a variable says otherwise: short, so that a report's effect is seen.
const TTL_SECONDS: &str = "2";

pub(super) async fn run(args: &DemoArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let mut variables = on_this_machine(variables);
    let mut brain_settings = brain_settings(&variables)?;
    let stand_ins = StandIns::of(&variables);
    let outcomes = Outcomes::of(&brain_settings, args.with_examples, stand_ins)?;
    brain_settings.database = outcomes.database.clone();
    let end = CancellationToken::new();
    let (store, brain_server) = start_brain(&brain_settings, &end).await?;
    let brain_address = reachable(brain_settings.bind, brain_settings.port);
    variables.set("BRAIN_URL", &brain_address);
    let stand_in = start_stand_in(stand_ins, &mut variables, &end).await?;

    let settings = settings::read(&variables, None, None)?;
    let listening = Listening::of(&settings, SERVERS);
    let data_plane = serve::start(settings, &variables)?;
    if outcomes.are_examples() {
        add_examples(&store, &data_plane).await?;
    }
    let ports = listening.ports(&data_plane)?;
    let brain_token = variables.get("BRAIN_TOKEN").is_some();
    greeting((brain_address, brain_token), &listening, &data_plane, &outcomes, stand_ins).print();
    let served = server::serve(data_plane, ports, server::signals()?).await;
    // Only now: while the data plane stopped, it sent its last decisions to the brain.
    end.cancel();
    for server in std::iter::once(brain_server).chain(stand_in) {
        has_stopped(server).await?;
    }
    store.close().await;
    served?;
    Ok(ExitCode::SUCCESS)
}

/// The demo is for this machine only, unless a variable sets another address.
fn on_this_machine(variables: &Variables) -> Variables {
    let mut variables = variables.clone();
    for bind in ["ROUTING_BIND", "BRAIN_BIND"] {
        variables.set_default(bind, LOOPBACK);
    }
    variables.set_default("HYPERGUILD_PASS_RATE_TTL_SECONDS", TTL_SECONDS);
    if variables.get(variable::POLICY_FILE).is_some() {
        tracing::warn!("the demo ignores ROUTING_POLICY_FILE; to run that policy, use `routing serve --policy FILE`");
    }
    variables
}

fn greeting(
    (brain, brain_token): (String, bool),
    listening: &Listening,
    data_plane: &DataPlane,
    outcomes: &Outcomes,
    stand_ins: StandIns,
) -> Greeting {
    let active = data_plane.config.active();
    Greeting {
        mcp: format!("{}{}", reachable(listening.bind, listening.port(data_plane)), endpoint::PATH),
        admin: reachable(listening.admin_bind, listening.admin_port),
        brain,
        database: outcomes.database.shown(),
        remark: outcomes.remark,
        brain_token,
        with_token: !active.table.access.tokens.is_empty(),
        ttl_seconds: active.table.evidence.ttl.as_secs(),
        models: stand_ins.shown(),
    }
}

/// Waits for the end of a part: a connection that a client keeps open must not delay that of the demo.
async fn has_stopped(server: Server) -> Result<(), ServeError> {
    match tokio::time::timeout(PART_GRACE, server).await {
        Ok(ended) => ended.map_err(|panicked| ServeError::Ended(panicked.into())),
        Err(_) => {
            tracing::debug!("a part of the demo did not stop in time; it ends with the process");
            Ok(())
        }
    }
}

type Server = JoinHandle<()>;

/// The brain's settings; those of the data plane are read to name what is wrong with all parts in one go.
fn brain_settings(variables: &Variables) -> Result<brain::settings::Settings, SettingsError> {
    let brain = brain::settings::from_environment(variables);
    let mut data_plane = variables.clone();
    // The demo's own brain, whatever the variable says.
    data_plane.set("BRAIN_URL", "");
    let data_plane = settings::read(&data_plane, None, None).err().map(|error| error.0).unwrap_or_default();
    match brain {
        Ok(settings) if data_plane.is_empty() => Ok(settings),
        brain => Err(SettingsError::all([brain.err().unwrap_or_default(), data_plane])),
    }
}

/// What is wrong with the variables of any part.
pub(super) fn bad_variables(variables: &Variables) -> Vec<String> {
    brain_settings(variables).err().map(|error| error.0).unwrap_or_default()
}

async fn start_brain(
    settings: &brain::settings::Settings,
    end: &CancellationToken,
) -> Result<(Store, Server), CliError> {
    let store = brain_command::open(settings, Metrics::default()).await?;
    let listener = brain_command::listen(settings, &store).await?;
    let ends = Ends { stopping: end.clone(), hard_stop: end.clone() };
    let app = brain::http::app(store.clone(), settings, ends);
    let limits = Limits::of_callers(settings.connections, SERVERS);
    Ok((store, tokio::spawn(until(listener, app, limits, end.clone()))))
}

/// As calls of the two models that are routed between.
async fn add_examples(store: &Store, data_plane: &DataPlane) -> Result<(), CliError> {
    let active = data_plane.config.active();
    let claude = active.claude.as_ref().map_or(ClaudeTarget::CALLER, |claude| &claude.target().model);
    let added = examples::add(store, &active.table.local.model, claude).await;
    println!("Example outcomes: {}", added.map_err(|error| CliError::Store { error })?.join("; "));
    Ok(())
}

/// The URL at which this machine reaches a listener.
fn reachable(bind: Option<IpAddr>, port: u16) -> String {
    let host = bind.filter(|bind| !bind.is_unspecified()).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    format!("http://{}", SocketAddr::new(host, port))
}

/// Starts the stand-in models on a free port of this machine, if there are any.
async fn start_stand_in(
    which: StandIns,
    variables: &mut Variables,
    end: &CancellationToken,
) -> Result<Option<Server>, CliError> {
    if which == StandIns::Neither {
        return Ok(None);
    }
    let failed = |e: std::io::Error| CliError::Message(format!("the stand-in models cannot listen on {LOOPBACK}: {e}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    variables.set(LITELLM_BASE_URL, &format!("http://{address}"));
    for (variable, name) in which.names() {
        variables.set_default(variable, name);
    }
    Ok(Some(tokio::spawn(until(listener, stand_in::app(), Limits::of_admin(), end.clone()))))
}
