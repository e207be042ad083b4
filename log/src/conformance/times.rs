//! Append times, and offsets by time.

use super::member::{Member, Seen, Start};
use super::{Suite, number, partition};
use crate::{Append, Destination, Error};
use fieldline_schemas::Timestamp;

pub(super) fn append_times_do_not_go_back(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 1);
    for n in 0..20 {
        suite.append(&log, &partition(&topic, 0), [number(n)]);
    }
    let mut member = Member::join(&log, &suite.name("group"), &[&topic], Start::Committed);
    member.poll_until_seen(suite, 20);
    let times: Vec<_> = member.seen[&partition(&topic, 0)].iter().map(|s| s.time).collect();
    assert!(times.is_sorted(), "{times:?}");
}

/// The definition, over what was read.
fn first_at_or_after(seen: &[Seen], time: Timestamp) -> Option<i64> {
    seen.iter().find(|s| s.time >= time).map(|s| s.offset)
}

pub(super) fn offset_by_time(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 2);
    let (filled, empty) = (partition(&topic, 0), partition(&topic, 1));
    for n in 0..30 {
        suite.append(&log, &filled, [number(n), number(n)]);
    }
    let mut member = Member::join(&log, &suite.name("group"), &[&topic], Start::Committed);
    member.poll_until_seen(suite, 60);
    let seen = member.seen[&filled].clone();
    let end = member.consumer.watermarks(&filled).unwrap().end;
    for around in &seen {
        for time in [around.time - 1, around.time, around.time + 1] {
            let found = member.consumer.offset_for_time(&filled, time).unwrap();
            assert_eq!(found, first_at_or_after(&seen, time).unwrap_or(end), "at {time}");
        }
    }
    assert_eq!(member.consumer.offset_for_time(&filled, Timestamp(0)).unwrap(), seen[0].offset);
    let far = seen[59].time + 1_000_000_000_000;
    assert_eq!(member.consumer.offset_for_time(&filled, far).unwrap(), end);
    for time in [Timestamp(0), far] {
        let end = member.consumer.watermarks(&empty).unwrap().end;
        assert_eq!(member.consumer.offset_for_time(&empty, time).unwrap(), end, "of an empty partition");
    }
}

pub(super) fn event_time(suite: &Suite<'_>) {
    let log = suite.open();
    let topic = suite.topic(&log, 1);
    let mut producer = log.producer().unwrap();
    let mut append = |time_us: i64| {
        let append_time = Some(Timestamp(time_us));
        let taken = producer.append(&topic, Append { destination: Destination::Partition(0), key: b"", value: b"", append_time });
        taken.and_then(|_| producer.flush(suite.options.deadline))
    };
    if !suite.options.event_time {
        let refused = append(1_000_000);
        assert!(matches!(refused, Err(Error::EventTime(_))), "{refused:?}");
        return;
    }
    // Whole milliseconds, as Kafka keeps no more; and back again, as histories do.
    let times: Vec<i64> = [10, 20, 15, 30, 30, 5, 40].map(|s| s * 1_000_000).to_vec();
    for time in &times {
        append(*time).unwrap();
    }
    let mut member = Member::join(&log, &suite.name("group"), &[&topic], Start::Committed);
    member.poll_until_seen(suite, times.len());
    let filled = partition(&topic, 0);
    let seen = member.seen[&filled].clone();
    assert_eq!(seen.iter().map(|s| s.time.0).collect::<Vec<_>>(), times);
    let end = member.consumer.watermarks(&filled).unwrap().end;
    for second in 0..45 {
        let time = Timestamp(second * 1_000_000);
        let found = member.consumer.offset_for_time(&filled, time).unwrap();
        assert_eq!(found, first_at_or_after(&seen, time).unwrap_or(end), "at {time}");
    }
}
