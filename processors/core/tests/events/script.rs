//! Records of a partition, written down as arrivals, with a tick every second but in an outage; what follows from each.
//!
//! Times are `HH:MM` or `HH:MM:SS` of 2026-11-24, hours above 23 being of the days after. Every script is run straight and with a restart
//! at a dozen places: what is put out is the same.

use fieldline_processors_core::events::{Input, Settings};
use fieldline_processors_core::flags::FlagSettings;
use fieldline_processors_core::partition::Position;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::Common;
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::{HOUR_US, MINUTE_US, SECOND_US};

/// 2026-11-24 00:00 UTC.
const MIDNIGHT: Timestamp = Timestamp(1_795_478_400 * SECOND_US);
const RESTARTS: i64 = 12;

pub fn time(text: &str) -> Timestamp {
    let mut parts = text.split(':').map(|part| part.parse::<i64>().unwrap());
    let (hours, minutes, seconds) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap_or(0));
    MIDNIGHT + hours * HOUR_US + minutes * MINUTE_US + seconds * SECOND_US
}

pub fn clock_text(at: Timestamp) -> String {
    let seconds = at.since(MIDNIGHT) / SECOND_US;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// What the event numbered `n` shares with every other kind.
pub fn common(n: u128, created_at: Timestamp) -> Common<'static> {
    Common {
        id: EventId(uuid::Uuid::from_u128(n)),
        revision: 0,
        voided: false,
        created_at,
        utc_offset_minutes: None,
        recorded_at: None,
        device_id: None,
        device_sequence: None,
        source: None,
        imported: false,
        assigned: Vec::new(),
        metadata: None,
    }
}

/// A state that is fed records in log order.
pub trait State: Sized {
    type Event: Clone;
    type Output: Clone + std::fmt::Debug + PartialEq;

    fn new(settings: Settings) -> Self;
    /// One that was read up to a place, where its predecessor leant on records from then on, and from when on it is to be replayed.
    fn rebuilt(settings: Settings, committed: Position, leans_on: Option<Timestamp>) -> (Self, Timestamp);
    fn leans_on(&self) -> Option<Timestamp>;
    fn telling_again(self) -> Self;
    fn apply(&mut self, offset: i64, append_time: Timestamp, input: Input<&Self::Event>) -> Vec<Self::Output>;
}

pub struct Script<S: State> {
    pub arrivals: Vec<(Timestamp, S::Event)>,
    outages: Vec<(Timestamp, Timestamp)>,
}

impl<S: State> Default for Script<S> {
    fn default() -> Self {
        Self { arrivals: Vec::new(), outages: Vec::new() }
    }
}

impl<S: State> Clone for Script<S> {
    fn clone(&self) -> Self {
        Self { arrivals: self.arrivals.clone(), outages: self.outages.clone() }
    }
}

/// What each record brought that brought something, by its offset.
type Outputs<S> = Vec<(i64, Vec<<S as State>::Output>)>;

impl<S: State> Script<S> {
    /// No tick comes from after `from` until before `to`.
    pub fn outage(mut self, from: &str, to: &str) -> Self {
        self.outages.push((time(from), time(to)));
        self
    }

    /// The records, with ticks up to `until`.
    fn records(&self, until: &str) -> Vec<(i64, Timestamp, Input<&S::Event>)> {
        let mut records: Vec<_> = self.arrivals.iter().map(|(at, event)| (*at, Input::Event(event))).collect();
        records.sort_by_key(|(at, _)| *at);
        let first = records[0].0;
        let mut at = first;
        while at <= time(until) {
            let outage = self.outages.iter().find(|(from, to)| at > *from && at < *to);
            // The next tick is the first one at the end of the outage or after it.
            let seconds = outage.map_or(1, |(_, to)| (to.since(at) + SECOND_US - 1) / SECOND_US);
            if outage.is_none() {
                records.push((at, Input::Tick { since: None }));
            }
            at = at + seconds * SECOND_US;
        }
        records.sort_by_key(|(at, _)| *at);
        (0..).zip(records).map(|(offset, (at, input))| (offset, at, input)).collect()
    }

    fn run(&self, state: &mut S, until: &str, from: Timestamp) -> Outputs<S> {
        let records = self.records(until).into_iter().filter(|(_, at, _)| *at >= from);
        let outputs = records.map(|(offset, append_time, input)| (offset, state.apply(offset, append_time, input)));
        outputs.filter(|(_, outputs)| !outputs.is_empty()).collect()
    }

    /// A state with `settings` that was read up to the record at `place`, and from when on it is replayed.
    fn rebuilt(&self, until: &str, place: i64, settings: Settings) -> (S, Timestamp) {
        let (mut predecessor, mut clock) = (S::new(self::settings()), self.records(until)[0].1);
        for (offset, append_time, input) in self.records(until).into_iter().filter(|(offset, _, _)| *offset < place) {
            predecessor.apply(offset, append_time, input);
            clock = append_time;
        }
        S::rebuilt(settings, Position { offset: place, clock }, predecessor.leans_on())
    }

    /// Everything that is put out; after a dozen restarts, and one at each event, the same.
    #[track_caller]
    pub fn outputs(&self, until: &str) -> Vec<S::Output> {
        let outputs = self.run(&mut S::new(settings()), until, Timestamp::MIN);
        let records = self.records(until);
        let end = records.len() as i64;
        let events = records.iter().filter(|(_, _, input)| matches!(input, Input::Event(_))).map(|(offset, _, _)| *offset);
        for place in (0..RESTARTS).map(|n| n * end / RESTARTS).chain(events.take(RESTARTS as usize)) {
            let (mut state, from) = self.rebuilt(until, place, settings());
            let after: Outputs<S> = outputs.iter().filter(|(offset, _)| *offset >= place).cloned().collect();
            assert_eq!(self.run(&mut state, until, from), after, "restarted at {place}");
        }
        outputs.into_iter().flat_map(|(_, outputs)| outputs).collect()
    }

    /// What a state with `flags` puts out that is rebuilt as of `at`, where a predecessor had others.
    pub fn after_other_settings(&self, at: &str, until: &str, flags: FlagSettings) -> Vec<S::Output> {
        let place = self.records(until).iter().find(|(_, append_time, _)| *append_time >= time(at)).unwrap().0;
        let (state, from) = self.rebuilt(until, place, Settings { flags, ..settings() });
        self.run(&mut state.telling_again(), until, from).into_iter().flat_map(|(_, outputs)| outputs).collect()
    }
}

fn settings() -> Settings {
    Settings { epoch: 0, definition: 1, flags: FlagSettings::default() }
}
