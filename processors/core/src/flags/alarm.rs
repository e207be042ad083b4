//! S10: a grave operational event names a technician on shift, and no emergency_stop goes with it.
//!
//! ```text
//!        ◄── 2 min ──┬── 2 min ──►
//!                  alarm         due: opens, or later where it is seen later; a person closes it
//! ```

use super::FlagSettings;
use super::condition::{Cause, Condition, Known};
use super::reasoning::Moment;
use super::standing::FirstActivity;
use crate::facts::SignalFact;
use crate::partition::Refolded;
use fieldline_schemas::Timestamp;
use fieldline_schemas::alerts::FlagCode;
use fieldline_schemas::events::{ActivityType, EventCategory, Severity};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::MINUTE_US;

/// A grave operational event that names the technician. An SOS is none: it has an alert of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Alarm {
    id: EventId,
    at: Timestamp,
    event_category: EventCategory,
    severity: Severity,
    /// An emergency_stop near it.
    stop: Option<Timestamp>,
}

impl Known {
    /// Takes what alarms depend on. `signals`: those that stand, where they may have changed.
    pub fn note_alarms(
        &mut self,
        refolded: &Refolded,
        signals: Option<&[SignalFact]>,
        settings: &FlagSettings,
        first_activity: &FirstActivity<'_>,
    ) {
        if let Some(signals) = signals {
            let alarms = signals.iter().filter(|signal| signal.is_grave() && !signal.imported && !signal.is_emergency);
            let alarm = |signal: &SignalFact| {
                let SignalFact { id, created_at: at, event_category, severity, .. } = *signal;
                Alarm { id, at, event_category, severity, stop: None }
            };
            self.alarms = alarms.map(alarm).collect();
        }
        self.shifts.retain(|(started_at, _)| !refolded.covers_shift(*started_at));
        if self.alarms.is_empty() {
            return;
        }
        self.shifts.extend(refolded.units.shifts.iter().map(|shift| (shift.started_at, shift.closed_at)));
        for alarm in &mut self.alarms {
            let is_near = |at: Timestamp| at.since(alarm.at).abs() <= settings.alarm_us;
            alarm.stop = first_activity(&|e| e.activity_type == ActivityType::EmergencyStop && is_near(e.created_at));
        }
    }

    /// S10.
    pub fn alarms(&self, settings: &FlagSettings) -> impl Iterator<Item = Condition> {
        let missing = self.alarms.iter().filter(|alarm| alarm.stop.is_none() && self.shift_at(alarm.at).is_some());
        missing.map(|alarm| Condition {
            code: FlagCode::S10,
            cause: Cause::Event(alarm.id),
            about_at: alarm.at,
            lies_at: alarm.at,
            due_at: alarm.at + settings.alarm_us,
            severity: Severity::Critical,
            worsens_at: None,
            visit_id: None,
        })
    }

    /// The start of the shift that an instant lies in, its ends included.
    fn shift_at(&self, at: Timestamp) -> Option<Timestamp> {
        self.shifts.iter().filter(|(from, to)| (*from..=*to).contains(&at)).map(|(from, _)| *from).max()
    }

    /// The emergency_stop that goes with an alarm.
    pub fn stop_near(&self, cause: Cause) -> Option<Timestamp> {
        self.alarms.iter().find(|alarm| Cause::Event(alarm.id) == cause)?.stop
    }

    pub fn alarm_reasoning(&self, condition: &Condition, settings: &FlagSettings) -> String {
        let about = condition.about_at;
        let alarm = self.alarms.iter().find(|alarm| Cause::Event(alarm.id) == condition.cause);
        let what = alarm.map_or(String::new(), |alarm| format!("{} {} event", alarm.severity.symbol(), alarm.event_category.symbol()));
        let since = self.shift_at(about).map_or(String::new(), |since| format!(" on shift since {}", Moment::beside(since, about)));
        let minutes = settings.alarm_us / MINUTE_US;
        format!("{what} at {}{since}, no emergency_stop within {minutes} min", Moment::full(about))
    }
}
