//! Signals: into whose logs an event is carried.

use super::{Script, technician};
use fieldline_schemas::events::{OperationalEvent, Severity};

/// An update that names somebody, or nobody (0). Not critical: only the way is looked at.
fn names(n: u128) -> impl Fn(&mut OperationalEvent<'static>) {
    move |event| {
        event.severity = Severity::Info;
        event.technician_contact_id = technician(n).filter(|_| n > 0);
    }
}

#[test]
fn an_event_goes_to_the_technician_that_it_names_and_a_copy_of_it_to_nobody() {
    let day = Script::default().event("09:00", "08:59", 1, names(7)).event("09:01", "08:59", 2, names(0));
    let copy = day.event("09:02", "08:59", 1, |event| {
        names(7)(event);
        event.common.recorded_at = Some(crate::script::time("09:00"));
    });
    copy.check("09:10", &["09:00:00 signal 1 to 7"]);
}

#[test]
fn an_update_that_names_another_one_or_none_goes_to_both() {
    let day = Script::default().event("09:00", "08:59", 1, names(7)).event("09:01", "08:59", 1, names(8));
    let day = day.event("09:02", "08:59", 1, names(0)).event("09:03", "08:59", 1, names(0)).event("09:04", "08:59", 1, names(7));
    let told =
        ["09:00:00 signal 1 to 7", "09:01:00 signal 1 to 8", "09:01:00 signal 1 to 7", "09:02:00 signal 1 to 8", "09:04:00 signal 1 to 7"];
    day.check("09:10", &told);
}

/// The system that took a panic button back gives the update a type of its own: it is the same emergency, and no alarm beside it.
#[test]
fn an_update_of_an_sos_is_one_whatever_its_type() {
    let typed = |event_type: &'static str| {
        move |event: &mut OperationalEvent<'static>| {
            names(7)(event);
            event.event_type = Some(event_type.into());
        }
    };
    let day = Script::default().event("09:00", "08:59", 1, typed("panic_button")).event("09:05", "08:59", 1, typed("restored"));
    day.check("09:10", &["09:00:00 S1 7-1 raised of 7", "09:00:00 signal 1 to 7 sos 7-1", "09:05:00 signal 1 to 7 sos 7-1"]);
    Script::default().event("09:05", "08:59", 1, typed("restored")).check("09:10", &["09:05:00 signal 1 to 7"]);
}

#[test]
fn what_does_not_stand_goes_to_nobody() {
    let day = Script::default().event("09:00", "08:59", 1, |event| {
        names(7)(event);
        event.common.revision = 2;
    });
    let late = day.clone().event("09:01", "08:59", 1, names(8));
    late.check("09:10", &["09:00:00 signal 1 to 7"]);
    // Of one revision the time of recording decides, not the arrival.
    let older = day.event("09:01", "08:59", 1, |event| {
        names(8)(event);
        (event.common.revision, event.common.recorded_at) = (2, None);
    });
    older.check("09:10", &["09:00:00 signal 1 to 7"]);
}

#[test]
fn a_void_goes_to_whom_the_event_named_and_wins_its_revision() {
    let void = |revision: u32| {
        move |event: &mut OperationalEvent<'static>| {
            names(0)(event);
            (event.common.voided, event.common.revision) = (true, revision);
        }
    };
    let day =
        Script::default().event("09:00", "08:59", 1, names(7)).event("09:01", "08:59", 1, void(0)).event("09:02", "08:59", 1, names(8));
    let day = day.event("09:03", "08:59", 1, |event| {
        names(8)(event);
        event.common.revision = 1;
    });
    day.check("09:10", &["09:00:00 signal 1 to 7", "09:01:00 signal 1 to 7", "09:03:00 signal 1 to 8"]);
}

#[test]
fn imported_ones_are_carried_too() {
    let day = Script::default().event("09:00", "08:59", 1, |event| {
        names(7)(event);
        event.common.imported = true;
    });
    day.check("09:10", &["09:00:00 signal 1 to 7"]);
}

/// Where only the place in the log orders updates, one that is sent again counts at its first place.
#[test]
fn an_earlier_update_that_is_sent_again_changes_nothing() {
    let untimed = |n: u128| {
        move |event: &mut OperationalEvent<'static>| {
            names(n)(event);
            event.common.recorded_at = None;
        }
    };
    let day = Script::default().event("09:00", "08:59", 1, untimed(7)).event("09:01", "08:59", 1, untimed(8));
    let again = day.event("09:02", "08:59", 1, untimed(7)).event("09:03", "08:59", 1, untimed(8));
    again.check("09:10", &["09:00:00 signal 1 to 7", "09:01:00 signal 1 to 8", "09:01:00 signal 1 to 7"]);
}
