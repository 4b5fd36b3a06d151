//! Converts transcripts of the hh-rlhf shape to canonical JSONL.
//!
//! Each line of the input, plain or zstd, is `{"chosen": "\n\nHuman: ...\n\nAssistant: ...", "rejected": "..."}`. The
//! chosen transcript becomes one conversation `hh-<line>-chosen` with the metadata `arm = "chosen"`; with `--both` the
//! rejected one follows as `hh-<line>-rejected`.
//!
//! ```text
//! cargo run --example convert_hh -- test.jsonl.zst > hh.jsonl
//! ```

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write, stdout};

use assize::model::conversation::{Conversation, Message, Role};
use serde::Deserialize;

const MARKS: [(&str, Role); 2] = [("\n\nHuman:", Role::User), ("\n\nAssistant:", Role::Assistant)];

#[derive(Deserialize)]
struct Pair {
    chosen: String,
    rejected: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<_> = std::env::args().skip(1).collect();
    let both = arguments.iter().position(|argument| argument == "--both").map(|at| arguments.remove(at)).is_some();
    let [path] = arguments.as_slice() else { return Err("usage: convert_hh [--both] FILE".into()) };
    let mut output = BufWriter::new(stdout().lock());
    for (number, line) in (1..).zip(open(path)?.lines()) {
        let pair: Pair = serde_json::from_str(&line?).map_err(|error| format!("{path}:{number}: {error}"))?;
        let rejected = both.then_some(("rejected", &pair.rejected));
        for (arm, transcript) in [("chosen", &pair.chosen)].into_iter().chain(rejected) {
            let id = format!("hh-{number}-{arm}");
            let metadata = [("arm".to_owned(), arm.to_owned())].into();
            let conversation = Conversation { id, messages: messages(transcript), metadata };
            serde_json::to_writer(&mut output, &conversation)?;
            output.write_all(b"\n")?;
        }
    }
    output.flush()?;
    Ok(())
}

fn open(path: &str) -> Result<Box<dyn BufRead>, Box<dyn Error>> {
    let file = File::open(path)?;
    let is_zstd = path.rsplit('.').next() == Some("zst");
    Ok(if is_zstd { Box::new(BufReader::new(zstd::Decoder::new(file)?)) } else { Box::new(BufReader::new(file)) })
}

/// Cuts a transcript at its speaker marks. Text before the first mark belongs to nobody and is left out.
fn messages(transcript: &str) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut rest = transcript;
    let mut speaker = None;
    loop {
        let next = MARKS.iter().filter_map(|(mark, role)| Some((rest.find(mark)?, mark.len(), *role))).min();
        let (end, mark, role) = next.map_or((rest.len(), 0, None), |(at, mark, role)| (at, mark, Some(role)));
        let (text, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if let Some(speaker) = speaker {
            messages.push(Message::text(speaker, text.trim()));
        }
        let Some(role) = role else { return messages };
        speaker = Some(role);
        rest = behind.split_at_checked(mark).map_or("", |(_, text)| text);
    }
}
