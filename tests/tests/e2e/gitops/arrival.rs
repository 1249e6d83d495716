//! From a commit to a routed call, by Flux alone; and what Flux reports when that fails.

use serde_json::json;
use tests::{checkout, policies::condition};

use super::{
    GitOps, PATIENCE, POLICY, POLICY_NAME, TOKEN, flux, no_template, own_site, prepared, repository, routed,
    site::{GIT_CREDENTIALS, run},
};
use crate::{
    documented::{self, Documented},
    pods,
    routing_policy::NAME,
    setup,
};

/// The repository of the page and of `deploy/flux`.
const EXAMPLE_URL: &str = "https://git.example/home/gitops.git";
/// Precedes a command's number, on a line of its own.
const MARK: &str = "@@@@ command ";

/// The commands of the page as one script; the output of each begins with its number.
fn script(commands: &[Documented], clone: &str) -> String {
    let archives = format!("{clone}-routing");
    let numbered = commands.iter().enumerate().map(|(n, documented)| {
        // The page has the clone next to the checkout, and archives in a shared folder.
        format!(
            "echo '{MARK}{n}'\n{}\n",
            documented.command.replace("../gitops", clone).replace("/tmp/routing", &archives)
        )
    });
    format!("set -eo pipefail\nexec 2>&1\n{}", numbered.collect::<String>())
}

/// What an owner's editor does in step 3; its argument must not contain a space.
fn editor(url: &str) -> String {
    format!("sed --in-place s,{EXAMPLE_URL},{url},")
}

#[tokio::test]
async fn the_seven_steps_of_the_page_lead_from_a_checkout_to_a_routed_call() {
    let Some(site) = own_site().await else { return };
    let repository = prepared(site, "seven-steps").await;
    let told = flux::nothing();
    let mut commands = documented::commands("docs/flux.md", "## Seven steps");
    for (example, ours) in [(EXAMPLE_URL, &repository.url), ("registry.example/home", &site.registry())] {
        assert!(commands[0].command.contains(example), "{}", commands[0].command);
        commands[0].command = commands[0].command.replace(example, ours);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let clone = folder.path().join("gitops").display().to_string();
    let with_buildkit = checkout().join("tests/cluster/with-buildkit.sh").display().to_string();
    let mut shell = site.command(&with_buildkit);
    shell.args(["bash", "-c", &script(&commands, &clone)]).current_dir(checkout());
    shell.env("EDITOR", editor(&repository.url)).env("LITELLM_API_KEY", tests::litellm::KEY).envs(repository::owner());
    shell.envs(GIT_CREDENTIALS);
    let printed = run(&mut shell);
    let outputs: Vec<&str> = printed.split(MARK).skip(1).collect();
    assert_eq!(outputs.len(), commands.len());
    for (documented, output) in commands.iter().zip(outputs) {
        documented.expect_printed(output.split_once('\n').map_or("", |(_, rest)| rest));
    }
    println!("{}", printed.lines().last().unwrap_or_default());
    drop(told);
    setup::let_go(NAME);
}

#[tokio::test]
async fn flux_is_ready_when_the_policy_is_live_and_says_why_when_it_is_not() {
    let Some(gitops) = GitOps::begin("arrival").await else { return };
    let repository = &gitops.repository;
    // Flux has become ready just before.
    let policy = gitops.policies.get(POLICY_NAME).await;
    let status = policy.status.expect("a status");
    assert_eq!(status.observed_generation, policy.metadata.generation);
    assert!(condition(&status, "Ready").is_some_and(|ready| ready.status == "True"), "{status:?}");
    routed(TOKEN).await;
    let before = pods::generation(&gitops.policies, POLICY_NAME).await;
    let good = repository.head();
    flux::patch("Kustomization", "routing-policies", json!({"spec": {"timeout": PATIENCE}})).await;
    flux::reconciled("routing-policies").await;

    // What the API server refuses: Flux repeats its message, which comes from the CRD.
    repository.add_to_spec("thresholds: {floor: \"0.70\", ceil: \"0.90\"}");
    let said = flux::refused("routing-policies", &repository.push("Ceil above floor")).await;
    assert!(said.message.contains("must not be above floor"), "{said:?}");
    println!("refused by the API server: {}: {}", said.reason, said.message);

    // What only the operator refuses: Flux names the policy, and the policy says why.
    repository.back_to(&good, &[POLICY]);
    repository.add_to_spec(&format!("skills: {}", json!([no_template()])));
    let said = flux::refused("routing-policies", &repository.push("An invalid template")).await;
    assert!(said.message.contains(&format!("RoutingPolicy/{NAME}/{POLICY_NAME} status: 'Failed'")), "{said:?}");
    let status = gitops.policies.get(POLICY_NAME).await.status.expect("a status");
    let stalled = condition(&status, "Stalled").expect("stalled");
    assert_eq!((stalled.status.as_str(), stalled.reason.as_str()), ("True", "Invalid"), "{stalled:?}");
    println!(
        "refused by the operator: {}: {}; the policy: {}: {}",
        said.reason, said.message, stalled.reason, stalled.message
    );

    // What never becomes ready although the policy is valid: an image that does not exist.
    repository.back_to(&good, &[POLICY]);
    repository.add_to_spec("dataPlane: {image: \"127.0.0.1:1/nothing:1\"}");
    let said = flux::refused("routing-policies", &repository.push("An image that does not exist")).await;
    assert!(said.message.contains(&format!("RoutingPolicy/{NAME}/{POLICY_NAME} status: 'InProgress'")), "{said:?}");
    println!("not live in time: {}: {}", said.reason, said.message);

    // Meanwhile the previous pods kept serving.
    routed(TOKEN).await;
    let now = pods::generation(&gitops.policies, POLICY_NAME).await;
    assert!(before.iter().all(|(pod, of_before)| now.get(pod) == Some(of_before)), "{before:?} {now:?}");
    repository.back_to(&good, &[POLICY]);
    flux::applied("routing-policies", &repository.push("As it was")).await;
    routed(TOKEN).await;
}
