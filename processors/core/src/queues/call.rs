//! What S14 takes of a call (the same booleans as the view `calls`).

use crate::flags::FlagSettings;
use fieldline_schemas::Timestamp;
use fieldline_schemas::events::{CallOutcome, CallType, CommunicationCall};
use fieldline_schemas::time::SECOND_US;

/// A record that stands, as it counts in its queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Call {
    pub revision: u32,
    pub voided: bool,
    /// When it was appended; it is forgotten when a call that entered then has left the window.
    pub appended: Timestamp,
    /// When it entered the queue, at the latest when it came.
    pub entered_at: Timestamp,
    /// `None`: withdrawn, imported, or offered to nobody.
    pub counts: Option<Counts>,
}

/// What calls add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub offered: u32,
    pub answered: u32,
    pub abandoned: u32,
    pub answered_in_time: u32,
    pub abandoned_in_time: u32,
}

impl Counts {
    pub fn add(&mut self, other: Self) {
        self.offered += other.offered;
        self.answered += other.answered;
        self.abandoned += other.abandoned;
        self.answered_in_time += other.answered_in_time;
        self.abandoned_in_time += other.abandoned_in_time;
    }

    pub fn remove(&mut self, other: Self) {
        self.offered -= other.offered;
        self.answered -= other.answered;
        self.abandoned -= other.abandoned;
        self.answered_in_time -= other.answered_in_time;
        self.abandoned_in_time -= other.abandoned_in_time;
    }

    /// The calls that formula F4 judges: callers who hung up within the threshold gave nobody a chance.
    pub fn judged(&self) -> u32 {
        self.answered + self.abandoned - self.abandoned_in_time
    }

    /// Whether F4 reaches the target; `None` where nothing can be judged.
    pub fn reaches(&self, percent: u32) -> Option<bool> {
        let judged = self.judged();
        (judged > 0).then(|| u64::from(self.answered_in_time) * 100 >= u64::from(percent) * u64::from(judged))
    }
}

impl Call {
    pub fn of(call: &CommunicationCall<'_>, clock: Timestamp, settings: &FlagSettings) -> Self {
        let common = &call.common;
        let has_queue = call.queue_name.as_deref().is_some_and(|name| !name.is_empty());
        let is_outbound = call.call_type == CallType::Outbound || call.direction.as_deref() == Some("outbound");
        let is_offered = has_queue && !is_outbound && !common.voided && !common.imported;
        let is_spoken = !matches!(call.call_type, CallType::Missed | CallType::Voicemail);
        let is_answered = is_spoken && matches!(call.call_outcome, CallOutcome::Answered | CallOutcome::Transferred);
        let is_abandoned = !is_answered && (call.abandoned == Some(true) || call.call_type == CallType::Missed);
        let is_in_time = call.wait_time_seconds.is_some_and(|wait| wait >= 0 && i64::from(wait) * SECOND_US <= settings.queue_wait_us);
        let counts = Counts {
            offered: 1,
            answered: is_answered.into(),
            abandoned: is_abandoned.into(),
            answered_in_time: (is_answered && is_in_time).into(),
            abandoned_in_time: (is_abandoned && is_in_time).into(),
        };
        Self {
            revision: common.revision,
            voided: common.voided,
            appended: clock,
            entered_at: call.started_at.unwrap_or(common.created_at).min(clock),
            counts: is_offered.then_some(counts),
        }
    }
}
