//! A receiver's worker that its group has gone on without while messages are on their way: the next one tells everything that
//! is owed, the lost one commits nothing, and when it is back it tells nothing again.

use crate::bench::{PARTITIONS, PREFIX, Running, alert, append_alerts, config, deliveries, key, log, wait_until, webhook};
use crate::fickle::{Fickle, Hears};
use crate::receiver::{Answer, Receiver};
use fieldline_log::{Log, TopicPartition};
use fieldline_schemas::Topic;
use fieldline_schemas::alerts::{DeliveryOutcome, FlagCode};
use fieldline_sinks::deliver::Deadlines;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

const ALERTS: u32 = 4;
/// How long the receiver takes over what the lost worker has sent it.
const SLOW: Duration = Duration::from_millis(1_500);
/// Longer than the pause between two commits of a worker.
const COMMITS_AFTER: Duration = Duration::from_millis(2_500);

/// How often a worker tried to commit although it knew that it was lost.
fn commits_of_a_lost_worker(hears: Hears) -> u32 {
    let log = log();
    let receiver = Receiver::start(|_, number| if number < ALERTS as usize { Answer::Slow(SLOW) } else { Answer::Status(200) });
    let mut desk = webhook("desk", &receiver.url());
    desk.deadlines = Deadlines { attempt: 4 * SLOW, ..desk.deadlines };
    let alerts: Vec<_> = (1..=ALERTS).map(|number| alert(number, FlagCode::S1, 1)).collect();
    append_alerts(log.as_ref(), alerts.clone());
    let group = format!("{PREFIX}receiver-desk");
    let committed = || -> i64 {
        let at = |partition| TopicPartition { topic: Topic::Alerts.full_name(PREFIX), partition };
        (0..PARTITIONS).filter_map(|partition| log.committed(&group, &at(partition)).unwrap()).map(|committed| committed.offset).sum()
    };
    let plain = || Arc::clone(&log) as Arc<dyn Log>;
    let fickle = Fickle::new(plain(), &group, hears);
    let member = Arc::clone(&fickle.member);
    let lost = Running::start(config(vec![desk.clone()]), fickle);
    wait_until("everything is on its way", || receiver.received().len() == ALERTS as usize);
    member.lose();
    let before = committed();

    let next = Running::start(config(vec![desk]), plain());
    wait_until("the next one has told it again", || {
        let done = deliveries(log.as_ref(), Topic::Deliveries).into_iter().filter(|d| d.outcome == DeliveryOutcome::Acknowledged).count();
        done >= 2 * ALERTS as usize
    });
    std::thread::sleep(COMMITS_AFTER);
    next.end().unwrap();
    assert!(before <= committed() && committed() == i64::from(ALERTS));
    let too_many = member.commits_after_all.load(SeqCst);
    if too_many == 0 {
        assert_eq!(receiver.taken().into_values().collect::<Vec<_>>(), vec![2; ALERTS as usize], "under the same keys");
        // Back again it reads everything, and knows what was told.
        let sent = receiver.received().len();
        member.come_back();
        let late = alert(9, FlagCode::S1, 1);
        append_alerts(log.as_ref(), [late.clone()]);
        wait_until("what is new is told", || receiver.taken().contains_key(&key(&late)));
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(receiver.received().len(), sent + 1, "and nothing else");
    }
    lost.end().unwrap();
    too_many
}

#[test]
fn a_lost_worker_commits_nothing_and_nothing_is_left_untold() {
    assert_eq!(commits_of_a_lost_worker(Hears::AtThePoll), 0);
}

/// The control: a worker to which nobody says that it is lost commits, and that is seen.
#[test]
fn a_worker_that_does_not_heed_its_loss_is_found() {
    assert_ne!(commits_of_a_lost_worker(Hears::Never), 0);
}
