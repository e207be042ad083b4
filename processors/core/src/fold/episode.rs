//! From an episode's draft and stretches to its row.

use super::Due;
use super::draft::EpisodeDraft;
use super::segment::Derivation;
use super::shift::{is_implausible_travel, is_implausible_work};
use super::span::SpanSet;
use super::stretch::{Kind, Stretch};
use super::walk::Walk;
use crate::definition::Definition;
use fieldline_schemas::ids::{TechnicianId, VisitId};
use fieldline_schemas::results::{EpisodeResult, Measure, Quality};
use fieldline_schemas::{Anomaly, Timestamp};

/// Adds the rows of the episodes that `may_differ`.
pub(super) fn results(
    walked: &Walk,
    overlays: &[Stretch],
    by: &Derivation<'_>,
    due: &mut Due,
    may_differ: impl Fn(usize) -> bool,
    rows: &mut Vec<EpisodeResult>,
) {
    let Derivation { facts, definition, .. } = *by;
    let technician = facts.technician_contact_id;
    let is_wanted = |s: &&Stretch| s.episode.is_some_and(|episode| may_differ(episode as usize));
    let mut stretches: Vec<&Stretch> = walked.stretches.iter().filter(is_wanted).collect();
    stretches.sort_by_key(|s| s.episode);
    let mut rest = &stretches[..];
    for (index, episode) in walked.episodes.iter().enumerate() {
        let Some(visit) = episode.visit else { continue };
        if !may_differ(index) {
            due.finality(settles_at(walked, episode), definition);
            continue;
        }
        let from = rest.partition_point(|s| s.episode < Some(index as u32));
        let (own, later) = rest[from..].split_at(rest[from..].partition_point(|s| s.episode == Some(index as u32)));
        rows.push(row(walked, episode, visit, own, overlays, technician, definition, due));
        rest = later;
    }
}

/// The last event, and the close of the last shift that holds one: shifts close one after another.
fn settles_at(walked: &Walk, episode: &EpisodeDraft) -> Timestamp {
    let closed_at = episode.shifts.map(|(_, last)| walked.shifts[last as usize].closed_at);
    closed_at.map_or(episode.last_event_at, |closed_at| closed_at.max(episode.last_event_at))
}

#[expect(clippy::too_many_arguments, reason = "the parts of one row, named; a struct for them would be used once")]
fn row(
    walked: &Walk,
    episode: &EpisodeDraft,
    visit: VisitId,
    own: &[&Stretch],
    overlays: &[Stretch],
    technician: TechnicianId,
    definition: &Definition,
    due: &mut Due,
) -> EpisodeResult {
    let settles_at = settles_at(walked, episode);
    let gross = |kind: Kind, has: bool| if has { sum(own.iter().filter(|s| s.kind == kind).map(|s| gross(s))) } else { Measure::UNKNOWN };
    let net = |has: bool| {
        if has { sum(own.iter().filter(|s| s.kind == Kind::Work).map(|s| net_of_overlays(s, overlays))) } else { Measure::UNKNOWN }
    };
    let implausible = own.iter().any(|s| match s.kind {
        Kind::VisitTravel => is_implausible_travel(s),
        Kind::Work => is_implausible_work(s, overlays),
        _ => false,
    });
    let mut anomalies = episode.codes;
    if implausible {
        anomalies.insert(Anomaly::A28);
    }
    if episode.depends_on_context {
        anomalies.insert(Anomaly::A29);
    }
    let has = episode.has_attendance;
    EpisodeResult {
        technician_contact_id: technician,
        visit_id: visit,
        first_event_id: episode.first_event_id,
        first_event_at: episode.first_event_at,
        last_event_at: episode.last_event_at,
        settles_at,
        is_loose: episode.is_loose,
        has_visit_event: episode.has_visit_event,
        has_travel: episode.has_travel,
        has_attendance: has,
        first_in_shift_at: episode.first_in_shift_at,
        shift_id: episode.shifts.map(|(first, _)| walked.shifts[first as usize].id),
        travel_started_at: episode.travel_started_at,
        arrived_at: episode.arrived_at,
        left_at: episode.left_at,
        completed_at: episode.completed_at,
        travel: gross(Kind::VisitTravel, episode.has_travel),
        on_site: gross(Kind::OnSite, has),
        site_wait: gross(Kind::SiteWait, has),
        work: net(has),
        pause: gross(Kind::Pause, has),
        wrap: gross(Kind::SiteWrap, has),
        anomalies,
        finality: due.finality(settles_at, definition),
    }
}

/// What one stretch contributes.
pub(super) struct Part {
    pub lo_us: i64,
    pub hi_us: i64,
    pub quality: Quality,
}

fn gross(stretch: &Stretch) -> Part {
    Part { lo_us: stretch.certain.length_us(), hi_us: stretch.possible.length_us(), quality: stretch.quality }
}

/// Work without the breaks and emergencies in it, which make it no better known than they are.
pub(super) fn net_of_overlays(work: &Stretch, overlays: &[Stretch]) -> Part {
    let from = overlays.partition_point(|o| o.possible.to <= work.possible.from);
    let over = || overlays[from..].iter().take_while(|o| o.possible.from < work.possible.to).filter(|o| o.possible.overlaps(work.possible));
    if over().next().is_none() {
        return gross(work);
    }
    let (mut certain, mut possible) = (SpanSet::default(), SpanSet::default());
    over().for_each(|o| {
        certain.add(o.certain);
        possible.add(o.possible);
    });
    Part {
        lo_us: work.certain.length_without_us(&possible),
        hi_us: work.possible.length_without_us(&certain),
        quality: over().map(|o| o.quality).fold(work.quality, Ord::max),
    }
}

fn sum(parts: impl Iterator<Item = Part>) -> Measure {
    let none = Part { lo_us: 0, hi_us: 0, quality: Quality::Observed };
    let all = parts.fold(none, |a, b| Part { lo_us: a.lo_us + b.lo_us, hi_us: a.hi_us + b.hi_us, quality: a.quality.max(b.quality) });
    let value_us = (all.quality == Quality::Observed).then_some(all.lo_us);
    Measure { value_us, lo_us: all.lo_us, hi_us: Some(all.hi_us), quality: all.quality }
}
