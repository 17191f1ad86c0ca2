//! Completions and manual pages: what a package installs beside the program.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{pairgate, run, text};

fn printed(words: &[&str]) -> String {
    String::from_utf8(run(pairgate(words), 0).stdout).unwrap()
}

/// What `program` makes of the file; `None`, aloud, where it is not there.
fn checked_by(program: &str, arguments: &[&str], file: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).arg(file).stdin(Stdio::null());
    let Ok(output) = command.output() else {
        println!("SKIPPED: there is no {program}");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{program}: {errors}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn completions_are_there_for_the_shells_and_know_the_options() {
    let temp = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&["completions", shell]);
        for name in ["filter", "accept-new-decisions", "calibrate", "quantize"] {
            assert!(script.contains(name), "{shell}: {name}");
        }
        let path = temp.path().join(shell);
        fs::write(&path, script).unwrap();
        if matches!(shell, "bash" | "zsh" | "fish") {
            checked_by(shell, &["-n"], &path);
        }
    }
    run(pairgate(["completions", "cmd"]), 2);
}

/// What bash offers behind `pairgate filter --acc`.
#[cfg(unix)]
#[test]
fn bash_completes_an_option() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("script");
    let words = "COMP_WORDS=(pairgate filter --acc); COMP_CWORD=2";
    let ask = "_pairgate pairgate --acc filter; echo \"${COMPREPLY[@]}\"";
    fs::write(&path, format!("{}\n{words}\n{ask}\n", printed(&["completions", "bash"]))).unwrap();
    let Some(offered) = checked_by("bash", &[], &path) else { return };
    assert_eq!(offered.trim(), "--accept-new-decisions");
}

#[test]
fn every_command_has_a_page_that_renders() {
    let page = printed(&["man"]);
    assert!(page.contains(".TH pairgate") && page.contains("pairgate\\-filter"), "{page}");
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("share/man1");
    run(pairgate(["man", &text(&folder)]), 0);
    let pages: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() >= 25, "{pages:?}");
    for name in ["pairgate.1", "pairgate-filter.1", "pairgate-journal-why.1"] {
        assert!(folder.join(name).is_file(), "{name}: {pages:?}");
    }
    if let Some(shown) = checked_by("man", &["-l"], &folder.join("pairgate-filter.1")) {
        assert!(shown.contains("--accept-new-decisions") && shown.contains("Examples"), "{shown}");
    }
    run(pairgate(["man", "/dev/null/pages"]), 2);
}
