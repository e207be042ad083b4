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

#[test]
fn a_record_just_before_the_restart_changes_nothing() {
    let day = open_shift().event("19:30", "break", BreakStart).event("21:00", "end", ShiftEnd);
    assert_eq!(day.after_restart("19:30:20", "22:00"), ["21:00:00 S5 start activity warning opened 19:00:00"]);
}

/// Records have come without a pause for so long that nobody can tell whether the flag was opened before they began.
#[test]
fn what_may_not_have_been_told_is_told_again() {
    let busy = || open_shift().duplicates("19:30", "19:50", 50, ("16:40", "left", LeftSite));
    let closed = "21:00:00 S5 start activity warning opened 19:00:00";
    let day = busy().event("21:00", "end", ShiftEnd);
    assert_eq!(day.after_restart("19:49:50", "22:00"), ["19:51:00 S5 start raised warning opened 19:00:00", closed]);
    // Once only.
    assert_eq!(day.after_restart("19:52:00", "22:00"), [closed]);
    // And withdrawn, if it becomes untrue before that.
    let day = busy().event("19:50:20", "end", ShiftEnd);
    assert_eq!(day.after_restart("19:50", "22:00"), ["19:50:20 S5 start activity warning opened 19:00:00"]);
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
