//! Appends records to a file of its own: one thread owns the file, everybody else hands records over.
//!
//! Group commit: the thread writes what it is handed at once and syncs once for many: as soon as nothing is waiting to be
//! written, after 64 records, or after 20 ms, whichever comes first.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::format::{FileKind, Header, MAX_LINE_BYTES, encode};
use super::{JournalError, create_file};

/// A sync covers at most this many records ...
pub const GROUP_RECORDS: usize = 64;
/// ... and is due this long after the first of them, even if the queue never runs dry.
const GROUP_WAIT: Duration = Duration::from_millis(20);
/// Records that may wait for the thread; a few groups, so that a sync never starves the next one of records.
const QUEUE_RECORDS: usize = 4 * GROUP_RECORDS;

/// Where a line stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Bytes before it.
    pub offset: u64,
    /// Its length in bytes, without the line break.
    pub length: u32,
}

/// The right to append to one file. Clones append to the same file; when the last one is dropped, what was handed over
/// is still written and synced, but nobody is told how that went: [`Writer::close`] tells.
#[derive(Debug, Clone)]
pub struct Writer {
    path: Arc<Path>,
    queue: mpsc::Sender<Command>,
    commits: Arc<AtomicU64>,
}

/// Lines that are written together. No `Debug` of their text: a line may hold a conversation's.
#[derive(Default)]
pub struct Batch {
    lines: Vec<u8>,
    is_durable: bool,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} bytes)", self.lines.len())
    }
}

impl Batch {
    /// A batch whose lines are expected to take so many bytes.
    #[must_use]
    pub fn with_room(bytes: usize) -> Self {
        Self { lines: Vec::with_capacity(bytes), is_durable: false }
    }

    /// Adds a record; `is_durable` says whether it has to survive a power failure before anybody acts on it.
    ///
    /// # Panics
    ///
    /// If the record has no JSON form.
    pub fn push(&mut self, record: &impl Serialize, is_durable: bool) {
        encode(record, &mut self.lines).expect("the records of a batch have a JSON form");
        self.is_durable |= is_durable;
    }

    /// Adds all lines of another batch.
    pub fn append(&mut self, other: &Self) {
        self.lines.extend_from_slice(&other.lines);
        self.is_durable |= other.is_durable;
    }

    /// Whether it holds no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// When the caller wants to hear of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ack {
    Written,
    Durable,
}

type Answer<T> = oneshot::Sender<Result<T, JournalError>>;

/// No `Debug`: a line may hold a conversation's text.
enum Command {
    Append { line: Vec<u8>, ack: Ack, answer: Answer<Place> },
    Close { answer: Answer<()> },
}

impl Writer {
    /// Creates a file with its header, and the folders above it; all of it is durable on return. Blocks.
    ///
    /// # Errors
    ///
    /// The file system's; also if the file exists already.
    pub fn create(path: &Path, kind: FileKind) -> Result<Self, JournalError> {
        super::create_folder(path.parent().unwrap_or(path))?;
        let mut file = create_file(path)?;
        let mut header = Vec::new();
        encode(&Header::from(kind), &mut header).ok_or_else(|| JournalError::NotJson { path: path.to_owned() })?;
        file.write_all(&header)
            .and_then(|()| file.sync_all())
            .map_err(|error| JournalError::io("write", path, error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| JournalError::io("start the writer of", path, error))?;

        let (queue, commands) = mpsc::channel(QUEUE_RECORDS);
        let commits = Arc::new(AtomicU64::new(0));
        let owner = Owner::new(path.to_owned(), file, header.len() as u64, Arc::clone(&commits));
        let thread = thread::Builder::new().name("journal".to_owned());
        let spawned = thread.spawn(move || runtime.block_on(owner.serve(commands)));
        spawned.map_err(|error| JournalError::io("start the writer of", path, error))?;
        Ok(Self { path: path.into(), queue, commits })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How often the file was synced for records so far.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Appends a record and returns when it is with the operating system: it survives the death of this process, not
    /// that of the machine. Records are written in the order in which they are handed over.
    ///
    /// # Errors
    ///
    /// [`JournalError::TooLong`] and [`JournalError::NotJson`] concern this record only. Any other error is final: the
    /// writer repeats it for every later record.
    pub async fn append_written(&self, record: &impl Serialize) -> Result<Place, JournalError> {
        self.append(record, Ack::Written).await
    }

    /// Appends a record and returns when it is on the disk, together with everything appended before.
    ///
    /// If the returned future is dropped, the record may or may not be written.
    ///
    /// # Errors
    ///
    /// As for [`Writer::append_written`].
    pub async fn append_durable(&self, record: &impl Serialize) -> Result<Place, JournalError> {
        self.append(record, Ack::Durable).await
    }

    /// Appends all lines of a batch, one after the other, and returns when they are with the operating system, or on
    /// the disk if one of them has to be.
    ///
    /// # Errors
    ///
    /// As for [`Writer::append_written`]; then no line of the batch is in the file.
    pub async fn append_batch(&self, batch: Batch) -> Result<(), JournalError> {
        let Batch { lines, is_durable } = batch;
        if lines.is_empty() {
            return Ok(());
        }
        let ack = if is_durable { Ack::Durable } else { Ack::Written };
        self.ask(|answer| Command::Append { line: lines, ack, answer }).await.map(|_| ())
    }

    /// Syncs what was handed over and ends the writer; records handed over later, by clones, are refused as
    /// [`JournalError::Closed`].
    ///
    /// # Errors
    ///
    /// The first error that the file ever had.
    pub async fn close(self) -> Result<(), JournalError> {
        self.ask(|answer| Command::Close { answer }).await
    }

    async fn append(&self, record: &impl Serialize, ack: Ack) -> Result<Place, JournalError> {
        let path = || self.path.to_path_buf();
        let mut line = Vec::new();
        encode(record, &mut line).ok_or_else(|| JournalError::NotJson { path: path() })?;
        if line.len() > MAX_LINE_BYTES {
            return Err(JournalError::TooLong { path: path(), bytes: line.len(), limit: MAX_LINE_BYTES });
        }
        self.ask(|answer| Command::Append { line, ack, answer }).await
    }

    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, JournalError> {
        let closed = || JournalError::Closed { path: self.path.to_path_buf() };
        let (answer, answered) = oneshot::channel();
        self.queue.send(command(answer)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

/// The thread's side: the only one that touches the file.
struct Owner {
    path: PathBuf,
    file: File,
    /// Length of the file up to its last whole line.
    end: u64,
    /// Records that are written and wait for the next sync.
    waiting: Vec<(Place, Answer<Place>)>,
    unsynced: bool,
    /// When the next sync is due at the latest.
    due: Option<Instant>,
    /// The first error; a file that failed once is not trusted again, since a failed sync may have dropped pages.
    failure: Option<JournalError>,
    commits: Arc<AtomicU64>,
}

impl Owner {
    fn new(path: PathBuf, file: File, end: u64, commits: Arc<AtomicU64>) -> Self {
        let waiting = Vec::with_capacity(GROUP_RECORDS);
        Self { path, file, end, waiting, unsynced: false, due: None, failure: None, commits }
    }

    async fn serve(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut closing = Vec::new();
        while let Some(command) = self.next(&mut commands).await {
            match command {
                Command::Append { line, ack, answer } => self.append(&line, ack, answer),
                Command::Close { answer } => {
                    commands.close();
                    closing.push(answer);
                }
            }
            // Nobody else is coming: waiting would only make the slots idle. What comes during the sync is the next group.
            let is_last = commands.is_empty() && !self.waiting.is_empty();
            if is_last || self.waiting.len() >= GROUP_RECORDS {
                self.commit();
            }
        }
        self.commit();
        let end = self.failure.map_or(Ok(()), Err);
        for answer in closing {
            tell(answer, end.clone());
        }
    }

    /// The next command, after the sync that falls due before it comes.
    async fn next(&mut self, commands: &mut mpsc::Receiver<Command>) -> Option<Command> {
        // A queue that is never empty must not put the sync off: `timeout_at` alone would look at it first.
        while let Some(due) = self.due {
            if Instant::now() >= due {
                self.commit();
            } else if let Ok(command) = timeout_at(due, commands.recv()).await {
                return command;
            }
        }
        commands.recv().await
    }

    fn append(&mut self, line: &[u8], ack: Ack, answer: Answer<Place>) {
        if self.failure.is_none() {
            self.write(line);
        }
        if let Some(failure) = &self.failure {
            return tell(answer, Err(failure.clone()));
        }
        let length = u32::try_from(line.len() - 1).expect("the length of a line was checked");
        let place = Place { offset: self.end, length };
        self.end += line.len() as u64;
        self.unsynced = true;
        match ack {
            Ack::Written => tell(answer, Ok(place)),
            Ack::Durable => {
                self.due.get_or_insert_with(|| Instant::now() + GROUP_WAIT);
                self.waiting.push((place, answer));
            }
        }
    }

    fn write(&mut self, line: &[u8]) {
        if let Err(error) = self.file.write_all(line) {
            self.failure = Some(JournalError::io("write", &self.path, error));
            // Half a line at the end would be reported as torn later; a failure to remove it changes nothing.
            drop(self.file.set_len(self.end));
            self.commit();
        }
    }

    /// Syncs the file and tells everybody who waits.
    fn commit(&mut self) {
        self.due = None;
        if self.unsynced {
            self.unsynced = false;
            match self.file.sync_data() {
                Ok(()) => drop(self.commits.fetch_add(1, Ordering::Relaxed)),
                Err(error) => {
                    let failure = JournalError::io("sync", &self.path, error);
                    self.waiting.drain(..).for_each(|(_, answer)| tell(answer, Err(failure.clone())));
                    self.failure.get_or_insert(failure);
                }
            }
        }
        self.waiting.drain(..).for_each(|(place, answer)| tell(answer, Ok(place)));
    }
}

/// Answers a caller, who may have gone.
fn tell<T>(answer: Answer<T>, result: Result<T, JournalError>) {
    drop(answer.send(result));
}
