//! Records of `operations`, written down as arrivals; what follows, as lines of text.
//!
//! Times are `HH:MM` or `HH:MM:SS` of 2026-11-24. A tick comes every second, but in an outage. Every script is run straight and with
//! a restart at a dozen places: what is put out is the same.

use fieldline_processors_core::events::Settings;
use fieldline_processors_core::flags::FlagSettings;
use fieldline_processors_core::incidents::{Effects, Incidents, Input, Record};
use fieldline_processors_core::partition::Position;
use fieldline_schemas::events::{Common, EventCategory, OperationalEvent, Severity};
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::time::{HOUR_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{AnyRecord, SosTypes, Timestamp, content_hash};

/// 2026-11-24 00:00 UTC.
const MIDNIGHT: Timestamp = Timestamp(1_795_478_400 * SECOND_US);
const RESTARTS: usize = 12;

pub fn time(text: &str) -> Timestamp {
    let mut parts = text.split(':').map(|part| part.parse::<i64>().unwrap());
    let (hours, minutes, seconds) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap_or(0));
    MIDNIGHT + hours * HOUR_US + minutes * MINUTE_US + seconds * SECOND_US
}

fn clock_text(at: Timestamp) -> String {
    let seconds = at.since(MIDNIGHT) / SECOND_US;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

pub fn technician(n: u128) -> Option<TechnicianId> {
    Some(TechnicianId(uuid::Uuid::from_u128(n << 64)))
}

/// What a record brought: its offset, and a line for each output.
type Outputs = Vec<(i64, Vec<String>)>;

#[derive(Clone, Default)]
pub struct Script {
    arrivals: Vec<(Timestamp, OperationalEvent<'static>)>,
    outages: Vec<(Timestamp, Timestamp)>,
}

impl Script {
    /// The event numbered `n` of `own` arrives: a critical one of a panel that names nobody, but for what `change` makes of it.
    pub fn event(mut self, at: &str, own: &str, n: u128, change: impl FnOnce(&mut OperationalEvent<'static>)) -> Self {
        let common = Common {
            id: EventId(uuid::Uuid::from_u128(n)),
            revision: 0,
            voided: false,
            created_at: time(own),
            utc_offset_minutes: None,
            recorded_at: Some(time(at)),
            device_id: None,
            device_sequence: None,
            source: None,
            imported: false,
            assigned: Vec::new(),
            metadata: None,
        };
        let mut event = OperationalEvent {
            common,
            event_type: Some("alarm_triggered".into()),
            event_category: EventCategory::System,
            severity: Severity::Critical,
            source_system: Some("panel".into()),
            title: Some("secret".into()),
            description: Some("secret".into()),
            resolved_at: None,
            resolved_by_contact_id: None,
            acknowledged_at: None,
            acknowledged_by_contact_id: None,
            dedup_key: None,
            technician_contact_id: None,
            vehicle_id: None,
            visit_id: None,
        };
        change(&mut event);
        self.arrivals.push((time(at), event));
        self
    }

    /// No tick comes from after `from` until before `to`.
    pub fn outage(mut self, from: &str, to: &str) -> Self {
        self.outages.push((time(from), time(to)));
        self
    }

    /// The records, with ticks up to `until`.
    fn records(&self, until: &str) -> Vec<(i64, Timestamp, Option<&OperationalEvent<'static>>)> {
        let mut records: Vec<_> = self.arrivals.iter().map(|(at, event)| (*at, Some(event))).collect();
        records.sort_by_key(|(at, _)| *at);
        let first = records[0].0;
        let ticks = (0..=time(until).since(first) / SECOND_US).map(|n| first + n * SECOND_US);
        let ticks = ticks.filter(|at| !self.outages.iter().any(|(from, to)| at > from && at < to));
        records.extend(ticks.map(|at| (at, None)));
        records.sort_by_key(|(at, _)| *at);
        (0..).zip(records).map(|(offset, (at, event))| (offset, at, event)).collect()
    }

    fn run(&self, state: &mut Incidents, until: &str, from: Timestamp) -> Outputs {
        let (mut outputs, mut effects) = (Outputs::new(), Effects::default());
        for (offset, append_time, event) in self.records(until).into_iter().filter(|(_, at, _)| *at >= from) {
            let input = event.map_or(Input::Tick { since: None }, |event| {
                let content = content_hash(&AnyRecord::OperationalEvent(event.clone()));
                Input::Event(event, content, SosTypes::default().has(event))
            });
            state.apply(&Record { offset, append_time, input }, &mut effects).unwrap();
            let mut lines: Vec<String> = effects
                .flags
                .drain(..)
                .map(|flag| {
                    let short = |text: &str| text.rsplit(':').next().unwrap().trim_start_matches(['0', '-']).to_owned();
                    let subject = flag.technician_contact_id.map_or(String::new(), |t| format!(" of {}", t.0.as_u128() >> 64));
                    let opened =
                        if flag.opened_at == flag.as_of { String::new() } else { format!(" opened {}", clock_text(flag.opened_at)) };
                    let (flagged, standing) = (flag.flag.symbol(), flag.standing.symbol());
                    assert!(!flag.reasoning.contains("secret"), "{}", flag.reasoning);
                    format!("{} {flagged} {} {standing}{subject}{opened}", clock_text(flag.as_of), short(&flag.alert_id))
                })
                .collect();
            lines.extend(effects.carried.drain(..).map(|carried| {
                let sos = if carried.is_emergency { " sos" } else { "" };
                let n = event.map_or(0, |event| event.common.id.0.as_u128());
                format!("{} signal {n} to {}{sos}", clock_text(append_time), carried.technician.0.as_u128() >> 64)
            }));
            if !lines.is_empty() {
                outputs.push((offset, lines));
            }
        }
        outputs
    }

    fn settings(&self) -> Settings {
        Settings { epoch: 0, definition: 1, flags: FlagSettings::default() }
    }

    /// A state with `settings` that was read up to the record at `place`, and from when on it is replayed.
    fn rebuilt(&self, until: &str, place: i64, settings: Settings) -> (Incidents, Timestamp) {
        let clock = self.records(until)[usize::try_from(place).unwrap().saturating_sub(1)].1;
        (Incidents::rebuild(settings, Position { offset: place, clock }), Incidents::replay_from(clock))
    }

    /// Runs the script with ticks up to `until` and compares what is put out.
    #[track_caller]
    pub fn check(&self, until: &str, expected: &[&str]) {
        let outputs = self.run(&mut Incidents::new(self.settings()), until, Timestamp::MIN);
        let lines: Vec<&String> = outputs.iter().flat_map(|(_, lines)| lines).collect();
        assert_eq!(lines, expected);
        let end = self.records(until).len() as i64;
        for place in (0..RESTARTS as i64).map(|n| n * end / RESTARTS as i64) {
            let (mut state, from) = self.rebuilt(until, place, self.settings());
            let after: Outputs = outputs.iter().filter(|(offset, _)| *offset >= place).cloned().collect();
            assert_eq!(self.run(&mut state, until, from), after, "restarted at {place}");
        }
    }

    /// What a state with `flags` puts out that is rebuilt as of `at`, where a predecessor had others.
    pub fn after_other_settings(&self, at: &str, until: &str, flags: FlagSettings) -> Vec<String> {
        let place = self.records(until).iter().find(|(_, append_time, _)| *append_time >= time(at)).unwrap().0;
        let (state, from) = self.rebuilt(until, place, Settings { flags, ..self.settings() });
        self.run(&mut state.telling_flags_again(), until, from).into_iter().flat_map(|(_, lines)| lines).collect()
    }
}
