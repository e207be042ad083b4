//! The emergency lane: stateless, unbatched, a group and a thread of its own, so that nothing stands before an emergency.
//!
//! ```text
//! emergency ─┬─► flag S1 ─► alert_events
//!            ├─► the same bytes ─► activity (an SOS event: operations)
//!            ├─► not understood: a flag all the same, and dead_letters
//!            └─► a beat of the watch: passed on to beats, and nothing else
//! ```
//! The copy is appended always. A publisher writes both, but the two lie on different partitions, so the lane's record may be
//! durable where the other one was lost with its process; which of the two is so can not be seen from here, emergencies are
//! few, and a second record of an id is legal.

use crate::error::ProcessorError;
use crate::member::{Member, Stage, StageConfig};
use crate::outlet::Outlet;
use crate::stop::StopToken;
use fieldline_log::{AppendNumber, Log, Record, TopicPartition};
use fieldline_schemas::alerts::{Flag, FlagCode, FlagOrigin, FlagStanding};
use fieldline_schemas::events::{ActivityType, Common, Location, Severity};
use fieldline_schemas::ids::{TechnicianId, VisitId};
use fieldline_schemas::time::{DAY_US, HOUR_US};
use fieldline_schemas::{AnyRecord, Codec, Rejection, Timestamp, Topic, Version, beat, key_of, validate};
use std::borrow::Cow;
use std::sync::Arc;

/// An emergency that lay further back when it arrived is told as late.
const LATE_US: i64 = 72 * HOUR_US;

/// The lane as a stage.
pub(crate) struct EmergencyLane {
    decoder: Codec,
}

pub(crate) type LaneMember = Member<EmergencyLane>;

/// Joins the group of the lane.
pub(crate) fn join(config: &StageConfig, log: Arc<dyn Log>) -> Result<LaneMember, ProcessorError> {
    Member::join(EmergencyLane { decoder: config.schemas.codec() }, config.clone(), log)
}

/// Runs until `stop` is set.
pub fn run_lane(config: &StageConfig, log: Arc<dyn Log>, stop: &StopToken) -> Result<(), ProcessorError> {
    join(config, log)?.run(|| stop.is_stopped())
}

impl Stage for EmergencyLane {
    type State = ();
    const TOPIC: Topic = Topic::Emergency;
    const GROUP: &'static str = "lane";
    const IS_REBUILT: bool = false;

    fn begin(&self) {}

    fn take(
        &self,
        (): &mut (),
        at: &TopicPartition,
        record: &Record<'_>,
        _: bool,
        outlet: &mut Outlet,
    ) -> Result<Option<AppendNumber>, ProcessorError> {
        let received_at = record.append_time;
        let decoded = self.decoder.decode(record.value);
        let (any, rejected) = match &decoded {
            Ok(any) => (Some(any), validate(Topic::Emergency, any, received_at).err().map(|rejection| ("validate", rejection))),
            Err(rejection) => (None, Some(("decode", rejection.clone()))),
        };
        if let Some(flag) = any.and_then(|any| beat::passed_on(any, received_at)) {
            // One that is refused does not come back, which is how the watch hears of it.
            let passed = rejected.is_none().then(|| outlet.append_beat(at.partition, &flag.into(), received_at));
            return passed.transpose();
        }
        let mut last = None;
        // The page first: nothing else of this record is as urgent.
        let flag = match any {
            Some(any) => emergency(any, received_at, rejected.is_some()),
            None => Some(unknown(at, record, rejected.as_ref().map(|(_, rejection)| rejection))),
        };
        if let Some(flag) = flag {
            last = Some(outlet.append(Topic::AlertEvents, &flag.into(), received_at)?);
        }
        match (any, &rejected) {
            (_, Some((stage, rejection))) => {
                last = Some(outlet.dead_letter((Topic::Emergency, at.partition), record, stage, rejection)?);
            }
            (Some(any), None) => {
                if let Some(home) = home(any) {
                    last = Some(outlet.append_bytes(home, &key_of(any), record.value, received_at)?);
                }
            }
            (None, None) => {}
        }
        Ok(last)
    }

    fn next_due((): &()) -> Option<Timestamp> {
        None
    }
}

/// Where the record belongs beside the lane.
fn home(record: &AnyRecord<'_>) -> Option<Topic> {
    match record {
        AnyRecord::TechnicianActivity(_) => Some(Topic::Activity),
        AnyRecord::OperationalEvent(_) => Some(Topic::Operations),
        _ => None,
    }
}

/// What a record of the lane raises. One that was refused loses its location, which may be what is wrong with it.
fn emergency<'a>(record: &'a AnyRecord<'a>, received_at: Timestamp, is_refused: bool) -> Option<Flag<'a>> {
    match record {
        AnyRecord::TechnicianActivity(r) if r.activity_type == ActivityType::EmergencyStop => {
            let location = r.location.as_ref().filter(|_| !is_refused);
            raised(&r.common, Some(r.technician_contact_id), r.visit_id, location, "emergency_stop", received_at)
        }
        AnyRecord::OperationalEvent(r) => raised(&r.common, r.technician_contact_id, r.visit_id, None, "SOS event", received_at),
        _ => None,
    }
}

fn raised<'a>(
    common: &Common<'_>,
    technician: Option<TechnicianId>,
    visit: Option<VisitId>,
    location: Option<&Location<'a>>,
    what: &str,
    received_at: Timestamp,
) -> Option<Flag<'a>> {
    if common.voided || common.imported {
        return None;
    }
    let subject = technician.map_or(common.id.0, |technician| technician.0);
    // Of a time that is no time of this century nothing can be said but when it arrived.
    let about_at = if common.created_at.0.saturating_sub(received_at.0).unsigned_abs() > 100 * 366 * DAY_US.unsigned_abs() {
        received_at
    } else {
        common.created_at
    };
    let source: String = common.source.as_deref().unwrap_or("an unnamed source").chars().take(SOURCE_CHARS_MAX).collect();
    Some(Flag {
        alert_id: Cow::Owned(format!("S1:{subject}:{}", common.id)),
        flag: FlagCode::S1,
        origin: FlagOrigin::Lane,
        version: Version(0),
        as_of: received_at,
        standing: FlagStanding::Raised,
        severity: Severity::Critical,
        technician_contact_id: technician,
        visit_id: visit,
        caused_by: Some(common.id),
        opened_at: received_at,
        about_at,
        is_late: received_at.since(about_at) > LATE_US,
        location: location.cloned(),
        reasoning: Cow::Owned(format!("{what} at {}, reported by {source}", hour(about_at, received_at))),
        resolved_at: None,
        resolved_by_contact_id: None,
    })
}

/// A source's name may be long; a page should not be.
const SOURCE_CHARS_MAX: usize = 100;

/// What nobody could read pages too: it was sent to the lane, so somebody may be in danger.
fn unknown(at: &TopicPartition, record: &Record<'_>, rejection: Option<&Rejection>) -> Flag<'static> {
    let reason = rejection.map_or("undecodable", |rejection| rejection.reason.symbol());
    let received_at = record.append_time;
    Flag {
        alert_id: Cow::Owned(format!("S1:unknown:{}-{}", at.partition, record.offset)),
        flag: FlagCode::S1,
        origin: FlagOrigin::Lane,
        version: Version(0),
        as_of: received_at,
        standing: FlagStanding::Raised,
        severity: Severity::Critical,
        technician_contact_id: None,
        visit_id: None,
        caused_by: None,
        opened_at: received_at,
        about_at: received_at,
        is_late: false,
        location: None,
        reasoning: Cow::Owned(format!(
            "a record of the emergency lane could not be read ({reason}): partition {}, offset {}; its bytes are in dead_letters",
            at.partition, record.offset
        )),
        resolved_at: None,
        resolved_by_contact_id: None,
    }
}

/// `16:40 UTC`; with its date where that is not evident.
fn hour(at: Timestamp, seen_from: Timestamp) -> String {
    let text = at.to_string();
    let is_near = seen_from.since(at).abs() < DAY_US / 2;
    match (text.get(..10), text.get(11..16)) {
        (_, Some(time)) if is_near => format!("{time} UTC"),
        (Some(date), Some(time)) => format!("{date} {time} UTC"),
        _ => text,
    }
}
