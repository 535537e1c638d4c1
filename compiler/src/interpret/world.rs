//! Made-up contents, times and weights: each number is a function of what it belongs to, as in training.

use super::tape::Matrix;
use crate::hir::{Clip, Modality, Pretrain, Within};
use crate::units::Exact;

/// A tiny training step to interpret graphs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct World {
    /// Samples of the batch.
    pub batch: usize,
    /// The seed of contents and weights.
    pub seed: u64,
}

/// Decoded ticks of one sample.
pub(super) struct Ticks {
    /// The absolute tick of the first.
    pub first: i64,
    /// Numbers of one tick: the size of the source's frames, 1 for sound.
    pub size: usize,
    /// What is seen or heard.
    pub content: Vec<f64>,
}

impl World {
    /// A number in -1..1 that belongs to `path`.
    pub(super) fn number(&self, path: &str) -> f64 {
        // FNV-1a over the path, then the finaliser of SplitMix64.
        let mut hash = 0xcbf2_9ce4_8422_2325 ^ self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for byte in path.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
        (hash >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// A matrix of such numbers, each times `size`.
    pub(super) fn matrix(&self, path: &str, rows: usize, cols: usize, size: f64) -> Matrix {
        Matrix::from_fn(rows, cols, |i, j| {
            size * self.number(&format!("{path}/{i}/{j}"))
        })
    }

    /// The absolute tick at which the window of a view starts, by the law of the relaxation policy.
    pub(super) fn start(
        &self,
        pretrain: &Pretrain,
        sample: usize,
        modality: &str,
        view: u32,
    ) -> i64 {
        let drawn = |path: &str| (500.0 * (1.0 + self.number(path))) as i64;
        let first = drawn(&format!("{sample}/t/{modality}"));
        let later = i64::from(view) - 1;
        if pretrain.relax.same.iter().any(|name| name == modality) {
            return first;
        }
        match &pretrain.relax.within {
            Within::Same => first,
            Within::Overlap { share, of } => {
                let clip = |name| pretrain.modality(name).map(|m| &m.clip);
                let own = clip(modality).expect("interpret: views are of declared modalities");
                let of = clip(of.as_deref().unwrap_or(modality))
                    .expect("interpret: an overlap is of a declared modality");
                let seconds = (1.0 - share.to_f64()) * of.seconds().to_f64();
                // Words have no rate; their windows lie as those of sound at 64 Hz would.
                let rate = own.rate().unwrap_or(Exact::whole(64));
                first + (later as f64 * seconds * rate.to_f64()).round() as i64
            }
            Within::Offset(by) => {
                let own = pretrain.modality(modality).map(|m| &m.clip);
                let own = own.expect("interpret: views are of declared modalities");
                let rate = own.rate().unwrap_or(Exact::whole(64));
                first + (later as f64 * by.to_f64() * rate.to_f64()).round() as i64
            }
            Within::Halves | Within::OffsetMax | Within::Independent => {
                drawn(&format!("{sample}/t/{modality}/{view}"))
            }
        }
    }

    /// `length` ticks of a sample from `first` on; frames have the size of their source. Content depends on the absolute time
    /// alone, so a wrong cut shows; what words a window holds depends on where it begins.
    pub(super) fn decode(&self, sample: usize, of: &Modality, first: i64, length: u32) -> Ticks {
        let modality = &of.name;
        let size = match of.clip {
            // Not all sources are equally large.
            Clip::Video { .. } | Clip::Flow { .. } => 1 + (sample + self.seed as usize) % 3,
            Clip::Audio { .. } | Clip::Text { .. } => 1,
        };
        let numbers = (0..i64::from(length)).flat_map(|i| (0..size).map(move |pixel| (i, pixel)));
        let number = |(i, pixel): (i64, usize)| match of.clip {
            Clip::Video { .. } | Clip::Audio { .. } | Clip::Flow { .. } => {
                self.number(&format!("{sample}/{modality}/at/{}/{pixel}", first + i))
            }
            Clip::Text { .. } => self.number(&format!("{sample}/{modality}/from/{first}/{i}")),
        };
        Ticks {
            first,
            size,
            content: numbers.map(number).collect(),
        }
    }
}
