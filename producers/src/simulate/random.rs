//! Random numbers that are the same on every machine and in every release.
//!
//! xoshiro256++ seeded through SplitMix64, both public domain (<https://prng.di.unimi.it>). Written out here because a
//! seed is a promise: a library may change its streams between versions, and `ln` or `exp` of the platform may differ
//! in the last bit. Only integer operations and the IEEE-exact ones of `f64` are used.

use uuid::{Builder, Uuid};

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random([u64; 4]);

/// Mixes one word into a state; the finaliser of SplitMix64.
pub const fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The id of the `number`th thing of a stream: version 4 in form, derived in fact.
pub fn derived_uuid(seed: u64, stream: u64, number: u64) -> Uuid {
    let high = mix(mix(seed ^ 0x1d5) ^ mix(stream).rotate_left(17) ^ number);
    let low = mix(high ^ mix(number.wrapping_mul(0xd134_2543_de82_ef95) ^ stream));
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    Builder::from_random_bytes(bytes).into_uuid()
}

impl Random {
    /// The stream of one part (a technician, a queue) on one day.
    pub fn of(seed: u64, stream: u64, day: u64) -> Self {
        let mut word = mix(mix(mix(seed) ^ stream) ^ day);
        let mut state = [0; 4];
        for s in &mut state {
            word = mix(word);
            *s = word;
        }
        Self(state)
    }

    pub fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number of 0..1, 1 excluded.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        // Drawn even where the answer is certain, so that one probability does not shift the draws behind it.
        self.unit() < probability
    }

    /// A number of `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = (high - low + 1).max(1) as u64;
        low + ((u128::from(self.next()) * u128::from(span)) >> 64) as i64
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { of.get(self.between(0, of.len() as i64 - 1) as usize).copied() }
    }

    /// Near enough to the standard normal for working days: the sum of four uniforms, never beyond ±3.5.
    pub fn normal(&mut self) -> f64 {
        let word = self.next();
        let sum: u64 = (0..4).map(|i| (word >> (16 * i)) & 0xffff).sum();
        // Four uniforms of 0..65535 have mean 131070 and standard deviation 65535 / sqrt(3).
        (sum as f64 - 131_070.0) / 37_837.0
    }

    /// A duration whose middle value is `median`; `sigma` 0.5 spreads it from a half to the double.
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * exp(self.normal() * sigma)
    }

    /// Whole microseconds, log-normal around `median_s` seconds.
    pub fn span_us(&mut self, median_s: f64, sigma: f64) -> i64 {
        (self.log_normal(median_s, sigma) * 1e6) as i64
    }
}

/// `e^x` by (1 + x/1024)^1024: within 0.5 % for |x| < 3, and the same on every machine.
fn exp(x: f64) -> f64 {
    let mut y = 1.0 + x / 1024.0;
    for _ in 0..10 {
        y *= y;
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pinned: a change of this changes every published simulation.
    #[test]
    fn a_seed_means_the_same_for_ever() {
        let mut random = Random::of(1, 2, 3);
        let words: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf, "SplitMix64's published first output for seed 0");
        assert_ne!(words[0], words[1]);
        assert_eq!(words, {
            let mut again = Random::of(1, 2, 3);
            (0..3).map(|_| again.next()).collect::<Vec<_>>()
        });
        assert_ne!(derived_uuid(1, 2, 3), derived_uuid(1, 3, 2));
        assert_eq!(derived_uuid(1, 2, 3).get_version_num(), 4);
    }

    #[test]
    fn distributions_have_their_middle_and_their_spread() {
        let mut random = Random::of(7, 0, 0);
        let mut values: Vec<f64> = (0..20_001).map(|_| random.log_normal(100.0, 0.5)).collect();
        values.sort_by(f64::total_cmp);
        assert!((values[10_000] - 100.0).abs() < 3.0, "median {}", values[10_000]);
        assert!((values[3_174] - 60.6).abs() < 4.0, "one sigma below {}", values[3_174]);
        assert!(values[0] > 10.0);
        let mut hits = [0u32; 5];
        for _ in 0..50_000 {
            hits[random.between(3, 7) as usize - 3] += 1;
        }
        assert!(hits.iter().all(|n| (9_500..10_500).contains(n)), "{hits:?}");
    }
}
