//! The same by brute force: every second all calls are counted afresh.

use super::{Kind, Script, call, line};
use crate::random::Random;
use crate::script::{clock_text, time};
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::{CallOutcome, CallType, CommunicationCall};
use fieldline_schemas::time::{DAY_US, MINUTE_US, SECOND_US};

/// Offered; in time and judged, of the calls that had come before `before` and entered within 30 minutes of `at`.
fn counts(arrivals: &[(Timestamp, CommunicationCall<'_>)], before: Timestamp, at: Timestamp) -> (u32, u32, u32) {
    let (mut offered, mut in_time, mut judged) = (0, 0, 0);
    for (n, (came, call)) in arrivals.iter().enumerate() {
        let rank = |call: &CommunicationCall<'_>| (call.common.revision, call.common.voided);
        let others = arrivals.iter().enumerate().filter(|(_, (came, other))| *came < before && other.common.id == call.common.id);
        let stands = others.max_by_key(|(place, (_, other))| (rank(other), std::cmp::Reverse(*place))).map(|(place, _)| place);
        let entered = call.started_at.unwrap().min(*came);
        if *came >= before || stands != Some(n) || call.common.voided || entered <= at - 30 * MINUTE_US {
            continue;
        }
        offered += 1;
        let answered = call.call_type == CallType::Inbound && call.call_outcome == CallOutcome::Answered;
        let quick = call.wait_time_seconds.unwrap() <= 20;
        in_time += u32::from(answered && quick);
        judged += u32::from(answered || !quick);
    }
    (offered, in_time, judged)
}

fn expected(arrivals: &[(Timestamp, CommunicationCall<'_>)], until: Timestamp) -> Vec<String> {
    let (mut lines, mut below) = (Vec::new(), None);
    let mut at = arrivals[0].0;
    while at <= until {
        let is_midnight = at.0 % DAY_US == 0;
        // What leaves at this instant is gone before what comes at it; that is judged when the second is over.
        for (before, is_first) in [(at, true), (at + 1, false)] {
            if !is_first && at + SECOND_US > until {
                continue;
            }
            if is_midnight
                && is_first
                && let Some(since) = below.take()
            {
                lines.push(format!("{} service amended since {}", clock_text(at), clock_text(since)));
            }
            let (offered, in_time, judged) = counts(arrivals, before, at);
            match below {
                None if offered >= 10 && judged > 0 && in_time * 5 < judged * 4 => {
                    below = Some(at);
                    lines.push(format!("{} service raised since {}", clock_text(at), clock_text(at)));
                }
                Some(since) if offered == 0 || judged > 0 && in_time * 5 >= judged * 4 => {
                    below = None;
                    lines.push(format!("{} service activity since {}", clock_text(at), clock_text(since)));
                }
                _ => {}
            }
        }
        at = at + SECOND_US;
    }
    lines
}

#[test]
fn levels_equal_a_count_of_all_calls_in_every_second() {
    let mut told = 0;
    for seed in 1..=8 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut script = Script::default();
        let start = time("23:20");
        for n in 1..=120 {
            let entered = start + random.below(3_000) as i64 * SECOND_US;
            let late_max = if random.below(8) == 0 { 2_400 } else { 90 };
            let came = entered + random.below(late_max) as i64 * SECOND_US;
            let kind = Kind::ALL[random.below(if seed % 2 == 0 { 4 } else { 2 }) as usize];
            let mut one = call(n, entered, kind);
            if kind == Kind::Slow {
                one.call_outcome = CallOutcome::Answered;
                one.wait_time_seconds = Some(if random.below(3) == 0 { 40 } else { 15 });
            }
            script.arrivals.push((came, one.clone()));
            if random.below(6) == 0 {
                one.common.revision = random.below(2) as u32;
                one.common.voided = random.below(3) == 0;
                one.wait_time_seconds = Some(random.below(40) as i32);
                script.arrivals.push((came + random.below(600) as i64 * SECOND_US, one));
            }
        }
        script.arrivals.sort_by_key(|(at, _)| *at);
        let lines: Vec<String> = script.outputs("24:50").iter().map(line).collect();
        assert_eq!(lines, expected(&script.arrivals, time("24:50")), "seed {seed}");
        told += lines.len();
    }
    assert!(told > 30, "{told}: hardly anything was compared");
}
