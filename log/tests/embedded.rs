//! What the embedded log promises about its files.

use fieldline_log::embedded::{EmbeddedLog, EmbeddedOptions};
use fieldline_log::*;
use std::time::Duration;

#[test]
fn smoke() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let log = EmbeddedLog::open(folder.path(), EmbeddedOptions { segment_bytes: 300_000, ..Default::default() }).unwrap();
        let t = std::time::Instant::now();
        log.ensure_topic(&TopicSpec { name: "t".into(), partitions: 4, retention: None }).unwrap();
        let mut producer = log.producer().unwrap();
        for i in 0..10_000u32 {
            producer.append("t", Append { destination: Destination::ByKey, key: &i.to_le_bytes(), value: &[7; 250], append_time: None }).unwrap();
        }
        assert_eq!(producer.acknowledged().unwrap(), 10_000);
        println!("{:?}", t.elapsed());
        let mut consumer = log.consumer("g", &["t"]).unwrap();
        let mut read = 0;
        loop {
            match consumer.poll(Duration::ZERO, 500).unwrap() {
                Polled::Assigned(all) => all.iter().for_each(|p| { consumer.seek(p, 0).unwrap(); }),
                Polled::Records(batch) => read += batch.len(),
                Polled::Idle => break,
                Polled::Revoked(_) => unreachable!(),
            }
        }
        assert_eq!(read, 10_000 * (round + 1));
        println!("{:?}", t.elapsed());
    }
}
