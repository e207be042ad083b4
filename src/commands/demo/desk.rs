//! The safety desk of the demo: sees alerts as they come, tells of them, and does with an emergency what a person would.

use crate::pipeline::Pipeline;
use anyhow::{Context, Result};
use fieldline_log::{Append, Batch, Consumer, Destination, Polled, Producer};
use fieldline_schemas::alerts::{Alert, AlertStep, FlagCode};
use fieldline_schemas::events::{ActionKind, AlertAction, ResolveReason};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::MINUTE_US;
use fieldline_schemas::{AnyRecord, Codec, Timestamp, Topic};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

/// How long after the acknowledgement somebody is with the technician, by the simulated clock.
const HELP_TAKES_US: i64 = 12 * MINUTE_US;
/// Each step of each flag is told one by one up to this often.
const TOLD_PER_STEP_MAX: u32 = 2;
const POLL_RECORDS_MAX: usize = 1_000;

/// Reads `alerts` and acts through `alert_events`.
pub struct Desk {
    consumer: Box<dyn Consumer>,
    codec: Codec,
    alert_events: String,
    partitions: i32,
    /// Emergencies that were acknowledged, and when they are to be resolved.
    helped: BTreeMap<String, Timestamp>,
    acknowledged: BTreeSet<String>,
    told: BTreeMap<(FlagCode, AlertStep), u32>,
    counted: BTreeMap<FlagCode, (u32, u32)>,
}

impl Desk {
    pub fn open(pipeline: &Pipeline, prefix: &str) -> Result<Self> {
        let alert_events = Topic::AlertEvents.full_name(prefix);
        let described = pipeline.log.describe_topic(&alert_events)?.with_context(|| format!("topic {alert_events} does not exist"))?;
        Ok(Self {
            consumer: pipeline.log.consumer(&format!("{prefix}demo-desk"), &[&Topic::Alerts.full_name(prefix)])?,
            codec: pipeline.schemas.codec(),
            alert_events,
            partitions: described.partitions,
            helped: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            told: BTreeMap::new(),
            counted: BTreeMap::new(),
        })
    }

    /// Looks at what is new, tells of it with `say`, and acts as of `clock`.
    pub fn look(&mut self, producer: &mut dyn Producer, clock: Timestamp, say: &mut dyn FnMut(Timestamp, String)) -> Result<()> {
        loop {
            match self.consumer.poll(Duration::ZERO, POLL_RECORDS_MAX)? {
                Polled::Records(batch) => self.read(&batch, producer, clock, say)?,
                Polled::Idle => break,
                Polled::Assigned(partitions) => {
                    for at in partitions {
                        let begin = self.consumer.watermarks(&at)?.begin;
                        self.consumer.seek(&at, begin)?;
                    }
                }
                Polled::Revoked(_) | Polled::Lost(_) => {}
            }
        }
        let due: Vec<String> = self.helped.iter().filter(|(_, at)| **at <= clock).map(|(alert_id, _)| alert_id.clone()).collect();
        for alert_id in due {
            self.helped.remove(&alert_id);
            self.act(producer, &alert_id, ActionKind::Resolve, Some(ResolveReason::Assisted), clock)?;
        }
        Ok(())
    }

    fn read(&mut self, batch: &Batch, producer: &mut dyn Producer, clock: Timestamp, say: &mut dyn FnMut(Timestamp, String)) -> Result<()> {
        let codec = self.codec.clone();
        for record in batch.iter() {
            let Ok(AnyRecord::Alert(alert)) = codec.decode(record.value) else { continue };
            self.hear(&alert, say);
            // Nobody looked for a minute: the second page is answered.
            if alert.step == AlertStep::Escalated && self.acknowledged.insert(alert.alert_id.to_string()) {
                self.act(producer, &alert.alert_id, ActionKind::Acknowledge, None, clock)?;
                self.helped.insert(alert.alert_id.to_string(), clock + HELP_TAKES_US);
            }
        }
        Ok(())
    }

    fn hear(&mut self, alert: &Alert<'_>, say: &mut dyn FnMut(Timestamp, String)) {
        let (opened, resolved) = self.counted.entry(alert.flag).or_default();
        match alert.step {
            AlertStep::Opened => *opened += 1,
            AlertStep::Resolved => *resolved += 1,
            _ => {}
        }
        let told = self.told.entry((alert.flag, alert.step)).or_default();
        *told += 1;
        if *told > TOLD_PER_STEP_MAX {
            return;
        }
        let flag = alert.flag.symbol();
        let text = match alert.step {
            AlertStep::Opened => format!("! {flag} {}: {}", alert.severity.symbol(), alert.reasoning),
            AlertStep::Escalated => format!("! {flag} nobody has acknowledged: round {} of pages", alert.round),
            AlertStep::Acknowledged => format!("! {flag} acknowledged by the safety desk"),
            AlertStep::Resolved => format!("! {flag} closed: {}", alert.cause),
            AlertStep::Reopened => format!("! {flag} open again: {}", alert.cause),
            _ => return,
        };
        say(alert.stamp.as_of, text);
    }

    fn act(
        &self,
        producer: &mut dyn Producer,
        alert_id: &str,
        action: ActionKind,
        reason: Option<ResolveReason>,
        clock: Timestamp,
    ) -> Result<()> {
        let record = AnyRecord::AlertAction(AlertAction {
            id: EventId(Uuid::now_v7()),
            created_at: clock,
            alert_id: Cow::Borrowed(alert_id),
            action,
            reason,
            actor_contact_id: None,
            note: None,
        });
        let mut value = Vec::new();
        self.codec.encode(&record, &mut value);
        let destination = Destination::of_alert(alert_id, self.partitions);
        let append = Append { destination, key: alert_id.as_bytes(), value: &value, append_time: Some(clock) };
        producer.append(&self.alert_events, append)?;
        Ok(())
    }

    /// How many alerts of each flag were opened, and how many are closed.
    pub fn sum_up(&self) -> Option<String> {
        let flags = self.counted.iter().map(|(flag, (opened, resolved))| {
            let name = match flag {
                FlagCode::S1 => "emergencies",
                FlagCode::S4 => "missed check-ins",
                FlagCode::S5 => "missing shift_ends",
                FlagCode::S6 => "not confirmed home",
                FlagCode::S7 => "silent while travelling",
                FlagCode::S8 => "devices offline",
                FlagCode::S11 => "missed windows",
                other => other.symbol(),
            };
            format!("{opened} {name} ({resolved} closed)")
        });
        let flags: Vec<String> = flags.collect();
        (!flags.is_empty()).then(|| flags.join(", "))
    }
}
