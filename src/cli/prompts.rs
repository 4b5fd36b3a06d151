//! `assize prompts`: versioned prompts.

use anyhow::{Context, anyhow};
use serde_json::json;

use crate::model::grading::PromptLabel;
use crate::prompt::library::{LibraryError, read_lock, write_lock};
use crate::prompt::lint::lint;
use crate::prompt::{Library, Lock, LockState, hunks};
use crate::report::prompt_diff::{PromptDiff, VersionRow};
use crate::run::drafts::{self, Promoted};
use crate::run::produced::produced;
use crate::run::settings::Workspace;

use super::args::{BehaviourName, DraftArgs, PromptName, PromptPair, PromptsCommand};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::{Printer, counted};
use super::report::workspace;

/// Lists, shows, checks, locks or renders prompts of the workspace.
pub(super) fn run(invocation: &Invocation, command: &PromptsCommand, printer: Printer) -> Result<Exit, Failure> {
    let workspace = workspace(invocation)?;
    let library = Library::open(&workspace.prompts()).context("failed to open the prompts")?;
    match command {
        PromptsCommand::List => list(&library, printer),
        PromptsCommand::Show(name) => show(&library, name, printer),
        PromptsCommand::Diff(pair) => diff(&workspace, &library, pair, printer),
        PromptsCommand::Lint(name) => lint_all(&library, name, printer),
        PromptsCommand::Draft(args) => draft(&workspace, &library, args, printer),
        PromptsCommand::Lock(name) => lock(&workspace, &library, name, printer),
        PromptsCommand::Render(args) => super::prompt_render::render(&library, args, printer),
        PromptsCommand::Invariance(args) => super::invariance::run(invocation, args, printer),
    }
}

fn names(library: &Library, asked: &BehaviourName) -> Vec<String> {
    match &asked.behaviour {
        Some(name) => vec![name.clone()],
        None => library.behaviours().into_iter().map(|(name, _)| name.to_owned()).collect(),
    }
}

fn list(library: &Library, printer: Printer) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    for (name, origin) in library.behaviours() {
        let files = library.behaviour(name).context("failed to read a behaviour")?;
        for label in files.all_labels() {
            let prompt = files.prompt(&label).context("failed to read a prompt")?;
            rows.push((name, label, prompt.hash, origin.to_string()));
        }
    }
    let value: Vec<_> = rows.iter().map(|(behaviour, label, hash, origin)| {
        json!({ "behaviour": behaviour, "label": label, "hash": hash, "origin": origin })
    }).collect();
    printer.result(&value, || {
        let lines = rows.iter().map(|(behaviour, label, hash, origin)| {
            format!("{behaviour:<16} {:<12} {}  {origin}\n", label.to_string(), hash.short())
        });
        lines.collect()
    })?;
    Ok(Exit::Complete)
}

pub(super) fn label(name: &PromptName) -> Result<PromptLabel, Failure> {
    name.label.parse().map_err(|error| Failure::new(Exit::Usage, anyhow::Error::from(error)))
}

fn show(library: &Library, name: &PromptName, printer: Printer) -> Result<Exit, Failure> {
    let files = library.behaviour(&name.behaviour).context("failed to read the behaviour")?;
    let prompt = files.prompt(&label(name)?).context("failed to read the prompt")?;
    let value = json!({ "behaviour": name.behaviour, "label": prompt.label, "hash": prompt.hash, "text": prompt.text });
    printer.result(&value, || prompt.text.clone())?;
    Ok(Exit::Complete)
}

fn diff(workspace: &Workspace, library: &Library, pair: &PromptPair, printer: Printer) -> Result<Exit, Failure> {
    let files = library.behaviour(&pair.behaviour).context("failed to read the behaviour")?;
    let named = |label: &str| {
        let label = label.parse().map_err(|error| Failure::new(Exit::Usage, anyhow::Error::from(error)))?;
        Ok::<_, Failure>(files.prompt(&label).context("failed to read the prompt")?)
    };
    let (first, second) = (named(&pair.a)?, named(&pair.b)?);
    let produced = produced(&workspace.runs(), &pair.behaviour).context("failed to count verdicts")?;
    let found = PromptDiff {
        behaviour: pair.behaviour.clone(),
        a: VersionRow::of(&first, &produced),
        b: VersionRow::of(&second, &produced),
        hunks: hunks(&first.text, &second.text),
    };
    printer.result(&found, || found.render(printer.style()))?;
    Ok(Exit::Complete)
}

fn lint_all(library: &Library, asked: &BehaviourName, printer: Printer) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    let mut prompts = 0;
    for name in names(library, asked) {
        let files = library.behaviour(&name).context("failed to read the behaviour")?;
        for label in files.all_labels() {
            prompts += 1;
            let prompt = files.prompt(&label).context("failed to read a prompt")?;
            let findings = lint(&prompt, &files.behaviour).with_context(|| format!("prompt `{label}` of `{name}`"))?;
            rows.extend(findings.into_iter().map(|finding| (name.clone(), label.clone(), finding)));
        }
    }
    let value: Vec<_> = rows.iter().map(|(behaviour, label, finding)| {
        json!({ "behaviour": behaviour, "label": label, "line": finding.line, "message": finding.message, "advice": finding.advice })
    }).collect();
    printer.result(&value, || {
        let lines = rows.iter().map(|(behaviour, label, finding)| {
            format!("{behaviour} {label}, line {}: {}\n  {}\n", finding.line, finding.message, finding.advice)
        });
        let findings = counted(rows.len() as u64, "finding", "findings");
        format!("{}{findings} in {}", lines.collect::<String>(), counted(prompts, "prompt", "prompts"))
    })?;
    Ok(if rows.is_empty() { Exit::Complete } else { Exit::GateFailed })
}

/// Begins a draft.
fn draft(workspace: &Workspace, library: &Library, args: &DraftArgs, printer: Printer) -> Result<Exit, Failure> {
    let files = library.behaviour(&args.behaviour).context("failed to read the behaviour")?;
    let newest = || files.labels("screen").pop().filter(|label| !label.is_draft());
    let from = match &args.from {
        Some(label) => label.parse().map_err(|error| Failure::new(Exit::Usage, anyhow::Error::from(error)))?,
        None => newest().with_context(|| format!("`{}` has no version of a screen to copy", args.behaviour))?,
    };
    let path = drafts::begin(&files, &workspace.prompts(), &from).map_err(|error| {
        let hint = matches!(error, LibraryError::Exists { .. })
            .then_some("edit it, or delete it first: `assize prompts lock` makes it a version");
        let failure = Failure::new(Exit::Usage, anyhow::Error::from(error).context("failed to begin a draft"));
        hint.into_iter().fold(failure, Failure::with_hint)
    })?;
    let label = PromptLabel::draft(&from.role);
    let value = json!({ "behaviour": args.behaviour, "label": label, "from": from, "file": path });
    printer.result(&value, || format!("{} is {label}, a copy of {from}", path.display()))?;
    printer.note(&format!(
        "write `prompt = \"{label}\"` under [grader.{}]; `assize try --watch` tries it on every save",
        label.role
    ));
    Ok(Exit::Complete)
}

/// Makes the drafts of a behaviour its next versions. What lint objects to stays a draft.
fn promote(library: &Library, name: &str, lock: &Lock, printer: Printer) -> Result<(), Failure> {
    let files = library.behaviour(name).context("failed to read the behaviour")?;
    for draft in files.drafts() {
        let prompt = files.prompt(&draft).context("failed to read a draft")?;
        let findings = lint(&prompt, &files.behaviour).with_context(|| format!("prompt `{draft}` of `{name}`"))?;
        if !findings.is_empty() {
            let found = counted(findings.len() as u64, "finding", "findings");
            let error = anyhow!("`{draft}` of `{name}` stays a draft: {found} of `assize prompts lint`");
            return Err(Failure::new(Exit::GateFailed, error)
                .with_hint(format!("`assize prompts lint {name}` says what to mend")));
        }
        let highest = lock.highest(name, &draft.role);
        match drafts::promote(&files, &draft, highest).context("failed to write a version")? {
            Promoted::New(label) => printer.note(&format!(
                "`{draft}` of `{name}` is now `{label}`: write `prompt = \"{label}\"` under [grader.{}]; its replies are \
                 kept and are not paid for again",
                label.role
            )),
            Promoted::Already(label) => printer.note(&format!("`{draft}` of `{name}` says what `{label}` says")),
        }
    }
    Ok(())
}

fn lock(workspace: &Workspace, library: &Library, asked: &BehaviourName, printer: Printer) -> Result<Exit, Failure> {
    let path = &workspace.prompts_lock();
    let mut lock = read_lock(path).context("failed to read the lock")?;
    let mut locked = Vec::new();
    for name in names(library, asked) {
        promote(library, &name, &lock, printer)?;
        let files = library.behaviour(&name).context("failed to read the behaviour")?;
        for label in files.all_labels() {
            let prompt = files.prompt(&label).context("failed to read a prompt")?;
            match lock.check(&name, &prompt) {
                LockState::Same | LockState::Draft => {}
                LockState::New => {
                    lock.insert(&name, &prompt);
                    locked.push(format!("{name} {label} {}", prompt.hash.short()));
                }
                LockState::Changed(changed) => {
                    let hint = changed.hint();
                    return Err(Failure::new(Exit::Usage, anyhow!(changed)).with_hint(hint));
                }
            }
        }
    }
    write_lock(path, &lock).context("failed to write the lock")?;
    printer.result(&locked, || match locked.as_slice() {
        [] => "every version was locked already".to_owned(),
        locked => format!("locked {}", locked.join("\nlocked ")),
    })?;
    Ok(Exit::Complete)
}
