//! Who may see and judge: the token, the page's own origin.

use super::*;

const TOKEN: &str = "brain-token";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_asks_once_for_the_token_and_says_when_it_is_wrong() {
    let brain = Program::brain().variable("BRAIN_TOKEN", TOKEN).start().await;
    let browser = Browser::start(1000).await;
    browser.open(&brain.base_url()).await;
    browser.holds("the question", "!document.getElementById('login').hidden").await;
    let found = browser.axe().await;
    assert!(found.is_empty(), "{found:#?}");
    picture(&browser, "page-login.png").await;
    browser.write("#token", "another").await;
    browser.press('\u{e007}').await;
    browser
        .holds("the refusal", "document.getElementById('login-error').innerText.includes(\"not the brain's\")")
        .await;
    assert_eq!(browser.run("return sessionStorage.length").await, 0);
    let found = browser.axe().await;
    assert!(found.is_empty(), "{found:#?}");
    browser.write("#token", TOKEN).await;
    browser.click("#login-form button").await;
    browser.holds("live", "document.getElementById('state').dataset.state === 'live'").await;
    live(&browser, &brain).await;
    assert_eq!(browser.run("return localStorage.length + document.cookie.length").await, 0);
    browser.click("#forget").await;
    browser
        .holds("the question again", "!document.getElementById('login').hidden && sessionStorage.length === 0")
        .await;
    assert!(!brain.log().contains(TOKEN));
}

#[tokio::test]
async fn verdicts_and_reads_need_the_token_and_no_page_of_another_site_is_answered() {
    let brain = Program::brain().variable("BRAIN_TOKEN", TOKEN).start().await;
    let (base, api) = (brain.base_url(), format!("{}/api/v1", brain.base_url()));
    for path in ["/skills", "/decisions", "/problems", "/reviews", "/events"] {
        let answer = http().get(format!("{api}{path}")).send().await.expect("an answer");
        assert_eq!(answer.status(), 401, "{path}");
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body["error"]["code"], "unauthorized");
    }
    let judged = async |headers: &[(&str, &str)], token: &str| {
        let mut request = http().post(format!("{api}/verdicts")).bearer_auth(token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.json(&json!({"decision": id(1), "verdict": "right"})).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(judged(&[("origin", &base)], TOKEN).await, 404, "answered: the decision is not known");
    assert_eq!(judged(&[("origin", &base)], "another").await, 401);
    assert_eq!(judged(&[("origin", "http://localhost:5173")], TOKEN).await, 403);
    assert_eq!(judged(&[("sec-fetch-site", "cross-site")], TOKEN).await, 403);
    assert_eq!(judged(&[("host", "evil.example"), ("origin", "http://evil.example")], TOKEN).await, 403, "rebound");
    let page = http().get(&base).send().await.expect("the page");
    let policy = page.headers()["content-security-policy"].to_str().expect("text").to_string();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"),
        "{policy}"
    );
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
}
