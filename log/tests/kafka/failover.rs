//! Brokers that are killed, come back, or stand still.

use crate::{DEADLINE, Member, append, at, config, make_topic, name, open, record, until};
use fieldline_log::Log;
use fieldline_test_kafka::{Kafka, KafkaOptions};
use std::time::{Duration, Instant};

/// Appends on and on until `stop`, in steps, and tells how many were taken.
fn append_until(producer: &mut dyn fieldline_log::Producer, topic: &str, next: &mut u32, mut stop: impl FnMut(u64, u64) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        for _ in 0..20 {
            producer.append(topic, record(0, &next.to_be_bytes())).unwrap();
            *next += 1;
        }
        let acknowledged = producer.acknowledged().unwrap();
        if stop(acknowledged, u64::from(*next)) {
            return;
        }
        assert!(Instant::now() < deadline, "{acknowledged} of {next} acknowledged");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn acknowledged_records_survive_a_kill_and_none_is_doubled() {
    let Some(mut kafka) = Kafka::start_or_leave_out(KafkaOptions::default()) else { return };
    let log = open(config(kafka.bootstrap()));
    let (topic, group) = (make_topic(&*log, 1), name("group"));
    let only = at(&topic, 0);
    let mut member = Member::join(&*log, &group, &topic);
    member.until_owning(1);
    let mut producer = log.producer().unwrap();
    let mut next = 0;
    append_until(&mut *producer, &topic, &mut next, |acknowledged, _| acknowledged > 200);
    member.until_seen(&only, 100);
    member.commit_at(&only).unwrap();
    for _ in 0..2 {
        // In the middle of it, so that some answers are lost with the broker.
        append_until(&mut *producer, &topic, &mut next, |acknowledged, taken| acknowledged < taken);
        kafka.kill9(0);
        let silent_since = producer.acknowledged().unwrap();
        append_until(&mut *producer, &topic, &mut next, |_, taken| taken.is_multiple_of(500));
        assert!(producer.acknowledged().unwrap() <= silent_since + 20_000);
        kafka.restart(0);
        append_until(&mut *producer, &topic, &mut next, |acknowledged, _| acknowledged > silent_since + 500);
        // A commit finds its coordinator again by itself.
        member.commit_at(&only).unwrap();
    }
    producer.flush(DEADLINE).unwrap();
    member.until_seen(&only, next as usize);
    let whole: Vec<u32> = (0..next).collect();
    assert!(member.seen[&only] == whole, "in order, once each, none missing");
    assert!(member.lost.is_empty());
    assert_eq!(log.watermarks(&only).unwrap().end, i64::from(next));
}

#[test]
fn the_death_of_a_leader_is_got_over() {
    let Some(mut kafka) = Kafka::start_or_leave_out(KafkaOptions { brokers: 3, ..KafkaOptions::default() }) else { return };
    let log = open(config(kafka.bootstrap()));
    let (topic, group) = (make_topic(&*log, 1), name("group"));
    let only = at(&topic, 0);
    let mut member = Member::join(&*log, &group, &topic);
    member.until_owning(1);
    let mut producer = log.producer().unwrap();
    let mut next = 0;
    append_until(&mut *producer, &topic, &mut next, |acknowledged, _| acknowledged > 200);
    let leader = leader(&kafka, &topic);
    kafka.kill9(leader);
    let (killed_at, before) = (Instant::now(), u64::from(next));
    append_until(&mut *producer, &topic, &mut next, |acknowledged, _| acknowledged > before);
    println!("acknowledged again {:?} after the leader's death", killed_at.elapsed());
    producer.flush(DEADLINE).unwrap();
    member.until_seen(&only, next as usize);
    member.commit_at(&only).unwrap();
    let whole: Vec<u32> = (0..next).collect();
    assert!(member.seen[&only] == whole, "in order, once each, none missing");
    kafka.restart(leader);
    kafka.wait_until_up();
    append(&*log, &only, next..next + 10);
    member.until_seen(&only, next as usize + 10);
}

/// A broker that stands still keeps its connections: only timeouts tell.
#[test]
fn a_broker_that_stands_still_is_waited_for() {
    let Some(kafka) = Kafka::start_or_leave_out(KafkaOptions::default()) else { return };
    let log = open(config(kafka.bootstrap()));
    let topic = make_topic(&*log, 1);
    let only = at(&topic, 0);
    append(&*log, &only, 0..10);
    kafka.pause(0);
    let mut producer = log.producer().unwrap();
    producer.append(&topic, record(0, &10u32.to_be_bytes())).unwrap();
    let asked_at = Instant::now();
    assert!(producer.flush(Duration::from_secs(2)).is_err());
    assert!((2..10).contains(&asked_at.elapsed().as_secs()));
    // A poll keeps to its wait, whatever the brokers do.
    let mut consumer = log.consumer(&name("group"), &[&topic]).unwrap();
    let asked_at = Instant::now();
    assert!(matches!(consumer.poll(Duration::from_millis(200), 1).unwrap(), fieldline_log::Polled::Idle));
    assert!(asked_at.elapsed() < Duration::from_secs(2), "{:?}", asked_at.elapsed());
    kafka.resume(0);
    until("the acknowledgement", || producer.acknowledged().unwrap() == 1);
    assert_eq!(log.watermarks(&only).unwrap().end, 11);
}

/// The place of the broker that leads partition 0.
fn leader(kafka: &Kafka, topic: &str) -> usize {
    let described = kafka.tool("org.apache.kafka.tools.TopicCommand", &["--describe", "--topic", topic]);
    let after = described.split("Leader: ").nth(1).unwrap();
    kafka.place_of(after.split_whitespace().next().unwrap().parse().unwrap()).unwrap()
}
