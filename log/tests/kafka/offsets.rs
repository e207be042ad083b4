//! Offsets that are gone, never passed over in silence.

use crate::{Member, append, at, config, make_topic, name, open, position};
use fieldline_log::{Error, Log, Polled, Watermarks};
use fieldline_test_kafka::Kafka;
use std::time::{Duration, Instant};

#[test]
fn an_offset_that_is_gone_is_an_error_that_names_it() {
    let Some(kafka) = Kafka::shared_or_leave_out() else { return };
    let log = open(config(kafka.bootstrap()));
    let (topic, group) = (make_topic(&*log, 1), name("group"));
    let only = at(&topic, 0);
    append(&*log, &only, 0..20);
    let mut member = Member::join(&*log, &group, &topic);
    member.until_seen(&only, 20);
    member.consumer.commit(&[(only.clone(), position(5))]).unwrap();
    drop(member);
    delete_before(&kafka, &topic, 12);
    assert_eq!(log.watermarks(&only).unwrap(), Watermarks { begin: 12, end: 20 });

    let gone = |error: &Error| matches!(error, Error::OffsetOutOfRange { topic: named, partition: 0, offset: 5, begin: 12, end: 20 } if *named == topic);
    let mut consumer = log.consumer(&group, &[&topic]).unwrap();
    let deadline = Instant::now() + crate::DEADLINE;
    while !matches!(consumer.poll(Duration::from_millis(20), 10).unwrap(), Polled::Assigned(_)) {
        assert!(Instant::now() < deadline);
    }
    let refused = consumer.resume_from_committed(&only).unwrap_err();
    assert!(gone(&refused), "{refused}");
    // Whoever does not ask finds out by polling, and gets no record.
    consumer.seek(&only, 5).unwrap();
    let told = loop {
        match consumer.poll(Duration::from_millis(20), 10) {
            Ok(Polled::Idle) => assert!(Instant::now() < deadline),
            Ok(polled) => panic!("{polled:?} where offset 5 is gone"),
            Err(error) => break error,
        }
    };
    assert!(gone(&told), "{told}");
    // From what is there reading goes on.
    consumer.seek(&only, 12).unwrap();
    let first = loop {
        match consumer.poll(Duration::from_millis(20), 10).unwrap() {
            Polled::Records(batch) => break batch.first_offset(),
            _ => assert!(Instant::now() < deadline),
        }
    };
    assert_eq!(first, Some(12));
}

/// With Kafka's own tool, as an operator would.
fn delete_before(kafka: &Kafka, topic: &str, offset: i64) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!(r#"{{"partitions":[{{"topic":"{topic}","partition":0,"offset":{offset}}}],"version":1}}"#))
        .unwrap();
    kafka.tool("org.apache.kafka.tools.DeleteRecordsCommand", &["--offset-json-file", file.path().to_str().unwrap()]);
}
