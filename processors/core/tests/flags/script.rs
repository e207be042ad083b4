//! A day of one technician, written down as arrivals; the flags that follow, as lines of text.
//!
//! Times are `HH:MM` or `HH:MM:SS` of 2026-11-24, hours above 23 being of the days after. A tick comes every second, but in an
//! outage. Every script is run straight, refolding everything, and with a restart at a dozen places: the flags that stand at
//! the end are the same.

use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::facts::{ActivityFact, Position, ShiftPlanFact, SignalFact, VisitPlanFact};
use fieldline_processors_core::flags::Device;
use fieldline_processors_core::partition::{Claim, Effects, Input, Partition, Path, Position as Place, Record, Settings};
use fieldline_schemas::alerts::{Flag, FlagStanding};
use fieldline_schemas::events::{ActivityType, EventCategory, Severity};
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::time::{HOUR_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{Anomalies, Timestamp, Version};
use std::collections::BTreeMap;

/// 2026-11-24 00:00 UTC.
const MIDNIGHT: Timestamp = Timestamp(1_795_478_400 * SECOND_US);
const RESTARTS: usize = 12;

pub fn time(text: &str) -> Timestamp {
    let mut parts = text.split(':').map(|part| part.parse::<i64>().unwrap());
    let (hours, minutes, seconds) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap_or(0));
    MIDNIGHT + hours * HOUR_US + minutes * MINUTE_US + seconds * SECOND_US
}

fn clock_text(at: Timestamp) -> String {
    let us = at.since(MIDNIGHT);
    assert_eq!(us % SECOND_US, 0, "whole seconds");
    let seconds = us / SECOND_US;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

pub fn technician() -> TechnicianId {
    TechnicianId(uuid::Uuid::from_u128(7))
}

pub fn visit(n: u128) -> Option<VisitId> {
    Some(VisitId(uuid::Uuid::from_u128(n)))
}

/// Arrivals under construction. The last one can be changed by what follows.
#[derive(Clone, Default)]
pub struct Script {
    arrivals: Vec<(Timestamp, Input)>,
    names: Vec<&'static str>,
    outages: Vec<(Timestamp, Timestamp)>,
}

impl Script {
    fn id(&mut self, name: &'static str) -> EventId {
        let known = self.names.iter().position(|known| *known == name);
        let n = known.unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        EventId(uuid::Uuid::from_u128(n as u128 + 1))
    }

    fn name(&self, alert_id: &str) -> String {
        let (alert, cause) = alert_id.rsplit_once(':').unwrap();
        assert!(alert.ends_with(&format!(":{}", technician())), "{alert_id}");
        match uuid::Uuid::parse_str(cause) {
            Ok(id) => self.names[id.as_u128() as usize - 1].to_owned(),
            Err(_) => {
                let (at, device) = cause.split_once('-').unwrap();
                let of_phone = device == Device::new("phone").to_string();
                let at = clock_text(Timestamp(at.parse().unwrap()));
                if of_phone { at } else { format!("{at}-other") }
            }
        }
    }

    /// Arrives when it happens.
    pub fn event(self, at: &str, name: &'static str, activity_type: ActivityType) -> Self {
        self.late(at, at, name, activity_type)
    }

    /// Happened at `own`, arrives at `at`.
    pub fn late(mut self, at: &str, own: &str, name: &'static str, activity_type: ActivityType) -> Self {
        let (id, created_at) = (self.id(name), time(own));
        let fact = ActivityFact {
            id,
            created_at,
            device_sequence: None,
            activity_type,
            visit_id: None,
            utc_offset_minutes: 0,
            position: None,
            stop_us: 0,
            anomalies: Anomalies::NONE,
            imported: false,
        };
        let claim = Claim { id, revision: 0, voided: false, content: created_at.0 as u128, own: created_at, fact };
        self.arrivals.push((time(at), Input::Activity(technician(), claim)));
        self
    }

    fn last(&mut self) -> &mut Claim<ActivityFact> {
        match self.arrivals.last_mut() {
            Some((_, Input::Activity(_, claim))) => claim,
            other => panic!("no activity: {other:?}"),
        }
    }

    pub fn at_visit(mut self, n: u128) -> Self {
        self.last().fact.visit_id = visit(n);
        self
    }

    pub fn at_position(mut self, latitude: f64, longitude: f64) -> Self {
        self.last().fact.position = Some(Position { latitude, longitude, accuracy_meters: 10 });
        self
    }

    pub fn imported(mut self) -> Self {
        self.last().fact.imported = true;
        self
    }

    /// The last event is the given revision of its id.
    pub fn revision(mut self, revision: u32) -> Self {
        self.last().revision = revision;
        self
    }

    /// Withdraws an id, with the given revision.
    pub fn void(self, at: &str, own: &str, name: &'static str, activity_type: ActivityType, revision: u32) -> Self {
        let mut script = self.late(at, own, name, activity_type).revision(revision);
        script.last().voided = true;
        script
    }

    pub fn shift_plan(mut self, at: &str, name: &'static str, (start, end): (&str, &str), lone_worker: bool, revision: u32) -> Self {
        let fact = ShiftPlanFact { id: self.id(name), planned_start: time(start), planned_end: time(end), lone_worker };
        let content = (fact.planned_end.0 as u128) << 1 | u128::from(lone_worker);
        let claim = Claim { id: fact.id, revision, voided: false, content, own: fact.planned_start, fact };
        self.arrivals.push((time(at), Input::ShiftPlan(technician(), claim)));
        self
    }

    pub fn visit_plan(mut self, at: &str, name: &'static str, n: u128, (start, end): (&str, &str), revision: u32, voided: bool) -> Self {
        let fact = VisitPlanFact {
            id: self.id(name),
            visit_id: visit(n).unwrap(),
            window_start: time(start),
            window_end: time(end),
            position: None,
            geofence_radius_meters: None,
        };
        let claim = Claim { id: fact.id, revision, voided, content: fact.window_end.0 as u128, own: fact.window_start, fact };
        self.arrivals.push((time(at), Input::VisitPlan(technician(), claim)));
        self
    }

    /// An operational event of `own` that names the technician: a security alarm, but for what `change` makes of it. An update that
    /// arrives later stands.
    pub fn signal(mut self, at: &str, own: &str, name: &'static str, change: impl FnOnce(&mut Claim<SignalFact>)) -> Self {
        let (id, created_at, arrives_at) = (self.id(name), time(own), time(at));
        let fact = SignalFact::new(id, created_at, EventCategory::Security, Severity::Warning, None);
        let mut claim = Claim { id, revision: 0, voided: false, content: arrives_at.0 as u128, own: created_at, fact };
        change(&mut claim);
        claim.own = created_at.max(claim.fact.resolved_at.unwrap_or(created_at)).min(arrives_at);
        self.arrivals.push((arrives_at, Input::Signal(technician(), claim)));
        self
    }

    pub fn heartbeat(mut self, at: &str) -> Self {
        self.arrivals.push((time(at), Input::Heartbeat(technician(), Device::new("phone"), time(at))));
        self
    }

    /// Heartbeats of the phone every `every_s` seconds.
    pub fn heartbeats(self, from: &str, to: &str, every_s: i64) -> Self {
        self.device("phone", from, to, every_s)
    }

    pub fn device(mut self, device: &str, from: &str, to: &str, every_s: i64) -> Self {
        let mut at = time(from);
        while at <= time(to) {
            self.arrivals.push((at, Input::Heartbeat(technician(), Device::new(device), at)));
            at = at + every_s * SECOND_US;
        }
        self
    }

    /// An event that happened once arrives again and again.
    pub fn duplicates(self, from: &str, to: &str, every_s: i64, (own, name, activity_type): (&str, &'static str, ActivityType)) -> Self {
        let mut script = self.late(from, own, name, activity_type);
        let (mut at, input) = *script.arrivals.last().unwrap();
        while at < time(to) {
            at = at + every_s * SECOND_US;
            script.arrivals.push((at, input));
        }
        script
    }

    /// No tick comes from after `from` until before `to`.
    pub fn outage(mut self, from: &str, to: &str) -> Self {
        self.outages.push((time(from), time(to)));
        self
    }

    /// The records, with ticks up to `until`.
    pub fn records(&self, until: &str) -> Vec<Record> {
        let mut arrivals = self.arrivals.clone();
        arrivals.sort_by_key(|(at, _)| *at);
        let first = arrivals.first().unwrap().0;
        let ticks = (0..=time(until).since(first) / SECOND_US).map(|n| first + n * SECOND_US);
        let ticks = ticks.filter(|at| !self.outages.iter().any(|(from, to)| at > from && at < to));
        arrivals.extend(ticks.map(|at| (at, Input::Tick { since: None })));
        arrivals.sort_by_key(|(at, _)| *at);
        arrivals.into_iter().zip(0..).map(|((append_time, input), offset)| Record { offset, append_time, input }).collect()
    }

    fn line(&self, flag: &Flag<'_>) -> String {
        let Flag { flag: code, standing, severity, .. } = flag;
        let (as_of, opened_at) = (clock_text(flag.as_of), clock_text(flag.opened_at));
        let late = if flag.is_late { " late" } else { "" };
        let opened = if opened_at == as_of { String::new() } else { format!(" opened {opened_at}") };
        format!("{as_of} {} {} {} {}{opened}{late}", code.symbol(), self.name(&flag.alert_id), standing.symbol(), severity.symbol())
    }

    /// Runs the script with ticks up to `until` and compares the flags.
    #[track_caller]
    pub fn check(&self, until: &str, expected: &[&str]) {
        let records = self.records(until);
        let outputs = run(&mut Partition::new(settings()), &records);
        let lines: Vec<String> = outputs.iter().flat_map(|(_, flags)| flags).map(|flag| self.line(flag)).collect();
        assert_eq!(lines, expected);
        let refold = run(&mut Partition::new(Settings { path: Path::Refold, ..settings() }), &records);
        assert_eq!(outputs, refold, "refolding everything");
        let places = places(&records);
        for n in 0..RESTARTS {
            let place = places[(n * places.len() + places.len() / 2) / RESTARTS];
            assert_same_standings(&outputs, &restarted(&records, &outputs, place), &format!("restarted at {place:?}"));
        }
    }

    /// What a state that is rebuilt just before the records from `at` on puts out itself.
    pub fn after_restart(&self, at: &str, until: &str) -> Vec<String> {
        let records = self.records(until);
        let place = places(&records).into_iter().find(|place| place.clock >= time(at)).unwrap();
        let own = run(&mut Partition::rebuild(settings(), place), replayed(&records, place));
        own.iter().flat_map(|(_, flags)| flags).map(|flag| self.line(flag)).collect()
    }

    /// Every flag, whole.
    pub fn flags(&self, until: &str) -> Vec<Flag<'static>> {
        run(&mut Partition::new(settings()), &self.records(until)).into_iter().flat_map(|(_, flags)| flags).collect()
    }
}

pub fn settings() -> Settings {
    Settings::single(Definition::default())
}

/// The flags that each record caused, by its offset.
pub type Outputs = Vec<(i64, Vec<Flag<'static>>)>;

pub fn run(partition: &mut Partition, records: &[Record]) -> Outputs {
    let mut outputs = Outputs::new();
    let mut effects = Effects::default();
    for record in records {
        partition.apply(record, &mut effects).unwrap();
        if !effects.flags.is_empty() {
            outputs.push((record.offset, effects.flags.clone()));
        }
        effects.clear();
    }
    outputs
}

/// Every place that could be committed.
pub fn places(records: &[Record]) -> Vec<Place> {
    let mut partition = Partition::new(settings());
    let mut effects = Effects::default();
    let mut places: Vec<Place> = Vec::new();
    for record in records {
        partition.apply(record, &mut effects).unwrap();
        effects.clear();
        places.extend(partition.finished().filter(|place| places.last() != Some(place)));
    }
    places
}

pub fn replayed(records: &[Record], place: Place) -> &[Record] {
    let from = Partition::replay_from(place.clock);
    &records[records.partition_point(|record| record.append_time < from)..]
}

/// What is on the topic when somebody stopped at `place`, right after the commit, and another one took over.
pub fn restarted(records: &[Record], outputs: &Outputs, place: Place) -> Outputs {
    let mut all: Outputs = outputs.iter().filter(|(offset, _)| *offset < place.offset).cloned().collect();
    all.extend(run(&mut Partition::rebuild(settings(), place), replayed(records, place)));
    all
}

/// What a reader makes of it: of each alert the record with the highest version, beginning with one that raises.
pub fn standings(outputs: &Outputs) -> BTreeMap<String, (FlagStanding, String)> {
    let mut known: BTreeMap<String, (Version, &Flag<'static>)> = BTreeMap::new();
    for flag in outputs.iter().flat_map(|(_, flags)| flags) {
        let before = known.get(flag.alert_id.as_ref()).map(|(version, _)| *version);
        if before.is_some_and(|before| before < flag.version) || before.is_none() && flag.standing == FlagStanding::Raised {
            known.insert(flag.alert_id.to_string(), (flag.version, flag));
        }
    }
    known.into_iter().map(|(id, (_, flag))| (id, (flag.standing, flag.severity.symbol().to_owned()))).collect()
}

#[track_caller]
pub fn assert_same_standings(one: &Outputs, other: &Outputs, place: &str) {
    assert_eq!(standings(one), standings(other), "{place}");
}
