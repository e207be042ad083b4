//! The pipeline's synthetic emergency: an emergency_stop of nobody, which goes the way of every other one and pages no one.
//!
//! ```text
//! watch ─► emergency ─► lane ─► beats ─► lifecycle ─► beats ─► watch
//! ```
//! It stays out of `activity`, `alert_events` and `alerts`: the first would make a technician of it, the second is kept for
//! ever, the third is read whole by every receiver that starts.

use crate::alerts::{Flag, FlagCode, FlagOrigin, FlagStanding};
use crate::events::{ActivityType, Common, Severity, TechnicianActivity};
use crate::ids::{EventId, TechnicianId};
use crate::time::Timestamp;
use crate::version::Version;
use crate::wire::AnyRecord;
use std::borrow::Cow;
use uuid::Uuid;

/// Whose emergency a beat is: reserved, in the version that nobody's generator makes (8).
pub const BEARER: TechnicianId = TechnicianId::from_bytes([0x62, 0x65, 0x61, 0x74, 0, 0, 0x80, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]);
/// And what it names as its source; a beat is only what carries both.
pub const SOURCE: &str = "watch";

/// Bits of an id that hold the partition.
const PARTITION_BITS: u32 = 16;

/// One beat through one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Who sent it: each watch knows its own.
    pub watch: u64,
    /// Counts the watch's intervals since 1970.
    pub number: u64,
    /// Of `emergency`.
    pub partition: u16,
}

impl Beat {
    pub fn id(self) -> EventId {
        EventId(Uuid::from_u64_pair(self.watch, self.number << PARTITION_BITS | u64::from(self.partition)))
    }

    pub fn of(id: EventId) -> Self {
        let (watch, rest) = id.0.as_u64_pair();
        Self { watch, number: rest >> PARTITION_BITS, partition: (rest & 0xffff) as u16 }
    }

    /// The record that goes into the lane.
    pub fn emergency(self, sent_at: Timestamp) -> AnyRecord<'static> {
        let common = Common {
            id: self.id(),
            revision: 0,
            voided: false,
            created_at: sent_at,
            utc_offset_minutes: None,
            recorded_at: None,
            device_id: None,
            device_sequence: None,
            source: Some(Cow::Borrowed(SOURCE)),
            imported: false,
            assigned: Vec::new(),
            metadata: None,
        };
        AnyRecord::TechnicianActivity(TechnicianActivity {
            common,
            technician_contact_id: BEARER,
            activity_type: ActivityType::EmergencyStop,
            visit_id: None,
            vehicle_id: None,
            location: None,
            notes: None,
        })
    }
}

/// What the lane makes of a beat that reached it; `None` for every other record.
pub fn passed_on(record: &AnyRecord<'_>, received_at: Timestamp) -> Option<Flag<'static>> {
    let AnyRecord::TechnicianActivity(activity) = record else { return None };
    let common = &activity.common;
    let is_beat = activity.technician_contact_id == BEARER && common.source.as_deref() == Some(SOURCE);
    is_beat.then(|| Flag {
        alert_id: Cow::Owned(format!("S12:beat:{}", common.id)),
        flag: FlagCode::S12,
        origin: FlagOrigin::Lane,
        version: Version(0),
        as_of: received_at,
        standing: FlagStanding::Raised,
        severity: Severity::Info,
        technician_contact_id: None,
        visit_id: None,
        caused_by: Some(common.id),
        opened_at: received_at,
        about_at: common.created_at,
        is_late: false,
        location: None,
        reasoning: Cow::Borrowed("a synthetic emergency of the pipeline's watch; nobody is in danger"),
        resolved_at: None,
        resolved_by_contact_id: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_whose_beat_it_is_and_where_it_went() {
        for beat in [
            Beat { watch: 0, number: 0, partition: 0 },
            Beat { watch: u64::MAX, number: 1 << 40, partition: u16::MAX },
            Beat { watch: 7, number: 29_591_234, partition: 255 },
        ] {
            assert_eq!(Beat::of(beat.id()), beat);
        }
    }

    #[test]
    fn only_what_carries_both_marks_is_a_beat() {
        let beat = Beat { watch: 1, number: 2, partition: 3 };
        let at = Timestamp(5);
        let flag = passed_on(&beat.emergency(at), at + 1).unwrap();
        assert_eq!((flag.caused_by, flag.about_at, flag.as_of), (Some(beat.id()), at, at + 1));
        let changed = |change: fn(&mut TechnicianActivity<'_>)| {
            let AnyRecord::TechnicianActivity(mut activity) = beat.emergency(at) else { unreachable!() };
            change(&mut activity);
            passed_on(&AnyRecord::TechnicianActivity(activity), at)
        };
        assert!(changed(|activity| activity.technician_contact_id = TechnicianId::from_bytes([1; 16])).is_none());
        assert!(changed(|activity| activity.common.source = Some("mobile".into())).is_none());
        assert!(changed(|activity| activity.common.source = None).is_none());
    }
}
