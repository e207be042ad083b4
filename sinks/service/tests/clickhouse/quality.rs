//! Data quality, also against a computation that goes through all records one by one.

use crate::setup::{Random, TestDatabase, activity, at, event, operation, technician, visit};
use fieldline_schemas::events::ActivityType;
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::SECOND_US;
use fieldline_sinks_rows::{ActivityRows, OperationRows, Position};
use std::collections::{BTreeMap, BTreeSet};

/// A position `minutes` after the morning.
fn position(offset: i64, minutes: i64) -> Position {
    Position { partition: 3, offset, received_at: at(minutes) }
}

#[test]
fn data_quality_counts_per_source() {
    let test = TestDatabase::new("data_quality");
    let mut rows = ActivityRows::default();
    let mut push = |number, subject, revision, voided, hash, offset, lag| {
        let mut record = activity(number, 0, ActivityType::WorkStarted);
        record.technician_contact_id = technician(subject);
        record.visit_id = Some(visit(number));
        record.common.revision = revision;
        record.common.voided = voided;
        record.common.source = Some("mobile".into());
        rows.push(position(offset, lag), hash, &record);
    };
    push(1, 1, 0, false, 10, 0, 1);
    push(1, 1, 0, false, 10, 1, 2);
    push(1, 1, 0, false, 11, 2, 3);
    push(1, 2, 0, false, 12, 3, 4);
    push(2, 1, 0, false, 13, 4, 5);
    push(2, 1, 1, true, 14, 5, -6);
    rows.push(position(9, 9), 15, &activity(3, 0, ActivityType::WorkStarted));
    test.insert("technician_activity_log", &rows);
    test.insert("technician_activity_log", &rows);
    test.check(
        "SELECT source, records, standing, duplicates, conflicts, near_duplicates, amendments, voids, ids_under_two_subjects, \
         lag_seconds_p50, clocks_ahead, clock_ahead_seconds_max, shifts, anomalies_per_1000_events FROM data_quality ORDER BY source",
        &["\t1\t1\t0\t0\t0\t0\t0\t0\t540\t0\t0\t0\t0", "mobile\t6\t2\t1\t1\t0\t1\t1\t1\t180\t1\t360\t0\t0"],
    );
}

/// A phone sends twice, the office amends: the repetition is the phone's.
#[test]
fn a_repetition_counts_for_whoever_sent_it() {
    let test = TestDatabase::new("data_quality_sources");
    let mut rows = ActivityRows::default();
    let mut offset = 0;
    let mut push = |number: u8, revision, voided, hash, source: &'static str| {
        // Far apart from other events, so that none is a double tap.
        let mut record = activity(number, 10 * i64::from(number), ActivityType::WorkStarted);
        record.common.revision = revision;
        record.common.voided = voided;
        record.common.source = Some(source.into());
        rows.push(position(offset, 200 + offset), hash, &record);
        offset += 1;
    };
    push(1, 0, false, 1, "mobile");
    push(1, 0, false, 1, "mobile");
    push(1, 1, false, 2, "manual");
    // A contradiction below the highest revision, and one beside a void, are none.
    push(2, 0, false, 1, "mobile");
    push(2, 0, false, 2, "mobile");
    push(2, 1, false, 3, "manual");
    push(3, 0, false, 1, "mobile");
    push(3, 0, false, 2, "mobile");
    push(3, 0, true, 3, "manual");
    // Of a void only id and revision matter.
    push(3, 0, true, 4, "desktop");
    // Each other content is one contradiction, a repeated one is a duplicate too.
    push(4, 0, false, 1, "mobile");
    push(4, 0, false, 2, "desktop");
    push(4, 0, false, 2, "mobile");
    push(4, 0, false, 3, "manual");
    // A double tap, of another source than the event that stands.
    let mut tap = activity(5, 40, ActivityType::WorkStarted);
    tap.common.created_at = tap.common.created_at + 60 * SECOND_US;
    tap.common.source = Some("desktop".into());
    rows.push(position(offset, 300), 9, &tap);
    test.insert("technician_activity_log", &rows);
    test.check(
        "SELECT source, records, standing, duplicates, conflicts, near_duplicates FROM data_quality ORDER BY source",
        &["desktop\t3\t1\t1\t1\t1", "manual\t4\t2\t0\t1\t0", "mobile\t8\t1\t2\t0\t0"],
    );
    test.check(
        "SELECT id, created_at, activity_type, visit_id, source, stands_for_id, seconds_after FROM near_duplicates",
        &["e0050000-0000-4000-8000-000000000000\t2026-03-02 08:41:00.000000\twork_started\t\\N\tdesktop\t\
           e0040000-0000-4000-8000-000000000000\t60"],
    );
}

/// A record as the counts see it.
struct Sent {
    subject: u8,
    id: EventId,
    revision: u32,
    voided: bool,
    hash: u128,
    source: Option<&'static str>,
    /// What an operational event's updates are ordered by.
    updated: i64,
}

#[derive(Default, Debug, PartialEq)]
struct Counts {
    records: u64,
    standing: u64,
    duplicates: u64,
    conflicts: u64,
    ids_under_two_subjects: u64,
}

impl Sent {
    fn any(random: &mut Random) -> Self {
        Self {
            subject: random.below(2) as u8,
            id: event(random.below(40) as u8),
            revision: random.below(3) as u32,
            voided: random.below(6) == 0,
            hash: 1 + u128::from(random.below(3)),
            source: random.pick(&[None, Some("mobile"), Some("manual")]),
            updated: random.below(4) as i64,
        }
    }
    fn same_revision(&self, other: &Self) -> bool {
        (self.subject, self.id, self.revision) == (other.subject, other.id, other.revision)
    }
}

/// Counts by reading the log from the front; of operational events the last update stands, and nothing contradicts.
fn counts(log: &[Sent], is_operational: bool) -> BTreeMap<&'static str, Counts> {
    let mut by_source: BTreeMap<&str, Counts> = BTreeMap::new();
    let mut split = BTreeSet::new();
    for (place, sent) in log.iter().enumerate() {
        let counts = by_source.entry(sent.source.unwrap_or("")).or_default();
        counts.records += 1;
        let content = |sent: &Sent| if sent.voided && !is_operational { None } else { Some((sent.voided, sent.hash, sent.updated)) };
        let is_alike = |other: &&Sent| other.same_revision(sent) && content(other) == content(sent);
        let is_duplicate = log[..place].iter().any(|other| is_alike(&other));
        counts.duplicates += u64::from(is_duplicate);
        let of_id = || log.iter().filter(|other| (other.subject, other.id) == (sent.subject, sent.id));
        let is_in_force = of_id().all(|other| other.revision < sent.revision || other.revision == sent.revision && !other.voided);
        let earlier = log[..place].iter().any(|other| other.same_revision(sent));
        let later = log[place + 1..].iter().any(|other| other.same_revision(sent) && other.updated >= sent.updated)
            || log[..place].iter().any(|other| other.same_revision(sent) && other.updated > sent.updated);
        counts.standing += u64::from(is_in_force && !if is_operational { later } else { earlier });
        counts.conflicts += u64::from(!is_operational && is_in_force && earlier && !is_duplicate);
        let is_split = log[..place].iter().find(|other| other.id == sent.id).is_some_and(|first| first.subject != sent.subject);
        counts.ids_under_two_subjects += u64::from(is_split && split.insert(sent.id));
    }
    by_source
}

fn lines(event: &str, counts: &BTreeMap<&str, Counts>) -> Vec<String> {
    let line = |(source, c): (&&str, &Counts)| {
        format!("{event}\t{source}\t{}\t{}\t{}\t{}\t{}", c.records, c.standing, c.duplicates, c.conflicts, c.ids_under_two_subjects)
    };
    counts.iter().map(line).collect()
}

#[test]
fn data_quality_counts_what_a_reading_of_the_log_counts() {
    let test = TestDatabase::new("data_quality_random");
    let random = &mut Random(7);
    let (mut activities, mut operations) = (ActivityRows::default(), OperationRows::default());
    let log: Vec<Sent> = (0..600).map(|_| Sent::any(random)).collect();
    let updates: Vec<Sent> = (0..400).map(|_| Sent { subject: 0, ..Sent::any(random) }).collect();
    for (offset, sent) in log.iter().enumerate() {
        let offset = offset as i64;
        // Far apart, so that none is a double tap.
        let mut record = activity(0, 2 * offset, ActivityType::WorkStarted);
        (record.common.id, record.common.revision, record.common.voided) = (sent.id, sent.revision, sent.voided);
        record.common.source = sent.source.map(Into::into);
        record.technician_contact_id = technician(sent.subject);
        // A content is of its own, void or not.
        activities.push(position(offset, offset / 7), sent.hash * 100 + sent.updated as u128 * 2 + u128::from(sent.voided), &record);
    }
    for (offset, sent) in updates.iter().enumerate() {
        let mut record = operation(0, 0);
        (record.common.id, record.common.revision, record.common.voided) = (sent.id, sent.revision, sent.voided);
        record.common.source = sent.source.map(Into::into);
        record.common.recorded_at = (sent.updated > 0).then(|| at(sent.updated));
        let content = sent.hash * 100 + sent.updated as u128 * 2 + u128::from(sent.voided);
        operations.push(position(offset as i64, offset as i64 / 7), content, &record);
    }
    for _ in 0..2 {
        test.insert("technician_activity_log", &activities);
        test.insert("operational_event_log", &operations);
    }
    let mut expect = lines("operational_event", &counts(&updates, true));
    expect.extend(lines("technician_activity", &counts(&log, false)));
    let query =
        "SELECT event, source, records, standing, duplicates, conflicts, ids_under_two_subjects FROM data_quality ORDER BY event, source";
    assert_eq!(test.lines(query), expect);
    assert!(expect.len() == 6 && counts(&log, false).values().all(|c| c.standing * c.duplicates * c.conflicts > 0), "{expect:?}");
}
