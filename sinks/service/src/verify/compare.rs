//! Where two rows of one identity differ.

use fieldline_schemas::results::{EpisodeResult, Identity, Measure, ShiftDurations, ShiftResult};
use fieldline_schemas::{Anomalies, Anomaly};
use serde::Serialize;

/// A column whose two values differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    pub name: String,
    pub stored: String,
    pub computed: String,
}

/// A kind of result row.
pub trait ResultRow: PartialEq + Clone {
    fn identity(&self) -> Identity;
    fn anomalies(&self) -> Anomalies;
    /// The row without what looks back to the last trusted position, however old: A19, A20, the distance.
    fn without_positions(&self) -> Self;
    /// Every column by name, as text.
    fn columns(&self) -> Vec<(String, String)>;
}

/// The columns that differ.
pub fn differing<R: ResultRow>(stored: &R, computed: &R) -> Vec<Column> {
    let both = stored.columns().into_iter().zip(computed.columns());
    let differ = both.filter(|((_, stored), (_, computed))| stored != computed);
    differ.map(|((name, stored), (_, computed))| Column { name, stored, computed }).collect()
}

fn without_position_codes(codes: Anomalies) -> Anomalies {
    codes.iter().filter(|code| !matches!(code, Anomaly::A19 | Anomaly::A20)).collect()
}

/// Names columns while values are added.
#[derive(Default)]
struct Columns(Vec<(String, String)>);

impl Columns {
    fn put(&mut self, name: &str, value: impl std::fmt::Debug) {
        self.0.push((name.to_owned(), format!("{value:?}")));
    }

    fn measure(&mut self, name: &str, measure: &Measure) {
        let seconds = |us: i64| format!("{}{}.{:06}", if us < 0 { "-" } else { "" }, us.abs() / 1_000_000, us.abs() % 1_000_000);
        let optional = |us: Option<i64>| us.map_or_else(|| "NULL".to_owned(), seconds);
        self.0.push((format!("{name}_seconds"), optional(measure.value_us)));
        self.0.push((format!("{name}_seconds_lo"), seconds(measure.lo_us)));
        self.0.push((format!("{name}_seconds_hi"), optional(measure.hi_us)));
        self.0.push((format!("{name}_seconds_quality"), measure.quality.symbol().to_owned()));
    }

    fn durations(&mut self, d: &ShiftDurations) {
        let ShiftDurations { shift, travel, travel_net, work, pause, r#break, site_wait, site_wrap, on_site, emergency, stop, idle } = d;
        for (name, measure) in [
            ("shift", shift),
            ("travel", travel),
            ("travel_net", travel_net),
            ("work", work),
            ("pause", pause),
            ("break", r#break),
            ("site_wait", site_wait),
            ("site_wrap", site_wrap),
            ("on_site", on_site),
            ("emergency", emergency),
            ("stop", stop),
            ("idle", idle),
        ] {
            self.measure(name, measure);
        }
    }
}

impl ResultRow for ShiftResult {
    fn identity(&self) -> Identity {
        Identity::Shift { technician_contact_id: self.technician_contact_id, shift_id: self.shift_id }
    }

    fn anomalies(&self) -> Anomalies {
        self.anomalies
    }

    fn without_positions(&self) -> Self {
        let mut row = Self { distance_meters_lower_bound: 0.0, anomalies: without_position_codes(self.anomalies), ..self.clone() };
        row.days.iter_mut().for_each(|day| day.anomalies = without_position_codes(day.anomalies));
        row
    }

    fn columns(&self) -> Vec<(String, String)> {
        let Self {
            technician_contact_id: _,
            shift_id: _,
            shift_date,
            utc_offset_minutes,
            started_at,
            ended_at,
            closed_at,
            durations,
            visits,
            jobs,
            distance_meters_lower_bound,
            anomalies,
            finality,
            days,
        } = self;
        let mut columns = Columns::default();
        columns.put("shift_date", shift_date);
        columns.put("utc_offset_minutes", utc_offset_minutes);
        columns.put("started_at", started_at);
        columns.put("ended_at", ended_at);
        columns.put("closed_at", closed_at);
        columns.durations(durations);
        columns.put("visits", visits);
        columns.put("jobs", jobs);
        columns.put("distance_meters_lower_bound", distance_meters_lower_bound);
        columns.put("anomalies", anomalies);
        columns.put("finality", finality);
        columns.put("days", days);
        columns.0
    }
}

impl ResultRow for EpisodeResult {
    fn identity(&self) -> Identity {
        let Self { technician_contact_id, visit_id, first_event_id, .. } = *self;
        Identity::Episode { technician_contact_id, visit_id, first_event_id }
    }

    fn anomalies(&self) -> Anomalies {
        self.anomalies
    }

    fn without_positions(&self) -> Self {
        Self { anomalies: without_position_codes(self.anomalies), ..self.clone() }
    }

    fn columns(&self) -> Vec<(String, String)> {
        let Self {
            technician_contact_id: _,
            visit_id: _,
            first_event_id: _,
            first_event_at,
            last_event_at,
            settles_at,
            is_loose,
            has_visit_event,
            has_travel,
            has_attendance,
            first_in_shift_at,
            shift_id,
            travel_started_at,
            arrived_at,
            left_at,
            completed_at,
            travel,
            on_site,
            site_wait,
            work,
            pause,
            wrap,
            anomalies,
            finality,
        } = self;
        let mut columns = Columns::default();
        columns.put("first_event_at", first_event_at);
        columns.put("last_event_at", last_event_at);
        columns.put("settles_at", settles_at);
        columns.put("is_loose", is_loose);
        columns.put("has_visit_event", has_visit_event);
        columns.put("has_travel", has_travel);
        columns.put("has_attendance", has_attendance);
        columns.put("first_in_shift_at", first_in_shift_at);
        columns.put("shift_id", shift_id);
        columns.put("travel_started_at", travel_started_at);
        columns.put("arrived_at", arrived_at);
        columns.put("left_at", left_at);
        columns.put("completed_at", completed_at);
        for (name, measure) in
            [("travel", travel), ("on_site", on_site), ("site_wait", site_wait), ("work", work), ("pause", pause), ("wrap", wrap)]
        {
            columns.measure(name, measure);
        }
        columns.put("anomalies", anomalies);
        columns.put("finality", finality);
        columns.0
    }
}
