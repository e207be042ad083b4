//! What only the three families together say: calls during travel, calls after a visit, incidents at a visit, alarms
//! that should have been an emergency, a technician's timeline. Each with late and amended events.

use crate::near_duplicates::place;
use crate::setup::{Random, TestDatabase, activity, at, call, insert_log, operation, technician, visit};
use crate::world::{self, World};
use fieldline_schemas::events::{
    ActivityType, CallOutcome, CallType, CommunicationCall, EventCategory, OperationalEvent, Severity, TechnicianActivity,
};
use fieldline_schemas::ids::{ContactId, EventId, TechnicianId, ThreadId, VisitId};
use fieldline_schemas::time::{DAY_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{AnyRecord, Timestamp, Topic};

type Activity = TechnicianActivity<'static>;
type Call = CommunicationCall<'static>;

fn contact(who: TechnicianId) -> ContactId {
    ContactId(who.0)
}

fn act(number: u8, minutes: i64, kind: ActivityType, at_visit: Option<u8>) -> AnyRecord<'static> {
    AnyRecord::TechnicianActivity(Activity { visit_id: at_visit.map(visit), ..activity(number, minutes, kind) })
}

/// A call that technician 1 takes.
fn taken(number: u8, minutes: i64) -> Call {
    Call { agent_contact_id: Some(contact(technician(1))), ..of_time(call(number, Some("sales")), at(minutes)) }
}
fn of_time(call: Call, started_at: Timestamp) -> Call {
    Call { started_at: Some(started_at), ..call }
}

const DURING: &str = "SELECT substring(toString(id), 3, 2), role, dateDiff('minute', travel_started_at, talk_began_at), travel_quality \
                      FROM calls_during_travel ORDER BY id, role";

#[test]
fn calls_during_travel() {
    use ActivityType::*;
    let day = [
        act(1, 0, ShiftStart, None),
        act(2, 10, TravelStart, Some(1)),
        act(3, 20, BreakStart, None),
        act(4, 30, BreakEnd, None),
        act(5, 40, ArrivedOnSite, Some(1)),
        act(6, 60, LeftSite, Some(1)),
        // In one minute with it: the visit that was left comes first.
        act(7, 60, TravelStart, Some(2)),
        act(8, 70, WorkStarted, Some(2)),
        act(9, 88, TravelStart, None),
        act(10, 90, TravelStart, None),
    ];
    let calls = [
        taken(0x20, 5),
        taken(0x21, 10),
        of_time(taken(0x22, 0), at(20) + -1),
        taken(0x23, 20),
        taken(0x24, 30),
        taken(0x25, 40),
        // In the queue before the travel, on the phone during it.
        Call { wait_time_seconds: Some(120), ..taken(0x26, 59) },
        taken(0x27, 70),
        taken(0x28, 95),
        of_time(taken(0x29, 0), at(90) + DAY_US + -1),
        of_time(taken(0x2a, 0), at(90) + DAY_US),
        // Handed to the technician after half an hour of talk with another agent.
        Call {
            agent_contact_id: Some(ContactId::from_bytes([9; 16])),
            transferred_to_contact_id: Some(contact(technician(1))),
            duration_seconds: Some(1_800),
            ..taken(0x2b, 65)
        },
        Call { agent_contact_id: None, ..taken(0x2c, 95) },
    ];
    let test = TestDatabase::new("calls_during_travel");
    let calls: Vec<_> = calls.into_iter().map(AnyRecord::CommunicationCall).collect();
    insert_log(&test, day.iter().cloned().chain(calls.iter().cloned()));
    let expect = [
        "21\tagent\t0\tobserved",
        "22\tagent\t9\tobserved",
        "24\tagent\t20\tobserved",
        "26\tagent\t1\timputed",
        "28\tagent\t7\topen",
        "29\tagent\t1441\topen",
        "2b\ttransferred_to\t7\topen",
    ];
    test.check(DURING, &expect);

    // A travel_end that was uploaded late ends the last travel, an amendment moves the arrival, a void takes the break away.
    let test = TestDatabase::new("calls_during_travel_late");
    let amended = |record: &AnyRecord<'static>, change: &dyn Fn(&mut Activity)| {
        let AnyRecord::TechnicianActivity(activity) = record else { unreachable!() };
        let mut activity = activity.clone();
        activity.common.revision = 1;
        change(&mut activity);
        AnyRecord::TechnicianActivity(activity)
    };
    let later = [
        act(11, 94, TravelEnd, None),
        amended(&day[4], &|arrival| arrival.common.created_at = at(41)),
        amended(&day[2], &|start| start.common.voided = true),
    ];
    insert_log(&test, calls.into_iter().chain(later).chain(day));
    test.check(
        DURING,
        &[
            "21\tagent\t0\tobserved",
            "22\tagent\t9\tobserved",
            "23\tagent\t10\tobserved",
            "24\tagent\t20\tobserved",
            "25\tagent\t30\tobserved",
            "26\tagent\t1\timputed",
        ],
    );
}

/// What goes on after each event, said again as a walk through them.
#[derive(Clone, Copy, Default)]
struct Walk {
    /// Its first travel_start, where to, and the last of its travel_starts.
    travel: Option<(Timestamp, Option<VisitId>, Timestamp)>,
    is_break: bool,
    bound_for: Option<VisitId>,
}

impl Walk {
    /// Whether the event has decided if there is a travel.
    fn step(&mut self, event: &Activity) -> bool {
        use ActivityType::*;
        let ends_travel = match event.activity_type {
            TravelEnd | ArrivedOnSite | WorkStarted | WorkResumed | EmergencyStop | ShiftEnd => true,
            LeftSite => self.is_break || (event.visit_id.is_some() && event.visit_id == self.bound_for),
            WorkCompleted => self.is_break,
            _ => false,
        };
        if ends_travel {
            self.travel = None;
        }
        match event.activity_type {
            TravelStart => {
                let at = event.common.created_at;
                let goes_on = self.travel.filter(|(_, to, last)| *to == event.visit_id && at <= *last + DAY_US);
                self.travel = Some((goes_on.map_or(at, |(first, ..)| first), event.visit_id, at));
                (self.bound_for, self.is_break) = (event.visit_id, false);
                return goes_on.is_none();
            }
            BreakStart => self.is_break = true,
            TravelEnd | WorkPaused | VehicleInspection | FuelStop => {}
            _ => self.is_break = false,
        }
        ends_travel
    }
}

#[test]
fn travels_equal_walking_through_the_events() {
    let random = &mut Random(77);
    let visits = [None, Some(visit(1)), Some(visit(2))];
    let mut events: Vec<Activity> = Vec::new();
    for who in 0..20 {
        for _ in 0..120 {
            let mut event = activity(0, 0, random.pick(ActivityType::ALL));
            event.common.id = EventId::from_bytes(random.id());
            event.common.created_at = at(10 * random.below(700) as i64);
            event.technician_contact_id = technician(who);
            event.visit_id = random.pick(&visits);
            events.push(event);
        }
    }
    let calls: Vec<Call> = (0..3_000)
        .map(|_| {
            let mut record = call(0, None);
            record.common.id = EventId::from_bytes(random.id());
            record.common.created_at = at(10 * random.below(700) as i64) + random.pick(&[0, 1, -1]);
            record.agent_contact_id = Some(contact(technician(random.below(20) as u8)));
            record
        })
        .collect();
    let test = TestDatabase::new("travels");
    let activities = events.iter().cloned().map(AnyRecord::TechnicianActivity);
    insert_log(&test, activities.chain(calls.iter().cloned().map(AnyRecord::CommunicationCall)));

    let mut keyed: Vec<_> = events.iter().map(|event| (place(event, &events), event)).collect();
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let ordered: Vec<&Activity> = keyed.into_iter().map(|(_, event)| event).collect();
    let mut lines = Vec::new();
    for call in &calls {
        let (who, now) = (call.agent_contact_id.unwrap(), call.common.created_at);
        let own: Vec<&Activity> = ordered.iter().copied().filter(|e| contact(e.technician_contact_id) == who).collect();
        let (before, after) = own.split_at(own.partition_point(|e| e.common.created_at <= now));
        let mut walk = Walk::default();
        before.iter().for_each(|event| _ = walk.step(event));
        let Some((started, to, _)) = walk.travel.filter(|(.., last)| !walk.is_break && now < *last + DAY_US) else { continue };
        let mut ahead = walk;
        let quality = match after.iter().find(|event| ahead.step(event)) {
            Some(end) if end.activity_type == ActivityType::TravelEnd => "observed",
            Some(end) if end.activity_type == ActivityType::ArrivedOnSite && (to.is_none() || end.visit_id == to) => "observed",
            Some(end) if matches!(end.activity_type, ActivityType::WorkStarted | ActivityType::WorkResumed) => "imputed",
            _ => "open",
        };
        let to = to.map_or("\\N".to_owned(), |visit| visit.to_string());
        lines.push(format!("{}\t{}\t{to}\t{quality}", call.common.id, started.0));
    }
    lines.sort();
    assert!(lines.len() > 200 && lines.iter().any(|line| line.ends_with("imputed")), "{}", lines.len());
    let query =
        "SELECT id, toUnixTimestamp64Micro(travel_started_at), visit_id, travel_quality FROM calls_during_travel ORDER BY toString(id)";
    assert_eq!(test.lines(query), lines);
}

fn world_activity(id: u128, minutes: i64, kind: ActivityType, at_visit: Option<u128>) -> AnyRecord<'static> {
    AnyRecord::TechnicianActivity(world::activity(1, id, at(minutes), kind, at_visit))
}

fn alarm(number: u8, minutes: i64) -> OperationalEvent<'static> {
    OperationalEvent { technician_contact_id: Some(world::technician(1)), ..operation(number, minutes) }
}

#[test]
fn calls_after_a_visit_and_incidents_at_it() {
    use ActivityType::*;
    let mut world = World::new("calls_after_visits", at(600));
    let thread = ThreadId::from_bytes([0x44; 16]);
    let mut arrived = world::activity(1, 2, at(0), ArrivedOnSite, Some(1));
    arrived.common.metadata = Some(format!(r#"{{"thread_id":"{thread}"}}"#).into());
    world.append([
        world_activity(1, -10, ShiftStart, None),
        AnyRecord::TechnicianActivity(arrived),
        world_activity(3, 30, WorkCompleted, Some(1)),
        world_activity(4, 60, LeftSite, Some(1)),
        world_activity(5, 70, ArrivedOnSite, Some(2)),
    ]);
    let naming = |number, started_at, place: &str| {
        let mut record = of_time(call(number, Some("sales")), started_at);
        let id = world::visit(1);
        record.common.metadata = Some(place.replace("ID", &id.to_string()).into());
        record
    };
    let end = at(60);
    let calls = [
        naming(1, end, r#"{"visit_id":"ID"}"#),
        naming(2, end + 1, r#"{"visit_id":"ID"}"#),
        naming(3, end + 7 * DAY_US, r#"{"unmapped":{"visit_id":"ID"}}"#),
        naming(4, end + 7 * DAY_US + 1, r#"{"visit_id":"ID"}"#),
        naming(5, end + 91 * DAY_US, r#"{"visit_id":"ID"}"#),
        naming(6, end + MINUTE_US, r#"{"visit_id":"none"}"#),
        Call { thread_id: Some(thread), call_type: CallType::Outbound, ..of_time(call(7, None), end + DAY_US) },
        Call { thread_id: Some(ThreadId::from_bytes([0x45; 16])), ..of_time(call(8, None), end + DAY_US) },
        Call { thread_id: Some(thread), ..naming(9, end + DAY_US + 1, r#"{"visit_id":"ID"}"#) },
    ];
    world.append_to(Topic::Calls, &calls.map(AnyRecord::CommunicationCall));
    let at_visit = |number, minutes, who: u128| OperationalEvent { visit_id: Some(world::visit(who)), ..operation(number, minutes) };
    let mut resolved = at_visit(3, 61, 1);
    resolved.resolved_at = Some(at(91));
    let incidents = [at_visit(1, -1, 1), at_visit(2, 60, 1), resolved, at_visit(4, 500, 2), at_visit(5, 0, 9), operation(6, 0)];
    world.append_to(Topic::Operations, &incidents.map(AnyRecord::OperationalEvent));
    world.settle();
    let after = "SELECT substring(toString(id), 3, 2), link, seconds_after, within_days, is_inbound FROM calls_after_visits ORDER BY id";
    world.test.check(
        after,
        &[
            "02\tvisit_id\t0.000001\t1\ttrue",
            "03\tvisit_id\t604800\t7\ttrue",
            "04\tvisit_id\t604800.000001\t8\ttrue",
            "07\tthread_id\t86400\t1\tfalse",
            "09\tvisit_id\t86400.000001\t2\ttrue",
        ],
    );
    let timing = "SELECT substring(toString(incident_id), 3, 2), length(visit_technician_contact_ids), resolve_seconds, timing \
                  FROM visit_incidents ORDER BY incident_id";
    world
        .test
        .check(timing, &["01\t1\t\\N\tbefore", "02\t1\t\\N\tduring", "03\t1\t1800\tafter", "04\t1\t\\N\tduring", "05\t0\t\\N\tunknown"]);

    // The left_site is amended to two minutes later, an incident is amended to another visit.
    let mut later = world::activity(1, 4, at(62), LeftSite, Some(1));
    later.common.revision = 1;
    world.append([AnyRecord::TechnicianActivity(later)]);
    let mut moved = at_visit(1, -1, 2);
    moved.common.revision = 1;
    world.append_to(Topic::Operations, &[AnyRecord::OperationalEvent(moved)]);
    let mut void = naming(9, end, "{}");
    (void.common.revision, void.common.voided) = (1, true);
    world.append_to(Topic::Calls, &[AnyRecord::CommunicationCall(void)]);
    world.settle();
    world.test.check(after, &["03\tvisit_id\t604680\t7\ttrue", "04\tvisit_id\t604680.000001\t7\ttrue", "07\tthread_id\t86280\t1\tfalse"]);
    world
        .test
        .check(timing, &["01\t1\t\\N\tbefore", "02\t1\t\\N\tduring", "03\t1\t1800\tduring", "04\t1\t\\N\tduring", "05\t0\t\\N\tunknown"]);
}

#[test]
fn alarms_that_should_have_been_an_emergency() {
    use ActivityType::*;
    let mut world = World::new("alarms_without_emergency", at(600));
    world.append([
        world_activity(1, 0, ShiftStart, None),
        world_activity(2, 100, EmergencyStop, None),
        world_activity(3, 480, ShiftEnd, None),
    ]);
    let two_minutes = 120 * SECOND_US;
    let at_time = |number, created_at| {
        let mut alarm = alarm(number, 0);
        alarm.common.created_at = created_at;
        alarm
    };
    let with = |number, minutes, event_category, severity| OperationalEvent { event_category, severity, ..alarm(number, minutes) };
    let alarms = [
        at_time(1, at(0)),
        at_time(2, at(0) + -1),
        at_time(3, at(100) + two_minutes),
        at_time(4, at(100) + two_minutes + 1),
        at_time(5, at(100) + -two_minutes),
        at_time(6, at(100) + -two_minutes + -1),
        at_time(7, at(480)),
        at_time(8, at(480) + 1),
        with(9, 200, EventCategory::System, Severity::Critical),
        with(10, 200, EventCategory::Security, Severity::Info),
        with(11, 200, EventCategory::System, Severity::Error),
        OperationalEvent { technician_contact_id: None, ..alarm(12, 200) },
        OperationalEvent { technician_contact_id: Some(world::technician(2)), ..alarm(13, 200) },
    ];
    world.append_to(Topic::Operations, &alarms.map(AnyRecord::OperationalEvent));
    world.settle();
    let query = "SELECT substring(toString(id), 3, 2), nearest_emergency_seconds FROM alarms_without_emergency ORDER BY id";
    world.test.check(query, &["01\t\\N", "04\t120.000001", "06\t120.000001", "07\t\\N", "09\t\\N", "0a\t\\N"]);

    // Late: the press that was missing, the one that was voided, a shift_end amended to later, an update that is harmless.
    let mut void = world::activity(1, 2, at(100), EmergencyStop, None);
    (void.common.revision, void.common.voided) = (1, true);
    let mut end = world::activity(1, 3, at(481), ShiftEnd, None);
    end.common.revision = 1;
    world.append([AnyRecord::TechnicianActivity(void), AnyRecord::TechnicianActivity(end), world_activity(4, 201, EmergencyStop, None)]);
    let mut harmless = with(7, 0, EventCategory::System, Severity::Info);
    harmless.common.revision = 1;
    world.append_to(Topic::Operations, &[AnyRecord::OperationalEvent(harmless)]);
    world.settle();
    world.test.check(query, &["01\t\\N", "03\t\\N", "04\t\\N", "05\t\\N", "06\t\\N", "08\t\\N"]);
}

#[test]
fn a_timeline_has_all_three_families_in_order() {
    use ActivityType::*;
    let test = TestDatabase::new("timeline");
    let mut local = activity(1, -600, ShiftStart);
    local.common.utc_offset_minutes = Some(-180);
    local.notes = Some("at home".into());
    let mut alarm = OperationalEvent { technician_contact_id: Some(technician(1)), ..operation(0x10, 30) };
    (alarm.visit_id, alarm.title) = (Some(visit(1)), Some("words".into()));
    let mut resolved = alarm.clone();
    (resolved.common.revision, resolved.resolved_at) = (1, Some(at(45)));
    let log = [
        AnyRecord::TechnicianActivity(local),
        act(2, 30, TravelStart, Some(2)),
        act(3, 30, LeftSite, Some(1)),
        act(4, 0, ArrivedOnSite, Some(1)),
        AnyRecord::OperationalEvent(alarm),
        AnyRecord::OperationalEvent(resolved),
        AnyRecord::CommunicationCall(Call { duration_seconds: Some(60), wait_time_seconds: Some(30), ..taken(0x20, 30) }),
        AnyRecord::CommunicationCall(Call {
            call_outcome: CallOutcome::Transferred,
            agent_contact_id: Some(ContactId::from_bytes([9; 16])),
            transferred_to_contact_id: Some(contact(technician(1))),
            ..taken(0x21, 29)
        }),
    ];
    let query = "SELECT place, substring(toString(id), 3, 2), family, what, role, local_date, dateDiff('second', at, ended_at) \
                 FROM technician_timeline ORDER BY technician_contact_id, place";
    let expect = [
        "1\t01\tactivity\tshift_start\tactor\t2026-03-01\t\\N",
        "2\t04\tactivity\tarrived_on_site\tactor\t2026-03-02\t\\N",
        "3\t21\tcall\tinbound transferred\ttransferred_to\t2026-03-02\t\\N",
        "4\t03\tactivity\tleft_site\tactor\t2026-03-02\t\\N",
        "5\t02\tactivity\ttravel_start\tactor\t2026-03-02\t\\N",
        "6\t10\toperational\tsecurity critical\tsubject\t2026-03-02\t900",
        "7\t20\tcall\tinbound answered\tagent\t2026-03-02\t90",
    ];
    insert_log(&test, log.clone());
    test.check(query, &expect);
    let shown = test.lines("SELECT * FROM technician_timeline FORMAT TSVRaw").concat();
    assert!(!shown.contains("words") && !shown.contains("at home"));

    // The same, backwards and twice, with an arrival that is amended and a call that is voided.
    let late = TestDatabase::new("timeline_late");
    let mut amended = activity(4, -1, ArrivedOnSite);
    (amended.common.revision, amended.visit_id) = (1, Some(visit(1)));
    let mut void = taken(0x20, 30);
    (void.common.revision, void.common.voided) = (1, true);
    let changes = [AnyRecord::TechnicianActivity(amended), AnyRecord::CommunicationCall(void)];
    insert_log(&late, changes.into_iter().chain(log.iter().rev().cloned()).chain(log.iter().cloned()));
    late.check(query, &expect[..6]);
    late.check("SELECT at FROM technician_timeline WHERE place = 2", &["2026-03-02 07:59:00.000000"]);
}
