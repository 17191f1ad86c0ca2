//! Colours: clap's own, on terminals, where nobody forbids them.

use std::process::Command;

use super::{pairgate, pairs, run};

const ESCAPE: char = '\u{1b}';

/// A run with these variables and no others that speak of colours, whose summary and error both have
/// some: standard output and error, one after the other.
fn outputs(variables: &[(&str, &str)]) -> [String; 2] {
    let summary =
        told(pairgate(["filter", &pairs(), "--dry-run", "-t=1", "--rules=none"]), variables, 0);
    let error = told(pairgate(["filter", "no/such/folder", "--dry-run"]), variables, 2);
    [summary, error]
}

fn told(mut command: Command, variables: &[(&str, &str)], code: i32) -> String {
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").envs(variables.iter().copied());
    let output = run(command, code);
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// The text without escape sequences, and without what differs from run to run.
fn plain(text: &str) -> String {
    let mut parts = text.split(ESCAPE);
    let mut text = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| text += part.split_once('m').unwrap().1);
    let lines = text.lines().filter(|line| !line.contains("pairs/s"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_pipe_gets_no_colours_unless_they_are_forced() {
    let without = outputs(&[]);
    assert!(without.iter().all(|text| !text.contains(ESCAPE)), "{without:?}");
    let forced = outputs(&[("CLICOLOR_FORCE", "1")]);
    assert!(forced.iter().all(|text| text.contains(ESCAPE)), "{forced:?}");
    assert!(forced[1].contains("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m"), "{:?}", forced[1]);
    assert!(forced[0].contains("hint:\u{1b}[0m"), "{:?}", forced[0]);
    assert_eq!(forced.map(|text| plain(&text)), without.map(|text| plain(&text)));
    let both = outputs(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]);
    assert!(both.iter().all(|text| !text.contains(ESCAPE)), "NO_COLOR outweighs all");
    let json = pairgate(["filter", &pairs(), "--dry-run", "--json"]);
    let json = told(json, &[("CLICOLOR_FORCE", "1")], 0);
    assert!(!json.contains(ESCAPE), "programs read it: {json:?}");
}

/// The same on a terminal, which `script` of util-linux stands for.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_colours_unless_they_are_forbidden() {
    for (variables, is_coloured) in [
        (&[][..], true),
        (&[("NO_COLOR", "1")], false),
        (&[("CLICOLOR", "0")], false),
        (&[("TERM", "dumb")], false),
    ] {
        let commands = [
            (format!("filter '{}' --dry-run -t=1", pairs()), 0),
            ("filter no/such/folder --dry-run".to_owned(), 2),
        ];
        for (arguments, code) in commands {
            let Some(command) = super::progress::on_a_terminal(80, &arguments) else { return };
            let text = told(command, variables, code);
            // The progress bar moves the cursor; what sets colours ends in m.
            let has_colours = text.split(ESCAPE).skip(1).any(|part| {
                let end = part.find(|c: char| c.is_ascii_alphabetic());
                end.is_some_and(|end| part[end..].starts_with('m'))
            });
            assert_eq!(has_colours, is_coloured, "{variables:?} {arguments}: {text:?}");
        }
    }
}
