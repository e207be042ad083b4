//! Calls, written down as arrivals; the flags that follow, as lines of text.
//!
//! Times are `HH:MM` or `HH:MM:SS` of 2026-11-24, hours above 23 being of the days after. A tick comes every second, but in an outage.
//! Every script is run straight and with a restart at a dozen places: what is put out is the same.

use fieldline_processors_core::events::Settings;
use fieldline_processors_core::flags::FlagSettings;
use fieldline_processors_core::partition::Position;
use fieldline_processors_core::queues::{Input, Queues, Record};
use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::Flag;
use fieldline_schemas::events::{CallOutcome, CallType, Common, CommunicationCall};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::{HOUR_US, MINUTE_US, SECOND_US};

/// 2026-11-24 00:00 UTC.
const MIDNIGHT: Timestamp = Timestamp(1_795_478_400 * SECOND_US);
const RESTARTS: usize = 12;

pub fn time(text: &str) -> Timestamp {
    let mut parts = text.split(':').map(|part| part.parse::<i64>().unwrap());
    let (hours, minutes, seconds) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap_or(0));
    MIDNIGHT + hours * HOUR_US + minutes * MINUTE_US + seconds * SECOND_US
}

pub fn clock_text(at: Timestamp) -> String {
    let seconds = at.since(MIDNIGHT) / SECOND_US;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Answered within the threshold.
    Good,
    /// Answered after it.
    Slow,
    /// Hung up after it.
    Lost,
    /// Hung up within it.
    Impatient,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Good, Self::Slow, Self::Lost, Self::Impatient];
}

/// The call numbered `n`, which entered the queue `service` at `entered`.
pub fn call(n: u128, entered: Timestamp, kind: Kind) -> CommunicationCall<'static> {
    let (call_type, call_outcome, wait) = match kind {
        Kind::Good => (CallType::Inbound, CallOutcome::Answered, 20),
        Kind::Slow => (CallType::Inbound, CallOutcome::Transferred, 21),
        Kind::Lost => (CallType::Missed, CallOutcome::NoAnswer, 21),
        Kind::Impatient => (CallType::Missed, CallOutcome::NoAnswer, 20),
    };
    CommunicationCall {
        common: Common {
            id: EventId(uuid::Uuid::from_u128(n)),
            revision: 0,
            voided: false,
            created_at: entered + MINUTE_US,
            utc_offset_minutes: None,
            recorded_at: None,
            device_id: None,
            device_sequence: None,
            source: None,
            imported: false,
            assigned: Vec::new(),
            metadata: None,
        },
        communication_message_id: None,
        call_type,
        call_outcome,
        duration_seconds: None,
        wait_time_seconds: Some(wait),
        recording_url: None,
        transcription: None,
        sentiment_score: None,
        sentiment_basis: None,
        transferred_to_contact_id: None,
        queue_name: Some("service".into()),
        ivr_path: None,
        channel_type: None,
        direction: None,
        started_at: Some(entered),
        agent_contact_id: None,
        thread_id: None,
        root_call_id: None,
        abandoned: None,
    }
}

/// The flags that each record brought, by its offset.
pub type Outputs = Vec<(i64, Vec<Flag<'static>>)>;

#[derive(Clone, Default)]
pub struct Script {
    pub arrivals: Vec<(Timestamp, CommunicationCall<'static>)>,
    outages: Vec<(Timestamp, Timestamp)>,
}

impl Script {
    /// `count` calls of a kind arrive at `at`, having entered at `entered`.
    pub fn calls(self, at: &str, entered: &str, count: usize, kind: Kind) -> Self {
        self.changed(at, entered, count, kind, |_| ())
    }

    pub fn changed(mut self, at: &str, entered: &str, count: usize, kind: Kind, change: impl Fn(&mut CommunicationCall<'static>)) -> Self {
        for _ in 0..count {
            let mut call = call(self.arrivals.len() as u128 + 1, time(entered), kind);
            change(&mut call);
            self.arrivals.push((time(at), call));
        }
        self
    }

    /// The call numbered `n` arrives once more, changed.
    pub fn again(mut self, at: &str, n: usize, change: impl Fn(&mut CommunicationCall<'static>)) -> Self {
        let mut call = self.arrivals[n - 1].1.clone();
        change(&mut call);
        self.arrivals.push((time(at), call));
        self
    }

    /// No tick comes from after `from` until before `to`.
    pub fn outage(mut self, from: &str, to: &str) -> Self {
        self.outages.push((time(from), time(to)));
        self
    }

    fn records(&self, until: &str) -> Vec<(i64, Timestamp, Option<&CommunicationCall<'static>>)> {
        let mut records: Vec<_> = self.arrivals.iter().map(|(at, call)| (*at, Some(call))).collect();
        records.sort_by_key(|(at, _)| *at);
        let first = records[0].0;
        let ticks = (0..=time(until).since(first) / SECOND_US).map(|n| first + n * SECOND_US);
        let ticks = ticks.filter(|at| !self.outages.iter().any(|(from, to)| at > from && at < to));
        records.extend(ticks.map(|at| (at, None)));
        records.sort_by_key(|(at, _)| *at);
        (0..).zip(records).map(|(offset, (at, call))| (offset, at, call)).collect()
    }

    fn run(&self, state: &mut Queues, until: &str, from: Timestamp) -> Outputs {
        let (mut outputs, mut flags) = (Outputs::new(), Vec::new());
        for (offset, append_time, call) in self.records(until).into_iter().filter(|(_, at, _)| *at >= from) {
            let input = call.map_or(Input::Tick { since: None }, Input::Call);
            state.apply(&Record { offset, append_time, input }, &mut flags).unwrap();
            if !flags.is_empty() {
                outputs.push((offset, std::mem::take(&mut flags)));
            }
        }
        outputs
    }

    /// Every flag, whole; after a dozen restarts the same.
    #[track_caller]
    pub fn flags(&self, until: &str) -> Vec<Flag<'static>> {
        let settings = Settings { epoch: 0, definition: 1, flags: FlagSettings::default() };
        let outputs = self.run(&mut Queues::new(settings), until, Timestamp::MIN);
        let records = self.records(until);
        for n in 0..RESTARTS {
            let place = records[(n * records.len() + records.len() / 2) / RESTARTS].0;
            let clock = records[usize::try_from(place).unwrap().saturating_sub(1)].1;
            let mut state = Queues::rebuild(settings, Position { offset: place, clock });
            let after: Outputs = outputs.iter().filter(|(offset, _)| *offset >= place).cloned().collect();
            assert_eq!(self.run(&mut state, until, Queues::replay_from(clock, &settings.flags)), after, "restarted at {place}");
        }
        outputs.into_iter().flat_map(|(_, flags)| flags).collect()
    }

    /// Runs the script with ticks up to `until` and compares the flags.
    #[track_caller]
    pub fn check(&self, until: &str, expected: &[&str]) {
        let lines: Vec<String> = self.flags(until).iter().map(line).collect();
        assert_eq!(lines, expected);
    }
}

/// When, what, and since when.
pub fn line(flag: &Flag<'_>) -> String {
    let (subject, since) = flag.alert_id.strip_prefix("S14:").unwrap().rsplit_once(':').unwrap();
    let since = Timestamp(since.parse().unwrap());
    assert_eq!((flag.opened_at, flag.about_at), (since, since));
    format!("{} {subject} {} since {}", clock_text(flag.as_of), flag.standing.symbol(), clock_text(since))
}
