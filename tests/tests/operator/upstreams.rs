//! What a policy's status says about the endpoints of its models, as real data planes find them.

use serde_json::json;
use tests::{
    mcp::Mcp,
    policies::{Policies, condition, spec},
    ports,
    stand_in::models::Models,
    waiting,
};

#[tokio::test]
async fn a_dead_upstream_is_told_by_a_condition_that_gates_nothing() {
    let (policies, kubelet) = Policies::operated_with_pods("pods-upstream").await;
    let models = Models::start_listing(200, json!({"data": [{"id": "c"}, {"id": "other"}]})).await;
    let dead = format!("127.0.0.1:{}", ports::free());
    policies.apply("edge", &spec(json!({"upstream": {"url": format!("http://{dead}")}})));
    let down = policies.wait_for_condition("edge", "UpstreamReachable", "False", "UpstreamUnreachable").await;
    let said = format!("models.local l at {dead} cannot be reached: the connection was refused; ");
    assert!(down.message.contains(&said), "{}", down.message);
    let ready = policies.wait_until_ready("edge").await;
    assert!(["Accepted", "Programmed"].into_iter().all(|kind| ready.is_true(kind)), "{ready:?}");
    assert!(condition(&ready, "Stalled").is_none(), "{ready:?}");

    policies.apply("edge", &spec(json!({"upstream": {"url": models.url()}})));
    let up = policies.wait_for_condition("edge", "UpstreamReachable", "True", "UpstreamReachable").await;
    assert!(up.message.contains("does not list the model l;") && up.message.contains("it lists c, other"), "{up:?}");
    drop(kubelet);
}

#[tokio::test]
async fn a_local_model_that_is_left_alone_is_told_by_a_condition_and_by_events() {
    let (policies, kubelet) = Policies::operated_with_pods("upstreams-circuit").await;
    let models = Models::start().await;
    let with = |local: &str| spec(json!({"upstream": {"url": models.url()}, "models": {"local": {"name": local}}}));
    policies.apply("edge", &with("ill"));
    policies.wait_for_condition("edge", "UpstreamReachable", "True", "UpstreamReachable").await;
    policies.wait_until_ready("edge").await;
    assert_eq!(policies.events("UpstreamReachable"), Vec::<String>::new(), "as it should be");
    let address = kubelet.addresses().into_values().next().expect("a pod");
    let mcp = Mcp::new(&format!("http://{address}:3210/mcp"));
    for _ in 0..6 {
        assert!(!mcp.debug("x").await.is_error());
    }
    let open = policies.wait_for_condition("edge", "UpstreamReachable", "False", "LocalCircuitOpen").await;
    assert!(open.message.contains("models.local ill at ") && open.message.contains("so it is left alone"), "{open:?}");
    let ready = policies.wait_until_ready("edge").await;
    assert!(condition(&ready, "Stalled").is_none(), "{ready:?}");
    waiting::until_true("the event", || async { policies.events("LocalCircuitOpen") == [open.message.clone()] }).await;
    assert_eq!(models.asked().iter().filter(|model| *model == "ill").count(), 5);

    policies.apply("edge", &with("l"));
    policies.wait_for_condition("edge", "UpstreamReachable", "True", "UpstreamReachable").await;
    // Of another model nothing is known at first.
    let no_longer = || ["UpstreamReachable", "UpstreamNotProbed"].map(|reason| policies.events(reason).len());
    waiting::until_true("its end as an event", || async { no_longer().iter().sum::<usize>() == 1 }).await;
}
