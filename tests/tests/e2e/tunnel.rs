//! A tunnel to one pod's ports, which bypasses Services: `kubectl port-forward`.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use serde_json::Value;
use tests::http;

use crate::setup::cluster;

/// Port of `/mcp` in a pod, and its admin port.
const PORTS: [u16; 2] = [3210, 3211];

/// Two open ports of this machine that lead to one pod.
pub struct Tunnel {
    child: Child,
    mcp: u16,
    admin: u16,
}

impl Tunnel {
    /// Opens a tunnel to a pod of the data plane.
    pub fn to_pod(namespace: &str, pod: &str) -> Self {
        let target = format!("pod/{pod}");
        let ports = PORTS.map(|port| format!(":{port}"));
        let mut child = cluster()
            .kubectl_command(&["--namespace", namespace, "port-forward", &target, &ports[0], &ports[1]])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("kubectl starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut local = |port: u16| loop {
            let line = lines.next().unwrap_or_else(|| panic!("no tunnel to {pod}")).expect("text");
            let found = line.strip_prefix("Forwarding from 127.0.0.1:").and_then(|rest| rest.split_once(" -> "));
            if let Some((from, to)) = found
                && to == port.to_string()
            {
                break from.parse().expect("a port");
            }
        };
        let (mcp, admin) = (local(PORTS[0]), local(PORTS[1]));
        // kubectl writes a line for each connection; unread ones would block it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, mcp, admin }
    }

    /// The pod's MCP endpoint.
    pub fn mcp(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.mcp)
    }

    /// The hash of the config that the pod runs.
    pub async fn config_hash(&self) -> Value {
        self.status().await["configHash"].clone()
    }

    /// The pod's own `/status`.
    pub async fn status(&self) -> Value {
        let answer = http().get(format!("http://127.0.0.1:{}/status", self.admin)).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    }

    /// A page of the pod's admin port.
    pub async fn admin_page(&self, page: &str) -> String {
        let answer = http().get(format!("http://127.0.0.1:{}{page}", self.admin)).send().await.expect("an answer");
        answer.text().await.expect("text")
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
