//! The technician's state table, cell by cell, and the sentences beneath it, through the fold and through the oracle.
//!
//! A case is what happened before, one event, its codes, and the column after it. Codes of the event are read from the
//! rows; the column after it shows in the codes of what follows: a travel_start, a fuel_stop, a shift_end.

use crate::order::{standing, visit_of};
use crate::scenario::{MONDAY_US, Scenario, activity, event_id, visit_id};
use crate::walk::{Shift, walk};
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::fold;
use fieldline_schemas::events::ActivityType::{FuelStop, ShiftEnd, TravelStart};
use fieldline_schemas::ids::VisitId;
use fieldline_schemas::time::MINUTE_US;
use fieldline_schemas::{Anomalies, Anomaly, Timestamp};
use std::collections::BTreeSet;

const COLUMNS: [&str; 9] = ["OFF", "IDLE", "TRAVEL", "SITE", "WORK", "PAUSE", "DONE", "BREAK", "EMERG"];

/// What leads to each column, without a code. Break and emergency lie over an idle shift here.
const LEADS: [&str; 9] = [
    "",
    "08:00 shift_start",
    "08:00 shift_start; 08:10 travel_start v1",
    "08:00 shift_start; 08:10 travel_start v1; 08:30 arrived_on_site v1",
    "08:00 shift_start; 08:10 travel_start v1; 08:30 arrived_on_site v1; 08:40 work_started v1",
    "08:00 shift_start; 08:10 travel_start v1; 08:30 arrived_on_site v1; 08:40 work_started v1; 08:50 work_paused v1",
    "08:00 shift_start; 08:10 travel_start v1; 08:30 arrived_on_site v1; 08:40 work_started v1; 08:50 work_completed v1",
    "08:00 shift_start; 08:10 break_start",
    "08:00 shift_start; 08:10 emergency_stop",
];

/// Event, then a cell for each column: codes and the technician's column after it, `.` where that stays.
/// `v1` is the visit of the column, `v2` another one, `v9` only makes the event visible outside a shift.
const TABLE: &str = "
shift_start        | IDLE       | A01 .    | A01 .       | A01 .        | A01 .        | A01 .         | A01 .        | A01 .       | A01 .
shift_end          | A03 .      | OFF      | A14 OFF     | A14 OFF      | A14e OFF     | A14i OFF      | A14 OFF      | A13i OFF    | A26 OFF
break_start v9     | A04 BREAK  | BREAK    | BREAK       | BREAK        | BREAK        | BREAK         | BREAK        | A16 .       | A26 BREAK
break_end v9       | A13 .      | A13 .    | A13 .       | A13 .        | A13 .        | A13 .         | A13 .        | IDLE        | A13 .
travel_start v1    | A04 TRAVEL | TRAVEL   | A16 .       | A05 TRAVEL   | A05w TRAVEL  | A05i TRAVEL   | A05i TRAVEL  | A13i TRAVEL | A26 TRAVEL
travel_start v2    | A04 TRAVEL | TRAVEL   | A05i TRAVEL | A05 TRAVEL   | A05w TRAVEL  | A05i TRAVEL   | A05i TRAVEL  | A13i TRAVEL | A26 TRAVEL
travel_end v1      | A06 .      | A06 .    | IDLE        | A06 .        | A06 .        | A06 .         | A06 .        | A06 .       | A06 .
arrived_on_site v1 | A04 SITE   | A07 SITE | SITE        | A16 .        | A16 .        | A16 .         | A16 .        | A13i SITE   | A26 SITE
arrived_on_site v2 | A04 SITE   | A07 SITE | A07w SITE   | A15 SITE     | A15 WORK     | A15 PAUSE     | A15 SITE     | A13i SITE   | A26 SITE
work_started v1    | A04 WORK   | A08 WORK | A08 WORK    | WORK         | A16 .        | A16 WORK      | A09i WORK    | A13i WORK   | A26 WORK
work_started v2    | A04 WORK   | A08 WORK | A08 WORK    | A08 A15 WORK | A08 A15 WORK | A08 A15 WORK  | A08 A15 WORK | A13i WORK   | A26 WORK
work_paused v1     | A10 .      | A10 .    | A10 .       | A10 .        | PAUSE        | A16 .         | A10 .        | A10 .       | A26 IDLE
work_paused v2     | A10 .      | A10 .    | A10 .       | A10 .        | A10 .        | A10 .         | A10 .        | A10 .       | A26 IDLE
work_resumed v1    | A10 WORK   | A10 WORK | A10 WORK    | WORK         | A16 .        | WORK          | A09i WORK    | A13i WORK   | A26 WORK
work_resumed v2    | A10 WORK   | A10 WORK | A10 WORK    | A10 WORK     | A10 WORK     | A10 WORK      | A10 WORK     | A13i WORK   | A26 WORK
work_completed v1  | A09 .      | A09 .    | A09 .       | A09 DONE     | DONE         | DONE          | A16 .        | A13i IDLE   | A26 IDLE
work_completed v2  | A09 .      | A09 .    | A09 .       | A09 .        | A09 .        | A09 .         | A09 .        | A13i IDLE   | A26 IDLE
left_site v1       | A11 .      | A11 .    | A11 IDLE    | IDLE         | A12 IDLE     | IDLE          | IDLE         | A13i IDLE   | A26 IDLE
left_site v2       | A11 .      | A11 .    | A11 .       | A11 .        | A11 .        | A11 .         | A11 .        | A13i IDLE   | A26 IDLE
vehicle_inspection v9 | A04 .   | .        | A22i .      | .            | .            | .             | .            | .           | .
fuel_stop v9       | A04 .      | .        | .           | A22i .       | A22i .       | A22i .        | A22i .       | .           | .
emergency_stop v9  | EMERG      | EMERG    | EMERG       | EMERG        | EMERG        | EMERG         | EMERG        | EMERG       | .
";

/// What the sentences beneath the table add: what leads there => event => codes, the column after it.
/// `C:` stands for what leads to column C, and minutes count on from there.
const SENTENCES: &str = "
# A break and an emergency lie over what goes on beneath, which returns.
WORK: 09:00 break_start => 09:30 break_end => WORK
TRAVEL: 09:00 break_start => 09:30 break_end => TRAVEL
PAUSE: 09:00 break_start => 09:30 break_end => PAUSE
WORK: 09:00 emergency_stop => 09:30 work_paused v1 => A26 PAUSE
WORK: 09:00 emergency_stop => 09:30 work_completed v1 => A26 DONE
WORK: 09:00 emergency_stop => 09:30 left_site v1 => A26 IDLE
WORK: 09:00 emergency_stop => 09:30 break_start => A26 BREAK
WORK: 09:00 break_start => 09:30 work_completed v1 => A13i DONE
WORK: 09:00 break_start => 09:30 left_site v1 => A13i IDLE
WORK: 09:00 break_start => 09:30 work_started v1 => A13i WORK
WORK: 09:00 break_start => 09:30 shift_end => A13i OFF
WORK: 09:00 emergency_stop => 09:30 shift_end => A26 OFF
SITE: 09:00 emergency_stop => 09:30 work_paused v1 => A26 SITE
DONE: 09:00 break_start => 09:30 work_started v1 => A13i WORK
SITE: 09:00 break_start => 09:30 arrived_on_site v1 => A13i SITE
SITE: 09:00 break_start => 09:30 arrived_on_site v2 => A13i SITE
# work_paused in BREAK: the break goes on, and a visit in WORK is paused from then.
WORK: 09:00 break_start => 09:30 work_paused v1 => A10 BREAK
WORK: 09:00 break_start; 09:30 work_paused v1 => 09:45 break_end => PAUSE
SITE: 09:00 break_start; 09:30 work_paused v1 => 09:45 break_end => SITE
# travel_end in BREAK or EMERG: the break goes on, a travel beneath ends there.
TRAVEL: 09:00 break_start => 09:30 travel_end v1 => A06 BREAK
TRAVEL: 09:00 break_start; 09:30 travel_end v1 => 09:45 break_end => IDLE
TRAVEL: 09:00 emergency_stop => 09:30 travel_end v1 => A06 EMERG
# A left_site or work_completed that ends a break or emergency, and a work_paused that ends an emergency, end a travel.
TRAVEL: 09:00 break_start => 09:30 left_site v2 => A13i IDLE
TRAVEL: 09:00 break_start => 09:30 work_completed v2 => A13i IDLE
TRAVEL: 09:00 emergency_stop => 09:30 work_completed v1 => A26 IDLE
TRAVEL: 09:00 emergency_stop => 09:30 work_paused v1 => A26 IDLE
TRAVEL: 09:00 break_start => 09:30 work_paused v1 => A10 BREAK
TRAVEL: 09:00 break_start; 09:30 work_paused v1 => 09:45 break_end => TRAVEL
# An emergency is a real end of a break, which does not return.
BREAK: 09:00 emergency_stop => 09:30 break_end => A13 EMERG
BREAK: 09:00 emergency_stop => 09:30 arrived_on_site v1 => A26 SITE
# A06i stands instead of A06, in any column, at most 5 min after the latest arrived_on_site.
SITE: => 08:35 travel_end v1 => A06i SITE
SITE: => 08:36 travel_end v1 => A06 SITE
SITE: => 08:35 travel_end v2 => A06i SITE
SITE: 08:31 break_start => 08:34 travel_end v1 => A06i BREAK
SITE: 08:31 emergency_stop => 08:34 travel_end v1 => A06i EMERG
SITE: 08:31 left_site v1 => 08:34 travel_end v1 => A06i IDLE
WORK: 08:41 work_started v2 => 08:44 travel_end v2 => A06 WORK
# arrived_on_site when travelling: nothing to it, to no named visit, or when the arrival is nameless; elsewhere A07w.
IDLE: 08:10 travel_start => 08:30 arrived_on_site v1 => SITE
TRAVEL: => 08:30 arrived_on_site => A25 SITE
SITE: 09:00 travel_start v2 => 09:30 arrived_on_site v1 => A16 A07w SITE
SITE: 09:00 travel_start v2 => 09:30 arrived_on_site v3 => A07w SITE
SITE: 09:00 travel_start => 09:30 arrived_on_site v1 => A16 SITE
# Not travelling: the last travel_end was for this visit or for none, or for another.
TRAVEL: 08:20 travel_end v1 => 08:30 arrived_on_site v1 => SITE
TRAVEL: 08:20 travel_end => 08:30 arrived_on_site v1 => SITE
TRAVEL: 08:20 travel_end => 08:30 arrived_on_site v2 => A07w SITE
TRAVEL: 08:20 travel_end v2 => 08:30 arrived_on_site v2 => SITE
TRAVEL: 08:20 travel_end v2 => 08:30 arrived_on_site v1 => A07w SITE
TRAVEL: 08:20 travel_end v2 => 08:30 arrived_on_site => A25 SITE
IDLE: 08:10 travel_start; 08:20 travel_end => 08:30 arrived_on_site v1 => SITE
TRAVEL: 08:20 travel_end v1; 08:30 arrived_on_site v1; 08:40 left_site v1 => 08:50 arrived_on_site v1 => A07 SITE
IDLE: => 08:30 arrived_on_site => A07 A25 SITE
# Overlapping visits: the one where the technician is counts, the one left behind does not.
SITE: 09:00 travel_start v2; 09:20 arrived_on_site v2 => 09:30 arrived_on_site v3 => A15 SITE
SITE: 09:00 travel_start v2; 09:10 travel_end v2 => 09:20 arrived_on_site v2 => SITE
SITE: 09:00 travel_start v2; 09:20 arrived_on_site v2 => 09:30 left_site v1 => SITE
SITE: 09:00 travel_start v2; 09:20 arrived_on_site v2 => 09:30 left_site v2 => IDLE
WORK: 09:00 arrived_on_site v2 => 09:10 work_started v2 => A15 WORK
PAUSE: 09:00 arrived_on_site v2 => 09:10 work_started v2 => WORK
WORK: 09:00 travel_start v2; 09:20 arrived_on_site v2 => 09:30 work_started v2 => WORK
WORK: 09:00 arrived_on_site v2 => 09:10 left_site v1 => A12 SITE
PAUSE: 09:00 arrived_on_site v2 => 09:10 left_site v2 => PAUSE
SITE: 09:00 work_started v2 => 09:10 work_started v1 => A15 WORK
SITE: 09:00 travel_start v2 => 09:10 work_started v1 => WORK
SITE: 09:00 travel_start v2 => 09:10 work_completed v1 => A09 TRAVEL
WORK: 09:00 travel_start v2 => 09:10 left_site v1 => A12 TRAVEL
# Work without arrival ends a travel.
TRAVEL: => 09:00 work_started => A08 A25 WORK
TRAVEL: => 09:00 work_resumed v2 => A10 WORK
TRAVEL: 09:00 work_started v1 => 09:10 travel_end v1 => A06 WORK
# Nameless events are one visit of their own.
IDLE: 08:10 arrived_on_site => 08:20 work_started => A25 WORK
IDLE: 08:10 arrived_on_site => 08:20 work_started v1 => A08 A15 WORK
WORK: => 09:00 work_completed => A09 A25 WORK
WORK: => 09:00 left_site => A11 A25 WORK
IDLE: 08:10 travel_start => 08:30 left_site => A11 A25 TRAVEL
# Outside a shift A04 comes beside; in column OFF it stands instead of A07 and A08.
OFF: 08:00 travel_start v1 => 08:30 arrived_on_site v1 => A04 SITE
OFF: 08:00 travel_start v1 => 08:30 arrived_on_site v2 => A04 A07w SITE
OFF: 08:00 travel_start v1 => 08:30 work_started v2 => A04 A08 WORK
OFF: 08:00 travel_start v1 => 08:30 travel_start v2 => A04 A05i TRAVEL
OFF: 08:00 arrived_on_site v1 => 08:30 arrived_on_site v2 => A04 A15 SITE
OFF: 08:00 arrived_on_site v1 => 08:30 work_started v1 => A04 WORK
OFF: 08:00 arrived_on_site v1 => 08:30 fuel_stop v9 => A04 A22i SITE
OFF: 08:00 break_start v9 => 08:30 travel_start v1 => A04 A13i TRAVEL
OFF: 08:00 break_start v9 => 08:30 work_started v1 => A04 A13i WORK
OFF: 08:00 emergency_stop => 08:30 break_start v9 => A04 A26 BREAK
OFF: 08:00 emergency_stop => 08:30 arrived_on_site v1 => A04 A26 SITE
OFF: 08:00 travel_start v1 => 08:30 vehicle_inspection v9 => A04 A22i TRAVEL
OFF: => 08:30 arrived_on_site => A04 A25 SITE
OFF: => 08:30 work_paused => A10 A25 OFF
# shift_start: what goes on goes on, but a break is closed, and an emergency.
OFF: 07:00 travel_start v1 => 08:00 shift_start => TRAVEL
OFF: 07:00 arrived_on_site v1 => 08:00 shift_start => SITE
OFF: 07:00 break_start => 08:00 shift_start => A13i IDLE
OFF: 07:00 emergency_stop => 08:00 shift_start => A26 IDLE
OFF: 07:00 travel_start v1; 07:10 break_start => 08:00 shift_start => A13i TRAVEL
# 11 h after its start a shift_start begins a new shift, and nothing is going on in it.
WORK: => 18:59 shift_start => A01 WORK
WORK: => 19:00 shift_start => IDLE
BREAK: => 19:00 shift_start => IDLE
# A shift_end without shift carries A03 alone and ends what is going on.
OFF: 07:00 work_started v1 => 08:00 shift_end => A03 OFF
OFF: 07:00 emergency_stop => 08:00 shift_end => A03 OFF
OFF: 07:00 break_start => 08:00 shift_end => A03 OFF
# Nothing outlives 24 h without an own event, nor a shift its start; one exactly then still belongs.
OFF: 08:00 travel_start v1 => 1d 08:00 travel_end v1 => OFF
OFF: 08:00 travel_start v1 => 1d 08:01 travel_end v1 => A06 OFF
OFF: 08:00 arrived_on_site v1 => 1d 08:01 left_site v1 => A11 OFF
WORK: => 1d 08:00 left_site v1 => A12 IDLE
WORK: => 1d 08:01 left_site v1 => A11 OFF
IDLE: => 1d 08:00 shift_end => OFF
IDLE: => 1d 08:01 shift_end => A03 OFF
";

/// The codes that the last event of each computation carries, and what the probes say after it.
struct Case {
    lead: String,
    event: String,
    codes: Anomalies,
    column: String,
}

fn codes_of_text(words: &[&str]) -> Anomalies {
    words.iter().map(|w| Anomaly::from_code(w).unwrap_or_else(|| panic!("{w} is no code"))).collect()
}

fn cell(text: &str, column: &str) -> (Anomalies, String) {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let after = words.pop().unwrap();
    (codes_of_text(&words), if after == "." { column.to_owned() } else { after.to_owned() })
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for row in TABLE.lines().filter(|l| !l.trim().is_empty()) {
        let mut cells = row.split('|').map(str::trim);
        let event = cells.next().unwrap();
        for (place, column) in COLUMNS.iter().enumerate() {
            let (codes, after) = cell(cells.next().unwrap(), column);
            cases.push(Case { lead: LEADS[place].to_owned(), event: format!("09:00 {event}"), codes, column: after });
        }
        assert_eq!(cells.next(), None, "{event}");
    }
    for line in SENTENCES.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')) {
        let parts: Vec<&str> = line.split("=>").map(str::trim).collect();
        let [lead, event, expected] = parts.as_slice() else { panic!("{line}") };
        let (column, more) = lead.split_once(':').unwrap();
        let place = COLUMNS.iter().position(|c| *c == column).unwrap();
        let (codes, after) = cell(expected, column);
        cases.push(Case { lead: format!("{}; {more}", LEADS[place]), event: (*event).to_owned(), codes, column: after });
    }
    cases
}

fn scenario_of(lines: &[&str]) -> Scenario {
    let text: Vec<&str> = lines.iter().flat_map(|l| l.split(';')).collect();
    Scenario::parse(&text.join("\n"))
}

fn clock() -> Timestamp {
    Timestamp(MONDAY_US)
}

/// Codes of the events themselves, not those of rows.
fn without_codes_of_rows(codes: Anomalies) -> Anomalies {
    codes.iter().filter(|c| !matches!(c, Anomaly::A02 | Anomaly::A28 | Anomaly::A29)).collect()
}

/// Every code in any row of the fold; of `visit` only, where one is given.
fn codes_of_fold(scenario: &Scenario, visit: Option<VisitId>) -> Anomalies {
    let units = fold::fold(scenario.facts(), clock(), &Definition::default());
    let shifts = units.shifts.iter().filter(|_| visit.is_none()).map(|s| s.anomalies);
    let episodes = units.episodes.iter().filter(|e| visit.is_none() || visit == Some(e.visit_id)).map(|e| e.anomalies);
    without_codes_of_rows(shifts.chain(episodes).fold(Anomalies::NONE, Anomalies::union))
}

/// Codes of the last event in the oracle.
fn codes_of_oracle(scenario: &Scenario) -> Anomalies {
    let events = standing(&scenario.activities);
    walk(&events, &scenario.facts(), &Definition::default()).codes.last().copied().unwrap_or_default()
}

/// Codes of the event in the fold: of its visit's rows and the shifts', where nothing before it carries the same.
fn event_codes_in_fold(case: &Case) -> Anomalies {
    let before: BTreeSet<_> = codes_of_fold(&scenario_of(&[&case.lead]), None).iter().collect();
    codes_of_fold(&scenario_of(&[&case.lead, &case.event]), None).iter().filter(|c| !before.contains(c)).collect()
}

/// What a travel_start, a fuel_stop and a shift_end must say in each column on shift.
fn probe_codes(column: &str) -> [&'static [Anomaly]; 3] {
    use Anomaly::*;
    match column {
        "OFF" | "IDLE" => [&[], &[], &[]],
        "TRAVEL" => [&[A05i], &[], &[A14]],
        "SITE" => [&[A05], &[A22i], &[A14]],
        "WORK" => [&[A05w], &[A22i], &[A14e]],
        "PAUSE" => [&[A05i], &[A22i], &[A14i]],
        "DONE" => [&[A05i], &[A22i], &[A14]],
        "BREAK" => [&[A13i], &[], &[A13i]],
        "EMERG" => [&[A26], &[], &[A26]],
        other => panic!("{other} is no column"),
    }
}

#[test]
fn every_cell_and_every_sentence_of_the_state_table() {
    let mut wrong = Vec::new();
    let cases = cases();
    for case in &cases {
        let name = format!("{} => {}", case.lead, case.event);
        let mut expect = |who: &str, what: &str, got: Anomalies, expected: Anomalies| {
            if got != expected {
                wrong.push(format!("{name}: {who}, {what}: {got:?}, expected {expected:?}"));
            }
        };
        let with_event = scenario_of(&[&case.lead, &case.event]);
        expect("oracle", "its codes", codes_of_oracle(&with_event), case.codes);
        // Outside a shift and without visit an event is in no row. A code that is there before the event can not show.
        let walked = walk(&standing(&with_event.activities), &with_event.facts(), &Definition::default());
        let index = with_event.activities.len() - 1;
        let event = with_event.activities[index];
        let is_in_a_row = visit_of(&event).is_some() || walked.shifts.iter().any(|s| s.first <= index && index <= s.last);
        let before = codes_of_fold(&scenario_of(&[&case.lead]), None);
        let visible: Anomalies = case.codes.iter().filter(|c| is_in_a_row && !before.contains(*c)).collect();
        expect("fold", "its codes", event_codes_in_fold(case), visible);

        let holds = |s: &Shift| s.last == index && s.ended.is_none() && s.closed > event.created_at.0;
        let is_on_shift = walked.shifts.iter().any(holds);
        for (place, probe) in [TravelStart, FuelStop, ShiftEnd].into_iter().enumerate() {
            let mut expected: Anomalies = probe_codes(&case.column)[place].iter().copied().collect();
            if !is_on_shift {
                expected = if probe == ShiftEnd { Anomalies::of(Anomaly::A03) } else { expected.union(Anomalies::of(Anomaly::A04)) };
            }
            let visit = (probe != ShiftEnd).then_some(visit_id(8));
            let mut with_probe = with_event.clone();
            let last = with_event.activities.iter().map(|e| e.created_at.0).max().unwrap();
            with_probe.activities.push(activity(event_id(99), last + 5 * MINUTE_US, probe, visit));
            expect("oracle", &format!("{probe:?} after it"), codes_of_oracle(&with_probe), expected);
            if probe == ShiftEnd {
                let earlier = codes_of_fold(&with_event, None);
                let got = codes_of_fold(&with_probe, None).iter().filter(|c| !earlier.contains(*c)).collect();
                let visible = expected.iter().filter(|c| !earlier.contains(*c) && *c != Anomaly::A03).collect();
                expect("fold", "shift_end after it", got, visible);
            } else {
                expect("fold", &format!("{probe:?} after it"), codes_of_fold(&with_probe, visit), expected);
            }
        }
    }
    assert!(cases.len() > 250, "only {} cases", cases.len());
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// An inspection at most 30 minutes before the shift belongs to it.
#[test]
fn inspection_before_a_shift() {
    for (start, expected) in [("08:30", Anomalies::NONE), ("08:31", Anomalies::of(Anomaly::A04))] {
        let scenario = scenario_of(&["08:00 vehicle_inspection v9", &format!("{start} shift_start")]);
        let visit = scenario.activities[0].visit_id;
        assert_eq!(codes_of_fold(&scenario, visit), expected, "{start}");
    }
}
