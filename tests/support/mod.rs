//! What every test here needs.

pub mod desk;
pub mod events;
pub mod expected;
pub mod facts;
pub mod folder;
pub mod log;
pub mod views;

/// `FIELDLINE_LONG=1`: more rounds of the same.
pub fn is_long() -> bool {
    std::env::var("FIELDLINE_LONG").is_ok_and(|value| value == "1")
}

/// Numbers from a seed, the same on every machine.
pub struct Random(pub u64);

impl Random {
    /// 0 ≤ number < `below`.
    pub fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
