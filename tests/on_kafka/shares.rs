//! Each processor has its part of every topic: work that lies on one of them is not left to the others.

use super::{Deployment, Observed, shared_kafka};
use crate::support::folder::wait_until;

const PARTITIONS: i32 = 12;

/// Waits until the partitions of each topic lie with the members, each with as many of every topic as the others.
fn wait_until_shared(deployment: &Deployment, members: &[Observed]) {
    for topic in ["activity", "calls", "operations"] {
        let topic = format!("{}{topic}", deployment.prefix());
        let mut found = Vec::new();
        wait_until("all partitions are owned", || {
            found = members.iter().map(|member| member.owned("processors", &topic)).collect();
            let mut all: Vec<i32> = found.iter().flatten().copied().collect();
            all.sort_unstable();
            all == (0..PARTITIONS).collect::<Vec<_>>()
        });
    }
}

#[test]
fn each_of_the_processors_has_its_part_of_activity() {
    let Some(kafka) = shared_kafka() else { return };
    let deployment = Deployment::new(&kafka.bootstrap(), PARTITIONS as u32);
    let activity = format!("{}activity", deployment.prefix());
    // One after the other, as they come by: each arrival and departure leaves equal parts.
    let mut members = Vec::new();
    for count in 1..=4 {
        members.push(deployment.start_observed("processors"));
        wait_until("the newest has partitions of activity", || !members[count - 1].owned("processors", &activity).is_empty());
        assert_parts(&deployment, &members, &activity);
    }
    members.remove(1).process.kill_all();
    assert_parts(&deployment, &members, &activity);
}

fn assert_parts(deployment: &Deployment, members: &[Observed], activity: &str) {
    let parts = || members.iter().map(|member| member.owned("processors", activity).len()).collect::<Vec<_>>();
    let part = PARTITIONS as usize / members.len();
    wait_until("the parts are equal", || {
        wait_until_shared(deployment, members);
        parts().iter().all(|owned| *owned == part)
    });
}
