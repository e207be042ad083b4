//! S13.

use super::{Script, technician};
use crate::script::time;
use fieldline_processors_core::flags::FlagSettings;
use fieldline_schemas::events::{OperationalEvent, Severity};
use fieldline_schemas::time::MINUTE_US;

fn critical(_: &mut OperationalEvent<'static>) {}
fn resolved(at: &'static str) -> impl Fn(&mut OperationalEvent<'static>) {
    move |event| event.resolved_at = Some(time(at))
}

#[test]
fn thirty_minutes_unresolved_and_closed_by_the_resolution() {
    let day = Script::default().event("09:00:05", "09:00", 1, critical);
    day.check("09:29:59", &[]);
    day.check("10:00", &["09:30:00 S13 1 raised"]);
    let over = day.event("10:10", "09:00", 1, resolved("10:09"));
    over.check("12:00", &["09:30:00 S13 1 raised", "10:10:00 S13 1 activity opened 09:30:00"]);
}

#[test]
fn a_resolution_in_time_says_nothing_and_one_that_comes_late_says_so() {
    let day = Script::default().event("09:00", "09:00", 1, critical);
    day.clone().event("09:29:59", "09:00", 1, resolved("09:10")).check("12:00", &[]);
    let late = day.clone().event("09:40", "09:00", 1, resolved("09:10"));
    late.check("12:00", &["09:30:00 S13 1 raised", "09:40:00 S13 1 late_arrival opened 09:30:00"]);
}

#[test]
fn what_is_no_longer_critical_or_withdrawn_is_over() {
    let day = Script::default().event("09:00", "09:00", 1, critical);
    let calm = day.clone().event("10:00", "09:00", 1, |event| event.severity = Severity::Error);
    calm.check("12:00", &["09:30:00 S13 1 raised", "10:00:00 S13 1 amended opened 09:30:00"]);
    let void = day.event("10:00", "09:00", 1, |event| event.common.voided = true);
    void.check("12:00", &["09:30:00 S13 1 raised", "10:00:00 S13 1 voided opened 09:30:00"]);
    let imported = Script::default().event("09:00", "09:00", 1, |event| event.common.imported = true);
    imported.check("12:00", &[]);
    Script::default().event("09:00", "09:00", 1, |event| event.severity = Severity::Error).check("12:00", &[]);
}

#[test]
fn what_is_opened_again_has_its_minutes_anew() {
    let day = Script::default().event("09:00", "09:00", 1, critical).event("09:40", "09:00", 1, resolved("09:40"));
    let again = day.event("10:00", "09:00", 1, critical);
    again.check("12:00", &["09:30:00 S13 1 raised", "09:40:00 S13 1 activity opened 09:30:00", "10:30:00 S13 1 raised"]);
}

#[test]
fn what_arrives_late_waits_a_minute_for_what_comes_with_it() {
    let upload = Script::default().event("12:00", "09:00", 1, critical);
    upload.check("13:00", &["12:01:00 S13 1 raised"]);
    upload.event("12:00:30", "09:00", 1, resolved("09:20")).check("13:00", &[]);
    // An acknowledgement just before the time.
    let seen = Script::default().event("09:00", "09:00", 1, critical);
    let seen = seen.event("09:29:30", "09:00", 1, |event| event.acknowledged_at = Some(time("09:29")));
    seen.check("13:00", &["09:30:30 S13 1 raised"]);
    // Promoted after hours.
    let promoted = Script::default().event("09:00", "09:00", 1, |event| event.severity = Severity::Warning);
    promoted.event("11:00", "09:00", 1, critical).check("13:00", &["11:01:00 S13 1 raised"]);
}

#[test]
fn after_an_outage_it_waits_for_what_was_held_up_once() {
    let day = Script::default().event("09:00", "09:00", 1, critical).outage("09:20", "11:00");
    day.check("12:00", &["11:01:00 S13 1 raised"]);
    day.clone().event("11:00:30", "09:00", 1, resolved("10:00")).check("12:00", &[]);
    // A short one is none, and the second one does not hold it any more.
    let short = Script::default().event("09:00", "09:00", 1, critical).outage("09:29:55", "09:30:10");
    short.check("10:00", &["09:30:00 S13 1 raised"]);
    day.outage("11:00:30", "11:30").check("12:00", &["11:01:00 S13 1 raised"]);
}

#[test]
fn of_each_event_by_itself_with_its_technician() {
    let day = Script::default().event("09:00", "09:00", 1, |event| event.technician_contact_id = technician(7));
    let day = day.event("09:00", "09:00", 2, critical).event("09:10", "09:00", 2, resolved("09:10"));
    day.check("10:00", &["09:00:00 signal 1 to 7", "09:30:00 S13 1 raised of 7"]);
}

#[test]
fn other_settings_are_told_of_after_a_restart() {
    let day = Script::default().event("09:00", "09:00", 1, critical);
    let sooner = FlagSettings { unresolved_us: 15 * MINUTE_US, ..FlagSettings::default() };
    assert_eq!(day.after_other_settings("09:20", "10:00", sooner), ["09:20:00 S13 1 raised opened 09:15:00"]);
}

/// Nobody knows any more after nine days whether it was told of; whatever makes it untrue closes it all the same.
#[test]
fn what_was_forgotten_is_closed_by_whatever_ends_it() {
    let ends = |change: &dyn Fn(&mut OperationalEvent<'static>), cause: &str| {
        let day = Script::default().event("09:00", "09:00", 1, critical).outage("10:00", "300:00").event("300:00", "09:00", 1, change);
        day.check("300:10", &["09:30:00 S13 1 raised", &format!("300:00:00 S13 1 {cause}")]);
    };
    ends(&resolved("299:00"), "activity");
    ends(&|event| event.common.voided = true, "voided");
    ends(&|event| event.severity = Severity::Warning, "amended");
    ends(&|event| (event.severity, event.common.revision, event.common.recorded_at) = (Severity::Info, 1, None), "amended");
}

/// A bulk upload of what nobody was ever told of says nothing.
#[test]
fn history_that_comes_late_and_is_not_critical_is_no_end_of_anything() {
    let late = |change: &dyn Fn(&mut OperationalEvent<'static>)| Script::default().event("300:00", "09:00", 1, change).check("300:10", &[]);
    late(&|event| (event.severity, event.common.recorded_at) = (Severity::Info, None));
    late(&|event| (event.severity, event.common.recorded_at) = (Severity::Info, Some(time("09:29:59"))));
    late(&|event| (event.severity, event.common.imported) = (Severity::Info, true));
}
