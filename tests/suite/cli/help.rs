//! `-h` is a glance, `--help` tells all, and both fit a terminal.

use super::{pairgate, run};

fn help(words: &[&str], flag: &str) -> String {
    let mut command = pairgate(words.iter().chain(&[flag]));
    command.env("COLUMNS", "80");
    String::from_utf8(run(command, 0).stdout).unwrap()
}

/// The commands below one, by its help.
fn below(words: &[&str]) -> Vec<String> {
    let help = help(words, "-h");
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
}

/// All commands that do something.
fn commands() -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for command in below(&[]) {
        match below(&[&command]) {
            none if none.is_empty() => all.push(vec![command]),
            some => all.extend(some.into_iter().map(|sub| vec![command.clone(), sub])),
        }
    }
    all
}

#[track_caller]
fn assert_fits(text: &str, what: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{what}: {line:?}");
    }
}

#[test]
fn a_glance_has_a_line_an_option_and_fits() {
    let all = commands();
    assert!(all.len() >= 18, "{all:?}");
    for command in &all {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let short = help(&words, "-h");
        assert_fits(&short, &format!("{words:?} -h"));
        let options = short.lines().filter(|line| line.trim_start().starts_with('-'));
        for line in options {
            assert!(line.trim().contains("  "), "{words:?}: no words beside {line:?}\n{short}");
        }
        // Nothing goes on in a second line.
        let (lists, _) = short.split_once("\nExample").unwrap_or((&short, ""));
        let goes_on = lists.lines().find(|line| line.starts_with("            "));
        assert_eq!(goes_on, None, "{words:?}: {short}");
        let examples = short.lines().filter(|line| line.contains("pairgate ")).count();
        // One is the usage.
        assert!(examples <= 3, "{words:?}: {short}");
    }
}

#[test]
fn the_long_help_fits_and_has_examples() {
    for command in commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let (short, long) = (help(&words, "-h"), help(&words, "--help"));
        assert_fits(&long, &format!("{words:?} --help"));
        assert!(long.contains("\nExample"), "{words:?}: {long}");
        assert!(long.len() >= short.len(), "{words:?}");
    }
    let (short, long) = (help(&["filter"], "-h"), help(&["filter"], "--help"));
    assert!(long.len() > 2 * short.len() && long.contains("DataComp's rule"), "{long}");
    assert!(long.contains("goes on where"), "{long}");
}

#[test]
fn options_are_in_groups() {
    let mut wanted = vec!["Input:", "Model:", "Speed:", "Settings:", "Output:", "What passes:"];
    if cfg!(feature = "mqtt") {
        wanted.push("MQTT:");
    }
    for flag in ["-h", "--help"] {
        let help = help(&["filter"], flag);
        for heading in &wanted {
            assert!(help.lines().any(|line| line == *heading), "{heading} {help}");
        }
        for (heading, option) in [
            ("Input:", "--image-root"),
            ("Model:", "--arithmetic"),
            ("Speed:", "--workers"),
            ("Settings:", "--board"),
            ("Output:", "--rejected"),
            ("What passes:", "--first-threshold"),
        ] {
            let (_, group) = help.split_once(&format!("\n{heading}\n")).unwrap();
            // The next group's name begins its line.
            let group = group.lines().take_while(|line| !line.starts_with(char::is_alphabetic));
            let group: String = group.collect();
            assert!(group.contains(option), "{option} is not in {heading} {help}");
        }
        // What every command has stands by itself.
        let (_, own) = help.split_once("\nOptions:\n").unwrap();
        let own: Vec<_> = own.lines().take_while(|line| !line.ends_with(':')).collect();
        let names = own.iter().filter(|line| line.trim_start().starts_with('-'));
        assert_eq!(names.count(), 2, "{own:?}");
    }
}

#[test]
fn the_commands_are_a_list_of_lines() {
    for flag in ["-h", "--help"] {
        let help = help(&[], flag);
        assert_fits(&help, flag);
        let (_, list) = help.split_once("\nCommands:\n").unwrap();
        let list: Vec<_> = list.lines().take_while(|line| !line.is_empty()).collect();
        assert!(list.len() >= 11, "{help}");
        for line in list {
            assert!(line.starts_with("  ") && !line.starts_with("   "), "{line:?} goes on: {help}");
        }
        assert!(help.contains("Exit codes"), "{help}");
    }
}
