//! One partition: its segments, where its next record goes, and what readers may see.

use super::Shared;
use super::segment::{Segment, index_path, segment_path};
use super::sync::sync_folder;
use crate::batch::Entry;
use crate::broker::storage::{Cursor, PartitionStorage};
use crate::broker::wake::{Watchers, lock};
use crate::frame::{self, HEADER_BYTES, Header, PendingBatch};
use crate::limits::FETCH_BYTES_MAX;
use crate::{Batch, Error, Result, TopicPartition, Watermarks};
use bytes::Bytes;
use fieldline_schemas::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// How many offsets are reserved at once: a synced transaction per so many records.
const RESERVATION_OFFSETS: i64 = 1 << 20;
/// With a retention a segment is closed once it spans this fraction of it, so that a slow partition expires too.
const RETENTION_SEGMENTS: i64 = 4;

pub(crate) struct State {
    pub(crate) segments: Vec<Segment>,
    /// The last segment's file, once something was appended in this session.
    pub(crate) active: Option<Arc<File>>,
    /// One past the last record.
    pub(crate) end: i64,
    /// The next record's offset: the end, or above it after a tail was lost.
    pub(crate) next_offset: i64,
    /// Readers see records below this.
    pub(crate) published_end: i64,
    pub(crate) reserved_end: i64,
    pub(crate) last_time: Timestamp,
    /// A sync failed: what it covered may be gone from the system's cache, so nothing more is promised in this session.
    pub(crate) failed: bool,
}

pub(crate) struct PartitionLog {
    pub(crate) partition: TopicPartition,
    pub(crate) folder: PathBuf,
    retention_us: Option<i64>,
    /// The lowest position that a group has committed: records from here on do not expire, however old they are.
    unread_from: AtomicI64,
    shared: Arc<Shared>,
    watchers: Watchers,
    state: Mutex<State>,
    itself: Weak<Self>,
}

impl PartitionLog {
    pub(crate) fn new(
        partition: TopicPartition,
        folder: PathBuf,
        retention_us: Option<i64>,
        shared: Arc<Shared>,
        state: State,
    ) -> Arc<Self> {
        let (watchers, state) = (Watchers::default(), Mutex::new(state));
        let unread_from = AtomicI64::new(i64::MAX);
        Arc::new_cyclic(|itself| Self { partition, folder, retention_us, unread_from, shared, watchers, state, itself: itself.clone() })
    }

    fn out_of_range(&self, offset: i64, state: &State) -> Error {
        let (topic, partition) = (self.partition.topic.clone(), self.partition.partition);
        Error::OffsetOutOfRange { topic, partition, offset, begin: begin(state), end: state.next_offset }
    }

    fn damaged(&self, base: i64, at: u64, what: &str) -> Error {
        Error::Damaged { path: segment_path(&self.folder, base), at, what: what.to_owned() }
    }

    /// The file that the next batch goes to: the last segment's, or a new one where that is full or spans enough time.
    fn active(&self, state: &mut State, batch_bytes: u64, time: Timestamp) -> Result<Arc<File>> {
        let full = state.segments.last().is_none_or(|last| {
            let spans = |retention_us: i64| time.0.saturating_sub(last.first_time.0) > retention_us / RETENTION_SEGMENTS;
            last.bytes > 0 && (last.bytes + batch_bytes > self.shared.options.segment_bytes || self.retention_us.is_some_and(spans))
        });
        if let Some(file) = state.active.as_ref().filter(|_| !full) {
            return Ok(Arc::clone(file));
        }
        let base = if full { state.next_offset } else { state.segments.last().map_or(state.next_offset, |s| s.base) };
        if full {
            self.close_active(state)?;
        }
        let path = segment_path(&self.folder, base);
        std::fs::create_dir_all(&self.folder).map_err(Error::io("could not make the folder", &self.folder))?;
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = Arc::new(open.map_err(Error::io("could not open the segment", &path))?);
        if self.shared.syncs() {
            sync_folder(&self.folder)?;
            self.folder.parent().map_or(Ok(()), sync_folder)?;
        }
        if full {
            state.segments.push(Segment::new(base));
        }
        state.active = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Leaves the last segment as it will stay.
    fn close_active(&self, state: &mut State) -> Result<()> {
        if let (Some(file), Some(last)) = (&state.active, state.segments.last()) {
            if self.shared.syncs() {
                file.sync_data().map_err(Error::io("could not sync", &segment_path(&self.folder, last.base)))?;
                state.published_end = state.end;
            }
            // Without an index the segment is scanned at the next start.
            let _ = last.save_index(&self.folder);
            state.active = None;
        }
        Ok(())
    }

    /// Puts what was appended on the disk and lets readers see it. `false`: it failed, and the partition with it.
    pub(crate) fn sync(&self) -> bool {
        let (file, end) = {
            let state = lock(&self.state);
            (state.active.clone(), state.end)
        };
        let synced = file.is_none_or(|file| file.sync_data().is_ok());
        {
            let mut state = lock(&self.state);
            state.failed |= !synced;
            if synced {
                state.published_end = state.published_end.max(end);
            }
        }
        self.watchers.raise();
        synced
    }

    /// `None`: no group has read here, so that the retention alone decides.
    pub(crate) fn set_unread_from(&self, offset: Option<i64>) {
        self.unread_from.store(offset.unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Removes segments that are older than the retention as a whole, by the log's own clock, and read by every group that
    /// has ever committed here; never the last one.
    pub(crate) fn expire(&self) {
        let Some(retention_us) = self.retention_us else { return };
        let horizon = self.shared.clock() - retention_us;
        let mut state = lock(&self.state);
        let unread_from = self.unread_from.load(Ordering::Relaxed);
        let is_old = |pair: &&[Segment]| pair[0].max_time < horizon && pair[1].base <= unread_from;
        let old = state.segments.windows(2).take_while(is_old).count();
        for segment in state.segments.drain(..old) {
            // A file that cannot be removed now is found and expired again at the next start.
            let _ = std::fs::remove_file(segment_path(&self.folder, segment.base));
            let _ = std::fs::remove_file(index_path(&self.folder, segment.base));
        }
    }

    /// Writes down what a clean start needs; the end if offsets were reserved since the last.
    pub(crate) fn close(&self) -> Option<i64> {
        let mut state = lock(&self.state);
        if state.active.is_some() {
            self.close_active(&mut state).ok()?;
        }
        (state.reserved_end > state.next_offset && !state.failed).then_some(state.next_offset)
    }

    fn append_locked(&self, state: &mut State, batch: &mut PendingBatch) -> Result<i64> {
        if state.failed {
            let path = segment_path(&self.folder, state.segments.last().map_or(0, |s| s.base));
            let source = std::io::Error::other("an earlier sync failed; open the log again");
            return Err(Error::Io { what: "could not append", path, source });
        }
        let broker_time = self.shared.now().max(state.last_time);
        let time = batch.max_time().unwrap_or(broker_time);
        let file = self.active(state, batch.bytes_len() as u64 + 8 * u64::from(batch.count()), time)?;
        let next = state.next_offset + i64::from(batch.count());
        if next > state.reserved_end {
            self.shared.registry.reserve(&self.partition, next + RESERVATION_OFFSETS)?;
            state.reserved_end = next + RESERVATION_OFFSETS;
        }
        let bytes = batch.seal(state.next_offset, broker_time);
        let Some(segment) = state.segments.last_mut() else { return Err(self.out_of_range(next, state)) };
        if let Err(source) = file.write_all_at(bytes, segment.bytes) {
            // Nothing of it may stay. Should cutting fail too, the next append covers it and a start cuts it.
            let _ = file.set_len(segment.bytes);
            return Err(Error::Io { what: "could not append", path: segment_path(&self.folder, segment.base), source });
        }
        if let Some(header) = Header::parse(bytes) {
            segment.push(&header);
        }
        state.last_time = state.last_time.max(time);
        state.end = next;
        state.next_offset = next;
        if !self.shared.syncs() {
            state.published_end = next;
        }
        self.shared.advance_clock(time);
        Ok(next)
    }
}

fn begin(state: &State) -> i64 {
    state.segments.first().map_or(state.end, |s| s.base)
}

impl PartitionStorage for PartitionLog {
    fn append(&self, batch: &mut PendingBatch) -> Result<i64> {
        let end = self.append_locked(&mut lock(&self.state), batch)?;
        if self.shared.syncs() {
            self.shared.syncer.add(self.itself.upgrade());
        } else {
            self.watchers.raise();
        }
        self.shared.expire_if_due();
        Ok(end)
    }

    fn acknowledged_end(&self) -> Result<i64> {
        let state = lock(&self.state);
        if state.failed {
            let source = std::io::Error::other("a sync failed; what was not acknowledged may be lost");
            return Err(Error::Io { what: "could not acknowledge", path: self.folder.clone(), source });
        }
        Ok(state.published_end)
    }

    fn read(&self, from: i64, cursor: &mut Cursor) -> Result<Option<Batch>> {
        loop {
            let (base, start, valid_bytes, published_end) = {
                let state = lock(&self.state);
                if from < begin(&state) || from > state.next_offset {
                    return Err(self.out_of_range(from, &state));
                }
                if from >= state.published_end {
                    return Ok(None);
                }
                let index = state.segments.partition_point(|s| s.next_offset <= from);
                let Some(segment) = state.segments.get(index) else { return Ok(None) };
                let known = cursor.file.is_some() && cursor.segment_base == segment.base && cursor.next_offset == from;
                let start = if known { cursor.at } else { segment.locate(from) };
                (segment.base, start, segment.bytes, state.published_end)
            };
            if cursor.segment_base != base || cursor.file.is_none() {
                match File::open(segment_path(&self.folder, base)) {
                    Ok(file) => cursor.file = Some(file),
                    // It expired in between.
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound && base < begin(&lock(&self.state)) => continue,
                    Err(source) => return Err(Error::Io { what: "could not open", path: segment_path(&self.folder, base), source }),
                }
                cursor.segment_base = base;
            }
            let Some(file) = &mut cursor.file else { continue };
            let (bytes, entries, read) = self.read_batches(file, base, start..valid_bytes, from..published_end)?;
            cursor.at = start + read;
            let batch = Batch::from_parts(self.partition.clone(), Bytes::from(bytes), entries);
            return match batch.next_offset() {
                Some(next_offset) => {
                    cursor.next_offset = next_offset;
                    Ok(Some(batch))
                }
                None => Ok(None),
            };
        }
    }

    fn watermarks(&self) -> Watermarks {
        let state = lock(&self.state);
        Watermarks { begin: begin(&state), end: state.published_end }
    }

    fn seek_end(&self) -> i64 {
        lock(&self.state).next_offset
    }

    fn offset_for_time(&self, time: Timestamp) -> Result<i64> {
        // The first record at or after the time is the one that lifts the running maximum there, whatever comes later.
        let (mut from, at, published_end) = {
            let state = lock(&self.state);
            let Some(segment) = state.segments.iter().find(|s| s.max_time >= time) else { return Ok(state.published_end) };
            (segment.base, segment.locate_time(time), state.published_end)
        };
        let path = segment_path(&self.folder, from);
        let file = File::open(&path).map_err(Error::io("could not open", &path))?;
        let mut cursor = Cursor { next_offset: from, segment_base: from, at, file: Some(file) };
        while let Some(batch) = self.read(from, &mut cursor)? {
            if let Some(found) = batch.iter().find(|r| r.append_time >= time) {
                return Ok(found.offset);
            }
            from = batch.next_offset().unwrap_or(published_end);
        }
        Ok(published_end)
    }

    fn watchers(&self) -> &Watchers {
        &self.watchers
    }
}

/// The buffer, what it holds of the offsets asked for, and the bytes passed over or taken.
type ReadBatches = (Vec<u8>, Vec<Entry>, u64);

impl PartitionLog {
    /// Reads whole batches from `places.start` on until some records of `offsets` are found: one read in the usual case.
    fn read_batches(&self, file: &mut File, base: i64, places: Range<u64>, offsets: Range<i64>) -> Result<ReadBatches> {
        let mut place = places.start;
        let mut want = FETCH_BYTES_MAX;
        loop {
            let left = usize::try_from(places.end - place).unwrap_or(usize::MAX);
            let mut bytes = Vec::with_capacity(left.min(want));
            let read = file.seek(SeekFrom::Start(place)).and_then(|_| file.take(left.min(want) as u64).read_to_end(&mut bytes));
            read.map_err(|source| Error::Io { what: "could not read", path: segment_path(&self.folder, base), source })?;
            let mut entries = Vec::new();
            let mut at = 0;
            while at < bytes.len() {
                let problem = match Header::parse(&bytes[at..]) {
                    // Not published yet.
                    Some(header) if header.base_offset >= offsets.end => return Ok((bytes, entries, place - places.start + at as u64)),
                    Some(header) if header.length <= bytes.len() - at => {
                        let wanted = header.next_offset() > offsets.start;
                        let found = !wanted
                            || Header::check(&bytes[at..]).is_some()
                                && frame::entries(&bytes, at, &header, offsets.start, offsets.end, &mut entries).is_some();
                        if found {
                            at += header.length;
                            continue;
                        }
                        "a batch does not match its checksum"
                    }
                    Some(header) if header.length <= left - at => {
                        want = want.max(header.length);
                        break;
                    }
                    None if bytes.len() - at < HEADER_BYTES && left > bytes.len() => break,
                    _ => "there is no batch where one was written",
                };
                if entries.is_empty() {
                    return Err(self.damaged(base, place + at as u64, problem));
                }
                break;
            }
            place += at as u64;
            if !entries.is_empty() || place >= places.end || bytes.is_empty() {
                return Ok((bytes, entries, place - places.start));
            }
        }
    }
}
