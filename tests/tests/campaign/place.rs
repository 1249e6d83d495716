//! The namespace of one plan, as its administrator sees it.

use std::sync::{
    OnceLock,
    atomic::{AtomicU16, Ordering},
};

use crds::RoutingPolicy;
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, ObjectMeta, PostParams},
    core::ApiResource,
};
use tests::policies::{CHILD_KINDS, resource};

use super::wait;

/// Name of the one policy of a plan.
pub const POLICY: &str = "edge";
/// The first of the ports that the API server assigns only to Services that name them, and how many there are; see the
/// control plane's range.
const OWN_PORTS: (u16, u16) = (30_310, 76);

/// A namespace.
pub struct Place {
    /// The administrator's client.
    pub client: Client,
    /// Its name.
    pub namespace: String,
    /// A port on every node for it alone: nodes are shared.
    own_port: OnceLock<u16>,
}

/// A child as it is.
pub struct Found {
    /// Its kind, which lists leave out.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The object.
    pub object: DynamicObject,
}

impl Place {
    /// A new namespace with this name.
    pub async fn new(client: &Client, namespace: &str) -> Self {
        let place = Self { client: client.clone(), namespace: namespace.into(), own_port: OnceLock::new() };
        place.create().await;
        place
    }

    /// A port on every node for this namespace alone, as long as not many others ask for one.
    pub fn take_port(&self) -> u16 {
        static TAKEN: AtomicU16 = AtomicU16::new(0);
        let (first, count) = OWN_PORTS;
        *self.own_port.get_or_init(|| first + TAKEN.fetch_add(1, Ordering::Relaxed) % count)
    }

    /// The port that was taken, if one was.
    #[must_use]
    pub fn own_port(&self) -> Option<u16> {
        self.own_port.get().copied()
    }

    /// Creates the namespace; its pods must meet the restricted Pod Security Standard, as in all tests.
    pub async fn create(&self) {
        let labels = [("pod-security.kubernetes.io/enforce".to_string(), "restricted".to_string())].into();
        let metadata = ObjectMeta { name: Some(self.namespace.clone()), labels: Some(labels), ..ObjectMeta::default() };
        let (namespaces, parameters) = (self.namespaces(), PostParams::default());
        let namespace = Namespace { metadata, ..Namespace::default() };
        let what = format!("the namespace {} to be created", self.namespace);
        wait::until(&what, || async { namespaces.create(&parameters, &namespace).await.ok() }).await;
    }

    /// Begins to delete the namespace; returns whether that worked.
    pub async fn delete(&self) -> bool {
        self.namespaces().delete(&self.namespace, &DeleteParams::default()).await.is_ok()
    }

    /// Waits until the namespace is gone.
    pub async fn until_gone(&self) {
        let namespaces = self.namespaces();
        wait::until_true("the namespace to be gone", || async {
            matches!(namespaces.get_opt(&self.namespace).await, Ok(None))
        })
        .await;
    }

    fn namespaces(&self) -> Api<Namespace> {
        Api::all(self.client.clone())
    }

    /// Objects of a kind.
    #[must_use]
    pub fn objects(&self, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(kind))
    }

    /// Policies, as the API server has them.
    #[must_use]
    pub fn policies(&self) -> Api<DynamicObject> {
        let policies = ApiResource::erase::<RoutingPolicy>(&());
        Api::namespaced_with(self.client.clone(), &self.namespace, &policies)
    }

    /// The plan's policy, if it exists.
    ///
    /// # Errors
    /// The API server did not answer.
    pub async fn policy(&self) -> kube::Result<Option<DynamicObject>> {
        self.policies().get_opt(POLICY).await
    }

    /// What has the name of a child, with any owner and any labels.
    ///
    /// # Errors
    /// The API server did not answer.
    pub async fn children(&self) -> kube::Result<Vec<Found>> {
        let lists = try_join_all(CHILD_KINDS.into_iter().map(|kind| self.children_of(kind))).await?;
        Ok(lists.into_iter().flatten().collect())
    }

    async fn children_of(&self, kind: &'static str) -> kube::Result<Vec<Found>> {
        let list = self.objects(kind).list(&ListParams::default()).await?;
        let found = list.into_iter().map(|object| Found { kind, name: object.name_any(), object });
        Ok(found.filter(|found| is_name_of_child(&found.name)).collect())
    }
}

fn is_name_of_child(name: &str) -> bool {
    name.strip_prefix(POLICY).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
