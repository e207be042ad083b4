//! The same suite that the embedded log passes.

use fieldline_log::Log;
use fieldline_log::conformance::{Options, run_all};
use fieldline_log::kafka::{KafkaConfig, KafkaLog};
use fieldline_test_kafka::{Kafka, KafkaOptions};
use std::sync::Arc;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn real_kafka_keeps_the_traits_promises() {
    let Some(kafka) = Kafka::start_or_leave_out(KafkaOptions::default()) else { return };
    for event_time in [false, true] {
        let config = KafkaConfig { brokers: kafka.bootstrap(), event_time, ..KafkaConfig::default() };
        let open = || KafkaLog::open(config.clone()).unwrap() as Arc<dyn Log>;
        run_all(open, Options { event_time, waits: true, deadline: DEADLINE });
    }
}
