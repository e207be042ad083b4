//! What comes from elsewhere than the technicians: calls of the queues, operational events, names.

use super::calendar::Calendar;
use super::config::SimulatorConfig;
use super::corrupt;
use super::emission::{Body, Emission};
use super::faults::{FaultCounts, FaultKind};
use super::random::{Random, derived_uuid};
use super::technician::technician_id;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::{
    CallOutcome, CallType, Common, CommunicationCall, Contact, ContactKind, EventCategory, OperationalEvent, Severity,
};
use fieldline_schemas::ids::{ContactId, EventId, MessageId, TechnicianId, ThreadId};
use fieldline_schemas::time::{MINUTE_US, SECOND_US};
use fieldline_schemas::topics::Topic;
use fieldline_schemas::wire::AnyRecord;
use std::borrow::Cow;

const CALLS: u64 = 16 << 40;
const OPERATIONS: u64 = 17 << 40;
const AGENTS: u64 = 18 << 40;
const THREADS: u64 = 19 << 40;
const QUEUES: [&str; 4] = ["service", "planning", "parts", "out of hours"];
const AGENTS_COUNT: i64 = 12;
const TEAMS: [&str; 8] = ["Amsterdam", "Utrecht", "Rotterdam", "Den Haag", "Eindhoven", "Groningen", "Enschede", "Maastricht"];
/// (event_type, category, severity, title)
const INCIDENTS: [(&str, EventCategory, Severity, &str); 6] = [
    ("system_alert", EventCategory::System, Severity::Warning, "disk of the planning server is filling"),
    ("system_alert", EventCategory::System, Severity::Error, "no answer from the parts catalogue"),
    ("alarm_triggered", EventCategory::Security, Severity::Error, "door contact of a depot"),
    ("phone_ring", EventCategory::Communication, Severity::Info, "call outside hours"),
    ("stock_low", EventCategory::Operational, Severity::Info, "van stock below its minimum"),
    ("vehicle_fault", EventCategory::Operational, Severity::Warning, "engine light reported"),
];

/// How long it takes, as a rule, until somebody looks into an event, and from then until its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked {
    pub after_s: f64,
    pub ended_after_s: f64,
}

/// The source of everything that is not a technician's phone. A day of it is made at a time.
#[derive(Debug, Default)]
pub(super) struct Office {
    next_day: u32,
    calls: u64,
    events: u64,
    /// Latest first.
    pending: Vec<Emission>,
    complete_until: i64,
}

impl Office {
    pub fn next_at(&mut self, config: &SimulatorConfig, calendar: &Calendar, counts: &mut FaultCounts) -> Option<i64> {
        loop {
            if let Some(next) = self.pending.last()
                && self.next_day > 0
                && next.at.0 < self.complete_until
            {
                return Some(next.at.0);
            }
            if self.next_day >= config.days {
                self.complete_until = i64::MAX;
                return self.pending.last().map(|next| next.at.0);
            }
            self.make_day(config, calendar, counts);
        }
    }

    pub fn take(&mut self) -> Option<Emission> {
        self.pending.pop()
    }

    fn make_day(&mut self, config: &SimulatorConfig, calendar: &Calendar, counts: &mut FaultCounts) {
        let day = self.next_day;
        self.next_day += 1;
        self.complete_until = calendar.instant(self.next_day, 0).0;
        if day == 0 && config.contacts {
            self.contacts(config, calendar.instant(0, 0));
        }
        let mut random = Random::of(config.seed, CALLS, u64::from(day));
        let quiet = if calendar.weekday(day) < 5 { 1.0 } else { 0.2 };
        let technicians = f64::from(config.technicians) * quiet;
        let calls = number_around(&mut random, technicians * config.calls_per_technician_day);
        for _ in 0..calls {
            self.call(config, calendar, day, &mut random, counts);
        }
        let events = number_around(&mut random, technicians * config.operational_events_per_technician_day);
        for _ in 0..events {
            self.operational_event(config, calendar, day, &mut random, counts);
        }
        self.alarms(config, calendar, day, quiet, counts);
        // Stable, so that what is at the same instant keeps the order in which it was made.
        self.pending.sort_by_key(|e| std::cmp::Reverse(e.at));
    }

    fn contacts(&mut self, config: &SimulatorConfig, at: Timestamp) {
        let emit = |id, name: String, team: &'static str, kind| Emission {
            at,
            topic: Topic::Contacts,
            body: Body::Record(AnyRecord::Contact(Contact {
                id: ContactId(id),
                revision: 0,
                display_name: Some(Cow::Owned(name)),
                team: Some(Cow::Borrowed(team)),
                kind,
            })),
            fault: None,
        };
        for number in 0..config.technicians {
            let team = TEAMS[number as usize % TEAMS.len()];
            self.pending.push(emit(technician_id(config.seed, number), format!("Technician {number:05}"), team, ContactKind::Technician));
        }
        for number in 0..AGENTS_COUNT as u64 {
            self.pending.push(emit(
                derived_uuid(config.seed, AGENTS, number),
                format!("Agent {number:02}"),
                "Service desk",
                ContactKind::Agent,
            ));
        }
    }

    fn call(&mut self, config: &SimulatorConfig, calendar: &Calendar, day: u32, random: &mut Random, counts: &mut FaultCounts) {
        self.calls += 1;
        // Two humps, as call centres have them: mid-morning and early afternoon.
        let middle = if random.chance(0.6) { 10 * 60 } else { 14 * 60 + 30 };
        let minute = (f64::from(middle) + random.normal() * 90.0).clamp(0.0, 1_439.0);
        let started_at = calendar.instant(day, minute as i64) + random.between(0, MINUTE_US / 1_000) * 1_000;
        let outbound = random.chance(0.15);
        let wait_us = if outbound { 0 } else { random.span_us(18.0, 1.0) };
        let talk_us = random.span_us(190.0, 0.8);
        let answered = random.chance(if outbound { 0.7 } else { 0.9 });
        let transferred = answered && !outbound && random.chance(0.06);
        let (call_type, call_outcome) = match (outbound, answered) {
            (true, true) => (CallType::Outbound, CallOutcome::Answered),
            (true, false) => (CallType::Outbound, CallOutcome::NoAnswer),
            (false, true) if transferred => (CallType::Inbound, CallOutcome::Transferred),
            (false, true) => (CallType::Inbound, CallOutcome::Answered),
            (false, false) if random.chance(0.2) => (CallType::Voicemail, CallOutcome::VoicemailLeft),
            (false, false) => (CallType::Missed, CallOutcome::NoAnswer),
        };
        let ended_at = started_at + wait_us + if answered { talk_us } else { 0 };
        let number = self.calls;
        let queue = QUEUES[random.between(0, 3) as usize];
        let mut call = CommunicationCall {
            common: common(calendar, EventId(derived_uuid(config.seed, CALLS, number)), ended_at),
            communication_message_id: Some(MessageId(derived_uuid(config.seed, CALLS | 1, number))),
            call_type,
            call_outcome,
            duration_seconds: Some(if answered { (talk_us / SECOND_US) as i32 } else { 0 }),
            wait_time_seconds: (!outbound).then_some((wait_us / SECOND_US) as i32),
            recording_url: None,
            transcription: None,
            sentiment_score: (answered && random.chance(0.3)).then(|| f64::from((random.normal() * 30.0) as i32) / 100.0),
            sentiment_basis: None,
            transferred_to_contact_id: None,
            queue_name: (!outbound).then_some(Cow::Borrowed(queue)),
            ivr_path: (!outbound).then_some(Cow::Borrowed("[\"welcome\",\"menu\"]")),
            channel_type: Some(Cow::Borrowed("phone")),
            direction: Some(Cow::Borrowed(if outbound { "outbound" } else { "inbound" })),
            started_at: Some(started_at),
            agent_contact_id: answered.then(|| agent(config, random)),
            thread_id: Some(ThreadId(derived_uuid(config.seed, THREADS, random.next() % (1 + number * 4 / 5)))),
            root_call_id: None,
            abandoned: (call_type == CallType::Missed).then_some(true),
        };
        if call.sentiment_score.is_some() {
            call.sentiment_basis = Some(Cow::Borrowed("voice"));
        }
        if transferred {
            let mut second = call.clone();
            call.transferred_to_contact_id = Some(agent(config, random));
            self.calls += 1;
            let answered_at = ended_at + random.span_us(150.0, 0.6);
            second.common = common(calendar, EventId(derived_uuid(config.seed, CALLS, self.calls)), answered_at);
            second.call_outcome = CallOutcome::Answered;
            second.root_call_id = Some(call.common.id);
            second.agent_contact_id = call.transferred_to_contact_id;
            second.started_at = Some(ended_at);
            second.duration_seconds = Some((answered_at.since(ended_at) / SECOND_US) as i32);
            second.wait_time_seconds = Some(0);
            self.send(config, Topic::Calls, AnyRecord::CommunicationCall(second), answered_at, random, counts);
        }
        self.send(config, Topic::Calls, AnyRecord::CommunicationCall(call), ended_at, random, counts);
    }

    fn operational_event(
        &mut self,
        config: &SimulatorConfig,
        calendar: &Calendar,
        day: u32,
        random: &mut Random,
        counts: &mut FaultCounts,
    ) {
        self.events += 1;
        let created_at = calendar.instant(day, random.between(0, 1_439)) + random.between(0, 59_999) * 1_000;
        let (event_type, event_category, severity, title) = INCIDENTS[random.between(0, INCIDENTS.len() as i64 - 1) as usize];
        let technician = random.between(0, i64::from(config.technicians) - 1) as u32;
        let names_technician = event_type == "vehicle_fault" || event_type == "stock_low";
        let event = OperationalEvent {
            common: common(calendar, EventId(derived_uuid(config.seed, OPERATIONS, self.events)), created_at),
            event_type: Some(Cow::Borrowed(event_type)),
            event_category,
            severity,
            source_system: Some(Cow::Borrowed(if event_category == EventCategory::System { "monitoring" } else { "dispatch" })),
            title: Some(Cow::Borrowed(title)),
            description: None,
            resolved_at: None,
            resolved_by_contact_id: None,
            acknowledged_at: None,
            acknowledged_by_contact_id: None,
            dedup_key: Some(Cow::Owned(format!("{event_type}-{}", self.events))),
            technician_contact_id: names_technician.then(|| TechnicianId(technician_id(config.seed, technician))),
            vehicle_id: None,
            visit_id: None,
        };
        self.live_through(config, event, Looked { after_s: 300.0, ended_after_s: 2_700.0 }, random, counts);
    }

    /// Sends an event, that somebody looked into it, and mostly its end.
    pub(super) fn live_through(
        &mut self,
        config: &SimulatorConfig,
        mut event: OperationalEvent<'static>,
        looked: Looked,
        random: &mut Random,
        counts: &mut FaultCounts,
    ) {
        let created_at = event.common.created_at;
        self.send(config, Topic::Operations, AnyRecord::OperationalEvent(event.clone()), created_at, random, counts);
        let acknowledged_at = created_at + random.span_us(looked.after_s, 1.0);
        event.common.revision = 1;
        event.acknowledged_at = Some(acknowledged_at);
        event.acknowledged_by_contact_id = Some(agent(config, random));
        self.send(config, Topic::Operations, AnyRecord::OperationalEvent(event.clone()), acknowledged_at, random, counts);
        if random.chance(0.92) {
            let resolved_at = acknowledged_at + random.span_us(looked.ended_after_s, 1.2);
            event.common.revision = 2;
            event.resolved_at = Some(resolved_at);
            event.resolved_by_contact_id = event.acknowledged_by_contact_id;
            self.send(config, Topic::Operations, AnyRecord::OperationalEvent(event), resolved_at, random, counts);
        }
    }

    /// Servers have networks: only duplicates, delays and damage occur here.
    fn send(
        &mut self,
        config: &SimulatorConfig,
        topic: Topic,
        record: AnyRecord<'static>,
        at: Timestamp,
        random: &mut Random,
        counts: &mut FaultCounts,
    ) {
        let at = at + random.between(50_000, 800_000);
        let faults = &config.faults;
        if random.chance(faults.corrupt_per_event) {
            counts.count(FaultKind::Corrupt);
            let how = random.between(0, i64::from(u16::MAX)) as u16;
            return self.pending.push(Emission { at, topic, body: corrupt::damaged(record, how), fault: Some(FaultKind::Corrupt) });
        }
        if random.chance(faults.duplicate_per_event) {
            counts.count(FaultKind::Duplicate);
            let (again_at, body) = (at + random.span_us(20.0, 1.5), Body::Record(record.clone()));
            self.pending.push(Emission { at: again_at, topic, body, fault: Some(FaultKind::Duplicate) });
        }
        if random.chance(faults.late_per_event) {
            counts.count(FaultKind::Late);
            let late_at = at + random.span_us(1_800.0, 1.0);
            return self.pending.push(Emission { at: late_at, topic, body: Body::Record(record), fault: Some(FaultKind::Late) });
        }
        self.pending.push(Emission { at, topic, body: Body::Record(record), fault: None });
    }
}

fn agent(config: &SimulatorConfig, random: &mut Random) -> ContactId {
    ContactId(derived_uuid(config.seed, AGENTS, random.between(0, AGENTS_COUNT - 1) as u64))
}

/// A whole number near `mean`, whose mean is `mean`.
pub(super) fn number_around(random: &mut Random, mean: f64) -> u64 {
    let spread = 1.0 + random.normal() * 0.1;
    let value = (mean * spread).max(0.0);
    value as u64 + u64::from(random.chance(value.fract()))
}

pub(super) fn common(calendar: &Calendar, id: EventId, created_at: Timestamp) -> Common<'static> {
    let created_at = Timestamp(created_at.0 - created_at.0.rem_euclid(1_000));
    Common {
        id,
        revision: 0,
        voided: false,
        created_at,
        utc_offset_minutes: Some(calendar.offset_minutes(created_at)),
        recorded_at: None,
        device_id: None,
        device_sequence: None,
        source: Some(Cow::Borrowed("simulator")),
        imported: false,
        assigned: Vec::new(),
        metadata: None,
    }
}
