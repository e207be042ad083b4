//! Topics: made once, described, and refused where they do not exist.

use super::{Suite, partition};
use crate::{Append, Destination, Error, TopicDescription, TopicSpec};
use std::time::Duration;

pub(super) fn made_once(suite: &Suite<'_>) {
    let log = suite.open();
    let name = suite.name("topic");
    assert_eq!(log.describe_topic(&name).unwrap(), None);
    let retention = Some(Duration::from_secs(9 * 24 * 3600));
    let spec = TopicSpec { name: name.clone(), partitions: 3, retention, compacted: false };
    let made = log.ensure_topic(&spec).unwrap();
    assert_eq!(made, TopicDescription { name: name.clone(), topic_id: made.topic_id, partitions: 3, retention });
    assert_eq!(log.ensure_topic(&spec).unwrap(), made);
    assert_eq!(log.describe_topic(&name).unwrap(), Some(made.clone()));
    let other = log.ensure_topic(&TopicSpec { name: suite.name("topic"), ..spec.clone() }).unwrap();
    assert_ne!(other.topic_id, made.topic_id);
    let refused = log.ensure_topic(&TopicSpec { partitions: 4, ..spec });
    assert!(matches!(&refused, Err(Error::PartitionCount { topic, found: 3, wanted: 4 }) if *topic == name), "{refused:?}");
    for bad in ["", "a/b", "..", "a b", &"x".repeat(250)] {
        let refused = log.ensure_topic(&TopicSpec { name: bad.to_owned(), partitions: 1, retention: None, compacted: false });
        assert!(refused.is_err(), "topic name {bad:?} was taken");
    }
    drop(log);
    assert_eq!(suite.open().describe_topic(&name).unwrap(), Some(made));
}

pub(super) fn unknown_is_refused(suite: &Suite<'_>) {
    let log = suite.open();
    let (known, unknown) = (suite.topic(&log, 2), suite.name("none"));
    assert!(matches!(log.watermarks(&partition(&unknown, 0)), Err(Error::UnknownTopic(name)) if name == unknown));
    assert!(log.watermarks(&partition(&known, 2)).is_err());
    assert!(log.watermarks(&partition(&known, -1)).is_err());
    assert!(matches!(log.consumer(&suite.name("group"), &[&known, &unknown]), Err(Error::UnknownTopic(name)) if name == unknown));
    let mut producer = log.producer().unwrap();
    let record = |destination| Append { destination, key: b"k", value: b"v", append_time: None };
    assert!(matches!(producer.append(&unknown, record(Destination::ByKey)), Err(Error::UnknownTopic(name)) if name == unknown));
    assert!(producer.append(&known, record(Destination::Partition(2))).is_err());
    assert!(producer.append(&known, record(Destination::Partition(-1))).is_err());
    assert_eq!(producer.append(&known, record(Destination::ByKey)).unwrap(), 1, "a refused record has no number");
    producer.flush(suite.options.deadline).unwrap();
}
