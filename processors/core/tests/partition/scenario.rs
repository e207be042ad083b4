//! Generated logs: technicians with days, and everything that goes wrong with their records.

use fieldline_processors_core::facts::{ActivityFact, ClearanceFact, Position, ShiftPlanFact, SignalFact, VisitPlanFact};
use fieldline_processors_core::flags::Device;
use fieldline_processors_core::partition::{Claim, Input, Record};
use fieldline_schemas::events::{ActivityType, EventCategory, Severity};
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::time::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{Anomalies, Timestamp};

/// A Monday, so that failures read well.
pub const EPOCH: Timestamp = Timestamp(1_767_571_200 * SECOND_US);

/// SplitMix64: the same numbers for the same seed, everywhere.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
    pub fn id(&mut self) -> EventId {
        EventId(uuid::Uuid::from_u64_pair(self.next(), self.next()))
    }
    /// Microseconds from nothing to `max_us`, in whole seconds so that ties occur.
    pub fn span(&mut self, max_us: i64) -> i64 {
        self.below((max_us / SECOND_US).max(1) as u64) as i64 * SECOND_US
    }
}

/// What goes wrong, and how often.
#[derive(Clone, Copy)]
pub struct Faults {
    pub days: i64,
    pub technicians: u64,
    /// Percent of events that come hours to `late_max_us` later.
    pub late: u64,
    pub late_max_us: i64,
    pub duplicates: u64,
    pub amendments: u64,
    pub conflicts: u64,
    pub forgotten_ends: u64,
    pub ticks: bool,
}

impl Faults {
    pub const ALL: Self = Self {
        days: 16,
        technicians: 3,
        late: 12,
        late_max_us: 11 * DAY_US,
        duplicates: 6,
        amendments: 6,
        conflicts: 2,
        forgotten_ends: 15,
        ticks: true,
    };
    /// Nothing that depends on arrival by definition: no conflicts, nothing late beyond the live window.
    pub const IN_TIME: Self = Self { late_max_us: 60 * HOUR_US, conflicts: 0, ..Self::ALL };
}

pub fn technician(n: u64) -> TechnicianId {
    TechnicianId(uuid::Uuid::from_u64_pair(0x7ec4, n))
}

pub fn activity(id: EventId, created_at: Timestamp, activity_type: ActivityType, visit_id: Option<VisitId>) -> Claim<ActivityFact> {
    let fact = ActivityFact {
        id,
        created_at,
        device_sequence: None,
        activity_type,
        visit_id,
        utc_offset_minutes: 0,
        position: None,
        stop_us: 0,
        anomalies: Anomalies::NONE,
        imported: false,
    };
    Claim { id, revision: 0, voided: false, content: u128::from(created_at.0 as u64) << 8 | activity_type as u128, own: created_at, fact }
}

/// Arrivals: when, and what.
type Arrivals = Vec<(Timestamp, Input)>;

/// A log from a seed.
pub fn log(seed: u64, faults: Faults) -> Vec<Record> {
    let mut rng = Rng(seed);
    let mut arrivals = Arrivals::new();
    for n in 0..faults.technicians {
        person(&mut rng, technician(n), faults, &mut arrivals);
    }
    if faults.ticks {
        // Ticks only here and there: a test with one each second would be all ticks.
        let mut at = EPOCH;
        while at < EPOCH + (faults.days + 12) * DAY_US {
            arrivals.push((at, Input::Tick { since: None }));
            at = at + 10 * MINUTE_US + rng.span(3 * HOUR_US);
        }
    }
    arrivals.sort_by_key(|(at, _)| *at);
    // Everything is over and final at the end.
    let end = arrivals.last().map_or(EPOCH, |(at, _)| *at) + 100 * HOUR_US;
    arrivals.push((end, Input::Tick { since: None }));
    number(arrivals)
}

/// Gives arrivals their offsets, with holes here and there.
pub fn number(arrivals: Arrivals) -> Vec<Record> {
    let at = |n: usize| n as i64 + n as i64 / 7;
    arrivals.into_iter().enumerate().map(|(n, (append_time, input))| Record { offset: at(n), append_time, input }).collect()
}

fn person(rng: &mut Rng, who: TechnicianId, faults: Faults, arrivals: &mut Arrivals) {
    for day in 0..faults.days {
        let start = EPOCH + day * DAY_US + 6 * HOUR_US + rng.span(3 * HOUR_US);
        if rng.chance(30) {
            plan(rng, who, start, arrivals);
        }
        let mut events = working_day(rng, start, faults);
        if rng.chance(3) {
            // A night on call: no 12 hours without an event.
            events.push((ActivityType::WorkResumed, start + 16 * HOUR_US, events[1].2));
        }
        for (activity_type, at, visit) in events {
            send(rng, who, activity_type, at, visit, faults, arrivals);
        }
    }
}

type Event = (ActivityType, Timestamp, Option<VisitId>);

fn working_day(rng: &mut Rng, start: Timestamp, faults: Faults) -> Vec<Event> {
    use ActivityType::*;
    let mut events = vec![(ShiftStart, start, None)];
    let mut at = start;
    let mut visit = VisitId(rng.id().0);
    for _ in 0..rng.below(4) + 1 {
        if rng.chance(80) {
            visit = VisitId(rng.id().0);
        }
        for step in [TravelStart, TravelEnd, ArrivedOnSite, WorkStarted, WorkPaused, WorkResumed, WorkCompleted, LeftSite] {
            at = at + rng.span(30 * MINUTE_US);
            if rng.chance(88) {
                events.push((step, at, (!rng.chance(4)).then_some(visit)));
            }
        }
        for step in [BreakStart, BreakEnd] {
            at = at + rng.span(20 * MINUTE_US);
            if rng.chance(40) {
                events.push((step, at, None));
            }
        }
        if rng.chance(3) {
            events.push((EmergencyStop, at + MINUTE_US, None));
        }
    }
    if !rng.chance(faults.forgotten_ends) {
        events.push((ShiftEnd, at + rng.span(HOUR_US), None));
    }
    events
}

fn send(
    rng: &mut Rng,
    who: TechnicianId,
    activity_type: ActivityType,
    at: Timestamp,
    visit: Option<VisitId>,
    faults: Faults,
    arrivals: &mut Arrivals,
) {
    let mut claim = activity(rng.id(), at, activity_type, visit);
    if rng.chance(30) {
        let (latitude, longitude) = (52.0 + rng.below(1_000) as f64 / 10_000.0, 4.9 + rng.below(1_000) as f64 / 10_000.0);
        claim.fact.position = Some(Position { latitude, longitude, accuracy_meters: 10 });
    }
    let delay = if rng.chance(faults.late) { rng.span(faults.late_max_us) } else { rng.span(20 * SECOND_US) };
    let arrived = at + delay;
    arrivals.push((arrived, Input::Activity(who, claim)));
    if rng.chance(faults.duplicates) {
        arrivals.push((arrived + rng.span(2 * DAY_US), Input::Activity(who, claim)));
    }
    if rng.chance(faults.conflicts) {
        let other = Claim { content: claim.content ^ 1 << 100, ..claim };
        arrivals.push((arrived + rng.span(DAY_US), Input::Activity(who, other)));
    }
    if rng.chance(faults.amendments) {
        amend(rng, who, claim, arrived, faults, arrivals);
    }
    if activity_type == ActivityType::EmergencyStop && rng.chance(70) {
        let fact = ClearanceFact { id: rng.id(), emergency_id: claim.id, created_at: at + rng.span(HOUR_US) };
        let claim = Claim { id: fact.id, revision: 0, voided: false, content: 1, own: fact.created_at, fact };
        arrivals.push((fact.created_at.max(arrived), Input::Clearance(who, claim)));
    }
    if activity_type == ActivityType::EmergencyStop && rng.chance(50) {
        signal(rng, who, at, arrivals);
    }
    if rng.chance(5) {
        arrivals.push((arrived, Input::Heartbeat(who, Device::new("phone"), arrived)));
    }
}

fn amend(rng: &mut Rng, who: TechnicianId, claim: Claim<ActivityFact>, arrived: Timestamp, faults: Faults, arrivals: &mut Arrivals) {
    let moved = if rng.chance(60) { rng.span(HOUR_US) } else { rng.span(6 * DAY_US) - 3 * DAY_US };
    let created_at = claim.own + moved;
    let mut amended = activity(claim.id, created_at, claim.fact.activity_type, claim.fact.visit_id);
    amended.revision = 1 + rng.below(2) as u32;
    amended.voided = rng.chance(40);
    let late = if rng.chance(30) { rng.span(faults.late_max_us) } else { rng.span(10 * HOUR_US) };
    // Sometimes before the original.
    let base = if rng.chance(20) { created_at } else { arrived };
    arrivals.push((base.max(created_at) + late, Input::Activity(who, amended)));
}

fn plan(rng: &mut Rng, who: TechnicianId, start: Timestamp, arrivals: &mut Arrivals) {
    let planned_start = start - HOUR_US + rng.span(2 * HOUR_US);
    let mut arrived = planned_start - DAY_US + rng.span(HOUR_US);
    let id = rng.id();
    for revision in 0..1 + rng.below(2) as u32 {
        let fact = ShiftPlanFact { id, planned_start, planned_end: planned_start + 8 * HOUR_US + rng.span(HOUR_US), lone_worker: false };
        let (voided, content) = (rng.chance(10), u128::from(rng.next()));
        arrivals.push((arrived, Input::ShiftPlan(who, Claim { id, revision, voided, content, own: planned_start, fact })));
        arrived = arrived + rng.span(2 * DAY_US);
    }
    let id = rng.id();
    let (window_start, window_end) = (start + HOUR_US, start + 3 * HOUR_US);
    let fact = VisitPlanFact { id, visit_id: VisitId(id.0), window_start, window_end, position: None, geofence_radius_meters: None };
    arrivals.push((arrived, Input::VisitPlan(who, Claim { id, revision: 0, voided: false, content: 7, own: window_start, fact })));
}

fn signal(rng: &mut Rng, who: TechnicianId, created_at: Timestamp, arrivals: &mut Arrivals) {
    let id = rng.id();
    let mut arrived = created_at;
    for update in 0..1 + rng.below(3) {
        arrived = arrived + rng.span(HOUR_US);
        let resolved_at = rng.chance(60).then(|| created_at + rng.span(HOUR_US));
        let fact = SignalFact {
            names_technician: rng.chance(90),
            ..SignalFact::new(id, created_at, EventCategory::Security, Severity::Error, resolved_at)
        };
        let own = created_at.max(resolved_at.unwrap_or(created_at)).min(arrived);
        let claim = Claim { id, revision: 0, voided: rng.chance(10), content: u128::from(update), own, fact };
        arrivals.push((arrived, Input::Signal(who, claim)));
        if rng.chance(20) {
            arrivals.push((arrived + rng.span(HOUR_US), Input::Signal(who, claim)));
        }
    }
}
