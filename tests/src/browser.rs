//! Debian's Chromium, driven by WebDriver.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource, KeyAction, KeyActions},
    elements::Element,
    wd::WebDriverCompatibleCommand,
};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::{ports, required, waiting};

/// How long the driver may take to end its browser.
const END: Duration = Duration::from_secs(20);

/// A browser with one tab; it ends when this is dropped.
pub struct Browser {
    client: Client,
    _driver: Driver,
}

/// The program that starts the browser and speaks WebDriver; it ends with its browser when this is dropped.
struct Driver {
    process: Child,
    port: u16,
    profile: TempDir,
}

impl Browser {
    /// Starts one with a window of this width, in CSS pixels.
    ///
    /// # Panics
    /// If `chromedriver` or Chromium do not start: `tests/setup/tools.sh test` names their packages.
    pub async fn start(width: u32) -> Self {
        let driver = Driver::start().await;
        let folder = format!("--user-data-dir={}", driver.profile.path().display());
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
        let wanted = wanted.as_object().expect("an object").clone();
        // The driver is on this machine: without TLS.
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let url = format!("http://127.0.0.1:{}", driver.port);
        let client = builder.capabilities(wanted).connect(&url).await.expect("a session");
        let browser = Self { client, _driver: driver };
        browser.resize(width).await;
        browser
    }

    /// Sends a command that only Chromium has.
    async fn extension(&self, name: &'static str, body: Value) -> Value {
        let command = Extension { name, body };
        self.client.issue_cmd(command).await.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Sends a command of Chromium's own protocol.
    pub async fn chromium(&self, command: &str, parameters: Value) -> Value {
        self.extension("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
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
        self.client.goto(url).await.expect("it opens");
    }

    /// What a script returns.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.expect("the script runs")
    }

    /// What the promise of a script resolves to.
    pub async fn resolved(&self, script: &str) -> Value {
        let script =
            format!("const done = arguments[0]; (async () => {{ {script} }})().then(done, (e) => done(String(e)));");
        self.client.execute_async(&script, vec![]).await.expect("the script runs")
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

    async fn element(&self, selector: &str) -> Element {
        self.holds(selector, &format!("document.querySelector({selector:?}) !== null")).await;
        self.client.find(Locator::Css(selector)).await.expect("an element")
    }

    /// Clicks as a person does: it must be visible, and nothing may cover it.
    pub async fn click(&self, selector: &str) {
        self.element(selector).await.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Types into an element.
    pub async fn write(&self, selector: &str, text: &str) {
        self.element(selector).await.send_keys(text).await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Presses a key in whatever has the focus: a character, or a code of WebDriver such as `\u{e004}` for Tab.
    pub async fn press(&self, key: char) {
        let keys = KeyActions::new("keys".into());
        let keys = keys.then(KeyAction::Down { value: key }).then(KeyAction::Up { value: key });
        self.client.perform_actions(keys).await.expect("it is pressed");
    }

    /// What the browser requested since this was last asked, by its own log.
    pub async fn requested(&self) -> Vec<String> {
        let entries = self.extension("se/log", json!({"type": "performance"})).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let messages =
            entries.iter().filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok());
        let sent = messages.filter(|message| message["message"]["method"] == "Network.requestWillBeSent");
        sent.filter_map(|m| m["message"]["params"]["request"]["url"].as_str().map(str::to_string)).collect()
    }

    /// The console's lines since this was last asked: refusals of the content security policy and errors are among them.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.extension("se/log", json!({"type": "browser"})).await;
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

    /// Writes a picture of the page as it is now, as PNG.
    ///
    /// # Panics
    /// If it cannot be written.
    pub async fn picture(&self, path: &Path) {
        std::fs::write(path, self.client.screenshot().await.expect("a picture")).expect("it is written");
    }
}

/// A command that is not part of WebDriver's standard.
#[derive(Debug)]
struct Extension {
    name: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, driver: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        driver.join(&format!("session/{}/{}", session.unwrap_or_default(), self.name))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

impl Driver {
    async fn start() -> Self {
        let (port, profile) = (ports::free(), tempfile::tempdir().expect("a folder"));
        let process = Command::new("chromedriver")
            .args([&format!("--port={port}"), "--silent"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts; as root: apt-get install chromium chromium-driver");
        let driver = Self { process, port, profile };
        let status = format!("http://127.0.0.1:{port}/status");
        waiting::until("chromedriver", || async { crate::http().get(&status).send().await.ok() }).await;
        driver
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The driver ends its browser; killed, it would leave it behind.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let asked = write!(stream, "GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
            let _ =
                asked.and_then(|()| stream.set_read_timeout(Some(END))).and_then(|()| stream.read_to_end(&mut vec![]));
        }
        let _ = self.process.wait();
    }
}
