//! Stands in for scheduler and kubelet: behind each Pod object of one namespace runs a real `routing` process on a
//! loopback address of its own, with the environment and the files that the pod's template specifies.
//!
//! Like the kubelet, it reads ConfigMaps and Secrets when a pod starts and when its annotations change. It does not
//! read them every minute on its own: a test could not see whether the operator notified it.

mod files;

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    net::Ipv4Addr,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{control_plane::ControlPlane, http, required};

/// How often it checks its pods.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The node's lease is renewed this often; after 40 s without renewal, the node counts as lost.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// Where pods mount their config.
const CONFIG_FOLDER: &str = "/var/run/routing";
/// Pods whose image has this in its name cannot be started.
pub const NO_SUCH_IMAGE: &str = "no-such-image";

/// The stand-in for one namespace; its pods end when it is dropped.
pub struct Kubelet {
    shared: Arc<Shared>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    client: OnceLock<Client>,
    namespace: String,
    node: String,
    node_address: String,
    pods: Mutex<HashMap<String, Running>>,
    spoiled: Mutex<Option<String>>,
}

struct Running {
    name: String,
    child: Child,
    folder: TempDir,
    address: Ipv4Addr,
    annotations: BTreeMap<String, String>,
    ready: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Kubelet {
    /// Starts it for the pods of a namespace, on a node of its own.
    ///
    /// # Panics
    /// If the node cannot be created.
    pub async fn start(plane: &ControlPlane, namespace: &str) -> Self {
        let node = format!("node-of-{namespace}");
        plane.kubectl_with(&["apply", "--filename", "-"], &node_document(&node)).expect_worked();
        let shared = Arc::new(Shared {
            client: OnceLock::new(),
            namespace: namespace.into(),
            node_address: next_address().to_string(),
            node,
            pods: Mutex::default(),
            spoiled: Mutex::default(),
        });
        let stop = CancellationToken::new();
        let (theirs, token, kubeconfig) = (Arc::clone(&shared), stop.clone(), plane.admin_config().await);
        // A thread of its own: pods keep running while a test waits for kubectl.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let _ = theirs.client.set(Client::try_from(kubeconfig).expect("a client"));
                theirs.renew_lease().await;
                token.run_until_cancelled(run(Arc::clone(&theirs))).await;
            });
        });
        Self { shared, stop, thread: Some(thread) }
    }

    /// Kills the process behind a pod while the pod stays running for the cluster: it does not answer any more.
    ///
    /// # Panics
    /// If there is no such pod.
    pub fn cut_off(&self, pod: &str) {
        let mut pods = self.shared.pods.lock().expect("no panic while locked");
        let running = pods.values_mut().find(|running| running.name == pod).expect("such a pod");
        running.child.kill().expect("it runs");
        let _ = running.child.wait();
    }

    /// Replaces the ConfigMap's `policy.yaml` by this text when a pod's files are read next, as if the pod were of a
    /// version that cannot run the config; `None` ends that.
    ///
    /// # Panics
    /// If another test panicked while it held the lock.
    pub fn spoil_policy(&self, text: Option<&str>) {
        *self.shared.spoiled.lock().expect("no panic while locked") = text.map(Into::into);
    }

    /// The addresses of the pods, by name.
    ///
    /// # Panics
    /// If another test panicked while it held the lock.
    #[must_use]
    pub fn addresses(&self) -> BTreeMap<String, Ipv4Addr> {
        let pods = self.shared.pods.lock().expect("no panic while locked");
        pods.values().map(|running| (running.name.clone(), running.address)).collect()
    }

    /// The log of the process behind a pod.
    ///
    /// # Panics
    /// If another test panicked while it held the lock.
    #[must_use]
    pub fn log(&self, pod: &str) -> String {
        let pods = self.shared.pods.lock().expect("no panic while locked");
        let running = pods.values().find(|running| running.name == pod);
        running
            .map(|running| fs::read_to_string(running.folder.path().join("log")).unwrap_or_default())
            .unwrap_or_default()
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.shared.pods.lock().map(|mut pods| pods.clear()).unwrap_or_default();
    }
}

/// An address of 127.0.0.0/8 that no other test uses.
fn next_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let [_, _, high, low] = number.to_be_bytes();
    let process = u8::try_from(std::process::id() % 200).unwrap_or_default();
    Ipv4Addr::new(127, process + 20, high, low)
}

fn node_document(node: &str) -> String {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "labels": {"kubernetes.io/hostname": node}}})
        .to_string()
}

async fn run(shared: Arc<Shared>) {
    let mut renewed = tokio::time::Instant::now();
    loop {
        if renewed.elapsed() > RENEW_EVERY {
            shared.renew_lease().await;
            renewed = tokio::time::Instant::now();
        }
        // While the API server is down, pods keep running as they are.
        if let Ok(pods) = shared.api::<Pod>().list(&ListParams::default()).await {
            shared.look(pods.items).await;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Shared {
    fn client(&self) -> Client {
        self.client.get().expect("set before anything else").clone()
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client(), &self.namespace)
    }

    /// Renews node condition and Lease, by which the cluster sees that the node is alive.
    async fn renew_lease(&self) {
        use k8s_openapi::{
            api::{coordination::v1::Lease, core::v1::Node},
            apimachinery::pkg::apis::meta::v1::MicroTime,
            jiff::Timestamp,
        };
        let now = Timestamp::now();
        let lease: Api<Lease> = Api::namespaced(self.client(), "kube-node-lease");
        let spec = json!({"holderIdentity": self.node, "leaseDurationSeconds": 40, "renewTime": MicroTime(now)});
        let body = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.node},
            "spec": spec,
        });
        let _ = lease.patch(&self.node, &PatchParams::apply("kubelet").force(), &Patch::Apply(body)).await;
        let condition = json!({
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "",
            "lastHeartbeatTime": now.strftime("%FT%TZ").to_string(),
        });
        let nodes: Api<Node> = Api::all(self.client());
        let body = Patch::Strategic(json!({"status": {"conditions": [condition]}}));
        let _ = nodes.patch_status(&self.node, &PatchParams::default(), &body).await;
    }

    async fn look(&self, pods: Vec<Pod>) {
        let known: Vec<String> = pods.iter().filter_map(ResourceExt::uid).collect();
        self.pods.lock().expect("no panic while locked").retain(|uid, _| known.contains(uid));
        for pod in pods {
            let uid = pod.uid().unwrap_or_default();
            let of_data_plane = pod.labels().get("app.kubernetes.io/name").is_some_and(|name| name == "routing");
            let failed = pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Failed"));
            if pod.metadata.deletion_timestamp.is_some() {
                self.pods.lock().expect("no panic while locked").remove(&uid);
                let _ = self.api::<Pod>().delete(&pod.name_any(), &DeleteParams::default().grace_period(0)).await;
                continue;
            }
            if !of_data_plane || failed {
                continue;
            }
            if pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_none()) {
                self.bind(&pod).await;
            } else if self.pods.lock().expect("no panic while locked").contains_key(&uid) {
                self.refresh(&pod, &uid).await;
            } else {
                self.start(&pod, uid).await;
            }
        }
    }

    /// Binds a pod to the node, as a scheduler does; a pod with a node selector stays unschedulable.
    async fn bind(&self, pod: &Pod) {
        if pod.spec.as_ref().is_some_and(|spec| spec.node_selector.is_some()) {
            let condition = json!({
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/1 nodes are available: 1 node(s) didn't match the pod's node selector.",
            });
            self.set_status(&pod.name_any(), json!({"conditions": [condition]})).await;
            return;
        }
        let name = pod.name_any();
        let body = json!({
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": self.namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": self.node},
        });
        let none = kube::api::PostParams::default();
        let _: Result<Value, _> = self.api::<Pod>().create_subresource("binding", &name, &none, &body).await;
    }

    async fn start(&self, pod: &Pod, uid: String) {
        // Of a pod with sidecars, only the data plane is run.
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let Some(container) = containers.into_iter().find(|container| container.name == "routing").cloned() else {
            return;
        };
        if container.image.as_ref().is_some_and(|image| image.contains(NO_SUCH_IMAGE)) {
            let waiting = json!({"reason": "ErrImagePull", "message": "the registry has no such image"});
            self.set_status(&pod.name_any(), container_status("Pending", json!({"waiting": waiting}), false)).await;
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        if !self.write_files(pod, folder.path()).await {
            return;
        }
        let address = next_address();
        let here = folder.path().display().to_string();
        let variables = container.env.unwrap_or_default();
        let variables = variables
            .into_iter()
            .map(|variable| (variable.name, variable.value.unwrap_or_default().replace(CONFIG_FOLDER, &here)));
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let child = Command::new(required("ROUTING_BIN"))
            .env_clear()
            .envs(variables)
            // As every pod has it.
            .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            // The image's workspaces and prompts are not on this machine.
            .env_remove("ROUTING_WORKSPACE_ROOTS")
            .env("ROUTING_BIND", address.to_string())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("the data plane starts");
        let annotations = pod.annotations().clone();
        let running = Running { name: pod.name_any(), child, folder, address, annotations, ready: false };
        self.pods.lock().expect("no panic while locked").insert(uid, running);
    }

    /// Checks a running pod: its files if its annotations changed, its readiness until it is ready, its end.
    async fn refresh(&self, pod: &Pod, uid: &str) {
        let (address, folder, changed, ready, ended) = {
            let mut pods = self.pods.lock().expect("no panic while locked");
            let Some(running) = pods.get_mut(uid) else { return };
            let changed = running.annotations != *pod.annotations();
            running.annotations = pod.annotations().clone();
            let ended = running.child.try_wait().expect("a status").is_some();
            // After an outage of the API server the cluster may count the node as lost and its pods as not ready.
            let ready = running.ready && is_ready(pod);
            (running.address, running.folder.path().to_path_buf(), changed, ready, ended)
        };
        if changed {
            self.write_files(pod, &folder).await;
        }
        if ended && !ready {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            let waiting = json!({"reason": "CrashLoopBackOff", "message": log.lines().last().unwrap_or_default()});
            self.set_status(&pod.name_any(), container_status("Running", json!({"waiting": waiting}), false)).await;
        } else if !ready && let Ok(answer) = http().get(format!("http://{address}:3211/readyz")).send().await {
            let became_ready = answer.status().is_success();
            // A pod that runs has its address, whether it is ready or not; that is reported once.
            if !became_ready && has_address(pod) {
                return;
            }
            let mut status = container_status("Running", json!({"running": {}}), became_ready);
            status["podIP"] = json!(address);
            status["podIPs"] = json!([{"ip": address}]);
            status["hostIP"] = json!(self.node_address);
            status["hostIPs"] = json!([{"ip": self.node_address}]);
            self.set_status(&pod.name_any(), status).await;
            if let Some(running) = self.pods.lock().expect("no panic while locked").get_mut(uid) {
                running.ready = became_ready;
            }
        }
    }

    async fn set_status(&self, pod: &str, status: Value) {
        let body = Patch::Strategic(json!({"status": status}));
        let _ = self.api::<Pod>().patch_status(pod, &PatchParams::default(), &body).await;
    }
}

fn has_address(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some())
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn container_status(phase: &str, state: Value, ready: bool) -> Value {
    let condition = |kind: &str, holds: bool| json!({"type": kind, "status": if holds { "True" } else { "False" }});
    json!({
        "phase": phase,
        "conditions": [condition("PodScheduled", true), condition("ContainersReady", ready), condition("Ready", ready)],
        "containerStatuses": [{
            "name": "routing", "image": "routing", "imageID": "", "restartCount": 0, "ready": ready, "started": ready,
            "state": state,
        }],
    })
}
