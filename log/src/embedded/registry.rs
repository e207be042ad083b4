//! What must be whole after a power loss, in redb: topics, reservations of offsets, holes, snapshots of committed
//! offsets, and how the last session ended. Written rarely, each time with a sync.

use crate::{Committed, Error, Result, TopicDescription, TopicPartition};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name → id, partitions, retention in microseconds (negative: for ever).
const TOPICS: TableDefinition<&str, (u128, i32, i64)> = TableDefinition::new("topics");
/// Partition → the end of its reserved offsets, and its end at the last clean close (negative: in use since).
const PARTITIONS: TableDefinition<(&str, i32), (i64, i64)> = TableDefinition::new("partitions");
/// Partition and first missing offset → the offset it goes on at.
const HOLES: TableDefinition<(&str, i32, i64), i64> = TableDefinition::new("holes");
/// Group and partition → offset and note.
const COMMITTED: TableDefinition<(&str, &str, i32), (i64, &str)> = TableDefinition::new("committed");
const SESSION: TableDefinition<&str, &str> = TableDefinition::new("session");
const FORMAT: &str = "1";

pub(crate) type CommittedByGroup = BTreeMap<(String, TopicPartition), Committed>;

/// Offsets that no record has and none will have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    pub partition: TopicPartition,
    pub from: i64,
    /// The first offset after the hole.
    pub until: i64,
}

/// What is known of a partition before its files are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reserved {
    /// Offsets below this may have been used.
    pub(crate) end: i64,
    /// The partition's end when the log was last closed in good order.
    pub(crate) clean_end: Option<i64>,
}

pub(crate) struct Registry {
    path: PathBuf,
    database: Database,
    /// Whether the machine was restarted since the log was last open: then files may lack what was never synced.
    pub(crate) restarted: bool,
    boot: String,
}

impl Registry {
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("registry.redb");
        let fail = |error: &dyn std::fmt::Display| Error::Other(format!("could not open the log's registry {}: {error}", path.display()));
        let database = Database::create(&path).map_err(|e| fail(&e))?;
        let mut registry = Self { path: path.clone(), database, restarted: false, boot: boot_id() };
        let (format, last_boot) = registry.write("read the last session", |tx| {
            let mut session = tx.open_table(SESSION)?;
            let format = session.get("format")?.map(|v| v.value().to_owned());
            let last_boot = session.get("boot")?.map(|v| v.value().to_owned());
            if format.is_none() {
                session.insert("format", FORMAT)?;
            }
            tx.open_table(TOPICS)?;
            tx.open_table(PARTITIONS)?;
            tx.open_table(HOLES)?;
            tx.open_table(COMMITTED)?;
            Ok((format, last_boot))
        })?;
        if let Some(format) = format.filter(|f| f != FORMAT) {
            return Err(fail(&format!("it is of format {format}, this program knows format {FORMAT}")));
        }
        // An unknown boot counts as a restart: skipping offsets is harmless, using one twice is not.
        registry.restarted = last_boot.is_some_and(|last| last != registry.boot || last.is_empty());
        Ok(registry)
    }

    /// Ends the recovery: only now may the next start take this one's boot of the machine for its own.
    pub(crate) fn recovered(&self) -> Result<()> {
        self.write("record the start", |tx| {
            tx.open_table(SESSION)?.insert("boot", self.boot.as_str())?;
            Ok(())
        })
    }

    fn fail(&self, what: &str, error: impl Into<redb::Error>) -> Error {
        Error::Other(format!("could not {what} in the log's registry {}: {}", self.path.display(), error.into()))
    }

    /// One durable transaction.
    fn write<T>(&self, what: &str, change: impl FnOnce(&redb::WriteTransaction) -> std::result::Result<T, redb::Error>) -> Result<T> {
        let tx = self.database.begin_write().map_err(|e| self.fail(what, e))?;
        let value = change(&tx).map_err(|e| self.fail(what, e))?;
        tx.commit().map_err(|e| self.fail(what, e))?;
        Ok(value)
    }

    fn read<T>(&self, what: &str, look: impl FnOnce(&redb::ReadTransaction) -> std::result::Result<T, redb::Error>) -> Result<T> {
        let tx = self.database.begin_read().map_err(|e| self.fail(what, e))?;
        look(&tx).map_err(|e| self.fail(what, e))
    }

    pub(crate) fn topics(&self) -> Result<Vec<TopicDescription>> {
        self.read("read the topics", |tx| {
            let mut topics = Vec::new();
            for row in tx.open_table(TOPICS)?.iter()? {
                let (name, value) = row?;
                let (id, partitions, retention_us) = value.value();
                let retention = u64::try_from(retention_us).ok().map(Duration::from_micros);
                topics.push(TopicDescription { name: name.value().to_owned(), topic_id: id.to_be_bytes(), partitions, retention });
            }
            Ok(topics)
        })
    }

    pub(crate) fn add_topic(&self, topic: &TopicDescription) -> Result<()> {
        let retention_us = topic.retention.map_or(-1, |r| i64::try_from(r.as_micros()).unwrap_or(i64::MAX));
        self.write("add a topic", |tx| {
            let row = (u128::from_be_bytes(topic.topic_id), topic.partitions, retention_us);
            tx.open_table(TOPICS)?.insert(topic.name.as_str(), row)?;
            Ok(())
        })
    }

    pub(crate) fn reserved(&self, partition: &TopicPartition) -> Result<Reserved> {
        self.read("read a reservation", |tx| {
            let table = tx.open_table(PARTITIONS)?;
            let row = table.get((partition.topic.as_str(), partition.partition))?.map(|v| v.value());
            Ok(row.map_or_else(Reserved::default, |(end, clean)| Reserved { end, clean_end: (clean >= 0).then_some(clean) }))
        })
    }

    /// Makes offsets below `end` usable; from now on the partition is not cleanly closed.
    pub(crate) fn reserve(&self, partition: &TopicPartition, end: i64) -> Result<()> {
        self.write("reserve offsets", |tx| {
            tx.open_table(PARTITIONS)?.insert((partition.topic.as_str(), partition.partition), (end, -1))?;
            Ok(())
        })
    }

    /// Records the ends of a clean close.
    pub(crate) fn close(&self, ends: &[(TopicPartition, i64)]) -> Result<()> {
        self.write("record the clean close", |tx| {
            let mut table = tx.open_table(PARTITIONS)?;
            for (partition, end) in ends {
                table.insert((partition.topic.as_str(), partition.partition), (*end, *end))?;
            }
            Ok(())
        })
    }

    pub(crate) fn add_hole(&self, hole: &Hole) -> Result<()> {
        self.write("record a hole", |tx| {
            tx.open_table(HOLES)?.insert((hole.partition.topic.as_str(), hole.partition.partition, hole.from), hole.until)?;
            Ok(())
        })
    }

    pub(crate) fn holes(&self) -> Result<Vec<Hole>> {
        self.read("read the holes", |tx| {
            let mut holes = Vec::new();
            for row in tx.open_table(HOLES)?.iter()? {
                let (key, until) = row?;
                let (topic, partition, from) = key.value();
                holes.push(Hole { partition: TopicPartition { topic: topic.to_owned(), partition }, from, until: until.value() });
            }
            Ok(holes)
        })
    }

    pub(crate) fn committed(&self) -> Result<CommittedByGroup> {
        self.read("read committed offsets", |tx| {
            let mut committed = BTreeMap::new();
            for row in tx.open_table(COMMITTED)?.iter()? {
                let (key, value) = row?;
                let ((group, topic, partition), (offset, metadata)) = (key.value(), value.value());
                let partition = TopicPartition { topic: topic.to_owned(), partition };
                committed.insert((group.to_owned(), partition), Committed { offset, metadata: metadata.to_owned() });
            }
            Ok(committed)
        })
    }

    pub(crate) fn store_committed(&self, committed: &CommittedByGroup) -> Result<()> {
        self.write("store committed offsets", |tx| {
            let mut table = tx.open_table(COMMITTED)?;
            for ((group, partition), position) in committed {
                let key = (group.as_str(), partition.topic.as_str(), partition.partition);
                table.insert(key, (position.offset, position.metadata.as_str()))?;
            }
            Ok(())
        })
    }
}

/// Differs after each start of the machine; empty where that cannot be known.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}
