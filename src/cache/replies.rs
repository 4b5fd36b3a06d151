//! The cache as its users see it: look up, store, close.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::Deserialize;

use super::log::{self, REPLIES, SEGMENT_BYTES, SegmentId};
use super::open;
use super::tables::Tables;
use super::warnings::Warnings;
use super::{Access, CacheError, CacheSettings};
use crate::clock;
use crate::journal::{Damage, JournalError, Writer, read_at};
use crate::model::grading::{Reply, ReplyText};
use crate::model::hash::Digest;
use crate::model::quoted::Quoted;

/// A handle of the reply cache; clones share it.
///
/// A cache that is dropped without [`ReplyCache::close`] loses nothing: the next one reads the last segment again.
#[derive(Debug, Clone)]
pub struct ReplyCache {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: CacheSettings,
    tables: RwLock<Tables>,
    /// Segments that replies were read from.
    files: RwLock<HashMap<SegmentId, Arc<File>>>,
    appender: RwLock<Appender>,
    /// The index's folder; absent once it failed: then the next process reads the log instead.
    index: Option<PathBuf>,
    /// Segments whose tables are made and not in the index yet.
    unindexed: Mutex<Vec<SegmentId>>,
    warnings: Warnings,
}

/// Segments that stay open for reading: a million replies take some thirty.
const OPEN_FILES: usize = 100;

/// The part of a stored reply that a verdict needs; the rest is skipped.
#[derive(Deserialize)]
struct Stored<'a> {
    key: Digest,
    status: u16,
    #[serde(borrow)]
    body: Quoted<'a>,
}

/// Where replies go.
#[derive(Debug)]
enum Appender {
    /// The next reply starts a segment; `started` of this process exist already.
    Idle {
        started: u32,
    },
    Open(Segment),
    Closed,
}

#[derive(Debug, Clone)]
struct Segment {
    id: SegmentId,
    /// How many segments this process has started, this one included.
    started: u32,
    writer: Writer,
}

impl ReplyCache {
    /// Opens the cache; a missing one is empty. Blocks. Reads the parts of the log that the index does not cover, so with
    /// an index in order it takes milliseconds, and with [`Access::ReadOnly`] it reads the whole log.
    ///
    /// The sentences tell the user about damage and what was done about it.
    ///
    /// # Errors
    ///
    /// [`CacheError::Log`] if the log cannot be read, or if a later version of assize wrote a part of it. The index is
    /// never a reason to fail.
    pub fn open(settings: &CacheSettings) -> Result<(Self, Vec<String>), CacheError> {
        let warnings = Warnings::default();
        let (tables, index) = open::open(settings, &warnings)?;
        let sentences = warnings.take();
        let inner = Inner {
            settings: settings.clone(),
            tables: RwLock::new(tables),
            files: RwLock::default(),
            appender: RwLock::new(Appender::Idle { started: 0 }),
            index,
            unindexed: Mutex::default(),
            warnings,
        };
        Ok((Self { inner: Arc::new(inner) }, sentences))
    }

    /// The last reply to the request with this key. Blocks for one small read; takes microseconds.
    ///
    /// A damaged reply is a warning, and the one before it, or a miss.
    ///
    /// # Errors
    ///
    /// [`CacheError::Log`] if the log cannot be read any more.
    pub fn get(&self, key: &Digest) -> Result<Option<Reply>, CacheError> {
        self.find(key, &mut Vec::new(), |json| {
            let reply: Reply = serde_json::from_str(json).ok()?;
            Some((reply.key, reply))
        })
    }

    /// As [`Self::get`], but only what a verdict is derived from, which is faster. The memory of `scratch` is used again.
    ///
    /// # Errors
    ///
    /// [`CacheError::Log`] if the log cannot be read any more.
    pub fn get_text(&self, key: &Digest, scratch: &mut Vec<u8>) -> Result<Option<ReplyText>, CacheError> {
        self.find(key, scratch, |json| {
            let Stored { key, status, body } = serde_json::from_str(json).ok()?;
            Some((key, ReplyText { status, body: body.text()? }))
        })
    }

    /// The last line with this key that `read` can use; `read` says whose reply it is.
    fn find<T>(
        &self,
        key: &Digest,
        scratch: &mut Vec<u8>,
        read: impl Fn(&str) -> Option<(Digest, T)>,
    ) -> Result<Option<T>, CacheError> {
        let inner = &self.inner;
        let find = |before| inner.tables().find(key.leading_u128(), before);
        let mut found = find(None);
        while let Some((segment, place)) = found {
            let file = inner.file(segment)?;
            let json = read_at(&file, || segment.path(&inner.settings.replies), place, scratch)?;
            match json.and_then(|json| read(json).ok_or(Damage::Form)) {
                Ok((whose, reply)) if whose == *key => return Ok(Some(reply)),
                // Tables know the beginning of a key only.
                Ok(_) => {}
                Err(damage) => inner.warnings.add(format!(
                    "a reply in `{segment}` at byte {} is skipped: {damage}; `assize cache verify` lists all damage",
                    place.offset
                )),
            }
            found = find(found);
        }
        Ok(None)
    }

    /// Whether there seems to be a reply to the request with this key: a look at tables in memory, not at the disk.
    #[must_use]
    pub fn is_known(&self, key: &Digest) -> bool {
        self.inner.tables().find(key.leading_u128(), None).is_some()
    }

    /// Stores a reply. On return it is on the disk and [`ReplyCache::get`] finds it. If the returned future is dropped,
    /// it may be stored all the same, and is then found by the next process.
    ///
    /// # Errors
    ///
    /// [`CacheError::Log`] if the log cannot be written (after a full disk, for the rest of this cache's life),
    /// [`CacheError::ReadOnly`] and [`CacheError::Closed`].
    pub async fn put(&self, reply: &Reply) -> Result<(), CacheError> {
        let mut segment = self.segment().await?;
        let place = loop {
            match segment.writer.append_durable(reply).await {
                Ok(place) => break place,
                Err(closed @ JournalError::Closed { .. }) => {
                    // Somebody closed the full segment between our look at it and our turn.
                    let next = self.segment().await?;
                    if next.id == segment.id {
                        return Err(closed.into());
                    }
                    segment = next;
                }
                Err(error) => return Err(error.into()),
            }
        };
        self.inner.tables_mut().grow(segment.id, reply.key.leading_u128(), place);
        if place.offset + u64::from(place.length) >= SEGMENT_BYTES && self.inner.set_idle(&segment) {
            // The reply is stored, whatever becomes of the table: the next start reads the segment instead.
            if let Err(error) = self.retire(segment).await {
                self.inner.warnings.add(format!("a full segment of the reply log could not be indexed: {error}"));
            }
        }
        Ok(())
    }

    /// Sentences for the user about damage that was met since the last call.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<String> {
        self.inner.warnings.take()
    }

    /// Ends the segment and completes the index, with time limits. Clones can still look up.
    ///
    /// # Errors
    ///
    /// [`CacheError::Log`] if the segment could not be written; a failing index is a warning only.
    pub async fn close(self) -> Result<(), CacheError> {
        if let Some(segment) = self.inner.set_closed() {
            self.retire(segment).await?;
        }
        let inner = self.inner;
        blocking(move || inner.complete_index()).await;
        Ok(())
    }

    /// The segment that takes the next reply.
    async fn segment(&self) -> Result<Segment, CacheError> {
        match self.inner.settings.access {
            Access::ReadOnly => return Err(CacheError::ReadOnly),
            Access::ReadWrite => {}
        }
        // While a segment is started, for milliseconds, waiting for the lock would block the executor.
        if let Ok(appender) = self.inner.appender.try_read()
            && let Appender::Open(segment) = &*appender
        {
            return Ok(segment.clone());
        }
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.open_segment()).await
    }

    /// Ends a segment that takes no more replies and makes its table.
    async fn retire(&self, segment: Segment) -> Result<(), CacheError> {
        let id = segment.id;
        segment.writer.close().await?;
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.tabulate(id)).await
    }
}

/// A panic while a lock was held leaves what it guards as it was: every change is one call.
impl Inner {
    fn tables(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn tables_mut(&self) -> RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn appender_mut(&self) -> RwLockWriteGuard<'_, Appender> {
        self.appender.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A segment's file, opened once as long as there are not too many.
    fn file(&self, segment: SegmentId) -> Result<Arc<File>, JournalError> {
        if let Some(file) = self.files.read().unwrap_or_else(PoisonError::into_inner).get(&segment) {
            return Ok(Arc::clone(file));
        }
        let path = segment.path(&self.settings.replies);
        let file = Arc::new(File::open(&path).map_err(|error| JournalError::io("open", &path, error))?);
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        if files.len() >= OPEN_FILES {
            files.clear();
        }
        files.insert(segment, Arc::clone(&file));
        Ok(file)
    }

    fn open_segment(&self) -> Result<Segment, CacheError> {
        let mut appender = self.appender_mut();
        let started = match &*appender {
            Appender::Open(segment) => return Ok(segment.clone()),
            Appender::Closed => return Err(CacheError::Closed),
            Appender::Idle { started } => started + 1,
        };
        let id = SegmentId::after(self.tables().newest(), clock::now(), started);
        let writer = Writer::create(&id.path(&self.settings.replies), REPLIES)?;
        self.tables_mut().start(id);
        let segment = Segment { id, started, writer };
        *appender = Appender::Open(segment.clone());
        Ok(segment)
    }

    /// Refuses further replies; the segment that was open, if there was one.
    fn set_closed(&self) -> Option<Segment> {
        match std::mem::replace(&mut *self.appender_mut(), Appender::Closed) {
            Appender::Open(segment) => Some(segment),
            Appender::Idle { .. } | Appender::Closed => None,
        }
    }

    /// Whether the caller is the one who ended the use of this segment.
    fn set_idle(&self, full: &Segment) -> bool {
        let mut appender = self.appender_mut();
        match &*appender {
            Appender::Open(segment) if segment.id == full.id => {
                *appender = Appender::Idle { started: full.started };
                true
            }
            Appender::Open(_) | Appender::Idle { .. } | Appender::Closed => false,
        }
    }

    /// Reads a segment that takes no more replies, so that its table holds what the log holds: also replies whose `put`
    /// was dropped before it could tell.
    fn tabulate(&self, segment: SegmentId) -> Result<(), CacheError> {
        let replayed = log::replay(&segment.path(&self.settings.replies))?;
        self.tables_mut().close(segment, replayed.table);
        self.unindexed.lock().unwrap_or_else(PoisonError::into_inner).push(segment);
        Ok(())
    }

    /// Brings the tables of this process's segments into the index, all at once: an open sled costs tens of megabytes.
    /// If the process dies before, the next one reads these segments instead.
    fn complete_index(&self) {
        let segments = std::mem::take(&mut *self.unindexed.lock().unwrap_or_else(PoisonError::into_inner));
        if let (Some(folder), false) = (&self.index, segments.is_empty()) {
            open::add(folder, &segments, &self.tables(), &self.warnings);
        }
    }
}

/// Runs disk work on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("disk work ends without a panic")
}
