//! S8: devices that send heartbeats, each by itself. A phone that goes on reporting must not hide that an alarm button is dead.

use super::FlagSettings;
use super::condition::{Cause, Condition};
use crate::fold::UnendedShift;
use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::FlagCode;
use fieldline_schemas::events::Severity;
use fieldline_schemas::time::{DAY_US, HOUR_US};
use xxhash_rust::xxh3::xxh3_64;

/// Devices of one technician that are remembered; a further one takes the place of the one that was heard of longest ago.
const DEVICES_MAX: usize = 8;
/// A device that has sent no heartbeat for so long is forgotten: no shift asks for it any more.
const FORGET_US: i64 = 72 * HOUR_US;

/// A device, by the digest of its id: the text itself is kept with the heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device(u32);

impl Device {
    pub fn new(device_id: &str) -> Self {
        Self(xxh3_64(device_id.as_bytes()) as u32)
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The last sign of life of a device.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Contact {
    device: Device,
    /// The last heartbeat's created_at.
    heartbeat_at: Timestamp,
    /// When a heartbeat of it last reached the log.
    beat_at: Timestamp,
    /// When a record that counts as contact with it last reached the log.
    reached_at: Timestamp,
    /// When that one happened.
    created_at: Timestamp,
}

/// The devices of a technician, in the order of their first heartbeats.
#[derive(Clone, Debug, Default)]
pub(super) struct Devices(Vec<Contact>);

impl Devices {
    /// A heartbeat of a device arrived.
    pub fn heartbeat(&mut self, device: Device, clock: Timestamp, created_at: Timestamp) {
        self.forget(clock);
        let known = self.0.iter().position(|contact| contact.device == device);
        let heartbeat_at = known.map_or(created_at, |at| self.0[at].heartbeat_at.max(created_at));
        let contact = Contact { device, heartbeat_at, beat_at: clock, reached_at: clock, created_at };
        match known {
            Some(at) => self.0[at] = contact,
            None => {
                if self.0.len() == DEVICES_MAX {
                    let oldest = self.0.iter().enumerate().min_by_key(|(_, contact)| contact.beat_at).map(|(at, _)| at);
                    oldest.map(|at| self.0.remove(at));
                }
                self.0.push(contact);
            }
        }
    }

    /// Another record of the technician arrived. It is contact with the only device; of several it does not say which.
    pub fn contacted(&mut self, clock: Timestamp, created_at: Timestamp) {
        self.forget(clock);
        if let [contact] = &mut self.0[..] {
            (contact.reached_at, contact.created_at) = (clock, created_at);
        }
    }

    pub fn forget(&mut self, clock: Timestamp) {
        self.0.retain(|contact| clock.since(contact.beat_at) < FORGET_US);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that count in the shift: the one heard of last, if it was within a day before it, and any that beat in it. So a
    /// device that was replaced the day before is nobody's concern.
    pub fn conditions(&self, shift: &UnendedShift, settings: &FlagSettings) -> impl Iterator<Item = Condition> {
        let last = self.0.iter().max_by_key(|contact| (contact.reached_at, contact.heartbeat_at, contact.device));
        let last = last.map(|contact| contact.device);
        let (started_at, closed_at, device_us) = (shift.started_at, shift.closed_at, settings.device_us);
        let counts = move |contact: &&Contact| {
            let from = if Some(contact.device) == last { started_at - DAY_US } else { started_at };
            contact.heartbeat_at >= from && contact.reached_at + device_us < closed_at
        };
        self.0.iter().filter(counts).map(move |contact| Condition {
            code: FlagCode::S8,
            cause: Cause::Heartbeat(contact.heartbeat_at, contact.device),
            about_at: contact.reached_at,
            lies_at: contact.reached_at,
            due_at: contact.reached_at + device_us,
            severity: Severity::Warning,
            worsens_at: None,
            visit_id: None,
        })
    }

    /// When that happened which ended the silence of a device since `about_at`.
    pub fn heard_since(&self, device: Device, about_at: Timestamp) -> Option<Timestamp> {
        let heard = self.0.iter().find(|contact| contact.device == device && contact.reached_at > about_at);
        heard.map(|contact| contact.created_at)
    }

    /// The device as a page names it.
    pub fn name(&self) -> String {
        if self.0.len() > 1 { format!("one of {} devices", self.0.len()) } else { "the device".to_owned() }
    }
}
