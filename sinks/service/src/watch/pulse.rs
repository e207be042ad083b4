//! Which beats came back, and what their absence says. Pure; what time it is comes as an argument.
//!
//! A beat goes through every partition, since each has an owner of its own. It is missed at a station once so many intervals
//! have passed since it came by the one before; the first station that misses one is what is broken.

use fieldline_schemas::Timestamp;

/// When a beat is sent, and when its absence counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    pub interval_us: i64,
    /// So many beats are to be missed in a row.
    pub missed_max: u32,
}

impl Rhythm {
    fn sent_at(self, number: u64) -> Timestamp {
        Timestamp(i64::try_from(number).unwrap_or(i64::MAX).saturating_mul(self.interval_us))
    }

    fn is_late(self, since: Timestamp, now: Timestamp) -> bool {
        now.since(since) >= self.interval_us * i64::from(self.missed_max)
    }
}

/// Where a beat comes by, in the order of its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Station {
    /// It is acknowledged by the log.
    Log,
    Lane,
    Lifecycle,
}

impl Station {
    pub const ALL: [Self; 3] = [Self::Log, Self::Lane, Self::Lifecycle];

    /// The component of an S12.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Lane => "lane",
            Self::Lifecycle => "lifecycle",
        }
    }
}

/// Beats are missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    pub station: Station,
    /// When the first of them was sent.
    pub since: Timestamp,
    /// Partitions on whose way they are missed; empty where the log takes none.
    pub partitions: Vec<usize>,
}

/// One partition at one station.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    /// The newest beat that came by the station before.
    due: Option<u64>,
    /// The newest that came by.
    last: Option<u64>,
    /// The first that has not, and since when it could have: what a station before held up is not this one's fault.
    missing: Option<(u64, Timestamp)>,
}

/// The beats of one watch.
#[derive(Clone, Debug)]
pub struct Pulse {
    rhythm: Rhythm,
    /// The interval in which the watch began: the first beat is that of the next one.
    begun: Option<u64>,
    /// The newest that was sent.
    sent: Option<u64>,
    /// By station.
    ways: [Vec<Way>; 3],
    judged_at: Option<Timestamp>,
}

impl Pulse {
    pub fn new(rhythm: Rhythm, partitions: usize) -> Self {
        let of = |count| vec![Way::default(); count];
        Self { rhythm, begun: None, sent: None, ways: [of(1), of(partitions), of(partitions)], judged_at: None }
    }

    /// The beat that is to be sent now, if one is. It counts as sent from here on: whoever can not send it has missed it.
    pub fn beat(&mut self, now: Timestamp) -> Option<u64> {
        let number = u64::try_from(now.0.div_euclid(self.rhythm.interval_us)).unwrap_or(0);
        let begun = *self.begun.get_or_insert(number);
        if number <= self.sent.unwrap_or(begun) {
            return None;
        }
        self.sent = Some(number);
        self.expect(Station::Log, 0, number, self.rhythm.sent_at(number));
        Some(number)
    }

    fn expect(&mut self, station: Station, partition: usize, number: u64, since: Timestamp) {
        let Some(way) = self.ways[station as usize].get_mut(partition) else { return };
        way.due = way.due.max(Some(number));
        way.missing.get_or_insert((number, since));
    }

    /// A beat has come by, and so have those before it: an order is kept on the way.
    pub fn came_by(&mut self, station: Station, partition: usize, number: u64, now: Timestamp) {
        let Some(way) = self.ways[station as usize].get_mut(partition) else { return };
        way.last = way.last.max(Some(number));
        way.missing = match way.missing {
            Some((first, since)) if way.due > Some(number) => {
                let next = first.max(number + 1);
                Some((next, since.max(self.rhythm.sent_at(next))))
            }
            _ => None,
        };
        match station {
            Station::Log => (0..self.ways[Station::Lane as usize].len()).for_each(|at| self.expect(Station::Lane, at, number, now)),
            Station::Lane => self.expect(Station::Lifecycle, partition, number, now),
            Station::Lifecycle => {}
        }
    }

    /// The newest beat, once it has come by everywhere.
    pub fn whole(&self) -> Option<u64> {
        self.sent.filter(|sent| self.ways.iter().flatten().all(|way| way.last >= Some(*sent)))
    }

    /// What is missed, as of now. Called often: after a pause of this process itself, in which beats may have come unheard,
    /// nothing is missed before another one is sent, but what was missed already.
    pub fn judge(&mut self, now: Timestamp) -> Option<Missed> {
        let rhythm = self.rhythm;
        let before = self.judged_at.replace(now);
        if let Some(before) = before.filter(|before| now.since(*before) >= rhythm.interval_us) {
            for way in self.ways.iter_mut().flatten() {
                way.missing = way.missing.filter(|(_, since)| rhythm.is_late(*since, before));
            }
        }
        Station::ALL.into_iter().find_map(|station| {
            let late = self.ways[station as usize].iter().enumerate();
            let late =
                late.filter_map(|(at, way)| way.missing.filter(|(_, since)| rhythm.is_late(*since, now)).map(|(first, _)| (at, first)));
            let (partitions, first): (Vec<usize>, Vec<u64>) = late.unzip();
            let since = rhythm.sent_at(first.into_iter().min()?);
            let partitions = if station == Station::Log { Vec::new() } else { partitions };
            Some(Missed { station, since, partitions })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RHYTHM: Rhythm = Rhythm { interval_us: 60, missed_max: 2 };
    const START: i64 = 6_000;

    fn at(t: i64) -> Timestamp {
        Timestamp(START + t)
    }

    /// A watch over two partitions that began within the interval before.
    struct Play {
        pulse: Pulse,
        now: i64,
    }

    impl Play {
        fn new() -> Self {
            Self { pulse: Pulse::new(RHYTHM, 2), now: -30 }
        }

        /// Goes on to `until`; beats come by where `comes_by` says.
        fn until(&mut self, until: i64, comes_by: impl Fn(Station, usize) -> bool) -> Option<Missed> {
            let mut missed = None;
            while self.now <= until {
                if let Some(number) = self.pulse.beat(at(self.now)) {
                    for station in Station::ALL {
                        let partitions = if station == Station::Log { 1 } else { 2 };
                        (0..partitions).filter(|partition| comes_by(station, *partition)).for_each(|partition| {
                            self.pulse.came_by(station, partition, number, at(self.now));
                        });
                    }
                }
                missed = self.pulse.judge(at(self.now));
                self.now += 1;
            }
            missed
        }
    }

    fn missed(station: Station, since: i64, partitions: &[usize]) -> Option<Missed> {
        Some(Missed { station, since: at(since), partitions: partitions.to_vec() })
    }

    #[test]
    fn all_that_comes_back_is_well() {
        let mut play = Play::new();
        assert_eq!(play.until(10_000, |_, _| true), None);
        assert_eq!(play.pulse.whole(), Some((START as u64 + 10_000) / 60));
    }

    #[test]
    fn two_missed_beats_and_not_one_moment_less() {
        for (station, lost, partitions) in [
            (Station::Log, vec![(Station::Log, 0)], vec![]),
            (Station::Lane, vec![(Station::Lane, 1), (Station::Lifecycle, 1)], vec![1]),
            (Station::Lane, vec![(Station::Lane, 0), (Station::Lane, 1), (Station::Lifecycle, 0), (Station::Lifecycle, 1)], vec![0, 1]),
            (Station::Lifecycle, vec![(Station::Lifecycle, 0)], vec![0]),
        ] {
            let mut play = Play::new();
            assert_eq!(play.until(119, |_, _| true), None);
            let comes_by = |station, partition| !lost.contains(&(station, partition));
            // The first that is lost is sent at 120.
            assert_eq!(play.until(239, comes_by), None);
            assert_eq!(play.until(240, comes_by), missed(station, 120, &partitions));
            assert_eq!(play.until(900, comes_by), missed(station, 120, &partitions), "it stays one and the same");
            assert_eq!(play.pulse.whole(), None);
            assert_eq!(play.until(960, |_, _| true), None, "the next that comes by ends it");
            assert!(play.pulse.whole().is_some());
        }
    }

    #[test]
    fn one_missed_beat_is_none() {
        let mut play = Play::new();
        play.until(119, |_, _| true);
        assert_eq!(play.until(179, |_, _| false), None);
        assert_eq!(play.until(500, |_, _| true), None);
    }

    /// From the very first beat on: nobody may run the lane at all.
    #[test]
    fn what_never_came_is_missed_too() {
        let mut play = Play::new();
        assert_eq!(play.until(119, |station, _| station == Station::Log), None);
        assert_eq!(play.until(120, |station, _| station == Station::Log), missed(Station::Lane, 0, &[0, 1]));
    }

    #[test]
    fn a_beat_that_comes_late_ends_the_absence_of_those_before_it_only() {
        let mut pulse = Pulse::new(RHYTHM, 1);
        assert_eq!(pulse.beat(at(-1)), None, "an interval that has begun is nobody's");
        let first = pulse.beat(at(0)).unwrap();
        pulse.judge(at(0));
        for t in 1..=130 {
            pulse.beat(at(t));
            pulse.judge(at(t));
        }
        assert!(pulse.judge(at(131)).is_some());
        Station::ALL.into_iter().for_each(|station| pulse.came_by(station, 0, first, at(131)));
        assert_eq!(pulse.judge(at(132)), None);
        (133..180).for_each(|t| drop(pulse.judge(at(t))));
        assert_eq!(pulse.judge(at(180)), missed(Station::Log, 60, &[]));
        // A copy, one from before and one of a partition that is not there do no harm.
        Station::ALL.into_iter().for_each(|station| pulse.came_by(station, 0, first, at(180)));
        Station::ALL.into_iter().for_each(|station| pulse.came_by(station, 0, first - 9, at(180)));
        pulse.came_by(Station::Lane, 77, first, at(180));
        assert_eq!(pulse.judge(at(180)), missed(Station::Log, 60, &[]));
    }

    /// What a lane that is back passes on at once, late, is not missed at the lifecycle because of that.
    #[test]
    fn what_lies_behind_is_given_its_own_time() {
        let mut play = Play::new();
        play.until(119, |_, _| true);
        assert_eq!(play.until(400, |station, _| station == Station::Log), missed(Station::Lane, 120, &[0, 1]));
        let (first, last) = ((START as u64 + 120) / 60, (START as u64 + 360) / 60);
        for partition in [0, 1] {
            (first..=last).for_each(|number| play.pulse.came_by(Station::Lane, partition, number, at(400)));
        }
        assert_eq!(play.pulse.judge(at(401)), None);
        play.pulse.came_by(Station::Lifecycle, 0, last, at(402));
        play.now = 402;
        assert_eq!(play.until(519, |station, partition| station < Station::Lifecycle || partition == 0), None);
        let later = play.until(520, |station, partition| station < Station::Lifecycle || partition == 0);
        assert_eq!(later, missed(Station::Lifecycle, 120, &[1]), "it held up those of the lane's absence, from its return on");
    }

    /// Frozen for an hour, the process may wake up before it hears what came meanwhile.
    #[test]
    fn a_pause_of_its_own_is_no_absence_but_ends_none() {
        let mut play = Play::new();
        play.until(119, |_, _| true);
        play.until(125, |_, _| false);
        play.now = 3_700;
        assert_eq!(play.until(3_701, |_, _| true), None, "the beat of 120 may have come while nobody listened");
        let lane_is_gone = |station, _| station == Station::Log;
        assert_eq!(play.until(4_000, lane_is_gone), missed(Station::Lane, 3_720, &[0, 1]));
        play.now = 9_000;
        assert_eq!(play.until(9_001, lane_is_gone), missed(Station::Lane, 3_720, &[0, 1]), "that is not forgotten by a pause");
    }
}
