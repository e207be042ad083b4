//! Facts about technicians, read back from ClickHouse with SQL text: nothing of the pipeline's own reading is used.

use super::folder::Folder;
use fieldline_processors_core::facts::{ActivityFact, ClearanceFact, Facts, Position, ShiftPlanFact, VisitPlanFact};
use fieldline_schemas::events::ActivityType;
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::{Anomalies, Anomaly, Timestamp};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What is known about one technician.
#[derive(Default)]
pub struct Known {
    pub activities: Vec<ActivityFact>,
    pub shift_plans: Vec<ShiftPlanFact>,
    pub visit_plans: Vec<VisitPlanFact>,
    pub clearances: Vec<ClearanceFact>,
}

impl Known {
    pub fn facts(&self, technician: TechnicianId) -> Facts<'_> {
        Facts {
            technician_contact_id: technician,
            activities: &self.activities,
            shift_plans: &self.shift_plans,
            visit_plans: &self.visit_plans,
            signals: &[],
            clearances: &self.clearances,
        }
    }
}

/// Whatever makes a record of the same id and revision another one (domain.md 2.4: absent = null = default).
const CONTENT: &str = "created_at, ifNull(utc_offset_minutes, 0), recorded_at, ifNull(device_id, ''), device_sequence, \
    ifNull(source, ''), imported, ifNull(metadata, ''), activity_type, visit_id, vehicle_id, has_location, latitude, longitude, \
    accuracy_meters, ifNull(address, ''), ifNull(notes, '')";

/// Standing activities; A17, A18 and A27 are judged in SQL, A21 and stops too.
fn activities_query() -> String {
    format!(
        "SELECT technician_contact_id, id, toUnixTimestamp64Micro(created_at), device_sequence, activity_type, visit_id, \
            ifNull(utc_offset_minutes, 0), has_location, \
            ifNull(latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180 AND NOT (latitude = 0 AND longitude = 0) \
                AND ifNull(accuracy_meters, 0) BETWEEN 0 AND 500, 0) AS is_valid, \
            latitude, longitude, ifNull(accuracy_meters, 0), \
            if(activity_type IN ('fuel_stop', 'vehicle_inspection') \
                AND JSONType(ifNull(metadata, '{{}}'), 'duration_seconds') IN ('Int64', 'UInt64', 'Double'), \
                JSONExtractFloat(metadata, 'duration_seconds'), 0) AS stop, \
            toInt64(if(stop > 0 AND stop <= 86400, round(stop * 1000000), 0)), \
            NOT imported AND received_at > created_at + INTERVAL 72 HOUR, \
            NOT imported AND created_at > received_at + INTERVAL 5 MINUTE, \
            contents > 1 \
        FROM technician_activity AS a \
        INNER JOIN (SELECT partition, offset, has_location, latitude, longitude, accuracy_meters FROM technician_activity_log) AS l \
            USING (partition, offset) \
        INNER JOIN (SELECT technician_contact_id, id, revision, uniqExact(toString(tuple({CONTENT}))) AS contents \
            FROM technician_activity_log GROUP BY technician_contact_id, id, revision) AS c \
            USING (technician_contact_id, id, revision)"
    )
}

/// Of each id of a technician the highest revision, a void before others, then the first in the log.
fn standing(kind: &str, columns: &str) -> String {
    format!(
        "SELECT technician_contact_id, id, {columns} FROM (SELECT * FROM technician_facts_log WHERE kind = '{kind}' \
            ORDER BY technician_contact_id, id, revision DESC, voided DESC, partition, offset LIMIT 1 BY technician_contact_id, id) \
        WHERE NOT voided"
    )
}

/// Reads everything that stands, technician by technician.
pub fn read(folder: &Folder) -> BTreeMap<TechnicianId, Known> {
    let mut known: BTreeMap<TechnicianId, Known> = BTreeMap::new();
    for row in folder.rows(&activities_query()) {
        let cell = Cells(&row);
        let is_valid = cell.truth(8);
        let mut anomalies = Anomalies::NONE;
        let found = [
            (cell.truth(7) && !is_valid, Anomaly::A21),
            (cell.truth(14), Anomaly::A17),
            (cell.truth(15), Anomaly::A18),
            (cell.truth(16), Anomaly::A27),
        ];
        found.into_iter().filter(|(is_found, _)| *is_found).for_each(|(_, anomaly)| anomalies.insert(anomaly));
        let position =
            is_valid.then(|| Position { latitude: cell.real(9), longitude: cell.real(10), accuracy_meters: cell.whole(11) as i32 });
        known.entry(TechnicianId(cell.uuid(0))).or_default().activities.push(ActivityFact {
            id: EventId(cell.uuid(1)),
            created_at: Timestamp(cell.whole(2)),
            device_sequence: cell.is_set(3).then(|| cell.whole(3)),
            activity_type: ActivityType::from_symbol(&row[4]).unwrap(),
            visit_id: cell.is_set(5).then(|| VisitId(cell.uuid(5))),
            utc_offset_minutes: cell.whole(6) as i16,
            position,
            stop_us: cell.whole(13),
            anomalies,
            imported: false,
        });
    }
    let columns = "toUnixTimestamp64Micro(assumeNotNull(planned_start)), toUnixTimestamp64Micro(assumeNotNull(planned_end)), ifNull(lone_worker, false)";
    for row in folder.rows(&standing("shift_plan", columns)) {
        let cell = Cells(&row);
        known.entry(TechnicianId(cell.uuid(0))).or_default().shift_plans.push(ShiftPlanFact {
            id: EventId(cell.uuid(1)),
            planned_start: Timestamp(cell.whole(2)),
            planned_end: Timestamp(cell.whole(3)),
            lone_worker: cell.truth(4),
        });
    }
    let columns = "visit_id, toUnixTimestamp64Micro(assumeNotNull(window_start)), toUnixTimestamp64Micro(assumeNotNull(window_end)), latitude, longitude, \
        ifNull(accuracy_meters, 0), geofence_radius_meters";
    for row in folder.rows(&standing("visit_plan", columns)) {
        let cell = Cells(&row);
        let has_place =
            cell.is_set(5) && cell.is_set(6) && (cell.real(5), cell.real(6)) != (0.0, 0.0) && (0..=500).contains(&cell.whole(7));
        let position =
            has_place.then(|| Position { latitude: cell.real(5), longitude: cell.real(6), accuracy_meters: cell.whole(7) as i32 });
        known.entry(TechnicianId(cell.uuid(0))).or_default().visit_plans.push(VisitPlanFact {
            id: EventId(cell.uuid(1)),
            visit_id: VisitId(cell.uuid(2)),
            window_start: Timestamp(cell.whole(3)),
            window_end: Timestamp(cell.whole(4)),
            position,
            geofence_radius_meters: cell.is_set(8).then(|| cell.real(8)),
        });
    }
    let columns = "toUnixTimestamp64Micro(assumeNotNull(created_at)), splitByChar(':', assumeNotNull(alert_id))[-1]";
    for row in folder.rows(&format!("{} AND startsWith(alert_id, 'S1:')", standing("clearance", columns))) {
        let cell = Cells(&row);
        known.entry(TechnicianId(cell.uuid(0))).or_default().clearances.push(ClearanceFact {
            id: EventId(cell.uuid(1)),
            emergency_id: EventId(cell.uuid(3)),
            created_at: Timestamp(cell.whole(2)),
        });
    }
    known
}

/// A row of text, read as what its cells are.
struct Cells<'a>(&'a [String]);

impl Cells<'_> {
    fn is_set(&self, column: usize) -> bool {
        self.0[column] != "\\N"
    }
    fn uuid(&self, column: usize) -> Uuid {
        Uuid::parse_str(&self.0[column]).unwrap()
    }
    fn whole(&self, column: usize) -> i64 {
        self.0[column].parse().unwrap()
    }
    fn real(&self, column: usize) -> f64 {
        self.0[column].parse().unwrap()
    }
    fn truth(&self, column: usize) -> bool {
        matches!(self.0[column].as_str(), "1" | "true")
    }
}
