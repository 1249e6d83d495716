//! How the operator runs: its command line, and the environment variables that replace flags.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;
use crds::period::Period;

use crate::restrictions::Restrictions;

/// The operator's name: of its command, its lease and its field manager, and in the labels of objects that it manages.
pub const NAME: &str = "routing-operator";

/// For each RoutingPolicy, runs the pods and Services that serve it.
#[derive(Parser, Clone, Debug)]
#[command(name = NAME, version = crds::VERSION)]
pub struct Settings {
    /// Watch only this namespace (default: all)
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,

    /// How often to reconcile even when nothing changed, for example 30s
    #[arg(long, value_name = "PERIOD", default_value = "30s", value_parser = period)]
    pub resync: Duration,

    /// How often every watch begins anew with a list, which finds what it missed
    #[arg(long, value_name = "PERIOD", default_value = "10m", value_parser = period)]
    pub relist: Duration,

    /// Address of /metrics, /readyz and /livez
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:3211")]
    pub admin_address: SocketAddr,

    /// Data plane image, unless the policy sets one
    #[arg(long, env = "ROUTING_IMAGE", value_name = "IMAGE")]
    pub image: String,

    /// Name of this replica, unique among the operator's replicas
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub pod_name: String,

    /// Namespace of this replica, and of the Lease that elects the leader
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    pub pod_namespace: String,

    /// What policies may name.
    #[command(flatten)]
    pub restrictions: Restrictions,
}

fn period(text: &str) -> Result<Duration, String> {
    Period::from_text(text).duration()
}
