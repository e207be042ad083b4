//! S1 of an SOS.

use super::{Script, technician};
use crate::random::Random;
use crate::script::time;
use fieldline_schemas::events::OperationalEvent;

fn sos(event: &mut OperationalEvent<'static>) {
    event.event_type = Some(" Panic_Button ".into());
}
fn sos_of(n: u128) -> impl Fn(&mut OperationalEvent<'static>) {
    move |event| {
        sos(event);
        event.technician_contact_id = technician(n);
    }
}

#[test]
fn it_is_an_emergency_as_it_arrives_and_never_also_unresolved() {
    Script::default().event("09:00", "08:59", 1, sos).check("11:00", &["09:00:00 S1 1 raised"]);
    let day = Script::default().event("09:00", "08:59", 1, sos_of(7));
    day.check("11:00", &["09:00:00 S1 7-1 raised of 7", "09:00:00 signal 1 to 7 sos 7-1"]);
}

/// Its revision; whom it names (0: nobody).
fn update(revision: u32, n: u128) -> impl Fn(&mut OperationalEvent<'static>) {
    move |event| {
        sos(event);
        event.common.revision = revision;
        event.technician_contact_id = technician(n).filter(|_| n > 0);
    }
}

/// Resolved when it says so; whom it names (0: nobody).
fn ended(revision: u32, n: u128, at: &'static str) -> impl Fn(&mut OperationalEvent<'static>) {
    move |event| {
        update(revision, n)(event);
        event.resolved_at = Some(time(at));
    }
}

#[test]
fn an_update_that_names_somebody_is_the_same_alert_and_says_whose_it_is() {
    let day = Script::default().event("09:00", "08:59", 1, sos).event("09:01", "08:59", 1, update(1, 7));
    let told = ["09:00:00 S1 1 raised", "09:01:00 S1 1 raised of 7 opened 09:00:00", "09:01:00 signal 1 to 7 sos 1"];
    day.check("11:00", &told);
    let over = day.event("09:20", "08:59", 1, ended(2, 7, "09:19"));
    over.check("11:00", &[&told[..], &["09:20:00 S1 1 cleared of 7 opened 09:00:00", "09:20:00 signal 1 to 7 sos 1"]].concat());
    let becomes = Script::default().event("09:00", "08:59", 1, |_| ()).event("09:05", "08:59", 1, sos);
    becomes.check("11:00", &["09:05:00 S1 1 raised"]);
}

/// Whoever is named hears under which alert it is; whoever was named before hears that it is not theirs any more.
#[test]
fn it_goes_from_one_technician_to_another_under_the_same_alert() {
    let day = Script::default().event("09:00", "08:59", 1, update(0, 7)).event("09:01", "08:59", 1, update(1, 8));
    let day = day.event("09:02", "08:59", 1, update(2, 0)).event("09:03", "08:59", 1, update(3, 7));
    day.check(
        "11:00",
        &[
            "09:00:00 S1 7-1 raised of 7",
            "09:00:00 signal 1 to 7 sos 7-1",
            "09:01:00 S1 7-1 raised of 8 opened 09:00:00",
            "09:01:00 signal 1 to 8 sos 7-1",
            "09:01:00 signal 1 to 7 sos",
            // An update that names nobody leaves it with whom it named last.
            "09:02:00 signal 1 to 8 sos 7-1",
            "09:03:00 S1 7-1 raised of 7 opened 09:00:00",
            "09:03:00 signal 1 to 7 sos 7-1",
            "09:03:00 signal 1 to 8 sos",
        ],
    );
}

/// A publisher puts each first report on the lane, under the name that it carries; where the update came here first, both are open.
#[test]
fn a_first_report_that_comes_after_its_update_or_names_another_is_closed_with_it() {
    let day = Script::default().event("09:00", "08:59", 1, update(1, 7)).event("09:01", "08:59", 1, sos);
    day.event("09:20", "08:59", 1, ended(2, 7, "09:19")).check(
        "11:00",
        &[
            "09:00:00 S1 7-1 raised of 7",
            "09:00:00 signal 1 to 7 sos 7-1",
            "09:20:00 S1 7-1 cleared of 7 opened 09:00:00",
            "09:20:00 S1 1 cleared of 7 opened 09:00:00",
            "09:20:00 signal 1 to 7 sos 7-1",
        ],
    );
    let named = Script::default().event("09:00", "08:59", 1, sos).event("09:01", "08:59", 1, sos_of(7));
    let cleared: Vec<String> = named.event("09:20", "08:59", 1, ended(2, 7, "09:19")).outputs("11:00");
    assert!(cleared.contains(&"09:20:00 S1 7-1 cleared of 7 opened 09:00:00".to_owned()), "{cleared:?}");
}

/// Nine days of updates: whoever takes over then replays none of the first, and must go on with the alert that it opened.
#[test]
fn the_alert_keeps_its_id_over_any_restart_for_as_long_as_updates_come() {
    let day = Script::default().event("09:00", "08:59", 1, update(0, 7)).outage("09:01", "400:00");
    let day = day.event("109:00", "08:59", 1, update(1, 8)).event("259:00", "08:59", 1, update(2, 8));
    let told = [
        "09:00:00 S1 7-1 raised of 7",
        "09:00:00 signal 1 to 7 sos 7-1",
        "109:00:00 S1 7-1 raised of 8 opened 09:00:00",
        "109:00:00 signal 1 to 8 sos 7-1",
        "109:00:00 signal 1 to 7 sos",
        "259:00:00 signal 1 to 8 sos 7-1",
    ];
    let over = ["300:00:00 S1 7-1 cleared of 8 opened 09:00:00", "300:00:00 signal 1 to 8 sos 7-1"];
    day.event("300:00", "08:59", 1, ended(3, 8, "299:00")).check("300:01", &[&told[..], &over].concat());
}

/// The same on random lives: updates hours or days apart, of whatever rank and name, resolved, voided, withdrawn and restored.
#[test]
fn a_restart_anywhere_goes_on_with_the_same_steps_on_the_same_alerts() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut below = |n: u64| random.below(n);
    let mut told = 0;
    for _ in 0..400 {
        let (mut script, mut at, mut last) = (Script::default().outage("00:00", "9000:00"), 9, [0; 2]);
        for _ in 0..10 {
            at += if below(3) == 0 { below(190) } else { below(12) };
            let text = format!("{at}:00");
            let (revision, n, voided, resolved) = (below(6) as u32, below(3) as u128, below(8) == 0, below(4) == 0);
            // Known by its first record for as long as it is remembered.
            let which = usize::from(below(3) == 0);
            let is_sos = below(4) > 0 || last[which] == 0 || at - last[which] > 200;
            last[which] = at;
            script = script.event(&text, "08:59", 1 + which as u128, |event| {
                update(revision, n)(event);
                event.common.voided = voided;
                event.resolved_at = resolved.then(|| time(&text));
                event.event_type = event.event_type.take().filter(|_| is_sos);
            });
        }
        told += script.outputs(&format!("{at}:01")).len();
    }
    assert!(told > 3_000, "{told}: hardly anything was compared");
}

#[test]
fn imported_and_voided_ones_are_none() {
    Script::default()
        .event("09:00", "08:59", 1, |e| {
            sos(e);
            e.common.imported = true;
        })
        .check("11:00", &[]);
    Script::default()
        .event("09:00", "08:59", 1, |e| {
            sos(e);
            e.common.voided = true;
        })
        .check("11:00", &[]);
}

#[test]
fn its_own_resolution_closes_it_once_and_for_good() {
    let resolved = |at: &'static str| {
        move |event: &mut OperationalEvent<'static>| {
            sos(event);
            event.resolved_at = Some(time(at));
        }
    };
    let day = Script::default().event("09:00", "08:59", 1, sos).event("09:20", "08:59", 1, resolved("09:19"));
    let again = day.event("09:21", "08:59", 1, sos).event("09:22", "08:59", 1, resolved("09:22"));
    // A later resolution is told too: the first may have been noted only, for a press in between.
    let both = ["09:00:00 S1 1 raised", "09:20:00 S1 1 cleared opened 09:00:00", "09:22:00 S1 1 cleared opened 09:00:00"];
    again.check("11:00", &both);
    // It pages all the same where it comes with its end.
    Script::default().event("09:20", "08:59", 1, resolved("09:19")).check("11:00", &["09:20:00 S1 1 raised", "09:20:00 S1 1 cleared"]);
}

#[test]
fn an_end_before_its_beginning_or_far_ahead_closes_nothing() {
    let with = |at: &'static str, expected: &[&str]| {
        let day = Script::default().event("09:00", "08:59", 1, sos).event("09:20", "08:59", 1, |event| {
            sos(event);
            event.resolved_at = Some(time(at));
        });
        day.check("09:30", expected);
    };
    with("08:58:59", &["09:00:00 S1 1 raised"]);
    with("08:59", &["09:00:00 S1 1 raised", "09:20:00 S1 1 cleared opened 09:00:00"]);
    with("09:25", &["09:00:00 S1 1 raised", "09:20:00 S1 1 cleared opened 09:00:00"]);
    with("09:25:01", &["09:00:00 S1 1 raised"]);
}

#[test]
fn a_void_is_noted_once_and_closes_nothing() {
    let void = |event: &mut OperationalEvent<'static>| {
        sos(event);
        event.common.voided = true;
    };
    let day = Script::default().event("09:00", "08:59", 1, sos).event("09:05", "08:59", 1, void);
    day.check("09:30", &["09:00:00 S1 1 raised", "09:05:00 S1 1 voided opened 09:00:00"]);
}

#[test]
fn a_late_one_is_marked() {
    let day = Script::default().event("73:00:00", "00:00", 1, sos);
    day.check("73:10", &["73:00:00 S1 1 raised"]);
}
