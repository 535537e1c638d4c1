//! What is decoded for a sample, and which part of it is whose view: read off the plan's steps.

use super::sampler::Windows;
use super::source::{Request, Ticks};
use super::views::{begin_views, make_views};
use crate::augment::{Key, REFUSED};
use compiler::graph::Node;
use compiler::hir::{self, Clip};
use compiler::plan;
use compiler::units::Exact;
use std::collections::BTreeMap;
use tch::Tensor;

/// What is read for a sample, by the plan's steps.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// Modality, first view, ticks.
    decodes: Vec<(String, u32, u32)>,
    slices: Vec<Slice>,
    modalities: Vec<hir::Modality>,
}

/// The batch of a view as the step of `pretrain` reads it, of these ticks of each sample; `None` where the whole chain stands in front of it.
pub(crate) fn begun(
    pretrain: &plan::Pretrain,
    (modality, view): (&hir::Modality, u32),
    ticks: &[Ticks],
    keys: &[Key],
) -> Option<Tensor> {
    let reading = Reading::of(pretrain);
    let is_this = |slice: &&Slice| slice.modality == modality.name && slice.view == view;
    let host = reading.slices.iter().find(is_this)?.host?;
    Some(begin_views(modality, host, ticks, keys))
}

/// One view's ticks in what was decoded.
#[derive(Clone, Debug)]
struct Slice {
    decode: usize,
    modality: String,
    view: u32,
    start: i64,
    length: i64,
    /// What of the chain stands in front of the batch; `None`: all of it.
    host: Option<Host>,
}

/// The part of a chain that is done sample by sample: its first links, and whether the conversion is among it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Host {
    pub links: usize,
    pub converts: bool,
}

impl Slice {
    fn of(&self, ticks: &Ticks) -> Ticks {
        match ticks {
            Ticks::Frames(frames) => Ticks::Frames(frames.narrow(0, self.start, self.length)),
            Ticks::Wave(wave) => Ticks::Wave(wave.narrow(0, self.start, self.length)),
        }
    }
}

impl Reading {
    /// Reads the steps of `pretrain`.
    pub fn of(pretrain: &plan::Pretrain) -> Self {
        let steps = &pretrain.steps;
        let mut reading = Self {
            decodes: Vec::new(),
            slices: Vec::new(),
            modalities: pretrain.settings.modalities.clone(),
        };
        let mut places = BTreeMap::new();
        // By step: the slice whose ticks it changes in front of the batch, and what is done until then.
        let mut begun: BTreeMap<usize, (usize, Host)> = BTreeMap::new();
        for (at, step) in steps.iter().enumerate() {
            if let Node::Decode {
                modality,
                views,
                length,
            } = &step.node
            {
                places.insert(at, reading.decodes.len());
                reading.decodes.push((modality.clone(), views[0], *length));
            } else if let Node::Slice {
                modality,
                view,
                start,
                length,
            } = &step.node
            {
                begun.insert(at, (reading.slices.len(), Host::default()));
                reading.slices.push(Slice {
                    host: None,
                    decode: places[&step.inputs[0]],
                    modality: modality.clone(),
                    view: *view,
                    start: i64::from(*start),
                    length: i64::from(*length),
                });
            } else if let Some((slice, host)) = step.inputs.first().and_then(|i| begun.get(i)) {
                let (slice, mut host) = (*slice, *host);
                match &step.node {
                    Node::Augment { .. } => host.links += 1,
                    Node::Convert { .. } => host.converts = true,
                    Node::Batch { .. } => {
                        // Where another step of the chain reads the batch, the chain goes on behind it.
                        let goes_on = |other: &plan::Step| {
                            other.inputs.first() == Some(&at)
                                && matches!(other.node, Node::Augment { .. } | Node::Convert { .. })
                        };
                        reading.slices[slice].host = steps.iter().any(goes_on).then_some(host);
                        continue;
                    }
                    Node::Source
                    | Node::Sample
                    | Node::Decode { .. }
                    | Node::Slice { .. }
                    | Node::Encode { .. }
                    | Node::Predict { .. }
                    | Node::Part { .. }
                    | Node::StopGradient
                    | Node::L2
                    | Node::Scale { .. }
                    | Node::Operator { .. }
                    | Node::Term { .. }
                    | Node::Cosines { .. }
                    | Node::Sum { .. } => continue,
                }
                begun.insert(at, (slice, host));
            }
        }
        reading
    }

    /// The one view of a training clip of an evaluation, augmented as that says.
    pub fn of_eval(eval: &hir::Eval) -> Self {
        let (name, ticks) = (eval.uses.clone(), eval.clip.ticks());
        let none = hir::Schedule::Constant(Exact::whole(0));
        // A modality without networks of its own.
        let modality = hir::Modality {
            name: name.clone(),
            clip: eval.clip.clone(),
            augment: eval.augment.clone(),
            f: hir::Network {
                layers: vec![],
                same: None,
            },
            h: None,
            lr_b: none.clone(),
            lr_p: none,
        };
        Self {
            decodes: vec![(name.clone(), 1, ticks)],
            slices: vec![Slice {
                decode: 0,
                modality: name,
                view: 1,
                start: 0,
                length: i64::from(ticks),
                host: None,
            }],
            modalities: vec![modality],
        }
    }

    /// What is to be decoded of a clip for these windows.
    pub fn requests(&self, windows: &Windows) -> Vec<Request> {
        let request_of = |(name, view, ticks): &(String, u32, u32)| {
            let at = self.modalities.iter().position(|m| m.name == *name);
            let at = at.expect("validate: every decode is of a declared modality");
            request(
                &self.modalities[at].clip,
                windows.starts[at][*view as usize - 1],
                *ticks,
            )
        };
        self.decodes.iter().map(request_of).collect()
    }

    /// The ticks of each view of one sample, by modality and number, in what was `decoded` for its requests.
    pub fn ticks(&self, decoded: &[Ticks]) -> BTreeMap<(String, u32), Ticks> {
        let of = |slice: &Slice| {
            let ticks = slice.of(&decoded[slice.decode]);
            ((slice.modality.clone(), slice.view), ticks)
        };
        self.slices.iter().map(of).collect()
    }

    /// The views of some samples, by modality and number.
    ///
    /// - `decoded`: for each request, what was decoded of each sample.
    /// - `keys`: the place of each sample's random numbers.
    pub fn views(&self, decoded: &[Vec<Ticks>], keys: &[Key]) -> BTreeMap<(String, u32), Tensor> {
        let view = |slice: &Slice| {
            let modality = self.modalities.iter().find(|m| m.name == slice.modality);
            let modality = modality.expect("validate: every slice is of a declared modality");
            let place = format!("{}/{}", slice.modality, slice.view);
            let keys: Vec<Key> = keys.iter().map(|key| key.child(&place)).collect();
            let ticks = decoded[slice.decode].iter().map(|ticks| slice.of(ticks));
            let ticks: Vec<Ticks> = ticks.collect();
            let views = match slice.host {
                None => make_views(&modality.clip, Some(&modality.augment), &ticks, &keys),
                Some(host) => begin_views(modality, host, &ticks, &keys),
            };
            ((slice.modality.clone(), slice.view), views)
        };
        self.slices.iter().map(view).collect()
    }
}

/// A request for `ticks` of a modality's clip.
pub(super) fn request(clip: &Clip, start: f64, ticks: u32) -> Request {
    match clip {
        Clip::Video { fps, .. } => Request::Video {
            start,
            frames: ticks,
            fps: *fps,
        },
        Clip::Audio { rate, .. } => Request::Audio {
            start,
            samples: ticks,
            rate: *rate,
        },
        Clip::Text { .. } | Clip::Flow { .. } => unreachable!("{REFUSED}"),
    }
}
