//! Errors made to order, by librdkafka's own mock of a cluster.

use crate::{DEADLINE, Member, append, at, config, name, open, position, record, until};
use fieldline_log::kafka::{KafkaConfig, KafkaLog, Timeouts};
use fieldline_log::{Error, Log};
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Code};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Mock {
    cluster: MockCluster<'static, DefaultProducerContext>,
    log: Arc<KafkaLog>,
    topic: String,
}

/// A cluster with a topic of two partitions, both led by broker 1.
fn mock(brokers: i32) -> Mock {
    let cluster = MockCluster::new(brokers).unwrap();
    let topic = name("topic");
    cluster.create_topic(&topic, 2, brokers.min(3)).unwrap();
    for partition in 0..2 {
        cluster.partition_leader(&topic, partition, Some(1)).unwrap();
    }
    let log = open(config(cluster.bootstrap_servers()));
    Mock { cluster, log, topic }
}

#[test]
fn passing_errors_of_an_append_are_got_over_without_doubles() {
    let Mock { cluster, log, topic } = mock(1);
    let mut producer = log.producer().unwrap();
    let errors = [
        Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Code::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        Code::RD_KAFKA_RESP_ERR__TRANSPORT,
        Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ];
    cluster.request_errors(Api::Produce, &errors);
    for number in 0..100u32 {
        producer.append(&topic, record(0, &number.to_be_bytes())).unwrap();
    }
    producer.flush(DEADLINE).unwrap();
    assert_eq!(producer.acknowledged().unwrap(), 100);
    let mut member = Member::join(&*log, &name("group"), &topic);
    member.until_seen(&at(&topic, 0), 100);
    assert_eq!(member.seen[&at(&topic, 0)], (0..100).collect::<Vec<_>>());
}

#[test]
fn a_lasting_error_of_an_append_stays_and_says_what_to_do() {
    for (code, advice) in [
        (Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "grant this user"),
        (Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "max.message.bytes"),
    ] {
        let Mock { cluster, log, topic } = mock(1);
        let mut producer = log.producer().unwrap();
        producer.append(&topic, record(1, b"good")).unwrap();
        producer.flush(DEADLINE).unwrap();
        cluster.request_errors(Api::Produce, &[code; 3]);
        producer.append(&topic, record(1, b"bad")).unwrap();
        let error = producer.flush(DEADLINE).unwrap_err();
        assert!(matches!(&error, Error::AppendFailed { topic: named, partition: 1, .. } if *named == topic), "{error}");
        assert!(error.to_string().contains(advice), "{error}");
        assert!(producer.acknowledged().is_err() && producer.flush(DEADLINE).is_err(), "it stays");
    }
}

#[test]
fn a_commit_is_tried_again_while_its_error_passes() {
    let Mock { cluster, log, topic } = mock(1);
    append(&*log, &at(&topic, 0), 0..10);
    let group = name("group");
    let mut member = Member::join(&*log, &group, &topic);
    member.until_seen(&at(&topic, 0), 10);
    let errors = [
        Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
        Code::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
        Code::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
        Code::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
        Code::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    ];
    cluster.request_errors(Api::OffsetCommit, &errors);
    member.commit_at(&at(&topic, 0)).unwrap();
    assert_eq!(log.committed(&group, &at(&topic, 0)).unwrap(), Some(position(10)));
    // What stays is told, with what to grant.
    cluster.request_errors(Api::OffsetCommit, &[Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 3]);
    let refused = member.commit_at(&at(&topic, 0)).unwrap_err().to_string();
    assert!(refused.contains("on the group") && refused.contains(&group), "{refused}");
}

#[test]
fn a_commit_of_a_member_that_the_group_does_not_know_is_no_commit() {
    let Mock { cluster, topic, .. } = mock(1);
    // The mock still waits for the member that it was told not to know.
    let timeouts = Timeouts { session: Duration::from_secs(6), ..Timeouts::default() };
    let log = open(KafkaConfig { timeouts, ..config(cluster.bootstrap_servers()) });
    append(&*log, &at(&topic, 0), 0..10);
    let group = name("group");
    let mut member = Member::join(&*log, &group, &topic);
    member.until_seen(&at(&topic, 0), 10);
    cluster.request_errors(Api::OffsetCommit, &[Code::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID]);
    let refused = member.commit_at(&at(&topic, 0));
    assert!(matches!(&refused, Err(Error::OwnershipLost { group: named }) if *named == group), "{refused:?}");
    assert_eq!(log.committed(&group, &at(&topic, 0)).unwrap(), None);
    until("the loss is told", || {
        member.poll();
        !member.lost.is_empty()
    });
    assert_eq!(member.lost.len(), 2);
    // And it joins again by itself.
    member.until_owning(2);
    member.seen.clear();
    member.until_seen(&at(&topic, 0), 10);
    member.commit_at(&at(&topic, 0)).unwrap();
}

#[test]
fn brokers_that_go_and_come_back() {
    let Mock { cluster, log, topic } = mock(2);
    let mut producer = log.producer().unwrap();
    producer.append(&topic, record(0, &0u32.to_be_bytes())).unwrap();
    producer.flush(DEADLINE).unwrap();
    let mut member = Member::join(&*log, &name("group"), &topic);
    member.until_seen(&at(&topic, 0), 1);
    (1..=2).for_each(|broker| cluster.broker_down(broker).unwrap());
    for number in 1..=50u32 {
        producer.append(&topic, record(0, &number.to_be_bytes())).unwrap();
        member.poll();
    }
    assert!(matches!(producer.flush(Duration::from_millis(300)), Err(Error::Deadline(_))));
    assert_eq!(producer.acknowledged().unwrap(), 1);
    (1..=2).for_each(|broker| cluster.broker_up(broker).unwrap());
    producer.flush(DEADLINE).unwrap();
    member.until_seen(&at(&topic, 0), 51);
    assert_eq!(member.seen[&at(&topic, 0)], (0..=50).collect::<Vec<_>>());
}

#[test]
fn a_leader_and_a_coordinator_that_move_are_followed() {
    let Mock { cluster, log, topic } = mock(3);
    let group = name("group");
    cluster.coordinator(MockCoordinator::Group(group.clone()), 1).unwrap();
    let only = at(&topic, 0);
    append(&*log, &only, 0..10);
    let mut member = Member::join(&*log, &group, &topic);
    member.until_seen(&only, 10);
    member.commit_at(&only).unwrap();
    cluster.coordinator(MockCoordinator::Group(group.clone()), 2).unwrap();
    cluster.partition_leader(&topic, 0, Some(3)).unwrap();
    append(&*log, &only, 10..20);
    member.until_seen(&only, 20);
    member.commit_at(&only).unwrap();
    assert_eq!(log.committed(&group, &only).unwrap(), Some(position(20)));
}

#[test]
fn an_append_waits_for_room_within_its_bound() {
    let cluster = MockCluster::new(1).unwrap();
    let topic = name("topic");
    cluster.create_topic(&topic, 1, 1).unwrap();
    let timeouts = Timeouts { append: Duration::from_secs(1), ..Timeouts::default() };
    let log = open(KafkaConfig { timeouts, ..config(cluster.bootstrap_servers()) });
    let mut producer = log.producer().unwrap();
    producer.append(&topic, record(0, b"first")).unwrap();
    producer.flush(DEADLINE).unwrap();
    cluster.broker_down(1).unwrap();
    let value = vec![0; 1 << 20];
    let mut taken = 1;
    let asked_at = Instant::now();
    let refused = loop {
        match producer.append(&topic, record(0, &value)) {
            Ok(number) => taken = number,
            Err(error) => break error,
        }
        assert!(taken < 100, "a bound that does not hold");
    };
    assert!(matches!(refused, Error::Deadline(_)), "{refused}");
    assert!((1..20).contains(&asked_at.elapsed().as_secs()), "{:?}", asked_at.elapsed());
    cluster.broker_up(1).unwrap();
    // The refused record has no number, and the next one goes on.
    until("room", || producer.append(&topic, record(0, b"next")).is_ok_and(|number| number == taken + 1));
    producer.flush(DEADLINE).unwrap();
    assert_eq!(producer.acknowledged().unwrap(), taken + 1);
}

#[test]
fn whoever_gives_up_is_let_go() {
    let Mock { cluster, log, topic } = mock(1);
    cluster.broker_down(1).unwrap();
    let asking = std::thread::spawn({
        let (log, only) = (Arc::clone(&log), at(&topic, 0));
        move || log.watermarks(&only)
    });
    std::thread::sleep(Duration::from_millis(300));
    assert!(!asking.is_finished(), "it asks again by itself");
    let given_up_at = Instant::now();
    log.give_up();
    let error = asking.join().unwrap().unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }) && error.to_string().contains(&topic), "{error}");
    assert!(given_up_at.elapsed() < Duration::from_secs(20), "at the latest after one attempt: {:?}", given_up_at.elapsed());
}

#[test]
fn an_address_where_nobody_answers_is_told_at_once() {
    let timeouts = Timeouts { connect: Duration::from_secs(2), ..Timeouts::default() };
    let asked_at = Instant::now();
    // The discard port: nobody listens.
    let error = KafkaLog::open(KafkaConfig { timeouts, ..config("127.0.0.1:9".to_owned()) }).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }) && error.to_string().contains("127.0.0.1:9"), "{error}");
    assert!(asked_at.elapsed() < Duration::from_secs(20), "{:?}", asked_at.elapsed());
}

#[test]
fn latency_holds_nothing_up_for_good() {
    let Mock { cluster, log, topic } = mock(1);
    cluster.broker_round_trip_time(1, Duration::from_millis(200)).unwrap();
    append(&*log, &at(&topic, 0), 0..100);
    let mut member = Member::join(&*log, &name("group"), &topic);
    member.until_seen(&at(&topic, 0), 100);
    member.commit_at(&at(&topic, 0)).unwrap();
}

/// Of ten minutes of silence, after which a broker closes a connection, three seconds are enough here: it is the client that closes it.
#[test]
fn the_first_record_of_a_prompt_producer_finds_everything_prepared_also_after_a_silence() {
    const ROUND_TRIP: Duration = Duration::from_millis(500);
    let cluster = MockCluster::new(2).unwrap();
    let topic = name("topic");
    cluster.create_topic(&topic, 1, 1).unwrap();
    cluster.partition_leader(&topic, 0, Some(2)).unwrap();
    let mut settings = config(cluster.bootstrap_servers());
    settings.properties = [("connections.max.idle.ms", "3000"), ("linger.ms", "2000")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let log = open(settings);
    let mut producer = log.prompt_producer(&[&topic]).unwrap();
    for broker in [1, 2] {
        cluster.broker_round_trip_time(broker, ROUND_TRIP).unwrap();
    }
    let mut took = || {
        // Longer than a connection is kept, and than a new one takes.
        std::thread::sleep(Duration::from_secs(5));
        let began = Instant::now();
        producer.append(&topic, record(0, b"now")).unwrap();
        producer.flush(DEADLINE).unwrap();
        began.elapsed()
    };
    let first = took();
    assert!(first >= ROUND_TRIP && first < 2 * ROUND_TRIP, "one round trip, not those of a connection: {first:?}");
    // So short a patience closes the new connection soon again, and one of these may fall into the making of the next.
    let later = [took(), took(), took()];
    assert!(later.iter().any(|later| *later < 2 * ROUND_TRIP), "{later:?}");
}
