//! A mosquitto of the test's own.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::wait_until;

/// The only user that [`Mosquitto::with_login`] lets in.
pub const LOGIN: (&str, &str) = ("gate", "s3cret@/:");

/// A broker on a free port of the loopback interface, stopped when dropped.
pub struct Mosquitto {
    pub port: u16,
    child: Child,
    /// Its own, for as long as it runs.
    _folder: TempDir,
}

impl Mosquitto {
    /// One that lets everybody in; `None`, loudly, where there is no mosquitto.
    pub fn start() -> Option<Self> {
        Self::configured("allow_anonymous true\n", |_| {})
    }

    /// One that lets [`LOGIN`] in.
    pub fn with_login() -> Option<Self> {
        let configure = |folder: &Path| {
            let file = folder.join("passwords");
            let mut command = Command::new(program("mosquitto_passwd").unwrap());
            command.arg("-b").arg("-c").arg(file).args([LOGIN.0, LOGIN.1]);
            assert!(command.status().unwrap().success());
        };
        Self::configured("allow_anonymous false\npassword_file passwords\n", configure)
    }

    /// One with these settings; `prepare` may put files into its folder.
    pub fn configured(settings: &str, prepare: impl Fn(&Path)) -> Option<Self> {
        let mosquitto = program("mosquitto").or_else(skip)?;
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let port = free_port();
        // It gives up root's rights for a user that may not see the folder, unless told not to.
        let config = format!("user root\nlistener {port} 127.0.0.1\n{settings}");
        fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        let mut command = Command::new(mosquitto);
        command.args(["-c", "mosquitto.conf"]).current_dir(folder.path());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let broker = Self { port, child, _folder: folder };
        let answers = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        wait_until("mosquitto answers", answers);
        Some(broker)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A port on which nobody listens.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// The program's path: Debian keeps it where only root looks.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Not by a macro, whose lines a test that passes does not show.
fn skip() -> Option<PathBuf> {
    let required = std::env::var_os("PAIRGATE_REQUIRE_MOSQUITTO").is_some_and(|set| set != "0");
    assert!(!required, "PAIRGATE_REQUIRE_MOSQUITTO is set, and there is no mosquitto");
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: mosquitto is not installed");
    None
}
