//! Partitions that stand still or are far behind. Pure; what time it is comes as an argument.

use super::breaches::Finding;
use fieldline_log::Reading;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::Severity;
use fieldline_schemas::time::SECOND_US;
use std::collections::{BTreeMap, BTreeSet};

/// From when on it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A partition whose records wait, and whose reader has not moved for so long, stands still.
    pub stalled_us: i64,
    /// A reader whose last record is this old, and was for `stalled_us`, is behind: a rebuild after a takeover passes sooner.
    pub lag_us: i64,
}

/// How far a stage of this process is in a partition that it owns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub stage: String,
    pub topic: String,
    pub partition: i32,
}

impl Place {
    /// The component of an S12.
    fn component(&self) -> String {
        format!("{}.{}.{}", self.stage, self.topic, self.partition)
    }

    /// What stands between an emergency and its page is as urgent as that.
    fn is_vital(&self) -> bool {
        matches!(self.stage.as_str(), "lane" | "lifecycle")
    }
}

#[derive(Clone, Copy, Debug)]
struct Known {
    next: i64,
    moved_at: Timestamp,
    old_since: Option<Timestamp>,
}

/// What is known of the readers of this process.
#[derive(Clone, Debug)]
pub struct Stalls {
    limits: Limits,
    known: BTreeMap<Place, Known>,
}

impl Stalls {
    pub fn new(limits: Limits) -> Self {
        Self { limits, known: BTreeMap::new() }
    }

    /// Takes where everything is at `now`; what is wrong and what is well is added. `wall` is the hour, for the age of records.
    pub fn judge(
        &mut self,
        (now, wall): (Timestamp, Timestamp),
        places: &[(Place, Reading)],
        findings: &mut Vec<Finding>,
        well: &mut BTreeSet<String>,
    ) {
        let Limits { stalled_us, lag_us } = self.limits;
        self.known.retain(|known, _| places.iter().any(|(place, _)| place == known));
        for (place, reading) in places {
            let known = self.known.entry(place.clone()).or_insert(Known { next: reading.next, moved_at: now, old_since: None });
            let waiting = reading.lag_records();
            if reading.next != known.next || waiting == 0 {
                (known.next, known.moved_at) = (reading.next, now);
            }
            let age_us = reading.append_time.filter(|_| waiting > 0).map_or(0, |at| wall.since(at));
            known.old_since = (age_us >= lag_us).then(|| known.old_since.unwrap_or(now));
            let Place { stage, topic, partition } = place;
            let stands_us = now.since(known.moved_at);
            let is_behind = known.old_since.is_some_and(|since| now.since(since) >= stalled_us);
            let (severity, reasoning) = match () {
                () if stands_us >= stalled_us => (
                    if place.is_vital() { Severity::Critical } else { Severity::Error },
                    format!(
                        "{stage} has read nothing of {topic} partition {partition} for {} s: it stands at offset {}, and {waiting} records wait",
                        stands_us / SECOND_US,
                        reading.next
                    ),
                ),
                () if is_behind => (
                    if place.is_vital() { Severity::Critical } else { Severity::Warning },
                    format!(
                        "{stage} is {} s behind in {topic} partition {partition}: {waiting} records wait from offset {} on",
                        age_us / SECOND_US,
                        reading.next
                    ),
                ),
                () => {
                    well.insert(place.component());
                    continue;
                }
            };
            // The log's own time of the place where it stands, so that a successor names the same alert.
            let since = reading.append_time.unwrap_or(known.moved_at);
            findings.push(Finding { component: place.component(), since, severity, reasoning });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { stalled_us: 120 * SECOND_US, lag_us: 900 * SECOND_US };
    const START: Timestamp = Timestamp(1_000_000 * SECOND_US);

    fn place(stage: &str) -> Place {
        Place { stage: stage.into(), topic: "t".into(), partition: 3 }
    }

    /// What is found at `second`, of a reader that stands at `next` of 100, its last record being `age` seconds old.
    fn look(stalls: &mut Stalls, stage: &str, second: i64, next: i64, age: i64) -> Result<Finding, BTreeSet<String>> {
        let now = START + second * SECOND_US;
        let reading = Reading { next, end: 100, append_time: Some(now - age * SECOND_US) };
        let (mut findings, mut well) = (Vec::new(), BTreeSet::new());
        stalls.judge((now, now), &[(place(stage), reading)], &mut findings, &mut well);
        findings.pop().ok_or(well)
    }

    #[test]
    fn a_reader_that_stands_while_records_wait_is_found_at_its_limit() {
        let mut stalls = Stalls::new(LIMITS);
        assert!(look(&mut stalls, "lane", 0, 7, 0).is_err());
        assert!(look(&mut stalls, "lane", 119, 7, 119).is_err());
        let found = look(&mut stalls, "lane", 120, 7, 120).unwrap();
        assert_eq!((found.component.as_str(), found.severity, found.since), ("lane.t.3", Severity::Critical, START));
        assert_eq!(found.reasoning, "lane has read nothing of t partition 3 for 120 s: it stands at offset 7, and 93 records wait");
        assert_eq!(look(&mut stalls, "lane", 500, 7, 500).unwrap().since, START, "one alert as long as it stands there");
        assert_eq!(look(&mut stalls, "lane", 501, 8, 0).unwrap_err(), BTreeSet::from(["lane.t.3".to_owned()]), "one step ends it");
        assert!(look(&mut stalls, "lane", 620, 8, 119).is_err());
        assert_eq!(look(&mut Stalls::new(LIMITS), "raw-sink", 0, 7, 9).unwrap_err().len(), 1);
    }

    #[test]
    fn at_the_end_of_a_partition_nothing_is_wrong_however_long_it_is_silent() {
        let mut stalls = Stalls::new(LIMITS);
        for second in [0, 1_000, 100_000] {
            assert!(look(&mut stalls, "lane", second, 100, second).is_err());
        }
        // What comes then has its time from its coming on.
        assert!(look(&mut stalls, "lane", 100_001, 99, 0).is_err());
        assert!(look(&mut stalls, "lane", 100_120, 99, 119).is_err());
        assert!(look(&mut stalls, "lane", 100_121, 99, 120).is_ok());
    }

    #[test]
    fn a_reader_that_stays_far_behind_is_found_and_a_rebuild_is_not() {
        let mut stalls = Stalls::new(LIMITS);
        // It moves all the time, and is at the end after 119 seconds.
        for second in 0..120 {
            assert!(look(&mut stalls, "processors", second, second % 100, 700_000).is_err(), "{second}");
        }
        assert!(look(&mut stalls, "processors", 120, 100, 0).is_err());
        for second in 121..241 {
            assert!(look(&mut stalls, "processors", second, second % 100, 900).is_err(), "{second}");
        }
        let found = look(&mut stalls, "processors", 241, 41, 900).unwrap();
        assert_eq!(
            (found.severity, &*found.reasoning),
            (Severity::Warning, "processors is 900 s behind in t partition 3: 59 records wait from offset 41 on")
        );
        assert!(look(&mut stalls, "processors", 242, 42, 899).is_err());
    }

    #[test]
    fn what_is_owned_no_more_is_forgotten() {
        let mut stalls = Stalls::new(LIMITS);
        assert!(look(&mut stalls, "lane", 0, 7, 0).is_err());
        assert!(look(&mut stalls, "lifecycle", 100, 7, 0).is_err());
        assert!(look(&mut stalls, "lane", 130, 7, 0).is_err(), "it came anew");
    }
}
