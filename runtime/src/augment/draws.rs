//! Random numbers that belong to a place in the experiment, not to a moment of its execution.
//!
//! Every stream is named by the seed and a path, such as that of sample 17 in epoch 3 and then `v/1/MSC`. Streams of different
//! paths are independent. What else is drawn, in what order, on how many threads, never moves a number. So rows of a table
//! see the same clips and crops, and a resumed run needs no state of a generator.

use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;
use std::ops::RangeInclusive;

/// The place that random numbers belong to: a seed and a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    seed: u64,
    path: String,
}

impl Key {
    /// The place of one sample in one epoch.
    pub fn new(seed: u64, sample: u64, epoch: u64) -> Self {
        Self {
            seed,
            path: format!("sample/{sample}/epoch/{epoch}"),
        }
    }

    /// The path, such as `sample/17/epoch/3`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Any other place, such as `init/v.f.layer1.0.weight`.
    pub fn at(seed: u64, path: &str) -> Self {
        Self {
            seed,
            path: path.to_owned(),
        }
    }

    /// The place below this one: `key.child("v/1").child("MSC")` is `key.child("v/1/MSC")`.
    #[must_use]
    pub fn child(&self, path: &str) -> Self {
        Self {
            seed: self.seed,
            path: format!("{}/{path}", self.path),
        }
    }

    /// The stream at the place `path` below this one, from its start: equal calls give equal streams.
    pub fn draws(&self, path: &str) -> Draws {
        self.child(path).stream()
    }

    /// The stream at this place, from its start.
    pub fn stream(&self) -> Draws {
        let mut hash = blake3::Hasher::new();
        hash.update(&self.seed.to_le_bytes());
        hash.update(self.path.as_bytes());
        let hash = hash.finalize();
        let word = |i: usize| {
            let b = &hash.as_bytes()[4 * i..4 * i + 4];
            u32::from_le_bytes([b[0], b[1], b[2], b[3]])
        };
        Draws {
            key: [word(0), word(1)],
            stream: [word(2), word(3)],
            block: 0,
            words: [0; 4],
            used: 4,
        }
    }
}

/// A stream of random numbers, counter-based: Philox4x32-10 (Salmon et al. 2011) under a key and a stream number that are the
/// hash of the place, so 2^64 blocks of four words for each.
#[derive(Clone, Debug)]
pub struct Draws {
    key: [u32; 2],
    stream: [u32; 2],
    block: u64,
    words: [u32; 4],
    used: usize,
}

impl Draws {
    /// The next 32 random bits.
    pub fn bits(&mut self) -> u32 {
        if self.used == 4 {
            let counter = [
                self.block as u32,
                (self.block >> 32) as u32,
                self.stream[0],
                self.stream[1],
            ];
            self.words = philox(counter, self.key);
            self.block = self.block.wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// A random bit of its own for each number, whatever was drawn before.
    pub fn bit_at(&self, number: u64) -> bool {
        let counter = [
            number as u32,
            (number >> 32) as u32,
            self.stream[0],
            self.stream[1],
        ];
        philox(counter, self.key)[0] & 1 == 1
    }

    /// The next 64 random bits.
    fn long(&mut self) -> u64 {
        let low = u64::from(self.bits());
        low | u64::from(self.bits()) << 32
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.long() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform between `a` and `b`.
    pub fn uniform(&mut self, a: f64, b: f64) -> f64 {
        a + (b - a) * self.unit()
    }

    /// A whole number of the range, both ends included, all equally likely. An empty range has its start as only member.
    pub fn integer(&mut self, range: RangeInclusive<i64>) -> i64 {
        let (first, last) = range.into_inner();
        let Some(size) = last
            .checked_sub(first)
            .and_then(|d| u64::try_from(d).ok())
            .and_then(|d| d.checked_add(1))
        else {
            return first;
        };
        // The high half of a product with 64 random bits; the few products that would favour some numbers are drawn again.
        let unfair = size.wrapping_neg() % size;
        loop {
            let product = u128::from(self.long()) * u128::from(size);
            if product as u64 >= unfair {
                return first + (product >> 64) as i64;
            }
        }
    }

    /// True with probability `p`.
    pub fn flip(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Puts the items in random order, all orders equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.integer(0..=i as i64) as usize;
            items.swap(i, j);
        }
    }

    /// A standard normal number (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }
}

/// Ten rounds of Philox4x32 on one counter.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
        key = [
            key[0].wrapping_add(0x9E37_79B9),
            key[1].wrapping_add(0xBB67_AE85),
        ];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that come with Random123, the authors' library.
    #[test]
    fn philox_gives_the_known_answers() {
        assert_eq!(
            philox([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox(
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn a_stream_depends_on_its_place_alone() {
        let key = Key::new(1, 17, 3);
        let first = |k: &Key, path: &str| k.draws(path).long();
        let expected = first(&key, "v/1/MSC");
        let mut other = key.draws("v/1/HF");
        other.unit();
        assert_eq!(first(&key, "v/1/MSC"), expected);
        assert_eq!(first(&key.child("v/1"), "MSC"), expected);
        for different in [Key::new(2, 17, 3), Key::new(1, 18, 3), Key::new(1, 17, 4)] {
            assert_ne!(first(&different, "v/1/MSC"), expected);
        }
        assert_ne!(first(&key, "v/2/MSC"), expected);
    }

    #[test]
    fn numbers_have_the_moments_of_their_laws() {
        let mut draws = Key::at(5, "moments").stream();
        let n = 40_000;
        let mut mean_square = |f: &mut dyn FnMut(&mut Draws) -> f64| {
            let values: Vec<f64> = (0..n).map(|_| f(&mut draws)).collect();
            let mean = values.iter().sum::<f64>() / n as f64;
            (
                mean,
                values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64,
            )
        };
        // Tolerances are five standard errors of the mean and a generous 4 % of the variance.
        let close = |(mean, variance): (f64, f64), m: f64, v: f64| {
            assert!(
                (mean - m).abs() < 5.0 * (v / n as f64).sqrt(),
                "mean {mean}, not {m}"
            );
            assert!(
                (variance - v).abs() < 0.04 * v,
                "variance {variance}, not {v}"
            );
        };
        close(mean_square(&mut |d| d.uniform(0.6, 1.4)), 1.0, 0.64 / 12.0);
        close(
            mean_square(&mut |d| d.integer(1..=20) as f64),
            10.5,
            399.0 / 12.0,
        );
        close(mean_square(&mut |d| f64::from(d.flip(0.2))), 0.2, 0.16);
        close(mean_square(&mut |d| d.normal()), 0.0, 1.0);
    }

    #[test]
    fn integers_reach_both_ends_and_nothing_else() {
        let mut draws = Key::at(0, "ends").stream();
        let seen: std::collections::BTreeSet<i64> =
            (0..200).map(|_| draws.integer(-2..=2)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [-2, -1, 0, 1, 2]);
        assert_eq!(draws.integer(7..=7), 7);
    }

    #[test]
    fn all_orders_are_equally_likely() {
        let mut draws = Key::at(0, "orders").stream();
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..24_000 {
            let mut order = [0, 1, 2, 3];
            draws.shuffle(&mut order);
            *counts.entry(order).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        // 1000 each with a standard deviation of 31.
        assert!(
            counts.values().all(|c| (840..1160).contains(c)),
            "{counts:?}"
        );
    }
}
