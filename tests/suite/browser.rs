//! A browser that is told what to do: pages are looked at as people do, and asked what they show.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

/// A generous time for anything that a page does.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser's name, where there is one; it must be there where the environment says so.
pub fn browser() -> Option<&'static str> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let is_there = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    let found = names.into_iter().find(is_there);
    if found.is_none() {
        assert!(std::env::var_os("PAIRGATE_REQUIRE_CHROMIUM").is_none(), "there must be a browser");
        eprintln!("SKIPPED: no chromium on the path");
    }
    found
}

/// A browser with one tab, told by the DevTools protocol over two named pipes.
pub struct Tab {
    child: Child,
    commands: File,
    answers: Receiver<Value>,
    events: Vec<Value>,
    session: Option<String>,
    next: u64,
    _folder: TempDir,
}

impl Tab {
    /// A tab in a browser of its own; `None` where there is no browser.
    pub fn start() -> Option<Self> {
        let browser = browser()?;
        let folder = tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let made = Command::new("mkfifo").args([at("in"), at("out")]).status().unwrap();
        assert!(made.success());
        // Opened for both, so that neither side waits for the other here.
        let open = |name: &str| OpenOptions::new().read(true).write(true).open(at(name)).unwrap();
        let (commands, out) = (open("in"), open("out"));
        let child = Command::new("sh")
            .args(["-c", "in=$1 out=$2; shift 2; exec \"$@\" 3<\"$in\" 4>\"$out\"", "sh"])
            .args([at("in"), at("out")])
            .arg(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-sync"])
            .args(["--disable-component-update", "--disable-extensions", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", at("profile").display()))
            .arg("about:blank")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (tell, answers) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(out).split(0) {
                let message = serde_json::from_slice(&message.unwrap()).unwrap();
                if tell.send(message).is_err() {
                    break;
                }
            }
        });
        let events = Vec::new();
        let mut tab =
            Self { child, commands, answers, events, session: None, next: 0, _folder: folder };
        tab.attach();
        Some(tab)
    }

    fn attach(&mut self) {
        let targets = self.ask("Target.getTargets", json!({}));
        let targets = targets["targetInfos"].as_array().unwrap();
        let page = targets.iter().find(|target| target["type"] == "page").unwrap();
        let target = json!({ "targetId": page["targetId"], "flatten": true });
        let session = self.ask("Target.attachToTarget", target);
        self.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime"] {
            self.ask(&format!("{domain}.enable"), json!({}));
        }
        let source = "window.wrong = []; \
            addEventListener('securitypolicyviolation', (e) => wrong.push(e.violatedDirective + ': ' + e.blockedURI)); \
            addEventListener('error', (e) => wrong.push(e.message || 'an element'), true); \
            addEventListener('unhandledrejection', (e) => wrong.push(String(e.reason)));";
        self.ask("Page.addScriptToEvaluateOnNewDocument", json!({ "source": source }));
    }

    /// The answer to a command.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let mut command = json!({ "id": self.next, "method": method, "params": params });
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).unwrap();
        loop {
            let message = self.hear();
            if message["id"] == self.next {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    fn hear(&mut self) -> Value {
        self.answers.recv_timeout(PATIENCE).expect("the browser says nothing")
    }

    /// Opens a file, and waits until it is loaded.
    pub fn open(&mut self, path: &Path) {
        self.events.clear();
        let path = std::fs::canonicalize(path).unwrap();
        self.ask("Page.navigate", json!({ "url": format!("file://{}", path.display()) }));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.hear();
            self.events.push(event);
        }
    }

    /// Makes the window so wide and high, in the page's pixels.
    pub fn size(&mut self, width: u32, height: u32) {
        let mobile = width < 500;
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile }),
        );
    }

    /// The value of a script, which may be a promise of it.
    #[track_caller]
    pub fn js(&mut self, script: &str) -> Value {
        let asked = json!({
            "expression": script, "returnByValue": true, "awaitPromise": true, "userGesture": true,
        });
        let answer = self.ask("Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "{script}: {answer:#}");
        answer["result"]["value"].clone()
    }

    /// The same as text.
    #[track_caller]
    pub fn text(&mut self, script: &str) -> String {
        let value = self.js(script);
        value.as_str().unwrap_or_else(|| panic!("{script}: {value}")).to_owned()
    }

    /// Waits until a script says true.
    #[track_caller]
    pub fn wait(&mut self, script: &str) {
        let begin = Instant::now();
        while self.js(script) != true {
            assert!(begin.elapsed() < PATIENCE, "never: {script}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses a key, such as `g` or `ArrowRight`.
    pub fn press(&mut self, key: &str) {
        let mut event = json!({ "type": "keyDown", "key": key, "code": key });
        let codes = [("ArrowLeft", 37), ("ArrowRight", 39), ("Escape", 27), ("Enter", 13)];
        let code = codes.iter().find(|(name, _)| *name == key).map(|(_, code)| *code);
        event["windowsVirtualKeyCode"] =
            code.unwrap_or_else(|| key.to_uppercase().bytes().next().unwrap().into()).into();
        if key.len() == 1 {
            event["text"] = key.into();
        }
        self.ask("Input.dispatchKeyEvent", event.clone());
        event["type"] = "keyUp".into();
        self.ask("Input.dispatchKeyEvent", event);
    }

    /// Asserts that the page had no error, and asked for nothing that its policy refuses.
    #[track_caller]
    pub fn assert_well(&mut self) {
        assert_eq!(self.js("window.wrong"), json!([]));
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
