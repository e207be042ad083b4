//! Topics that others made, changed or deleted.

use crate::{DEADLINE, append, at, config, make_topic, name, open, record, until};
use fieldline_log::limits::RECORD_BYTES_MAX;
use fieldline_log::{Error, Log, Polled, TopicSpec};
use fieldline_test_kafka::Kafka;
use std::time::Duration;

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const CONFIGS: &str = "kafka.admin.ConfigCommand";

#[test]
fn a_topic_made_again_has_another_id() {
    let Some(kafka) = Kafka::shared_or_leave_out() else { return };
    let log = open(config(kafka.bootstrap()));
    let topic = make_topic(&*log, 2);
    let first = log.describe_topic(&topic).unwrap().unwrap();
    assert_ne!(first.topic_id, [0; 16]);
    kafka.tool(TOPICS, &["--delete", "--topic", &topic]);
    until("the deletion", || log.describe_topic(&topic).unwrap().is_none());
    assert!(matches!(log.watermarks(&at(&topic, 0)), Err(Error::UnknownTopic(named)) if named == topic));
    let second = log.ensure_topic(&TopicSpec { name: topic.clone(), partitions: 2, retention: None, compacted: false }).unwrap();
    assert_ne!(first.topic_id, second.topic_id);
    append(&*log, &at(&topic, 1), 0..3);
}

/// Brokers make topics for whoever asks, by default: a misspelt name must not become one.
#[test]
fn what_does_not_exist_is_not_made_by_asking() {
    let Some(kafka) = Kafka::shared_or_leave_out() else { return };
    let log = open(config(kafka.bootstrap()));
    let absent = name("absent");
    assert!(matches!(log.producer().unwrap().append(&absent, record(0, b"")), Err(Error::UnknownTopic(_))));
    assert!(matches!(log.consumer(&name("group"), &[&absent]).err(), Some(Error::UnknownTopic(_))));
    assert!(log.watermarks(&at(&absent, 0)).is_err());
    assert_eq!(log.describe_topic(&absent).unwrap(), None);
    assert!(!kafka.tool(TOPICS, &["--list"]).lines().any(|line| line == absent));
}

#[test]
fn settings_under_which_results_would_be_wrong_are_refused() {
    let Some(kafka) = Kafka::shared_or_leave_out() else { return };
    let log = open(config(kafka.bootstrap()));
    for (setting, value, wanted) in [
        ("message.timestamp.type", "CreateTime", "LogAppendTime"),
        ("cleanup.policy", "compact", "delete"),
        ("max.message.bytes", "1000", "at least 2097152"),
    ] {
        let topic = make_topic(&*log, 1);
        let change = format!("{setting}={value}");
        kafka.tool(CONFIGS, &["--alter", "--entity-type", "topics", "--entity-name", &topic, "--add-config", &change]);
        let refused = log.ensure_topic(&TopicSpec { name: topic.clone(), partitions: 1, retention: None, compacted: false }).unwrap_err();
        let text = refused.to_string();
        assert!(matches!(refused, Error::TopicSetting { .. }), "{text}");
        for part in [topic.as_str(), setting, value, wanted] {
            assert!(text.contains(part), "{text} does not say {part}");
        }
    }
}

#[test]
fn a_record_that_the_topic_does_not_take_is_an_error_of_the_acknowledgement() {
    let Some(kafka) = Kafka::shared_or_leave_out() else { return };
    let log = open(config(kafka.bootstrap()));
    let topic = make_topic(&*log, 1);
    kafka.tool(CONFIGS, &["--alter", "--entity-type", "topics", "--entity-name", &topic, "--add-config", "max.message.bytes=1000"]);
    let mut producer = log.producer().unwrap();
    producer.append(&topic, record(0, b"small")).unwrap();
    producer.flush(DEADLINE).unwrap();
    producer.append(&topic, record(0, &[0; 5000])).unwrap();
    let failed = producer.flush(DEADLINE).unwrap_err();
    let text = failed.to_string();
    assert!(matches!(failed, Error::AppendFailed { .. }) && text.contains(&topic) && text.contains("max.message.bytes"), "{text}");
    assert!(producer.acknowledged().is_err(), "an error that stays");
    assert_eq!(log.watermarks(&at(&topic, 0)).unwrap().end, 1);
}

#[test]
fn the_largest_record_that_the_log_takes_passes() {
    let Some(kafka) = Kafka::shared_or_leave_out() else { return };
    let log = open(config(kafka.bootstrap()));
    let topic = make_topic(&*log, 1);
    let value: Vec<u8> = (0..RECORD_BYTES_MAX as u32).map(|n| (n * 31 % 251) as u8).collect();
    let mut producer = log.producer().unwrap();
    for _ in 0..3 {
        producer.append(&topic, record(0, &value)).unwrap();
    }
    producer.flush(DEADLINE).unwrap();
    let mut consumer = log.consumer(&name("group"), &[&topic]).unwrap();
    let mut read = 0;
    until("the records", || {
        match consumer.poll(Duration::from_millis(20), 10).unwrap() {
            Polled::Assigned(partitions) => partitions.iter().for_each(|at| consumer.seek(at, 0).unwrap()),
            Polled::Records(batch) => read += batch.iter().filter(|record| record.value == value).count(),
            _ => {}
        }
        read == 3
    });
}

#[test]
fn a_raised_partition_count_is_refused() {
    let Some(kafka) = Kafka::shared_or_leave_out() else { return };
    let log = open(config(kafka.bootstrap()));
    let topic = make_topic(&*log, 2);
    kafka.tool(TOPICS, &["--alter", "--topic", &topic, "--partitions", "3"]);
    let refused = log.ensure_topic(&TopicSpec { name: topic, partitions: 2, retention: None, compacted: false });
    assert!(matches!(refused, Err(Error::PartitionCount { found: 3, wanted: 2, .. })), "{refused:?}");
}
