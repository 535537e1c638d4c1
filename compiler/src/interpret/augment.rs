//! Stand-ins for augmentations: each link changes every tick by numbers drawn at its own path, and no two of them commute.

use super::world::World;
use crate::hir::{Clip, Domain, Link, Modality, Pretrain};

/// Values of one sample of a view as a network takes it.
pub const INPUTS: usize = 6;

/// One view of a sample, augmented and converted: what its network takes.
pub(super) fn view(
    world: &World,
    pretrain: &Pretrain,
    modality: &Modality,
    of: (usize, u32),
    ticks: &[f64],
) -> Vec<f64> {
    let all = modality.augment.links.len();
    match &modality.clip {
        Clip::Video { .. } | Clip::Audio { .. } => {
            let between = before_conversion(modality);
            let x = links(world, modality, of, 0..between, ticks.to_vec());
            let x = links(world, modality, of, between..all, convert(&x));
            inputs(world, &modality.name, &x)
        }
        Clip::Text { .. } => shares(&words_left(world, modality, of, ticks)),
        Clip::Flow { of: video, .. } => {
            let x = flow(ticks);
            let x = match pretrain.modality(video) {
                Some(video) if modality.augment.follows().is_some() => {
                    moved_alike(world, video, of, x)
                }
                Some(_) | None => links(world, modality, of, 0..all, x),
            };
            inputs(world, &modality.name, &x)
        }
    }
}

/// What changes from each frame to the next; the last has what the one before it has.
fn flow(frames: &[f64]) -> Vec<f64> {
    let mut flow: Vec<f64> = frames.windows(2).map(|pair| pair[1] - pair[0]).collect();
    flow.extend(flow.last().copied());
    flow
}

/// The crops and flips of a view of `video`, with its draws.
fn moved_alike(world: &World, video: &Modality, of: (usize, u32), mut x: Vec<f64>) -> Vec<f64> {
    for (index, link) in video.augment.links.iter().enumerate() {
        if link.is_geometric() {
            x = links(world, video, of, index..index + 1, x);
        }
    }
    x
}

/// The words that the chain of a text leaves, in their places.
fn words_left(
    world: &World,
    modality: &Modality,
    (sample, view): (usize, u32),
    words: &[f64],
) -> Vec<f64> {
    let mut words = words.to_vec();
    for (index, link) in modality.augment.links.iter().enumerate() {
        let Link::DropWords { p } = link else {
            continue;
        };
        let path = path(modality, view, index, link);
        let mut place = 0;
        words.retain(|_| {
            place += 1;
            let drawn = world.number(&format!("{sample}/{path}/{place}"));
            (1.0 + drawn) / 2.0 >= p.to_f64()
        });
    }
    words
}

/// The share of each word of a vocabulary of [`INPUTS`] in what is there.
fn shares(words: &[f64]) -> Vec<f64> {
    let mut shares = vec![0.0; INPUTS];
    for word in words {
        let number = ((1.0 + word) / 2.0 * INPUTS as f64) as usize;
        shares[number.min(INPUTS - 1)] += 1.0 / words.len() as f64;
    }
    shares
}

/// The links `range` of the chain of `modality`, on one sample of a view; with `converted` the sound is a spectrogram before
/// the links of the spectrogram.
fn links(
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
            Domain::Words => 0.7,
            Domain::Flow => 0.6,
        };
        x = x
            .into_iter()
            .map(|x| (kind * gain * x + shift).sin())
            .collect();
    }
    x
}

/// The conversion of sound to a spectrogram: a fixed function of neighbouring ticks. Frames stay.
fn convert(x: &[f64]) -> Vec<f64> {
    let at = |i: usize| x[i.min(x.len() - 1)];
    (0..x.len())
        .map(|i| (1.5 + at(i) * at(i + 1) + 0.1 * at(i)).ln_1p())
        .collect()
}

/// The values that a network takes: fixed sums of the ticks.
fn inputs(world: &World, modality: &str, x: &[f64]) -> Vec<f64> {
    let weight = |j: usize, i: usize| world.number(&format!("{modality}/input/{j}/{i}"));
    let sum = |j: usize| -> f64 { x.iter().enumerate().map(|(i, x)| x * weight(j, i)).sum() };
    (0..INPUTS).map(sum).collect()
}

/// The number of links that come before the conversion.
fn before_conversion(modality: &Modality) -> usize {
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
