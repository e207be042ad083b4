//! When a queue is below its target, and when that is over.

use super::{Kind, Script};
use Kind::{Good, Impatient, Lost, Slow};
use fieldline_schemas::events::CallType;

#[test]
fn below_eighty_per_cent_of_ten_calls_and_back() {
    let day = Script::default().calls("09:00", "09:00", 7, Good).calls("09:10", "09:09", 2, Slow);
    day.check("09:20", &[]);
    let below = day.clone().calls("09:20", "09:19", 1, Slow);
    below.check("09:25", &["09:20:00 service raised since 09:20:00"]);
    assert_eq!(below.outputs("09:25")[0].reasoning, "service level below 80 %: 7 of 10 calls answered within 20 s, 10 offered in 30 min");
    // Eight of ten are eighty per cent.
    day.clone()
        .calls("09:20", "09:19", 1, Good)
        .calls("09:20", "09:19", 1, Lost)
        .check("09:21", &["09:20:00 service raised since 09:20:00"]);
    Script::default().calls("09:00", "09:00", 8, Good).calls("09:10", "09:09", 2, Slow).check("09:29", &[]);
    let back = below.calls("09:25", "09:24", 5, Good);
    back.check("09:29", &["09:20:00 service raised since 09:20:00", "09:25:00 service activity since 09:20:00"]);
}

#[test]
fn callers_who_hang_up_at_once_gave_nobody_a_chance_and_count_as_offered() {
    let day = Script::default().calls("09:00", "09:00", 4, Good).calls("09:00", "09:00", 5, Impatient);
    day.clone().calls("09:10", "09:10", 1, Slow).check("09:20", &[]);
    day.calls("09:10", "09:10", 2, Lost).check("09:20", &["09:10:00 service raised since 09:10:00"]);
}

#[test]
fn calls_leave_after_thirty_minutes_by_when_they_entered() {
    // At 09:30 the good ones are gone; three bad ones of twelve become three of ten, and then nothing is left.
    let day = Script::default().calls("09:05", "09:00", 2, Good).calls("09:10", "09:10", 7, Good).calls("09:12", "09:11", 3, Lost);
    day.check("09:29:59", &["09:12:00 service raised since 09:12:00"]);
    let day = Script::default().calls("09:05", "09:00", 3, Good).calls("09:10", "09:10", 9, Good).calls("09:12", "09:11", 3, Lost);
    day.check("10:00", &["09:30:00 service raised since 09:30:00", "09:41:00 service activity since 09:30:00"]);
}

#[test]
fn with_fewer_than_ten_calls_nothing_is_told_and_what_was_told_stays() {
    let day = Script::default().calls("09:00", "09:00", 9, Lost);
    day.check("10:00", &[]);
    let day = Script::default().calls("09:00", "09:00", 9, Lost).calls("09:10", "09:10", 2, Lost);
    day.check("09:39:59", &["09:10:00 service raised since 09:10:00"]);
    day.check("09:50", &["09:10:00 service raised since 09:10:00", "09:40:00 service activity since 09:10:00"]);
}

#[test]
fn yesterdays_calls_and_imports_are_told_to_nobody() {
    Script::default().calls("09:00", "08:30", 50, Lost).check("10:00", &[]);
    let day = Script::default().changed("09:00", "09:00", 50, Lost, |call| call.common.imported = true);
    day.check("10:00", &[]);
}

#[test]
fn what_was_offered_to_nobody_counts_nowhere() {
    let plain = Script::default().calls("09:00", "09:00", 9, Lost);
    plain.clone().changed("09:01", "09:01", 1, Lost, |call| call.call_type = CallType::Outbound).check("09:10", &[]);
    plain.clone().changed("09:01", "09:01", 1, Lost, |call| call.direction = Some("outbound".into())).check("09:10", &[]);
    plain.clone().changed("09:01", "09:01", 1, Lost, |call| call.queue_name = None).check("09:10", &[]);
    plain.clone().changed("09:01", "09:01", 1, Lost, |call| call.queue_name = Some("".into())).check("09:10", &[]);
    plain.clone().changed("09:01", "09:01", 1, Lost, |call| call.queue_name = Some("other".into())).check("09:10", &[]);
    plain.calls("09:01", "09:01", 1, Lost).check("09:10", &["09:01:00 service raised since 09:01:00"]);
}

#[test]
fn copies_amendments_and_voids() {
    let plain = Script::default().calls("09:00", "09:00", 9, Lost);
    plain.clone().again("09:01", 1, |_| ()).check("09:10", &[]);
    // The first of a revision stands.
    plain.clone().again("09:01", 1, |call| call.call_type = CallType::Inbound).check("09:10", &[]);
    let below = plain.calls("09:01", "09:01", 1, Lost);
    let raised = "09:01:00 service raised since 09:01:00";
    let voided = below.clone().again("09:05", 3, |call| call.common.voided = true);
    voided.check("09:10", &[raised]);
    let amended = (1..=9).fold(below, |day, n| {
        day.again("09:05", n, |call| {
            call.common.revision = 1;
            (call.call_type, call.call_outcome) = (CallType::Inbound, fieldline_schemas::events::CallOutcome::Answered);
            call.wait_time_seconds = Some(1);
        })
    });
    amended.check("09:10", &[raised, "09:05:00 service activity since 09:01:00"]);
}

#[test]
fn a_second_is_judged_as_a_whole() {
    let burst = Script::default().calls("09:00", "08:59", 12, Lost).calls("09:00", "08:59", 88, Good);
    burst.check("09:10", &[]);
}

#[test]
fn after_an_outage_a_level_that_fell_meanwhile_waits_for_what_was_held_up() {
    let day = Script::default().calls("09:00", "09:00", 3, Good).calls("09:10", "09:10", 9, Good).calls("09:12", "09:11", 3, Lost);
    let day = day.outage("09:20", "09:35");
    day.check("09:41", &["09:36:00 service raised since 09:36:00", "09:41:00 service activity since 09:36:00"]);
    day.calls("09:35:20", "09:33", 10, Good).check("09:39", &[]);
}

#[test]
fn a_new_day_is_judged_by_itself() {
    let day = Script::default().calls("23:50", "23:50", 12, Lost);
    day.check(
        "24:30",
        &[
            "23:50:00 service raised since 23:50:00",
            "24:00:00 service amended since 23:50:00",
            "24:00:00 service raised since 24:00:00",
            "24:20:00 service activity since 24:00:00",
        ],
    );
}

#[test]
fn a_name_with_colons_is_a_subject_and_a_very_long_one_is_cut() {
    let named =
        |name: String| Script::default().changed("09:00", "09:00", 10, Lost, move |call| call.queue_name = Some(name.clone().into()));
    named("a:b: c".to_owned()).check("09:10", &["09:00:00 a:b: c raised since 09:00:00"]);
    let id = named("é".repeat(512)).outputs("09:10")[0].alert_id.to_string();
    assert!(id.len() < 1024 && id.contains('~'), "{id}");
}
