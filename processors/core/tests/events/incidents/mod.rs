//! Operational events: what follows from them, as lines of text.

mod carried;
mod sos;
mod unresolved;

use crate::script::{self, State, clock_text, common, time};
use fieldline_processors_core::events::{Input, Settings};
use fieldline_processors_core::incidents::{Effects, Incidents, Record, Reported};
use fieldline_processors_core::partition::Position;
use fieldline_schemas::alerts::Flag;
use fieldline_schemas::events::{Common, EventCategory, OperationalEvent, Severity};
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::{AnyRecord, SosTypes, Timestamp, content_hash, subject_of};

type Script = script::Script<Incidents>;

fn technician(n: u128) -> Option<TechnicianId> {
    Some(TechnicianId(uuid::Uuid::from_u128(n << 64)))
}

impl Script {
    /// The event numbered `n` of `own` arrives: a critical one of a panel that names nobody, but for what `change` makes of it.
    fn event(mut self, at: &str, own: &str, n: u128, change: impl FnOnce(&mut OperationalEvent<'static>)) -> Self {
        let mut event = OperationalEvent {
            common: Common { recorded_at: Some(time(at)), ..common(n, time(own)) },
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

    /// Runs the script with ticks up to `until` and compares what is put out.
    #[track_caller]
    fn check(&self, until: &str, expected: &[&str]) {
        assert_eq!(self.outputs(until), expected);
    }
}

impl State for Incidents {
    type Event = OperationalEvent<'static>;
    type Output = String;

    fn new(settings: Settings) -> Self {
        Self::new(settings)
    }

    fn leans_on(&self) -> Option<Timestamp> {
        self.leans_on()
    }

    fn rebuilt(settings: Settings, committed: Position, leans_on: Option<Timestamp>) -> (Self, Timestamp) {
        (Self::rebuild(settings, committed), Self::replay_from(committed.clock, leans_on))
    }

    fn telling_again(self) -> Self {
        self.telling_flags_again()
    }

    fn apply(&mut self, offset: i64, append_time: Timestamp, input: Input<&Self::Event>) -> Vec<String> {
        let (mut effects, mut n) = (Effects::default(), 0);
        let input = match input {
            Input::Event(event) => {
                n = event.common.id.0.as_u128();
                let content = content_hash(&AnyRecord::OperationalEvent(event.clone()));
                Input::Event(Reported { event, content, is_sos: SosTypes::default().has(event) })
            }
            Input::Tick { since } => Input::Tick { since },
            Input::Nothing => Input::Nothing,
        };
        Incidents::apply(self, &Record { offset, append_time, input }, &mut effects).unwrap();
        let mut lines: Vec<String> = effects.flags.iter().map(line).collect();
        lines.extend(effects.carried.iter().map(|carried| {
            let sos = if carried.is_emergency { " sos" } else { "" };
            let alert = carried.alert_id.as_deref().map_or(String::new(), |id| format!(" {}", subject(id)));
            format!("{} signal {n} to {}{sos}{alert}", clock_text(append_time), carried.technician.0.as_u128() >> 64)
        }));
        lines
    }
}

fn line(flag: &Flag<'_>) -> String {
    let id = subject(&flag.alert_id);
    let of = flag.technician_contact_id.map_or(String::new(), |t| format!(" of {}", t.0.as_u128() >> 64));
    let opened = if flag.opened_at == flag.as_of { String::new() } else { format!(" opened {}", clock_text(flag.opened_at)) };
    assert!(!flag.reasoning.contains("secret"), "{}", flag.reasoning);
    format!("{} {} {id} {}{of}{opened}", clock_text(flag.as_of), flag.flag.symbol(), flag.standing.symbol())
}

/// An alert by the number of its event; where a technician is its subject, that number before it.
fn subject(alert_id: &str) -> String {
    let (subject, event) = (subject_of(alert_id).unwrap(), alert_id.rsplit(':').next().unwrap());
    let n = |text: &str| uuid::Uuid::parse_str(text).unwrap().as_u128();
    if subject == event { n(event).to_string() } else { format!("{}-{}", n(subject) >> 64, n(event)) }
}
