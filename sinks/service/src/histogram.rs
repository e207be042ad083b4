//! Counts of observations in fixed classes, from any thread.

use std::sync::atomic::{AtomicU64, Ordering};

/// Observations by upper bound, as Prometheus has them.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    /// Upper bounds, ascending.
    bounds: [f64; N],
    /// Observations in each class, those above the last bound at the end.
    counts: [AtomicU64; N],
    above: AtomicU64,
    /// The sum in millionths: whole numbers add up in any order.
    sum_millionths: AtomicU64,
}

/// What was observed so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Upper bound, and how many observations were at most that, ascending.
    pub cumulative: Vec<(f64, u64)>,
    pub count: u64,
    pub sum: f64,
}

impl<const N: usize> Histogram<N> {
    pub fn new(bounds: [f64; N]) -> Self {
        Self { bounds, counts: [const { AtomicU64::new(0) }; N], above: AtomicU64::new(0), sum_millionths: AtomicU64::new(0) }
    }

    /// Notes a value, which is not negative.
    pub fn observe(&self, value: f64) {
        let class = self.bounds.iter().position(|bound| value <= *bound);
        class.map_or(&self.above, |class| &self.counts[class]).fetch_add(1, Ordering::Relaxed);
        self.sum_millionths.fetch_add((value * 1e6) as u64, Ordering::Relaxed);
    }

    pub fn observed(&self) -> Observed {
        let mut count = 0;
        let counts = self.bounds.iter().zip(&self.counts);
        let cumulative = counts
            .map(|(bound, class)| {
                count += class.load(Ordering::Relaxed);
                (*bound, count)
            })
            .collect();
        count += self.above.load(Ordering::Relaxed);
        Observed { cumulative, count, sum: self.sum_millionths.load(Ordering::Relaxed) as f64 / 1e6 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_cumulative_and_their_bounds_belong_to_them() {
        let histogram = Histogram::new([1.0, 10.0]);
        [0.5, 1.0, 1.5, 10.0, 11.0].into_iter().for_each(|value| histogram.observe(value));
        assert_eq!(histogram.observed(), Observed { cumulative: vec![(1.0, 2), (10.0, 4)], count: 5, sum: 24.0 });
    }
}
