//! What a partition asks its runner to do, and what it has counted.

use fieldline_schemas::alerts::Flag;
use fieldline_schemas::events::RecomputeRequest;
use fieldline_schemas::results::KpiRecord;

/// A record that belongs to another partition: its bytes are to be appended there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misplaced {
    pub offset: i64,
    pub partition: i32,
}

/// Outputs in the order in which they are to be appended. The runner empties it.
#[derive(Debug, Default, PartialEq)]
pub struct Effects {
    pub kpis: Vec<KpiRecord>,
    pub recompute: Vec<RecomputeRequest>,
    pub misplaced: Vec<Misplaced>,
    pub flags: Vec<Flag<'static>>,
}

impl Effects {
    pub fn is_empty(&self) -> bool {
        self.kpis.is_empty() && self.recompute.is_empty() && self.misplaced.is_empty() && self.flags.is_empty()
    }

    pub fn clear(&mut self) {
        self.kpis.clear();
        self.recompute.clear();
        self.misplaced.clear();
        self.flags.clear();
    }
}

/// What a partition has seen since it was taken over, a rebuild included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub records: u64,
    pub ticks: u64,
    pub heartbeats: u64,
    /// Nothing that could be used: a dead letter, or another kind of record.
    pub not_understood: u64,
    pub duplicates: u64,
    /// A higher revision, or an earlier claim, stood already.
    pub outranked: u64,
    pub misplaced: u64,
    pub folds: u64,
    /// Those of them that only went on where the last one stopped.
    pub folds_going_on: u64,
    pub timers: u64,
    /// Steps of the clock beyond ten seconds that no tick vouches for.
    pub gaps: u64,
}

impl Counters {
    /// Both together.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            records: self.records + other.records,
            ticks: self.ticks + other.ticks,
            heartbeats: self.heartbeats + other.heartbeats,
            not_understood: self.not_understood + other.not_understood,
            duplicates: self.duplicates + other.duplicates,
            outranked: self.outranked + other.outranked,
            misplaced: self.misplaced + other.misplaced,
            folds: self.folds + other.folds,
            folds_going_on: self.folds_going_on + other.folds_going_on,
            timers: self.timers + other.timers,
            gaps: self.gaps + other.gaps,
        }
    }
}
