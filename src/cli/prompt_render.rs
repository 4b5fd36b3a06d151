//! `assize prompts render`: the messages that a grader would get.

use std::collections::BTreeSet;

use anyhow::{Context, anyhow};
use serde_json::json;

use crate::model::conversation::{Channel, Conversation};
use crate::model::grading::{ChatMessage, NONCE_PLACEHOLDER};
use crate::model::unit::UnitKind;
use crate::prompt::{Buffers, Library, Question, Questioner, QuestionerSettings, estimated_tokens};
use crate::source::settings::{CorpusSettings, SourceSettings};
use crate::source::{self, Filter, Record};

use super::args::RenderArgs;
use super::exit::{Exit, Failure};
use super::printer::Printer;
use super::prompts::label;

/// Prints the messages about one turn or conversation.
pub(super) fn render(library: &Library, args: &RenderArgs, printer: Printer) -> Result<Exit, Failure> {
    let files = library.behaviour(&args.prompt.behaviour).context("failed to read the behaviour")?;
    let prompt = files.prompt(&label(&args.prompt)?).context("failed to read the prompt")?;
    let mut settings = QuestionerSettings::new(prompt, files.behaviour);
    settings.channels = BTreeSet::from(Channel::ALL);
    settings.unit = if args.conversation { UnitKind::Conversation } else { UnitKind::Turn };
    let questioner = Questioner::new(settings).context("failed to render the prompt")?;
    let messages = match &args.transcript {
        None => questioner.opening().to_vec(),
        Some(path) => {
            let conversation = first_conversation(path)?;
            let turn = args.turn.or_else(|| conversation.turns().last());
            let turn = if args.conversation { None } else { Some(turn.context("the conversation has no turn")?) };
            asked(&questioner, &conversation, turn)?
        }
    };
    let opening = questioner.opening().len();
    let value: Vec<_> = messages
        .iter()
        .enumerate()
        .map(|(number, message)| {
            let is_static = number < opening;
            let static_bytes = if is_static { message.content.len() } else { questioner.static_beginning().len() };
            let content = message.content.replace(NONCE_PLACEHOLDER, "NONCE");
            json!({ "role": message.role.as_str(), "content": content, "static_bytes": static_bytes })
        })
        .collect();
    printer.note(&reusable(&questioner, &messages));
    printer.result(&value, || {
        let shown = messages.iter().map(|message| {
            format!("--- {}\n{}\n", message.role.as_str(), message.content.replace(NONCE_PLACEHOLDER, "NONCE"))
        });
        shown.collect()
    })?;
    Ok(Exit::Complete)
}

/// How much of a request is the same for every unit and stands first: what a prompt cache can serve.
fn reusable(questioner: &Questioner, messages: &[ChatMessage]) -> String {
    let prefix = estimated_tokens(&questioner.static_prefix());
    let questions = messages.iter().skip(questioner.opening().len());
    let Some(question) = questions.map(|message| estimated_tokens(&message.content)).max() else {
        return format!("about {prefix} tokens stand first in every request and are the same, the schema apart");
    };
    let opening: usize = questioner.opening().iter().map(|message| estimated_tokens(&message.content)).sum();
    let (all, per_cent) = (opening + question, 100 * prefix / (opening + question).max(1));
    format!(
        "about {prefix} of {all} tokens ({per_cent}%) stand first in every request and are the same, the schema apart: \
         what a prompt cache can serve"
    )
}

fn asked(questioner: &Questioner, conversation: &Conversation, turn: Option<u32>) -> Result<Vec<ChatMessage>, Failure> {
    match questioner.question(conversation, turn, &mut Buffers::default()) {
        Question::Ask(asked) => Ok(questioner.messages(&asked)),
        Question::Chunks { chunks, .. } => {
            let mut messages = questioner.opening().to_vec();
            for asked in chunks.into_iter().flatten() {
                messages.extend(questioner.messages(&asked).pop());
            }
            Ok(messages)
        }
        Question::CannotJudge(seen) => {
            let share = seen.coverage * 100.0;
            let error = match turn {
                Some(turn) => {
                    anyhow!("message {turn} would not be asked about: {share:.0}% of its context would be visible")
                }
                None => anyhow!("the conversation would not be asked about: {share:.0}% of it would be visible"),
            };
            Err(Failure::new(Exit::Usage, error))
        }
    }
}

/// The first readable conversation of a file in any format.
fn first_conversation(path: &std::path::Path) -> Result<Conversation, Failure> {
    let source = SourceSettings { paths: vec![path.display().to_string()], ..SourceSettings::default() };
    let corpus = CorpusSettings {
        sources: vec![source],
        unit: UnitKind::Turn,
        sample_by: UnitKind::Turn,
        group_by: Vec::new(),
        cluster_by: None,
        channels: BTreeSet::from(Channel::ALL),
        filter: String::new(),
        max_line_bytes: 64 << 20,
        strict: true,
        root: std::path::PathBuf::new(),
    };
    let filter = Filter::new("").context("failed to read the transcript")?;
    let files = source::files(&corpus).context("failed to read the transcript")?;
    for file in &files {
        for record in source::read(file, &corpus, &filter).context("failed to read the transcript")? {
            if let Record::Conversation { conversation, .. } = record.context("failed to read the transcript")? {
                return Ok(conversation);
            }
        }
    }
    Err(Failure::new(Exit::Usage, anyhow!("`{}` holds no readable conversation", path.display())))
}
