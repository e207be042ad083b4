//! A state that is rebuilt: nothing is told again, nothing is lost.

use crate::script::{Script, places, replayed, run, settings};
use fieldline_processors_core::partition::Partition;
use fieldline_schemas::events::ActivityType::{BreakStart, EmergencyStop, LeftSite, ShiftEnd, ShiftStart};

fn open_shift() -> Script {
    Script::default().event("08:00", "start", ShiftStart).event("16:40", "left", LeftSite).event("17:00", "stop", EmergencyStop)
}

#[test]
fn what_was_told_before_is_not_told_again() {
    let day = open_shift().late("21:15", "16:58", "end", ShiftEnd);
    let closed = "21:15:00 S5 start late_arrival warning opened 19:00:00";
    // Between the cause and the due time, between opening and withdrawal, after it.
    assert_eq!(day.after_restart("16:00", "22:00"), ["17:00:00 S1 stop raised critical", "19:00:00 S5 start raised warning", closed]);
    assert_eq!(day.after_restart("18:00", "22:00"), ["19:00:00 S5 start raised warning", closed]);
    assert_eq!(day.after_restart("20:00", "22:00"), [closed]);
    assert_eq!(day.after_restart("21:30", "22:00"), Vec::<String>::new());
}

/// A record came just before the restart, so that nobody can tell whether the flag had been opened before it came.
#[test]
fn what_may_not_have_been_told_is_told_again() {
    let day = open_shift().event("19:30", "break", BreakStart).event("21:00", "end", ShiftEnd);
    let closed = "21:00:00 S5 start activity warning opened 19:00:00";
    assert_eq!(day.after_restart("19:30:20", "22:00"), ["19:31:00 S5 start raised warning opened 19:00:00", closed]);
    // And withdrawn, if it becomes untrue before that.
    let day = open_shift().event("19:30", "break", BreakStart).event("19:30:40", "end", ShiftEnd);
    assert_eq!(day.after_restart("19:30:20", "22:00"), ["19:30:40 S5 start activity warning opened 19:00:00"]);
}

#[test]
fn other_settings_tell_what_is_true_again() {
    let records = open_shift().records("22:00");
    let place = places(&records).into_iter().find(|place| place.clock >= crate::script::time("20:00")).unwrap();
    let mut partition = Partition::rebuild(settings(), place).telling_flags_again();
    let flags: Vec<_> = run(&mut partition, replayed(&records, place)).into_iter().flat_map(|(_, flags)| flags).collect();
    assert_eq!(flags.len(), 1);
    assert!(flags[0].alert_id.starts_with("S5:") && flags[0].opened_at == crate::script::time("19:00"), "{flags:?}");
}
