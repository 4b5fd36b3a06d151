//! Help, completions, manual page and version.

use std::collections::BTreeSet;

use crate::support::Workspace;

/// Names under `Commands:` of a help page.
fn commands(help: &str) -> Vec<String> {
    let Some((_, list)) = help.split_once("Commands:\n") else { return Vec::new() };
    let rows = list.lines().take_while(|line| !line.is_empty());
    let names = rows.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Every command that a reader of help pages can find, with its page.
fn pages(workspace: &Workspace, path: &[String], into: &mut Vec<(String, String)>) {
    let mut words: Vec<&str> = path.iter().map(String::as_str).collect();
    words.push("--help");
    let help = workspace.run(&words).expect(0).stdout;
    for below in commands(&help) {
        let path: Vec<String> = path.iter().cloned().chain([below]).collect();
        pages(workspace, &path, into);
    }
    into.push((path.join(" "), help));
}

#[test]
fn every_command_has_help_with_an_example() {
    let workspace = Workspace::empty();
    let mut found = Vec::new();
    pages(&workspace, &[], &mut found);
    for (command, help) in &found {
        assert!(help.contains("Example:\n  assize "), "`{command}`:\n{help}");
    }
    let names: BTreeSet<&str> = found.iter().map(|(command, _)| command.as_str()).collect();
    let promised = [
        "init",
        "plan",
        "run",
        "report",
        "diff",
        "validate",
        "try",
        "mine",
        "ls",
        "status",
        "show",
        "prompts list",
        "prompts show",
        "prompts diff",
        "prompts draft",
        "prompts lint",
        "prompts lock",
        "prompts render",
        "cache stats",
        "cache verify",
        "cache rebuild",
        "sensitivity draw",
        "sensitivity plant",
        "sensitivity import",
        "sensitivity status",
        "rehearse",
        "rehearse corpus",
        "config",
        "doctor",
        "trust",
        "completions",
    ];
    for command in promised {
        assert!(names.contains(command), "{command}: {names:?}");
    }
}

#[test]
fn completions_name_every_command() {
    let workspace = Workspace::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = workspace.run(&["completions", shell]).expect(0).stdout;
        for command in ["init", "plan", "run", "report", "rehearse", "prompts"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    assert!(workspace.run(&["completions", "csh"]).expect(2).stderr.contains("bash"));
}

#[test]
fn the_manual_lists_commands_and_exit_codes() {
    let page = Workspace::empty().run(&["man"]).expect(0).stdout;
    assert!(page.starts_with(".ie") || page.starts_with(".TH"), "{page}");
    for expected in ["assize", "EXIT STATUS", "130", "rehearse"] {
        assert!(page.contains(expected), "{expected}");
    }
}

#[test]
fn usage_errors_end_with_2_and_say_what_is_near() {
    let workspace = Workspace::empty();
    let words: [&[&str]; 5] = [&[], &["rn"], &["run", "--max-cst", "3"], &["run", "-j", "many"], &["run"]];
    let shown = words.map(|words| format!("$ assize {}\n{}", words.join(" "), workspace.run(words).expect(2).shown()));
    insta::assert_snapshot!(shown.join("\n"));
    assert!(workspace.run(&["--version"]).expect(0).stdout.starts_with("assize "));
}
