//! S1 of an SOS.

use super::{Script, technician};
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
    day.check("11:00", &["09:00:00 S1 1 raised of 7", "09:00:00 signal 1 to 7 sos"]);
}

#[test]
fn it_is_told_of_once_also_where_an_update_names_somebody() {
    let day = Script::default().event("09:00", "08:59", 1, sos).event("09:01", "08:59", 1, sos_of(7));
    day.check("11:00", &["09:00:00 S1 1 raised", "09:01:00 signal 1 to 7 sos"]);
    let becomes = Script::default().event("09:00", "08:59", 1, |_| ()).event("09:05", "08:59", 1, sos);
    becomes.check("11:00", &["09:05:00 S1 1 raised"]);
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
