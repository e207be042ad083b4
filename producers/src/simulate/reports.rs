//! From what happened to what the broker gets: the device's clock, the network, and everything that goes wrong with
//! single reports.

use super::config::SimulatorConfig;
use super::draft::{Draft, Kind, Twist};
use super::faults::{FaultCounts, FaultKind};
use super::random::Random;
use fieldline_schemas::events::ActivityType as A;
use fieldline_schemas::time::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};

/// What a hand slips to when it presses the wrong button.
const MISTAKABLE: [A; 6] = [A::WorkStarted, A::WorkPaused, A::WorkResumed, A::TravelEnd, A::BreakStart, A::LeftSite];

/// Turns the true events of a shift (in order) into reports, which are appended to `pending`.
pub(super) struct Reports<'a> {
    pub config: &'a SimulatorConfig,
    pub random: Random,
    pub counts: &'a mut FaultCounts,
    /// The technician's last event number, for taps that make a new one.
    pub events: &'a mut u32,
    pub pending: &'a mut Vec<Draft>,
}

impl Reports<'_> {
    pub fn send(mut self, drafts: &[Draft]) {
        let faults = self.config.faults.clone();
        let activities = drafts.iter().filter(|d| matches!(d.kind, Kind::Activity(_))).count();
        if activities == 0 {
            self.pending.extend_from_slice(drafts);
            return;
        }
        let skew_us = if self.random.chance(faults.clock_skew_per_shift) {
            self.counts.count(FaultKind::ClockSkew);
            self.random.between(3 * MINUTE_US, HOUR_US) * if self.random.chance(0.5) { 1 } else { -1 }
        } else {
            0
        };
        let offline = self.offline(drafts, faults.offline_burst_per_shift);
        let mut last_at = i64::MIN;
        let mut burst_at = offline.map_or(0, |(_, _, upload)| upload);
        for draft in drafts {
            let mut draft = *draft;
            let Kind::Activity(activity_type) = draft.kind else {
                self.pending.push(draft);
                continue;
            };
            draft.created_at += skew_us;
            if skew_us != 0 {
                draft.fault.get_or_insert(FaultKind::ClockSkew);
            }
            // What must reach the broker is not what may be lost on the way.
            let is_precious = activity_type == A::EmergencyStop;
            if !is_precious && self.hits(faults.missing_per_event, FaultKind::Missing) {
                continue;
            }
            match offline {
                Some((from, until, _)) if draft.at >= from && draft.at < until => {
                    burst_at += self.random.between(5_000, 60_000);
                    draft.at = burst_at;
                    draft.fault.get_or_insert(FaultKind::OfflineBurst);
                }
                _ => {
                    draft.at = (draft.at + self.random.between(150_000, 2_500_000)).max(last_at + 1_000);
                    last_at = draft.at;
                }
            }
            self.report(draft, activity_type, is_precious);
        }
    }

    /// A stretch of the shift without network and when it is uploaded.
    fn offline(&mut self, drafts: &[Draft], probability: f64) -> Option<(i64, i64, i64)> {
        if !self.random.chance(probability) {
            return None;
        }
        let first = drafts.iter().find(|d| matches!(d.kind, Kind::Activity(_)))?.at;
        let last = drafts.last()?.at;
        self.counts.count(FaultKind::OfflineBurst);
        let from = first + self.random.between(0, ((last - first) / 2).max(0));
        // One in four phones finds its network only the next day.
        let until = if self.random.chance(0.25) { i64::MAX } else { from + self.random.between(HOUR_US, 4 * HOUR_US) };
        let upload = if until == i64::MAX { last + self.random.between(HOUR_US, 20 * HOUR_US) } else { until };
        Some((from, until, upload))
    }

    fn hits(&mut self, probability: f64, kind: FaultKind) -> bool {
        let hit = self.random.chance(probability);
        if hit {
            self.counts.count(kind);
        }
        hit
    }

    /// One event with what follows from it: corrections, repetitions, delays.
    fn report(&mut self, mut draft: Draft, activity_type: A, is_precious: bool) {
        let faults = &self.config.faults;
        // One draw decides whether anything happens at all: most events are ordinary, and drawing is what costs.
        let any = [
            (faults.nameless_visit_per_event, FaultKind::NamelessVisit),
            (faults.bad_location_per_event, FaultKind::BadLocation),
            (faults.corrupt_per_event, FaultKind::Corrupt),
            (faults.created_ahead_per_event, FaultKind::CreatedAhead),
            (faults.late_per_event, FaultKind::Late),
            (faults.very_late_per_event, FaultKind::VeryLate),
            (faults.out_of_order_per_event, FaultKind::OutOfOrder),
            (faults.duplicate_per_event, FaultKind::Duplicate),
            (faults.changed_duplicate_per_event, FaultKind::ChangedDuplicate),
            (faults.double_tap_per_event, FaultKind::DoubleTap),
            (faults.amended_time_per_event, FaultKind::AmendedTime),
            (faults.amended_type_per_event, FaultKind::AmendedType),
            (faults.amended_visit_per_event, FaultKind::AmendedVisit),
            (faults.voided_per_event, FaultKind::Voided),
            (faults.restored_per_event, FaultKind::Restored),
        ];
        let mut draw = self.random.unit();
        let hit = any.into_iter().find_map(|(probability, kind)| {
            draw -= probability;
            (draw < 0.0).then_some(kind)
        });
        let Some(kind) = hit else { return self.pending.push(draft) };
        let applies = match kind {
            FaultKind::NamelessVisit | FaultKind::AmendedVisit => draft.visit != 0,
            FaultKind::Corrupt | FaultKind::CreatedAhead | FaultKind::Late | FaultKind::VeryLate => !is_precious,
            FaultKind::AmendedType | FaultKind::Voided => !is_precious,
            _ => true,
        };
        if !applies {
            return self.pending.push(draft);
        }
        self.counts.count(kind);
        let marked = Draft { fault: Some(kind), ..draft };
        match kind {
            FaultKind::NamelessVisit => self.pending.push(Draft { visit: 0, ..marked }),
            FaultKind::BadLocation => {
                let twist = Twist::BadPlace(self.random.between(0, 3) as u16);
                self.pending.push(Draft { twist, ..marked });
            }
            FaultKind::Corrupt => {
                let twist = Twist::Corrupt(self.random.between(0, i64::from(u16::MAX)) as u16);
                self.pending.push(Draft { twist, ..marked });
            }
            FaultKind::CreatedAhead => {
                let created_at = draft.at + DAY_US + self.random.between(HOUR_US, 400 * DAY_US);
                self.pending.push(Draft { created_at, ..marked });
            }
            FaultKind::Late | FaultKind::VeryLate | FaultKind::OutOfOrder => {
                let delay_us = match kind {
                    FaultKind::Late => self.random.span_us(5_400.0, 1.0),
                    FaultKind::VeryLate => self.random.between(3 * DAY_US, 9 * DAY_US),
                    _ => self.random.between(5 * SECOND_US, 600 * SECOND_US),
                };
                self.pending.push(Draft { at: draft.at + delay_us, ..marked });
            }
            FaultKind::Duplicate | FaultKind::ChangedDuplicate => {
                self.pending.push(draft);
                let twist = if kind == FaultKind::Duplicate { Twist::None } else { Twist::Changed };
                let at = draft.at + self.random.span_us(20.0, 1.5);
                self.pending.push(Draft { at, twist, ..marked });
            }
            FaultKind::DoubleTap => {
                self.pending.push(draft);
                *self.events += 1;
                let after_us = self.random.between(SECOND_US / 2, 20 * SECOND_US);
                let (at, created_at) = (draft.at + after_us, draft.created_at + after_us);
                self.pending.push(Draft { at, created_at, number: *self.events, ..marked });
            }
            _ => {
                draft.revision = 0;
                self.pending.push(draft);
                self.correct(marked, activity_type, kind);
            }
        }
    }

    /// Later revisions of a report.
    fn correct(&mut self, mut draft: Draft, activity_type: A, kind: FaultKind) {
        draft.at += self.random.span_us(3_600.0, 1.2);
        draft.revision = 1;
        match kind {
            FaultKind::AmendedTime => draft.created_at += self.random.between(-20 * MINUTE_US, 20 * MINUTE_US) / 1_000 * 1_000,
            FaultKind::AmendedType => {
                let other = self.random.pick(&MISTAKABLE).filter(|&a| a != activity_type).unwrap_or(A::TravelStart);
                draft.kind = Kind::Activity(if other == activity_type { A::WorkCompleted } else { other });
            }
            FaultKind::AmendedVisit => draft.visit = if draft.visit > 1 { draft.visit - 1 } else { draft.visit + 1 },
            _ => draft.voided = true,
        }
        self.pending.push(draft);
        if kind == FaultKind::Restored {
            let at = draft.at + self.random.span_us(1_800.0, 1.0);
            self.pending.push(Draft { at, revision: 2, voided: false, ..draft });
        }
    }
}
