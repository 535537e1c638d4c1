//! Random views of clips: the augmentations of Tables S1 and S2, and the log-mel between those of waves and of spectrograms.
//!
//! Each augmentation is two functions. The first draws its parameters on the host, from the random numbers of one view of one
//! sample; the second applies them to a tensor, on whatever device that is. No random number is used anywhere else.

pub mod audio;
pub mod colour;
mod cubic;
pub mod draws;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod keyed;
mod lanes;
#[cfg(test)]
pub(crate) mod laws;
pub mod mel;
mod numbers;
pub mod visual;

pub use audio::{augment_wave, plain_wave};
pub use draws::{Draws, Key};
pub use visual::{augment_frames, plain_frames};

use compiler::hir::{Clip, Link, Modality};
use tch::{Device, Tensor};

/// How a batch is made. What is drawn is the same, and so are the results but for the last bits of f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// One sample after the other, in loops that keep it in the cache: on the CPU alone.
    Each,
    /// All samples at once, as one tensor program: on any device.
    Together,
}

impl Strategy {
    /// What is faster where these tensors are.
    pub fn of(tensors: &[Tensor]) -> Self {
        match tensors.iter().all(|tensor| tensor.device() == Device::Cpu) {
            true => Self::Each,
            false => Self::Together,
        }
    }
}

/// Why there are no words and no flow to read.
pub(crate) const REFUSED: &str =
    "stages: a stage of text or flow is refused before anything is read";

/// One link of a modality's chain on a batch of a view, as the links before it have left it: `[B, ...]`, on whatever device.
pub fn augment_link(modality: &Modality, at: usize, batch: &Tensor, keys: &[Key]) -> Tensor {
    let links = &modality.augment.links;
    match &modality.clip {
        Clip::Video { size, .. } => visual::link_at(links, at, batch, *size, keys),
        Clip::Audio { .. } => audio::link_at(links, at, batch, keys),
        Clip::Text { .. } | Clip::Flow { .. } => unreachable!("{REFUSED}"),
    }
}

/// The conversion of a batch of a view: frames normalised for a network, waves to spectrograms.
pub fn convert(modality: &Modality, batch: &Tensor) -> Tensor {
    match &modality.clip {
        Clip::Video { .. } => visual::finish(&modality.augment.links, batch),
        Clip::Audio { rate, mel, .. } => mel::log_mel(batch, mel, rate.to_f64()),
        Clip::Text { .. } | Clip::Flow { .. } => unreachable!("{REFUSED}"),
    }
}

/// The last part of the path of each link's random numbers: its short name, and from its second occurrence on a number.
fn stream_names(links: &[Link]) -> Vec<String> {
    let earlier = |i: usize| {
        links[..i]
            .iter()
            .filter(|l| l.short() == links[i].short())
            .count()
    };
    let name = |(i, link): (usize, &Link)| match earlier(i) {
        0 => link.short().to_owned(),
        n => format!("{}/{n}", link.short()),
    };
    links.iter().enumerate().map(name).collect()
}

/// The place that `index` is the mirror image of, in a line of `length` places mirrored at its first and its last place.
fn mirror(index: i64, length: usize) -> usize {
    if length < 2 {
        return 0;
    }
    let last = length as i64 - 1;
    let folded = index.rem_euclid(2 * last);
    (if folded > last {
        2 * last - folded
    } else {
        folded
    }) as usize
}

#[cfg(test)]
mod tests {
    use super::mirror;

    #[test]
    fn a_line_is_mirrored_at_its_ends() {
        let places: Vec<usize> = (-3..7).map(|i| mirror(i, 4)).collect();
        assert_eq!(places, [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]);
    }
}
