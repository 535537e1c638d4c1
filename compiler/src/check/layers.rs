//! Networks: their layers in order, and the maps that feature chains pool.

use super::chains::Part;
use super::{Checker, Slot, Wanted, counted};
use crate::catalog::Family;
use crate::codes;
use crate::graph::networks;
use crate::hir::{Clip, FeatureStep, Layer, Network};
use crate::units::thousands;
use grammar::ast::{Expr, ExprKind, Kind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

/// What a network must start from.
#[derive(Clone, Copy)]
pub(super) enum Role<'c> {
    /// `f`: a backbone for views of this clip, then a head.
    Encoder(&'c Clip),
    /// `h`: from vector to vector.
    Predictor,
    /// A declaration by itself: only the layers are read.
    Any,
}

impl<'a> Checker<'a> {
    /// The parameter group of `same(v.h)`, with its place.
    pub(super) fn shared_group(&mut self, slot: &Slot<'a>) -> Option<(String, String)> {
        let reduced = self.reduce(slot)?;
        let ExprKind::Call(callee, args) = &reduced.expr.kind else {
            return None;
        };
        let [arg] = args.as_slice() else { return None };
        if callee.kind != ExprKind::Name("same".into()) {
            return None;
        }
        let ExprKind::Member(base, member) = &arg.value.kind else {
            return None;
        };
        let ExprKind::Name(modality) = &base.kind else {
            return None;
        };
        Some((modality.clone(), member.value.clone()))
    }

    /// Is the network written as `same(...)`?
    pub(super) fn is_shared(slot: &Slot<'a>) -> bool {
        let same = |expr: &Expr| matches!(&expr.kind, ExprKind::Name(name) if name == "same");
        matches!(&slot.expr.kind, ExprKind::Call(callee, _) if same(callee))
    }

    /// The layers of a chain such as `r2plus1d18 - proj`.
    pub(super) fn network(&mut self, slot: &Slot<'a>, role: Role<'_>) -> Option<Network> {
        let parts = self.parts(slot, None)?;
        let mut layers = vec![];
        let mut is_right = true;
        for (position, part) in parts.iter().enumerate() {
            let Some(layer) = self.layer(&part.at, &part.slot, role) else {
                is_right = false;
                continue;
            };
            if let Some(message) = misplaced(&layer, position, role) {
                let (message, help) = message;
                let help = match self.backbone_first(&parts, position) {
                    Some(chain) if layer.is_backbone() => format!("write `{chain}`"),
                    Some(_) | None => help.to_owned(),
                };
                let diagnostic =
                    Diagnostic::error(codes::BAD_LAYER, part.at.span(), message).help(help);
                self.report(&part.at.env, diagnostic);
                is_right = false;
            }
            layers.push(layer);
        }
        if is_right && let Some(caps) = &self.caps {
            layers.iter_mut().for_each(|layer| caps.bound_layer(layer));
        }
        is_right.then_some(Network { layers, same: None })
    }

    /// The chain with the part at `position` before the others, where it is not the first already.
    fn backbone_first(&self, parts: &[Part<'a>], position: usize) -> Option<String> {
        let text = |part: &Part<'a>| self.sources.text(part.at.span());
        let others = parts.iter().enumerate().filter(|(at, _)| *at != position);
        let chain: Vec<&str> = std::iter::once(parts.get(position).map(text)?)
            .chain(others.map(|(_, part)| text(part)))
            .collect();
        (position > 0).then(|| chain.join(" - "))
    }

    fn layer(&mut self, at: &Slot<'a>, slot: &Slot<'a>, role: Role<'_>) -> Option<Layer> {
        let call = self.operator_call(slot, Family::Layer).ok()?;
        let Some(call) = call.filter(|call| call.operator.name != "same") else {
            if Self::is_shared(slot) {
                let message = "`same(...)` stands alone: it is all of another network";
                let diagnostic = Diagnostic::error(codes::BAD_LAYER, at.span(), message)
                    .help("write `a.h = same(v.h)`");
                self.report(&at.env, diagnostic);
                return None;
            }
            let wanted = Wanted::new("a chain of layers", &[Kind::Layers], &[Family::Layer]);
            self.wrong(at, slot, &wanted.example("fc(2048)-bn-relu - fc(2048)-bn"));
            return None;
        };
        let depth = |checker: &mut Self| {
            let depth = checker.whole_of(&call, "depth")?;
            if matches!(depth, 10 | 18 | 34) {
                return Some(depth);
            }
            let at = call.get("depth")?.clone();
            checker.error(
                &at,
                codes::OUT_OF_RANGE,
                format!("`depth` is 10, 18 or 34, this is {depth}"),
            );
            None
        };
        let layer = match call.operator.name {
            "fc" => Layer::Fc {
                width: self.whole_of(&call, "width")?,
            },
            "bn" => Layer::Bn,
            "relu" => Layer::Relu,
            "l2" => Layer::L2,
            "r2plus1d" => {
                let (depth, width) = (depth(self), self.whole_of(&call, "width"));
                let depth = depth?;
                let strides = self.strides(at, &call, depth, role, &|strides| Layer::R2plus1d {
                    depth,
                    width: 1,
                    strides,
                });
                Layer::R2plus1d {
                    depth,
                    width: width?,
                    strides: strides?,
                }
            }
            "bag_of_words" => {
                let (vocab, width) = (self.whole_of(&call, "vocab"), self.whole_of(&call, "width"));
                Layer::BagOfWords {
                    vocab: vocab?,
                    width: width?,
                }
            }
            _ => {
                let (depth, width) = (depth(self), self.whole_of(&call, "width"));
                let channels = self.whole_of(&call, "channels");
                let depth = depth?;
                let strides = self.strides(at, &call, depth, role, &|strides| Layer::Resnet {
                    depth,
                    width: 1,
                    channels: 1,
                    strides,
                });
                Layer::Resnet {
                    depth,
                    width: width?,
                    channels: channels?,
                    strides: strides?,
                }
            }
        };
        self.check_maps(at, &call, &layer, role)?;
        Some(layer)
    }

    /// `conv5 - maxpool(1, 4, 4, stride: 1) - l2`, checked against the map that a backbone gives for `clip`.
    pub(super) fn features(
        &mut self,
        slot: &Slot<'a>,
        clip: Option<&Clip>,
    ) -> Option<Vec<FeatureStep>> {
        let parts = self.parts(slot, None)?;
        let mut steps = vec![];
        let mut is_right = true;
        let mut map = clip.and_then(networks::usual_conv5);
        for (position, part) in parts.iter().enumerate() {
            let Some(call) = self.operator_call(&part.slot, Family::Feature).ok()? else {
                let Ok(layer) = self.operator_call(&part.slot, Family::Layer) else {
                    is_right = false;
                    continue;
                };
                if let Some(layer) = layer {
                    let name = layer.operator.name;
                    let message = format!(
                        "`{name}` is a layer of a network, a chain of features pools its map"
                    );
                    let diagnostic = Diagnostic::error(codes::BAD_LAYER, part.at.span(), message)
                        .help("leave it out: what is fitted on the values is the `head`");
                    self.report(&part.at.env, diagnostic);
                    is_right = false;
                    continue;
                }
                let wanted = Wanted::new("a chain of features", &[Kind::Let], &[Family::Feature]);
                self.wrong(
                    &part.at,
                    &part.slot,
                    &wanted.example("conv5 - maxpool(1, 4, 4, stride: 1)"),
                );
                is_right = false;
                continue;
            };
            let is_conv5 = call.operator.name == "conv5";
            if is_conv5 != (position == 0) {
                let message = if is_conv5 {
                    "`conv5` starts a feature chain"
                } else {
                    "a feature chain starts with `conv5`"
                };
                let diagnostic = Diagnostic::error(codes::BAD_LAYER, part.at.span(), message)
                    .note("features are read after the last convolution (App. E)")
                    .help("write `conv5 - ...`");
                self.report(&part.at.env, diagnostic);
                is_right = false;
                continue;
            }
            match call.operator.name {
                "conv5" => {}
                "l2" => match call.get("over").map(|_| self.word_of(&call, "over")) {
                    None | Some(Some("axis")) => steps.push(FeatureStep::L2),
                    Some(Some(_)) => steps.push(FeatureStep::L2Vector),
                    Some(None) => is_right = false,
                },
                "bn" => steps.push(FeatureStep::Bn),
                "mean" => {
                    if self.word_of(&call, "of").is_none() {
                        is_right = false;
                    }
                    steps.push(FeatureStep::MeanClips);
                }
                _ => match self.max_pool(&part.at, &call, &mut map, clip) {
                    Some(step) => steps.push(step),
                    None => is_right = false,
                },
            }
        }
        is_right.then_some(steps)
    }

    /// `maxpool(4, 4)` on pictures: the numbers of its window are not as many as the axes of the map.
    fn wrong_window(&mut self, at: &Slot<'a>, axes: usize, kernel: &[u32]) {
        let message = format!(
            "`maxpool` takes {} here, this gives {}",
            counted(axes, "number"),
            kernel.len()
        );
        let (along, whole) = if axes == 3 {
            ("time, height and width", [&[1], kernel].concat())
        } else {
            ("frequency and time", kernel[1.min(kernel.len())..].to_vec())
        };
        let mut diagnostic = Diagnostic::error(codes::WRONG_ARGUMENTS, at.span(), message)
            .note(format!("its window lies along {along}"));
        if whole.len() == axes {
            let whole: Vec<String> = whole.iter().map(u32::to_string).collect();
            let help = format!("write `maxpool({}, stride: 1)`", whole.join(", "));
            diagnostic = diagnostic.help(help);
        }
        self.report(&at.env, diagnostic);
    }

    fn max_pool(
        &mut self,
        at: &Slot<'a>,
        call: &super::Call<'a>,
        map: &mut Option<Vec<u32>>,
        clip: Option<&Clip>,
    ) -> Option<FeatureStep> {
        let mut kernel = self.sizes(&call.positional)?;
        let axes = match clip {
            Some(Clip::Video { .. } | Clip::Flow { .. }) => 3,
            Some(Clip::Audio { .. }) => 2,
            Some(Clip::Text { .. }) | None => kernel.len(),
        };
        if kernel.is_empty() {
            self.wrong_count(at, axes, 0);
            return None;
        }
        // `maxpool(1, 4, stride: 4)` on sound names both axes; a single number is that for all of them.
        if let [one] = kernel[..] {
            kernel = vec![one; axes];
        }
        if kernel.len() != axes {
            self.wrong_window(at, axes, &kernel);
            return None;
        }
        let Some(stride) = call.get("stride").cloned() else {
            let message = format!(
                "a stride is needed: {}",
                stride_sizes(&kernel, map.as_deref())
            );
            let diagnostic = Diagnostic::error(codes::NO_STRIDE, at.span(), message)
                .note("the paper does not state one")
                .help("write `stride: 1`");
            let span = at.span();
            let close = Span {
                start: span.end - 1,
                end: span.end - 1,
                ..span
            };
            let is_call = self.sources.text(span).ends_with(')');
            let diagnostic = if is_call {
                diagnostic.suggestion(close, ", stride: 1")
            } else {
                diagnostic
            };
            self.report(&at.env, diagnostic);
            return None;
        };
        let reduced = self.reduce(&stride)?;
        let stride = if let ExprKind::Tuple(members) = &reduced.expr.kind {
            let members: Vec<_> = members.iter().map(|m| reduced.with(m)).collect();
            self.sizes(&members)?
        } else {
            // One number is the stride along the axes that are pooled: a window of 1 skips nothing.
            let stride = self.whole(&stride, &crate::catalog::SMALL_COUNT)?;
            let stride = u32::try_from(stride).ok()?;
            let along = |window: &u32| if *window > 1 { stride } else { 1 };
            kernel.iter().map(along).collect()
        };
        if stride.len() != axes {
            self.wrong_count(at, axes, stride.len());
            return None;
        }
        if let (Some(sizes), Some(clip)) = (map.as_mut(), clip) {
            if let Some((window, size)) = kernel
                .iter()
                .zip(sizes.iter())
                .find(|(window, size)| window > size)
            {
                let message = format!("window {window} larger than map {size}");
                let diagnostic = Diagnostic::error(codes::WINDOW_TOO_LARGE, at.span(), message)
                    .note(format!(
                        "after `conv5` the map of `{}` is {}",
                        clip_text(clip),
                        sizes_text(sizes)
                    ));
                self.report(&at.env, diagnostic);
                return None;
            }
            for (axis, size) in sizes.iter_mut().enumerate() {
                *size = (*size - kernel[axis]) / stride[axis] + 1;
            }
        }
        Some(FeatureStep::MaxPool { kernel, stride })
    }
}

/// The message for a layer that does not fit its place, and what to write.
fn misplaced(layer: &Layer, position: usize, role: Role<'_>) -> Option<(String, &'static str)> {
    let is_backbone = layer.is_backbone();
    match role {
        Role::Any if is_backbone && position > 0 => Some((
            "a backbone is the first layer of its network".into(),
            "write `r2plus1d18 - proj`",
        )),
        Role::Any => None,
        Role::Predictor => is_backbone.then(|| {
            (
                "a predictor works on vectors, a backbone on clips".into(),
                "write `v.h = fc(512)-bn-relu - fc(2048)`",
            )
        }),
        Role::Encoder(clip) if is_backbone != (position == 0) => Some(if is_backbone {
            (
                "a backbone is the first layer of its network".into(),
                encoder_of(clip),
            )
        } else {
            (
                "a linear layer needs a vector; a network of clips starts with its backbone".into(),
                encoder_of(clip),
            )
        }),
        Role::Encoder(clip) => {
            let is = match clip {
                Clip::Video { .. } => "video",
                Clip::Audio { .. } => "sound",
                Clip::Text { .. } => "text",
                Clip::Flow { .. } => "optical flow",
            };
            let message = match (layer, clip) {
                (Layer::R2plus1d { .. }, Clip::Audio { .. } | Clip::Text { .. }) => {
                    format!("`r2plus1d` works on frames, this modality is {is}")
                }
                (
                    Layer::Resnet { .. },
                    Clip::Video { .. } | Clip::Text { .. } | Clip::Flow { .. },
                ) => {
                    format!("`resnet` works on one spectrogram, this modality is {is}")
                }
                (
                    Layer::BagOfWords { .. },
                    Clip::Video { .. } | Clip::Audio { .. } | Clip::Flow { .. },
                ) => format!("`bag_of_words` works on words, this modality is {is}"),
                (Layer::Resnet { channels, .. }, Clip::Audio { .. }) if *channels != 1 => {
                    let message =
                        format!("a spectrogram has 1 channel, this network takes {channels}");
                    return Some((message, "write `channels: 1`"));
                }
                _ => return None,
            };
            Some((message, encoder_of(clip)))
        }
    }
}

/// A network for views of this clip.
fn encoder_of(clip: &Clip) -> &'static str {
    match clip {
        Clip::Video { .. } | Clip::Flow { .. } => "write `r2plus1d18 - proj`",
        Clip::Audio { .. } => "write `resnet18 - proj`",
        Clip::Text { .. } => "write `bag_of_words(vocab: 30K, width: 512) - proj`",
    }
}

/// `8,192 values with 1, 512 with 4`, of 512 channels.
fn stride_sizes(kernel: &[u32], map: Option<&[u32]>) -> String {
    let Some(map) = map.filter(|map| map.iter().zip(kernel).all(|(size, window)| window <= size))
    else {
        return "the number of values depends on it".into();
    };
    let widest = kernel.iter().copied().max().unwrap_or(1);
    let values = |stride: u32| -> u64 {
        512 * map
            .iter()
            .zip(kernel)
            .map(|(size, window)| u64::from((size - window) / stride + 1))
            .product::<u64>()
    };
    format!(
        "{} values with 1, {} with {widest}",
        thousands(values(1)),
        thousands(values(widest))
    )
}

/// `1 x 4 x 4`.
pub(super) fn sizes_text(sizes: &[u32]) -> String {
    let sizes: Vec<String> = sizes.iter().map(u32::to_string).collect();
    sizes.join(" x ")
}

/// A clip as written: `8x112px @ 16fps`.
pub(super) fn clip_text(clip: &Clip) -> String {
    match clip {
        Clip::Video {
            frames, size, fps, ..
        }
        | Clip::Flow {
            frames, size, fps, ..
        } => format!("{frames}x{size}px @ {}fps", fps.decimal()),
        Clip::Text { seconds, .. } => format!("{}s", seconds.decimal()),
        Clip::Audio { rate, .. } => format!("{}s @ {}Hz", clip.seconds().decimal(), rate.decimal()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hir::LogMel;
    use crate::units::Exact;

    fn conv5_map(clip: &Clip) -> Vec<u32> {
        networks::usual_conv5(clip).unwrap()
    }

    /// Shapes that the released networks gave for these inputs.
    #[test]
    fn maps_after_the_last_convolution() {
        let video = |frames, size| {
            let fps = Exact::whole(16);
            conv5_map(&Clip::Video { frames, size, fps })
        };
        assert_eq!(video(8, 112), [1, 4, 4]);
        assert_eq!(video(8, 224), [1, 7, 7]);
        assert_eq!(video(32, 224), [4, 7, 7]);
        let audio = |seconds: u32, centre| {
            let (samples, rate) = (16_000 * seconds, Exact::whole(16_000));
            let (bands, hop, fft) = (80, 160, 1024);
            let mel = LogMel {
                bands,
                hop,
                fft,
                centre,
            };
            conv5_map(&Clip::Audio { samples, rate, mel })
        };
        assert_eq!(audio(1, false), [3, 4]);
        assert_eq!(audio(2, false), [3, 7]);
        assert_eq!(audio(2, true), [3, 7]);
        assert_eq!(audio(5, true), [3, 16]);
    }
}
