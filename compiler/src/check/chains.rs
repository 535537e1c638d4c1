//! Chains of augmentations: links, their order and what they work on.

use super::{Call, Checker, Slot, Wanted, argument};
use crate::catalog::Family;
use crate::codes;
use crate::hir::{Chain, Clip, Domain, Fill, Levels, Link, Pair, Widths};
use grammar::ast::{BinaryOp, ExprKind, Kind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

/// A part of a chain: where a reader sees it, and what it stands for.
pub(super) struct Part<'a> {
    /// The name or call nearest to the user's own text.
    pub at: Slot<'a>,
    /// The same with names followed.
    pub slot: Slot<'a>,
}

impl<'a> Checker<'a> {
    /// The parts of `a - b - c` from left to right, names followed. Nothing if a part is a mistake already.
    pub(super) fn parts(
        &mut self,
        slot: &Slot<'a>,
        at: Option<&Slot<'a>>,
    ) -> Option<Vec<Part<'a>>> {
        let at = match at {
            Some(outer) if self.is_shipped(slot.span().file) => outer.clone(),
            Some(_) | None => slot.clone(),
        };
        let reduced = self.reduce(slot)?;
        if let ExprKind::Binary(op, left, right) = &reduced.expr.kind
            && op.value == BinaryOp::Sub
        {
            let left = self.parts(&reduced.with(left), Some(&at));
            let right = self.parts(&reduced.with(right), Some(&at));
            let (mut parts, right) = (left?, right?);
            parts.extend(right);
            return Some(parts);
        }
        Some(vec![Part { at, slot: reduced }])
    }

    /// A chain for views of `clip`; `None` for the clip only reads the links, as for a declaration by itself.
    pub(super) fn chain(&mut self, slot: &Slot<'a>, clip: Option<&Clip>) -> Option<Chain> {
        let reduced = self.reduce(slot)?;
        let timing = self.operator_call(&reduced, Family::Timing).ok()?;
        let (inner, per_frame) = match &timing {
            Some(call) => (
                call.get("chain")?.clone(),
                call.operator.name == "per_frame",
            ),
            None => (slot.clone(), false),
        };
        let parts = self.parts(&inner, None)?;
        let mut links = vec![];
        let mut is_right = true;
        let mut spectrogram: Option<Slot<'a>> = None;
        for part in &parts {
            let Some(link) = self.link(part) else {
                is_right = false;
                continue;
            };
            if per_frame && matches!(link, Link::ColorJitter { .. }) {
                let message = "every frame of a clip gets a colour of its own";
                let diagnostic = Diagnostic::warning(codes::COLOUR_PER_FRAME, slot.span(), message)
                    .note("Sec. 4.5 found 53.7 with a draw for each frame, 68.1 with one for the clip")
                    .help("write `consistent(...)` for one draw");
                let written = self.sources.text(slot.span());
                let diagnostic = match written.strip_prefix("per_frame") {
                    Some(rest) => {
                        let text = format!("consistent{rest}");
                        diagnostic.suggestion(slot.span(), text)
                    }
                    None => diagnostic,
                };
                self.report(&slot.env, diagnostic);
            }
            match link.domain() {
                Domain::Spectrogram => spectrogram = spectrogram.or_else(|| Some(part.at.clone())),
                Domain::Wave => {
                    if let Some(start) = &spectrogram {
                        self.back_to_wave(&part.at, start, &link);
                        is_right = false;
                    }
                }
                Domain::Frames | Domain::Words | Domain::Flow => {}
            }
            if let Some(clip) = clip {
                let fits = self.check_domain(part, &link, clip, &slot.place);
                if fits {
                    self.advise_on_size(part, &link, clip);
                }
                is_right &= fits;
            }
            let has_frames = !matches!(link.domain(), Domain::Words | Domain::Flow);
            if per_frame && !has_frames && is_right {
                let name = self.sources.text(part.at.span()).to_string();
                let message = format!("`{name}` draws nothing for each frame");
                let diagnostic = Diagnostic::error(codes::WRONG_DOMAIN, slot.span(), message)
                    .help(format!("write `{name}` without `per_frame`"));
                self.report(&slot.env, diagnostic);
                is_right = false;
            }
            links.push(link);
        }
        if let [_, _, ..] = links.as_slice()
            && let Some(at) = links.iter().position(|link| link.domain() == Domain::Flow)
        {
            let part = &parts[at];
            let name = self.sources.text(part.at.span()).to_string();
            let message = format!("`{name}` stands alone: crops and flips are those of its view");
            let diagnostic = Diagnostic::error(codes::WRONG_DOMAIN, part.at.span(), message)
                .help(format!("write `{name}` and nothing else"));
            self.report(&part.at.env, diagnostic);
            is_right = false;
        }
        is_right.then_some(Chain { per_frame, links })
    }

    fn back_to_wave(&mut self, at: &Slot<'a>, start: &Slot<'a>, link: &Link) {
        let text = |slot: &Slot<'a>| self.sources.text(slot.span()).to_string();
        let fixed = format!("{}-{}", text(at), text(start));
        let message = "chain returns to the wave after the spectrogram";
        let diagnostic = Diagnostic::error(codes::BACK_TO_WAVE, at.span(), message)
            .here(format!("`{}` works on the wave", link.short()))
            .label(start.span(), "the spectrogram starts here")
            .help(format!("write `{fixed}`"));
        let (start, at_span) = (start.span(), at.span());
        let diagnostic = if start.file == at_span.file && start.end < at_span.start {
            // What works on the wave goes before the first that works on the spectrogram.
            let between = Span {
                start: start.end,
                end: at_span.start,
                ..start
            };
            let kept = self.sources.text(between);
            let kept = kept.trim_end().trim_end_matches('-').trim_end().len();
            let left = Span {
                start: start.end + kept as u32,
                end: at_span.end,
                ..start
            };
            let here = Span {
                end: start.start,
                ..start
            };
            diagnostic
                .edit(here, format!("{}-", text(at)))
                .edit(left, "")
        } else {
            diagnostic
        };
        self.report(&at.env, diagnostic);
    }

    fn check_domain(&mut self, part: &Part<'a>, link: &Link, clip: &Clip, place: &str) -> bool {
        let name = self.sources.text(part.at.span()).to_string();
        let (works_on, other) = match link.domain() {
            Domain::Frames => ("pictures", "video"),
            Domain::Wave | Domain::Spectrogram => ("sound", "sound"),
            Domain::Words => ("words", "text"),
            Domain::Flow => ("optical flow", "optical flow"),
        };
        let (has, fits) = match clip {
            Clip::Video { .. } => ("video", link.domain() == Domain::Frames),
            Clip::Audio { .. } => (
                "sound",
                matches!(link.domain(), Domain::Wave | Domain::Spectrogram),
            ),
            Clip::Text { .. } => ("text", link.domain() == Domain::Words),
            Clip::Flow { of, .. } => {
                if let Link::Follow { modality } = link
                    && modality != of
                {
                    self.follows_another(part, modality, of, place);
                    return false;
                }
                let fits = link.domain() == Domain::Flow || link.is_geometric();
                ("optical flow", fits)
            }
        };
        if fits {
            return true;
        }
        let message = format!("`{name}` works on {works_on}, `{place}` is for {has}");
        let help = if let Clip::Flow { of, .. } = clip {
            format!("write `follow({of})`, or crops and flips of its own")
        } else {
            format!("leave `{name}` out, or move it to a chain for {other}")
        };
        let diagnostic = Diagnostic::error(codes::WRONG_DOMAIN, part.at.span(), message).help(help);
        self.report(&part.at.env, diagnostic);
        false
    }

    /// A mask or square that may hide all of a view, and a warp that does nothing (W0613).
    fn advise_on_size(&mut self, part: &Part<'a>, link: &Link, clip: &Clip) {
        if self.caps.is_some() {
            return;
        }
        let spectrogram = if let Clip::Audio { samples, mel, .. } = clip {
            Some((mel.columns(*samples), mel.bands))
        } else {
            None
        };
        let size = if let Clip::Video { size, .. } = clip {
            Some(*size)
        } else {
            None
        };
        let (message, help) = match (link, spectrogram, size) {
            (Link::TimeMask { max, .. }, Some((columns, _)), _) if *max >= columns => (
                format!("a mask of up to {max} columns may hide all {columns} of a spectrogram"),
                "the paper masks up to 20 of 200 columns",
            ),
            (Link::FreqMask { max, .. }, Some((_, bands)), _) if *max >= bands => (
                format!("a mask of up to {max} bands may hide all {bands} of a spectrogram"),
                "the paper masks up to 10 of 80 bands",
            ),
            (Link::Cutout { max, .. }, _, Some(size)) if *max >= size => (
                format!("a square of up to {max}px may hide all of a picture of {size}px"),
                "the paper's squares have up to 20 of 112 pixels",
            ),
            (Link::TimeWarp { window }, Some((columns, _)), _) if columns <= 2 * window => (
                format!(
                    "a warp by up to {window} columns does nothing to the {columns} of a spectrogram: it needs more than {}",
                    2 * window
                ),
                "the paper warps by up to 20 of 200 columns",
            ),
            _ => return,
        };
        let argument = argument(part.slot.expr, &["max", "window"], 0);
        let place = argument.map_or(part.slot.span(), |arg| arg.value.span);
        let diagnostic =
            Diagnostic::warning(codes::AS_LARGE_AS_THE_CLIP, place, message).help(help);
        self.report(&part.slot.env, diagnostic);
    }

    /// `follow(a)` where the flow is that of `v`.
    fn follows_another(&mut self, part: &Part<'a>, named: &str, of: &str, place: &str) {
        let message = format!("`{place}` is for the flow of `{of}`, this follows `{named}`");
        let fixed = format!("follow({of})");
        let mut diagnostic = Diagnostic::error(codes::NOT_ITS_FLOW, part.at.span(), message)
            .here(format!("the frames are those of `{of}`"))
            .help(format!("write `{fixed}`"));
        if part.at.span() == part.slot.span() {
            diagnostic = diagnostic.edit(part.at.span(), fixed);
        }
        self.report(&part.at.env, diagnostic);
    }

    fn link(&mut self, part: &Part<'a>) -> Option<Link> {
        if let Some(call) = self.operator_call(&part.slot, Family::Timing).ok()? {
            let name = call.operator.name;
            let message = format!("`{name}` is around a whole chain, not a part of one");
            let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, part.at.span(), message)
                .help(format!("write `{name}(MSC-HF-CJ)` around all of it"));
            self.report(&part.at.env, diagnostic);
            return None;
        }
        let Some(call) = self.operator_call(&part.slot, Family::Augment).ok()? else {
            let wanted = Wanted::new(
                "a chain of augmentations",
                &[Kind::Augment],
                &[Family::Augment],
            );
            self.wrong(&part.at, &part.slot, &wanted.example("MSC-HF-CJ"));
            return None;
        };
        self.link_of(&call)
    }

    fn levels(&mut self, call: &Call<'a>) -> Option<Levels> {
        if call.get("levels").is_none() {
            return Some(Levels::Exact);
        }
        self.word_of(call, "levels").map(|word| match word {
            "exact" => Levels::Exact,
            _ => Levels::Whole,
        })
    }

    fn widths(&mut self, call: &Call<'a>) -> Option<Widths> {
        if call.get("widths").is_none() {
            return Some(Widths::Inclusive);
        }
        self.word_of(call, "widths").map(|word| match word {
            "inclusive" => Widths::Inclusive,
            _ => Widths::Exclusive,
        })
    }

    fn link_of(&mut self, call: &Call<'a>) -> Option<Link> {
        Some(match call.operator.name {
            "multi_scale_crop" => Link::MultiScaleCrop {
                min_area: self.number_of(call, "min_area")?,
            },
            "horizontal_flip" => Link::HorizontalFlip {
                p: self.number_of(call, "p")?,
            },
            "color_jitter" => {
                let read = ["brightness", "contrast", "saturation", "hue"]
                    .map(|name| self.number_of(call, name));
                let [brightness, contrast, saturation, hue] = read;
                Link::ColorJitter {
                    brightness: brightness?,
                    contrast: contrast?,
                    saturation: saturation?,
                    hue: hue?,
                }
            }
            "gray_scale" => {
                let (p, levels) = (self.number_of(call, "p"), self.levels(call));
                Link::GrayScale {
                    p: p?,
                    levels: levels?,
                }
            }
            "gaussian_blur" => {
                let (p, levels) = (self.number_of(call, "p"), self.levels(call));
                let pair = match call.get("pair").map(|_| self.word_of(call, "pair")) {
                    None | Some(Some("range")) => Some(Pair::Range),
                    Some(Some(_)) => Some(Pair::Axes),
                    Some(None) => None,
                };
                // One sigma for each direction may stand in any order.
                let sigma = match pair {
                    Some(Pair::Axes) => {
                        let slot = call.get("sigma")?.clone();
                        self.pair(&slot, &crate::catalog::POSITIVE)
                    }
                    Some(Pair::Range) | None => self.interval(call, "sigma"),
                };
                Link::GaussianBlur {
                    p: p?,
                    sigma: sigma?,
                    pair: pair?,
                    levels: levels?,
                }
            }
            "cutout" => {
                let (max, count) = (self.whole_of(call, "max"), self.whole_of(call, "count"));
                let fill = self.word_of(call, "fill").map(|word| match word {
                    "first_frame_mean" => Fill::FirstFrameMean,
                    _ => Fill::TimesFirstFrameMean,
                });
                Link::Cutout {
                    max: max?,
                    count: count?,
                    fill: fill?,
                }
            }
            "volume_jitter" => Link::VolumeJitter {
                range: self.number_of(call, "range")?,
            },
            "time_mask" => {
                let (max, count) = (self.whole_of(call, "max"), self.whole_of(call, "count"));
                let widths = self.widths(call);
                Link::TimeMask {
                    max: max?,
                    count: count?,
                    widths: widths?,
                }
            }
            "freq_mask" => {
                let (max, count) = (self.whole_of(call, "max"), self.whole_of(call, "count"));
                let widths = self.widths(call);
                Link::FreqMask {
                    max: max?,
                    count: count?,
                    widths: widths?,
                }
            }
            "random_crop" => {
                let range = self.interval(call, "range");
                let canvas_slot = call.get("canvas")?.clone();
                let canvas = self.pair(&canvas_slot, &crate::catalog::POSITIVE);
                Link::RandomCrop {
                    range: range?,
                    canvas: canvas?,
                }
            }
            "drop_words" => Link::DropWords {
                p: self.number_of(call, "p")?,
            },
            "follow" => {
                let view = call.get("view")?.clone();
                Link::Follow {
                    modality: self.modality_name(&view)?,
                }
            }
            _ => Link::TimeWarp {
                window: self.whole_of(call, "window")?,
            },
        })
    }
}
