//! The life of alerts: the pure fold over each partition of `alert_events`, which is read from its beginning by whoever takes
//! it over.
//!
//! ```text
//! alert_events ─► Lifecycle::apply ─► alerts · activity (clearances) · dead_letters
//! beats ─► the same, of a state of its own that is dropped ─► beats
//! ```

use crate::error::ProcessorError;
use crate::member::{Member, Stage, StageConfig};
use crate::outlet::Outlet;
use crate::stop::StopToken;
use fieldline_log::{AppendNumber, Destination, Log, Record, TopicPartition};
use fieldline_processors_core::lifecycle::{Effects, Event, Lifecycle, Record as Input, Settings};
use fieldline_schemas::alerts::FlagStanding;
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic, validate};
use std::sync::Arc;

/// The life of alerts as a stage.
pub(crate) struct Lives {
    settings: Settings,
    decoder: Codec,
    /// The full name of the topic.
    beats: String,
}

pub(crate) type LifecycleMember = Member<Lives>;

/// Joins the group of the lifecycle.
pub(crate) fn join(settings: Settings, config: &StageConfig, log: Arc<dyn Log>) -> Result<LifecycleMember, ProcessorError> {
    let beats = Topic::Beats.full_name(&config.prefix);
    Member::join(Lives { settings, decoder: config.schemas.codec(), beats }, config.clone(), log)
}

/// Runs until `stop` is set.
pub fn run_lifecycle(settings: Settings, config: &StageConfig, log: Arc<dyn Log>, stop: &StopToken) -> Result<(), ProcessorError> {
    join(settings, config, log)?.run(|| stop.is_stopped())
}

impl Lives {
    /// Gives a beat of the watch the life of an alert, and forgets it: beats would fill a state that is kept for ever.
    fn pass_on(&self, at: &TopicPartition, record: &Record<'_>, outlet: &mut Outlet) -> Result<Option<AppendNumber>, ProcessorError> {
        // What comes back of it is an alert, and what cannot be read is missed by the watch.
        let Ok(AnyRecord::Flag(flag)) = self.decoder.decode(record.value) else { return Ok(None) };
        let (mut passing, mut effects) = (Lifecycle::new(self.settings), Effects::default());
        let input = Input { offset: record.offset, append_time: record.append_time, event: Event::Flag(&flag) };
        passing.apply(&input, &mut effects)?;
        let mut last = None;
        for alert in effects.alerts {
            last = Some(outlet.append_beat(at.partition, &alert.into(), record.append_time)?);
        }
        Ok(last)
    }
}

impl Stage for Lives {
    type State = Lifecycle;
    const TOPIC: Topic = Topic::AlertEvents;
    const GROUP: &'static str = "lifecycle";
    const BESIDE: Option<Topic> = Some(Topic::Beats);
    const IS_REBUILT: bool = true;

    fn begin(&self) -> Lifecycle {
        Lifecycle::new(self.settings)
    }

    fn take(
        &self,
        state: &mut Lifecycle,
        at: &TopicPartition,
        record: &Record<'_>,
        is_live: bool,
        outlet: &mut Outlet,
    ) -> Result<Option<AppendNumber>, ProcessorError> {
        if at.topic == self.beats {
            return self.pass_on(at, record, outlet);
        }
        let decoded = self.decoder.decode(record.value).map_err(|rejection| ("decode", rejection));
        let checked = decoded.and_then(|any| match validate(Topic::AlertEvents, &any, record.append_time) {
            Ok(()) => Ok(any),
            Err(rejection) => Err(("validate", rejection)),
        });
        let mut last = None;
        let event = match &checked {
            Ok(any) => Event::read(any),
            Err((stage, rejection)) => {
                if is_live {
                    last = Some(outlet.dead_letter((Topic::AlertEvents, at.partition), record, stage, rejection)?);
                }
                Event::Time
            }
        };
        let mut effects = Effects::default();
        state.apply(&Input { offset: record.offset, append_time: record.append_time, event }, &mut effects)?;
        if !is_live {
            return Ok(None);
        }
        // What clears an emergency is told where the technician is; an alert that was opened under another name lies elsewhere.
        if let Ok(any @ AnyRecord::Flag(flag)) = &checked
            && flag.standing == FlagStanding::Cleared
            && outlet.destination(Topic::AlertEvents, &flag.alert_id) != Destination::Partition(at.partition)
        {
            last = Some(outlet.append(Topic::AlertEvents, any, record.append_time)?);
        }
        for alert in effects.alerts {
            let as_of = alert.stamp.as_of;
            last = Some(outlet.append(Topic::Alerts, &alert.into(), as_of)?);
        }
        let clock = state.clock().unwrap_or(record.append_time);
        for clearance in effects.clearances {
            last = Some(outlet.append(Topic::Activity, &AnyRecord::Clearance(clearance), clock)?);
        }
        Ok(last)
    }

    fn next_due(state: &Lifecycle) -> Option<Timestamp> {
        state.next_due()
    }
}
