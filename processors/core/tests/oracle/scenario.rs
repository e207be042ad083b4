//! Days written down by hand, and events as readable lines.

use fieldline_processors_core::facts::{ActivityFact, ClearanceFact, Facts, ShiftPlanFact, SignalFact, VisitPlanFact};
use fieldline_schemas::events::ActivityType;
use fieldline_schemas::ids::{EventId, TechnicianId, VisitId};
use fieldline_schemas::time::{DAY_US, SECOND_US};
use fieldline_schemas::{Anomalies, Timestamp};

/// 2026-03-02T00:00:00Z, a Monday: what "day 0" means in these tests.
pub const MONDAY_US: i64 = 1_772_409_600_000_000;

/// All facts about one technician, owned.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    pub activities: Vec<ActivityFact>,
    pub shift_plans: Vec<ShiftPlanFact>,
    pub visit_plans: Vec<VisitPlanFact>,
    pub signals: Vec<SignalFact>,
    pub clearances: Vec<ClearanceFact>,
}

pub fn event_id(number: u64) -> EventId {
    let mut bytes = [0xe0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    EventId::from_bytes(bytes)
}

pub fn visit_id(number: u8) -> VisitId {
    VisitId::from_bytes([number; 16])
}

pub fn technician() -> TechnicianId {
    TechnicianId::from_bytes([0x77; 16])
}

impl Scenario {
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            technician_contact_id: technician(),
            activities: &self.activities,
            shift_plans: &self.shift_plans,
            visit_plans: &self.visit_plans,
            signals: &self.signals,
            clearances: &self.clearances,
        }
    }

    /// One event a line: `08:10 travel_start v1`; a time may carry the day (`1d 08:10`) and seconds, times are UTC.
    pub fn parse(text: &str) -> Self {
        let mut scenario = Self::default();
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
            scenario.push(line);
        }
        scenario
    }

    /// Appends one line.
    pub fn push(&mut self, line: &str) {
        let mut words = line.split_whitespace().peekable();
        let day: i64 = words.next_if(|w| w.ends_with('d')).map_or(0, |w| w.trim_end_matches('d').parse().unwrap());
        let time: Vec<i64> = words.next().unwrap().split(':').map(|part| part.parse().unwrap()).collect();
        let seconds = time[0] * 3_600 + time[1] * 60 + time.get(2).unwrap_or(&0);
        let activity_type = ActivityType::from_symbol(words.next().unwrap()).unwrap();
        let visit = words.next().map(|v| visit_id(v.trim_start_matches('v').parse().unwrap()));
        let id = event_id(self.activities.len() as u64 + 1);
        self.activities.push(activity(id, MONDAY_US + day * DAY_US + seconds * SECOND_US, activity_type, visit));
    }
}

pub fn activity(id: EventId, at_us: i64, activity_type: ActivityType, visit_id: Option<VisitId>) -> ActivityFact {
    ActivityFact {
        id,
        created_at: Timestamp(at_us),
        device_sequence: None,
        activity_type,
        visit_id,
        utc_offset_minutes: 0,
        position: None,
        stop_us: 0,
        anomalies: Anomalies::NONE,
        imported: false,
    }
}

/// Everything as lines to read.
pub fn print(scenario: &Scenario) -> String {
    let mut lines = Vec::new();
    for e in crate::order::sorted(&scenario.activities) {
        let visit = e.visit_id.map_or(String::new(), |v| format!(" v{}", v.as_bytes()[0]));
        let mut line = format!("{} {}{visit}", e.created_at, e.activity_type.symbol());
        if let Some(sequence) = e.device_sequence {
            line += &format!(" seq={sequence}");
        }
        if e.stop_us > 0 {
            line += &format!(" stop={}s", e.stop_us / 1_000_000);
        }
        if e.utc_offset_minutes != 0 {
            line += &format!(" offset={}min", e.utc_offset_minutes);
        }
        if let Some(p) = e.position {
            line += &format!(" at={:.4},{:.4}±{}", p.latitude, p.longitude, p.accuracy_meters);
        }
        if !e.anomalies.is_empty() {
            line += &format!(" {:?}", e.anomalies);
        }
        lines.push(line + &format!("  #{}", short(e.id)));
    }
    lines.extend(scenario.shift_plans.iter().map(|p| format!("{p:?}")));
    lines.extend(scenario.visit_plans.iter().map(|p| format!("{p:?}")));
    lines.extend(scenario.signals.iter().map(|s| format!("{s:?}")));
    lines.extend(scenario.clearances.iter().map(|c| format!("clearance of #{} at {}", short(c.emergency_id), c.created_at)));
    lines.join("\n")
}

fn short(id: EventId) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&id.as_bytes()[8..]);
    u64::from_be_bytes(number)
}
