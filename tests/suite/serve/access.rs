//! Who may ask.

use std::fs;

use super::{Service, ask, beach, form_request, pair, request};
use crate::cli::{pairgate, run, text};

const TOKEN: &str = "0123456789abcdef-token";

/// The status for a request with these lines in its head.
fn status(service: &Service, host: &str, lines: &str) -> u16 {
    let image = beach();
    let fields = pair(&image, &[("store", b"0")]);
    ask(&mut service.connect(), &form_request(host, &fields, lines)).status
}

#[test]
fn a_page_in_a_browser_may_not_ask() {
    let service = Service::start(&["--host", "Gate.example"]);
    let own = service.address();
    let port = own.rsplit_once(':').unwrap().1.to_owned();
    for (host, lines, wanted) in [
        (own.as_str(), "", 200),
        ("localhost", "", 200),
        ("[::1]:8787", "", 200),
        ("gate.example:80", "", 200),
        ("evil.example", "", 403),
        (&format!("evil.example:{port}"), "", 403),
        ("127.0.0.1.evil.example", "", 403),
        (own.as_str(), "origin: https://evil.example\r\n", 403),
        (own.as_str(), "origin: null\r\n", 403),
        (own.as_str(), &format!("origin: http://{own}\r\n"), 200),
        (own.as_str(), "host: localhost\r\n", 400),
    ] {
        assert_eq!(status(&service, host, lines), wanted, "{host} {lines}");
    }
    let none = b"GET /v1/judge HTTP/1.1\r\n\r\n";
    assert_eq!(ask(&mut service.connect(), none).status, 400);
    service.end();
}

#[test]
fn a_token_is_asked_for_but_not_for_health() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let service = Service::over(folder, &["--token-file", &text(&file)]);
    let own = service.address();
    for (lines, wanted) in [
        (String::new(), 401),
        ("authorization: Bearer wrong\r\n".into(), 401),
        (format!("authorization: Basic {TOKEN}\r\n"), 401),
        (format!("authorization: Bearer {TOKEN}x\r\n"), 401),
        (format!("authorization: Bearer {TOKEN}\r\n"), 200),
        (format!("authorization: bearer {TOKEN}\r\n"), 200),
    ] {
        assert_eq!(status(&service, &own, &lines), wanted, "{lines}");
    }
    // No page has the token: names say nothing more.
    assert_eq!(status(&service, "gate", &format!("authorization: Bearer {TOKEN}\r\n")), 200);
    let health = ask(&mut service.connect(), &request(&own, "/healthz", "", b""));
    assert_ne!(health.status, 401);
    service.end();
}

#[test]
fn other_machines_are_let_in_only_where_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let out = text(&folder.path().join("kept"));
    let output = run(pairgate(["serve", "-o", &out, "--listen", "0.0.0.0:0"]), 2);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--token-file") && said.contains("--open"), "{said}");
    assert!(!folder.path().join("kept").exists(), "it was refused before anything was made");
    let weak = folder.path().join("weak");
    fs::write(&weak, "secret").unwrap();
    let args = ["serve", "-o", &out, "--token-file", &text(&weak)];
    let said = String::from_utf8(run(pairgate(args), 2).stderr).unwrap();
    assert!(said.contains("16 or more"), "{said}");
}

#[cfg(unix)]
mod socket {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;
    use crate::serve::PATIENCE;

    #[test]
    fn a_socket_is_its_owners_and_speaks_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve.sock");
        // What a killed process leaves.
        drop(UnixListener::bind(&path).unwrap());
        let service = Service::over(folder, &["--socket", &text(&path)]);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let image = beach();
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // Neither name nor origin is looked at: no page comes this way.
        let asked = form_request("anything", &pair(&image, &[]), "origin: https://a.example\r\n");
        assert_eq!(ask(&mut stream, &asked).ok()["verdict"], "kept");
        let asked = ["judge", "-", "waves", "--to", &text(&path), "--only"];
        let mut judge = pairgate(asked);
        judge.stdin(fs::File::open(crate::support::data("pairs/beach.jpg")).unwrap());
        run(judge, 0);
        // It is in use.
        let other = text(&path.with_file_name("other"));
        let said = run(pairgate(["serve", "-o", &other, "--socket", &text(&path)]), 2).stderr;
        assert!(String::from_utf8(said).unwrap().contains("another process listens"));
        let _folder = service.end();
        assert!(!path.exists(), "it goes with the service");
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, out) = (folder.path().join("serve.sock"), text(&folder.path().join("kept")));
        fs::write(&path, "mine").unwrap();
        let said = run(pairgate(["serve", "-o", &out, "--socket", &text(&path)]), 2).stderr;
        assert!(String::from_utf8(said).unwrap().contains("no socket"));
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }
}
