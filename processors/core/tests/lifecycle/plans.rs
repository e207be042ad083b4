//! Plans that wait for their day.

use crate::desk::START;
use fieldline_processors_core::plans::{PlanQueue, READ_WITHIN_US, Revision};
use fieldline_schemas::Timestamp;
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::DAY_US;

fn revision(id: u64, revision: u32, starts_at: Timestamp, received_at: Timestamp) -> Revision {
    let id = EventId(uuid::Uuid::from_u64_pair(3, id));
    Revision { id, revision, starts_at, received_at, key: b"key".to_vec(), payload: vec![revision as u8] }
}

fn released(queue: &mut PlanQueue, clock: Timestamp) -> Vec<u32> {
    queue.release(clock).into_iter().map(|revision| revision.revision).collect()
}

#[test]
fn a_plan_two_weeks_ahead_is_released_a_day_before_its_start_with_all_its_revisions() {
    let mut queue = PlanQueue::new(None);
    let start = START + 14 * DAY_US;
    queue.take(revision(1, 0, start, START));
    queue.take(revision(1, 1, start + DAY_US, START + DAY_US));
    queue.take(revision(1, 2, start, START + 2 * DAY_US));
    queue.take(revision(1, 2, start, START + 2 * DAY_US));
    let due = start - DAY_US;
    assert_eq!(queue.next_due(), Some(due));
    assert!(released(&mut queue, due - 1).is_empty());
    assert_eq!(released(&mut queue, due), [0, 1, 2]);
    assert_eq!((released(&mut queue, due + DAY_US).len(), queue.next_due()), (0, None));
}

#[test]
fn moved_earlier_it_is_released_earlier_and_what_comes_after_goes_at_once() {
    let mut queue = PlanQueue::new(None);
    let start = START + 14 * DAY_US;
    queue.take(revision(1, 0, start, START));
    queue.take(revision(2, 0, start - DAY_US, START));
    queue.take(revision(1, 1, START + 3 * DAY_US, START + DAY_US));
    assert_eq!(queue.next_due(), Some(START + 2 * DAY_US));
    assert_eq!(released(&mut queue, START + 2 * DAY_US), [0, 1]);
    // Its day has come once: a revision that puts it off by a month changes today, and does not wait.
    queue.take(revision(1, 2, START + 40 * DAY_US, START + 2 * DAY_US));
    assert_eq!(released(&mut queue, START + 2 * DAY_US), [2]);
    // After the fact.
    queue.take(revision(1, 3, START + 3 * DAY_US, START + 3 * DAY_US));
    assert_eq!(released(&mut queue, START + 3 * DAY_US), [3]);
    assert_eq!(queue.next_due(), Some(start - 2 * DAY_US), "the other plan waits for its own day");
}

#[test]
fn history_needs_no_release() {
    let mut queue = PlanQueue::new(None);
    queue.take(revision(1, 0, START - DAY_US, START));
    assert_eq!(queue.next_due(), None);
    queue.take(revision(2, 0, START - DAY_US + 1, START));
    assert_eq!(released(&mut queue, START), [0]);
}

#[test]
fn a_successor_releases_only_what_its_predecessor_had_not() {
    let read = READ_WITHIN_US;
    let records = [
        revision(1, 0, START + 3 * DAY_US, START),
        revision(2, 0, START + 9 * DAY_US, START),
        // Moved to tomorrow: both went when the second one came.
        revision(2, 1, START + DAY_US, START + DAY_US / 2),
        revision(3, 0, START + 9 * DAY_US, START),
        revision(1, 1, START + 4 * DAY_US, START + 2 * DAY_US),
    ];
    let left_at = START + 2 * DAY_US + read - 1;
    let mut queue = PlanQueue::new(Some(left_at));
    records.iter().for_each(|record| queue.take(record.clone()));
    let again: Vec<_> = queue.release(left_at).into_iter().map(|r| (r.id.0.as_u64_pair().1, r.revision)).collect();
    assert_eq!(again, [(1, 1)], "it may have come too late for the predecessor, so it goes again");
    assert_eq!(released(&mut queue, START + 8 * DAY_US), [0]);
    // The same without a predecessor.
    let mut queue = PlanQueue::new(None);
    records.iter().for_each(|record| queue.take(record.clone()));
    assert_eq!(queue.release(left_at).len(), 4);
}

#[test]
fn what_is_pruned_is_old_and_waits_for_nothing() {
    let mut queue = PlanQueue::new(None);
    queue.take(revision(1, 0, START, START));
    queue.take(revision(2, 0, START + 900 * DAY_US, START));
    queue.prune(START + 401 * DAY_US);
    assert_eq!(released(&mut queue, START + 899 * DAY_US), [0, 0]);
}
