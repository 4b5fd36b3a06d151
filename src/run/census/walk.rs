//! One walk over the corpus on all cores: some threads read files and cut them into records, the others parse and
//! screen. A single large file keeps them all busy.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{ScopedJoinHandle, scope};

use super::duplicates::Duplicates;
use super::rows::Place;
use super::tally::Tally;
use super::{CensusError, Task};
use crate::model::conversation::Conversation;
use crate::prefilter::{Scratch, Screener};
use crate::source::{Filter, Fingerprint, Parser, RawRecord, RawRecords, Record, SourceFile, group_of};

/// Enough records per message that handing over costs nothing beside parsing.
const BATCH_BYTES: usize = 256 << 10;
/// Batches that may wait per parsing thread. With records of `max_line_bytes` each this bounds memory, too: a batch
/// ends with the record that fills it.
const QUEUE_PER_THREAD: usize = 2;
/// The name of the bucket in examples.
const DUPLICATE: &str = "duplicate id in its group";

/// Records of one file, each with whether it is a duplicate.
struct Batch {
    file: u32,
    records: Vec<(RawRecord, bool)>,
}

/// Walks over the files once. The fingerprints are in the order of the files.
pub(super) fn walk<'a>(
    task: &Task<'a>,
    files: &[SourceFile],
    duplicates: &Duplicates,
) -> Result<(Tally<'a>, Vec<Fingerprint>), CensusError> {
    let filter = Filter::new(&task.corpus.filter)?;
    let walk = Walk { task, files, duplicates, filter, next: AtomicU32::new(0), stop: AtomicBool::new(false) };
    let threads = task.place.threads.get();
    let (sender, receiver) = sync_channel(threads * QUEUE_PER_THREAD);
    let queue = Arc::new(Mutex::new(receiver));
    let (read, tallies) = scope(|scope| {
        let walk = &walk;
        let readers: Vec<_> = (0..threads.min(files.len()))
            .map(|_| {
                let sender = sender.clone();
                scope.spawn(move || walk.stopping(|| walk.read(&sender)))
            })
            .collect();
        drop(sender);
        let parsers: Vec<_> = (0..threads)
            .map(|_| {
                let queue = Arc::clone(&queue);
                scope.spawn(move || walk.stopping(|| walk.screen(&queue)))
            })
            .collect();
        // The last parser to leave closes the queue, so that no reader waits on it for ever.
        drop(queue);
        (join(readers), join(parsers))
    });
    // A parser's error comes first: it is why readers stopped.
    let mut tallies = tallies.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter();
    let mut total = tallies.next().unwrap_or_else(|| task.tally());
    for tally in tallies {
        total.merge(tally)?;
    }
    if task.corpus.strict
        && let Some(example) = total.first_example()
    {
        return Err(CensusError::Strict { example: example.clone() });
    }
    let mut fingerprints = read.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    fingerprints.sort_by_key(|(file, _)| *file);
    Ok((total, fingerprints.into_iter().map(|(_, fingerprint)| fingerprint).collect()))
}

fn join<T>(threads: Vec<ScopedJoinHandle<'_, T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
}

struct Walk<'w, 'a> {
    task: &'w Task<'a>,
    files: &'w [SourceFile],
    duplicates: &'w Duplicates,
    filter: Filter,
    /// The next file to read.
    next: AtomicU32,
    /// Nothing more is read; what was read is still counted.
    stop: AtomicBool,
}

impl<'a> Walk<'_, 'a> {
    fn stopping<T>(&self, work: impl FnOnce() -> Result<T, CensusError>) -> Result<T, CensusError> {
        work().inspect_err(|_| self.stop.store(true, Ordering::Relaxed))
    }

    /// Reads files until there is none left.
    fn read(&self, queue: &SyncSender<Batch>) -> Result<Vec<(u32, Fingerprint)>, CensusError> {
        let mut done = Vec::new();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = self.files.get(index as usize) else { return Ok(done) };
            let mut raw = RawRecords::open(file, self.task.corpus)?;
            let mut marks = self.duplicates.of(index);
            let (mut records, mut bytes) = (Vec::new(), 0);
            for record in &mut raw {
                let record = record?;
                let is_duplicate = marks.contains(record.number)?;
                bytes += record.body.as_ref().map_or(0, Vec::len) + size_of::<RawRecord>();
                records.push((record, is_duplicate));
                if bytes >= BATCH_BYTES {
                    bytes = 0;
                    if !self.hand_over(Batch { file: index, records: std::mem::take(&mut records) }, queue) {
                        return Ok(done);
                    }
                }
            }
            if !self.hand_over(Batch { file: index, records }, queue) {
                return Ok(done);
            }
            done.push((index, raw.finish()?));
        }
    }

    /// Whether more is wanted. If not, an error or a defect under `strict` ends the walk, and the counts with it.
    fn hand_over(&self, batch: Batch, queue: &SyncSender<Batch>) -> bool {
        queue.send(batch).is_ok() && !self.stop.load(Ordering::Relaxed)
    }

    /// Parses and screens batches until there is none left.
    fn screen(&self, queue: &Mutex<Receiver<Batch>>) -> Result<Tally<'a>, CensusError> {
        let mut tally = self.task.tally();
        let mut scratch = Scratch::default();
        loop {
            // One thread waits for the queue, the others for the lock: either way for the next batch.
            let received = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(batch) = received else { return Ok(tally) };
            self.screen_batch(batch, &mut tally, &mut scratch)?;
            if self.task.corpus.strict && tally.first_example().is_some() {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    fn screen_batch(&self, batch: Batch, tally: &mut Tally<'a>, scratch: &mut Scratch) -> Result<(), CensusError> {
        let file = self.files.get(batch.file as usize).expect("a batch comes from a file of the corpus");
        let parser = Parser::new(file, self.task.corpus, &self.filter);
        for (raw, is_duplicate) in batch.records {
            let place = Place { file: batch.file, record: raw.number };
            tally.corpus.records += 1;
            if is_duplicate {
                tally.corpus.duplicates += 1;
                tally.example(batch.file, raw.line, || format!("{}:{}: {DUPLICATE}", file.name, raw.line));
                continue;
            }
            match parser.parse(raw)? {
                Record::Conversation { conversation, line: _ } => {
                    let mut turns = classes(self.task.screener, &conversation, scratch);
                    if self.task.corpus.takes_whole() {
                        share_most_specific(&mut turns);
                    }
                    let group = group_of(&conversation, &self.task.corpus.group_by);
                    tally.conversation(place, group, &conversation, &turns)?;
                }
                Record::FilteredOut => tally.corpus.filtered_out += 1,
                Record::Unreadable { line, reason, detail } => {
                    let reason = reason.as_str();
                    *tally.corpus.unreadable.entry(reason.to_owned()).or_default() += 1;
                    tally.example(batch.file, line, || format!("{}:{line}: {reason} ({detail})", file.name));
                }
            }
        }
        Ok(())
    }
}

/// The class of every turn.
fn classes(screener: &Screener, conversation: &Conversation, scratch: &mut Scratch) -> Vec<(u32, usize)> {
    let turns = conversation.turns().filter_map(|turn| Some((turn, conversation.message(turn)?)));
    turns.map(|(turn, message)| (turn, screener.class_of(message, scratch))).collect()
}

/// Gives every turn the class of the most specific one: classes are in order of precedence, `none` last.
fn share_most_specific(turns: &mut [(u32, usize)]) {
    if let Some(first) = turns.iter().map(|(_, class)| *class).min() {
        for (_, class) in turns {
            *class = first;
        }
    }
}
