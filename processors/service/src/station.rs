//! One owned partition: its state, its outputs in flight, its commits.

use crate::config::{ProcessorConfig, Share};
use crate::error::ProcessorError;
use crate::events;
use crate::ledger::Ledger;
use crate::note::{Note, flags_hash, topic_id_text};
use crate::progress::PartitionProgress;
use fieldline_log::{AppendNumber, Committed, Consumer, Log, TopicDescription, TopicPartition, partition_for_key};
use fieldline_processors_core::incidents::Incidents;
use fieldline_processors_core::partition::{MARKERS_US, Partition, Position, SETTLED_US, Settings};
use fieldline_processors_core::queues::Queues;
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::{Timestamp, Topic};
use std::time::{Duration, Instant};

/// What is done with the records of a topic.
pub enum Work {
    /// The fold over technicians.
    Technicians(Box<Partition>),
    /// Whom operational events concern, emergencies among them, and what nobody resolves.
    Incidents(Box<Incidents>),
    /// The service levels of queues.
    Queues(Box<Queues>),
}

/// An owned partition.
pub struct Station {
    pub at: TopicPartition,
    pub topic: Topic,
    pub work: Work,
    pub ledger: Ledger,
    /// Records before this were processed by a predecessor: they rebuild the state and put nothing out.
    pub live_from: i64,
    pub clock: Option<Timestamp>,
    /// When the log's time last moved here, by the wall clock.
    pub moved_at: Instant,
    /// When a tick was last appended because a timer had fallen due.
    ticked_at: Option<Instant>,
    pub progress: PartitionProgress,
    /// The last append of a plan.
    pub released: AppendNumber,
    pub note: Note,
}

impl Station {
    /// Finds out where a partition was left and asks for the records to go on with.
    pub fn open(
        config: &ProcessorConfig,
        share: Share,
        log: &dyn Log,
        consumer: &mut dyn Consumer,
        at: TopicPartition,
    ) -> Result<Self, ProcessorError> {
        let topic = at.topic.strip_prefix(&config.prefix).and_then(Topic::from_name);
        let topic = topic.ok_or_else(|| ProcessorError::UnknownTopic { topic: at.topic.clone() })?;
        let description = log.describe_topic(&at.topic).map_err(ProcessorError::log("describing", &at))?;
        let description = description.ok_or_else(|| ProcessorError::UnknownTopic { topic: at.topic.clone() })?;
        let replay = Duration::from_micros((MARKERS_US + SETTLED_US).unsigned_abs());
        if let Some(kept) = description.retention.filter(|kept| topic == Topic::Activity && *kept < replay) {
            return Err(ProcessorError::RetentionTooShort {
                topic: at.topic,
                kept_hours: kept.as_secs() / 3600,
                needed_hours: replay.as_secs() / 3600,
            });
        }
        let watermarks = consumer.watermarks(&at).map_err(ProcessorError::log("asking for the watermarks of", &at))?;
        let own = consumer.committed(&at).map_err(ProcessorError::log("asking for the committed offset of", &at))?;
        let committed = match (&own, share.predecessor()) {
            (None, Some(predecessor)) => log
                .committed(&config.group(predecessor), &at)
                .map_err(ProcessorError::log("asking for what was committed before of", &at))?,
            _ => own.clone(),
        };
        let mut note = Note {
            definition: config.definition.number,
            definition_hash: config.definition.hash(),
            clock_us: 0,
            topic_id: topic_id_text(&description.topic_id),
            partitions: description.partitions,
            released_through: None,
            flags_hash: Some(flags_hash(&config.flags)),
            leans_on_us: None,
        };
        let mut has_told_flags = true;
        let left_at = match &committed {
            Some(committed) => {
                let (begin, end) = (watermarks.begin, watermarks.end);
                if committed.offset < begin || committed.offset > end {
                    return Err(ProcessorError::CommittedLost { at, committed: committed.offset, begin, end });
                }
                let left = read_note(&at, committed, &note, &description)?;
                note.released_through = left.released_through;
                note.leans_on_us = left.leans_on_us;
                has_told_flags = left.flags_hash == note.flags_hash;
                Some(Position { offset: committed.offset, clock: Timestamp(left.clock_us) })
            }
            None => None,
        };
        let settings = Settings {
            partition: at.partition,
            home,
            partitions: description.partitions,
            epoch: config.epoch,
            definition: config.definition,
            flags: config.flags,
            path: config.path,
        };
        let (work, start) = match (topic, left_at) {
            (Topic::Activity, Some(left_at)) => {
                let from = Partition::replay_from(left_at.clock);
                let start =
                    consumer.offset_for_time(&at, from).map_err(ProcessorError::log("looking for the start of the live window in", &at))?;
                let start = start.clamp(watermarks.begin, left_at.offset);
                let partition = Partition::rebuild(settings, left_at);
                let partition = if has_told_flags { partition } else { partition.telling_flags_again() };
                (Work::Technicians(Box::new(partition)), start)
            }
            (Topic::Activity, None) => (Work::Technicians(Box::new(Partition::new(settings))), watermarks.begin),
            (_, left_at) => {
                let (work, from) = events::begin(topic, config, left_at, note.leans_on_us.map(Timestamp), has_told_flags);
                let from = from.map(|from| consumer.offset_for_time(&at, from)).transpose();
                let from = from.map_err(ProcessorError::log("looking for the start of what is remembered of", &at))?;
                let end = left_at.map_or(watermarks.begin, |left_at| left_at.offset);
                (work, from.unwrap_or(end).clamp(watermarks.begin, end))
            }
        };
        consumer.seek(&at, start).map_err(ProcessorError::log("seeking in", &at))?;
        let live_from = left_at.map_or(start, |left_at| left_at.offset);
        let progress = PartitionProgress {
            position: start,
            end: watermarks.end,
            committed: own.as_ref().map(|committed| committed.offset),
            rebuild: (start < live_from).then_some((start, live_from)),
            ..PartitionProgress::default()
        };
        let mut ledger = Ledger::default();
        if let Some(inherited) = left_at.filter(|_| own.is_none()) {
            // From now on this group's own commit says it, also where no record comes any more.
            ledger.finished(inherited);
        }
        Ok(Self { at, topic, work, ledger, live_from, clock: None, moved_at: Instant::now(), ticked_at: None, progress, released: 0, note })
    }

    /// Whether a tick is to be appended: the log's time stands still here, and may not. Where technicians are, silence is known by the
    /// time that passes, all the time; elsewhere time matters where a timer has fallen due by now, as far as this machine can tell,
    /// and once after a takeover, as nobody knows how long nobody was here.
    pub fn wants_tick(&mut self, now: Instant, tick_every: Duration) -> bool {
        let silent_for = now.duration_since(self.moved_at);
        if silent_for < tick_every || self.ticked_at.is_some_and(|at| now.duration_since(at) < tick_every) {
            return false;
        }
        let wants = match (&self.work, self.clock) {
            (Work::Technicians(_), _) => true,
            (work, Some(clock)) if self.progress.position >= self.live_from => events::next_due(work).is_some_and(|due| {
                let left = Duration::from_micros(u64::try_from(due.since(clock)).unwrap_or(0));
                self.ticked_at.is_none() || silent_for >= left
            }),
            _ => false,
        };
        if wants {
            self.ticked_at = Some(now);
        }
        wants
    }

    /// What may be committed now that could not before.
    pub fn take_commit(&mut self) -> Option<Committed> {
        let Position { offset, clock } = self.ledger.take_frontier()?;
        // A state that is being rebuilt stands behind what is committed already.
        if self.progress.committed.is_some_and(|committed| offset <= committed) {
            return None;
        }
        self.progress.committed = Some(offset);
        self.note.clock_us = clock.0;
        self.note.leans_on_us = events::leans_on(&self.work).map(|at| at.0);
        let metadata = serde_json::to_string(&self.note).unwrap_or_default();
        Some(Committed { offset, metadata })
    }
}

/// Reads what a predecessor noted and refuses to go on where results would be wrong.
fn read_note(at: &TopicPartition, committed: &Committed, ours: &Note, topic: &TopicDescription) -> Result<Note, ProcessorError> {
    let left: Note = serde_json::from_str(&committed.metadata).map_err(|source| ProcessorError::Note { at: at.clone(), source })?;
    if left.topic_id != ours.topic_id {
        return Err(ProcessorError::TopicRecreated { topic: at.topic.clone() });
    }
    if left.partitions != topic.partitions {
        let (committed, found) = (left.partitions, topic.partitions);
        return Err(ProcessorError::PartitionsChanged { topic: at.topic.clone(), committed, found });
    }
    if left.definition > ours.definition {
        return Err(ProcessorError::DefinitionBehind { at: at.clone(), ours: ours.definition, theirs: left.definition });
    }
    if left.definition == ours.definition && left.definition_hash != ours.definition_hash {
        return Err(ProcessorError::DefinitionDiffers { at: at.clone(), number: ours.definition });
    }
    Ok(left)
}

/// The partition that a technician's records belong to.
fn home(technician: TechnicianId, partitions: i32) -> i32 {
    let mut text = [0; 36];
    partition_for_key(technician.0.hyphenated().encode_lower(&mut text).as_bytes(), partitions)
}
