//! What is computed of one technician: which facts are needed, which rows follow, and whether enough was read.
//!
//! ```text
//!            read                                                                 read
//!             │      context      │ 48 h │ span of the request │     72 h    │ 72 h │
//! time ───────┴───────────────────┴──────┴─────────────────────┴─────────────┴──────┴──►
//!                                  units that end here and later, and begin up to here: published
//! ```
//! Pure: rows and facts in, records out.

use super::log_rows::LogRow;
use fieldline_processors_core::definition::Definition;
use fieldline_processors_core::facts::{ActivityFact, Facts};
use fieldline_processors_core::fold::{Units, fold};
use fieldline_processors_core::partition::WholeLog;
use fieldline_schemas::ids::{EventId, TechnicianId};
use fieldline_schemas::limits::{TIMESTAMP_MAX, TIMESTAMP_MIN};
use fieldline_schemas::results::{Identity, Kpi, KpiRecord, Stamp};
use fieldline_schemas::time::{DAY_US, HOUR_US};
use fieldline_schemas::{Anomaly, Timestamp, Version};
use std::collections::BTreeSet;

/// A fact can touch a unit that ended this long before it (open stretches, the plan of a shift), and a unit's bounds lie
/// within this after its last event.
const TOUCH_US: i64 = 24 * HOUR_US;
/// Units that begin within this after the span are published too: their context holds it.
const AFTER_US: i64 = 72 * HOUR_US;
/// Facts that a unit's cuts depend on, back from its first event (72 h), and 12 h more: only then does the first fact that
/// was read not pass for the technician's first, which A29 would take for a fresh start.
const CONTEXT_US: i64 = 84 * HOUR_US;
/// Beyond this any place on Earth can be reached at 200 km/h, so that older positions judge nothing (A19).
const POSITIONS_US: i64 = 102 * HOUR_US;
/// Read before the span: a unit of 24 h that ended `TOUCH_US` before it, and what that depends on.
pub const READ_BEFORE_US: i64 = 2 * TOUCH_US + POSITIONS_US;
/// Read after it: a unit of 24 h that begins at the end of `AFTER_US`, its bounds, and the facts that may touch it.
pub const READ_AFTER_US: i64 = AFTER_US + 3 * TOUCH_US;
/// A span longer than this is read with everything at once: its context is little beside it.
const LONG_US: i64 = 300 * DAY_US;

/// How far around the span facts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    Near,
    Month,
    Year,
    Everything,
}

impl Reach {
    fn further(self) -> Self {
        match self {
            Self::Near => Self::Month,
            Self::Month => Self::Year,
            Self::Year | Self::Everything => Self::Everything,
        }
    }

    const fn extra_us(self) -> i64 {
        match self {
            Self::Near | Self::Everything => 0,
            Self::Month => 30 * DAY_US,
            Self::Year => 366 * DAY_US,
        }
    }
}

/// A span of event time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Span {
    pub const ALL: Self = Self { from: TIMESTAMP_MIN, to: TIMESTAMP_MAX };

    fn widen(&mut self, at: Timestamp) {
        self.from = self.from.min(at);
        self.to = self.to.max(at);
    }
    fn holds(self, other: Span) -> bool {
        self.from <= other.from && other.to <= self.to
    }
    fn has(self, at: Timestamp) -> bool {
        self.from <= at && at <= self.to
    }
}

/// A row that is published now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    pub identity: Identity,
    pub version: Version,
    pub begins_at: Timestamp,
    /// Where its shift is closed; of an episode its last event or where it settles.
    pub ends_at: Timestamp,
    /// It carries A29.
    pub leans_on_context: bool,
}

/// What a computation is stamped with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Of `activity`, and the offset through which the rows are true.
    pub partition: i32,
    pub offset: i64,
    pub version: Version,
    /// The partition's clock there.
    pub clock: Timestamp,
    pub caused_by: Option<EventId>,
}

/// A technician whose past is computed again.
#[derive(Clone, Debug)]
pub struct Job {
    pub technician_contact_id: TechnicianId,
    pub truth: Truth,
    span: Span,
    /// Sorted. Every revision of these widens the span.
    event_ids: Vec<EventId>,
    reach: Reach,
}

/// What came of a job.
#[derive(Debug, PartialEq)]
pub enum Conclusion {
    Publish(Vec<KpiRecord>),
    /// More must be read; the job knows how much.
    ReadMore,
}

/// What a unit, or a published row, tells about where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    begins_at: Timestamp,
    /// `false` sorts first: of two that begin together the one that leans on context decides.
    stands_alone: bool,
    ends_at: Timestamp,
}

impl Job {
    pub fn new(technician_contact_id: TechnicianId, truth: Truth, span: Span, mut event_ids: Vec<EventId>) -> Self {
        event_ids.sort_unstable();
        event_ids.dedup();
        let mut job = Self { technician_contact_id, truth, span, event_ids, reach: Reach::Near };
        job.settle_reach();
        job
    }

    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// The facts that must be read.
    pub fn window(&self) -> Span {
        match self.reach {
            Reach::Everything => Span::ALL,
            reach => Span {
                from: (self.span.from - READ_BEFORE_US - reach.extra_us()).max(TIMESTAMP_MIN),
                to: (self.span.to + READ_AFTER_US + reach.extra_us()).min(TIMESTAMP_MAX),
            },
        }
    }

    fn settle_reach(&mut self) {
        if self.span.to.since(self.span.from) > LONG_US {
            self.reach = Reach::Everything;
        }
    }

    /// Draws the conclusion from the rows of the window and every other revision of their ids, and from what is
    /// published there.
    pub fn conclude(&mut self, rows: &mut Vec<LogRow>, published: &[Published], definition: &Definition) -> Conclusion {
        let Truth { partition, offset, .. } = self.truth;
        rows.retain(|row| row.partition == partition && row.offset <= offset);
        rows.sort_unstable_by_key(|row| row.offset);
        let window = self.window();
        rows.iter().filter(|row| self.event_ids.binary_search(&row.id).is_ok()).for_each(|row| self.span.widen(row.own));
        self.settle_reach();
        if !window.holds(self.window()) {
            return Conclusion::ReadMore;
        }

        let mut log = WholeLog::default();
        for row in rows.iter() {
            log.insert(&row.input);
        }
        let facts = log.facts(self.technician_contact_id);
        // A revision may have moved an event out of the window, where its neighbours are not known.
        let activities: Vec<ActivityFact> = facts.activities.iter().filter(|fact| window.has(fact.created_at)).copied().collect();
        let units = fold(Facts { activities: &activities, ..facts }, self.truth.clock, definition);

        let derived = places(&units);
        let standing = published.iter().map(Published::place);
        let region = self.region(derived.iter().copied().chain(standing));
        let in_region = |place: &Place| place.begins_at <= region.to && place.ends_at >= region.from;
        let is_known_well = |place: &Place| place.begins_at - CONTEXT_US >= window.from && place.ends_at + TOUCH_US <= window.to;
        if self.reach != Reach::Everything {
            let derived_well = derived.iter().filter(|p| in_region(p)).all(|p| is_known_well(p) && p.stands_alone);
            if !derived_well || !published.iter().map(Published::place).filter(in_region).all(|p| is_known_well(&p)) {
                self.reach = self.reach.further();
                return Conclusion::ReadMore;
            }
        }
        let gone = self.gone(&units, published.iter().filter(|row| in_region(&row.place())));
        let kpis = units.shifts.into_iter().map(|shift| Kpi::Shift(Box::new(shift)));
        let kpis = kpis.chain(units.episodes.into_iter().map(|episode| Kpi::Episode(Box::new(episode))));
        let touched = kpis.zip(&derived).filter(|(_, place)| in_region(place)).map(|(kpi, _)| kpi);
        let stamp = Stamp { version: self.truth.version, as_of: self.truth.clock, caused_by: self.truth.caused_by };
        Conclusion::Publish(touched.chain(gone.into_iter().map(Kpi::Tombstone)).map(|kpi| KpiRecord { stamp, kpi }).collect())
    }

    /// The span, as far as it reaches: 72 h on, and further while units lean on what was before them.
    fn region(&self, places: impl Iterator<Item = Place>) -> Span {
        let mut region = Span { from: self.span.from, to: self.span.to + AFTER_US };
        let mut places: Vec<Place> = places.filter(|place| place.begins_at > region.to).collect();
        places.sort_unstable();
        for place in places {
            if place.begins_at > region.to {
                if place.stands_alone {
                    break;
                }
                region.to = place.begins_at;
            }
        }
        region
    }

    /// Published identities that do not follow any more. A later version is not ours to withdraw.
    fn gone<'a>(&self, units: &Units, published: impl Iterator<Item = &'a Published>) -> Vec<Identity> {
        let shifts = units.shifts.iter().map(shift_identity);
        let derived: BTreeSet<Identity> = shifts.chain(units.episodes.iter().map(episode_identity)).collect();
        let gone = published.filter(|row| row.version < self.truth.version && !derived.contains(&row.identity));
        gone.map(|row| row.identity).collect()
    }
}

impl Published {
    fn place(&self) -> Place {
        Place { begins_at: self.begins_at, stands_alone: !self.leans_on_context, ends_at: self.ends_at + TOUCH_US }
    }
}

pub fn shift_identity(shift: &fieldline_schemas::results::ShiftResult) -> Identity {
    Identity::Shift { technician_contact_id: shift.technician_contact_id, shift_id: shift.shift_id }
}

pub fn episode_identity(episode: &fieldline_schemas::results::EpisodeResult) -> Identity {
    let fieldline_schemas::results::EpisodeResult { technician_contact_id, visit_id, first_event_id, .. } = *episode;
    Identity::Episode { technician_contact_id, visit_id, first_event_id }
}

/// Where each unit lies: shifts, then episodes.
fn places(units: &Units) -> Vec<Place> {
    let shifts = units.shifts.iter().map(|shift| (shift.started_at, shift.closed_at, shift.anomalies));
    let episodes = units.episodes.iter().map(|e| (e.first_event_at, e.last_event_at.max(e.settles_at), e.anomalies));
    let place = |(begins_at, ends_at, anomalies): (Timestamp, Timestamp, fieldline_schemas::Anomalies)| Place {
        begins_at,
        stands_alone: !anomalies.contains(Anomaly::A29),
        ends_at: ends_at + TOUCH_US,
    };
    shifts.chain(episodes).map(place).collect()
}
