//! The page in a browser.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use pairgate::agent::status::{page_html, page_policy};

use super::client::get;
use super::metrics::Metrics;
use super::program::{Camera, mixed};
use super::{Played, client::serve, wait_until};
use crate::browser::browser;
use crate::cli::run;

/// What the page holds of strangers: markup that would load, run and restyle.
const HOSTILE: &str = "</script><script>document.title='taken'</script>\
    <img src=\"http://outside.invalid/seen\" onerror=\"document.title='taken'\">\
    <style>@import 'http://outside.invalid/seen'</style> & a \"door\"";

#[test]
fn the_answer_holds_everything_and_allows_nothing_else() {
    let played = Played::new(|_| {});
    let server = serve(&played.status);
    let answer = get(server.address(), "/");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, page_html());
    assert!(!page_html().contains("http://") && !page_html().contains("https://"));
    let header = format!("content-security-policy: {}", page_policy().to_lowercase());
    assert!(answer.head.contains(&header), "{}", answer.head);
    assert!(page_policy().starts_with("default-src 'none'; ") && !page_policy().contains("unsafe"));
    for header in ["cache-control: no-store", "x-content-type-options: nosniff"] {
        assert!(answer.head.contains(header), "{header}");
    }
    // Nothing inline that the policy would refuse.
    for inline in [" style=", " onclick=", " onload=", "javascript:"] {
        assert!(!page_html().contains(inline), "{inline}");
    }
}

/// A browser at a page, `width` pixels wide, and what is in it after some seconds.
struct Looked {
    dom: String,
    /// What was asked of the world beyond this machine.
    beyond: Vec<String>,
}

fn look(browser: &str, url: &str, width: u32, folder: &Path) -> Looked {
    // Whatever is not on this machine is asked of this proxy, which notes it and answers nothing.
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = seen.clone();
    std::thread::spawn(move || {
        for stream in proxy.incoming() {
            let mut head = [0; 512];
            let length = stream.and_then(|mut stream| stream.read(&mut head)).unwrap_or(0);
            notes.lock().unwrap().push(String::from_utf8_lossy(&head[..length]).into_owned());
        }
    });
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    command.args(["--no-first-run", "--disable-background-networking", "--disable-sync"]);
    command.args(["--disable-component-update", "--disable-extensions", "--disable-default-apps"]);
    command.arg(format!("--user-data-dir={}", folder.join("profile").display()));
    command.arg(format!("--proxy-server=http://{address}"));
    command.arg(format!("--window-size={width},900"));
    command.args(["--virtual-time-budget=9000", "--dump-dom", url]);
    let dom = String::from_utf8(run(command, 0).stdout).unwrap();
    let beyond = seen.lock().unwrap().clone();
    Looked { dom, beyond }
}

/// What an element of the page says.
#[track_caller]
fn shown<'d>(dom: &'d str, id: &str) -> &'d str {
    let start = format!("id=\"{id}\"");
    let (_, rest) = dom.split_once(&start).unwrap_or_else(|| panic!("no {id} in {dom}"));
    rest.split_once('>').unwrap().1.split_once('<').unwrap().0
}

#[test]
fn numbers_on_the_page_are_the_metrics() {
    let Some(browser) = browser() else { return };
    let temp = tempfile::tempdir().unwrap();
    let mut camera = Camera::start(&temp.path().join("kept"), &["--caption", HOSTILE]);
    mixed(&mut camera);
    camera.wait();
    // The first look asks for pictures, which are then made.
    let url = format!("http://{}/", camera.address);
    let asked = "/status.json?latest=0";
    wait_until("pictures", || get(camera.address, asked).body.contains("data:image/jpeg"));
    for width in [390, 1280] {
        let Looked { dom, beyond } = look(browser, &url, width, temp.path());
        let metrics = Metrics::parse(&get(camera.address, "/metrics").body);
        for (id, name) in [
            ("n-received", "pairgate_pairs_received_total"),
            ("n-kept", "pairgate_pairs_kept_total"),
            ("n-rejected", "pairgate_pairs_rejected_total"),
            ("n-failed", "pairgate_pairs_failed_total"),
            ("n-dropped", "pairgate_pairs_dropped_total"),
            ("n-flight", "pairgate_pairs_in_flight"),
        ] {
            let number: f64 = shown(&dom, id).replace(',', "").parse().unwrap();
            assert_eq!(number, metrics.sum(name), "{id} at {width}");
        }
        assert_eq!(shown(&dom, "state"), "running");
        assert_eq!(shown(&dom, "title"), "pairgate capture");
        assert!(dom.contains("<img src=\"data:image/jpeg;base64,"), "{dom}");
        // Text it came as, text it is.
        assert!(dom.contains("&lt;img src=\"http://outside.invalid/seen\" onerror="), "{dom}");
        assert!(!dom.contains("<img src=\"http"), "{dom}");
        assert!(!dom.contains("<title>taken"), "{dom}");
        let ours: Vec<_> = beyond.iter().filter(|request| request.contains("invalid")).collect();
        assert!(ours.is_empty(), "{ours:?}");
    }
    camera.terminate();
    camera.finish();
}

/// The page is open, and the program ends.
#[test]
fn the_page_says_when_nobody_answers() {
    let Some(browser) = browser() else { return };
    let temp = tempfile::tempdir().unwrap();
    // A server that gives the page, and then nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::Write;
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap_or(0);
            if head[..length].starts_with(b"GET / ") {
                let (policy, page) = (page_policy(), page_html());
                let length = page.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\
                     Content-Security-Policy: {policy}\r\nConnection: close\r\n\r\n{page}"
                );
            }
        }
    });
    let Looked { dom, .. } = look(browser, &url, 1280, temp.path());
    assert_eq!(shown(&dom, "state"), "no answer");
    assert!(shown(&dom, "trouble").starts_with("The server gives no answer"), "{dom}");
}
