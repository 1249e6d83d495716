//! The brain's page in a real browser, as a person sees it.

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tests::{
    browser::Browser,
    checkout, get_json, http,
    program::{Program, Running},
};

#[path = "page/seed.rs"]
mod seed;
#[path = "page/token.rs"]
mod token;

use self::seed::{Decision, decide, id};

/// How soon a page with many decisions should show them.
const GOAL: Duration = Duration::from_secs(1);

/// Writes a picture for the documentation, if that is asked for (`make screenshots`).
async fn picture(browser: &Browser, name: &str) {
    if std::env::var_os("ROUTING_SCREENSHOTS").is_some_and(|asked| !asked.is_empty()) {
        let folder: PathBuf = checkout().join("docs/images");
        std::fs::create_dir_all(&folder).expect("a folder");
        browser.picture(&folder.join(name)).await;
    }
}

async fn live(browser: &Browser, brain: &Running) {
    browser.open(&brain.base_url()).await;
    browser.holds("the page is live", "document.getElementById('state').dataset.state === 'live'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_by_click_changes_rate_and_route_and_can_be_taken_back() {
    let brain = Program::brain().start().await;
    decide(&brain, &Decision { reason: "no_pass_rate", ..Decision::of("debug", 1) }).await;
    let browser = Browser::start(1000).await;
    live(&browser, &brain).await;
    let row = format!("[data-decision='{}']", id(1));
    assert_eq!(browser.text("[data-skill=debug] [data-rate]").await, "not measured");
    browser.click(&format!("{row} [data-act=wrong]")).await;
    browser
        .holds("the route", "document.querySelector('[data-skill=debug] [data-route]').dataset.route === 'claude'")
        .await;
    assert!(browser.text("[data-skill=debug] [data-rate]").await.starts_with("0.00 (0.00 to 0.79) of 1"));
    let focused = browser.run("return document.activeElement.dataset.act ?? null").await;
    assert_eq!(focused, "wrong", "the focus stays on the button");
    let said = get_json(format!("{}/decisions?id={}", brain.base_url(), id(1))).await;
    assert_eq!(said["decisions"][0]["verdicts"], json!({"human": "fail"}));
    let rate = get_json(format!("{}/pass-rate?skill=debug", brain.base_url())).await;
    assert_eq!((&rate["pass"], &rate["fail"]), (&json!(0), &json!(1)));
    browser.click(&format!("{row} [data-act=right]")).await;
    browser
        .holds("the route", "document.querySelector('[data-skill=debug] [data-route]').dataset.route === 'local'")
        .await;
    browser.click(&format!("{row} [data-act=retract]")).await;
    browser.holds("no verdict", "document.querySelector('[data-verdicts]').innerText === 'not judged'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_report_appears_by_itself_and_a_brain_that_went_away_comes_back() {
    let mut brain = Program::brain().start().await;
    let browser = Browser::start(1000).await;
    live(&browser, &brain).await;
    assert!(browser.text("#empty").await.contains("Nothing was decided yet"));
    picture(&browser, "page-empty.png").await;
    decide(&brain, &Decision::of("debug", 1)).await;
    browser.holds("the decision", &format!("document.querySelector(\"[data-decision='{}']\") !== null", id(1))).await;
    brain.kill();
    browser.holds("away", "document.getElementById('state').dataset.state === 'away'").await;
    assert!(browser.text("#state").await.contains("does not answer"));
    brain.crash_and_restart().await;
    browser.holds("back", "document.getElementById('state').innerText.includes('The brain is back')").await;
    decide(&brain, &Decision::of("debug", 2)).await;
    browser.holds("the next one", &format!("document.querySelector(\"[data-decision='{}']\") !== null", id(2))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_decisions_are_shown_within_a_second_and_only_the_brain_is_asked() {
    let brain = Program::brain().start().await;
    seed::many(&brain, 10_000).await;
    let browser = Browser::start(1000).await;
    browser.requested().await;
    live(&browser, &brain).await;
    let shown =
        browser.run("return performance.getEntriesByName('shown')[0].startTime").await.as_f64().expect("a time");
    let met = if shown < GOAL.as_secs_f64() * 1000.0 { "met" } else { "missed" };
    println!("page with 10,000 decisions: shown after {shown:.0} ms, goal {} ms: {met}", GOAL.as_millis());
    assert_eq!(browser.run("return document.querySelectorAll('[data-decision]').length").await, 50);
    browser.click("#more").await;
    browser.holds("older ones", "document.querySelectorAll('[data-decision]').length === 100").await;
    browser.write("#f-caller", "bob").await;
    browser
        .holds(
            "bob's alone",
            "[...document.querySelectorAll('[data-decision]')].every((row) => row.innerText.includes('by bob'))",
        )
        .await;
    let own = brain.base_url();
    let asked = browser.requested().await;
    let others: Vec<&String> = asked.iter().filter(|url| !url.starts_with(&own) && !url.starts_with("data:")).collect();
    assert!(asked.len() > 5 && others.is_empty(), "{others:?}");
    let lines = browser.console().await;
    assert!(lines.is_empty(), "{lines:?}");
    let money = browser.text("#money-total").await;
    assert!(
        money.starts_with("Last 7 days: 10000 calls, 100 % answered at home; ") && money.contains(" saved"),
        "{money}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_markup_stays_text() {
    let brain = Program::brain().start().await;
    let evil = "<img src=x>";
    decide(&brain, &Decision { skill: evil, caller: evil, model: evil, reason: evil, ..Decision::of("", 1) }).await;
    let browser = Browser::start(1000).await;
    live(&browser, &brain).await;
    assert_eq!(browser.text("#skill-list h3").await, evil);
    assert_eq!(browser.run("return document.images.length").await, 0);
    assert!(browser.text("[data-decision]").await.contains(&format!("by {evil}")));
    assert!(!browser.requested().await.iter().any(|url| url.ends_with("/x")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_answer_is_shown_as_text_below_its_decision_with_what_the_policy_keeps() {
    let brain = Program::brain().start().await;
    for number in [1, 2] {
        decide(&brain, &Decision::of("debug", number)).await;
    }
    let answer = "The cause:\n<script>document.title = 'run'</script>";
    seed::keep(&brain, 1, answer).await;
    let browser = Browser::start(1000).await;
    live(&browser, &brain).await;
    let said =
        "10 % of the answers are kept for review, up to 24 h each, as the policy says: 1 now. Prompts are not kept.";
    assert_eq!(browser.text("#kept").await, said);
    assert_eq!(browser.run("return document.querySelectorAll('[data-act=answer]').length").await, 1);
    let row = format!("[data-decision='{}']", id(1));
    browser.click(&format!("{row} [data-act=answer]")).await;
    browser.holds("the answer", "document.querySelector('[data-until] time') !== null").await;
    assert_eq!(browser.text(&format!("{row} pre")).await, format!("{answer}\n[cut here]"));
    assert!(browser.text(&format!("{row} [data-until]")).await.starts_with("What the model answered, kept until "));
    assert_ne!(browser.run("return document.title").await, "run");
    assert!(browser.axe().await.is_empty());
    browser.click(&format!("{row} [data-act=answer]")).await;
    browser.holds("it is hidden", "document.querySelector('pre, [data-until]') === null").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fits_a_phone_and_axe_finds_nothing_in_light_dark_and_narrow() {
    let brain = Program::brain().start().await;
    seed::shown(&brain).await;
    let browser = Browser::start(1000).await;
    for (scheme, width) in [("light", 1000), ("dark", 1000), ("light", 375), ("dark", 375)] {
        browser.prefer(scheme).await;
        browser.resize(width).await;
        live(&browser, &brain).await;
        let dark = browser.run("return getComputedStyle(document.body).backgroundColor").await == "rgb(20, 24, 26)";
        assert_eq!(dark, scheme == "dark");
        let over =
            browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
        assert_eq!(over, 0, "{scheme}, {width}: no horizontal scroll");
        let found = browser.axe().await;
        assert!(found.is_empty(), "{scheme}, {width}: {found:#?}");
        picture(&browser, &format!("page-{scheme}-{width}.png")).await;
    }
    browser.press('\u{e004}').await;
    assert_eq!(
        browser.run("return document.activeElement.className").await,
        "skip",
        "the first Tab skips to the skills"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_brains_entries_are_seen_on_the_same_database() {
    let first = Program::brain().start().await;
    let file = format!("sqlite:{}", first.folder().join("shared.db").display());
    let first = first.restarted_with(&[("BRAIN_DATABASE_URL", &file)]).await;
    let second = Program::brain().variable("BRAIN_DATABASE_URL", &file).start().await;
    let browser = Browser::start(1000).await;
    live(&browser, &first).await;
    decide(&second, &Decision::of("debug", 1)).await;
    browser
        .holds("the other's decision", &format!("document.querySelector(\"[data-decision='{}']\") !== null", id(1)))
        .await;
}

#[tokio::test]
async fn a_brain_that_stops_ends_the_streams_of_those_who_follow() {
    let mut brain = Program::brain().start().await;
    let mut events = http().get(format!("{}/api/v1/events", brain.base_url())).send().await.expect("a stream");
    let hello = events.chunk().await.expect("an event").expect("not the end");
    assert!(String::from_utf8_lossy(&hello).contains("event: hello"));
    brain.signal("INT");
    let ((), status) = tokio::join!(async { while let Ok(Some(_)) = events.chunk().await {} }, brain.ended());
    assert!(status.success());
}
