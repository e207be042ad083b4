//! The same suite that the embedded log passes.

use crate::{DEADLINE, config, open};
use fieldline_log::Log;
use fieldline_log::conformance::{Options, run_all};
use fieldline_log::kafka::KafkaConfig;
use fieldline_test_kafka::Kafka;
use std::sync::Arc;

fn run(event_time: bool) {
    let Some(kafka) = Kafka::shared_or_leave_out() else { return };
    let config = KafkaConfig { event_time, ..config(kafka.bootstrap()) };
    run_all(|| open(config.clone()) as Arc<dyn Log>, Options { event_time, waits: true, deadline: DEADLINE });
}

#[test]
fn real_kafka_keeps_the_traits_promises() {
    run(false);
}

#[test]
fn real_kafka_keeps_them_where_records_name_their_time() {
    run(true);
}
