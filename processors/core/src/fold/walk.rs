//! The walk over a technician's events in order: what is going on, and what ends when.

use super::apply::ARRIVAL_ECHO_US;
use super::draft::{Attendance, EpisodeDraft, ShiftDraft, SiteState};
use super::place::Trail;
use super::segment::{self, Entry};
use super::stretch::{Going, Kind, Stretch};
use super::tail::{Begun, Last, Tail};
use crate::definition::{CONTEXT_US, Definition, SILENCE_US};
use crate::facts::{ActivityFact, Facts};
use fieldline_schemas::events::ActivityType as Type;
use fieldline_schemas::ids::VisitId;
use fieldline_schemas::time::{DAY_US, MINUTE_US};
use fieldline_schemas::{Anomalies, Anomaly, Timestamp};

/// What the technician is doing, as the columns of the state table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Column {
    #[default]
    Off,
    Idle,
    Travel,
    Site,
    Work,
    Pause,
    Done,
    Break,
    Emergency,
}

/// The technician's travel, to a visit or to nowhere named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Travel {
    pub to: Option<VisitId>,
    pub going: Going,
    /// Where the unbroken state of travelling began, maybe for elsewhere.
    pub begun: Begun,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Emergency {
    pub going: Going,
    /// When it is cleared by a person, if it ever is.
    pub clears_at: Option<Timestamp>,
}

/// A travel_end that no arrival has followed yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct TravelEnd {
    pub at: Timestamp,
    /// The visit that it named, else the one travelled to.
    pub visit: Option<VisitId>,
}

/// How everything that is going on comes to an end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    ShiftEnd,
    /// A shift closed without an end, or nothing more is known.
    Close,
}

#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub shifts: Vec<ShiftDraft>,
    pub episodes: Vec<EpisodeDraft>,
    pub stretches: Vec<Stretch>,
    pub open_shift: Option<usize>,
    pub emergency: Option<Emergency>,
    pub on_break: Option<Going>,
    pub travel: Option<Travel>,
    /// Indices of the episodes that are open.
    pub open_episodes: Vec<usize>,
    /// The last travel_end since the last arrival, travel_start or shift end.
    pub travel_end: Option<TravelEnd>,
    pub arrived_last: Option<Timestamp>,
    pub previous_at: Option<Timestamp>,
    pub trail: Trail,
    pub last: Option<Last>,
    /// The visit that the last event named.
    pub last_visit: Option<VisitId>,
    /// How things stand after the last event, before time ends them.
    pub tail: Tail,
    /// The last event at which the past stopped to matter (A29).
    anchor_at: Timestamp,
    /// How many events were walked over.
    pub taken: usize,
    /// The next event may begin a segment.
    ends_clean: bool,
}

impl Walk {
    /// Nothing goes on yet.
    pub fn begin(entry: Entry) -> Self {
        let Entry { previous_at, arrived_last, trusted, anchor_at } = entry;
        Self {
            shifts: Vec::new(),
            episodes: Vec::new(),
            stretches: Vec::new(),
            open_shift: None,
            emergency: None,
            on_break: None,
            travel: None,
            open_episodes: Vec::new(),
            travel_end: None,
            arrived_last,
            previous_at,
            trail: Trail::from(trusted),
            last: None,
            last_visit: None,
            tail: Tail::default(),
            anchor_at,
            taken: 0,
            ends_clean: false,
        }
    }

    /// Walks on over events, which are in order and without near-duplicates, up to the end of the segment; not beyond the first
    /// event from `until` on. How many of them were taken.
    pub fn over(&mut self, events: &[ActivityFact], until: Timestamp, facts: Facts<'_>, definition: &Definition) -> usize {
        for (n, event) in events.iter().enumerate() {
            self.settle(event.created_at);
            let is_next = self.taken > 0 && self.previous_at.is_some_and(|previous| segment::may_begin_with(event, previous));
            self.ends_clean = is_next && self.nothing_goes_on();
            if self.ends_clean || event.created_at >= until {
                return n;
            }
            self.event(event, &events[n + 1..], facts, definition);
            self.taken += 1;
        }
        events.len()
    }

    /// What the next segment knows of this one and all before it; `None` where something goes on.
    pub fn entry_at_end(&self, next_at: Timestamp) -> Option<Entry> {
        let arrived_last = self.arrived_last.filter(|arrived| next_at.since(*arrived) <= ARRIVAL_ECHO_US);
        let Self { previous_at, anchor_at, .. } = *self;
        self.ends_clean.then_some(Entry { previous_at, arrived_last, trusted: self.trail.last, anchor_at })
    }

    pub fn nothing_goes_on(&self) -> bool {
        let is_anything_open = self.open_shift.is_some() || !self.open_episodes.is_empty();
        let lies_over = self.emergency.is_some() || self.on_break.is_some();
        !is_anything_open && !lies_over && self.travel.is_none() && self.travel_end.is_none()
    }

    fn event(&mut self, e: &ActivityFact, later: &[ActivityFact], facts: Facts<'_>, definition: &Definition) {
        let fresh = self.previous_at.is_none_or(|previous| e.created_at.since(previous) >= SILENCE_US);
        if fresh || e.activity_type == Type::ShiftEnd {
            self.anchor_at = e.created_at;
        }
        let visit = named_visit(e);
        let episode_before = visit.and_then(|v| self.open_episode(Some(v)));
        let shift_before = self.open_shift;

        let state_codes = self.apply(e, later, facts);

        let shift = if e.activity_type == Type::ShiftEnd { shift_before } else { self.open_shift };
        let place = self.trail.step(e, shift.is_some(), facts.visit_plans, definition);
        let codes = e.anomalies.union(state_codes).union(place.codes);
        if let Some(shift) = shift {
            self.note_in_shift(shift, e, codes, place.distance_meters);
        }
        if let Some(visit) = visit {
            let episode = self.open_episode(Some(visit)).or(episode_before);
            let episode = episode.unwrap_or_else(|| self.new_episode(Some(visit), e, true));
            self.note_in_episode(episode, e, codes, shift);
        }
        self.previous_at = Some(e.created_at);
        self.last = Some(Last { id: e.id, at: e.created_at, activity_type: e.activity_type, imported: e.imported });
        self.last_visit = e.visit_id;
    }

    pub fn column(&self) -> Column {
        if self.emergency.is_some() {
            return Column::Emergency;
        }
        if self.on_break.is_some() {
            return Column::Break;
        }
        if self.travel.is_some() {
            return Column::Travel;
        }
        let states = self.open_episodes.iter().filter_map(|i| self.episodes[*i].attendance.as_ref());
        let highest = states.filter(|a| a.present).map(|a| a.state).min_by_key(|state| match state {
            SiteState::Work => 0,
            SiteState::Pause => 1,
            SiteState::Site => 2,
            SiteState::Done => 3,
        });
        match highest {
            Some(SiteState::Work) => Column::Work,
            Some(SiteState::Pause) => Column::Pause,
            Some(SiteState::Site) => Column::Site,
            Some(SiteState::Done) => Column::Done,
            None if self.open_shift.is_some() => Column::Idle,
            None => Column::Off,
        }
    }

    pub fn open_episode(&self, visit: Option<VisitId>) -> Option<usize> {
        self.open_episodes.iter().copied().find(|i| self.episodes[*i].visit == visit)
    }

    pub fn attendance(&self, visit: Option<VisitId>) -> Option<&Attendance> {
        self.open_episode(visit).and_then(|i| self.episodes[i].attendance.as_ref())
    }

    /// Whether a unit that begins with the event at `at` may be cut by something before the 72 h that are known (A29).
    pub fn depends_on_context(&self, at: Timestamp) -> bool {
        at.since(self.anchor_at) > CONTEXT_US
    }

    /// Breaks and emergencies, which lie over everything else; one at a time, so in order.
    pub fn overlays(&self) -> Vec<Stretch> {
        self.stretches.iter().filter(|s| matches!(s.kind, Kind::Break | Kind::Emergency)).copied().collect()
    }

    pub fn emit(&mut self, stretch: Stretch) {
        let shift = self.open_shift.map(|s| s as u32);
        self.stretches.push(Stretch { shift, ..stretch });
    }

    pub fn emit_for(&mut self, episode: usize, stretch: Stretch) {
        self.emit(Stretch { episode: Some(episode as u32), ..stretch });
    }
}

/// The visit that an event belongs to; shift_start and shift_end belong to none whatever they carry.
fn named_visit(e: &ActivityFact) -> Option<VisitId> {
    e.visit_id.filter(|_| !matches!(e.activity_type, Type::ShiftStart | Type::ShiftEnd))
}

pub(super) fn part_kind(state: SiteState) -> Kind {
    match state {
        SiteState::Site => Kind::SiteWait,
        SiteState::Work => Kind::Work,
        SiteState::Pause => Kind::Pause,
        SiteState::Done => Kind::SiteWrap,
    }
}

/// Days since 1970-01-01 on a clock `utc_offset_minutes` east of UTC.
pub(super) fn local_date(at: Timestamp, utc_offset_minutes: i16) -> i32 {
    (at.0 + i64::from(utc_offset_minutes) * MINUTE_US).div_euclid(DAY_US) as i32
}

/// The code where `condition` holds.
pub(super) fn code_if(condition: bool, code: Anomaly) -> Anomalies {
    if condition { Anomalies::of(code) } else { Anomalies::NONE }
}
