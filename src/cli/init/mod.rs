//! `assize init`: scaffolds a workspace that runs offline at once and is one edit away from a real grader.

mod demo;
mod guess;
mod scaffold;

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde_json::json;

use crate::config::{AUDIT_FILE, WORKSPACE_MARKER};

use super::args::InitArgs;
use super::exit::{Exit, Failure};
use super::printer::Printer;

use guess::Guess;
use scaffold::{Scaffold, quoted, quoted_list};

/// The behaviour of a new audit, and the classes of its cues.
const SHIPPED_BEHAVIOUR: &str = "metagaming";
const SHIPPED_CLASSES: [&str; 3] = ["core", "action", "generic_near_self"];
/// The class of a new behaviour's cues.
const SCAFFOLD_CLASSES: [&str; 1] = ["core"];
const FORMAT_OF_MARKER: &str = "assize-workspace 1\n";

/// Writes what is missing and says what it wrote.
pub(super) fn run(args: &InitArgs, printer: Printer) -> Result<Exit, Failure> {
    let folder = std::path::absolute(&args.folder).context("there is no current folder")?;
    let has_audit = folder.join(AUDIT_FILE).exists();
    if has_audit && (args.corpus.is_some() || args.behaviour.is_none()) {
        let error = anyhow!("`{}` exists, and is never overwritten", args.folder.join(AUDIT_FILE).display());
        return Err(Failure::new(Exit::Usage, error).with_hint("name another folder: `assize init DIR`"));
    }
    let guess = args.corpus.as_deref().map(|glob| guess::guess(glob, &folder)).transpose()?;
    let mut scaffold = Scaffold::new(&folder)?;
    if let Some(name) = &args.behaviour {
        write_behaviour(name, &mut scaffold)?;
    }
    if !has_audit {
        write_workspace(args, guess.as_ref(), &mut scaffold)?;
    }
    let value = json!({
        "folder": folder,
        "written": scaffold.written(),
        "kept": scaffold.kept(),
        "guess": guess.as_ref().map(Guess::to_json),
    });
    printer.result(&value, || told(args, &scaffold, guess.as_ref()))?;
    Ok(Exit::Complete)
}

fn write_workspace(args: &InitArgs, guess: Option<&Guess>, scaffold: &mut Scaffold) -> anyhow::Result<()> {
    if guess.is_none() {
        demo::write(scaffold, args.behaviour.is_none())?;
    }
    let truth = if scaffold.has(Path::new(demo::TRUTH)) {
        "truth = \"truth.jsonl\"         # the planted turns"
    } else {
        "# truth = \"truth.jsonl\"       # no turn is planted: whatever it calls present, it calls so wrongly"
    };
    scaffold.file(WORKSPACE_MARKER, FORMAT_OF_MARKER)?;
    scaffold.file(AUDIT_FILE, &audit_file(args, guess, &scaffold.name()))?;
    scaffold.file("rehearsal.toml", &include_str!("templates/rehearsal.toml").replace("@TRUTH@", truth))?;
    scaffold.file(".gitignore", include_str!("templates/gitignore"))?;
    scaffold.file("cache/README.md", include_str!("templates/cache.md"))?;
    scaffold.file("labels/README.md", include_str!("templates/labels.md"))
}

fn audit_file(args: &InitArgs, guess: Option<&Guess>, name: &str) -> String {
    let (path, format) = guess.map_or(("corpus/*.jsonl", "canonical"), |guess| (&guess.path, guess.format_name()));
    let demo_groups = ["checkpoint".to_owned(), "source".to_owned()];
    let group_by = guess.map_or(&demo_groups[..], |guess| &guess.group_by);
    let (behaviour, classes) = match &args.behaviour {
        Some(name) => (name.as_str(), &SCAFFOLD_CLASSES[..]),
        None => (SHIPPED_BEHAVIOUR, &SHIPPED_CLASSES[..]),
    };
    let sizes: Vec<String> = classes.iter().map(|class| format!("{class} = \"all\"")).collect();
    let filled = [
        ("@NAME@", quoted(name)),
        ("@PATH@", quoted(path)),
        ("@FORMAT@", quoted(format)),
        ("@GROUP_BY@", quoted_list(group_by)),
        ("@BEHAVIOUR@", quoted(behaviour)),
        ("@CLASSES@", quoted_list(classes)),
        ("@SIZES@", sizes.join("\n")),
    ];
    scaffold::fill(include_str!("templates/audit.toml"), &filled)
}

/// Scaffolds `prompts/<name>`.
fn write_behaviour(name: &str, scaffold: &mut Scaffold) -> Result<(), Failure> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.chars().all(is_plain) {
        let error = anyhow!("`{name}` is not a behaviour's name");
        return Err(Failure::new(Exit::Usage, error).with_hint("use lower-case letters, digits, `_` and `-`"));
    }
    let folder = PathBuf::from("prompts").join(name);
    if scaffold.has(&folder) {
        return Err(Failure::new(Exit::Usage, anyhow!("`{}` exists, and is never overwritten", folder.display())));
    }
    for (file, text) in [
        ("behaviour.toml", include_str!("templates/behaviour/behaviour.toml")),
        ("cues.toml", include_str!("templates/behaviour/cues.toml")),
        ("screen.v1.md", include_str!("templates/behaviour/screen.v1.md")),
        ("confirm.v1.md", include_str!("templates/behaviour/confirm.v1.md")),
        ("gold.jsonl", include_str!("templates/behaviour/gold.jsonl")),
    ] {
        scaffold.file(folder.join(file), &text.replace("@NAME@", name))?;
    }
    Ok(())
}

fn told(args: &InitArgs, scaffold: &Scaffold, guess: Option<&Guess>) -> String {
    let InitArgs { folder, behaviour, .. } = args;
    let mut lines: Vec<String> = scaffold.written().iter().map(|file| format!("wrote {}", file.display())).collect();
    lines.extend(scaffold.kept().iter().map(|file| format!("kept  {} (it exists)", file.display())));
    lines.extend(guess.map(Guess::to_string));
    let enter = if folder == Path::new(".") { String::new() } else { format!("cd {} && ", folder.display()) };
    let next = match behaviour {
        Some(name) => format!("edit prompts/{name}, then `assize prompts lint {name}` and `assize run`"),
        None => format!("`{enter}assize run`"),
    };
    lines.push(format!("next: {next}"));
    lines.join("\n")
}

#[cfg(test)]
mod tests;
