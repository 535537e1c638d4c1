//! Stand-ins for augmentations: each link changes every tick by numbers drawn at its own path, and no two of them commute.
//!
//! Each is here twice, as a training step has it: for one sample on the host, and for all samples of a batch at once.

use super::tape::Matrix;
use super::world::{Ticks, World};
use crate::hir::{Clip, Domain, Link, Modality, Pretrain};

/// Values of one sample of a view as a network takes it.
pub const INPUTS: usize = 6;

/// What a link does to a number: bends it by what it has drawn.
#[derive(Clone, Copy)]
struct Bend {
    kind: f64,
    gain: f64,
    shift: f64,
}

impl Bend {
    /// What the link at `index` of the chain draws for one sample of a view.
    fn draw(
        world: &World,
        modality: &Modality,
        (sample, view): (usize, u32),
        index: usize,
    ) -> Self {
        let link = &modality.augment.links[index];
        let path = path(modality, view, index, link);
        let draw = |what: &str| world.number(&format!("{sample}/{path}/{what}"));
        // A crop moves, a mask hides, a colour scales: here all bend, so that order and path of every link show.
        Self {
            kind: match link.domain() {
                Domain::Frames => 0.9,
                Domain::Wave => 0.8,
                Domain::Spectrogram => 1.1,
                Domain::Words => 0.7,
                Domain::Flow => 0.6,
            },
            gain: 1.0 + 0.4 * draw("gain"),
            shift: 0.3 * draw("shift"),
        }
    }

    fn apply(self, x: f64) -> f64 {
        (self.kind * self.gain * x + self.shift).sin()
    }
}

/// The link at `index` of the chain on one sample of a view.
pub(super) fn link(
    world: &World,
    (pretrain, modality): (&Pretrain, &Modality),
    of: (usize, u32),
    index: usize,
    ticks: &Ticks,
) -> Ticks {
    let mut ticks = resized(ticks);
    let bends = match &modality.augment.links[index] {
        Link::DropWords { p } => {
            let path = path(modality, of.1, index, &modality.augment.links[index]);
            let mut place = 0;
            ticks.content.retain(|_| {
                place += 1;
                let drawn = world.number(&format!("{}/{path}/{place}", of.0));
                (1.0 + drawn) / 2.0 >= p.to_f64()
            });
            vec![]
        }
        // The crops and flips of the view of the video, with its draws.
        Link::Follow { modality: video } => {
            let video = pretrain
                .modality(video)
                .expect("interpret: a flow follows a modality of the experiment");
            let links = video.augment.links.iter().enumerate();
            let moved = links.filter(|(_, link)| link.is_geometric());
            moved
                .map(|(index, _)| Bend::draw(world, video, of, index))
                .collect()
        }
        Link::MultiScaleCrop { .. }
        | Link::HorizontalFlip { .. }
        | Link::ColorJitter { .. }
        | Link::GrayScale { .. }
        | Link::GaussianBlur { .. }
        | Link::Cutout { .. }
        | Link::VolumeJitter { .. }
        | Link::TimeMask { .. }
        | Link::FreqMask { .. }
        | Link::RandomCrop { .. }
        | Link::TimeWarp { .. } => vec![Bend::draw(world, modality, of, index)],
    };
    for bend in bends {
        for x in &mut ticks.content {
            *x = bend.apply(*x);
        }
    }
    ticks
}

/// The link at `index` of the chain on a batch of a view, one sample a row.
pub(super) fn link_batch(
    world: &World,
    modality: &Modality,
    view: u32,
    index: usize,
    batch: &Matrix,
) -> Matrix {
    let draw = |sample| Bend::draw(world, modality, (sample, view), index);
    let bends: Vec<Bend> = (0..batch.rows).map(draw).collect();
    Matrix::from_fn(batch.rows, batch.cols, |i, j| {
        bends[i].apply(batch.row(i)[j])
    })
}

/// The conversion of one sample: a fixed function of neighbouring ticks; of words their shares, of frames to flow what changes
/// from each to the next.
pub(super) fn convert(clip: &Clip, ticks: &Ticks) -> Ticks {
    let ticks = resized(ticks);
    let content = match clip {
        Clip::Video { .. } | Clip::Audio { .. } => (0..ticks.content.len())
            .map(|j| converted(&ticks.content, j))
            .collect(),
        Clip::Text { .. } => shares(&ticks.content),
        Clip::Flow { .. } => flow(&ticks.content),
    };
    Ticks { content, ..ticks }
}

/// What changes from each frame to the next; the last has what the one before it has.
fn flow(frames: &[f64]) -> Vec<f64> {
    let mut flow: Vec<f64> = frames.windows(2).map(|pair| pair[1] - pair[0]).collect();
    flow.extend(flow.last().copied());
    flow
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

/// The conversion of a batch, one sample a row.
pub(super) fn convert_batch(batch: &Matrix) -> Matrix {
    Matrix::from_fn(batch.rows, batch.cols, |i, j| converted(batch.row(i), j))
}

fn converted(x: &[f64], j: usize) -> f64 {
    let at = |i: usize| x[i.min(x.len() - 1)];
    (1.5 + at(j) * at(j + 1) + 0.1 * at(j)).ln_1p()
}

/// Frames of the size of their source with one number each: the mean of their pixels. What has that size stays.
fn resized(ticks: &Ticks) -> Ticks {
    let mean = |pixels: &[f64]| pixels.iter().sum::<f64>() / ticks.size as f64;
    Ticks {
        first: ticks.first,
        size: 1,
        content: ticks.content.chunks(ticks.size).map(mean).collect(),
    }
}

/// The samples of a view as one batch.
pub(super) fn batch(samples: &[Ticks]) -> Matrix {
    let cols = samples[0].content.len();
    let is_even = |ticks: &Ticks| ticks.content.len() == cols && ticks.size == 1;
    assert!(
        samples.iter().all(is_even),
        "interpret: samples of a batch are of one size"
    );
    Matrix::from_fn(samples.len(), cols, |i, j| samples[i].content[j])
}

/// The values that a network takes: fixed sums of the ticks of each sample, and of words their shares as they are.
pub(super) fn inputs(world: &World, modality: &Modality, batch: &Matrix) -> Matrix {
    if let Clip::Text { .. } = modality.clip {
        return batch.clone();
    }
    let name = &modality.name;
    let weight = |j: usize, i: usize| world.number(&format!("{name}/input/{j}/{i}"));
    let weights = Matrix::from_fn(INPUTS, batch.cols, weight);
    Matrix::from_fn(batch.rows, INPUTS, |row, j| {
        let ticks = batch.row(row).iter().zip(weights.row(j));
        ticks.map(|(x, weight)| x * weight).sum()
    })
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
