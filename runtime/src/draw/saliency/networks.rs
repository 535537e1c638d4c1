//! The networks that a map is made with, and the target whose gradient it follows.

use super::cam::{Highlight, Slopes};
use crate::augment::Key;
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::eval::features::Trained;
use crate::loss;
use crate::nn::{self, Backbone, Model};
use compiler::hir::{Saliency, Smooth, Target};
use compiler::plan;
use tch::{Device, Kind, Tensor, no_grad, with_grad};

/// Trained networks that learn no more, as far as the target of a map needs them.
pub struct Networks {
    of: Asked,
    kind: Kind,
    device: Device,
}

/// What the target needs beside the backbone's map.
enum Asked {
    /// Nothing: it is the length of the output.
    Activation(Backbone),
    /// Both encoders, by their groups.
    Agreement {
        model: Model,
        own: String,
        other: String,
    },
}

/// What a clip shows.
#[derive(Debug)]
pub struct Seen {
    /// The target: a cosine similarity, or a length.
    pub target: f64,
    /// What it rests on.
    pub map: Highlight,
}

impl Networks {
    /// Those of `model` that `saliency` needs, with their weights. Embeddings are those of the encoders `f`, backbone and projector, on both
    /// sides: no predictor stands between them, for the loss has one on one side alone, and the similarity of two moments has no sides.
    ///
    /// # Errors
    /// As [`checkpoint::load`]; what the plan does not let through.
    pub fn load(model: Trained<'_>, saliency: &Saliency, device: Device) -> Result<Self> {
        let settings = model.settings;
        let uses = &saliency.of.uses;
        let of = match saliency.target {
            Target::Activation => {
                let (backbone, parameters) = Backbone::of_modality(settings, uses, device)?;
                checkpoint::load(model.weights, parameters.entries())?;
                Asked::Activation(backbone)
            }
            Target::Agreement => {
                let unsupported = |message| Error::Unsupported { message };
                let other = plan::partner(settings, uses).map_err(unsupported)?;
                let own = settings.modality(uses).ok_or_else(|| {
                    unsupported(format!("this experiment has no modality `{uses}`"))
                })?;
                let (own, other) = (nn::encoder_of(own), nn::encoder_of(other));
                let model_of_both = Model::new(settings, [&own, &other].map(Clone::clone), device)?;
                checkpoint::load(model.weights, model_of_both.entries())?;
                Asked::Agreement {
                    model: model_of_both,
                    own,
                    other,
                }
            }
        };
        Ok(Self {
            of,
            kind: nn::kind(settings.precision),
            device,
        })
    }

    /// What the clip `view` shows by Grad-CAM, `[1, 3, T, H, W]` or `[1, 1, bands, columns]`, `beside` a clip of the other modality where
    /// the target is an agreement.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn look(&self, view: &Tensor, beside: Option<&Tensor>) -> Result<Seen> {
        let beside = self.beside(beside)?;
        let map = self.map(view)?;
        let (target, gradient) = self.slope(&map, beside.as_ref())?;
        Ok(Seen {
            target,
            map: Highlight::of(&map, &Slopes::of(&gradient).plain()),
        })
    }

    /// The same by Smooth Grad-CAM++, over these copies of the clip, at least one; the other modality's clip stays as it is.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn look_smoothly(
        &self,
        view: &Tensor,
        beside: Option<&Tensor>,
        copies: impl Iterator<Item = Tensor>,
    ) -> Result<Seen> {
        let beside = self.beside(beside)?;
        let map = self.map(view)?;
        let (target, own) = self.slope(&map, beside.as_ref())?;
        let mut slopes: Option<Slopes> = None;
        for copy in copies {
            let (_, gradient) = self.slope(&self.map(&copy)?, beside.as_ref())?;
            slopes = Some(match slopes {
                None => Slopes::of(&gradient),
                Some(slopes) => slopes.and(&gradient),
            });
        }
        let slopes = slopes.unwrap_or_else(|| Slopes::of(&own));
        Ok(Seen {
            target,
            map: Highlight::of(&map, &slopes.plus_plus(&map)),
        })
    }

    /// The map after the last convolution: `[1, C, ...]`.
    fn map(&self, view: &Tensor) -> Result<Tensor> {
        let view = self.here(view)?;
        Error::caught(|| Ok(self.own()?.conv5(&view)))
    }

    /// The embedding of the other modality's clip, which no gradient reaches: `[1, D]`. A length needs none.
    fn beside(&self, view: Option<&Tensor>) -> Result<Option<Tensor>> {
        let (Asked::Agreement { model, other, .. }, Some(view)) = (&self.of, view) else {
            return Ok(None);
        };
        let view = self.here(view)?;
        Error::caught(|| {
            let backbone = encoder(model, other)?;
            Ok(Some(no_grad(|| model.embed(other, &backbone.conv5(&view)))))
        })
    }

    fn here(&self, view: &Tensor) -> Result<Tensor> {
        Ok(view.f_to_device(self.device)?.f_to_kind(self.kind)?)
    }

    fn own(&self) -> Result<&Backbone> {
        match &self.of {
            Asked::Activation(backbone) => Ok(backbone),
            Asked::Agreement { model, own, .. } => encoder(model, own),
        }
    }

    /// The target of a map and its gradient there, `[1, C, ...]`.
    fn slope(&self, map: &Tensor, other: Option<&Tensor>) -> Result<(f64, Tensor)> {
        let leaf = map.detach().set_requires_grad(true);
        Error::caught(|| {
            with_grad(|| {
                let target = self.target(&leaf, other);
                let mut gradients = Tensor::f_run_backward(&[&target], &[&leaf], false, false)?;
                let value = target.double_value(&[]);
                Ok((value, gradients.swap_remove(0)))
            })
        })
    }

    fn target(&self, map: &Tensor, other: Option<&Tensor>) -> Tensor {
        match (&self.of, other) {
            (Asked::Agreement { model, own, .. }, Some(other)) => {
                loss::cos(&model.embed(own, map), other)
            }
            // A vector of zeros has no direction in which it grows: its gradient is 0.
            (Asked::Activation(_) | Asked::Agreement { .. }, _) => nn::pool(map).norm(),
        }
    }
}

/// The backbone of an encoder.
fn encoder<'m>(model: &'m Model, group: &str) -> Result<&'m Backbone> {
    model.backbone(group).ok_or_else(|| Error::Unsupported {
        message: format!("`{group}` is no encoder"),
    })
}

/// Copies of a clip with normal noise, its deviation a share of the range of the clip's values, drawn at places below `key`.
pub fn copies(view: &Tensor, smooth: Smooth, key: &Key) -> impl Iterator<Item = Tensor> {
    let range = (view.max() - view.min()).double_value(&[]);
    let deviation = smooth.noise.to_f64() * range;
    (0..smooth.draws).map(move |draw| {
        let mut draws = key.draws(&draw.to_string());
        let noise: Vec<f32> = (0..view.numel()).map(|_| draws.normal() as f32).collect();
        view + Tensor::from_slice(&noise).view(&view.size()[..]) * deviation
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use compiler::hir::{Clips, Part, Pretrain, Sampled};

    /// Narrow networks in float64.
    fn settings() -> Pretrain {
        let text = "use paper\npretrain small = crisscross with {\n\
             precision = fp64\n\
             v.f = r2plus1d(depth: 10, width: 2) - fc(8)-bn-relu - fc(6)   v.h = fc(6)\n\
             a.f = resnet(depth: 10, width: 2, channels: 1) - fc(6)-bn   a.h = fc(6)\n}\n";
        let mut sources = compiler::sources();
        let root = sources.add("s.cc", text);
        let (program, found) =
            compiler::check(&mut sources, root, &|_, _| None, compiler::Profile::Full);
        let program = program.unwrap_or_else(|| panic!("{found:?}"));
        program.pretrains.into_iter().next().unwrap().pretrain
    }

    fn networks(target: Target) -> Networks {
        let settings = settings();
        let model = Model::new(&settings, ["v.f", "a.f"], Device::Cpu).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let weights = folder.path().join(checkpoint::FILE);
        checkpoint::save(&weights, model.entries()).unwrap();
        let saliency = Saliency {
            of: Sampled {
                data: settings.data.clone(),
                uses: "v".to_owned(),
                clip: settings.modalities[0].clip.clone(),
                clips: Clips::Uniform(1),
                split: Part::Test,
                samples: 1,
            },
            target,
            smooth: None,
        };
        let trained = Trained {
            settings: &settings,
            weights: &weights,
        };
        Networks::load(trained, &saliency, Device::Cpu).unwrap()
    }

    fn wave(size: &[i64], rate: f64) -> Tensor {
        let count = size.iter().product::<i64>();
        let line = Tensor::arange(count, (Kind::Double, Device::Cpu));
        (line * rate).sin().view(size)
    }

    /// The gradient at the map against differences of the target, place by place.
    #[test]
    fn slopes_are_those_of_finite_differences() {
        for target in [Target::Agreement, Target::Activation] {
            let networks = networks(target);
            let beside = networks.beside(Some(&wave(&[1, 1, 80, 60], 0.37))).unwrap();
            assert_eq!(beside.is_some(), target == Target::Agreement);
            let map = networks.map(&wave(&[1, 3, 4, 64, 64], 0.11)).unwrap();
            let map = map.contiguous();
            let (value, gradient) = networks.slope(&map, beside.as_ref()).unwrap();
            assert!(value.is_finite() && map.size() == [1, 16, 1, 2, 2]);
            let gradients = Vec::<f64>::try_from(gradient.contiguous().view([-1])).unwrap();
            let largest = gradients.iter().fold(0.0, |most: f64, g| most.max(g.abs()));
            assert!(largest > 0.0);
            let step = 1e-5;
            for (at, gradient) in (0..).zip(&gradients) {
                let moved = |by: f64| {
                    let moved = map.copy();
                    let _ = moved
                        .view([-1])
                        .get(at)
                        .fill_(map.view([-1]).double_value(&[at]) + by);
                    networks.slope(&moved, beside.as_ref()).unwrap().0
                };
                let slope = (moved(step) - moved(-step)) / (2.0 * step);
                // Differences of numbers near 1 by 1e-5 leave eleven digits; the second derivative takes the rest.
                assert!(
                    (slope - gradient).abs() < 1e-6 * largest,
                    "{slope} is not {gradient}"
                );
            }
        }
    }

    #[test]
    fn copies_have_noise_of_their_own_place() {
        let view = wave(&[1, 1, 40, 50], 0.2).to_kind(Kind::Float);
        let smooth = |draws, noise| Smooth {
            draws,
            noise: compiler::units::Exact::new(noise, 10),
        };
        let key = Key::at(4, "noise");
        let three: Vec<Tensor> = copies(&view, smooth(3, 1), &key).collect();
        let two: Vec<Tensor> = copies(&view, smooth(2, 1), &key).collect();
        assert_eq!((&three[0], &three[1]), (&two[0], &two[1]));
        assert_ne!(three[0], three[1]);
        // A tenth of the range, which is 2.
        let deviation = (&three[2] - &view).std(true).double_value(&[]);
        assert!((deviation - 0.2).abs() < 0.01, "{deviation}");
        assert_eq!(copies(&view, smooth(1, 0), &key).next().unwrap(), view);
        assert_eq!(three[0].kind(), Kind::Float);
    }

    /// A map of zeros has no gradient that is no number.
    #[test]
    fn the_length_of_nothing_has_no_slope() {
        let networks = networks(Target::Activation);
        let nothing = Tensor::zeros([1, 16, 1, 2, 2], (Kind::Double, Device::Cpu));
        let (value, gradient) = networks.slope(&nothing, None).unwrap();
        assert_eq!((value, gradient.abs().max().double_value(&[])), (0.0, 0.0));
    }
}
