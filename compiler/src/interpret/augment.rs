//! Stand-ins for augmentations: each link changes every tick by numbers drawn at its own path, and no two of them commute.

use super::world::World;
use crate::hir::{Domain, Link, Modality};

/// Values of one sample of a view as a network takes it.
pub const INPUTS: usize = 6;

/// The links `range` of the chain of `modality`, on one sample of a view; with `converted` the sound is a spectrogram before
/// the links of the spectrogram.
pub(super) fn links(
    world: &World,
    modality: &Modality,
    (sample, view): (usize, u32),
    range: std::ops::Range<usize>,
    mut x: Vec<f64>,
) -> Vec<f64> {
    for (index, link) in modality.augment.links.iter().enumerate() {
        if !range.contains(&index) {
            continue;
        }
        let path = path(modality, view, index, link);
        let draw = |what: &str| world.number(&format!("{sample}/{path}/{what}"));
        // A crop moves, a mask hides, a colour scales: here all bend, so that order and path of every link show.
        let (gain, shift) = (1.0 + 0.4 * draw("gain"), 0.3 * draw("shift"));
        let kind = match link.domain() {
            Domain::Frames => 0.9,
            Domain::Wave => 0.8,
            Domain::Spectrogram => 1.1,
        };
        x = x
            .into_iter()
            .map(|x| (kind * gain * x + shift).sin())
            .collect();
    }
    x
}

/// The conversion of sound to a spectrogram: a fixed function of neighbouring ticks. Frames stay.
pub(super) fn convert(x: &[f64]) -> Vec<f64> {
    let at = |i: usize| x[i.min(x.len() - 1)];
    (0..x.len())
        .map(|i| (1.5 + at(i) * at(i + 1) + 0.1 * at(i)).ln_1p())
        .collect()
}

/// The values that a network takes: fixed sums of the ticks.
pub(super) fn inputs(world: &World, modality: &str, x: &[f64]) -> Vec<f64> {
    let weight = |j: usize, i: usize| world.number(&format!("{modality}/input/{j}/{i}"));
    let sum = |j: usize| -> f64 { x.iter().enumerate().map(|(i, x)| x * weight(j, i)).sum() };
    (0..INPUTS).map(sum).collect()
}

/// The number of links that come before the conversion.
pub(super) fn before_conversion(modality: &Modality) -> usize {
    let links = &modality.augment.links;
    links
        .iter()
        .position(|link| link.domain() == Domain::Spectrogram)
        .unwrap_or(links.len())
}

/// `v/1/MSC`; a link that stands twice in its chain has its place as well: `v/1/MSC/3`.
fn path(modality: &Modality, view: u32, index: usize, link: &Link) -> String {
    let short = link.short();
    let name = &modality.name;
    let links = &modality.augment.links;
    let is_repeated = links[..index].iter().any(|other| other.short() == short);
    if is_repeated {
        format!("{name}/{view}/{short}/{index}")
    } else {
        format!("{name}/{view}/{short}")
    }
}
