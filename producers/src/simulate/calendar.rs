//! Local time of one zone over the span of a simulation, with its changes of offset.

use chrono::{NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;
use fieldline_schemas::Timestamp;
use fieldline_schemas::time::{DAY_US, MINUTE_US, SECOND_US};

/// Days between 1970-01-01 and chrono's day 1 (0001-01-01).
const EPOCH_DAYS_FROM_CE: i64 = 719_163;

/// The offsets of a zone from two days before the first day to three weeks after the last.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// Days since 1970-01-01 of day 0.
    first_day: i64,
    /// From when (UTC) which offset counts, in minutes east; the first entry begins before everything.
    offsets: Vec<(i64, i16)>,
}

impl Calendar {
    pub fn new(zone: Tz, first_day: NaiveDate, days: u32) -> Self {
        let first_day = i64::from(chrono::Datelike::num_days_from_ce(&first_day)) - EPOCH_DAYS_FROM_CE;
        let offset = |second: i64| -> i16 {
            chrono::DateTime::from_timestamp(second, 0)
                .map_or(0, |t| (zone.offset_from_utc_datetime(&t.naive_utc()).fix().local_minus_utc() / 60) as i16)
        };
        let begin = (first_day - 2) * 86_400;
        let end = (first_day + i64::from(days) + 21) * 86_400;
        let mut offsets = vec![(i64::MIN, offset(begin))];
        let mut before = begin;
        while before < end {
            let after = before + 43_200;
            let (from, to) = (offset(before), offset(after));
            if from != to {
                // No zone changes twice within half a day.
                let (mut low, mut high) = (before, after);
                while high - low > 1 {
                    let middle = low + (high - low) / 2;
                    if offset(middle) == from { low = middle } else { high = middle }
                }
                offsets.push((high * SECOND_US, to));
            }
            before = after;
        }
        Self { first_day, offsets }
    }

    /// Minutes east of UTC at an instant.
    pub fn offset_minutes(&self, at: Timestamp) -> i16 {
        let later = self.offsets.partition_point(|&(from, _)| from <= at.0);
        self.offsets[later.saturating_sub(1)].1
    }

    /// The instant at which local clocks show `minute` of day number `day`. An hour that occurs twice is meant the
    /// first time; one that does not occur is read with the offset before the change, as clocks not yet set show it.
    pub fn instant(&self, day: u32, minute: i64) -> Timestamp {
        let local = (self.first_day + i64::from(day)) * DAY_US + minute * MINUTE_US;
        for (i, &(_, offset)) in self.offsets.iter().enumerate() {
            let at = local - i64::from(offset) * MINUTE_US;
            let until = self.offsets.get(i + 1).map_or(i64::MAX, |next| next.0);
            if at < until {
                return Timestamp(at);
            }
            // Inside a gap: the later offset would put it before its own beginning.
            if let Some(&(from, next)) = self.offsets.get(i + 1)
                && local - i64::from(next) * MINUTE_US < from
            {
                return Timestamp(at);
            }
        }
        Timestamp(local)
    }

    /// 0 is Monday.
    pub fn weekday(&self, day: u32) -> i64 {
        // 1970-01-01 was a Thursday.
        (self.first_day + i64::from(day) + 3).rem_euclid(7)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(first: (i32, u32, u32), minute: i64, utc: &str, offset: i16) {
        let date = NaiveDate::from_ymd_opt(first.0, first.1, first.2).unwrap();
        let calendar = Calendar::new(chrono_tz::Europe::Amsterdam, date, 1);
        let at = calendar.instant(0, minute);
        assert_eq!((at.to_string(), calendar.offset_minutes(at)), (format!("{utc}.000000Z"), offset), "minute {minute} of {date}");
    }

    #[test]
    fn local_times_of_amsterdam() {
        check((2025, 1, 15), 8 * 60, "2025-01-15T07:00:00", 60);
        check((2025, 7, 15), 8 * 60, "2025-07-15T06:00:00", 120);
        // 30 March 2025: 02:00 became 03:00.
        check((2025, 3, 30), 60, "2025-03-30T00:00:00", 60);
        check((2025, 3, 30), 150, "2025-03-30T01:30:00", 120);
        check((2025, 3, 30), 180, "2025-03-30T01:00:00", 120);
        check((2025, 3, 30), 8 * 60, "2025-03-30T06:00:00", 120);
        // 26 October 2025: 03:00 became 02:00.
        check((2025, 10, 26), 150, "2025-10-26T00:30:00", 120);
        check((2025, 10, 26), 200, "2025-10-26T02:20:00", 60);
    }

    #[test]
    fn weekdays() {
        let date = NaiveDate::from_ymd_opt(2025, 3, 31).unwrap();
        assert_eq!(Calendar::new(chrono_tz::UTC, date, 1).weekday(0), 0);
    }
}
