//! The promises of the pipeline, computed from the log and the tables, never from what a stage says of itself.

use super::tapped::Tap;
use super::{PARTITIONS, PREFIX};
use crate::setup::TestDatabase;
use fieldline_log::memory::MemoryLog;
use fieldline_log::{Log, TopicPartition, partition_for_key};
use fieldline_processors_core::definition::Definition;
use fieldline_registry::Registry;
use fieldline_schemas::{Topic, Version};
use fieldline_sinks::verify::{VerifyConfig, conservation, verify};
use fieldline_sinks::{Deadlines, raw_sink};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// The promises that are broken, and what shows it.
pub fn broken(test: &TestDatabase, log: &MemoryLog, tap: &Tap) -> BTreeMap<&'static str, String> {
    let mut broken = BTreeMap::new();
    let mut note = |promise: &'static str, count: u64, what: String| {
        if count > 0 {
            broken.insert(promise, format!("{count}: {what}"));
        }
    };
    let number = |sql: &str| -> u64 { test.lines(sql)[0].parse().unwrap() };

    // I1: every record of the log is in a table. I4: none before a committed offset is not.
    let kept = conservation(log, &Registry::default(), PREFIX, &test.target, Deadlines::default()).unwrap();
    note("I1", kept.missing.count, format!("{:?}", kept.missing.first));
    let group = format!("{PREFIX}{}", raw_sink::GROUP);
    let is_committed = |topic: &str, partition, offset| {
        let at = TopicPartition { topic: topic.to_owned(), partition };
        log.committed(&group, &at).unwrap().is_some_and(|committed| committed.offset > offset)
    };
    let lost = kept.missing.first.iter().filter(|place| is_committed(&place.topic, place.partition, place.offset)).count();
    note("I4", lost as u64, "records before a committed offset that are in no table".into());
    // I4 of ownership: nobody puts out what belongs to somebody else.
    note("I4 owner", tap.unowned_outputs.load(Ordering::Relaxed), "outputs about partitions that were not owned".into());

    // I2: an offset once, an identity once.
    let twice = "SELECT count() FROM (SELECT 1 FROM technician_activity_log FINAL GROUP BY partition, offset HAVING count() > 1 \
                 UNION ALL SELECT 1 FROM shifts GROUP BY technician_contact_id, shift_id HAVING count() > 1 \
                 UNION ALL SELECT 1 FROM visits GROUP BY technician_contact_id, visit_id HAVING count() > 1)";
    note("I2", number(twice), "rows that are there twice".into());

    // I3 and I8: every row follows from the log, and nothing else is there.
    let config = VerifyConfig { definition: Definition::default(), partitions: PARTITIONS, deadlines: Deadlines::default() };
    let report = verify(&test.target, &config, &mut |_| {}).unwrap();
    note(
        "I3",
        report.changed.count + report.missing.count,
        format!("{:?} {:?}", report.changed.first.first(), report.missing.first.first()),
    );
    note("I8", report.extra.count, format!("{:?}", report.extra.first.first()));
    // I8: a version names a record of the log, and its row says nothing about a later time than that of the log.
    let mut beyond = 0;
    for line in
        test.lines("SELECT technician_contact_id, max(version), toUnixTimestamp64Micro(max(as_of)) FROM shift_results_history GROUP BY 1")
    {
        let cells: Vec<&str> = line.split('\t').collect();
        let at = TopicPartition { topic: Topic::Activity.full_name(PREFIX), partition: partition_for_key(cells[0].as_bytes(), PARTITIONS) };
        let end = log.watermarks(&at).unwrap().end;
        let (version, as_of) = (Version(cells[1].parse().unwrap()), cells[2].parse::<i64>().unwrap());
        beyond += u64::from(version.offset() as i64 >= end || as_of > log.clock().0);
    }
    note("I8", beyond, "versions that name no record of the log".into());

    // I5: what is known later is never about an earlier time.
    let back = "SELECT count() FROM (SELECT version, as_of, lagInFrame(as_of) OVER (PARTITION BY shift_id ORDER BY version) AS before \
                FROM shift_results_history FINAL) WHERE as_of < before";
    note("I5", number(back), "revisions that go back in time".into());

    // I7: by the broker's clock, a shift has an end, or is younger than its deadline, or is flagged.
    let open = format!(
        "SELECT count() FROM shifts WHERE isNull(ended_at) AND NOT has(anomalies, 'A02') \
         AND started_at < fromUnixTimestamp64Micro({}) - INTERVAL 25 HOUR",
        log.clock().0
    );
    note("I7", number(&open), "shifts that are open beyond their deadline".into());
    broken
}
