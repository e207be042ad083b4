//! What is done with operational events and calls: their state, and what follows from a record.
//!
//! ```text
//! operations ─► Incidents ─┬─► signals ─► activity, each into the log of the technician whom it concerns
//!                          └─► S1 of an SOS · S13 ─┐
//! calls ──────► Queues ─────► S14 ─────────────────┴─► alert_events
//! ```
//! A signal is put out at least once: where a process ends between its append and the commit, the successor puts it out again, with
//! the same place of origin, and the technician's log takes it for the duplicate that it is.

use crate::config::ProcessorConfig;
use crate::error::ProcessorError;
use crate::station::Work;
use crate::worker::{Output, out_at};
use fieldline_log::{AppendNumber, Destination, Record, TopicPartition};
use fieldline_processors_core::events::{EventsError, Input, Record as Taken, Settings};
use fieldline_processors_core::incidents::{self, Carried, Incidents, Reported};
use fieldline_processors_core::partition::Position;
use fieldline_processors_core::queues::Queues;
use fieldline_schemas::alerts::{Flag, FlagCode};
use fieldline_schemas::events::Signal;
use fieldline_schemas::{AnyRecord, SosTypes, Timestamp, Topic, content_hash};
use std::borrow::Cow;

/// What follows from one record.
#[derive(Debug, Default)]
pub(crate) struct Found {
    incidents: incidents::Effects,
    queues: Vec<Flag<'static>>,
}

impl Found {
    pub fn is_empty(&self) -> bool {
        self.incidents.is_empty() && self.queues.is_empty()
    }

    pub fn flags(&self) -> usize {
        self.incidents.flags.len() + self.queues.len()
    }
}

/// The state of a partition, and from which append time on a successor replays it.
pub(crate) fn begin(
    topic: Topic,
    config: &ProcessorConfig,
    left_at: Option<Position>,
    leans_on: Option<Timestamp>,
    has_told_flags: bool,
) -> (Work, Option<Timestamp>) {
    let flags = config.flags;
    let settings = Settings { epoch: config.epoch, definition: config.definition.number, flags };
    if topic == Topic::Operations {
        let state = left_at.map_or_else(|| Incidents::new(settings), |left_at| Incidents::rebuild(settings, left_at));
        let state = if has_told_flags { state } else { state.telling_flags_again() };
        return (Work::Incidents(Box::new(state)), left_at.map(|left_at| Incidents::replay_from(left_at.clock, leans_on)));
    }
    let state = left_at.map_or_else(|| Queues::new(settings), |left_at| Queues::rebuild(settings, left_at));
    let state = if has_told_flags { state } else { state.telling_flags_again() };
    (Work::Queues(Box::new(state)), left_at.map(|left_at| Queues::replay_from(left_at.clock, &flags)))
}

/// Takes the next record; `any` is `None` where it was refused.
pub(crate) fn take(
    work: &mut Work,
    record: &Record<'_>,
    any: Option<&AnyRecord<'_>>,
    sos: &SosTypes,
    found: &mut Found,
) -> Result<(), EventsError> {
    match work {
        Work::Technicians(_) => {}
        Work::Incidents(state) => {
            let taken = read(record, any, |any| match any {
                AnyRecord::OperationalEvent(event) => Some(Reported { event, content: content_hash(any), is_sos: sos.has(event) }),
                _ => None,
            });
            state.apply(&taken, &mut found.incidents)?;
        }
        Work::Queues(state) => {
            let taken = read(record, any, |any| match any {
                AnyRecord::CommunicationCall(call) => Some(call),
                _ => None,
            });
            state.apply(&taken, &mut found.queues)?;
        }
    }
    Ok(())
}

/// What a record says to a state whose events are `E`.
fn read<'a, E>(record: &Record<'_>, any: Option<&'a AnyRecord<'a>>, event: impl FnOnce(&'a AnyRecord<'a>) -> Option<E>) -> Taken<E> {
    let input = match any {
        Some(AnyRecord::Tick(tick)) => Input::Tick { since: tick.since },
        Some(any) => event(any).map_or(Input::Nothing, Input::Event),
        None => Input::Nothing,
    };
    Taken { offset: record.offset, append_time: record.append_time, input }
}

/// The next instant at which time alone changes something.
pub(crate) fn next_due(work: &Work) -> Option<Timestamp> {
    match work {
        Work::Technicians(partition) => [partition.next_due(), partition.unfinished_until()].into_iter().flatten().min(),
        Work::Incidents(state) => state.next_due(),
        Work::Queues(state) => state.next_due(),
    }
}

/// The oldest append time on which the state leans beyond what every successor replays.
pub(crate) fn leans_on(work: &Work) -> Option<Timestamp> {
    match work {
        Work::Incidents(state) => state.leans_on(),
        Work::Technicians(_) | Work::Queues(_) => None,
    }
}

impl Output {
    /// Appends everything that a record of events caused, the pages first; the number of the last append.
    pub fn put_found(
        &mut self,
        found: &mut Found,
        at: &TopicPartition,
        source: &Record<'_>,
        any: Option<&AnyRecord<'_>>,
        clock: Timestamp,
    ) -> Result<AppendNumber, ProcessorError> {
        let mut number = 0;
        for flag in found.incidents.flags.drain(..).chain(found.queues.drain(..)) {
            // The level of a queue is judged when the second is over.
            let waits = flag.caused_by.is_some() && flag.flag == FlagCode::S14;
            let due = out_at(flag.as_of, waits).min(clock);
            let destination = Destination::of_alert(&flag.alert_id, self.alert_partitions);
            number = self.append_to(Topic::AlertEvents, destination, &AnyRecord::Flag(flag), due)?;
        }
        let carried = found.incidents.carried.drain(..);
        let Some(AnyRecord::OperationalEvent(event)) = any else { return Ok(number) };
        for Carried { technician, is_emergency, alert_id } in carried {
            let signal = AnyRecord::Signal(Signal {
                source_topic: Cow::Borrowed(Topic::Operations.name()),
                source_partition: at.partition,
                source_offset: source.offset,
                event: event.clone(),
                technician_contact_id: (event.technician_contact_id != Some(technician)).then_some(technician),
                is_emergency,
                alert_id: alert_id.map(Cow::Owned),
            });
            number = self.append_to(Topic::Activity, Destination::ByKey, &signal, clock)?;
        }
        Ok(number)
    }
}
