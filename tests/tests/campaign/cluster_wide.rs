//! The CustomResourceDefinition of another version, for a while: during an upgrade and a downgrade it is newer or older
//! than the operator.

use std::time::Duration;

use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};

use super::{
    place::{POLICY, Place},
    policy_tampering::PolicyTampering,
    tampering::as_others,
    wait,
};

const NAME: &str = "routingpolicies.routing.hyperguild.io";
/// A field that no version has.
const NEW: &str = "fromTheFuture";
/// Fields that scenarios do not set: one that has a default, and one that the operator writes.
const OLD: [&str; 2] = ["spec/properties/decisionLine", "status/properties/endpoint"];
/// How long it is another version's, once that was noticed.
const IS_ANOTHER_FOR: Duration = Duration::from_secs(3);
/// Longest wait until a changed schema is in force, and was noticed.
const NOTICED_WITHIN: Duration = Duration::from_secs(30);
/// How long the operator has to write a status anew: a busy one is not to be asked for it over and over.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// How the definition differs from the operator's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Definition {
    /// It has one more field, which the policy then sets.
    Newer,
    /// It lacks fields, one of which the operator writes meanwhile.
    Older,
}

impl Definition {
    /// Changes the definition for a while; whether the policy had the new field, or has lost the old one.
    pub async fn act(self, place: &Place) -> bool {
        let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
        let definitions: Api<DynamicObject> = Api::all_with(place.client.clone(), &ApiResource::from_gvk(&kind));
        let definition = definitions.get(NAME).await.expect("the definition");
        let (change, restore) = self.operations(&definition.data);
        patch(&definitions, &change).await;
        let noticed = wait::for_a_while(NOTICED_WITHIN, || async {
            match self {
                Self::Newer => has_the_new_field(place).await,
                Self::Older => loses_the_old_field(place).await,
            }
        });
        let noticed = noticed.await;
        tokio::time::sleep(IS_ANOTHER_FOR).await;
        patch(&definitions, &restore).await;
        noticed
    }

    /// What changes the definition, and what restores it.
    fn operations(self, definition: &Value) -> (Value, Value) {
        match self {
            Self::Newer => {
                let path = path(&format!("spec/properties/{NEW}"));
                let field = json!({"type": "string"});
                (json!([{"op": "add", "path": path, "value": field}]), json!([{"op": "remove", "path": path}]))
            }
            Self::Older => {
                let paths = OLD.map(path);
                let remove = |path: &String| json!({"op": "remove", "path": path});
                let add = |path: &String| json!({"op": "add", "path": path, "value": definition.pointer(path)});
                (paths.iter().map(remove).collect(), paths.iter().map(add).collect())
            }
        }
    }
}

fn path(field: &str) -> String {
    format!("/spec/versions/0/schema/openAPIV3Schema/properties/{field}")
}

/// Until it is taken: the definition must be restored in any case.
async fn patch(definitions: &Api<DynamicObject>, operations: &Value) {
    wait::until("the definition to be changed", || async {
        let patch = Patch::Json::<()>(serde_json::from_value(operations.clone()).expect("a JSON patch"));
        definitions.patch(NAME, &PatchParams::default(), &patch).await.ok()
    })
    .await;
}

/// Sets the new field; whether the API server does not prune it any more.
async fn has_the_new_field(place: &Place) -> bool {
    let patch = Patch::Merge(json!({"spec": {NEW: "x"}}));
    let set = place.policies().patch(POLICY, &as_others(), &patch).await;
    set.is_ok_and(|policy| policy.data["spec"][NEW] == "x")
}

/// Once the older definition is in force, has the operator write its status anew; whether the old field is not in it.
async fn loses_the_old_field(place: &Place) -> bool {
    let wrote_anew = || async {
        let Ok(Some(policy)) = place.policy().await else { return false };
        let status = &policy.data["status"];
        status["conditions"].is_array() && status["endpoint"].is_null()
    };
    is_without_the_old_default(place).await
        && PolicyTampering::StatusWiped.act(place).await
        && wait::for_a_while(WRITTEN_WITHIN, wrote_anew).await
}

/// Whether the API server no longer fills in the default that the older definition lacks: it is in force.
async fn is_without_the_old_default(place: &Place) -> bool {
    place.policy().await.is_ok_and(|policy| policy.is_some_and(|policy| policy.data["spec"]["decisionLine"].is_null()))
}

#[test]
fn what_restores_the_definition_is_what_was_there() {
    let field = |name: &str| json!({"type": name});
    let (spec, status) = (json!({"decisionLine": field("a")}), json!({"endpoint": field("b")}));
    let properties = json!({"spec": {"properties": spec}, "status": {"properties": status}});
    let definition = json!({"spec": {"versions": [{"schema": {"openAPIV3Schema": {"properties": properties}}}]}});
    let (change, restore) = Definition::Older.operations(&definition);
    let values = |operations: &Value| -> Vec<Value> {
        operations.as_array().into_iter().flatten().map(|operation| operation["value"].clone()).collect()
    };
    assert_eq!(values(&change), [Value::Null, Value::Null]);
    assert_eq!(values(&restore), [field("a"), field("b")]);
    let (change, restore) = Definition::Newer.operations(&definition);
    assert_eq!(change[0]["path"], restore[0]["path"]);
}
