//! Modalities, clips, spectrograms and data sets.

use super::{Call, Checker, Slot, Wanted, named_call};
use crate::catalog::{self, Family};
use crate::codes;
use crate::hir::{Clip, Data, Files, FlowMethod, LogMel, Short, Synthetic, Words};
use crate::time;
use crate::units::{Dimension, Exact, Quantity};
use grammar::ast::{Body, Decl, ExprKind, Kind};
use grammar::diagnostic::Diagnostic;
use std::collections::BTreeSet;

/// A clip as written, before it is known whether a spectrogram belongs to it.
pub(super) enum WrittenClip {
    /// `8x112px @ 16fps`.
    Video { frames: u32, size: u32, fps: Exact },
    /// `2s @ 16kHz`.
    Audio { samples: u32, rate: Exact },
}

impl<'a> Checker<'a> {
    /// The name of a declared modality.
    pub(super) fn modality_name(&mut self, slot: &Slot<'a>) -> Option<String> {
        let before = self.found.len();
        let at = self.declaration_behind(slot, Kind::Modality);
        if self.found.len() > before {
            return None;
        }
        let name = match at.as_ref().unwrap_or(slot).word() {
            Some(name) if at.is_some() || slot.env.bound(name).is_none() => name,
            _ => {
                let reduced = self.reduce(slot)?;
                match reduced.word() {
                    Some(name) => name,
                    None => {
                        self.wrong(
                            slot,
                            &reduced,
                            &Wanted::new("a modality", &[Kind::Modality], &[]).example("v"),
                        );
                        return None;
                    }
                }
            }
        };
        if self.is_poisoned(slot.env.module, name) {
            return None;
        }
        match self.declared(slot.env.module, name) {
            Some((_, decl)) if decl.kind.value == Kind::Modality => Some(name.to_string()),
            Some(_) => {
                self.wrong(
                    slot,
                    slot,
                    &Wanted::new("a modality", &[Kind::Modality], &[]).example("v"),
                );
                None
            }
            None => {
                self.unknown(
                    slot,
                    name,
                    &Wanted::new("a modality", &[Kind::Modality], &[]),
                );
                None
            }
        }
    }

    /// A list of modalities, each once.
    pub(super) fn modality_names(&mut self, slot: &Slot<'a>) -> Option<Vec<String>> {
        let members = self.list(slot, "a list of modalities")?;
        if members.is_empty() {
            self.error(
                slot,
                codes::OUT_OF_RANGE,
                format!("`{}` names no modality", slot.place),
            );
            return None;
        }
        let mut names: Vec<String> = vec![];
        let mut is_right = true;
        for member in &members {
            let Some(name) = self.modality_name(member) else {
                is_right = false;
                continue;
            };
            if names.contains(&name) {
                self.error(
                    member,
                    codes::SET_TWICE,
                    format!("`{name}` stands twice in this list"),
                );
                is_right = false;
            }
            names.push(name);
        }
        is_right.then_some(names)
    }

    /// The clip of a declared modality.
    pub(super) fn modality_clip(&mut self, slot: &Slot<'a>, name: &str) -> Option<Clip> {
        let (module, decl) = self.declared(slot.env.module, name)?;
        let Body::Expr(expr) = &decl.body else {
            return None;
        };
        let env = slot.env.inside(module, slot.span());
        self.modality(&Slot::new(expr, env, name))
    }

    /// `video(clip: ...)`, `audio(clip: ..., spectrogram: ...)`.
    pub(super) fn modality(&mut self, slot: &Slot<'a>) -> Option<Clip> {
        let reduced = self.reduce(slot)?;
        let Some(call) = self.operator_call(&reduced, Family::Modality).ok()? else {
            let wanted = Wanted::new("a modality", &[Kind::Modality], &[Family::Modality]);
            self.wrong(
                slot,
                &reduced,
                &wanted.example("video(clip: 8x112px @ 16fps)"),
            );
            return None;
        };
        match call.operator.name {
            "text" => return self.text_clip(&call),
            "flow" => return self.flow_clip(&call),
            _ => {}
        }
        let clip = self.clip(call.get("clip")?);
        if call.operator.name == "video" {
            return match clip? {
                WrittenClip::Video { frames, size, fps } => Some(Clip::Video { frames, size, fps }),
                WrittenClip::Audio { .. } => {
                    let at = call.get("clip")?.clone();
                    self.wrong_clip(&at, "a clip of video has a size", "8x112px @ 16fps");
                    None
                }
            };
        }
        let mel_slot = call.get("spectrogram")?.clone();
        let mel = match &clip {
            Some(WrittenClip::Audio { rate, .. }) => self.spectrogram(&mel_slot, *rate),
            Some(WrittenClip::Video { .. }) | None => None,
        };
        match clip? {
            WrittenClip::Audio { samples, rate } => {
                let mel = mel?;
                if samples < mel.fft {
                    let at = call.get("clip")?.clone();
                    let message = format!(
                        "a clip of {samples} samples is shorter than one window of {} samples",
                        mel.fft
                    );
                    self.error(&at, codes::OUT_OF_RANGE, message);
                    return None;
                }
                Some(Clip::Audio { samples, rate, mel })
            }
            WrittenClip::Video { .. } => {
                let at = call.get("clip")?.clone();
                self.wrong_clip(&at, "a clip of sound has a duration", "2s @ 16kHz");
                None
            }
        }
    }

    /// `text(clip: 2s, tokens: 16tokens, from: captions)`.
    fn text_clip(&mut self, call: &Call<'a>) -> Option<Clip> {
        let slot = call.get("clip")?.clone();
        let reduced = self.reduce(&slot)?;
        let seconds = if let ExprKind::At(length, _) = &reduced.expr.kind {
            let length = self.sources.text(length.span).to_string();
            let message = "words come at no rate: a clip of text is a duration";
            let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
                .help(format!("write `clip: {length}`"));
            self.report(&slot.env, diagnostic);
            None
        } else {
            self.number_of(call, "clip")
        };
        let tokens = self.whole_of(call, "tokens");
        let from = self.word_of(call, "from").map(|_| Words::Captions);
        Some(Clip::Text {
            seconds: seconds?,
            tokens: tokens?,
            from: from?,
        })
    }

    /// `flow(of: v, method: tvl1)`: as many frames as the clip of the video.
    fn flow_clip(&mut self, call: &Call<'a>) -> Option<Clip> {
        let slot = call.get("of")?.clone();
        let method = self.word_of(call, "method").map(|_| FlowMethod::Tvl1);
        let of = self.modality_name(&slot)?;
        self.step(&slot)?;
        let clip = self.modality_clip(&slot, &of)?;
        let Clip::Video { frames, size, fps } = clip else {
            let message = format!(
                "optical flow is computed from video, `{of}` is {}",
                time::medium(&clip)
            );
            let mut diagnostic = Diagnostic::error(codes::NOT_ITS_FLOW, slot.span(), message);
            if let Some(video) = self.a_video(slot.env.module) {
                diagnostic = diagnostic.help(format!("write `of: {video}`"));
            }
            self.report(&slot.env, diagnostic);
            return None;
        };
        if frames < 2 {
            let message = format!("one frame has no flow, and a clip of `{of}` has no second");
            let diagnostic = Diagnostic::error(codes::NOT_ITS_FLOW, slot.span(), message)
                .help(format!("give `{of}` two frames at least: `2x{size}px`"));
            self.report(&slot.env, diagnostic);
            return None;
        }
        Some(Clip::Flow {
            frames,
            size,
            fps,
            of,
            method: method?,
        })
    }

    /// A modality of video that the module knows, if there is one alone.
    fn a_video(&self, module: usize) -> Option<&'a str> {
        let is_video = |decl: &&Decl| {
            let Body::Expr(expr) = &decl.body else {
                return false;
            };
            decl.kind.value == Kind::Modality
                && named_call(expr).is_some_and(|(name, _)| name == "video")
        };
        let mut known = self.names[module]
            .iter()
            .filter(|(_, (_, decl))| is_video(decl));
        match (known.next(), known.next()) {
            (Some((name, _)), None) => Some(name),
            _ => None,
        }
    }

    fn wrong_clip(&mut self, slot: &Slot<'a>, message: &str, example: &str) {
        let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
            .help(format!("for example `clip: {example}`"));
        self.report(&slot.env, diagnostic);
    }

    /// `8x112px @ 16fps` or `2s @ 16kHz`.
    pub(super) fn clip(&mut self, slot: &Slot<'a>) -> Option<WrittenClip> {
        let example = self.replaced_clip(slot).unwrap_or("8x112px @ 16fps");
        let wanted = Wanted::new("a clip", &[], &[]).example(example);
        let reduced = self.reduce(slot)?;
        let ExprKind::At(what, rate) = &reduced.expr.kind else {
            if let ExprKind::Binary(..) = &reduced.expr.kind {
                let message = format!("`{}` takes a clip, this is a sum or a product", slot.place);
                let diagnostic =
                    Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
                        .help("only its parts are worked out: `(2 * 1s) @ 16kHz`");
                self.report(&slot.env, diagnostic);
                return None;
            }
            self.wrong(slot, &reduced, &wanted);
            return None;
        };
        let what = self.reduce(&reduced.with(what))?;
        let rate_slot = Slot {
            place: "clip".into(),
            ..reduced.with(rate)
        };
        let rate = self.arithmetic(
            &rate_slot,
            &Wanted {
                noun: "a rate",
                ..wanted
            },
        )?;
        if let ExprKind::Dims(factors, unit) = &what.expr.kind {
            let size = self.frames_and_size(&what, factors, unit.as_deref());
            let fps = self.fit(&rate_slot, rate, &catalog::FRAME_RATE);
            let (frames, size) = size?;
            return Some(WrittenClip::Video {
                frames,
                size,
                fps: fps?,
            });
        }
        let length = self.arithmetic(
            &what,
            &Wanted {
                noun: "a duration or a size",
                ..wanted
            },
        )?;
        if rate.dimension == Dimension::FRAME_RATE
            && matches!(length.dimension, Dimension::TIME | Dimension::FRAMES)
        {
            self.clip_without_size(&what, length, rate);
            return None;
        }
        let rate = self.fit(&rate_slot, rate, &catalog::FREQUENCY)?;
        let samples = match length.dimension {
            Dimension::SAMPLES => length.value,
            _ => {
                let seconds = self.fit(
                    &Slot {
                        place: "clip".into(),
                        ..what.clone()
                    },
                    length,
                    &catalog::DURATION,
                )?;
                self.exactly(&what, seconds.times(rate))?
            }
        };
        let Some(samples) = samples.to_u32().filter(|n| *n > 0) else {
            let message = format!("{} samples; a clip has whole samples", samples.decimal());
            self.error(&what, codes::BROKEN_TICK, message);
            return None;
        };
        Some(WrittenClip::Audio { samples, rate })
    }

    /// The clip that this one replaces in a copy, as written: what is meant has its form.
    fn replaced_clip(&self, slot: &Slot<'a>) -> Option<&'a str> {
        let entry = slot.env.record.as_ref()?.entry(&slot.place)?;
        let mut before = entry.places.iter().rev().skip(1);
        let sources = self.sources;
        before.find_map(|place| Some(sources.text(*place).split_once('=')?.1.trim()))
    }

    /// A video clip given as time: its frames may be broken, and its size is missing.
    fn clip_without_size(&mut self, slot: &Slot<'a>, length: Quantity, rate: Quantity) {
        let frames = if length.dimension == Dimension::TIME {
            length.times(rate).ok()
        } else {
            Some(length)
        };
        let replaced = self
            .replaced_clip(slot)
            .and_then(|clip| clip.split_once('x'));
        let size = replaced.and_then(|(_, size)| Some(size.split_once("px")?.0));
        let size = size.unwrap_or("112");
        let diagnostic = match frames {
            Some(frames) if !frames.value.0.is_integer() => {
                let (low, high) = (
                    frames.value.0.floor().to_integer(),
                    frames.value.0.ceil().to_integer(),
                );
                let message = format!("{} frames; a clip has whole frames", frames.value.decimal());
                Diagnostic::error(codes::BROKEN_TICK, slot.span(), message).help(format!(
                    "write `{low}x{size}px` or `{high}x{size}px`: frames, then the size"
                ))
            }
            _ => Diagnostic::error(
                codes::SIZE_WITHOUT_UNIT,
                slot.span(),
                "a video clip needs the size of its pictures",
            )
            .help(format!("write frames and size: `8x{size}px @ 16fps`")),
        };
        self.report(&slot.env, diagnostic);
    }

    fn frames_and_size(
        &mut self,
        slot: &Slot<'a>,
        factors: &[String],
        unit: Option<&str>,
    ) -> Option<(u32, u32)> {
        let span = slot.span();
        let [frames, size] = factors else {
            let diagnostic = Diagnostic::error(
                codes::SIZE_WITHOUT_UNIT,
                span,
                "a clip has two sizes: its frames and the side of its square pictures",
            )
            .help("write `8x112px`");
            self.report(&slot.env, diagnostic);
            return None;
        };
        if unit != Some("px") {
            let written = format!("{frames}x{size}px");
            let message = match unit {
                None => "a size needs a unit".to_string(),
                Some(unit) => format!("a size is in pixels, not in `{unit}`"),
            };
            let diagnostic = Diagnostic::error(codes::SIZE_WITHOUT_UNIT, span, message)
                .help(format!("write `{written}`"))
                .edit(span, written);
            self.report(&slot.env, diagnostic);
            return None;
        }
        let read = |text: &String| {
            text.parse::<u32>()
                .ok()
                .filter(|n| (1..=16_384).contains(n))
        };
        let (Some(frames), Some(size)) = (read(frames), read(size)) else {
            self.error(
                slot,
                codes::OUT_OF_RANGE,
                "frames and size lie between 1 and 16384",
            );
            return None;
        };
        Some((frames, size))
    }

    /// `logmel(...)` of a sound at `rate`.
    fn spectrogram(&mut self, slot: &Slot<'a>, rate: Exact) -> Option<LogMel> {
        let reduced = self.reduce(slot)?;
        let Some(call) = self.operator_call(&reduced, Family::Spectrogram).ok()? else {
            let wanted = Wanted::new("a spectrogram", &[Kind::Let], &[Family::Spectrogram]);
            self.wrong(
                slot,
                &reduced,
                &wanted.example("logmel(bands: 80, hop: 10ms, fft: 1024samples, centre: no)"),
            );
            return None;
        };
        let bands = self.whole_of(&call, "bands");
        let hop = self.number_of(&call, "hop");
        let fft = self.whole_of(&call, "fft");
        let centre = self.word_of(&call, "centre").map(|word| word == "yes");
        let at = call.get("hop")?.clone();
        let samples = self.exactly(&at, hop?.times(rate))?;
        let (bands, fft, centre) = (bands?, fft?, centre?);
        let Some(hop) = samples.to_u32().filter(|n| *n > 0) else {
            let message = format!(
                "{} samples; the hop is a whole number of samples",
                samples.decimal()
            );
            self.error(&at, codes::BROKEN_TICK, message);
            return None;
        };
        if hop > fft {
            let message = format!("a hop of {hop} samples jumps over its window of {fft} samples");
            self.error(&at, codes::OUT_OF_RANGE, message);
            return None;
        }
        Some(LogMel {
            bands,
            hop,
            fft,
            centre,
        })
    }

    /// A declared data set. Files are found under its name in `crisscross.toml`, so a data set is always declared.
    pub(super) fn data(&mut self, slot: &Slot<'a>) -> Option<Data> {
        let wanted = Wanted::new("a data set", &[Kind::Data], &[]).example("KS");
        // Through fields, members and parameters to the name of the declaration.
        let said = self.found.len();
        if let Some(at) = self.declaration_behind(slot, Kind::Data)
            && let Some(name) = at.word()
            && let Some((module, decl)) = self.declared(at.env.module, name)
        {
            if self.is_poisoned(at.env.module, name) {
                return None;
            }
            let Body::Expr(expr) = &decl.body else {
                return None;
            };
            let env = at.env.inside(module, at.span());
            let data = self.data_set(&Slot::new(expr, env, name), name);
            return data.map(|data| self.capped_data(data));
        }
        if self.found.len() > said {
            return None;
        }
        let at = slot.clone();
        if let Ok(Some(_)) = self.quiet_call(&at, Family::Data) {
            let diagnostic = Diagnostic::error(
                codes::WRONG_KIND_OF_VALUE,
                slot.span(),
                "a data set needs a name",
            )
            .note("its files are found under that name in `crisscross.toml`")
            .help("declare it: `data mine = videos(...)`, and write `data = mine`");
            self.report(&slot.env, diagnostic);
            return None;
        }
        let reduced = self.reduce(&at)?;
        self.wrong(slot, &reduced, &wanted);
        None
    }

    /// The operator of a call without looking at its arguments.
    fn quiet_call(
        &self,
        slot: &Slot<'a>,
        family: Family,
    ) -> Result<Option<&'static catalog::Operator>, ()> {
        let ExprKind::Call(callee, _) = &slot.expr.kind else {
            return Ok(None);
        };
        let ExprKind::Name(name) = &callee.kind else {
            return Ok(None);
        };
        Ok(catalog::operator(family, name))
    }

    /// `videos(...)`, `sounds(...)`, `synthetic(...)`, or the name of another data set.
    pub(super) fn data_set(&mut self, slot: &Slot<'a>, name: &str) -> Option<Data> {
        let reduced = self.reduce(slot)?;
        let Some(call) = self.operator_call(&reduced, Family::Data).ok()? else {
            let wanted = Wanted::new("a data set", &[Kind::Data], &[Family::Data]);
            self.wrong(
                slot,
                &reduced,
                &wanted.example("videos(train: 22K, classes: 32, requires: [v, a], short: skip)"),
            );
            return None;
        };
        let classes = match call.get("classes") {
            None if call.operator.name != "synthetic" => Some(0),
            _ => self.whole_of(&call, "classes"),
        };
        let splits = match call.get("splits") {
            Some(_) => self.whole_of(&call, "splits"),
            None => Some(1),
        };
        if call.operator.name == "synthetic" {
            let (clips, seed) = (self.whole_of(&call, "clips"), self.number_of(&call, "seed"));
            let (length, lag) = (
                self.number_of(&call, "length"),
                self.number_of(&call, "lag"),
            );
            let streams = vec!["v".to_string(), "a".to_string()];
            let (clips, classes, splits, length) = (clips?, classes?, splits?, length?);
            if classes > clips {
                let slot = call.get("classes").cloned()?;
                let message = format!("{classes} classes cannot be shown by {clips} clips");
                self.error(&slot, codes::OUT_OF_RANGE, message);
                return None;
            }
            if lag? >= length {
                let slot = call.get("lag").cloned()?;
                let message = "the sound would follow the picture after the end of the clip";
                self.error(&slot, codes::OUT_OF_RANGE, message);
                return None;
            }
            return Some(Data::Synthetic(Synthetic {
                clips,
                classes,
                length,
                lag: lag?,
                seed: seed?.to_u64()?,
                streams,
                splits,
            }));
        }
        let is_video = call.operator.name == "videos";
        let requires = match call.get("requires") {
            Some(list) if is_video => self.streams(&list.clone()),
            _ => Some(vec!["a".to_string()]),
        };
        if let Some(whole) = call.get("part_of").cloned() {
            self.data(&whole)?;
        }
        let short = self.word_of(&call, "short").map(|word| match word {
            "skip" => Short::Skip,
            "loop" => Short::Loop,
            "pad" => Short::Pad,
            _ => Short::Error,
        });
        let label = match call.get("label") {
            Some(column) => self.text(&column.clone()),
            None => Some("label".to_string()),
        };
        let length = match call.get("length") {
            Some(_) => self.number_of(&call, "length").map(Some),
            None => Some(None),
        };
        let longer = match call.get("longer") {
            Some(_) => self.number_of(&call, "longer").map(Some),
            None => Some(None),
        };
        let train = self.number_of(&call, "train").and_then(|n| n.to_u64());
        let files = Files {
            name: name.to_string(),
            train: train?,
            classes: classes?,
            requires: requires?,
            splits: splits?,
            short: short?,
            label: label?,
            length: length?,
            longer: longer?,
        };
        Some(if is_video {
            Data::Videos(files)
        } else {
            Data::Sounds(files)
        })
    }

    /// The streams that a list of modalities reads, each once; `captions` may stand for itself.
    fn streams(&mut self, slot: &Slot<'a>) -> Option<Vec<String>> {
        let members = self.list(slot, "a list of modalities")?;
        // A word that is no declared name: a stream, or a mistake for which a stream may be meant.
        let undeclared: Vec<Option<&'a str>> = members
            .iter()
            .map(|member| {
                let word = member.word()?;
                let is_known = member.env.bound(word).is_some()
                    || self.declared(member.env.module, word).is_some()
                    || self.is_poisoned(member.env.module, word);
                (!is_known).then_some(word)
            })
            .collect();
        if undeclared.iter().all(Option::is_none) {
            let names = self.modality_names(slot)?;
            let streams = names
                .iter()
                .map(|name| Some(self.modality_clip(slot, name)?.stream().to_owned()));
            let streams: Vec<String> = streams.collect::<Option<_>>()?;
            return Some(once(streams));
        }
        let mut streams = vec![];
        let mut is_right = true;
        for (member, word) in members.iter().zip(undeclared) {
            let stream = match word {
                Some("captions") => Some("captions"),
                Some(word) => {
                    let wanted = Wanted {
                        words: &["captions"],
                        ..Wanted::new("a modality", &[Kind::Modality], &[])
                    };
                    self.unknown(member, word, &wanted);
                    None
                }
                None => {
                    let name = self.modality_name(member);
                    let clip = name.and_then(|name| self.modality_clip(member, &name));
                    clip.map(|clip| clip.stream())
                }
            };
            match stream {
                Some(stream) => streams.push(stream.to_owned()),
                None => is_right = false,
            }
        }
        is_right.then(|| once(streams))
    }

    /// A stream of `data` is needed that it does not have: `linear8 on ESC50`.
    pub(super) fn check_stream(
        &mut self,
        slot: &Slot<'a>,
        data: &Data,
        modality: &str,
        user: &str,
        stream: &'static str,
    ) -> bool {
        let has = match data {
            Data::Synthetic(s) => s.streams.iter().any(|s| s == stream),
            Data::Sounds(_) => stream == "a",
            Data::Videos(f) => stream == "v" || f.requires.iter().any(|s| s == stream),
        };
        if !has {
            let what = match stream {
                "v" => "video",
                "a" => "sound",
                other => other,
            };
            let named = match data {
                Data::Synthetic(_) => "this data set".to_string(),
                Data::Videos(f) | Data::Sounds(f) => format!("`{}`", f.name),
            };
            let mut diagnostic = Diagnostic::error(
                codes::NO_STREAM,
                slot.span(),
                format!("{user} uses `{modality}`, {named} has no {what}"),
            );
            if let Data::Videos(f) = data {
                let requires: Vec<&str> = f.requires.iter().map(String::as_str).collect();
                let declared = self.declared(slot.env.module, &f.name);
                let is_shipped = declared.is_some_and(|(owner, _)| self.modules[owner].is_shipped);
                let set = if is_shipped {
                    "a data set of your own".to_owned()
                } else {
                    format!("`{}`", f.name)
                };
                diagnostic = diagnostic.help(format!(
                    "if its files have {what}, declare {set} with `requires: [{}, {stream}]`",
                    requires.join(", ")
                ));
            }
            self.report(&slot.env, diagnostic);
        }
        has
    }

    /// Classes of `data` are needed that its declaration does not have.
    pub(super) fn check_labelled(&mut self, slot: &Slot<'a>, data: &Data, user: &str) {
        let (Data::Videos(files) | Data::Sounds(files)) = data else {
            return;
        };
        if files.classes > 0 {
            return;
        }
        let message = format!("{user} scores classes, and `{}` has none", files.name);
        let diagnostic = Diagnostic::error(codes::NO_CLASSES, slot.span(), message).help(format!(
            "declare how many labels its files have, `{}(..., classes: 10)`, or score on another data set",
            if matches!(data, Data::Videos(_)) { "videos" } else { "sounds" }
        ));
        self.report(&slot.env, diagnostic);
    }
}

/// Names in their order, each once.
fn once(names: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let names = names.into_iter();
    names.filter(|name| seen.insert(name.clone())).collect()
}
