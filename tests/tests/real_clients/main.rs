//! MCP clients that people use, against a real data plane that asks for a token: each lists, calls, gets progress, a
//! skill's error and a 401, and cancels, or the table says why not.

mod drivers;
mod page;
mod programs;
mod served;
mod table;

use futures::future::join_all;
use serde_json::{Value, json};
use tests::{observed::Observed, sources, waiting};

use self::{
    drivers::Ask,
    served::{Served, TOKEN},
    table::{CLIENTS, Client, Deed, Shown},
};

const ARGUMENTS: &str = r#"{"text":"x"}"#;

/// Asks all clients that do this, side by side.
async fn each(deed: Deed, url: &str, token: &str, ask: impl Fn(&Client) -> Ask<'_>) -> Vec<(&'static Client, Value)> {
    let run = async |client: &'static Client| {
        let driver = client.driver?;
        matches!(client.shown(deed), Shown::Here).then_some(())?;
        let said = driver.ask(url, token, ask(client), async {}).await;
        Some((client, said.unwrap_or_else(|error| json!({ "failed": error }))))
    };
    let said: Vec<_> = join_all(CLIENTS.iter().map(run)).await.into_iter().flatten().collect();
    assert!(said.len() >= 10, "{deed:?}: {}", said.len());
    said
}

fn text(block: &Value) -> &str {
    block["text"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_lists_the_skills() {
    let served = Served::start("l").await;
    let mut expected: Vec<&str> = CLIENTS.iter().map(|client| client.skill).collect();
    expected.sort_unstable();
    for (client, said) in each(Deed::List, &served.url(), TOKEN, |_| Ask::List).await {
        let mut names: Vec<&str> = said.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{}: {said}", client.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_speaks_the_revision_of_the_protocol_that_the_table_says() {
    let served = Served::start("l").await;
    let speaks = async |client: &'static Client| {
        let driver = client.driver?;
        let observed = Observed::in_front_of(&served.base_url()).await;
        let said = driver.ask(&observed.url(), TOKEN, Ask::List, async {}).await;
        Some((client, said.map(|_| observed.version())))
    };
    for (client, version) in join_all(CLIENTS.iter().map(speaks)).await.into_iter().flatten() {
        assert_eq!(version.as_deref(), Ok(client.protocol), "{}", client.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_calls_a_skill_and_gets_the_answer_with_its_decision() {
    let served = Served::start("l").await;
    for (client, said) in each(Deed::Call, &served.url(), TOKEN, |client| Ask::Call(client.skill, ARGUMENTS)).await {
        assert_ne!(said["isError"], json!(true), "{}: {said}", client.name);
        let line = format!("routing: {}: local (l, ", client.skill);
        assert!(text(&said["content"][0]).starts_with(&line), "{}: {said}", client.name);
        assert_eq!(text(&said["content"][1]), "answer of l", "{}: {said}", client.name);
        assert_eq!(served.model_calls(client).len(), 1, "{}", client.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_gets_a_skills_error_as_a_result_that_names_the_argument() {
    let served = Served::start("l").await;
    for (client, said) in each(Deed::ToolError, &served.url(), TOKEN, |client| Ask::Call(client.skill, "{}")).await {
        assert_eq!(said["isError"], json!(true), "{}: {said}", client.name);
        assert!(text(&said["content"][0]).contains("text"), "{}: {said}", client.name);
    }
    assert_eq!(served.models.asked(), Vec::<String>::new());
}

/// The call lasts longer than the 15 s between two messages.
#[tokio::test(flavor = "multi_thread")]
async fn each_gets_progress_at_once_and_while_a_call_lasts() {
    let served = Served::start("takes-20-seconds").await;
    for (client, said) in each(Deed::Progress, &served.url(), TOKEN, |client| Ask::Call(client.skill, ARGUMENTS)).await
    {
        let message = |i: usize| said["progress"][i].as_str().unwrap_or_default();
        let first = format!("{}: stage 1 of 1, local (takes-20-seconds), 0 s", client.skill);
        assert_eq!(message(0), first, "{}: {said}", client.name);
        assert!(message(1).ends_with(", 15 s"), "{}: {said}", client.name);
        assert_eq!(text(&said["content"][1]), "answer of takes-20-seconds", "{}: {said}", client.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_shows_that_it_is_refused_without_a_token() {
    let served = Served::start("l").await;
    for (client, said) in each(Deed::Refused, &served.url(), "", |_| Ask::List).await {
        let shown = said["failed"].as_str().unwrap_or_default();
        assert!(shown.contains(client.refused), "{}: {said}", client.name);
    }
}

/// A client cancels when its model call runs, and the stand-in for the model sees whether it is left alone. The inspector
/// is interrupted.
#[tokio::test(flavor = "multi_thread")]
async fn each_cancels_and_the_model_stops_and_the_record_says_so() {
    let served = Served::start("hangs").await;
    let cancels = async |client: &'static Client| {
        let driver = client.driver?;
        matches!(client.shown(Deed::Cancel), Shown::Here).then_some(())?;
        let is_called = || async { served.model_calls(client).len() == 1 };
        // As long as the client itself may take: they all start at once.
        let runs = waiting::until_true_within(2 * waiting::LIMIT, "the model call", is_called);
        let said = driver.ask(&served.url(), TOKEN, Ask::Cancel(client.skill, ARGUMENTS), runs).await;
        Some((client, said))
    };
    let all: Vec<_> = join_all(CLIENTS.iter().map(cancels)).await.into_iter().flatten().collect();
    assert_eq!(all.len(), 12);
    for (client, said) in all {
        let said = said.unwrap_or_else(|error| panic!("{}: {error}", client.name));
        assert!(said.get("cancelled").is_some_and(|cancelled| cancelled != &json!(false)), "{}: {said}", client.name);
        let stopped = || async { served.model_calls(client)[0].abandoned };
        waiting::until_true(&format!("the model call of {} to end", client.name), stopped).await;
        let recorded = || async { served.cancelled_records(client.skill) == 1 };
        waiting::until_true(&format!("the record of {}'s call", client.name), recorded).await;
        assert_eq!(served.model_calls(client).len(), 1, "{}", client.name);
    }
}

#[test]
fn each_test_that_the_table_names_exists() {
    let existing = sources::Tests::of_this_checkout();
    for client in &CLIENTS {
        for deed in Deed::ALL {
            match client.shown(deed) {
                Shown::Here => assert!(client.driver.is_some(), "{}: {deed:?}", client.name),
                Shown::By(test) => assert!(existing.here.contains(*test), "{}: {test} is not a test", client.name),
                Shown::Not(why) => assert!(why.contains(' '), "{}: {deed:?} needs a reason", client.name),
            }
        }
    }
}
