//! What follows from an attempt to tell a receiver: a function of the answer, the attempt's number and the age, nothing else.

use chrono::{DateTime, Utc};
use std::time::Duration;

/// How one attempt ended, as far as what follows depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Taken,
    /// An HTTP status other than success, and how long the receiver asks to be left alone.
    Status { status: u16, retry_after: Option<Duration> },
    /// No connection, a connection that broke, or an answer that passes by itself (SMTP 4xx).
    Passing,
    /// No answer within the attempt's deadline.
    TimedOut,
    /// An answer, or a message that cannot be made, that no repetition mends.
    Permanent,
}

impl Outcome {
    /// The receiver will not have this message, however often it is sent.
    pub const fn is_refusal(self) -> bool {
        match self {
            Self::Permanent => true,
            // A redirect, a receiver that is gone (410), a wrong key, a body that is refused: somebody must mend the configuration.
            Self::Status { status, .. } => !matches!(status, 200..=299 | 408 | 429 | 500..=599),
            Self::Taken | Self::Passing | Self::TimedOut => false,
        }
    }
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Acknowledged,
    RetryAfter(Duration),
    /// Not again for this notification.
    GiveUp,
}

/// The numbers of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The first pause; each further one is twice as long.
    pub pause_min: Duration,
    pub pause_max: Duration,
    /// The same for emergencies: nobody waits minutes for a receiver that is back.
    pub emergency_pause_max: Duration,
    /// A longer Retry-After is cut to this.
    pub retry_after_max: Duration,
    /// The total deadline: a notification this old is given up, an emergency never.
    pub give_up_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pause_min: Duration::from_millis(500),
            pause_max: Duration::from_secs(300),
            emergency_pause_max: Duration::from_secs(10),
            retry_after_max: Duration::from_secs(300),
            give_up_after: Duration::from_secs(24 * 3_600),
        }
    }
}

/// What to do after attempt number `attempt` (from 1) of a notification that is `age` old. `jitter` lies between 0 and 1:
/// that part of the second half of the pause is waited too, so that receivers are not stormed in step.
pub fn decide(outcome: Outcome, attempt: u32, age: Duration, jitter: f64, is_emergency: bool, settings: &Settings) -> Decision {
    let asked = match outcome {
        Outcome::Taken | Outcome::Status { status: 200..=299, .. } => return Decision::Acknowledged,
        refusal if refusal.is_refusal() => return Decision::GiveUp,
        Outcome::Status { retry_after, .. } => retry_after,
        Outcome::Permanent | Outcome::Passing | Outcome::TimedOut => None,
    };
    let pause_max = if is_emergency { settings.emergency_pause_max } else { settings.pause_max };
    let pause = settings.pause_min.saturating_mul(1 << attempt.saturating_sub(1).min(20)).min(pause_max);
    let pause = (pause / 2).saturating_add((pause / 2).mul_f64(jitter.clamp(0.0, 1.0)));
    let after = asked.map_or(pause, |asked| asked.min(settings.retry_after_max).max(pause));
    if !is_emergency && age.saturating_add(after) >= settings.give_up_after { Decision::GiveUp } else { Decision::RetryAfter(after) }
}

/// How long a `Retry-After` header asks to wait: seconds, or a date (RFC 9110, section 10.2.3). `None`: it says neither.
pub fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    Some(until.signed_duration_since(now).to_std().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        pause_min: Duration::from_secs(1),
        pause_max: Duration::from_secs(64),
        emergency_pause_max: Duration::from_secs(8),
        retry_after_max: Duration::from_secs(100),
        give_up_after: Duration::from_secs(3_600),
    };

    fn status(status: u16, seconds: Option<u64>) -> Outcome {
        Outcome::Status { status, retry_after: seconds.map(Duration::from_secs) }
    }

    #[test]
    fn answers_and_what_follows() {
        let retry = |seconds: f64| Decision::RetryAfter(Duration::from_secs_f64(seconds));
        let cases = [
            (Outcome::Taken, 1, 0, 0.0, false, Decision::Acknowledged),
            (status(200, None), 1, 0, 0.0, false, Decision::Acknowledged),
            (status(202, None), 9, 9_999, 0.0, false, Decision::Acknowledged),
            (status(299, None), 1, 0, 0.0, true, Decision::Acknowledged),
            // Passing ones: half the pause at least, all of it at most, doubling to the cap.
            (status(500, None), 1, 0, 0.0, false, retry(0.5)),
            (status(503, None), 1, 0, 1.0, false, retry(1.0)),
            (status(599, None), 2, 0, 1.0, false, retry(2.0)),
            (status(408, None), 3, 0, 0.5, false, retry(3.0)),
            (Outcome::Passing, 7, 0, 1.0, false, retry(64.0)),
            (Outcome::TimedOut, 4_000_000, 0, 1.0, false, retry(64.0)),
            (Outcome::TimedOut, 4_000_000, 0, 1.0, true, retry(8.0)),
            // A jitter out of range is cut.
            (Outcome::Passing, 1, 0, 7.0, false, retry(1.0)),
            // Retry-After: honoured within the cap, never less than our own pause.
            (status(429, Some(30)), 1, 0, 0.0, false, retry(30.0)),
            (status(429, Some(30)), 1, 0, 0.0, true, retry(30.0)),
            (status(503, Some(7_200)), 1, 0, 0.0, true, retry(100.0)),
            (status(429, Some(0)), 3, 0, 1.0, false, retry(4.0)),
            (status(429, None), 1, 0, 1.0, false, retry(1.0)),
            // Permanent ones, an emergency's too.
            (status(301, None), 1, 0, 0.0, false, Decision::GiveUp),
            (status(307, None), 1, 0, 0.0, true, Decision::GiveUp),
            (status(400, None), 1, 0, 0.0, false, Decision::GiveUp),
            (status(401, None), 1, 0, 0.0, false, Decision::GiveUp),
            (status(404, Some(5)), 1, 0, 0.0, false, Decision::GiveUp),
            (status(410, None), 1, 0, 0.0, true, Decision::GiveUp),
            (status(100, None), 1, 0, 0.0, false, Decision::GiveUp),
            (Outcome::Permanent, 1, 0, 0.0, true, Decision::GiveUp),
            // The total deadline: at it, just before it, and never for an emergency.
            (Outcome::Passing, 1, 3_599, 1.0, false, Decision::GiveUp),
            (Outcome::Passing, 1, 3_598, 1.0, false, retry(1.0)),
            (Outcome::Passing, 1, 999_999_999, 1.0, true, retry(1.0)),
        ];
        for (outcome, attempt, age, jitter, is_emergency, expect) in cases {
            let decision = decide(outcome, attempt, Duration::from_secs(age), jitter, is_emergency, &SETTINGS);
            assert_eq!(decision, expect, "{outcome:?} attempt {attempt} age {age} emergency {is_emergency}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = DateTime::from_timestamp(1_445_412_420, 0).unwrap();
        let cases = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(60)),
            ("Wed, 21 Oct 2015 07:26:00 GMT", Some(0)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text:?}");
        }
    }
}
