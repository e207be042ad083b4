//! One walk through a technician's events: the codes of each, the shifts, and every stretch.

use crate::order::is_site_type;
use crate::stretch::{Interval, Kind, Stretch};
use fieldline_processors_core::definition::{Definition, NEW_SHIFT_US, UNIT_US};
use fieldline_processors_core::facts::{ActivityFact, Facts, Position};
use fieldline_schemas::Anomaly::{self, *};
use fieldline_schemas::events::{ActivityType::*, EventCategory, Severity};
use fieldline_schemas::ids::VisitId;
use fieldline_schemas::results::Quality::{self, *};
use fieldline_schemas::time::{MINUTE_US, SECOND_US};
use fieldline_schemas::{Anomalies, Timestamp};
use std::collections::BTreeMap;

/// A column of the state table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    Off,
    Idle,
    Done,
    Site,
    Pause,
    Work,
    Travel,
    Break,
    Emergency,
}

/// A shift: its events are `first..=last`.
#[derive(Clone, Debug)]
pub struct Shift {
    pub first: usize,
    pub last: usize,
    pub started: i64,
    /// Of its shift_end.
    pub ended: Option<i64>,
    /// Where it ends, or is closed without an end.
    pub closed: i64,
    /// A later shift_start closed it.
    pub superseded: bool,
}

/// One attendance, in the order in which they began.
#[derive(Clone, Copy, Debug)]
pub struct Attendance {
    pub visit: Option<VisitId>,
    pub left: Option<i64>,
}

#[derive(Default)]
pub struct Walked {
    /// Codes of each event.
    pub codes: Vec<Anomalies>,
    /// Metres from the last trusted position, for each event at a trusted position; `None` elsewhere.
    pub trusted: Vec<Option<Position>>,
    pub shifts: Vec<Shift>,
    pub stretches: Vec<Stretch>,
    pub attendances: Vec<Attendance>,
}

/// Something that goes on until something ends it.
#[derive(Clone, Copy, Debug)]
struct Going {
    from: i64,
    /// Before `from` where the arrival is imputed.
    possible_from: i64,
    last_own: i64,
    /// The first travel_start, or arrival at another visit, after the last own event.
    moved_on: Option<i64>,
}

impl Going {
    fn begin(at: i64) -> Self {
        Self { from: at, possible_from: at, last_own: at, moved_on: None }
    }
    fn own_event(&mut self, at: i64) {
        self.last_own = at;
        self.moved_on = None;
    }
    fn move_on(&mut self, at: i64) {
        self.moved_on.get_or_insert(at);
    }
    /// Where an open end is, when `ended` ended it.
    fn open_end(&self, ended: i64) -> i64 {
        ended.min(self.moved_on.unwrap_or(i64::MAX)).min(self.last_own + UNIT_US)
    }
    /// The stretch with an end of quality `end`: both ends real, the end imputed at `ended`, or open.
    fn stretch(&self, kind: Kind, visit: Option<VisitId>, ended: i64, end: Quality) -> Stretch {
        let possible_to = if end == Open { self.open_end(ended) } else { ended };
        let certain_to = if end == Observed { ended } else { self.last_own };
        let start = if self.possible_from < self.from { Imputed } else { Observed };
        Stretch { kind, visit, certain: (self.from, certain_to), possible: (self.possible_from, possible_to), quality: start.max(end) }
    }
}

/// The technician's travel.
#[derive(Clone, Copy, Debug)]
struct Travelling {
    to: Option<VisitId>,
    going: Going,
}

/// An open attendance.
#[derive(Clone, Copy, Debug)]
struct Attending {
    number: usize,
    going: Going,
    imputed: bool,
    state: Column,
    /// Where the present part (wait, work, pause, wrap) began.
    part_from: i64,
    /// The technician is there, for the technician's column.
    there: bool,
}

/// A visit's own travel.
#[derive(Clone, Copy, Debug)]
struct VisitTravel {
    going: Going,
    /// The technician started travelling to, or arrived at, another named visit since its last travel_start.
    rerouted: Option<i64>,
}

/// How everything that goes on is ended at once.
#[derive(Clone, Copy, PartialEq)]
enum EndOfAll {
    ShiftEnd,
    Close,
}

struct Walk<'a> {
    facts: &'a Facts<'a>,
    open_shift: Option<Shift>,
    emergency: Option<(Going, fieldline_schemas::ids::EventId)>,
    on_break: Option<Going>,
    travelling: Option<Travelling>,
    attending: BTreeMap<Option<VisitId>, Attending>,
    visit_travels: BTreeMap<VisitId, VisitTravel>,
    /// When and for which visit the last travel_end was, since the last arrived_on_site, travel_start or shift end.
    last_travel_end: Option<(i64, Option<VisitId>)>,
    last_arrived: Option<i64>,
    last_trusted: Option<(i64, Position)>,
    out: Walked,
}

pub fn walk(events: &[ActivityFact], facts: &Facts<'_>, definition: &Definition) -> Walked {
    let mut walk = Walk {
        facts,
        open_shift: None,
        emergency: None,
        on_break: None,
        travelling: None,
        attending: BTreeMap::new(),
        visit_travels: BTreeMap::new(),
        last_travel_end: None,
        last_arrived: None,
        last_trusted: None,
        out: Walked::default(),
    };
    for index in 0..events.len() {
        walk.time_passes(events[index].created_at.0);
        let codes = walk.event(events, index);
        walk.out.codes.push(codes.union(events[index].anomalies));
        walk.position(&events[index], definition);
        if let Some(shift) = &mut walk.open_shift {
            shift.last = index;
        }
    }
    walk.time_passes(i64::MAX);
    walk.out.shifts.sort_by_key(|s| s.first);
    walk.out
}

impl Walk<'_> {
    fn column(&self) -> Column {
        if self.emergency.is_some() {
            Column::Emergency
        } else if self.on_break.is_some() {
            Column::Break
        } else if self.travelling.is_some() {
            Column::Travel
        } else {
            let off = if self.open_shift.is_some() { Column::Idle } else { Column::Off };
            self.attending.values().filter(|a| a.there).map(|a| a.state).max().unwrap_or(off)
        }
    }

    fn put(&mut self, stretch: Stretch) {
        self.out.stretches.push(stretch);
    }

    /// Everything that falls due before `now`, in order: clearances (at `now` too), the 24 h limits, the shift's close.
    fn time_passes(&mut self, now: i64) {
        loop {
            let clearance = self.clearance().filter(|at| *at <= now);
            let close = self.open_shift.as_ref().map(|s| s.started + UNIT_US).filter(|at| *at < now);
            let expiry = self.goings().map(|g| g.last_own + UNIT_US).filter(|at| *at < now).min();
            let due = [clearance, expiry, close].into_iter().flatten().min();
            let Some(due) = due else { return };
            if clearance == Some(due) {
                self.end_emergency(due.max(self.emergency.map_or(due, |(g, _)| g.from)), Observed);
            } else if expiry == Some(due) {
                self.expire(due);
            } else {
                self.close_shift(due, false);
            }
        }
    }

    fn goings(&self) -> impl Iterator<Item = &Going> {
        let technician = self.emergency.iter().map(|e| &e.0).chain(&self.on_break).chain(self.travelling.iter().map(|t| &t.going));
        technician.chain(self.attending.values().map(|a| &a.going)).chain(self.visit_travels.values().map(|t| &t.going))
    }

    /// When the emergency that is going on is cleared.
    fn clearance(&self) -> Option<i64> {
        let (going, id) = self.emergency?;
        let resolution = self.facts.clearances.iter().filter(|c| c.emergency_id == id).map(|c| c.created_at.0).min();
        let signal = self
            .facts
            .signals
            .iter()
            .filter(|s| s.event_category == EventCategory::Security || s.severity == Severity::Critical)
            .filter_map(|s| s.resolved_at)
            .map(|at| at.0)
            .filter(|at| *at >= going.from)
            .min();
        [resolution.map(|at| at.max(going.from)), signal].into_iter().flatten().min()
    }

    /// Ends, open, what has had no own event for 24 h.
    fn expire(&mut self, at: i64) {
        let expired = |going: &Going| going.last_own + UNIT_US <= at;
        if self.emergency.is_some_and(|(g, _)| expired(&g)) {
            self.end_emergency(at, Open);
        }
        if self.on_break.is_some_and(|g| expired(&g)) {
            self.end_break(at, Open);
        }
        if self.travelling.is_some_and(|t| expired(&t.going)) {
            self.end_travelling(at, Open);
        }
        let visits: Vec<_> = self.attending.iter().filter(|(_, a)| expired(&a.going)).map(|(v, _)| *v).collect();
        visits.into_iter().for_each(|v| self.end_attendance_open(v, at));
        let visits: Vec<_> = self.visit_travels.iter().filter(|(_, t)| expired(&t.going)).map(|(v, _)| *v).collect();
        visits.into_iter().for_each(|v| self.end_visit_travel(v, at, Open));
    }

    /// Ends the shift without an end, and everything with it.
    fn close_shift(&mut self, at: i64, superseded: bool) {
        self.end_all(at, EndOfAll::Close);
        if let Some(shift) = self.open_shift.take() {
            self.out.shifts.push(Shift { closed: at, superseded, ..shift });
        }
    }

    fn end_all(&mut self, at: i64, how: EndOfAll) {
        let by_shift_end = how == EndOfAll::ShiftEnd;
        self.end_emergency(at, if by_shift_end { Observed } else { Open });
        self.end_break(at, if by_shift_end { Imputed } else { Open });
        self.end_travelling(at, Open);
        let visits: Vec<_> = self.attending.keys().copied().collect();
        for visit in visits {
            // A shift_end ends a pause, observed, unless the technician has left for another place since.
            let paused = self.attending.get(&visit).filter(|a| a.state == Column::Pause && a.going.moved_on.is_none()).copied();
            if let (true, Some(paused)) = (by_shift_end, paused) {
                self.attending.remove(&visit);
                self.put(observed(Kind::Pause, visit, (paused.part_from, at)));
                self.put_on_site(visit, &paused, at, Open);
            } else {
                self.end_attendance_open(visit, at);
            }
        }
        let visits: Vec<_> = self.visit_travels.keys().copied().collect();
        visits.into_iter().for_each(|v| self.end_visit_travel(v, at, Open));
        self.last_travel_end = None;
    }

    fn end_emergency(&mut self, at: i64, end: Quality) {
        if let Some((going, _)) = self.emergency.take() {
            self.put(going.stretch(Kind::Emergency, None, at, end));
        }
    }

    fn end_break(&mut self, at: i64, end: Quality) {
        if let Some(going) = self.on_break.take() {
            self.put(going.stretch(Kind::Break, None, at, end));
        }
    }

    fn end_travelling(&mut self, at: i64, end: Quality) {
        if let Some(travelling) = self.travelling.take() {
            self.put(travelling.going.stretch(Kind::Travel, None, at, end));
        }
    }

    fn end_visit_travel(&mut self, visit: VisitId, at: i64, end: Quality) {
        if let Some(travel) = self.visit_travels.remove(&visit) {
            self.put(travel.going.stretch(Kind::VisitTravel, Some(visit), at, end));
        }
    }

    fn put_on_site(&mut self, visit: Option<VisitId>, attending: &Attending, at: i64, end: Quality) {
        let mut stretch = attending.going.stretch(Kind::OnSite, visit, at, end);
        if attending.imputed {
            stretch.quality = stretch.quality.max(Imputed);
        }
        self.put(stretch);
    }

    /// Ends an attendance without a real end: its last part and the attendance itself are open.
    fn end_attendance_open(&mut self, visit: Option<VisitId>, at: i64) {
        let Some(attending) = self.attending.remove(&visit) else { return };
        let going = Going { from: attending.part_from, possible_from: attending.part_from, ..attending.going };
        self.put(going.stretch(part_kind(attending.state), visit, at, Open));
        self.put_on_site(visit, &attending, at, Open);
    }

    /// The attendance of `visit` goes over into `state` at one of its own events.
    fn change_part(&mut self, visit: Option<VisitId>, at: i64, state: Column) {
        let Some(attending) = self.attending.get_mut(&visit) else { return };
        let before = (attending.state, attending.part_from);
        attending.state = state;
        attending.part_from = at;
        if before.0 == Column::Site && state == Column::Done {
            // Completed without having started: how much of it was waiting and how much work, nobody knows.
            for kind in [Kind::SiteWait, Kind::Work] {
                self.put(Stretch { kind, visit, certain: (before.1, before.1), possible: (before.1, at), quality: Open });
            }
        } else {
            self.put(observed(part_kind(before.0), visit, (before.1, at)));
        }
    }

    /// The technician's first travel_start, or arrival at another visit, bounds everything without an end.
    fn moves_on(&mut self, to: Option<VisitId>, at: i64, is_arrival: bool) {
        for (visit, attending) in &mut self.attending {
            if !(is_arrival && *visit == to) {
                attending.going.move_on(at);
            }
        }
        for (visit, travel) in &mut self.visit_travels {
            if Some(*visit) != to {
                travel.going.move_on(at);
                if to.is_some() {
                    travel.rerouted.get_or_insert(at);
                }
            }
        }
    }

    /// An arrival, real or imputed, seen by everything but the attendance itself.
    fn arrives(&mut self, visit: Option<VisitId>, at: i64, end_of_travel: Quality) {
        if let Some(travelling) = self.travelling {
            // Work without arrival ends any travel, imputed; a real arrival elsewhere leaves it open.
            let reached = end_of_travel == Imputed || travelling.to.is_none() || travelling.to == visit;
            self.end_travelling(at, if reached { end_of_travel } else { Open });
        }
        if let Some(named) = visit {
            self.end_visit_travel(named, at, end_of_travel);
        }
        self.moves_on(visit, at, true);
    }

    /// Opens an attendance; `possible_from` is given where nobody sent the arrival.
    fn attend(&mut self, visit: Option<VisitId>, at: i64, possible_from: Option<i64>) {
        let number = self.out.attendances.len();
        self.out.attendances.push(Attendance { visit, left: None });
        let going = Going { possible_from: possible_from.unwrap_or(at), ..Going::begin(at) };
        let state = if possible_from.is_some() { Column::Work } else { Column::Site };
        if let Some(earliest) = possible_from {
            self.put(Stretch { kind: Kind::SiteWait, visit, certain: (at, at), possible: (earliest, at), quality: Imputed });
        }
        let attending = Attending { number, going, imputed: possible_from.is_some(), state, part_from: at, there: true };
        self.attending.insert(visit, attending);
    }

    /// Another visit where the technician is, in one of the states that `matches`.
    fn is_at_another(&self, visit: Option<VisitId>, matches: impl Fn(Column) -> bool) -> bool {
        self.attending.iter().any(|(other, a)| *other != visit && a.there && matches(a.state))
    }

    /// What the event says, what it changes, and its codes.
    fn event(&mut self, events: &[ActivityFact], index: usize) -> Anomalies {
        let event = &events[index];
        let at = event.created_at.0;
        let visit = event.visit_id;
        let column = self.column();
        let on_shift = self.open_shift.is_some();
        let mut codes = Anomalies::NONE;
        let mut say = |code: Anomaly| codes.insert(code);

        if visit.is_none() && is_site_type(event.activity_type) {
            say(A25);
        }
        match event.activity_type {
            TravelStart | ArrivedOnSite | WorkStarted | BreakStart | FuelStop if !on_shift => say(A04),
            VehicleInspection if !on_shift && !shift_start_follows(events, index) => say(A04),
            _ => {}
        }

        // In these two columns exactly the cell's code is given; then the event does what it does without them.
        let under = matches!(column, Column::Break | Column::Emergency);
        let closing_code = if column == Column::Emergency { A26 } else { A13i };
        let mut close_what_lies_over = |walk: &mut Self| {
            if under {
                say(closing_code);
                walk.end_emergency(at, Observed);
                walk.end_break(at, Imputed);
            }
        };

        match event.activity_type {
            ShiftStart => match self.open_shift.as_ref().map(|s| at - s.started) {
                Some(age_us) if age_us < NEW_SHIFT_US => say(A01),
                is_superseding => {
                    if is_superseding.is_some() {
                        self.close_shift(at, true);
                    } else if under {
                        // A shift_start is none of the ends that an emergency's duration names.
                        say(closing_code);
                        self.end_emergency(at, Open);
                        self.end_break(at, Imputed);
                    }
                    self.open_shift = Some(Shift { first: index, last: index, started: at, ended: None, closed: at, superseded: false });
                }
            },
            ShiftEnd => {
                match column {
                    _ if !on_shift => say(A03),
                    Column::Emergency => say(A26),
                    Column::Break => say(A13i),
                    Column::Work => say(A14e),
                    Column::Pause => say(A14i),
                    Column::Travel | Column::Site | Column::Done => say(A14),
                    Column::Idle | Column::Off => {}
                }
                self.end_all(at, EndOfAll::ShiftEnd);
                if let Some(shift) = self.open_shift.take() {
                    self.out.shifts.push(Shift { last: index, ended: Some(at), closed: at, ..shift });
                }
            }
            BreakStart => match (column, &mut self.on_break) {
                (Column::Break, Some(going)) => {
                    say(A16);
                    going.own_event(at);
                }
                _ => {
                    if column == Column::Emergency {
                        say(A26);
                        self.end_emergency(at, Observed);
                    }
                    self.on_break = Some(Going::begin(at));
                }
            },
            BreakEnd => {
                if column == Column::Break {
                    self.end_break(at, Observed);
                } else {
                    say(A13);
                }
            }
            TravelStart => {
                match column {
                    Column::Travel if self.travelling.is_some_and(|t| t.to == visit) => say(A16),
                    Column::Travel | Column::Pause | Column::Done => say(A05i),
                    Column::Site => say(A05),
                    Column::Work => say(A05w),
                    Column::Idle | Column::Off => {}
                    Column::Break | Column::Emergency => close_what_lies_over(self),
                }
                self.travel_start(visit, at);
                self.last_travel_end = None;
            }
            TravelEnd => {
                if column != Column::Travel {
                    let just_arrived = self.last_arrived.is_some_and(|arrived| at - arrived <= 5 * MINUTE_US);
                    say(if just_arrived { A06i } else { A06 });
                }
                let for_visit = visit.or(self.travelling.and_then(|t| t.to));
                self.end_travelling(at, Observed);
                if let Some(named) = for_visit {
                    self.end_visit_travel(named, at, Observed);
                }
                self.last_travel_end = Some((at, for_visit));
            }
            ArrivedOnSite => {
                let own = self.attending.contains_key(&visit);
                let elsewhere = self.travelling.is_some_and(|t| t.to.is_some() && visit.is_some() && t.to != visit);
                if under {
                    close_what_lies_over(self);
                } else if column != Column::Off {
                    if own {
                        say(A16);
                    }
                    if self.travelling.is_some() {
                        if elsewhere {
                            say(A07w);
                        }
                    } else if !own && self.is_at_another(visit, |_| true) {
                        say(A15);
                    } else if !own {
                        // Without its limit of 24 h a travel_end would reach past every other memory.
                        match self.last_travel_end.filter(|(ended, _)| at - ended <= UNIT_US) {
                            None => say(A07),
                            Some((_, Some(other))) if visit.is_some() && visit != Some(other) => say(A07w),
                            Some(_) => {}
                        }
                    }
                }
                self.arrives(visit, at, Observed);
                match self.attending.get_mut(&visit) {
                    Some(attending) => {
                        attending.going.own_event(at);
                        attending.there = true;
                    }
                    None => self.attend(visit, at, None),
                }
                self.last_arrived = Some(at);
                self.last_travel_end = None;
            }
            WorkStarted | WorkResumed => {
                let is_start = event.activity_type == WorkStarted;
                let own = self.attending.get(&visit).map(|a| a.state);
                if under {
                    close_what_lies_over(self);
                } else if let Some(state) = own {
                    match (state, is_start) {
                        (Column::Done, _) => say(A09i),
                        (Column::Work, _) | (Column::Pause, true) => say(A16),
                        _ => {}
                    }
                    if is_start && self.is_at_another(visit, |state| state == Column::Work) {
                        say(A15);
                    }
                } else if is_start {
                    if column != Column::Off {
                        say(A08);
                    }
                    if self.is_at_another(visit, |_| true) {
                        say(A15);
                    }
                } else {
                    say(A10);
                }
                if own.is_some() {
                    // The state taken is WORK, so the travel is over, wherever it went.
                    self.end_travelling(at, Open);
                }
                match own {
                    None => {
                        self.arrives(visit, at, Imputed);
                        let previous = index.checked_sub(1).map_or(i64::MIN, |i| events[i].created_at.0);
                        let shift_start = self.open_shift.as_ref().map_or(i64::MIN, |s| s.started);
                        self.attend(visit, at, Some(previous.max(shift_start).max(at - UNIT_US)));
                    }
                    Some(Column::Work) => self.own_event(visit, at),
                    Some(_) => {
                        self.change_part(visit, at, Column::Work);
                        self.own_event(visit, at);
                    }
                }
                if let Some(attending) = self.attending.get_mut(&visit) {
                    attending.there = true;
                }
            }
            WorkPaused => {
                let own = self.attending.get(&visit).map(|a| a.state);
                match column {
                    Column::Emergency => {
                        close_what_lies_over(self);
                        self.end_travelling(at, Open);
                    }
                    Column::Break => say(A10),
                    _ => match own {
                        Some(Column::Work) => {}
                        Some(Column::Pause) => say(A16),
                        _ => say(A10),
                    },
                }
                if own == Some(Column::Work) {
                    self.change_part(visit, at, Column::Pause);
                }
                self.own_event(visit, at);
            }
            WorkCompleted => {
                let own = self.attending.get(&visit).map(|a| a.state);
                if under {
                    close_what_lies_over(self);
                    self.end_travelling(at, Open);
                } else {
                    match own {
                        None | Some(Column::Site) => say(A09),
                        Some(Column::Done) => say(A16),
                        Some(_) => {}
                    }
                }
                if own.is_some_and(|state| state != Column::Done) {
                    self.change_part(visit, at, Column::Done);
                }
                self.own_event(visit, at);
            }
            LeftSite => {
                let own = self.attending.get(&visit).map(|a| a.state);
                if under {
                    close_what_lies_over(self);
                    self.end_travelling(at, Open);
                } else {
                    match own {
                        None => say(A11),
                        Some(Column::Work) => say(A12),
                        Some(_) => {}
                    }
                }
                self.left_site(visit, at);
            }
            VehicleInspection => {
                if column == Column::Travel {
                    say(A22i);
                }
            }
            FuelStop => {
                if matches!(column, Column::Site | Column::Work | Column::Pause | Column::Done) {
                    say(A22i);
                }
            }
            EmergencyStop => match &mut self.emergency {
                Some((going, _)) => going.own_event(at),
                None => {
                    self.end_break(at, Observed);
                    self.emergency = Some((Going::begin(at), event.id));
                }
            },
        }
        codes
    }

    fn own_event(&mut self, visit: Option<VisitId>, at: i64) {
        if let Some(attending) = self.attending.get_mut(&visit) {
            attending.going.own_event(at);
        }
    }

    fn travel_start(&mut self, visit: Option<VisitId>, at: i64) {
        match &mut self.travelling {
            Some(travelling) if travelling.to == visit => travelling.going.own_event(at),
            _ => {
                self.end_travelling(at, Open);
                self.travelling = Some(Travelling { to: visit, going: Going::begin(at) });
            }
        }
        // A travel_start of the same visit while attended ends the episode; one without visit only bounds.
        if visit.is_some() {
            self.end_attendance_open(visit, at);
        }
        self.attending.values_mut().for_each(|a| a.there = false);
        self.moves_on(visit, at, false);
        if let Some(named) = visit {
            if let Some(rerouted) = self.visit_travels.get(&named).and_then(|t| t.rerouted) {
                self.end_visit_travel(named, rerouted, Open);
            }
            let travel = self.visit_travels.entry(named).or_insert(VisitTravel { going: Going::begin(at), rerouted: None });
            travel.going.own_event(at);
        }
    }

    fn left_site(&mut self, visit: Option<VisitId>, at: i64) {
        if let Some(attending) = self.attending.remove(&visit) {
            self.out.attendances[attending.number].left = Some(at);
            let going = Going { from: attending.part_from, possible_from: attending.part_from, ..attending.going };
            let end = if attending.state == Column::Work { Imputed } else { Observed };
            self.put(going.stretch(part_kind(attending.state), visit, at, end));
            self.put_on_site(visit, &attending, at, Observed);
        } else if let Some(named) = visit {
            // Given up on the way.
            self.end_visit_travel(named, at, Open);
            if self.travelling.is_some_and(|t| t.to == visit) {
                self.end_travelling(at, Open);
            }
        }
    }

    /// Judges the position: impossible movement, and the geofence of an arrival.
    fn position(&mut self, event: &ActivityFact, definition: &Definition) {
        let index = self.out.trusted.len();
        let mut trusted = event.position;
        if let (Some(here), Some((when, there))) = (event.position, self.last_trusted) {
            let elapsed_seconds = (event.created_at.0 - when).max(SECOND_US) as f64 / SECOND_US as f64;
            if great_circle_meters(here, there) / elapsed_seconds > definition.speed_max_meters_per_second {
                self.out.codes[index].insert(A19);
                trusted = None;
            }
        }
        self.out.trusted.push(trusted);
        let Some(here) = trusted else { return };
        self.last_trusted = Some((event.created_at.0, here));
        let plan = self.facts.visit_plans.iter().filter(|p| Some(p.visit_id) == event.visit_id).min_by_key(|p| p.id);
        if let (ArrivedOnSite, Some(plan)) = (event.activity_type, plan)
            && let Some(place) = plan.position
        {
            let radius_meters = plan.geofence_radius_meters.unwrap_or(definition.geofence_radius_meters);
            if great_circle_meters(here, place) > radius_meters + f64::from(here.accuracy_meters) {
                self.out.codes[index].insert(A20);
            }
        }
    }
}

fn part_kind(state: Column) -> Kind {
    match state {
        Column::Site => Kind::SiteWait,
        Column::Pause => Kind::Pause,
        Column::Done => Kind::SiteWrap,
        _ => Kind::Work,
    }
}

fn observed(kind: Kind, visit: Option<VisitId>, interval: Interval) -> Stretch {
    Stretch { kind, visit, certain: interval, possible: interval, quality: Observed }
}

/// The shift_start that an inspection may precede by at most 30 minutes.
fn shift_start_follows(events: &[ActivityFact], index: usize) -> bool {
    let until: Timestamp = events[index].created_at + 30 * MINUTE_US;
    events[index + 1..].iter().any(|e| e.activity_type == ShiftStart && e.created_at <= until)
}

/// On a sphere of R = 6,371,000 m.
pub fn great_circle_meters(a: Position, b: Position) -> f64 {
    let (lat_a, lat_b) = (a.latitude.to_radians(), b.latitude.to_radians());
    let half_lat = (lat_b - lat_a) / 2.0;
    let half_lon = (b.longitude - a.longitude).to_radians() / 2.0;
    let h = half_lat.sin().powi(2) + lat_a.cos() * lat_b.cos() * half_lon.sin().powi(2);
    2.0 * 6_371_000.0 * h.sqrt().min(1.0).asin()
}
