//! Closed experiments: names resolved, units converted to base units, every field present. What is here is what a result
//! depends on, so all of it enters the content hash; names of declarations, labels and places do not.
//!
//! Times are in seconds, rates in hertz or frames per second, lengths in pixels, shares in 0..=1.

use crate::loss::{Loss, Written};
use crate::plan::StageId;
use crate::units::Exact;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One pretraining.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pretrain {
    /// What it is trained on.
    pub data: Data,
    /// The modalities in the order of the file. A loss may leave some unread; the sampler and the clip list stay those of all.
    pub modalities: Vec<Modality>,
    /// Views of each modality, numbered from 1.
    pub views: u32,
    /// The objective in normal form, weights as `weights` of the file says.
    pub loss: Loss,
    /// How the windows of the views relate in time.
    pub relax: Relaxation,
    /// BatchNorm over each view's batch (two calls) or over all views joined.
    pub bn: BatchNorm,
    /// Samples of a group that BatchNorm takes its statistics over, of each view; `None`: all of the batch. It divides `bs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bn_group: Option<u32>,
    /// Batch size.
    pub bs: u32,
    /// Samples per epoch; the last incomplete batch is dropped.
    pub es: u64,
    /// Epochs; 0 leaves the weights random.
    pub ep: u32,
    /// The optimiser.
    pub optim: Optimiser,
    /// Arithmetic of the networks.
    pub precision: Precision,
    /// The seed of all random numbers.
    pub seed: u64,
}

impl Pretrain {
    /// Optimiser steps per epoch: whole batches only.
    pub fn steps_per_epoch(&self) -> u64 {
        self.es / u64::from(self.bs)
    }

    /// The modality of this name.
    pub fn modality(&self, name: &str) -> Option<&Modality> {
        self.modalities.iter().find(|m| m.name == name)
    }
}

/// One modality of a pretraining with its networks and rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Modality {
    /// `v`, `a`, ...: the prefix of its parameter groups `v.f`, `v.h`.
    pub name: String,
    /// What a view of it is.
    pub clip: Clip,
    /// The augmentation of each view.
    pub augment: Chain,
    /// `f`: backbone, then projector (encoder in the paper's words).
    pub f: Network,
    /// `h`: the predictor; `None` where no loss asks for it.
    pub h: Option<Network>,
    /// Learning rate of `f`.
    pub lr_b: Schedule,
    /// Learning rate of `h`.
    pub lr_p: Schedule,
}

/// The shape of one view, or of one clip at evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clip {
    /// `8x112px @ 16fps`: `[3, frames, size, size]`.
    Video {
        /// Frames of the clip.
        frames: u32,
        /// Height and width in pixels.
        size: u32,
        /// Frames per second.
        fps: Exact,
    },
    /// `2s @ 16kHz` through the log-mel: `[1, bands, columns]`.
    Audio {
        /// Samples of the clip.
        samples: u32,
        /// Samples per second.
        rate: Exact,
        /// The spectrogram.
        mel: LogMel,
    },
    /// The words that fall into a window: `[tokens]` word numbers. Places behind the last word are empty, words behind the last
    /// place are left out.
    Text {
        /// Length of the window in seconds.
        seconds: Exact,
        /// Places for words.
        tokens: u32,
        /// The stream of timed words.
        from: Words,
    },
    /// The motion in a clip of another modality, across and down in pixels: `[2, frames, size, size]`. Frame i holds the flow
    /// from frame i to the next; the last one that of the frame before it. It is read from the frames of that modality's own
    /// views, so its windows are theirs.
    Flow {
        /// Frames of the clip.
        frames: u32,
        /// Height and width in pixels.
        size: u32,
        /// Frames per second.
        fps: Exact,
        /// The modality of video whose frames it is computed from.
        of: String,
        /// How it is computed.
        method: FlowMethod,
    },
}

/// The stream that a modality of text reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Words {
    /// Captions or subtitles: words with their times, beside each file.
    Captions,
}

/// How optical flow is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowMethod {
    /// The duality-based TV-L1 method.
    Tvl1,
}

impl Clip {
    /// Length of the clip in seconds.
    pub fn seconds(&self) -> Exact {
        match self {
            Clip::Video { frames, fps, .. } | Clip::Flow { frames, fps, .. } => {
                Exact(Exact::whole(i128::from(*frames)).0 / fps.0)
            }
            Clip::Audio { samples, rate, .. } => {
                Exact(Exact::whole(i128::from(*samples)).0 / rate.0)
            }
            Clip::Text { seconds, .. } => *seconds,
        }
    }

    /// What its ticks are.
    pub fn domain(&self) -> Domain {
        match self {
            Clip::Video { .. } => Domain::Frames,
            Clip::Audio { .. } => Domain::Wave,
            Clip::Text { .. } => Domain::Words,
            Clip::Flow { .. } => Domain::Flow,
        }
    }

    /// Length of the clip in its own ticks: frames, samples or places for words.
    pub fn ticks(&self) -> u32 {
        match self {
            Clip::Video { frames, .. } | Clip::Flow { frames, .. } => *frames,
            Clip::Audio { samples, .. } => *samples,
            Clip::Text { tokens, .. } => *tokens,
        }
    }

    /// Ticks per second; `None` for words, which come when they come.
    pub fn rate(&self) -> Option<Exact> {
        match self {
            Clip::Video { fps, .. } | Clip::Flow { fps, .. } => Some(*fps),
            Clip::Audio { rate, .. } => Some(*rate),
            Clip::Text { .. } => None,
        }
    }

    /// The stream of a source that it is read from: `v` for pictures, `a` for sound, `captions` for words; so data sets name
    /// their streams, whatever a file calls its modalities.
    pub fn stream(&self) -> &'static str {
        match self {
            Clip::Video { .. } | Clip::Flow { .. } => "v",
            Clip::Audio { .. } => "a",
            Clip::Text {
                from: Words::Captions,
                ..
            } => "captions",
        }
    }

    /// The modality whose decoded frames it is computed from; `None` for what is decoded by itself.
    pub fn derived_from(&self) -> Option<&str> {
        match self {
            Clip::Flow { of, .. } => Some(of),
            Clip::Video { .. } | Clip::Audio { .. } | Clip::Text { .. } => None,
        }
    }
}

/// A natural-log mel spectrogram as the released code computes it: power spectrum of a periodic Hann window, Slaney filters
/// from 0 to half the rate, `ln(mel + 1.19e-7)`, then `(x + 5.3688107) / 4.410007`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogMel {
    /// Mel bands.
    pub bands: u32,
    /// Samples from one column to the next.
    pub hop: u32,
    /// Samples of the window and of the transform.
    pub fft: u32,
    /// `true`: mirrored by `fft / 2` on both sides, `samples / hop + 1` columns, as librosa 0.8. `false`: mirrored by
    /// `(fft - hop) / 2`, so that each column is centred on its own hop and there are `samples / hop` columns (the paper's 200).
    pub centre: bool,
}

impl LogMel {
    /// Columns of a spectrogram of so many samples.
    pub fn columns(&self, samples: u32) -> u32 {
        if self.centre {
            // Half of an odd window is rounded down on both sides, so one sample is missing.
            samples.saturating_sub(self.fft % 2) / self.hop + 1
        } else {
            samples / self.hop
        }
    }
}

/// A data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Data {
    /// Clips rendered on the fly.
    Synthetic(Synthetic),
    /// Video files, most with sound.
    Videos(Files),
    /// Sound files.
    Sounds(Files),
}

/// Files on this machine; where they lie is in `crisscross.toml` under `name`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Files {
    /// The data set's name, the key in `crisscross.toml`.
    pub name: String,
    /// Training clips as published, for estimates; the manifest has the real number.
    pub train: u64,
    /// Classes of the label column.
    pub classes: u32,
    /// Streams that a file must have to be used: `v`, `a`, `captions`.
    pub requires: Vec<String>,
    /// Folds or splits that scores are averaged over; 1 where the set has one split.
    pub splits: u32,
    /// What happens to a source shorter than its window.
    pub short: Short,
    /// The CSV column that holds the class.
    pub label: String,
    /// Seconds that every source lasts at least, where the file says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<Exact>,
    /// Seconds that each required stream of a file must exceed for the file to be used; `None` asks for no such thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longer: Option<Exact>,
}

/// Clips in which a textured shape moves and a tone follows its motion after `lag`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Synthetic {
    /// Number of clips.
    pub clips: u32,
    /// Number of classes; the class of clip `i` is `i % classes`.
    pub classes: u32,
    /// Length of each clip in seconds.
    pub length: Exact,
    /// Seconds by which the sound follows the picture.
    pub lag: Exact,
    /// Seed of the rendering.
    pub seed: u64,
    /// Streams that the clips have: `v`, `a`, `captions`; a stand-in for a data set of sounds has `a` alone.
    pub streams: Vec<String>,
    /// Folds that scores are averaged over.
    pub splits: u32,
}

impl Synthetic {
    /// The fold of a clip. With one split every fourth clip of a class is test, from its second on. Otherwise the clips of a class take
    /// the folds in turn.
    pub fn fold(&self, clip: u32) -> u32 {
        let of_class = clip / self.classes.max(1);
        match self.splits {
            0 | 1 => u32::from(of_class % 4 == 1),
            splits => 1 + of_class % splits,
        }
    }
}

impl Data {
    /// Streams that a clip of this set must have.
    pub fn requires(&self) -> &[String] {
        match self {
            Data::Synthetic(s) => &s.streams,
            Data::Videos(f) | Data::Sounds(f) => &f.requires,
        }
    }

    /// Training clips as declared; of files the manifest has the real number.
    pub fn clips(&self) -> u64 {
        match self {
            Data::Synthetic(s) => s.clips.into(),
            Data::Videos(f) | Data::Sounds(f) => f.train,
        }
    }
}

/// What happens to a source that is shorter than the window asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Short {
    /// The file is left out, and counted.
    Skip,
    /// The source is repeated.
    Loop,
    /// The sound is filled up with zeros, the last frame is repeated.
    Pad,
    /// The run stops.
    Error,
}

/// A chain of augmentations, left to right. Wave links come before spectrogram links; the log-mel stands between.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    /// One draw for each frame instead of one for the clip.
    pub per_frame: bool,
    /// The links.
    pub links: Vec<Link>,
}

impl Chain {
    /// The modality whose view it follows, if it is `follow(v)`.
    pub fn follows(&self) -> Option<&str> {
        self.links.iter().find_map(|link| {
            if let Link::Follow { modality } = link {
                Some(modality.as_str())
            } else {
                None
            }
        })
    }
}

/// What an augmentation works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Domain {
    Frames,
    Wave,
    Spectrogram,
    Words,
    Flow,
}

/// One augmentation (Tables S1 and S2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Link {
    /// MSC: random resized crop, area share from `min_area` to 1, aspect 3/4 to 4/3.
    MultiScaleCrop { min_area: Exact },
    /// HF.
    HorizontalFlip { p: Exact },
    /// CJ: factors `1 +- value` (hue: `+- value` turns), the four operations in random order.
    ColorJitter {
        brightness: Exact,
        contrast: Exact,
        saturation: Exact,
        hue: Exact,
    },
    /// GS.
    GrayScale {
        p: Exact,
        #[serde(default, skip_serializing_if = "Levels::is_exact")]
        levels: Levels,
    },
    /// GB: `sigma` in pixels as `pair` says, kernel side `size / 20 * 2 + 1`.
    GaussianBlur {
        p: Exact,
        sigma: (Exact, Exact),
        #[serde(default, skip_serializing_if = "Pair::is_range")]
        pair: Pair,
        #[serde(default, skip_serializing_if = "Levels::is_exact")]
        levels: Levels,
    },
    /// C: squares of side up to `max` pixels.
    Cutout { max: u32, count: u32, fill: Fill },
    /// VJ: gain from `1 - range` to `1 + range`.
    VolumeJitter { range: Exact },
    /// TM: masks of up to `max` columns, filled with the mean.
    TimeMask {
        max: u32,
        count: u32,
        #[serde(default, skip_serializing_if = "Widths::is_exclusive")]
        widths: Widths,
    },
    /// FM: masks of up to `max` bands, filled with the mean.
    FreqMask {
        max: u32,
        count: u32,
        #[serde(default, skip_serializing_if = "Widths::is_exclusive")]
        widths: Widths,
    },
    /// RC: crop of `range` times the size out of a canvas of `canvas` (frequency, time) times the size, resized back (bicubic).
    RandomCrop {
        range: (Exact, Exact),
        canvas: (Exact, Exact),
    },
    /// TW: one column moved by up to `window`.
    TimeWarp { window: u32 },
    /// DW: each word left out with probability `p`; its place is empty.
    DropWords { p: Exact },
    /// The crops and flips of the view of `modality` that the flow is computed from, with the same draws. A flip turns the
    /// motion across, a crop scales motion with the picture; operations on colour and cutouts are those of frames alone.
    Follow { modality: String },
}

/// What an operation on pictures leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Levels {
    /// The numbers as they are.
    #[default]
    Exact,
    /// Whole levels of 8 bits: grey rounded, blur cut off (the released code).
    Whole,
}

impl Levels {
    fn is_exact(&self) -> bool {
        *self == Levels::Exact
    }
}

/// What the two sigmas of a blur are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pair {
    /// The ends of a range from which one is drawn, the same across and down (the paper, as SimCLR).
    #[default]
    Range,
    /// The sigma across and the sigma down, never drawn (the released code).
    Axes,
}

impl Pair {
    fn is_range(&self) -> bool {
        *self == Pair::Range
    }
}

/// Whether a mask may be as wide as its `max`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Widths {
    /// From 0 to `max - 1` (the released code).
    #[default]
    Exclusive,
    /// From 0 to `max` (the paper's "max size").
    Inclusive,
}

impl Widths {
    fn is_exclusive(&self) -> bool {
        *self == Widths::Exclusive
    }

    /// The widest mask of this `max`.
    pub fn widest(self, max: u32) -> u32 {
        match self {
            Widths::Exclusive => max.saturating_sub(1),
            Widths::Inclusive => max,
        }
    }
}

/// What a cut-out square is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// The mean of the normalised first frame (the paper).
    FirstFrameMean,
    /// The square is multiplied by that mean (the released code).
    TimesFirstFrameMean,
}

impl Link {
    /// What the link works on.
    pub fn domain(&self) -> Domain {
        match self {
            Link::MultiScaleCrop { .. }
            | Link::HorizontalFlip { .. }
            | Link::ColorJitter { .. }
            | Link::GrayScale { .. }
            | Link::GaussianBlur { .. }
            | Link::Cutout { .. } => Domain::Frames,
            Link::VolumeJitter { .. } => Domain::Wave,
            Link::TimeMask { .. }
            | Link::FreqMask { .. }
            | Link::RandomCrop { .. }
            | Link::TimeWarp { .. } => Domain::Spectrogram,
            Link::DropWords { .. } => Domain::Words,
            Link::Follow { .. } => Domain::Flow,
        }
    }

    /// Whether it moves what is in a picture and changes no value: what can be done to optical flow as well.
    pub fn is_geometric(&self) -> bool {
        match self {
            Link::MultiScaleCrop { .. } | Link::HorizontalFlip { .. } => true,
            Link::ColorJitter { .. }
            | Link::GrayScale { .. }
            | Link::GaussianBlur { .. }
            | Link::Cutout { .. }
            | Link::VolumeJitter { .. }
            | Link::TimeMask { .. }
            | Link::FreqMask { .. }
            | Link::RandomCrop { .. }
            | Link::TimeWarp { .. }
            | Link::DropWords { .. }
            | Link::Follow { .. } => false,
        }
    }

    /// The short name of the paper, also the last part of the link's random-number path: `MSC`, `HF`, ...
    pub fn short(&self) -> &'static str {
        match self {
            Link::MultiScaleCrop { .. } => "MSC",
            Link::HorizontalFlip { .. } => "HF",
            Link::ColorJitter { .. } => "CJ",
            Link::GrayScale { .. } => "GS",
            Link::GaussianBlur { .. } => "GB",
            Link::Cutout { .. } => "C",
            Link::VolumeJitter { .. } => "VJ",
            Link::TimeMask { .. } => "TM",
            Link::FreqMask { .. } => "FM",
            Link::RandomCrop { .. } => "RC",
            Link::TimeWarp { .. } => "TW",
            Link::DropWords { .. } => "DW",
            Link::Follow { .. } => "follow",
        }
    }
}

/// A network: its layers, or `same(v.h)`, the parameters of another group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// The layers in order; the first of an `f` is its backbone.
    pub layers: Vec<Layer>,
    /// The group whose parameters it shares, e.g. `v.h`.
    pub same: Option<String>,
}

impl Layer {
    /// Whether it makes a vector of a clip: the first layer of an `f`, and of nothing else.
    pub fn is_backbone(&self) -> bool {
        match self {
            Layer::R2plus1d { .. } | Layer::Resnet { .. } | Layer::BagOfWords { .. } => true,
            Layer::Fc { .. } | Layer::Bn | Layer::Relu | Layer::L2 => false,
        }
    }
}

impl Network {
    /// The width of the output vector: that of the last linear layer, or of the backbone: 512/64 times its width, or the width of
    /// its words.
    pub fn width(&self) -> Option<u32> {
        self.layers.iter().rev().find_map(|layer| match layer {
            Layer::Fc { width } => Some(*width),
            Layer::R2plus1d { width, .. } | Layer::Resnet { width, .. } => Some(8 * width),
            Layer::BagOfWords { width, .. } => Some(*width),
            Layer::Bn | Layer::Relu | Layer::L2 => None,
        })
    }

    /// Whether BatchNorm is a part of it: by itself, or in a backbone.
    pub fn has_norm(&self) -> bool {
        self.layers.iter().any(|layer| match layer {
            Layer::Bn | Layer::R2plus1d { .. } | Layer::Resnet { .. } => true,
            Layer::BagOfWords { .. } | Layer::Fc { .. } | Layer::Relu | Layer::L2 => false,
        })
    }
}

/// One layer of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// R(2+1)D (Table S5), `[B, 3, T, H, W]` to `[B, 8 width]`; stages of `width`, 2, 4 and 8 `width` channels. Of optical flow
    /// `[B, 2, T, H, W]`: its stem has the channels of the clip.
    R2plus1d {
        /// 10 (one block a stage), 18 or 34.
        depth: u32,
        /// Channels of the stem and the first stage; 64 in the paper.
        width: u32,
        /// The stride of each block; empty for the paper's, 2 in the first block of every stage but the first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        strides: Vec<u32>,
    },
    /// ResNet (Table S6), `[B, channels, F, T]` to `[B, 8 width]`.
    Resnet {
        /// 10 (one block a stage), 18 or 34.
        depth: u32,
        /// Channels of the stem and the first stage; 64 in the paper.
        width: u32,
        /// Channels of the input.
        channels: u32,
        /// The stride of each block; empty for the paper's, 2 in the first block of every stage but the first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        strides: Vec<u32>,
    },
    /// The mean of the embeddings of the words that are there: `[B, tokens]` to `[B, width]`; without any word, zeros.
    BagOfWords {
        /// Words that have an embedding; others count as empty places.
        vocab: u32,
        /// Values of an embedding.
        width: u32,
    },
    /// A linear layer with bias.
    Fc {
        /// Values of the output.
        width: u32,
    },
    /// BatchNorm over the batch.
    Bn,
    /// ReLU.
    Relu,
    /// Division by the Euclidean norm of the vector.
    L2,
}

/// The joint law of the windows' starts (Sec. 4.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relaxation {
    /// How the windows of one modality relate.
    pub within: Within,
    /// How the windows of two modalities relate.
    pub across: Across,
    /// Modalities, sorted, of which one window, any of those drawn with equal chance, serves all views.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub same: Vec<String>,
}

/// How the two windows of one modality relate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// One window for all views (`none`).
    Same,
    /// Consecutive windows that share this part of a clip's length; 1/2 is `mild`, 0 is `medium`.
    Overlap {
        /// The share, in 0..=1.
        share: Exact,
        /// Of each modality's own clip (`None`), or of the clip of this modality, for all.
        of: Option<String>,
    },
    /// One window from each half (`extreme`, the paper's reading).
    Halves,
    /// Each window this many seconds after the one before, in all modalities.
    Offset(Exact),
    /// Second start = first start + the largest first start (`extreme` of the released code).
    OffsetMax,
    /// Independent draws (`mixed`).
    Independent,
}

/// Where the shorter window lies in the longer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Across {
    /// Uniformly inside.
    Inside,
    /// Equal starts.
    Start,
    /// Equal centres.
    Centre,
}

/// BatchNorm over one view's batch or over all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchNorm {
    /// Each view in a call of its own; running statistics move once per view, in view order.
    PerView,
    /// All views of a modality in one call.
    Joint,
}

/// A learning rate over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// One rate.
    Constant(Exact),
    /// Linear from 0 over `warmup` epochs, then half a cosine from `from` to `to`.
    Cosine {
        /// The rate after the warm-up.
        from: Exact,
        /// The rate at the end.
        to: Exact,
        /// Epochs of warm-up.
        warmup: Exact,
    },
    /// `base`, times `gamma` at each milestone.
    Multistep {
        /// The first rate.
        base: Exact,
        /// Epochs.
        milestones: Vec<Exact>,
        /// The factor.
        gamma: Exact,
    },
    /// One step late: `first` in step 0, then entry k - 1 of `of` in step k (the released code).
    Late {
        /// The rate of step 0.
        first: Exact,
        /// What comes one step late.
        of: Box<Schedule>,
    },
}

impl Schedule {
    /// The schedule without its delay.
    pub fn in_time(&self) -> &Schedule {
        match self {
            Schedule::Late { of, .. } => of.in_time(),
            Schedule::Constant(_) | Schedule::Cosine { .. } | Schedule::Multistep { .. } => self,
        }
    }

    /// The same, to be changed.
    pub fn in_time_mut(&mut self) -> &mut Schedule {
        match self {
            Schedule::Late { of, .. } => of.in_time_mut(),
            Schedule::Constant(_) | Schedule::Cosine { .. } | Schedule::Multistep { .. } => self,
        }
    }
}

/// The optimiser of all groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimiser {
    /// Adam with L2 weight decay in the gradient, as PyTorch's `Adam`.
    Adam {
        /// Decay of the two moments.
        betas: (Exact, Exact),
        /// Weight decay, on every parameter.
        wd: Exact,
    },
    /// SGD with momentum.
    Sgd {
        /// Momentum.
        mtm: Exact,
        /// Weight decay.
        wd: Exact,
    },
    /// LARC in clip mode over another optimiser.
    Larc {
        /// The optimiser that takes the step.
        inner: Box<Optimiser>,
        /// The trust coefficient.
        trust: Exact,
    },
}

/// Arithmetic of the networks; distances are float32 at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Mixed precision where the device has it; float32 on the CPU.
    Amp,
    /// float32.
    Fp32,
    /// bfloat16 autocast.
    Bf16,
    /// float16 autocast, with the loss scaled so that gradients stay in range.
    Fp16,
    /// float64.
    Fp64,
}

/// One evaluation protocol on one data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Eval {
    /// What it is evaluated on.
    pub data: Data,
    /// The modality whose backbone is used.
    pub uses: String,
    /// The clip that the backbone sees.
    pub clip: Clip,
    /// Clips of each training sample: augmented, at random times or evenly spaced.
    pub train: Clips,
    /// Clips of each test sample: not augmented.
    pub test: Clips,
    /// The augmentation of training clips.
    pub augment: Chain,
    /// From the last convolution's map to a vector.
    pub features: Vec<FeatureStep>,
    /// The classifier.
    pub head: Head,
    /// What is reported.
    pub score: Score,
}

/// How many clips of a sample, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clips {
    /// Uniformly drawn starts.
    Random(u32),
    /// Evenly spaced starts from the first to the last possible.
    Uniform(u32),
    /// Evenly spaced starts in the first seconds of a sample, whose rest is not seen.
    UniformWithin(u32, Exact),
}

/// One step from `conv5` to features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureStep {
    /// Max-pool without padding; kernel and stride along (time, height, width) or (frequency, time).
    MaxPool {
        /// Kernel.
        kernel: Vec<u32>,
        /// Stride.
        stride: Vec<u32>,
    },
    /// L2-normalisation along the map's last axis, as the released code does before an SVM.
    L2,
    /// L2-normalisation of all values of a clip, as the released code does before a linear layer.
    L2Vector,
    /// A BatchNorm that was never trained, in eval mode: division by `sqrt(1 + 1e-5)`.
    Bn,
    /// Mean over the clips of a sample.
    MeanClips,
}

/// What is fitted, or compared, to get from features to a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// One-vs-rest linear SVM, squared hinge, L2 penalty, regularised intercept (scikit-learn's `LinearSVC`).
    Svm {
        /// Costs tried.
        costs: Vec<Exact>,
        /// How the cost is chosen.
        choose: Choose,
    },
    /// A linear layer with softmax on frozen features, where these are too many to hold (App. E.1).
    Linear(Box<Linear>),
    /// Training samples in the order of their cosine similarity to a test sample (App. E.3).
    Neighbours,
    /// A linear layer on the pooled map, trained with the whole backbone (Table S11).
    Finetune(Box<Finetune>),
}

impl Head {
    /// What its cost, or the epoch whose weights are scored, is chosen on; `None` where nothing is.
    pub fn choose(&self) -> Option<Choose> {
        let keep = match self {
            Head::Svm { choose, .. } => return Some(*choose),
            Head::Linear(recipe) => recipe.keep(),
            Head::Finetune(recipe) => recipe.keep,
            Head::Neighbours => Keep::Last,
        };
        match keep {
            Keep::Last => None,
            Keep::Best(choose) => Some(choose),
        }
    }
}

/// The recipe of a linear layer on frozen features. What the file leaves open is `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// Epochs.
    pub ep: u32,
    /// Learning rate.
    pub lr: Schedule,
    /// Batch size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bs: Option<u32>,
    /// The optimiser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optim: Option<Optimiser>,
    /// Dropout before the layer, in 0..=1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drp: Option<Exact>,
    /// The epoch whose weights are scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
}

impl Linear {
    /// Batch size; 512, as in the released code for DCASE, where the file leaves it open. Of fewer rows all are a batch.
    pub fn bs(&self) -> u32 {
        self.bs.unwrap_or(512)
    }

    /// The optimiser; Adam without weight decay where the file leaves it open.
    pub fn optim(&self) -> Optimiser {
        self.optim.clone().unwrap_or(Optimiser::Adam {
            betas: (Exact::new(9, 10), Exact::new(999, 1000)),
            wd: Exact::whole(0),
        })
    }

    /// Dropout before the layer; none where the file leaves it open.
    pub fn drp(&self) -> Exact {
        self.drp.unwrap_or(Exact::whole(0))
    }

    /// The epoch whose weights are scored; the last one where the file leaves it open.
    pub fn keep(&self) -> Keep {
        self.keep.unwrap_or(Keep::Last)
    }
}

/// The recipe of full finetuning (App. E.2, Table S11).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finetune {
    /// From the last convolution's map to one value for each channel.
    pub pool: Pool,
    /// Dropout before the layer, in 0..=1.
    pub drp: Exact,
    /// Batch size.
    pub bs: u32,
    /// Samples per epoch.
    pub es: u64,
    /// Epochs.
    pub ep: u32,
    /// The optimiser.
    pub optim: Optimiser,
    /// Learning rate.
    pub lr: Schedule,
    /// The epoch whose weights are scored.
    pub keep: Keep,
}

impl Finetune {
    /// Optimiser steps per epoch: whole batches only.
    pub fn steps_per_epoch(&self) -> u64 {
        self.es / u64::from(self.bs)
    }
}

/// A pool over the whole map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// The largest value of each channel.
    AdaptiveMax,
    /// The mean of each channel.
    AdaptiveMean,
}

/// The epoch of a finetuning or of a linear layer whose weights are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The last one.
    Last,
    /// The one with the best score, as the released code does on the test split (A19).
    Best(Choose),
}

/// What a choice is made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choose {
    /// On the test split, as the released code does (A19).
    Test,
    /// On this share of the training samples, held out class by class; then refitted on all.
    Val(Exact),
    /// By cross-validation of the training samples, then refitted on all: so many folds drawn class by class, or where none are said the
    /// other folds of the data set, which keep its groups together.
    Folds(Option<u32>),
}

impl Choose {
    /// The training samples of a class without which there is nothing to choose by, or nothing to fit: one that is held out and one that
    /// is not, one for each fold that is drawn.
    pub fn samples(self) -> u32 {
        match self {
            Choose::Test | Choose::Folds(None) => 1,
            Choose::Val(_) => 2,
            Choose::Folds(Some(count)) => count,
        }
    }
}

/// What is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// Share of test samples whose class has the highest mean score over their clips, in percent.
    Top1,
    /// Share of test samples whose class has one of the five highest mean scores over their clips, in percent.
    Top5,
    /// R@k: share of test samples with one of their own class among the `k` nearest training samples, in percent (Table 7).
    Recall(u32),
}

impl Score {
    /// A sample is right whose class is among so many of the first.
    pub fn within(self) -> u32 {
        match self {
            Score::Top1 => 1,
            Score::Top5 => 5,
            Score::Recall(k) => k,
        }
    }
}

/// An evaluation as a table asks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// One modality.
    Single(Box<Eval>),
    /// Late fusion: features of several modalities side by side, then one classifier (Table 2).
    Fused(Fusion),
}

/// Late fusion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fusion {
    /// The protocols whose features stand side by side, on one data set; their own heads and scores are not used.
    pub parts: Vec<Eval>,
    /// The classifier.
    pub head: Head,
    /// What is reported.
    pub score: Score,
}

impl Protocol {
    /// The protocols that extract features: one, or those that are fused.
    pub fn parts(&self) -> &[Eval] {
        match self {
            Protocol::Single(eval) => std::slice::from_ref(eval.as_ref()),
            Protocol::Fused(fusion) => &fusion.parts,
        }
    }

    /// The data set; the parts of a fusion have one.
    pub fn data(&self) -> Option<&Data> {
        self.parts().first().map(|eval| &eval.data)
    }

    /// The classifier.
    pub fn head(&self) -> &Head {
        match self {
            Protocol::Single(eval) => &eval.head,
            Protocol::Fused(fusion) => &fusion.head,
        }
    }

    /// What is reported.
    pub fn score(&self) -> Score {
        match self {
            Protocol::Single(eval) => eval.score,
            Protocol::Fused(fusion) => fusion.score,
        }
    }
}

/// What a figure draws of each of its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drawing {
    /// Where samples lie beside each other in a plane (Figure 1).
    Embedding(Box<Embedded>),
    /// What of a sample the networks look at (Figure 3).
    Saliency(Box<Saliency>),
    /// Samples with their nearest neighbours, right and wrong (Figures S1 and S2).
    Gallery(Box<Gallery>),
}

impl Drawing {
    /// The data set whose samples it shows.
    pub fn data(&self) -> &Data {
        match self {
            Drawing::Embedding(embedded) => &embedded.of.data,
            Drawing::Saliency(saliency) => &saliency.of.data,
            Drawing::Gallery(gallery) => &gallery.eval.data,
        }
    }

    /// The samples that are drawn; of a gallery its extraction decides.
    pub fn sampled(&self) -> Option<&Sampled> {
        match self {
            Drawing::Embedding(embedded) => Some(&embedded.of),
            Drawing::Saliency(saliency) => Some(&saliency.of),
            Drawing::Gallery(_) => None,
        }
    }

    /// The modality whose backbone is used.
    pub fn uses(&self) -> &str {
        match self {
            Drawing::Embedding(embedded) => &embedded.of.uses,
            Drawing::Saliency(saliency) => &saliency.of.uses,
            Drawing::Gallery(gallery) => &gallery.eval.uses,
        }
    }
}

/// Samples as points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Embedded {
    /// The samples.
    pub of: Sampled,
    /// From the last convolution's map to the vector that is projected.
    pub features: Vec<FeatureStep>,
    /// From the vector to the plane.
    pub by: Projection,
}

/// Samples with a map of what the networks look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saliency {
    /// The samples.
    pub of: Sampled,
    /// Of what Grad-CAM takes the gradient at the last convolution's map.
    pub target: Target,
    /// Smooth Grad-CAM++ in the place of Grad-CAM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smooth: Option<Smooth>,
}

/// The noisy copies of a clip over which Smooth Grad-CAM++ averages its gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smooth {
    /// Copies.
    pub draws: u32,
    /// The standard deviation of their noise, as a share of the range of the clip's values.
    pub noise: Exact,
}

/// Queries from the test samples, each with the training samples nearest to it; a neighbour of the query's class is right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gallery {
    /// The retrieval whose features are searched; its score is not used.
    pub eval: Eval,
    /// Test samples drawn as queries.
    pub queries: u32,
    /// Neighbours shown of each.
    pub top: u32,
}

/// Samples drawn from a data set by the seed of the pretraining, and their clips, none of them augmented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampled {
    /// The data set.
    pub data: Data,
    /// The modality whose backbone is used.
    pub uses: String,
    /// The clip that it sees.
    pub clip: Clip,
    /// Clips of each sample.
    pub clips: Clips,
    /// The part of the data set that they come from.
    pub split: Part,
    /// How many.
    pub samples: u32,
}

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Part {
    Train,
    Test,
}

/// From features to the plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Projection {
    /// t-SNE.
    Tsne {
        /// The effective number of neighbours.
        perplexity: Exact,
    },
    /// The two directions of largest variance.
    Pca,
}

/// Of what a saliency map takes the gradient: without labels there is no class to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The cosine similarity of the embedding with that of the other modality at the same moment.
    Agreement,
    /// The length of the backbone's output.
    Activation,
}

/// A curve over the steps of a training, a column of its `metrics.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Curve {
    /// The objective.
    #[serde(rename = "train.loss")]
    Loss,
    /// Each term of it.
    #[serde(rename = "train.terms")]
    Terms,
    /// The learning rate of each group.
    #[serde(rename = "train.rates")]
    Rates,
}

impl Curve {
    /// All curves.
    pub const ALL: [Curve; 3] = [Curve::Loss, Curve::Terms, Curve::Rates];

    /// As a file writes it.
    pub fn name(self) -> &'static str {
        match self {
            Curve::Loss => "train.loss",
            Curve::Terms => "train.terms",
            Curve::Rates => "train.rates",
        }
    }
}

/// Where a value came from, for `explain`: kept beside a closed record, never hashed. Paths such as `v.lr_b`.
pub type Provenance = BTreeMap<String, Vec<grammar::span::Span>>;

/// A table or figure: closed rows and the columns they are scored by.
#[derive(Clone, Debug)]
pub struct Table {
    /// What the rows of a figure are drawn against, a path such as `relax` or `of.data.train`; `None` for a table, and where there
    /// are no points to draw.
    pub x: Option<String>,
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: Option<String>,
    /// Where it is declared.
    pub span: grammar::span::Span,
    /// The columns: `linear8 on UCF101`, and the protocol.
    pub scores: Vec<(String, Protocol)>,
    /// What a figure draws, each with its heading.
    pub drawings: Vec<(String, Drawing)>,
    /// The curves of its trainings.
    pub curves: Vec<Curve>,
    /// The rows in order, `for` unrolled.
    pub rows: Vec<Row>,
}

/// One row: a closed pretraining and the published numbers.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its number in its table, from 1.
    pub number: usize,
    /// Its label, or the overrides as written: `loss = intra + sync`.
    pub label: String,
    /// The name of the pretraining it starts from.
    pub of: String,
    /// The closed pretraining; a plan keeps this one, not a copy.
    pub pretrain: Arc<Pretrain>,
    /// Its [`crate::hash::pretrain`], made once.
    pub id: StageId,
    /// The epoch after which its weights are scored; `None` is the end.
    pub checkpoint: Option<u32>,
    /// Where it lies on the axis of its figure, as one would write it; never hashed.
    pub at: Option<String>,
    /// Its objective as written; kept beside, never hashed.
    pub written: Written,
    /// The published number of each score as printed.
    pub expect: Vec<Option<String>>,
    /// Where it is written.
    pub span: grammar::span::Span,
    /// Where its values come from.
    pub provenance: Provenance,
}

/// Everything that one `.cc` file asks for, closed and checked.
#[derive(Clone, Debug)]
pub struct Program {
    /// Made with the toy profile: every result is marked.
    pub is_toy: bool,
    /// What the command line set above the file, as a file would write it: `bs = 64`.
    pub set: Vec<String>,
    /// The file is nothing but a loss.
    pub is_bare: bool,
    /// The data sets that the file itself declares, in its order.
    pub data: Vec<Data>,
    /// The pretrainings that the file itself declares, in its order. A bare file has one, `main`.
    pub pretrains: Vec<NamedPretrain>,
    /// The evaluations that the file itself declares and that name their data set.
    pub evals: Vec<(String, Protocol)>,
    /// Its tables in order. A file without any has one, named `pretrains`, with a row for each pretraining and no scores,
    /// so that it can be planned, run and reported like every other.
    pub tables: Vec<Table>,
}

/// A declared pretraining.
#[derive(Clone, Debug)]
pub struct NamedPretrain {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub span: grammar::span::Span,
    /// What it is.
    pub pretrain: Pretrain,
    /// Its objective as written; kept beside, never hashed.
    pub written: Written,
    /// Where its values come from.
    pub provenance: Provenance,
}
