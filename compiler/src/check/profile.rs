//! The toy profile: `toy.cc` read as upper bounds of what an experiment spends.
//!
//! A declaration there bounds all of its kind, whatever file they come from and whatever they are called. A modality bounds
//! the clips of all modalities of the same operator, of views and of evaluations. Numbers become the smaller of the two;
//! what a bound does not name stays.

use super::load::{self, TOY};
use super::record::Record;
use super::{Checker, Env, Slot, layers::Role};
use crate::catalog;
use crate::graph::networks;
use crate::hir::{Clip, Clips, Data, Eval, Head, Layer, Pretrain, Schedule, Synthetic};
use crate::units::Exact;
use grammar::ast::{Body, Kind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Sources;
use std::rc::Rc;

/// The upper bounds of a profile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caps {
    clips: Vec<Clip>,
    layers: Vec<Layer>,
    data: Option<Synthetic>,
    bs: Option<u32>,
    es: Option<u64>,
    ep: Option<u32>,
    train: Option<u32>,
    test: Option<u32>,
}

/// The bounds that `toy.cc` states.
pub(crate) fn caps(sources: &mut Sources, found: &mut Vec<Diagnostic>) -> Caps {
    let name = "toy.cc";
    let known = sources
        .iter()
        .find(|(_, s)| s.name == name && s.text == TOY)
        .map(|(id, _)| id);
    let file = known.unwrap_or_else(|| sources.add(name, TOY));
    let mut own = vec![];
    let modules = load::load(sources, &[file], &|_, _| None, &mut own);
    let mut checker = Checker::new(sources, &modules, None, own);
    let caps = checker.read_caps();
    found.append(&mut checker.found);
    caps
}

impl<'a> Checker<'a> {
    fn read_caps(&mut self) -> Caps {
        let mut caps = Caps::default();
        let decls: Vec<_> = self.decls(0).collect();
        for decl in decls {
            let env = Env::of_module(0);
            let name = decl.name.value.as_str();
            match (decl.kind.value, &decl.body) {
                (Kind::Modality, Body::Expr(expr)) => caps
                    .clips
                    .extend(self.modality(&Slot::new(expr, env, name))),
                (Kind::Layers, Body::Expr(expr)) => {
                    let parts = self
                        .parts(&Slot::new(expr, env, name), None)
                        .unwrap_or_default();
                    for part in parts {
                        let network = self.network(&part.slot, Role::Any);
                        caps.layers
                            .extend(network.into_iter().flat_map(|n| n.layers));
                    }
                }
                (Kind::Data, Body::Expr(expr)) => {
                    if let Some(Data::Synthetic(data)) =
                        self.data_set(&Slot::new(expr, env, name), name)
                    {
                        caps.data = Some(data);
                    }
                }
                (Kind::Pretrain | Kind::Eval, Body::Block(block)) => {
                    let mut record = Record::new(decl.kind.value, name, decl.name.span);
                    self.set_fields(&mut record, block, &env);
                    self.read_record_caps(&Rc::new(record), &mut caps);
                }
                _ => {}
            }
        }
        caps
    }

    fn read_record_caps(&mut self, record: &Rc<Record<'a>>, caps: &mut Caps) {
        let mut number = |name: &str| {
            record
                .slot(name)
                .and_then(|slot| self.whole(&slot, &catalog::COUNT))
        };
        if record.kind == Kind::Pretrain {
            caps.bs = number("bs").and_then(|n| u32::try_from(n).ok());
            caps.es = number("es");
            caps.ep = number("ep").and_then(|n| u32::try_from(n).ok());
            return;
        }
        let clips = |clips: Clips| match clips {
            Clips::Random(n) | Clips::Uniform(n) | Clips::UniformWithin(n, _) => n,
        };
        caps.train = record
            .slot("train")
            .and_then(|slot| self.clips(&slot))
            .map(clips);
        caps.test = record
            .slot("test")
            .and_then(|slot| self.clips(&slot))
            .map(clips);
    }

    /// A clip within the bounds of the profile.
    pub(super) fn capped_clip(&self, clip: Clip) -> Clip {
        self.caps
            .as_ref()
            .map_or(clip.clone(), |caps| caps.bounded_clip(clip))
    }

    /// The stand-in that the profile has for a data set.
    pub(super) fn capped_data(&self, data: Data) -> Data {
        match self.caps.as_ref().and_then(|caps| caps.data.as_ref()) {
            Some(cap) => stand_in(cap, data),
            None => data,
        }
    }
}

/// Synthetic clips with the streams and splits of `data`, no more of them and no more classes than `cap` says.
fn stand_in(cap: &Synthetic, data: Data) -> Data {
    Data::Synthetic(match data {
        Data::Synthetic(own) => Synthetic {
            clips: own.clips.min(cap.clips),
            classes: own.classes.min(cap.classes),
            length: own.length.min(cap.length),
            lag: own.lag.min(cap.lag),
            ..own
        },
        Data::Videos(files) | Data::Sounds(files) => Synthetic {
            classes: files.classes.clamp(1, cap.classes.max(1)),
            streams: files.requires,
            splits: files.splits,
            ..cap.clone()
        },
    })
}

impl Caps {
    fn bounded_clip(&self, clip: Clip) -> Clip {
        let mut clip = clip;
        for cap in &self.clips {
            clip = match (clip, cap) {
                (
                    Clip::Video { frames, size, fps },
                    Clip::Video {
                        frames: f, size: s, ..
                    },
                ) => Clip::Video {
                    frames: frames.min(*f),
                    size: size.min(*s),
                    fps,
                },
                (
                    Clip::Flow {
                        frames,
                        size,
                        fps,
                        of,
                        method,
                    },
                    Clip::Video {
                        frames: f, size: s, ..
                    },
                ) => Clip::Flow {
                    frames: frames.min(*f),
                    size: size.min(*s),
                    fps,
                    of,
                    method,
                },
                (
                    Clip::Text {
                        seconds,
                        tokens,
                        from,
                    },
                    Clip::Text {
                        seconds: s,
                        tokens: n,
                        ..
                    },
                ) => Clip::Text {
                    seconds: seconds.min(*s),
                    tokens: tokens.min(*n),
                    from,
                },
                (Clip::Audio { samples, rate, mel }, Clip::Audio { samples: s, .. }) => {
                    Clip::Audio {
                        samples: samples.min(*s),
                        rate,
                        mel,
                    }
                }
                (other, _) => other,
            };
        }
        clip
    }

    /// Makes a layer no wider and no deeper than its like in the profile's `layers`.
    pub(super) fn bound_layer(&self, layer: &mut Layer) {
        for cap in &self.layers {
            match (&mut *layer, cap) {
                (Layer::Fc { width }, Layer::Fc { width: most }) => *width = (*width).min(*most),
                (
                    Layer::R2plus1d {
                        depth,
                        width,
                        strides,
                    },
                    Layer::R2plus1d {
                        depth: deepest,
                        width: most,
                        ..
                    },
                )
                | (
                    Layer::Resnet {
                        depth,
                        width,
                        strides,
                        ..
                    },
                    Layer::Resnet {
                        depth: deepest,
                        width: most,
                        ..
                    },
                ) => {
                    let shallower = (*depth).min(*deepest);
                    *strides = networks::at_depth(strides, *depth, shallower);
                    *depth = shallower;
                    *width = (*width).min(*most);
                }
                (
                    Layer::BagOfWords { vocab, width },
                    Layer::BagOfWords {
                        vocab: words,
                        width: most,
                    },
                ) => {
                    *vocab = (*vocab).min(*words);
                    *width = (*width).min(*most);
                }
                _ => {}
            }
        }
    }

    /// Makes a run no longer than the profile's `pretrain`; a warm-up stays shorter than the run.
    pub(super) fn bound_pretrain(&self, pretrain: &mut Pretrain) {
        pretrain.bs = pretrain.bs.min(self.bs.unwrap_or(u32::MAX));
        // Groups that do not make up the smaller batch become one.
        let bs = pretrain.bs;
        pretrain.bn_group = pretrain
            .bn_group
            .map(|group| match bs.is_multiple_of(group) {
                true => group,
                false => bs,
            });
        pretrain.es = pretrain
            .es
            .min(self.es.unwrap_or(u64::MAX))
            .max(u64::from(pretrain.bs));
        pretrain.ep = pretrain.ep.min(self.ep.unwrap_or(u32::MAX));
        let longest = Exact::new(i128::from(pretrain.ep), 2);
        for modality in &mut pretrain.modalities {
            for schedule in [&mut modality.lr_b, &mut modality.lr_p] {
                if let Schedule::Cosine { warmup, .. } = schedule.in_time_mut() {
                    *warmup = (*warmup).min(longest);
                }
            }
        }
    }

    /// Takes no more clips of a sample than the profile's `eval`.
    pub(super) fn bound_eval(&self, eval: &mut Eval) {
        match &mut eval.head {
            Head::Finetune(recipe) => {
                recipe.bs = recipe.bs.min(self.bs.unwrap_or(u32::MAX));
                let es = recipe.es.min(self.es.unwrap_or(u64::MAX));
                recipe.es = es.max(u64::from(recipe.bs));
                recipe.ep = recipe.ep.min(self.ep.unwrap_or(u32::MAX));
            }
            Head::Linear(recipe) => {
                recipe.ep = recipe.ep.min(self.ep.unwrap_or(u32::MAX));
                recipe.bs = recipe.bs.map(|bs| bs.min(self.bs.unwrap_or(u32::MAX)));
            }
            Head::Svm { .. } | Head::Neighbours => {}
        }
        for (clips, most) in [(&mut eval.train, self.train), (&mut eval.test, self.test)] {
            let most = most.unwrap_or(u32::MAX);
            *clips = match *clips {
                Clips::Random(n) => Clips::Random(n.min(most)),
                Clips::Uniform(n) => Clips::Uniform(n.min(most)),
                Clips::UniformWithin(n, seconds) => Clips::UniformWithin(n.min(most), seconds),
            };
        }
    }
}
