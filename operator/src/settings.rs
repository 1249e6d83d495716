//! How the operator runs: its command line and what its pod tells it.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;
use crds::period::Period;

/// What the operator is called: by its command, its lease, the fields and objects that it manages.
pub const NAME: &str = "routing-operator";

/// Turns RoutingPolicies into running, exposed, always-current data planes.
#[derive(Parser, Clone, Debug)]
#[command(name = NAME, version = crds::VERSION)]
pub struct Settings {
    /// Watch only this namespace (default: all)
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,

    /// How often to reconcile even when nothing changed, for example 30s
    #[arg(long, value_name = "PERIOD", default_value = "30s", value_parser = period)]
    pub resync: Duration,

    /// Address of /metrics, /readyz and /livez
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:3211")]
    pub admin_address: SocketAddr,

    /// Image of data planes whose policy does not name one
    #[arg(long, env = "ROUTING_IMAGE", value_name = "IMAGE")]
    pub image: String,

    /// Name of this replica, unique among them
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub pod_name: String,

    /// Namespace of this replica; its lease is there
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    pub pod_namespace: String,
}

fn period(text: &str) -> Result<Duration, String> {
    Period::from_text(text).duration()
}
