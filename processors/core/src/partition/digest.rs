//! A 128-bit hash of a row's content, by which a row that did not change is not published again.
//!
//! Every struct is taken apart by name, so that a new field does not compile until it is part of the hash.

use fieldline_schemas::Timestamp;
use fieldline_schemas::results::{EpisodeResult, Measure, ShiftDay, ShiftDurations, ShiftResult};
use xxhash_rust::xxh3::xxh3_128;

/// Room for the bytes of one row, used again for the next.
#[derive(Debug, Default)]
pub struct Digester {
    bytes: Vec<u8>,
}

impl Digester {
    pub fn shift(&mut self, row: &ShiftResult) -> u128 {
        self.bytes.clear();
        let ShiftResult {
            technician_contact_id,
            shift_id,
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
        } = row;
        self.put(technician_contact_id.as_bytes());
        self.put(shift_id.as_bytes());
        self.put(&shift_date.to_le_bytes());
        self.put(&utc_offset_minutes.to_le_bytes());
        self.time(Some(*started_at));
        self.time(*ended_at);
        self.time(Some(*closed_at));
        self.durations(durations);
        self.put(&visits.to_le_bytes());
        self.put(&jobs.to_le_bytes());
        self.put(&distance_meters_lower_bound.to_bits().to_le_bytes());
        self.codes(*anomalies);
        self.put(&[*finality as u8]);
        for day in days {
            let ShiftDay { local_date, durations, completed_visits, anomalies } = day;
            self.put(&local_date.to_le_bytes());
            self.durations(durations);
            self.put(&(completed_visits.len() as u64).to_le_bytes());
            completed_visits.iter().for_each(|visit| self.put(visit.as_bytes()));
            self.codes(*anomalies);
        }
        xxh3_128(&self.bytes)
    }

    pub fn episode(&mut self, row: &EpisodeResult) -> u128 {
        self.bytes.clear();
        let EpisodeResult {
            technician_contact_id,
            visit_id,
            first_event_id,
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
        } = row;
        self.put(technician_contact_id.as_bytes());
        self.put(visit_id.as_bytes());
        self.put(first_event_id.as_bytes());
        self.put(&[u8::from(*is_loose), u8::from(*has_visit_event), u8::from(*has_travel), u8::from(*has_attendance)]);
        for time in [first_event_at, last_event_at, settles_at] {
            self.time(Some(*time));
        }
        for time in [first_in_shift_at, travel_started_at, arrived_at, left_at, completed_at] {
            self.time(*time);
        }
        match shift_id {
            Some(id) => self.put(id.as_bytes()),
            None => self.put(&[0]),
        }
        for measure in [travel, on_site, site_wait, work, pause, wrap] {
            self.measure(measure);
        }
        self.codes(*anomalies);
        self.put(&[*finality as u8]);
        xxh3_128(&self.bytes)
    }

    fn durations(&mut self, durations: &ShiftDurations) {
        let ShiftDurations { shift, travel, travel_net, work, pause, r#break, site_wait, site_wrap, on_site, emergency, stop, idle } =
            durations;
        for measure in [shift, travel, travel_net, work, pause, r#break, site_wait, site_wrap, on_site, emergency, stop, idle] {
            self.measure(measure);
        }
    }

    fn measure(&mut self, measure: &Measure) {
        let Measure { value_us, lo_us, hi_us, quality } = measure;
        // As one piece, and a value that is the lower bound, as an observed one is, without a number of its own.
        let value = value_us.filter(|value| value != lo_us);
        let form = u8::from(value_us.is_some()) | u8::from(value.is_some()) << 1 | u8::from(hi_us.is_some()) << 2;
        let mut bytes = [0; 18];
        bytes[..8].copy_from_slice(&lo_us.to_le_bytes());
        bytes[8..16].copy_from_slice(&hi_us.unwrap_or(0).to_le_bytes());
        bytes[16..].copy_from_slice(&[form, *quality as u8]);
        self.put(&bytes);
        if let Some(value) = value {
            self.put(&value.to_le_bytes());
        }
    }

    fn codes(&mut self, anomalies: fieldline_schemas::Anomalies) {
        anomalies.iter().for_each(|code| self.put(&[code as u8 + 1]));
        self.put(&[0]);
    }

    fn time(&mut self, time: Option<Timestamp>) {
        self.optional(time.map(|t| t.0));
    }

    fn optional(&mut self, number: Option<i64>) {
        let mut bytes = [0; 9];
        bytes[0] = u8::from(number.is_some());
        bytes[1..].copy_from_slice(&number.unwrap_or(0).to_le_bytes());
        self.put(&bytes);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}
