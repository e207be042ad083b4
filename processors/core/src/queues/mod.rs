//! A partition of `calls`: calls in log order in; S14 out, the queues whose service level is below its target. A pure function of
//! the log.
//!
//! ```text
//! calls of the last 30 min, by when they entered the queue ─► F4 ─► below 80 %, of 10 calls or more: told of
//!                                                                  reached, or nobody calls: over
//! ```
//! The level is judged when a second of the log with calls is over, and when calls leave the window. Nothing of a day reaches into
//! the next: a queue that is below its target at midnight (UTC) is told of anew. So whoever replays from half an hour before the
//! day goes on with the same outputs as one that never stopped.

mod call;
mod queue;

use crate::events::{EventsError, Input, Moved, Outputs, Progress, Settings};
use crate::flags::FlagSettings;
use crate::partition::Position;
use call::{Call, Counts};
use fieldline_schemas::alerts::{Flag, FlagCode, FlagOrigin, FlagStanding};
use fieldline_schemas::events::{CommunicationCall, Severity};
use fieldline_schemas::ids::EventId;
use fieldline_schemas::time::{DAY_US, MINUTE_US, SECOND_US};
use fieldline_schemas::{Timestamp, Version};
use queue::{Level, Queue};
use std::borrow::Cow;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

/// An alert's id holds the name of its queue; of a longer one the beginning and a hash. Some receivers take keys of 255 characters.
const SUBJECT_BYTES_MAX: usize = 200;

/// A record of the partition.
pub type Record<'a> = crate::events::Record<&'a CommunicationCall<'a>>;

/// The queues of one partition.
#[derive(Debug)]
pub struct Queues {
    settings: Settings,
    progress: Progress,
    queues: BTreeMap<Box<str>, Queue>,
    /// Until then nothing is told of as below: what would change that may be held up.
    hold_until: Timestamp,
    /// Before this no queue needs to be looked at.
    quiet_until: Timestamp,
    /// Outputs of this record so far.
    step: u8,
}

impl Queues {
    /// A partition that nobody has read before.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            progress: Progress::default(),
            queues: BTreeMap::new(),
            hold_until: Timestamp::MIN,
            quiet_until: Timestamp::MIN,
            step: 0,
        }
    }

    /// A partition that was read up to `committed`. It is to be fed every record from `replay_from` on; outputs begin with the
    /// record at `committed`.
    pub fn rebuild(settings: Settings, committed: Position) -> Self {
        Self { progress: Progress::after(committed), ..Self::new(settings) }
    }

    /// Whoever was here before had other settings of flags, or none: after the replay what is true is put out again.
    #[must_use]
    pub fn telling_flags_again(self) -> Self {
        Self { progress: self.progress.telling_again(), ..self }
    }

    /// The append time from which records must be replayed to rebuild the state at `clock`: a window before its day.
    pub fn replay_from(clock: Timestamp, settings: &FlagSettings) -> Timestamp {
        day_of(clock) - settings.queue_window_us
    }

    /// The next instant at which time alone changes something.
    pub fn next_due(&self) -> Option<Timestamp> {
        let clock = self.progress.clock()?;
        let flags = &self.settings.flags;
        let due = |queue: &Queue| {
            let second = queue.touched.map(|(at, _)| Timestamp((at.second() + 1) * SECOND_US));
            let now = second.filter(|_| queue.differs(Level::of(&queue.counts, flags)));
            let midnight = queue.below_since.map(|_| day_of(clock) + DAY_US);
            let held = (self.hold_until > clock && queue.differs(Level::of(&queue.counts, flags))).then_some(self.hold_until);
            [now, queue.changes_at(flags), midnight, held].into_iter().flatten().min()
        };
        self.queues.values().filter_map(due).min().map(|due| due.max(clock + 1))
    }

    /// Takes the next record of the log.
    pub fn apply(&mut self, record: &Record<'_>, effects: &mut Vec<Flag<'static>>) -> Result<(), EventsError> {
        let first = effects.len();
        self.step = 0;
        let moved = self.progress.advance(record);
        let clock = moved.clock;
        self.advance(moved, effects);
        if let Input::Event(call) = record.input
            && let Some(name) = call.queue_name.as_deref().filter(|name| !name.is_empty())
        {
            self.take(name, call, clock);
        }
        match self.progress.outputs(record.offset) {
            Outputs::Suppressed => effects.truncate(first),
            Outputs::Told => {}
            Outputs::ToldAgain => self.tell_again(clock, effects),
        }
        self.stamp(record.offset, &mut effects[first..])
    }

    fn take(&mut self, name: &str, call: &CommunicationCall<'_>, clock: Timestamp) {
        let flags = &self.settings.flags;
        let (id, call) = (call.common.id, Call::of(call, clock, flags));
        let queue = match self.queues.get_mut(name) {
            Some(queue) => queue,
            None => self.queues.entry(name.into()).or_default(),
        };
        if queue.take(id, call, flags) {
            queue.touched = Some((clock, id));
            self.quiet_until = queue.quiet_until(flags).into_iter().fold(self.quiet_until, Timestamp::min);
        }
    }

    /// Moves the clock: seconds that are over, calls that leave, the end of an outage, the end of a day.
    fn advance(&mut self, moved: Moved, effects: &mut Vec<Flag<'static>>) {
        let Moved { before, clock, .. } = moved;
        if clock < self.quiet_until {
            return;
        }
        let midnight = Some(day_of(clock)).filter(|midnight| *midnight > before);
        let Self { settings: Settings { flags, .. }, queues, hold_until, .. } = self;
        let held_until = Some(*hold_until).filter(|held| (before..=clock).contains(held));
        if midnight.is_some() {
            *hold_until = Timestamp::MIN;
        }
        queues.retain(|name, queue| {
            let mut told = Told { name, flags, hold_until: *hold_until, effects: &mut *effects };
            if let Some((at, id)) = queue.touched.take_if(|(at, _)| at.second() < clock.second()) {
                told.judge(queue, at, Some(id));
            }
            let mut looked_at = Timestamp::MIN;
            loop {
                let leaves = queue.next_leaves(flags).filter(|at| *at <= clock);
                let others = [midnight, held_until].into_iter().flatten().filter(|at| *at > looked_at);
                let Some(at) = leaves.into_iter().chain(others).min() else { break };
                looked_at = at;
                queue.leave(at, flags);
                if midnight == Some(at) {
                    told.begin_anew(queue, at);
                }
                if moved.stepped_over(at) && queue.below_since.is_none() && queue.differs(Level::of(&queue.counts, flags)) {
                    told.hold_until = told.hold_until.max(clock + flags.gap_hold_us);
                }
                told.judge(queue, at, None);
            }
            *hold_until = told.hold_until;
            queue.forget(clock, flags);
            !queue.is_blank()
        });
        let due = self.queues.values().filter_map(|queue| queue.quiet_until(&self.settings.flags));
        let hold = Some(self.hold_until).filter(|hold| *hold > clock);
        self.quiet_until = due.chain(hold).fold(day_of(clock) + DAY_US, Timestamp::min);
    }

    /// Puts out what is true by other settings than those of whoever was here before.
    fn tell_again(&self, clock: Timestamp, effects: &mut Vec<Flag<'static>>) {
        for (name, queue) in &self.queues {
            if let Some(since) = queue.below_since {
                effects.push(raised(name, since, clock, &queue.counts, &self.settings.flags));
            }
        }
    }

    fn stamp(&mut self, offset: i64, flags: &mut [Flag<'static>]) -> Result<(), EventsError> {
        for flag in flags {
            flag.version = self.settings.version(offset, self.step)?;
            // 255 is a recompute's. One alert has two outputs at a position at most, and those of few queues come together.
            self.step = self.step.saturating_add(1).min(Version::STEP_RECOMPUTE - 1);
        }
        Ok(())
    }
}

/// What is told about one queue.
struct Told<'a> {
    name: &'a str,
    flags: &'a FlagSettings,
    hold_until: Timestamp,
    effects: &'a mut Vec<Flag<'static>>,
}

impl Told<'_> {
    /// Looks at the level as of `at`, and tells what is new.
    fn judge(&mut self, queue: &mut Queue, at: Timestamp, caused_by: Option<EventId>) {
        match (Level::of(&queue.counts, self.flags), queue.below_since) {
            (Level::Below, None) if at >= self.hold_until => {
                queue.below_since = Some(at);
                let flag = raised(self.name, at, at, &queue.counts, self.flags);
                self.effects.push(Flag { caused_by, ..flag });
            }
            (Level::Reached, Some(since)) => {
                queue.below_since = None;
                let reasoning = format!("the service level is back: {}", level(&queue.counts, self.flags));
                let flag = flag(self.name, since, at, FlagStanding::Activity, reasoning);
                self.effects.push(Flag { caused_by, ..flag });
            }
            _ => {}
        }
    }

    fn begin_anew(&mut self, queue: &mut Queue, at: Timestamp) {
        if let Some(since) = queue.below_since.take() {
            self.effects.push(flag(
                self.name,
                since,
                at,
                FlagStanding::Amended,
                "the day is over; the next one is judged by itself".to_owned(),
            ));
        }
    }
}

fn raised(name: &str, since: Timestamp, as_of: Timestamp, counts: &Counts, flags: &FlagSettings) -> Flag<'static> {
    flag(
        name,
        since,
        as_of,
        FlagStanding::Raised,
        format!("service level below {} %: {}", flags.queue_target_percent, level(counts, flags)),
    )
}

fn level(counts: &Counts, flags: &FlagSettings) -> String {
    let Counts { offered, answered_in_time, .. } = counts;
    let (minutes, seconds) = (flags.queue_window_us / MINUTE_US, flags.queue_wait_us / SECOND_US);
    let judged = counts.judged();
    format!("{answered_in_time} of {judged} calls answered within {seconds} s, {offered} offered in {minutes} min")
}

fn flag(name: &str, since: Timestamp, as_of: Timestamp, standing: FlagStanding, reasoning: String) -> Flag<'static> {
    Flag {
        alert_id: Cow::Owned(format!("S14:{}:{}", subject(name), since.0)),
        flag: FlagCode::S14,
        origin: FlagOrigin::Fold,
        version: Version(0),
        as_of,
        standing,
        severity: Severity::Warning,
        technician_contact_id: None,
        visit_id: None,
        caused_by: None,
        opened_at: since,
        about_at: since,
        is_late: false,
        location: None,
        reasoning: Cow::Owned(reasoning),
        resolved_at: None,
        resolved_by_contact_id: None,
    }
}

/// A queue's name as part of an id, which travels in headers and keys of receivers.
fn subject(name: &str) -> Cow<'_, str> {
    if name.len() <= SUBJECT_BYTES_MAX && !name.contains(char::is_control) {
        return Cow::Borrowed(name);
    }
    let cut = (0..=SUBJECT_BYTES_MAX.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    let visible = name[..cut].replace(char::is_control, "_");
    Cow::Owned(format!("{visible}~{:016x}", xxh3_64(name.as_bytes())))
}

fn day_of(at: Timestamp) -> Timestamp {
    Timestamp(at.0.div_euclid(DAY_US) * DAY_US)
}
