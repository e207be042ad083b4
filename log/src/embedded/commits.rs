//! Committed offsets: in memory for reading, in a journal for kill -9, in the registry for good.
//!
//! A commit must be cheap and safe when it returns, which a synced transaction each is not (milliseconds): it is one
//! write of one checksummed entry to the journal's end. At start the journal is played over the registry's snapshot;
//! when it has grown it is folded into the registry and begun anew. An entry:
//! `length u32, CRC-32C u32, group, count u32, (topic, partition i32, offset i64, note)…`, texts with a u32 length.

use super::registry::{CommittedByGroup, Registry};
use crate::{Committed, Error, Result, TopicPartition};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const JOURNAL_BYTES_MAX: u64 = 4 << 20;

pub(crate) struct Commits {
    path: PathBuf,
    file: File,
    bytes: u64,
    sync: bool,
    committed: CommittedByGroup,
}

impl Commits {
    pub(crate) fn open(folder: &Path, registry: &Registry, sync: bool) -> Result<Self> {
        let path = folder.join("commits.journal");
        let mut committed = registry.committed()?;
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = open.map_err(Error::io("could not open", &path))?;
        let journal = std::fs::read(&path).map_err(Error::io("could not read", &path))?;
        let mut at = 0;
        // A torn end is cut: its commit never returned. What is behind damage is older positions again, never newer.
        while let Some(length) = play(&journal[at..], &mut committed) {
            at += length;
        }
        let mut commits = Self { path, file, bytes: at as u64, sync, committed };
        if at > 0 || !journal.is_empty() {
            commits.fold_into(registry)?;
        }
        Ok(commits)
    }

    pub(crate) fn get(&self, group: &str, partition: &TopicPartition) -> Option<Committed> {
        self.committed.get(&(group.to_owned(), partition.clone())).cloned()
    }

    /// The lowest position that any group has committed; what lies before it has been read by all who ever read here.
    pub(crate) fn lowest(&self, partition: &TopicPartition) -> Option<i64> {
        self.committed.iter().filter(|((_, of), _)| of == partition).map(|(_, committed)| committed.offset).min()
    }

    pub(crate) fn store(&mut self, group: &str, positions: &[(TopicPartition, Committed)], registry: &Registry) -> Result<()> {
        let entry = entry(group, positions);
        let written = self.file.write_all_at(&entry, self.bytes);
        let written = written.and_then(|()| if self.sync { self.file.sync_data() } else { Ok(()) });
        if let Err(source) = written {
            // Half an entry would hide the next one; should cutting fail too, the next write covers it.
            let _ = self.file.set_len(self.bytes);
            return Err(Error::Io { what: "could not write committed offsets", path: self.path.clone(), source });
        }
        self.bytes += entry.len() as u64;
        for (partition, position) in positions {
            self.committed.insert((group.to_owned(), partition.clone()), position.clone());
        }
        if self.bytes > JOURNAL_BYTES_MAX { self.fold_into(registry) } else { Ok(()) }
    }

    /// Puts everything into the registry and begins the journal anew. Killed in between, the journal is played again.
    pub(crate) fn fold_into(&mut self, registry: &Registry) -> Result<()> {
        registry.store_committed(&self.committed)?;
        self.file.set_len(0).map_err(Error::io("could not begin anew", &self.path))?;
        self.bytes = 0;
        Ok(())
    }
}

fn put_text(text: &str, into: &mut Vec<u8>) {
    into.extend((text.len() as u32).to_le_bytes());
    into.extend(text.as_bytes());
}

fn entry(group: &str, positions: &[(TopicPartition, Committed)]) -> Vec<u8> {
    let mut entry = vec![0; 8];
    put_text(group, &mut entry);
    entry.extend((positions.len() as u32).to_le_bytes());
    for (partition, position) in positions {
        put_text(&partition.topic, &mut entry);
        entry.extend(partition.partition.to_le_bytes());
        entry.extend(position.offset.to_le_bytes());
        put_text(&position.metadata, &mut entry);
    }
    let (length, crc) = (entry.len() as u32, crc32c::crc32c(&entry[8..]));
    entry[..4].copy_from_slice(&length.to_le_bytes());
    entry[4..8].copy_from_slice(&crc.to_le_bytes());
    entry
}

/// Takes values off the front of an entry.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*value)
    }
    fn number(&mut self) -> Option<usize> {
        Some(u32::from_le_bytes(self.bytes()?) as usize)
    }
    fn text(&mut self) -> Option<&'a str> {
        let length = self.number()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

/// Plays the entry at the front of the journal, and tells its length; `None` at the end or where it is torn.
fn play(journal: &[u8], committed: &mut CommittedByGroup) -> Option<usize> {
    let mut reader = Reader(journal);
    let (length, crc) = (reader.number()?, u32::from_le_bytes(reader.bytes()?));
    let entry = journal.get(8..length)?;
    if crc32c::crc32c(entry) != crc {
        return None;
    }
    let mut reader = Reader(entry);
    let group = reader.text()?;
    for _ in 0..reader.number()? {
        let topic = reader.text()?.to_owned();
        let partition = i32::from_le_bytes(reader.bytes()?);
        let offset = i64::from_le_bytes(reader.bytes()?);
        let metadata = reader.text()?.to_owned();
        committed.insert((group.to_owned(), TopicPartition { topic, partition }), Committed { offset, metadata });
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_cut_at_any_byte_gives_the_commits_before_the_cut() {
        let partition = |partition| TopicPartition { topic: "t".into(), partition };
        let at = |offset: i64| Committed { offset, metadata: format!("{{\"o\":{offset}}}") };
        let (first, second) = (entry("g", &[(partition(0), at(5)), (partition(1), at(7))]), entry("g", &[(partition(0), at(6))]));
        let journal = [first.clone(), second].concat();
        for cut in 0..=journal.len() {
            let (mut committed, mut read) = (CommittedByGroup::new(), 0);
            while let Some(length) = play(&journal[read..cut], &mut committed) {
                read += length;
            }
            let expected = if cut < first.len() {
                None
            } else if cut < journal.len() {
                Some(5)
            } else {
                Some(6)
            };
            assert_eq!(committed.get(&("g".into(), partition(0))).map(|c| c.offset), expected, "cut at {cut}");
        }
    }
}
