//! Sentences about durations, each with a small day and its minutes worked out by hand, through both computations.

use crate::compare::visits_of;
use crate::rows::VisitRow;
use crate::scenario::{MONDAY_US, Scenario, visit_id};
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::facts::{ClearanceFact, SignalFact};
use fieldline_processors_core::fold;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::{EventCategory, Severity};
use fieldline_schemas::results::{Measure, Quality, ShiftResult};
use fieldline_schemas::time::MINUTE_US;

/// Sentence | events | expectations: `row.field = minutes` (observed), `lo..hi imputed`, `lo..hi open`, or `nothing` to measure.
/// Of several shifts `s1` is the first.
const CASES: &str = "
a travel_end after the arrival: the arrival ends it
| 08:00 shift_start; 08:10 travel_start v1; 08:40 arrived_on_site v1; 08:50 travel_end v1; 09:00 left_site v1; 09:30 shift_end
| v1.travel = 30; s1.travel = 30; v1.on_site = 20; s1.idle = 40

arrival without start: NULL, not 0
| 08:00 shift_start; 08:40 arrived_on_site v1; 09:00 left_site v1; 09:30 shift_end
| v1.travel = nothing; s1.travel = 0; v1.on_site = 20; v1.site_wait = 20; v1.work = 0

travel only: nothing on site could be measured
| 08:00 shift_start; 08:10 travel_start v1; 08:40 travel_end v1; 09:30 shift_end
| v1.travel = 30; v1.on_site = nothing; v1.work = nothing; s1.on_site = 0

a travel without visit counts for the technician and for no visit; an arrival anywhere ends it
| 08:00 shift_start; 08:10 travel_start; 08:40 arrived_on_site v1; 09:00 left_site v1; 09:30 shift_end
| v1.travel = nothing; s1.travel = 30; s1.travel_net = 30

a travel_end that names another visit ends the technician's travel and the travel of the visit it names
| 08:00 shift_start; 08:10 travel_start v1; 08:20 travel_start v2; 08:40 travel_end v1; 09:00 arrived_on_site v2; 09:30 left_site v2; 10:00 shift_end
| v1.travel = 30; v2.travel = 40; s1.travel = 20..30 open

a travel_start repeated before the arrival keeps the first
| 08:00 shift_start; 08:10 travel_start v1; 08:20 travel_start v1; 08:40 arrived_on_site v1; 09:00 left_site v1; 09:30 shift_end
| v1.travel = 30; s1.travel = 30

a re-route ends the first travel, and the repeated travel_start begins anew
| 08:00 shift_start; 08:10 travel_start v1; 08:20 travel_start v2; 08:40 travel_start v1; 09:00 arrived_on_site v1; 09:30 left_site v1; 10:00 shift_end
| v1.travel = 20..30 open; v2.travel = 0..20 open; s1.travel = 20..50 open

re-routed and yet arrived there: the first travel stands and ends at its own arrival
| 08:00 shift_start; 08:10 travel_start v1; 08:20 travel_start v2; 08:50 arrived_on_site v1; 09:00 left_site v1; 10:00 shift_end
| v1.travel = 40; v2.travel = 0..30 open

given up on the way: its left_site ends the travel, open
| 08:00 shift_start; 08:10 travel_start v1; 08:40 left_site v1; 10:00 shift_end
| v1.travel = 0..30 open; s1.travel = 0..30 open; s1.idle = 90..120 open

travel ended by work_started without arrival: imputed, and so is the arrival
| 08:00 shift_start; 08:10 travel_start v1; 08:40 work_started v1; 09:00 work_completed v1; 09:10 left_site v1; 09:30 shift_end
| v1.travel = 0..30 imputed; v1.site_wait = 0..30 imputed; v1.on_site = 30..60 imputed; v1.work = 20; v1.wrap = 10
| s1.work = 20; s1.site_wait = 0..30 imputed; s1.travel = 0..30 imputed; s1.idle = 30..60 imputed

an imputed arrival is possible from the technician's previous event, not before the shift_start
| 07:00 fuel_stop; 08:00 shift_start; 08:40 work_resumed v1; 09:00 work_completed v1; 09:10 left_site v1; 09:30 shift_end
| v1.site_wait = 0..40 imputed; v1.on_site = 30..70 imputed; v1.travel = nothing

work ended by left_site, even after another travel_start
| 08:00 shift_start; 08:10 arrived_on_site v1; 08:20 work_started v1; 09:00 travel_start v2; 09:20 left_site v1; 09:40 arrived_on_site v2; 10:00 left_site v2; 10:00 shift_end
| v1.work = 0..60 imputed; v1.on_site = 70; v1.site_wait = 10; v2.travel = 40; s1.travel = 40

an attendance without left_site runs at most to the next travel_start
| 08:00 shift_start; 08:10 arrived_on_site v1; 08:20 work_started v1; 08:50 work_completed v1; 09:00 travel_start; 09:20 travel_end; 10:00 shift_end
| v1.wrap = 0..10 open; v1.on_site = 40..50 open; v1.work = 30; s1.site_wrap = 0..10 open; s1.work = 30; s1.idle = 50..60 open

or to the arrival at another visit, or to the end of the shift
| 08:00 shift_start; 08:10 arrived_on_site v1; 08:30 arrived_on_site v2; 09:00 shift_end
| v1.on_site = 0..20 open; v2.on_site = 0..30 open; s1.on_site = 0..50 open; s1.idle = 10..60 open

a left_site after another visit's arrival is still this visit's real end
| 08:00 shift_start; 08:10 arrived_on_site v1; 08:30 arrived_on_site v2; 08:40 left_site v2; 08:50 left_site v1; 09:00 shift_end
| v1.on_site = 40; v2.on_site = 10; s1.on_site = 40; s1.site_wait = 40; s1.idle = 20

a travel_start of the same visit while attended ends the episode, open
| 08:00 shift_start; 08:10 arrived_on_site v1; 08:30 travel_start v1; 08:40 arrived_on_site v1; 09:00 left_site v1; 09:00 shift_end
| v1.on_site = 20..40 open; v1.travel = 10; s1.travel = 10; s1.on_site = 20..40 open; s1.site_wait = 20..40 open

completed on site without having started: wait and work both open, lo 0, hi the whole
| 08:00 shift_start; 08:10 arrived_on_site v1; 08:40 work_completed v1; 08:50 left_site v1; 09:00 shift_end
| v1.site_wait = 0..30 open; v1.work = 0..30 open; v1.wrap = 10; v1.on_site = 40; s1.work = 0..30 open; s1.site_wait = 0..30 open

work goes on at break_end; visit values of on site are gross of breaks, work is net
| 08:00 shift_start; 08:10 arrived_on_site v1; 08:20 work_started v1; 08:40 break_start; 08:55 break_end; 09:00 work_completed v1; 09:00 left_site v1; 09:00 shift_end
| v1.work = 25; v1.on_site = 50; s1.work = 25; s1.break = 15; s1.on_site = 50; s1.idle = 10

a break ended by another activity is imputed, and the work beneath with it
| 08:00 shift_start; 08:10 arrived_on_site v1; 08:20 work_started v1; 08:40 break_start; 09:00 work_completed v1; 09:10 left_site v1; 09:10 shift_end
| s1.break = 0..20 imputed; v1.work = 20..40 imputed; s1.work = 20..40 imputed; v1.wrap = 10; s1.idle = 10

a break ended by an emergency has a real end; a shift_end is a real end of an emergency
| 08:00 shift_start; 08:10 break_start; 08:40 emergency_stop; 09:00 shift_end
| s1.break = 30; s1.emergency = 20; s1.idle = 10

an emergency ends with the next event that names a state; what goes on beneath counts on
| 08:00 shift_start; 08:10 arrived_on_site v1; 08:20 work_started v1; 08:40 emergency_stop; 09:00 work_completed v1; 09:10 left_site v1; 09:10 shift_end
| s1.emergency = 20; v1.work = 20; s1.work = 20; v1.on_site = 60; v1.wrap = 10

a shift_end ends a pause, observed; on site is open there
| 08:00 shift_start; 08:10 arrived_on_site v1; 08:20 work_started v1; 08:40 work_paused v1; 09:00 shift_end
| v1.pause = 20; v1.work = 20; v1.on_site = 30..50 open; s1.pause = 20; s1.on_site = 30..50 open; s1.idle = 10

unless the technician has left for another place since
| 08:00 shift_start; 08:10 arrived_on_site v1; 08:20 work_started v1; 08:40 work_paused v1; 08:50 travel_start; 08:55 travel_end; 09:00 shift_end
| v1.pause = 0..10 open; v1.on_site = 30..40 open; s1.pause = 0..10 open; s1.travel = 5

work_started in PAUSE is a resumption, in DONE rework
| 08:00 shift_start; 08:00 arrived_on_site v1; 08:10 work_started v1; 08:20 work_paused v1; 08:30 work_started v1; 08:40 work_completed v1; 08:50 work_started v1; 09:00 work_completed v1; 09:10 left_site v1; 09:10 shift_end
| v1.site_wait = 10; v1.work = 30; v1.pause = 10; v1.wrap = 20; v1.on_site = 70

several attendances of one visit: episodes, summed
| 08:00 shift_start; 08:10 travel_start v1; 08:20 arrived_on_site v1; 08:30 left_site v1; 08:40 arrived_on_site v1; 09:00 left_site v1; 09:00 shift_end
| v1.travel = 10; v1.on_site = 30; v1.site_wait = 30; s1.on_site = 30

nothing outlives 24 h without an own event
| 08:00 travel_start v1; 1d 09:00 arrived_on_site v1; 1d 09:30 left_site v1
| v1.travel = 0..1440 open; v1.on_site = 30

what is going on when a shift starts counts in it from its start
| 07:30 travel_start v1; 08:00 shift_start; 08:20 arrived_on_site v1; 08:30 left_site v1; 08:30 shift_end
| v1.travel = 50; s1.travel = 20; s1.on_site = 10; s1.idle = 0

a shift without end: what was observed stays observed, the shift and its idle time are NULL
| 08:00 shift_start; 08:10 travel_start v1; 08:40 arrived_on_site v1; 09:00 left_site v1
| s1.shift = 60..1440 open; s1.travel = 30; s1.on_site = 20; s1.idle = 10..1390 open; s1.break = 0

a new shift from 11 h on: the earlier one is closed there, and what goes on in it ends open
| 08:00 shift_start; 18:00 break_start; 19:00 shift_start; 20:00 shift_end
| s1.shift = 600..660 open; s1.break = 0..60 open; s2.shift = 60; s2.break = 0; s2.idle = 60

overlapping visits: per-visit durations overlap, the technician's total is the union
| 08:00 shift_start; 08:00 arrived_on_site v1; 08:00 work_started v1; 08:30 arrived_on_site v2; 08:30 work_started v2; 09:00 work_completed v2; 09:00 left_site v2; 09:30 work_completed v1; 09:30 left_site v1; 09:30 shift_end
| v1.work = 90; v2.work = 30; s1.work = 90; s1.on_site = 90; s1.idle = 0

a nameless visit counts in the shift's buckets and in no row of visits
| 08:00 shift_start; 08:00 arrived_on_site; 08:10 work_started; 08:40 work_completed; 08:50 left_site; 09:00 shift_end
| s1.site_wait = 10; s1.work = 30; s1.site_wrap = 10; s1.on_site = 50; s1.idle = 10
";

fn measure_of(text: &str) -> Measure {
    let words: Vec<&str> = text.split_whitespace().collect();
    let us = |minutes: &str| minutes.parse::<i64>().unwrap() * MINUTE_US;
    match words.as_slice() {
        ["nothing"] => Measure::UNKNOWN,
        [minutes] => Measure { value_us: Some(us(minutes)), lo_us: us(minutes), hi_us: Some(us(minutes)), quality: Quality::Observed },
        [range, quality] => {
            let (lo, hi) = range.split_once("..").unwrap();
            let quality = if *quality == "open" { Quality::Open } else { Quality::Imputed };
            Measure { value_us: None, lo_us: us(lo), hi_us: Some(us(hi)), quality }
        }
        _ => panic!("{text}"),
    }
}

fn field_of(name: &str, shifts: &[ShiftResult], visits: &[VisitRow]) -> Measure {
    let (row, field) = name.split_once('.').unwrap();
    let number: usize = row[1..].parse().unwrap();
    if row.starts_with('s') {
        let d = &shifts[number - 1].durations;
        match field {
            "shift" => d.shift,
            "travel" => d.travel,
            "travel_net" => d.travel_net,
            "work" => d.work,
            "pause" => d.pause,
            "break" => d.r#break,
            "site_wait" => d.site_wait,
            "site_wrap" => d.site_wrap,
            "on_site" => d.on_site,
            "emergency" => d.emergency,
            "idle" => d.idle,
            other => panic!("{other}"),
        }
    } else {
        let visit = visits.iter().find(|v| v.visit_id == visit_id(number as u8)).unwrap();
        match field {
            "travel" => visit.travel,
            "on_site" => visit.on_site,
            "site_wait" => visit.site_wait,
            "work" => visit.work,
            "pause" => visit.pause,
            "wrap" => visit.wrap,
            other => panic!("{other}"),
        }
    }
}

/// What differs from the expectations, in both computations.
fn wrong_in(sentence: &str, scenario: &Scenario, expectations: &[&str]) -> Vec<String> {
    let (definition, clock) = (Definition::default(), Timestamp(MONDAY_US));
    let fold = fold::fold(scenario.facts(), clock, &definition);
    let oracle = crate::evaluate(&scenario.facts(), clock, &definition);
    let mut wrong = Vec::new();
    for (who, shifts, visits) in [("fold", fold.shifts, visits_of(&fold.episodes)), ("oracle", oracle.shifts, oracle.visits)] {
        for expectation in expectations {
            let (name, expected) = expectation.split_once('=').unwrap();
            let got = field_of(name.trim(), &shifts, &visits);
            if got != measure_of(expected) {
                wrong.push(format!("{sentence}\n    {expectation}, but in the {who}: {got:?}"));
            }
        }
    }
    wrong
}

#[test]
fn every_sentence_about_durations() {
    let mut wrong = Vec::new();
    let cases: Vec<&str> = CASES.split("\n\n").map(str::trim).filter(|c| !c.is_empty()).collect();
    assert_eq!(cases.len(), 31);
    for case in cases {
        let parts: Vec<&str> = case.split('|').map(str::trim).collect();
        let scenario = Scenario::parse(&parts[1].replace(';', "\n"));
        let expectations: Vec<&str> = parts[2..].iter().flat_map(|p| p.split(';')).map(str::trim).collect();
        wrong.extend(wrong_in(parts[0], &scenario, &expectations));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A clearance ends an emergency, and what was beneath returns from that instant on: the resolution of its alert, or an
/// operational event of the same technician that is resolved.
#[test]
fn clearance_of_an_emergency() {
    let day =
        "08:00 shift_start; 08:10 travel_start v1; 08:20 emergency_stop; 08:50 arrived_on_site v1; 09:00 left_site v1; 09:00 shift_end";
    let at = |minute: i64| Timestamp(MONDAY_US + (8 * 60 + minute) * MINUTE_US);
    let not_cleared = ["s1.emergency = 30", "s1.travel_net = 10", "s1.travel = 40", "v1.travel = 40"];
    let cleared = ["s1.emergency = 20", "s1.travel_net = 20", "s1.travel = 40", "v1.travel = 40"];
    let plain = Scenario::parse(&day.replace(';', "\n"));
    let mut wrong = wrong_in("no clearance", &plain, &not_cleared);

    let emergency = plain.activities[2].id;
    for (id, minutes, expected) in [(emergency, vec![40, 45], cleared), (plain.activities[0].id, vec![40], not_cleared)] {
        let mut scenario = plain.clone();
        scenario.clearances = minutes.iter().map(|m| ClearanceFact { id: emergency, emergency_id: id, created_at: at(*m) }).collect();
        wrong.extend(wrong_in("clearance", &scenario, &expected));
    }

    use {EventCategory::*, Severity::*};
    let signals = [
        (Security, Info, Some(40), cleared),
        (Operational, Critical, Some(40), cleared),
        (Operational, Error, Some(40), not_cleared),
        (Security, Info, Some(19), not_cleared),
        (Security, Info, None, not_cleared),
        (Security, Info, Some(55), not_cleared),
    ];
    for (event_category, severity, minute, expected) in signals {
        let mut scenario = plain.clone();
        let resolved_at = minute.map(at);
        scenario.signals.push(SignalFact::new(emergency, at(0), event_category, severity, resolved_at));
        wrong.extend(wrong_in(&format!("signal {event_category:?} {severity:?} resolved at {resolved_at:?}"), &scenario, &expected));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
