//! `episode_results` and `episode_results_history`: one row per published revision of an episode of a visit, or of a
//! loose event of it, tombstones included.

use crate::common::{Codes, MeasureColumns, push_codes};
use crate::native::{Bool, FinalityCode, Instant, Nullable, Plain, Rows, Uuid, columns};
use crate::shifts::StampColumns;
use fieldline_schemas::Timestamp;
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::results::{EpisodeResult, Finality, Measure, Stamp};

columns! {
    pub struct EpisodeColumns {
        technician_contact_id: Plain<Uuid>,
        visit_id: Plain<Uuid>,
        first_event_id: Plain<Uuid>,
        stamp: StampColumns,
        first_event_at: Plain<Instant>,
        last_event_at: Plain<Instant>,
        settles_at: Plain<Instant>,
        is_loose: Plain<Bool>,
        has_visit_event: Plain<Bool>,
        has_travel: Plain<Bool>,
        has_attendance: Plain<Bool>,
        first_in_shift_at: Nullable<Instant>,
        shift_id: Nullable<Uuid>,
        travel_started_at: Nullable<Instant>,
        arrived_at: Nullable<Instant>,
        left_at: Nullable<Instant>,
        completed_at: Nullable<Instant>,
        travel_seconds: MeasureColumns,
        on_site_seconds: MeasureColumns,
        site_wait_seconds: MeasureColumns,
        work_seconds: MeasureColumns,
        pause_seconds: MeasureColumns,
        wrap_seconds: MeasureColumns,
        anomalies: Codes,
        finality: Plain<FinalityCode>,
    }
}

pub type EpisodeRows = Rows<EpisodeColumns>;

impl EpisodeRows {
    /// `published_at` is the append time of the record on `kpis`.
    pub fn push(&mut self, stamp: &Stamp, published_at: Timestamp, episode: &EpisodeResult) {
        self.push_row(stamp, published_at, episode, false);
    }

    /// An identity that is no longer derived: its row stays, so that an older one that comes later cannot win.
    pub fn push_tombstone(
        &mut self,
        stamp: &Stamp,
        published_at: Timestamp,
        technician: TechnicianId,
        visit: VisitId,
        first_event: EventId,
    ) {
        let nothing = EpisodeResult {
            technician_contact_id: technician,
            visit_id: visit,
            first_event_id: first_event,
            first_event_at: Timestamp(0),
            last_event_at: Timestamp(0),
            settles_at: Timestamp(0),
            is_loose: false,
            has_visit_event: false,
            has_travel: false,
            has_attendance: false,
            first_in_shift_at: None,
            shift_id: None,
            travel_started_at: None,
            arrived_at: None,
            left_at: None,
            completed_at: None,
            travel: Measure::UNKNOWN,
            on_site: Measure::UNKNOWN,
            site_wait: Measure::UNKNOWN,
            work: Measure::UNKNOWN,
            pause: Measure::UNKNOWN,
            wrap: Measure::UNKNOWN,
            anomalies: Default::default(),
            finality: Finality::Provisional,
        };
        self.push_row(stamp, published_at, &nothing, true);
    }

    fn push_row(&mut self, stamp: &Stamp, published_at: Timestamp, episode: &EpisodeResult, is_deleted: bool) {
        let columns = &mut self.columns;
        columns.technician_contact_id.push(*episode.technician_contact_id.as_bytes());
        columns.visit_id.push(*episode.visit_id.as_bytes());
        columns.first_event_id.push(*episode.first_event_id.as_bytes());
        columns.stamp.push(stamp, is_deleted, published_at);
        columns.first_event_at.push(episode.first_event_at.0);
        columns.last_event_at.push(episode.last_event_at.0);
        columns.settles_at.push(episode.settles_at.0);
        columns.is_loose.push(episode.is_loose);
        columns.has_visit_event.push(episode.has_visit_event);
        columns.has_travel.push(episode.has_travel);
        columns.has_attendance.push(episode.has_attendance);
        columns.first_in_shift_at.push(episode.first_in_shift_at.map(|t| t.0));
        columns.shift_id.push(episode.shift_id.map(|id| *id.as_bytes()));
        columns.travel_started_at.push(episode.travel_started_at.map(|t| t.0));
        columns.arrived_at.push(episode.arrived_at.map(|t| t.0));
        columns.left_at.push(episode.left_at.map(|t| t.0));
        columns.completed_at.push(episode.completed_at.map(|t| t.0));
        columns.travel_seconds.push(&episode.travel);
        columns.on_site_seconds.push(&episode.on_site);
        columns.site_wait_seconds.push(&episode.site_wait);
        columns.work_seconds.push(&episode.work);
        columns.pause_seconds.push(&episode.pause);
        columns.wrap_seconds.push(&episode.wrap);
        push_codes(&mut columns.anomalies, episode.anomalies);
        columns.finality.push(episode.finality as u8);
        self.rows += 1;
    }
}
