//! Debian's Chromium, driven by WebDriver: HTTP and JSON, so this needs no library beside the HTTP client.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{http, ports, required, waiting};

/// Name of an element's id in WebDriver's JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long the driver may take to end its browser.
const END: Duration = Duration::from_secs(20);

/// A browser with one tab; it ends when this is dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// Starts one with a window of this width, in CSS pixels.
    ///
    /// # Panics
    /// If `chromedriver` or Chromium do not start: `tests/setup/tools.sh test` names their packages.
    pub async fn start(width: u32) -> Self {
        let (port, profile) = (ports::free(), tempfile::tempdir().expect("a folder"));
        let driver = Command::new("chromedriver")
            .args([&format!("--port={port}"), "--silent"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts; as root: apt-get install chromium chromium-driver");
        let mut browser = Self { driver, port, session: String::new(), _profile: profile };
        let status = format!("http://127.0.0.1:{port}/status");
        waiting::until("chromedriver", || async { http().get(&status).send().await.ok() }).await;
        let folder = format!("--user-data-dir={}", browser._profile.path().display());
        // The pages are our own, and root has no sandbox; without the others Chromium would ask its maker's servers.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &folder,
        ];
        let options = json!({"args": arguments, "perfLoggingPrefs": {"enableNetwork": true, "enablePage": false}});
        let wanted = json!({"browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}});
        let begun = browser.post("/session", json!({"capabilities": {"alwaysMatch": wanted}})).await;
        browser.session = begun["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {begun}")).into();
        browser.resize(width).await;
        browser
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let answer = http().post(url).body(body.to_string()).send().await.expect("chromedriver answers");
        let mut answer: Value = answer.json().await.expect("JSON");
        answer["value"].take()
    }

    async fn command(&self, name: &str, body: Value) -> Value {
        let value = self.post(&format!("/session/{}/{name}", self.session), body).await;
        assert!(value["error"].is_null(), "{name}: {value}");
        value
    }

    /// Sends a command of Chromium's own protocol.
    pub async fn chromium(&self, command: &str, parameters: Value) -> Value {
        self.command("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
    }

    /// Gives the page this width, in CSS pixels.
    pub async fn resize(&self, width: u32) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.chromium("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Prefers `light` or `dark`.
    pub async fn prefer(&self, scheme: &str) {
        let feature = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.chromium("Emulation.setEmulatedMedia", json!({"features": feature})).await;
    }

    /// Opens a page.
    pub async fn open(&self, url: &str) {
        self.command("url", json!({"url": url})).await;
    }

    /// What a script returns.
    pub async fn run(&self, script: &str) -> Value {
        self.command("execute/sync", json!({"script": script, "args": []})).await
    }

    /// What the promise of a script resolves to.
    pub async fn resolved(&self, script: &str) -> Value {
        let script =
            format!("const done = arguments[0]; (async () => {{ {script} }})().then(done, (e) => done(String(e)));");
        self.command("execute/async", json!({"script": script, "args": []})).await
    }

    /// The text of the first element that fits a selector, once there is one.
    pub async fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector({selector:?})?.innerText ?? null");
        waiting::until(selector, || async { self.run(&script).await.as_str().map(str::to_string) }).await
    }

    /// Waits until a script returns true.
    pub async fn holds(&self, what: &str, script: &str) {
        waiting::until_true(what, || async { self.run(&format!("return {script}")).await == Value::Bool(true) }).await;
    }

    async fn element(&self, selector: &str) -> String {
        self.holds(selector, &format!("document.querySelector({selector:?}) !== null")).await;
        let found = self.command("element", json!({"using": "css selector", "value": selector})).await;
        found[ELEMENT].as_str().expect("an element").into()
    }

    /// Clicks as a person does: it must be visible, and nothing may cover it.
    pub async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.command(&format!("element/{element}/click"), json!({})).await;
    }

    /// Types into an element.
    pub async fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.command(&format!("element/{element}/value"), json!({"text": text})).await;
    }

    /// Presses a key in whatever has the focus: a character, or a code of WebDriver such as `\u{e004}` for Tab.
    pub async fn press(&self, key: &str) {
        let actions = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.command("actions", json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]})).await;
    }

    /// What the browser requested since this was last asked, by its own log.
    pub async fn requested(&self) -> Vec<String> {
        let entries = self.command("se/log", json!({"type": "performance"})).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let messages =
            entries.iter().filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok());
        let sent = messages.filter(|message| message["message"]["method"] == "Network.requestWillBeSent");
        sent.filter_map(|m| m["message"]["params"]["request"]["url"].as_str().map(str::to_string)).collect()
    }

    /// The console's lines since this was last asked: refusals of the content security policy and errors are among them.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.command("se/log", json!({"type": "browser"})).await;
        let lines = entries.as_array().cloned().unwrap_or_default();
        lines.iter().filter_map(|line| line["message"].as_str().map(str::to_string)).collect()
    }

    /// What axe-core finds: the rule, and the elements.
    ///
    /// # Panics
    /// If it cannot be run.
    pub async fn axe(&self) -> Vec<String> {
        let script = std::fs::read_to_string(required("ROUTING_TEST_AXE")).expect("axe-core");
        self.run(&script).await;
        let found = self
            .resolved(
                "return (await axe.run()).violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html).join(' '));",
            )
            .await;
        let found = found.as_array().unwrap_or_else(|| panic!("axe: {found}")).clone();
        found.iter().filter_map(|line| line.as_str().map(str::to_string)).collect()
    }

    /// Writes a picture of the page as it is now, as PNG in base64 that Chromium's own protocol gives.
    ///
    /// # Panics
    /// If it cannot be written.
    pub async fn picture(&self, path: &Path) {
        let shot = self.chromium("Page.captureScreenshot", json!({"format": "png", "optimizeForSpeed": false})).await;
        let mut decoder = Command::new("base64")
            .args(["--decode"])
            .stdin(Stdio::piped())
            .stdout(std::fs::File::create(path).expect("a file"))
            .spawn()
            .expect("base64 runs");
        let text = shot["data"].as_str().expect("a picture");
        decoder.stdin.take().expect("its input").write_all(text.as_bytes()).expect("it reads");
        assert!(decoder.wait().expect("it ends").success());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser; killed, it would leave it behind.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let asked = write!(stream, "GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
            let _ =
                asked.and_then(|()| stream.set_read_timeout(Some(END))).and_then(|()| stream.read_to_end(&mut vec![]));
        }
        let _ = self.driver.wait();
    }
}
