//! What is owed, by example.

use super::super::samples::{alert, delivered};
use super::*;

fn told(offset: i64) -> Told {
    Told { partition: 0, offset, appended_at: Timestamp(1_000 + offset) }
}

fn book(records: impl IntoIterator<Item = Alert<'static>>) -> Book {
    let mut book = Book::new("desk");
    for (offset, record) in (0..).zip(records) {
        book.take(told(offset), record);
    }
    book
}

/// Versions rise by notification; of an equal one by this step.
fn later(mut alert: Alert<'static>, step: u64) -> Alert<'static> {
    alert.stamp.version.0 += step;
    alert
}

fn resolved(mut alert: Alert<'static>) -> Alert<'static> {
    alert.state = AlertState::Resolved;
    alert
}

/// Everything that can be sent now, in order; each is acknowledged.
fn sent(book: &mut Book) -> Vec<(String, u32)> {
    let mut sent = Vec::new();
    while let Some(due) = book.next(Urgency::Info) {
        let (id, notification) = (due.alert.alert_id.to_string(), due.alert.notification);
        book.end(&id, notification, Ending::Acknowledged);
        sent.push((id, notification));
    }
    sent
}

fn s5(id: &str, notification: u32) -> Alert<'static> {
    alert(id, FlagCode::S5, notification)
}

#[test]
fn only_the_newest_notification_is_owed_and_only_once() {
    let mut book = book([s5("a", 1), s5("a", 2), s5("b", 1), s5("a", 3)]);
    assert_eq!(book.backlog(), (2, Some(Timestamp(1_002))));
    // The notification counts from the record that brought it.
    assert_eq!(sent(&mut book), [("b".into(), 1), ("a".into(), 3)]);
    assert_eq!(sent(&mut book), []);
    // A repetition, a lower version, and further steps of what is told.
    book.take(told(4), s5("a", 3));
    book.take(told(5), s5("a", 1));
    book.take(told(6), later(delivered(s5("a", 3), "other", 3), 1));
    assert_eq!(sent(&mut book), []);
    book.take(told(7), s5("a", 4));
    assert_eq!(sent(&mut book), [("a".into(), 4)]);
}

#[test]
fn a_notification_goes_by_the_step_that_called_for_it() {
    let with = |step: AlertStep, version: u64, notification: u32| later(Alert { step, ..s5("a", notification) }, version);
    let noted = [with(AlertStep::Opened, 0, 1), with(AlertStep::Noted, 1, 1), with(AlertStep::Notified, 2, 1)];
    let step = |book: &mut Book| book.next(Urgency::Info).map(|due| due.alert.step);
    assert_eq!(step(&mut book(noted)), Some(AlertStep::Opened));
    assert_eq!(step(&mut book([with(AlertStep::Opened, 0, 1), with(AlertStep::Acknowledged, 1, 1)])), Some(AlertStep::Acknowledged));
    assert_eq!(step(&mut book([with(AlertStep::Opened, 0, 1), with(AlertStep::Escalated, 1, 2)])), Some(AlertStep::Escalated));
}

#[test]
fn what_the_lifecycle_says_is_told_is_not_owed() {
    let mut book =
        book([delivered(s5("a", 2), "desk", 2), delivered(s5("b", 2), "desk", 1), delivered(s5("c", 2), "other", 2), s5("d", 0)]);
    assert_eq!(sent(&mut book), [("b".into(), 2), ("c".into(), 2)]);
}

#[test]
fn the_urgent_first_then_the_oldest() {
    let severe = |id: &str, severity| Alert { severity, ..s5(id, 1) };
    let mut book = book([
        s5("warning", 1),
        severe("info", Severity::Info),
        severe("critical", Severity::Critical),
        severe("error", Severity::Error),
        alert("S6", FlagCode::S6, 1),
        severe("critical, later", Severity::Critical),
        Alert { severity: Severity::Info, ..alert("S1", FlagCode::S1, 1) },
    ]);
    // With room for the urgent only, the others stay.
    let due = book.next(Urgency::Emergency).unwrap();
    assert_eq!(due.alert.alert_id, "S6");
    book.end("S6", 1, Ending::Acknowledged);
    let order: Vec<_> = sent(&mut book).into_iter().map(|(id, _)| id).collect();
    assert_eq!(order, ["S1", "critical", "critical, later", "error", "warning", "info"]);
    book.take(told(9), s5("warning", 2));
    assert!(book.next(Urgency::Critical).is_none());
}

#[test]
fn never_two_at_once_and_a_newer_one_does_not_wait_for_an_older_ones_pause() {
    let mut book = book([s5("a", 1)]);
    let due = book.next(Urgency::Info).unwrap();
    book.take(told(1), s5("a", 2));
    assert!(book.next(Urgency::Info).is_none(), "the first is still under way");
    book.end("a", 1, Ending::RetryAt(500));
    assert_eq!(due.attempt, 1);
    // The newer one goes at once, with attempts of its own.
    let due = book.next(Urgency::Info).unwrap();
    assert_eq!((due.alert.notification, due.attempt, due.appended_at), (2, 1, Timestamp(1_001)));
    book.end("a", 2, Ending::RetryAt(500));
    book.wake(499);
    assert!(book.next(Urgency::Info).is_none());
    // A step that adds no notification neither shortens nor starts again.
    book.take(told(2), later(s5("a", 2), 1));
    assert!(book.next(Urgency::Info).is_none());
    book.wake(500);
    let due = book.next(Urgency::Info).unwrap();
    assert_eq!((due.attempt, due.appended_at), (2, Timestamp(1_001)));
    book.end("a", 2, Ending::RetryAt(900));
    book.take(told(3), s5("a", 3));
    assert_eq!(sent(&mut book), [("a".into(), 3)]);
}

#[test]
fn what_was_refused_with_others_goes_apart_until_there_is_something_new_to_tell() {
    let mut book = book([s5("a", 1)]);
    assert!(!book.next(Urgency::Info).unwrap().is_apart);
    book.end("a", 1, Ending::Apart);
    // At once, again after a failure, and whatever the lifecycle adds meanwhile.
    let due = book.next(Urgency::Info).unwrap();
    assert_eq!((due.is_apart, due.attempt), (true, 2));
    book.end("a", 1, Ending::RetryAt(500));
    book.take(told(1), later(s5("a", 1), 1));
    book.wake(500);
    let due = book.next(Urgency::Info).unwrap();
    assert_eq!((due.is_apart, due.attempt), (true, 3));
    book.take(told(2), s5("a", 2));
    book.end("a", 1, Ending::Apart);
    let due = book.next(Urgency::Info).unwrap();
    assert_eq!((due.is_apart, due.attempt, due.alert.notification), (false, 1, 2));
}

#[test]
fn given_up_is_for_one_notification() {
    let mut book = book([s5("a", 1)]);
    book.next(Urgency::Info).unwrap();
    book.end("a", 1, Ending::GaveUp);
    book.take(told(1), later(s5("a", 1), 1));
    assert_eq!(sent(&mut book), []);
    book.take(told(2), resolved(s5("a", 2)));
    assert_eq!(sent(&mut book), [("a".into(), 2)]);
}

/// Another receiver's acknowledgement comes back before ours does: a record of the same notification that says nothing of us.
#[test]
fn a_finished_alert_is_not_told_again_by_the_lifecycles_echo() {
    let mut book = book([resolved(s5("a", 2))]);
    assert_eq!(sent(&mut book), [("a".into(), 2)]);
    assert!(book.entries.is_empty());
    book.take(told(1), later(resolved(delivered(s5("a", 2), "other", 2)), 1));
    assert_eq!(sent(&mut book), []);
    book.take(told(2), later(resolved(delivered(s5("a", 2), "desk", 2)), 2));
    assert_eq!(sent(&mut book), []);
    assert!(book.entries.is_empty() && book.finished.is_empty());
    // It opens again.
    book.take(told(3), delivered(s5("a", 3), "desk", 2));
    assert_eq!(sent(&mut book), [("a".into(), 3)]);
}

#[test]
fn a_silence_holds_back_and_is_recorded_once() {
    let mut book = book([s5("a", 1), s5("b", 1)]);
    for id in ["a", "b"] {
        assert!(!book.next(Urgency::Info).unwrap().is_suppressed);
        book.end(id, 1, Ending::Suppressed(100));
    }
    book.wake(100);
    assert!(book.next(Urgency::Info).unwrap().is_suppressed);
    book.end("a", 1, Ending::Suppressed(200));
    // Resolved under the silence: nobody has heard of it.
    book.take(told(2), resolved(s5("b", 2)));
    book.wake(200);
    assert_eq!(sent(&mut book), [("a".into(), 1)]);
    assert_eq!(book.backlog(), (0, None));
    // What was told before the silence is taken back after it.
    book.take(told(3), resolved(s5("a", 2)));
    assert_eq!(sent(&mut book), [("a".into(), 2)]);
}

#[test]
fn what_is_recorded_is_recalled() {
    let mut book = book([s5("a", 2), s5("b", 1), s5("c", 3), resolved(s5("d", 2)), s5("e", 1)]);
    let mut recall = |id, notification, attempt, recalled| book.recall(id, notification, attempt, recalled);
    assert!(recall("a", 2, 1, Recalled::Acknowledged));
    assert!(recall("b", 1, 4, Recalled::GaveUp));
    assert!(!recall("c", 2, 1, Recalled::Acknowledged));
    assert!(!recall("d", 1, 1, Recalled::Suppressed));
    assert!(!recall("e", 1, 7, Recalled::Failed));
    assert!(!recall("unknown", 1, 7, Recalled::Acknowledged));
    let due = book.next(Urgency::Info).unwrap();
    assert_eq!((due.alert.alert_id.as_ref(), due.attempt), ("c", 1));
    book.end("c", 3, Ending::Acknowledged);
    let due = book.next(Urgency::Info).unwrap();
    assert_eq!((due.alert.alert_id.as_ref(), due.attempt), ("e", 8));
    book.end("e", 1, Ending::Acknowledged);
    assert_eq!(sent(&mut book), []);
}

#[test]
fn what_has_no_route_waits_for_a_change() {
    let mut book = book([s5("a", 1), resolved(s5("b", 1))]);
    for id in ["a", "b"] {
        book.next(Urgency::Info).unwrap();
        book.end(id, 1, Ending::NoRoute);
    }
    assert_eq!((book.backlog(), book.entries.len()), ((0, None), 1));
    assert!(book.next(Urgency::Info).is_none());
    book.reconsider();
    assert_eq!(sent(&mut book), [("a".into(), 1)]);
}

#[test]
fn open_alerts_that_were_told_can_be_told_again() {
    let mut book = book([s5("a", 1), s5("b", 1)]);
    assert_eq!(book.told_and_open().count(), 0);
    assert!(book.repeat("a").is_none());
    sent(&mut book);
    assert_eq!(book.told_and_open().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(book.repeat("a").unwrap().alert.alert_id, "a");
    // The resolution comes while it is under way, and waits for its end.
    book.take(told(5), resolved(s5("a", 2)));
    assert!(book.next(Urgency::Info).is_none());
    book.end("a", 1, Ending::Repeated);
    assert_eq!(sent(&mut book), [("a".into(), 2)]);
    assert_eq!(book.told_and_open().collect::<Vec<_>>(), ["b"]);
}

#[test]
fn a_partition_that_goes_takes_its_alerts_along() {
    let mut book = book([s5("a", 1), s5("b", 1), s5("c", 1)]);
    book.take(Told { partition: 1, ..told(0) }, s5("other", 1));
    book.next(Urgency::Info).unwrap();
    book.forget(0);
    // Its attempt ends after that.
    book.end("a", 1, Ending::RetryAt(0));
    book.wake(0);
    assert_eq!(sent(&mut book), [("other".into(), 1)]);
    assert!(book.ready.is_empty() && book.waiting.is_empty());
}
