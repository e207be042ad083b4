//! A partition of `operations`: events and their updates in log order in; whom each concerns, emergencies, and what nobody
//! resolves out. A pure function of the log.
//!
//! ```text
//! record ─► clock ─► timers that fell due (S13) ─► does the update stand? ─┬─► signals, into the logs of technicians
//!                                                                         └─► S1 of an SOS · S13
//! ```
//! Of each event the update that stands is remembered, for as long as a technician's log remembers it. Whoever replays that much, and
//! what an SOS leans on beyond it, goes on with the same outputs as one that never stopped.

mod incident;
mod sos;
mod unresolved;

use crate::events::{EventsError, Input, Outputs, Progress, Settings};
use crate::partition::{MARKERS_US, Position};
use fieldline_schemas::alerts::Flag;
use fieldline_schemas::events::OperationalEvent;
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::{Timestamp, Version};
use incident::{EARLIER_MAX, Incident, Rank};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// An event is forgotten so long after its last update that stood: a technician's log forgets it then.
pub const REMEMBERED_US: i64 = MARKERS_US;

/// Of one alert a record brings at most one flag by a timer, one by itself, and one that is told again.
const STEP_TIMER: u8 = 0;
const STEP_RECORD: u8 = 1;
const STEP_AGAIN: u8 = 2;

/// A record of the partition.
pub type Record<'a> = crate::events::Record<Reported<'a>>;

/// An event or an update of it.
#[derive(Clone, Copy, Debug)]
pub struct Reported<'a> {
    pub event: &'a OperationalEvent<'a>,
    /// The hash of what it says.
    pub content: u128,
    pub is_sos: bool,
}

/// That the record's own event is to be carried into a technician's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    pub technician: TechnicianId,
    pub is_emergency: bool,
    /// Of an emergency that is this technician's: its alert.
    pub alert_id: Option<String>,
}

/// What follows from a record, in the order in which it is to be appended. The runner empties it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    pub flags: Vec<Flag<'static>>,
    pub carried: Vec<Carried>,
}

impl Effects {
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.carried.is_empty()
    }
}

/// The events of one partition.
#[derive(Debug)]
pub struct Incidents {
    settings: Settings,
    progress: Progress,
    incidents: BTreeMap<EventId, Incident>,
    /// When what stands was appended, in that order.
    remembered: VecDeque<(Timestamp, EventId)>,
    timers: BTreeSet<(Timestamp, EventId)>,
    /// Since when an SOS is remembered.
    emergencies: BTreeSet<(Timestamp, EventId)>,
}

/// The moment of a record.
#[derive(Clone, Copy, Debug)]
struct Moment {
    clock: Timestamp,
    /// Of what the record itself brings.
    version: Version,
}

impl Incidents {
    /// A partition that nobody has read before.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            progress: Progress::default(),
            incidents: BTreeMap::new(),
            remembered: VecDeque::new(),
            timers: BTreeSet::new(),
            emergencies: BTreeSet::new(),
        }
    }

    /// A partition that was read up to `committed`. It is to be fed every record from `replay_from` on; outputs begin with the record
    /// at `committed`.
    pub fn rebuild(settings: Settings, committed: Position) -> Self {
        Self { progress: Progress::after(committed), ..Self::new(settings) }
    }

    /// Whoever was here before had other settings of flags, or none: after the replay what is true is put out again.
    #[must_use]
    pub fn telling_flags_again(self) -> Self {
        Self { progress: self.progress.telling_again(), ..self }
    }

    /// The append time from which records must be replayed to rebuild the state at `clock`, which leant on records from `leans_on` on.
    pub fn replay_from(clock: Timestamp, leans_on: Option<Timestamp>) -> Timestamp {
        leans_on.into_iter().fold(clock - REMEMBERED_US, Timestamp::min)
    }

    /// The oldest append time on which what is remembered leans, however long ago: an SOS is the alert that its first record opened, for
    /// as long as updates of it come. Whoever commits notes it for a successor.
    pub fn leans_on(&self) -> Option<Timestamp> {
        self.emergencies.first().map(|(born, _)| *born)
    }

    /// The next instant at which time alone changes something.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Takes the next record of the log.
    pub fn apply(&mut self, record: &Record<'_>, effects: &mut Effects) -> Result<(), EventsError> {
        let (flags, carried) = (effects.flags.len(), effects.carried.len());
        let moved = self.progress.advance(record);
        let clock = moved.clock;
        let timed = self.settings.version(record.offset, STEP_TIMER)?;
        while let Some((due, id)) = self.timers.first().copied().filter(|(due, _)| *due <= clock) {
            self.fire(due, id, timed, moved.stepped_over(due).then_some(clock), effects);
        }
        self.forget(clock);
        if let Input::Event(reported) = record.input {
            let moment = Moment { clock, version: self.settings.version(record.offset, STEP_RECORD)? };
            self.take(reported, record.offset, moment, effects);
        }
        match self.progress.outputs(record.offset) {
            Outputs::Suppressed => {
                effects.flags.truncate(flags);
                effects.carried.truncate(carried);
            }
            Outputs::Told => {}
            Outputs::ToldAgain => self.tell_again(Moment { clock, version: self.settings.version(record.offset, STEP_AGAIN)? }, effects),
        }
        Ok(())
    }

    fn take(&mut self, reported: Reported<'_>, offset: i64, moment: Moment, effects: &mut Effects) {
        let Reported { event, content, is_sos } = reported;
        let id = event.common.id;
        let rank = Rank::of(event, offset);
        let known = self.incidents.remove(&id);
        if let Some(mut known) = known.clone().filter(|known| known.rank > rank || known.has(&rank, content)) {
            if let Some(sos) = &mut known.sos {
                sos.note_lane(event, is_sos);
            }
            known.leans |= is_sos;
            // A copy keeps what stands in memory, as it would be what a replay finds first.
            if known.leans || known.content == content && known.rank.is_alike(&rank) {
                known.appended = moment.clock;
                self.remembered.push_back((moment.clock, id));
            }
            self.emergencies.extend(known.leans.then_some((known.born, id)));
            self.incidents.insert(id, known);
            return;
        }
        let alike = known.as_ref().filter(|known| known.rank.is_alike(&rank));
        let mut earlier = alike.map_or(Vec::new(), |known| [&known.earlier[..], &[known.content]].concat());
        earlier.drain(..earlier.len().saturating_sub(EARLIER_MAX));
        let names = event.technician_contact_id;
        // Whoever was named before hears that this is over, or what became of it.
        let was_sos = known.as_ref().and_then(|known| known.sos.as_deref());
        let named = known.as_ref().and_then(|known| was_sos.map_or(known.technician, |sos| sos.technician));
        let concerned = names.into_iter().chain(named.filter(|named| Some(*named) != names));
        let mut incident = Incident {
            rank,
            content,
            earlier,
            technician: names.filter(|_| !event.common.voided),
            born: known.as_ref().map_or(moment.clock, |known| known.born),
            appended: moment.clock,
            leans: is_sos || known.as_ref().is_some_and(|known| known.leans),
            is_resolved: event.resolved_at.is_some(),
            sos: known.as_ref().and_then(|known| known.sos.clone()),
            unresolved: None,
        };
        incident.sos(event, is_sos, moment, &self.settings.flags, effects);
        let sos = incident.sos.as_deref();
        self.emergencies.extend(incident.leans.then_some((incident.born, id)));
        effects.carried.extend(concerned.map(|technician| Carried {
            technician,
            // Whatever type an update of an SOS has: it is S1 already, and never also S10.
            is_emergency: is_sos || sos.is_some(),
            alert_id: sos.filter(|sos| sos.technician == Some(technician)).map(|sos| sos.alert_id(id)),
        }));
        let due = known.as_ref().and_then(|known| known.unresolved.as_ref()?.due);
        incident.unresolved(known.as_ref(), event, is_sos, moment, &self.settings.flags, effects);
        self.reschedule(id, due, incident.unresolved.as_ref().and_then(|unresolved| unresolved.due));
        self.remembered.push_back((moment.clock, id));
        self.incidents.insert(id, incident);
    }

    /// A timer falls due. `late`: the clock, where it has passed that by more than an owner who is there would let it.
    fn fire(&mut self, due: Timestamp, id: EventId, version: Version, late: Option<Timestamp>, effects: &mut Effects) {
        self.timers.remove(&(due, id));
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let again = incident.overdue(id, due, version, late, &self.settings.flags, effects);
        self.timers.extend(again.map(|due| (due, id)));
    }

    fn reschedule(&mut self, id: EventId, before: Option<Timestamp>, due: Option<Timestamp>) {
        if let Some(before) = before {
            self.timers.remove(&(before, id));
        }
        self.timers.extend(due.map(|due| (due, id)));
    }

    /// Lets go of what a technician's log has forgotten too.
    fn forget(&mut self, clock: Timestamp) {
        while let Some((appended, id)) = self.remembered.front().copied().filter(|(at, _)| clock.since(*at) > REMEMBERED_US) {
            self.remembered.pop_front();
            if self.incidents.get(&id).is_some_and(|incident| incident.appended == appended)
                && let Some(gone) = self.incidents.remove(&id)
            {
                self.reschedule(id, gone.unresolved.and_then(|unresolved| unresolved.due), None);
                self.emergencies.remove(&(gone.born, id));
            }
        }
    }

    /// Puts out what is true by other settings than those of whoever was here before.
    fn tell_again(&self, moment: Moment, effects: &mut Effects) {
        effects.flags.extend(self.incidents.iter().filter_map(|(id, incident)| incident.told(*id, moment)));
    }
}
