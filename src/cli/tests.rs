use std::fmt::Write;
use std::fs;

use clap::CommandFactory;

use super::args::Cli;
use super::*;
use crate::grade::settings::Concurrency;

/// Every command with its path, the nested ones after their parents.
fn every_command() -> Vec<clap::Command> {
    fn collect(command: &clap::Command, into: &mut Vec<clap::Command>) {
        into.push(command.clone());
        command.get_subcommands().filter(|below| below.get_name() != "help").for_each(|below| collect(below, into));
    }
    let mut root = Cli::command();
    root.build();
    let mut commands = Vec::new();
    collect(&root, &mut commands);
    commands
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_an_example() {
    for command in every_command() {
        let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let name = command.get_display_name().unwrap_or(command.get_name()).replace('-', " ");
        let examples: Vec<_> = example.strip_prefix("Example:\n").unwrap_or_default().lines().collect();
        let are_commands = examples.iter().all(|line| line.starts_with("  assize "));
        assert!(!examples.is_empty() && are_commands, "`{name}`: {example:?}");
    }
}

#[test]
fn every_example_parses() {
    for command in every_command() {
        let example = command.get_after_help().unwrap().to_string();
        let lines = example.strip_prefix("Example:\n").unwrap().lines();
        for line in lines.flat_map(|line| line.split("&&")).map(str::trim) {
            let words = line.split(" > ").next().unwrap();
            if words.starts_with("assize") {
                let words: Vec<String> = shell_words(words);
                Cli::command().try_get_matches_from(&words).unwrap_or_else(|error| panic!("`{line}`: {error}"));
            }
        }
    }
}

/// Splits at spaces outside of single quotes.
fn shell_words(line: &str) -> Vec<String> {
    let parts = line.split('\'').enumerate();
    let words = parts.flat_map(|(index, part)| {
        let pieces: Vec<&str> = if index % 2 == 1 { vec![part] } else { part.split_whitespace().collect() };
        pieces.into_iter().map(str::to_owned)
    });
    words.collect()
}

#[test]
fn help_is_stable() {
    let mut pages = String::new();
    for mut command in every_command() {
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        command = command.term_width(100).hide_possible_values(false);
        writeln!(pages, "==== {name}\n{}", command.render_help()).unwrap();
    }
    insta::assert_snapshot!(pages);
}

#[test]
fn flags_become_overrides_with_their_names() {
    let args = ["assize", "config", "--max-cost", "5", "-j", "3", "--date", "2026-11-23"].map(OsString::from);
    let (invocation, command) = Invocation::parse(args, Environment::default()).unwrap();
    let Command::Config(args) = command else { panic!("another command") };
    let request = invocation.load_request(&args.file, &args.overrides);
    let max_cost = request.overrides.max_cost.unwrap();
    assert_eq!((max_cost.value, max_cost.origin.to_string()), (5.0, "flag --max-cost".to_owned()));
    assert_eq!(request.overrides.max_concurrency.unwrap().origin.to_string(), "flag --max-concurrency");
    assert_eq!(request.overrides.date.unwrap().value, "2026-11-23");
    assert_eq!(request.overrides.strict, None);
}

#[test]
fn as_many_at_once_as_are_served_well_is_a_value_too() {
    let parse =
        |count: &str| Invocation::parse(["assize", "run", "-j", count].map(OsString::from), Environment::default());
    let (invocation, command) = parse("auto").unwrap();
    let Command::Run(args) = command else { panic!("another command") };
    let request = invocation.load_request(&args.audit.file, &args.audit.overrides);
    assert_eq!(request.overrides.max_concurrency.unwrap().value, Concurrency::Auto);
    let error = parse("many").unwrap_err().to_string();
    assert!(error.contains("expects `auto` or a whole number from 1"), "{error}");
}

/// Runs a command as `main` does, and returns its exit code.
fn run_in(folder: &std::path::Path, args: &[&str]) -> Result<Exit, Failure> {
    let args = std::iter::once("assize").chain(args.iter().copied()).map(OsString::from);
    let home = folder.join("home").to_string_lossy().into_owned();
    let environment = Environment::of([("XDG_CONFIG_HOME", home.as_str())]);
    let (invocation, command) = Invocation::parse(args, environment).unwrap();
    let printer = Printer::new(&invocation.global, &invocation.environment);
    dispatch(&invocation, command, printer)
}

#[test]
fn trust_is_asked_for_and_given() {
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.toml");
    let text = fs::read_to_string("tests/fixtures/configs/good/minimal.toml").unwrap();
    fs::write(&audit, text.replace("[endpoint.main]", "[endpoint.main]\nbase_url = \"https://gateway.example\""))
        .unwrap();
    let audit = audit.to_str().unwrap();
    let refused = run_in(folder.path(), &["config", audit]).unwrap_err();
    let Failure::Error { exit, error, hint } = refused else { panic!("no error") };
    assert_eq!(exit, Exit::Usage);
    assert!(error.to_string().contains("sends transcripts to `https://gateway.example`"), "{error}");
    assert_eq!(hint.unwrap(), format!("read the file; if you agree, run `assize trust {audit}`"));
    assert_eq!(run_in(folder.path(), &["trust", audit]).unwrap(), Exit::Complete);
    assert_eq!(run_in(folder.path(), &["config", audit]).unwrap(), Exit::Complete);
}
