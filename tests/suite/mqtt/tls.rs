//! A broker over TLS, with certificates that the test makes.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use pairgate::notify::mqtt::{Link, Settings, Topics};

use crate::cli::{pairgate, pairs, run, text};

use super::broker::{Mosquitto, free_port, program};
use super::listener::Listener;

/// Authorities of the test's own: what the broker's certificate is signed by, and another one.
const AUTHORITIES: [&str; 2] = ["ca", "other"];

fn openssl(folder: &Path, words: &str) {
    let mut command = Command::new("openssl");
    let output = command.args(words.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// `ca.pem`, `other.pem`, and `server.pem` with its key, for localhost by name and address.
fn make_certificates(folder: &Path) {
    const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for name in AUTHORITIES {
        let own = format!("-keyout {name}.key -out {name}.pem -subj /CN={name} -days 2");
        openssl(
            folder,
            &format!("req -x509 {KEY} {own} -addext basicConstraints=critical,CA:TRUE"),
        );
    }
    openssl(folder, &format!("req {KEY} -keyout server.key -out server.csr -subj /CN=localhost"));
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
    fs::write(folder.join("names"), names).unwrap();
    let by = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2";
    openssl(folder, &format!("x509 -req -in server.csr {by} -out server.pem -extfile names"));
}

/// A broker with TLS at its port, where one can be made; who listens there without; certificates.
fn secure_broker(folder: &Path) -> Option<(Mosquitto, Listener)> {
    if program("openssl").is_none() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: openssl is not installed");
        return None;
    }
    make_certificates(folder);
    let plain = free_port();
    let settings = format!(
        "certfile server.pem\nkeyfile server.key\nallow_anonymous true\nlistener {plain} 127.0.0.1\n"
    );
    let copy = |to: &Path| {
        for name in ["server.pem", "server.key"] {
            fs::copy(folder.join(name), to.join(name)).unwrap();
        }
    };
    let broker = Mosquitto::configured(&settings, copy)?;
    super::wait_until("its other port answers", || {
        TcpStream::connect(("127.0.0.1", plain)).is_ok()
    });
    Some((broker, Listener::at(plain)))
}

fn dry_run(url: &str, ca: Option<PathBuf>) -> Command {
    let mut command = pairgate(["filter", &pairs(), "--dry-run", "--mqtt", url]);
    command.args(["--mqtt-node", "dry"]);
    if let Some(ca) = ca {
        command.args(["--mqtt-ca", &text(&ca)]);
    }
    command
}

fn errors(command: Command, code: i32) -> String {
    String::from_utf8(run(command, code).stderr).unwrap()
}

#[test]
fn a_broker_over_tls_is_told_where_its_certificate_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let Some((broker, listener)) = secure_broker(folder.path()) else { return };
    let [ca, other] = AUTHORITIES.map(|name| folder.path().join(name).with_extension("pem"));
    let address = format!("mqtts://127.0.0.1:{}", broker.port);
    // By another authority, and by those of the system.
    for trusted in [Some(other), None] {
        let mut command = dry_run(&address, trusted.clone());
        // What the system trusts is not the test's to say.
        command.env("SSL_CERT_FILE", folder.path().join("other.pem"));
        let told = errors(command, 0);
        assert!(told.contains("no connection") && told.contains("certificate"), "{told}");
        assert_eq!(told.matches("no connection").count(), 1, "{told}");
    }
    assert_eq!(listener.statuses(), [""; 0], "nothing was said to it");

    for host in ["127.0.0.1", "localhost"] {
        let url = format!("mqtts://{host}:{}", broker.port);
        let told = errors(dry_run(&url, Some(ca.clone())), 0);
        assert!(told.contains(&format!("connected to {host}")), "{told}");
    }
    let mut by_system = dry_run(&address, None);
    by_system.env("SSL_CERT_FILE", &ca);
    assert!(errors(by_system, 0).contains("connected to"));
    super::wait_until("all runs", || listener.statuses().len() == 6);
    // Without TLS the broker is not understood, and nothing is said in plain text.
    let plain = errors(dry_run(&address.replace("mqtts", "mqtt"), None), 0);
    assert!(plain.contains("no connection"), "{plain}");
}

#[test]
fn certificates_that_cannot_be_used_end_the_run_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "no certificate").unwrap();
    let port = free_port();
    for (scheme, ca, wanted) in [
        ("mqtts", folder.path().join("none.pem"), "none.pem"),
        ("mqtts", empty.clone(), "there is no certificate"),
        ("mqtt", empty, "--mqtt-ca is for a broker over TLS"),
    ] {
        let told = errors(dry_run(&format!("{scheme}://127.0.0.1:{port}"), Some(ca)), 2);
        assert!(told.contains(wanted), "{told}");
    }
    // A link that is to be encrypted is never one in plain text.
    let broker = format!("mqtts://127.0.0.1:{port}").parse().unwrap();
    let topics = Topics::new(&broker, "node").unwrap();
    assert!(Link::open(Settings::new(broker, topics)).is_err());
}
