//! What goes wrong, as values: each fault has a probability here and a count of how often it really occurred.

macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $name:ident = $symbol:literal,)*) => {
        /// One thing that went wrong on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum FaultKind { $($(#[$doc])* $name,)* }
        impl FaultKind {
            pub const ALL: &'static [FaultKind] = &[$(FaultKind::$name,)*];
            pub const COUNT: usize = Self::ALL.len();
            pub const fn symbol(self) -> &'static str { match self { $(FaultKind::$name => $symbol,)* } }
        }
    };
}

fault_kinds! {
    /// One record is minutes to hours late.
    Late = "late",
    /// One record is three to nine days late.
    VeryLate = "very_late",
    /// The phone had no network: part of a shift comes in one burst, hours later.
    OfflineBurst = "offline_burst",
    /// The same bytes again.
    Duplicate = "duplicate",
    /// The same id and revision with other content.
    ChangedDuplicate = "changed_duplicate",
    /// A record that the next ones overtake.
    OutOfOrder = "out_of_order",
    /// The clock of the device is off for a whole day.
    ClockSkew = "clock_skew",
    /// The payload's bytes are damaged.
    Corrupt = "corrupt",
    /// A created_at more than a day ahead, which is refused.
    CreatedAhead = "created_ahead",
    ForgottenShiftEnd = "forgotten_shift_end",
    /// An event that nobody sent.
    Missing = "missing",
    /// The same button twice within seconds, with an id of its own.
    DoubleTap = "double_tap",
    AmendedTime = "amended_time",
    AmendedType = "amended_type",
    AmendedVisit = "amended_visit",
    Voided = "voided",
    /// Voided, and restored by a higher revision.
    Restored = "restored",
    /// An emergency_stop. Not an error of anybody, but a rare thing that must not be lost.
    Emergency = "emergency",
    /// An event of a visit without its visit_id.
    NamelessVisit = "nameless_visit",
    /// A visit begun before the one before it was left.
    OverlappingVisit = "overlapping_visit",
    /// Sent elsewhere while under way.
    Rerouted = "rerouted",
    /// Work that is paused overnight and resumed the next day.
    MultiDayVisit = "multi_day_visit",
    /// Work after the shift_end.
    OffShiftWork = "off_shift_work",
    /// A position that is out of range or half missing.
    BadLocation = "bad_location",
}

/// Probabilities of 0..=1, per event, visit or shift as named.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    pub late_per_event: f64,
    pub very_late_per_event: f64,
    pub offline_burst_per_shift: f64,
    pub duplicate_per_event: f64,
    pub changed_duplicate_per_event: f64,
    pub out_of_order_per_event: f64,
    pub clock_skew_per_shift: f64,
    pub corrupt_per_event: f64,
    pub created_ahead_per_event: f64,
    pub forgotten_shift_end_per_shift: f64,
    pub missing_per_event: f64,
    pub double_tap_per_event: f64,
    pub amended_time_per_event: f64,
    pub amended_type_per_event: f64,
    pub amended_visit_per_event: f64,
    pub voided_per_event: f64,
    pub restored_per_event: f64,
    pub emergency_per_shift: f64,
    /// Of the emergencies, how many somebody clears.
    pub cleared_per_emergency: f64,
    pub nameless_visit_per_event: f64,
    pub overlapping_per_visit: f64,
    pub rerouted_per_visit: f64,
    pub multi_day_per_shift: f64,
    pub off_shift_work_per_shift: f64,
    pub bad_location_per_event: f64,
}

impl Faults {
    /// Everybody presses every button, in time, on a working network.
    pub fn none() -> Self {
        Self::scaled(0.0)
    }

    /// An ordinary fleet on an ordinary day.
    pub fn light() -> Self {
        Self::scaled(1.0)
    }

    /// A bad week: ten times as much of everything.
    pub fn heavy() -> Self {
        Self::scaled(10.0)
    }

    fn scaled(by: f64) -> Self {
        let p = |probability: f64| (probability * by).min(0.9);
        Self {
            late_per_event: p(0.004),
            very_late_per_event: p(0.000_5),
            offline_burst_per_shift: p(0.04),
            duplicate_per_event: p(0.004),
            changed_duplicate_per_event: p(0.000_5),
            out_of_order_per_event: p(0.004),
            clock_skew_per_shift: p(0.005),
            corrupt_per_event: p(0.000_2),
            created_ahead_per_event: p(0.000_1),
            forgotten_shift_end_per_shift: p(0.03),
            missing_per_event: p(0.004),
            double_tap_per_event: p(0.003),
            amended_time_per_event: p(0.002),
            amended_type_per_event: p(0.000_5),
            amended_visit_per_event: p(0.000_5),
            voided_per_event: p(0.001),
            restored_per_event: p(0.000_3),
            emergency_per_shift: p(0.002),
            cleared_per_emergency: if by > 0.0 { 0.8 } else { 0.0 },
            nameless_visit_per_event: p(0.002),
            overlapping_per_visit: p(0.003),
            rerouted_per_visit: p(0.01),
            multi_day_per_shift: p(0.01),
            off_shift_work_per_shift: p(0.01),
            bad_location_per_event: p(0.001),
        }
    }
}

/// How often each fault really occurred. A test that relies on a fault checks that it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultCounts([u64; FaultKind::COUNT]);

impl Default for FaultCounts {
    fn default() -> Self {
        Self([0; FaultKind::COUNT])
    }
}

impl FaultCounts {
    pub fn of(&self, kind: FaultKind) -> u64 {
        self.0[kind as usize]
    }
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
    pub fn iter(&self) -> impl Iterator<Item = (FaultKind, u64)> + '_ {
        FaultKind::ALL.iter().map(|&kind| (kind, self.of(kind)))
    }
    pub(super) fn count(&mut self, kind: FaultKind) {
        self.0[kind as usize] += 1;
    }
}
