//! Alarms about people: operational events that name a technician at work, now and then an SOS. Their random numbers are their own,
//! so that the rest of a seed's day stays what it was.

use super::calendar::Calendar;
use super::config::SimulatorConfig;
use super::faults::FaultCounts;
use super::office::{Looked, Office, common, number_around};
use super::random::{Random, derived_uuid};
use super::technician::technician_id;
use fieldline_schemas::events::{EventCategory, OperationalEvent, Severity};
use fieldline_schemas::ids::{EventId, TechnicianId};
use std::borrow::Cow;

const ALARMS: u64 = 20 << 40;
/// More in a day than anybody simulates; numbers of a day begin at a multiple of it.
const ALARMS_OF_A_DAY: u64 = 1 << 24;
/// When nearly everybody is on shift, minutes after local midnight.
const AT_WORK: (i64, i64) = (9 * 60, 15 * 60);
/// (event_type, severity, title); the last one is an SOS by default.
const KINDS: [(&str, Severity, &str); 4] = [
    ("alarm_triggered", Severity::Critical, "fall detected by the wearer's tag"),
    ("alarm_triggered", Severity::Warning, "tag left the agreed area"),
    ("gas_alarm", Severity::Critical, "gas detector of a technician"),
    ("panic_button", Severity::Critical, "panic button of a vehicle"),
];

impl Office {
    /// The alarms of a day; `quiet`: the part of an ordinary working day that it is.
    pub(super) fn alarms(&mut self, config: &SimulatorConfig, calendar: &Calendar, day: u32, quiet: f64, counts: &mut FaultCounts) {
        let mut random = Random::of(config.seed, ALARMS, u64::from(day));
        let alarms = number_around(&mut random, f64::from(config.technicians) * quiet * config.alarms_per_technician_day);
        for number in 0..alarms.min(ALARMS_OF_A_DAY) {
            let created_at = calendar.instant(day, random.between(AT_WORK.0, AT_WORK.1)) + random.between(0, 59_999) * 1_000;
            let (event_type, severity, title) = KINDS[random.between(0, KINDS.len() as i64 - 1) as usize];
            let technician = random.between(0, i64::from(config.technicians) - 1) as u32;
            let id = EventId(derived_uuid(config.seed, ALARMS, u64::from(day) * ALARMS_OF_A_DAY + number));
            let event = OperationalEvent {
                common: common(calendar, id, created_at),
                event_type: Some(Cow::Borrowed(event_type)),
                event_category: EventCategory::Security,
                severity,
                source_system: Some(Cow::Borrowed("lone worker service")),
                title: Some(Cow::Borrowed(title)),
                description: None,
                resolved_at: None,
                resolved_by_contact_id: None,
                acknowledged_at: None,
                acknowledged_by_contact_id: None,
                dedup_key: None,
                technician_contact_id: Some(TechnicianId(technician_id(config.seed, technician))),
                vehicle_id: None,
                visit_id: None,
            };
            self.live_through(config, event, Looked { after_s: 120.0, ended_after_s: 900.0 }, &mut random, counts);
        }
    }
}
