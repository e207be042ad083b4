//! Calls; the flags that follow, as lines of text.

mod brute;
mod levels;

use crate::script::{self, State, clock_text, common, time};
use fieldline_processors_core::events::{Input, Settings};
use fieldline_processors_core::partition::Position;
use fieldline_processors_core::queues::{Queues, Record};
use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::Flag;
use fieldline_schemas::events::{CallOutcome, CallType, CommunicationCall};
use fieldline_schemas::time::MINUTE_US;

type Script = script::Script<Queues>;

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
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
    const ALL: [Self; 4] = [Self::Good, Self::Slow, Self::Lost, Self::Impatient];
}

/// The call numbered `n`, which entered the queue `service` at `entered`.
fn call(n: u128, entered: Timestamp, kind: Kind) -> CommunicationCall<'static> {
    let (call_type, call_outcome, wait) = match kind {
        Kind::Good => (CallType::Inbound, CallOutcome::Answered, 20),
        Kind::Slow => (CallType::Inbound, CallOutcome::Transferred, 21),
        Kind::Lost => (CallType::Missed, CallOutcome::NoAnswer, 21),
        Kind::Impatient => (CallType::Missed, CallOutcome::NoAnswer, 20),
    };
    CommunicationCall {
        common: common(n, entered + MINUTE_US),
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

impl Script {
    /// `count` calls of a kind arrive at `at`, having entered at `entered`.
    fn calls(self, at: &str, entered: &str, count: usize, kind: Kind) -> Self {
        self.changed(at, entered, count, kind, |_| ())
    }

    fn changed(mut self, at: &str, entered: &str, count: usize, kind: Kind, change: impl Fn(&mut CommunicationCall<'static>)) -> Self {
        for _ in 0..count {
            let mut call = call(self.arrivals.len() as u128 + 1, time(entered), kind);
            change(&mut call);
            self.arrivals.push((time(at), call));
        }
        self
    }

    /// The call numbered `n` arrives once more, changed.
    fn again(mut self, at: &str, n: usize, change: impl Fn(&mut CommunicationCall<'static>)) -> Self {
        let mut call = self.arrivals[n - 1].1.clone();
        change(&mut call);
        self.arrivals.push((time(at), call));
        self
    }

    /// Runs the script with ticks up to `until` and compares the flags.
    #[track_caller]
    fn check(&self, until: &str, expected: &[&str]) {
        let lines: Vec<String> = self.outputs(until).iter().map(line).collect();
        assert_eq!(lines, expected);
    }
}

impl State for Queues {
    type Event = CommunicationCall<'static>;
    type Output = Flag<'static>;

    fn new(settings: Settings) -> Self {
        Self::new(settings)
    }

    fn leans_on(&self) -> Option<Timestamp> {
        None
    }

    fn rebuilt(settings: Settings, committed: Position, _: Option<Timestamp>) -> (Self, Timestamp) {
        (Self::rebuild(settings, committed), Self::replay_from(committed.clock, &settings.flags))
    }

    fn telling_again(self) -> Self {
        self.telling_flags_again()
    }

    fn apply(&mut self, offset: i64, append_time: Timestamp, input: Input<&Self::Event>) -> Vec<Flag<'static>> {
        let mut flags = Vec::new();
        Queues::apply(self, &Record { offset, append_time, input }, &mut flags).unwrap();
        flags
    }
}

/// When, what, and since when.
fn line(flag: &Flag<'_>) -> String {
    let (subject, since) = flag.alert_id.strip_prefix("S14:").unwrap().rsplit_once(':').unwrap();
    let since = Timestamp(since.parse().unwrap());
    assert_eq!((flag.opened_at, flag.about_at), (since, since));
    format!("{} {subject} {} since {}", clock_text(flag.as_of), flag.standing.symbol(), clock_text(since))
}
