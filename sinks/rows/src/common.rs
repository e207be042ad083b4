//! Groups of columns that several tables share.

use crate::dictionary::{Names, Symbols, Words, symbol};
use crate::native::{
    Bool, Columns, Float64, Instant, Int16, Int32, Int64, List, Nullable, NullableText, Plain, QualityCode, Seconds, UInt32, UInt128, Uuid,
    columns,
};
use fieldline_schemas::events::{ActivityType, CallOutcome, CallType, Common, DeadLetterReason, EventCategory, Location, Severity};
use fieldline_schemas::results::Measure;
use fieldline_schemas::{Anomaly, Timestamp};

symbol! { ActivityType: symbol; CallType: symbol; CallOutcome: symbol; EventCategory: symbol; Severity: symbol; Anomaly: code; DeadLetterReason: symbol; }

/// Where a record lies in the log, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub partition: i32,
    pub offset: i64,
    pub received_at: Timestamp,
}

columns! {
    pub struct PositionColumns {
        partition: Plain<Int32>,
        offset: Plain<Int64>,
        received_at: Plain<Instant>,
    }
}

impl PositionColumns {
    #[inline]
    pub fn push(&mut self, position: Position) {
        self.partition.push(position.partition);
        self.offset.push(position.offset);
        self.received_at.push(position.received_at.0);
    }
}

columns! {
    pub struct CommonColumns {
        id: Plain<Uuid>,
        revision: Plain<UInt32>,
        voided: Plain<Bool>,
        created_at: Plain<Instant>,
        utc_offset_minutes: Nullable<Int16>,
        recorded_at: Nullable<Instant>,
        device_id: Words,
        device_sequence: Nullable<Int64>,
        source: Words,
        imported: Plain<Bool>,
        assigned: List<Names>,
        metadata: NullableText,
        content_hash: Plain<UInt128>,
    }
}

impl CommonColumns {
    #[inline]
    pub fn push(&mut self, common: &Common<'_>, content_hash: u128) {
        self.id.push(*common.id.as_bytes());
        self.revision.push(common.revision);
        self.voided.push(common.voided);
        self.created_at.push(common.created_at.0);
        self.utc_offset_minutes.push(common.utc_offset_minutes);
        self.recorded_at.push(common.recorded_at.map(|t| t.0));
        self.device_id.push(common.device_id.as_deref());
        self.device_sequence.push(common.device_sequence);
        self.source.push(common.source.as_deref());
        self.imported.push(common.imported);
        common.assigned.iter().for_each(|name| self.assigned.items.push(Some(name)));
        self.assigned.close(common.assigned.len());
        self.metadata.push(common.metadata.as_deref());
        self.content_hash.push(content_hash);
    }
}

columns! {
    pub struct LocationColumns {
        has_location: Plain<Bool>,
        latitude: Nullable<Float64>,
        longitude: Nullable<Float64>,
        accuracy_meters: Nullable<Int32>,
        address: NullableText,
    }
}

impl LocationColumns {
    #[inline]
    pub fn push(&mut self, location: Option<&Location<'_>>) {
        // An empty location is not the same as none: it is anomaly A21.
        self.has_location.push(location.is_some());
        self.latitude.push(location.and_then(|l| l.latitude));
        self.longitude.push(location.and_then(|l| l.longitude));
        self.accuracy_meters.push(location.and_then(|l| l.accuracy_meters));
        self.address.push(location.and_then(|l| l.address.as_deref()));
    }
}

/// A duration: four columns, named after the first.
#[derive(Default)]
pub struct MeasureColumns {
    value: Nullable<Seconds>,
    lo: Plain<Seconds>,
    hi: Nullable<Seconds>,
    quality: Plain<QualityCode>,
}

impl MeasureColumns {
    #[inline]
    pub fn push(&mut self, measure: &Measure) {
        self.value.push(measure.value_us);
        self.lo.push(measure.lo_us);
        self.hi.push(measure.hi_us);
        self.quality.push(measure.quality as u8);
    }
}

impl Columns for MeasureColumns {
    fn each(&self, name: &str, visit: &mut dyn FnMut(&str, &dyn crate::native::Column)) {
        visit(name, &self.value);
        visit(&format!("{name}_lo"), &self.lo);
        visit(&format!("{name}_hi"), &self.hi);
        visit(&format!("{name}_quality"), &self.quality);
    }
    fn clear(&mut self) {
        self.value.clear();
        self.lo.clear();
        self.hi.clear();
        self.quality.clear();
    }
    fn size_bytes(&self) -> usize {
        self.value.size_bytes() + self.lo.size_bytes() + self.hi.size_bytes() + self.quality.size_bytes()
    }
}

/// A list of anomaly codes.
pub type Codes = List<Symbols<Anomaly>>;

pub(crate) fn push_codes(column: &mut Codes, anomalies: fieldline_schemas::Anomalies) {
    let mut count = 0;
    for anomaly in anomalies.iter() {
        column.items.push(anomaly);
        count += 1;
    }
    column.close(count);
}
