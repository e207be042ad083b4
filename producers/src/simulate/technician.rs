//! One technician as a source of records: days are made when they are due, records when they are taken.

use super::calendar::Calendar;
use super::config::SimulatorConfig;
use super::corrupt;
use super::day::{Carried, Day};
use super::draft::{Draft, Kind, Twist};
use super::emission::{Body, Emission};
use super::faults::FaultCounts;
use super::random::{Random, derived_uuid};
use super::reports::Reports;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::{ActivityType, Clearance, Common, Location, ResolveReason, ShiftPlan, TechnicianActivity, VisitPlan};
use fieldline_schemas::ids::{EventId, JobId, TechnicianId, VehicleId, VisitId};
use fieldline_schemas::time::{HOUR_US, SECOND_US};
use fieldline_schemas::topics::Topic;
use fieldline_schemas::wire::AnyRecord;
use std::borrow::Cow;
use uuid::Uuid;

/// Streams of derived ids; the technician's number is in the lower bits.
const EVENTS: u64 = 1 << 40;
const VISITS: u64 = 2 << 40;
const JOBS: u64 = 3 << 40;
const PEOPLE: u64 = 4 << 40;
const VEHICLES: u64 = 5 << 40;
const CLEARANCES: u64 = 6 << 40;
/// Keeps the draws about reports apart from those about what happened, so that faults do not change the day.
const REPORTS: u64 = 1 << 32;

pub(super) fn technician_id(seed: u64, technician: u32) -> Uuid {
    derived_uuid(seed, PEOPLE, u64::from(technician))
}

/// A technician with what is not yet sent.
#[derive(Debug)]
pub(super) struct Technician {
    number: u32,
    id: TechnicianId,
    vehicle: VehicleId,
    device: String,
    next_day: u32,
    carried: Carried,
    /// Latest first, so that the next one is taken from the end.
    pending: Vec<Draft>,
    /// Whatever a later day brings is at or after this.
    complete_until: i64,
}

impl Technician {
    pub fn new(config: &SimulatorConfig, number: u32) -> Self {
        Self {
            number,
            id: TechnicianId(technician_id(config.seed, number)),
            vehicle: VehicleId(derived_uuid(config.seed, VEHICLES, u64::from(number))),
            device: format!("phone-{number:05}"),
            next_day: 0,
            carried: Carried::default(),
            pending: Vec::new(),
            complete_until: i64::MIN,
        }
    }

    /// When the next record is due; makes days until that is known.
    pub fn next_at(
        &mut self,
        config: &SimulatorConfig,
        calendar: &Calendar,
        counts: &mut FaultCounts,
        scratch: &mut Vec<Draft>,
    ) -> Option<i64> {
        loop {
            if let Some(draft) = self.pending.last()
                && draft.at < self.complete_until
            {
                return Some(draft.at);
            }
            if self.next_day >= config.days {
                self.complete_until = i64::MAX;
                return self.pending.last().map(|draft| draft.at);
            }
            self.make_day(config, calendar, counts, scratch);
        }
    }

    fn make_day(&mut self, config: &SimulatorConfig, calendar: &Calendar, counts: &mut FaultCounts, scratch: &mut Vec<Draft>) {
        let day = self.next_day;
        self.next_day += 1;
        self.complete_until = calendar.instant(self.next_day, 0).0;
        scratch.clear();
        Day::new(config, calendar, self.number, day, &mut self.carried, counts, scratch).write();
        if scratch.is_empty() {
            return;
        }
        let random = Random::of(config.seed, u64::from(self.number) | REPORTS, u64::from(day));
        Reports { config, random, counts, events: &mut self.carried.events, pending: &mut self.pending }.send(scratch);
        self.pending.sort_unstable_by_key(|d| std::cmp::Reverse((d.at, d.number, d.revision, d.twist != Twist::None, d.fault)));
    }

    /// The record that is due next.
    pub fn take(&mut self, config: &SimulatorConfig, calendar: &Calendar) -> Option<Emission> {
        let draft = self.pending.pop()?;
        let record = match draft.kind {
            Kind::Activity(activity_type) => AnyRecord::TechnicianActivity(self.activity(config, calendar, &draft, activity_type)),
            Kind::ShiftPlan => AnyRecord::ShiftPlan(self.shift_plan(config, &draft)),
            Kind::VisitPlan => AnyRecord::VisitPlan(self.visit_plan(config, &draft)),
            Kind::Clearance => AnyRecord::Clearance(self.clearance(config, &draft)),
        };
        let body = match draft.twist {
            Twist::Corrupt(how) => corrupt::damaged(record, how),
            _ => Body::Record(record),
        };
        Some(Emission { at: Timestamp(draft.at), topic: Topic::Activity, body, fault: draft.fault })
    }

    fn event_id(&self, config: &SimulatorConfig, number: u32) -> EventId {
        EventId(derived_uuid(config.seed, EVENTS | u64::from(self.number), u64::from(number)))
    }

    fn visit_id(&self, config: &SimulatorConfig, visit: u32) -> VisitId {
        VisitId(derived_uuid(config.seed, VISITS | u64::from(self.number), u64::from(visit)))
    }

    fn activity(
        &self,
        config: &SimulatorConfig,
        calendar: &Calendar,
        draft: &Draft,
        activity_type: ActivityType,
    ) -> TechnicianActivity<'static> {
        let created_at = Timestamp(draft.created_at);
        TechnicianActivity {
            common: Common {
                id: self.event_id(config, draft.number),
                revision: u32::from(draft.revision),
                voided: draft.voided,
                created_at,
                utc_offset_minutes: Some(calendar.offset_minutes(created_at)),
                recorded_at: Some(created_at + 1_000 * (40 + i64::from(draft.number % 97))),
                device_id: Some(Cow::Owned(self.device.clone())),
                device_sequence: Some(i64::from(draft.number)),
                source: Some(Cow::Borrowed("simulator")),
                imported: false,
                assigned: Vec::new(),
                metadata: (draft.span_s > 0).then(|| Cow::Owned(format!("{{\"duration_seconds\":{}}}", draft.span_s))),
            },
            technician_contact_id: self.id,
            activity_type,
            visit_id: (draft.visit != 0).then(|| self.visit_id(config, draft.visit)),
            vehicle_id: Some(self.vehicle),
            location: Some(location(draft)),
            notes: note(draft, activity_type),
        }
    }

    fn shift_plan(&self, config: &SimulatorConfig, draft: &Draft) -> ShiftPlan<'static> {
        ShiftPlan {
            id: self.event_id(config, draft.number),
            revision: 0,
            voided: false,
            technician_contact_id: self.id,
            planned_start: Timestamp(draft.created_at),
            planned_end: Timestamp(draft.created_at + i64::from(draft.span_s) * SECOND_US),
            lone_worker: self.number % 4 == 1,
            time_zone: Some(Cow::Borrowed(config.time_zone.name())),
        }
    }

    fn visit_plan(&self, config: &SimulatorConfig, draft: &Draft) -> VisitPlan<'static> {
        let start = Timestamp(draft.created_at);
        VisitPlan {
            id: self.event_id(config, draft.number),
            revision: 0,
            voided: false,
            technician_contact_id: self.id,
            visit_id: self.visit_id(config, draft.visit),
            window_start: start,
            window_end: start + i64::from(draft.span_s) * SECOND_US,
            promised_at: None,
            requested_at: Some(start - (24 + i64::from(draft.number % 120)) * HOUR_US),
            job_id: Some(JobId(derived_uuid(config.seed, JOBS | u64::from(self.number), u64::from(draft.visit)))),
            priority: Some(Cow::Borrowed(if draft.number.is_multiple_of(7) { "high" } else { "normal" })),
            location: Some(location(draft)),
            geofence_radius_meters: Some(150.0),
        }
    }

    fn clearance(&self, config: &SimulatorConfig, draft: &Draft) -> Clearance<'static> {
        let stop = self.event_id(config, draft.visit);
        Clearance {
            id: EventId(derived_uuid(config.seed, CLEARANCES | u64::from(self.number), u64::from(draft.number))),
            technician_contact_id: self.id,
            alert_id: Cow::Owned(format!("S1:{}:{stop}", self.id)),
            created_at: Timestamp(draft.created_at),
            reason: Some(if draft.number.is_multiple_of(2) { ResolveReason::Assisted } else { ResolveReason::FalseAlarm }),
            actor_contact_id: None,
        }
    }
}

fn location(draft: &Draft) -> Location<'static> {
    let (latitude, longitude) = (f64::from(draft.place.latitude) / 1e6, f64::from(draft.place.longitude) / 1e6);
    let (latitude, longitude) = match draft.twist {
        Twist::BadPlace(how) if how.is_multiple_of(2) => (Some(latitude + 90.0), Some(longitude)),
        Twist::BadPlace(_) => (Some(latitude), None),
        _ => (Some(latitude), Some(longitude)),
    };
    Location { latitude, longitude, accuracy_meters: Some(5 + (draft.number % 20) as i32), address: None }
}

fn note(draft: &Draft, activity_type: ActivityType) -> Option<Cow<'static, str>> {
    match (draft.twist, activity_type) {
        (Twist::Changed, _) => Some(Cow::Borrowed("sent again by another release of the app")),
        (_, ActivityType::WorkPaused) => Some(Cow::Borrowed("waiting for parts")),
        _ => None,
    }
}
