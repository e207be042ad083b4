//! The life of alerts once more, written down from the definition alone, on random logs: whoever is told something, and when, is the same.

use crate::desk::*;
use crate::random::Random;
use fieldline_processors_core::lifecycle::Settings;
use fieldline_schemas::AnyRecord;
use fieldline_schemas::alerts::{AlertState, DeliveryOutcome, FlagStanding};
use fieldline_schemas::events::ActionKind;
use fieldline_schemas::time::MINUTE_US;
use std::collections::BTreeMap;

fn pick<T: Copy>(random: &mut Random, from: &[T]) -> T {
    from[random.below(from.len() as u64) as usize]
}

/// What happens, in the words of the definition.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Lane(&'static str),
    /// With the version of the fold, and when it happened.
    Raised(&'static str, u64, i64),
    Untrue(&'static str, u64, FlagStanding),
    /// Resolved by an operational event at that time.
    Cleared(&'static str, i64),
    Acknowledge(&'static str, u64),
    Resolve(&'static str, u64),
    /// Without a reason.
    Bare(&'static str, u64),
    Delivered(&'static str),
    Tick,
}

impl Deed {
    fn record(self) -> AnyRecord<'static> {
        match self {
            Self::Lane(name) => lane(name),
            Self::Raised(name, version, about) => raised_about(name, version, about),
            Self::Untrue(name, version, standing) => fold(name, version, standing),
            Self::Cleared(name, at) => cleared(name, 0, at),
            Self::Acknowledge(name, n) => acknowledge(name, n),
            Self::Resolve(name, n) => resolve(name, n),
            Self::Bare(name, n) => action(name, n, ActionKind::Resolve, None),
            Self::Delivered(name) => delivery(name, "desk", 1, DeliveryOutcome::Acknowledged),
            Self::Tick => tick(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    Acknowledged,
    Resolved,
}

/// One alert, as a person at the desk would keep it on paper.
#[derive(Clone, Debug)]
struct Paper {
    stage: Stage,
    opened: usize,
    about: i64,
    rounds: u32,
    pages: u32,
    due: Option<i64>,
    counted_on: Option<&'static str>,
}

#[derive(Default)]
struct Desk {
    papers: BTreeMap<&'static str, Paper>,
    /// The highest version of the fold, and whether it said that it is so.
    fold: BTreeMap<&'static str, u64>,
    is_true: BTreeMap<&'static str, bool>,
    done: Vec<(&'static str, u64)>,
}

const EMERGENCIES: [&str; 5] = ["S1 a", "S1 b", "S1 c", "S1 x2", "S1 y2"];
const OTHERS: [&str; 3] = ["S5 a", "S10 a", "S6 a"];

fn is_emergency(name: &str) -> bool {
    name.starts_with("S1 ")
}

impl Desk {
    fn time(&mut self, now: i64) {
        for paper in self.papers.values_mut().filter(|paper| paper.due.is_some_and(|due| due <= now)) {
            paper.pages += 1;
            match paper.stage {
                Stage::Open => paper.rounds += 1,
                _ => (paper.stage, paper.rounds) = (Stage::Open, 0),
            }
            paper.due = (paper.rounds < 5).then_some(now + s(60));
        }
        self.follow();
    }

    /// What becomes of an emergency becomes of those counted on it.
    fn follow(&mut self) {
        let leaders = self.papers.clone();
        for paper in self.papers.values_mut() {
            if let Some(leader) = paper.counted_on {
                paper.stage = leaders[leader].stage;
            }
        }
    }

    fn open(&mut self, name: &'static str, about: i64, now: i64) {
        let of_same = |other: &str| is_emergency(other) && other.ends_with('2') == name.ends_with('2');
        let waiting =
            self.papers.iter().filter(|(other, paper)| of_same(other) && paper.stage == Stage::Open && paper.counted_on.is_none());
        let counted_on = waiting.min_by_key(|(_, paper)| paper.opened).map(|(other, _)| *other).filter(|_| is_emergency(name));
        let pages = u32::from(counted_on.is_none());
        let due = (is_emergency(name) && counted_on.is_none()).then_some(now + s(60));
        let opened = self.papers.len();
        self.papers.insert(name, Paper { stage: Stage::Open, opened, about, rounds: 0, pages, due, counted_on });
    }

    fn act(&mut self, name: &'static str, n: u64, act: impl FnOnce(&mut Paper)) {
        let Some(paper) = self.papers.get(name) else { return };
        let target = paper.counted_on.unwrap_or(name);
        if !self.done.contains(&(target, n)) {
            self.done.push((target, n));
            if let Some(paper) = self.papers.get_mut(target) {
                act(paper);
            }
        }
        self.follow();
    }

    fn take(&mut self, deed: Deed, now: i64) {
        self.time(now);
        match deed {
            Deed::Lane(name) if !self.papers.contains_key(name) => {
                self.is_true.insert(name, true);
                self.open(name, 0, now);
            }
            Deed::Raised(name, version, about) if self.fold.get(name).is_none_or(|known| version > *known) => {
                self.fold.insert(name, version);
                let was_true = self.is_true.insert(name, true).unwrap_or(false);
                match self.papers.get_mut(name) {
                    None => self.open(name, about, now),
                    // True again; of an emergency and an alarm nothing but a person says that they are over.
                    Some(paper) if !was_true && !is_emergency(name) && !name.starts_with("S10") => {
                        (paper.stage, paper.rounds, paper.pages) = (Stage::Open, 0, paper.pages + 1);
                    }
                    Some(paper) => paper.about = about,
                }
            }
            Deed::Untrue(name, version, _) if self.fold.get(name).is_none_or(|known| version > *known) => {
                self.fold.insert(name, version);
                if !is_emergency(name) && !name.starts_with("S10") {
                    self.is_true.insert(name, false);
                    if let Some(paper) = self.papers.get_mut(name).filter(|paper| paper.stage != Stage::Resolved) {
                        (paper.stage, paper.pages) = (Stage::Resolved, paper.pages + 1);
                    }
                }
            }
            Deed::Cleared(name, at) => {
                let group = self.papers.iter().filter(|(other, paper)| **other == name || paper.counted_on == Some(name));
                let is_over = group.map(|(_, paper)| paper.about).all(|about| about <= at);
                let open = self.papers.get_mut(name).filter(|paper| paper.stage != Stage::Resolved && paper.counted_on.is_none());
                if let Some(paper) = open.filter(|_| is_over && is_emergency(name)) {
                    (paper.stage, paper.pages, paper.due) = (Stage::Resolved, paper.pages + 1, None);
                }
                self.follow();
            }
            Deed::Acknowledge(name, n) => self.act(name, n, |paper| {
                if paper.stage == Stage::Open {
                    (paper.stage, paper.pages) = (Stage::Acknowledged, paper.pages + 1);
                    paper.due = is_emergency(name).then_some(now + 30 * MINUTE_US);
                }
            }),
            Deed::Resolve(name, n) => self.act(name, n, |paper| {
                if paper.stage != Stage::Resolved {
                    (paper.stage, paper.pages, paper.due) = (Stage::Resolved, paper.pages + 1, None);
                }
            }),
            Deed::Bare(name, n) => self.act(name, n, |paper| {
                if paper.stage != Stage::Resolved && !is_emergency(name) {
                    (paper.stage, paper.pages) = (Stage::Resolved, paper.pages + 1);
                }
            }),
            Deed::Lane(_) | Deed::Raised(..) | Deed::Untrue(..) | Deed::Delivered(_) | Deed::Tick => {}
        }
    }
}

fn deed(random: &mut Random, now: i64) -> Deed {
    let (emergency, other) = (pick(random, &EMERGENCIES), pick(random, &OTHERS));
    let any = if random.below(4) > 0 { emergency } else { other };
    let (version, n) = (1 + random.below(40), random.below(60));
    match random.below(16) {
        0..=2 => Deed::Lane(emergency),
        3 => Deed::Raised(emergency, version, now - s(random.below(40) as i64)),
        4 | 5 => Deed::Raised(other, version, 0),
        6 => Deed::Untrue(any, version, pick(random, &[FlagStanding::Activity, FlagStanding::LateArrival, FlagStanding::Amended])),
        7 => Deed::Cleared(any, now - s(random.below(60) as i64)),
        8 => Deed::Acknowledge(any, n),
        9 => Deed::Resolve(any, n),
        10 => Deed::Bare(any, n),
        11 => Deed::Delivered(any),
        _ => Deed::Tick,
    }
}

#[test]
fn everybody_is_told_what_the_definition_says_and_when() {
    let (mut compared, mut rounds, mut shared) = (0, 0, 0);
    for seed in 1..=4_000_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (mut now, mut deeds): (i64, Vec<(i64, Deed)>) = (0, Vec::new());
        for _ in 0..50 {
            // Bursts, an ordinary minute, half an hour, a night without a tick.
            now += match random.below(8) {
                0..=2 => 0,
                3 | 4 => s(random.below(30) as i64),
                5 => s(60),
                6 => s(random.below(1_900) as i64),
                _ => s(if random.below(6) == 0 { 40_000 } else { 61 }),
            };
            let again = deeds.get(random.below(deeds.len() as u64 + 1) as usize).map(|(_, deed)| *deed);
            let deed = deed(&mut random, now);
            deeds.push((now, again.filter(|_| random.below(6) == 0).unwrap_or(deed)));
        }
        let mut desk = Desk::default();
        for (at, deed) in &deeds {
            desk.take(*deed, *at);
        }
        let input: Vec<_> = deeds.iter().map(|(at, deed)| (*at, deed.record())).collect();
        // Every place at which somebody could look, by the last of each alert's steps until then; and who was told when.
        let (_, effects) = run(Settings::default(), &input);
        let mut told: BTreeMap<String, (Stage, u32, u32)> = BTreeMap::new();
        let mut paged: Vec<(String, i64)> = Vec::new();
        for alert in &effects.alerts {
            let stage = match alert.state {
                AlertState::Resolved => Stage::Resolved,
                AlertState::Acknowledged => Stage::Acknowledged,
                _ => Stage::Open,
            };
            let before = told.insert(alert.alert_id.to_string(), (stage, alert.notification, alert.round)).map_or(0, |before| before.1);
            if alert.notification > before {
                paged.push((alert.alert_id.to_string(), alert.stamp.as_of.since(START)));
            }
        }
        let expected: BTreeMap<String, (Stage, u32)> =
            desk.papers.iter().map(|(name, paper)| (id(name), (paper.stage, paper.pages))).collect();
        let found: BTreeMap<String, (Stage, u32)> = told.iter().map(|(id, (stage, pages, _))| (id.clone(), (*stage, *pages))).collect();
        assert_eq!(found, expected, "seed {seed}: {deeds:#?}");
        let mut again = Desk::default();
        let mut expected_pages = Vec::new();
        for (at, deed) in &deeds {
            let before: BTreeMap<&str, u32> = again.papers.iter().map(|(name, paper)| (*name, paper.pages)).collect();
            again.take(*deed, *at);
            for (name, paper) in &again.papers {
                let more = paper.pages - before.get(name).copied().unwrap_or(0);
                expected_pages.extend((0..more).map(|_| (id(name), *at)));
            }
        }
        paged.sort();
        expected_pages.sort();
        assert_eq!(paged, expected_pages, "seed {seed}: {deeds:#?}");
        compared += paged.len();
        rounds += desk.papers.values().map(|paper| paper.rounds).sum::<u32>();
        shared += desk.papers.values().filter(|paper| paper.counted_on.is_some()).count();
    }
    assert!(compared > 40_000 && rounds > 2_000 && shared > 2_000, "{compared} pages, {rounds} rounds, {shared} counted on others");
}
