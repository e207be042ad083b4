//! A fact as it is kept, by the million: without the id, which its marker has, and without gaps.

use super::standing::Fact;
use crate::facts::{ActivityFact, ClearanceFact, Position, ShiftPlanFact, SignalFact, VisitPlanFact};
use fieldline_schemas::events::ActivityType;
use fieldline_schemas::ids::{EventId, VisitId};
use fieldline_schemas::{Anomalies, Anomaly, Timestamp};
use uuid::Uuid;

const HAS_SEQUENCE: u8 = 1;
const HAS_VISIT: u8 = 2;
const HAS_POSITION: u8 = 4;
const IMPORTED: u8 = 8;

/// An activity without its id.
#[derive(Clone, Copy, Debug)]
pub struct KeptActivity {
    visit_id: Uuid,
    /// The marker's own time is another where it can not be believed.
    created_at: Timestamp,
    device_sequence: i64,
    latitude: f64,
    longitude: f64,
    stop_us: i64,
    anomalies: Anomalies,
    accuracy_meters: i32,
    utc_offset_minutes: i16,
    activity_type: ActivityType,
    /// Which of the others there are, and what else is true of it.
    bits: u8,
}

const _: () = assert!(size_of::<KeptActivity>() == 72);

impl KeptActivity {
    fn is(&self, bit: u8) -> bool {
        self.bits & bit != 0
    }
}

impl Fact for ActivityFact {
    const LAST_STANDS: bool = false;
    type Kept = KeptActivity;

    fn keep(&self) -> KeptActivity {
        // Taken apart by name, so that a new field does not compile until it is kept.
        let Self {
            id: _,
            created_at,
            device_sequence,
            activity_type,
            visit_id,
            utc_offset_minutes,
            position,
            stop_us,
            anomalies,
            imported,
        } = *self;
        let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        let Position { latitude, longitude, accuracy_meters } =
            position.unwrap_or(Position { latitude: 0.0, longitude: 0.0, accuracy_meters: 0 });
        KeptActivity {
            visit_id: visit_id.map_or(Uuid::nil(), |visit| visit.0),
            created_at,
            device_sequence: device_sequence.unwrap_or(0),
            latitude,
            longitude,
            stop_us,
            anomalies,
            accuracy_meters,
            utc_offset_minutes,
            activity_type,
            bits: bit(device_sequence.is_some(), HAS_SEQUENCE)
                | bit(visit_id.is_some(), HAS_VISIT)
                | bit(position.is_some(), HAS_POSITION)
                | bit(imported, IMPORTED),
        }
    }

    fn restore(kept: &KeptActivity, id: EventId) -> Self {
        let KeptActivity { latitude, longitude, accuracy_meters, .. } = *kept;
        Self {
            id,
            created_at: kept.created_at,
            device_sequence: kept.is(HAS_SEQUENCE).then_some(kept.device_sequence),
            activity_type: kept.activity_type,
            visit_id: kept.is(HAS_VISIT).then_some(VisitId(kept.visit_id)),
            utc_offset_minutes: kept.utc_offset_minutes,
            position: kept.is(HAS_POSITION).then_some(Position { latitude, longitude, accuracy_meters }),
            stop_us: kept.stop_us,
            anomalies: kept.anomalies,
            imported: kept.is(IMPORTED),
        }
    }

    fn conflicted(&mut self) {
        self.anomalies.insert(Anomaly::A27);
    }
}

/// Of the other kinds there are few: they are kept as they are.
macro_rules! kept_as_it_is {
    ($fact:ty, last_stands: $last_stands:literal) => {
        impl Fact for $fact {
            const LAST_STANDS: bool = $last_stands;
            type Kept = Self;
            fn keep(&self) -> Self {
                *self
            }
            fn restore(kept: &Self, _: EventId) -> Self {
                *kept
            }
        }
    };
}

kept_as_it_is!(ShiftPlanFact, last_stands: false);
kept_as_it_is!(VisitPlanFact, last_stands: false);
kept_as_it_is!(ClearanceFact, last_stands: false);
kept_as_it_is!(SignalFact, last_stands: true);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activity_comes_back_as_it_was() {
        let (id, created_at) = (EventId(Uuid::from_u128(1)), Timestamp(5));
        let bare = ActivityFact {
            id,
            created_at,
            device_sequence: None,
            activity_type: ActivityType::FuelStop,
            visit_id: None,
            utc_offset_minutes: -570,
            position: None,
            stop_us: 86_400_000_000,
            anomalies: Anomalies::NONE,
            imported: false,
        };
        let position = Some(Position { latitude: -0.0, longitude: 179.999_999_9, accuracy_meters: i32::MAX });
        let mut flagged = Anomalies::NONE;
        flagged.insert(Anomaly::A21);
        let facts = [
            bare,
            ActivityFact { device_sequence: Some(i64::MIN), ..bare },
            ActivityFact { device_sequence: Some(0), visit_id: Some(VisitId(Uuid::nil())), ..bare },
            ActivityFact { position, ..bare },
            ActivityFact { imported: true, anomalies: flagged, visit_id: Some(VisitId(Uuid::max())), ..bare },
        ];
        for fact in facts {
            assert_eq!(ActivityFact::restore(&fact.keep(), id), fact);
        }
    }
}
