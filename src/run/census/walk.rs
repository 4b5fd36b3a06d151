//! One walk over the corpus on all cores: some threads read files and cut them into records, the others parse and
//! screen. A single large file keeps them all busy.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
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
    file: usize,
    records: Vec<(RawRecord, bool)>,
}

/// Walks over the files once. The fingerprints are in the order of the files.
pub(super) fn walk<'a>(
    task: &Task<'a>,
    files: &[SourceFile],
    duplicates: &Duplicates,
) -> Result<(Tally<'a>, Vec<Fingerprint>), CensusError> {
    let filter = Filter::new(&task.corpus.filter)?;
    let walk = Walk { task, files, duplicates, filter, next: AtomicUsize::new(0), stop: AtomicBool::new(false) };
    let threads = task.place.threads.get();
    let (sender, receiver) = sync_channel(threads * QUEUE_PER_THREAD);
    let queue = Mutex::new(receiver);
    let (read, tallies) = scope(|scope| {
        let walk = &walk;
        let readers: Vec<_> = (0..threads.min(files.len()))
            .map(|_| {
                let sender = sender.clone();
                scope.spawn(move || walk.stopping(|| walk.read(&sender)))
            })
            .collect();
        drop(sender);
        let parsers: Vec<_> = (0..threads).map(|_| scope.spawn(|| walk.stopping(|| walk.screen(&queue)))).collect();
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
    next: AtomicUsize,
    /// Nothing more is read; what was read is still counted.
    stop: AtomicBool,
}

impl<'a> Walk<'_, 'a> {
    fn stopping<T>(&self, work: impl FnOnce() -> Result<T, CensusError>) -> Result<T, CensusError> {
        work().inspect_err(|_| self.stop.store(true, Ordering::Relaxed))
    }

    /// Reads files until there is none left.
    fn read(&self, queue: &SyncSender<Batch>) -> Result<Vec<(usize, Fingerprint)>, CensusError> {
        let mut done = Vec::new();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = self.files.get(index) else { return Ok(done) };
            let mut raw = RawRecords::open(file, self.task.corpus)?;
            let mut marks = self.duplicates.of(index);
            let mut batch = Batch { file: index, records: Vec::new() };
            let mut bytes = 0;
            for record in &mut raw {
                let record = record?;
                let is_duplicate = marks.contains(record.number)?;
                bytes += record.body.as_ref().map_or(0, Vec::len) + size_of::<RawRecord>();
                batch.records.push((record, is_duplicate));
                if bytes >= BATCH_BYTES {
                    bytes = 0;
                    let full = std::mem::replace(&mut batch, Batch { file: index, records: Vec::new() });
                    if queue.send(full).is_err() || self.stop.load(Ordering::Relaxed) {
                        return Ok(done);
                    }
                }
            }
            if queue.send(batch).is_err() {
                return Ok(done);
            }
            done.push((index, raw.finish()?));
        }
    }

    /// Parses and screens batches until there is none left.
    fn screen(&self, queue: &Mutex<Receiver<Batch>>) -> Result<Tally<'a>, CensusError> {
        let mut tally = self.task.tally();
        let mut scratch = Scratch::default();
        loop {
            // One thread waits for the queue, the others for the lock: either way for the next batch.
            let received = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Batch { file, records }) = received else { return Ok(tally) };
            let Some(source) = self.files.get(file) else { continue };
            let parser = Parser::new(source, self.task.corpus, &self.filter);
            for (raw, is_duplicate) in records {
                tally.corpus.records += 1;
                let place =
                    Place { file: u32::try_from(file).map_err(|_| CensusError::TooManyFiles)?, record: raw.number };
                if is_duplicate {
                    tally.corpus.duplicates += 1;
                    tally.example(file, raw.line, || format!("{}:{}: {DUPLICATE}", source.name, raw.line));
                } else {
                    self.count(&mut tally, &mut scratch, place, parser.parse(raw)?)?;
                }
            }
            if self.task.corpus.strict && tally.first_example().is_some() {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    fn count(
        &self,
        tally: &mut Tally<'a>,
        scratch: &mut Scratch,
        place: Place,
        record: Record,
    ) -> Result<(), CensusError> {
        match record {
            Record::Conversation { conversation, line: _ } => {
                let turns = classes(self.task.screener, &conversation, scratch);
                let group = group_of(&conversation, &self.task.corpus.group_by);
                tally.conversation(place, group, &conversation, &turns)?;
            }
            Record::FilteredOut => tally.corpus.filtered_out += 1,
            Record::Unreadable { line, reason, detail } => {
                *tally.corpus.unreadable.entry(reason.as_str().to_owned()).or_default() += 1;
                let file = place.file as usize;
                let name = || self.files.get(file).map_or("", |file| file.name.as_str());
                tally.example(file, line, || format!("{}:{line}: {} ({detail})", name(), reason.as_str()));
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
