//! What a figure draws of its runs: `draw = gallery(...)`, and the curves of their trainings.

use super::expand::Call;
use super::record::Record;
use super::rows::one_line;
use super::{Checker, Slot, Wanted, nearest, suggest};
use crate::catalog::Family;
use crate::codes;
use crate::hir::{
    Curve, Data, Drawing, Embedded, Eval, Gallery, Head, Part, Projection, Protocol, Saliency,
    Sampled, Smooth, Target,
};
use crate::units::Exact;
use crate::written;
use grammar::ast::{ExprKind, Kind};
use grammar::diagnostic::Diagnostic;
use std::rc::Rc;

impl<'a> Checker<'a> {
    /// What a figure draws, each with its heading: `gallery of retrieval on K400`. `None` stands for one that is wrong.
    pub(super) fn drawings(&mut self, record: &Rc<Record<'a>>) -> Vec<(String, Option<Drawing>)> {
        let Some(slot) = record.slot("draw") else {
            return vec![];
        };
        let members = if let ExprKind::List(members) = &slot.expr.kind {
            members.iter().map(|m| slot.with(m)).collect()
        } else {
            vec![slot]
        };
        members.iter().map(|member| self.drawing(member)).collect()
    }

    fn drawing(&mut self, slot: &Slot<'a>) -> (String, Option<Drawing>) {
        let wrong = (one_line(self.sources.text(slot.span())), None);
        let Some(reduced) = self.reduce(slot) else {
            return wrong;
        };
        let call = match self.operator_call(&reduced, Family::Drawing) {
            Ok(Some(call)) => call,
            Ok(None) => {
                let wanted = Wanted::new("what is drawn", &[Kind::Let], &[Family::Drawing])
                    .example("gallery(retrieval on K400, queries: 6, top: 5)");
                self.wrong(slot, &reduced, &wanted);
                return wrong;
            }
            Err(()) => return wrong,
        };
        let Some(of) = call.get("of").cloned() else {
            return wrong;
        };
        let heading = format!(
            "{} of {}",
            call.operator.name,
            one_line(self.sources.text(of.span()))
        );
        let drawing = self.drawing_of(&call, &of);
        // Maps and embeddings of one evaluation are made in several ways.
        let heading = match drawing.as_ref().and_then(written::in_short) {
            Some(way) => format!("{heading} by {way}"),
            None => heading,
        };
        (heading, drawing)
    }

    fn drawing_of(&mut self, call: &Call<'a>, of: &Slot<'a>) -> Option<Drawing> {
        let eval = self.drawn_eval(of);
        if call.operator.name == "gallery" {
            let (queries, top) = (self.whole_of(call, "queries"), self.whole_of(call, "top"));
            let eval = eval?;
            if eval.head != Head::Neighbours {
                let message =
                    "a gallery shows the nearest neighbours, and this evaluation has none";
                let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, of.span(), message)
                    .help("name one with `neighbours = knn(distance: cosine)`, as `retrieval` of `downstream.cc`");
                self.report(&of.env, diagnostic);
                return None;
            }
            let queries = self.enough(call, "queries", queries?, &eval.data, Part::Test)?;
            return Some(Drawing::Gallery(Box::new(Gallery {
                eval,
                queries,
                top: top?,
            })));
        }
        let split = self.word_of(call, "split").map(|word| match word {
            "train" => Part::Train,
            _ => Part::Test,
        });
        let samples = self.whole_of(call, "samples");
        let by = call.get("by")?.clone();
        let is_embedding = call.operator.name == "embedding";
        let projection = is_embedding.then(|| self.projection(&by, samples));
        let map = (!is_embedding).then(|| self.saliency_map(&by));
        let eval = eval?;
        if is_embedding && let Head::Finetune(_) = eval.head {
            let message = "an embedding is drawn of frozen features, and a finetuning has none";
            let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, of.span(), message)
                .help("name an evaluation with `features`, as `linear8`");
            self.report(&of.env, diagnostic);
            return None;
        }
        let (split, samples) = (split?, samples?);
        let samples = self.enough(call, "samples", samples, &eval.data, split)?;
        if let Some(Some((Target::Agreement, _))) = map
            && eval.data.requires().len() < 2
        {
            let message = format!(
                "`agreement` compares with another modality, and `{}` has `{}` alone",
                written::data_name(&eval.data),
                eval.uses
            );
            let diagnostic = Diagnostic::error(codes::NO_STREAM, of.span(), message)
                .help("name a data set with both, or write `target: activation`");
            self.report(&of.env, diagnostic);
            return None;
        }
        let of = Sampled {
            data: eval.data,
            uses: eval.uses,
            clip: eval.clip,
            clips: eval.test,
            split,
            samples,
        };
        match projection {
            Some(by) => Some(Drawing::Embedding(Box::new(Embedded {
                of,
                features: eval.features,
                by: self.bounded(by?, samples),
            }))),
            None => {
                let (target, smooth) = map??;
                Some(Drawing::Saliency(Box::new(Saliency { of, target, smooth })))
            }
        }
    }

    /// No more samples than the data set has, as far as that is known; the stand-in of a profile lends what it has.
    fn enough(
        &mut self,
        call: &Call<'a>,
        name: &str,
        asked: u32,
        data: &Data,
        split: Part,
    ) -> Option<u32> {
        let there = match (data, split) {
            (Data::Synthetic(set), split) => {
                let is_drawn = |clip: &u32| (set.fold(*clip) == 1) == (split == Part::Test);
                (0..set.clips).filter(is_drawn).count() as u64
            }
            (Data::Videos(set) | Data::Sounds(set), Part::Train) => set.train,
            // How many test samples there are is not declared.
            (Data::Videos(_) | Data::Sounds(_), Part::Test) => u64::MAX,
        };
        if u64::from(asked) <= there {
            return Some(asked);
        }
        if self.caps.is_some() {
            return u32::try_from(there).ok();
        }
        let slot = call.get(name)?.clone();
        let part = match split {
            Part::Train => "training",
            Part::Test => "test",
        };
        let message =
            format!("`{name}` asks for {asked}, and the data set has {there} {part} clips");
        self.error(&slot, codes::OUT_OF_RANGE, message);
        None
    }

    /// A projection that a profile with fewer samples can make.
    fn bounded(&self, by: Projection, samples: u32) -> Projection {
        let most = Exact::new(i128::from(samples.saturating_sub(1)), 3);
        match by {
            Projection::Tsne { perplexity } if self.caps.is_some() => Projection::Tsne {
                perplexity: perplexity.min(most),
            },
            Projection::Tsne { .. } | Projection::Pca => by,
        }
    }

    /// `eval on data`, of one modality: it says what goes through the networks.
    fn drawn_eval(&mut self, of: &Slot<'a>) -> Option<Eval> {
        let before = self.found.len();
        let eval = self.record(of, Kind::Eval)?;
        if eval.entry("data").is_none() {
            let label = one_line(self.sources.text(of.span()));
            let message = format!("`{label}` names no data set");
            let diagnostic = Diagnostic::error(codes::MISSING_FIELD, of.span(), message)
                .help(format!("write `{label} on K400`"));
            self.report(&of.env, diagnostic);
            self.wrong.extend(eval.declared.last());
            return None;
        }
        let eval = Rc::new(Record {
            used_at: of.span(),
            is_unsure: eval.is_unsure || eval.declared.iter().any(|d| self.wrong.contains(d)),
            declared: vec![],
            ..eval
        });
        let closed = self.eval(&eval, &of.env.used_at(of.span()));
        self.silence_echoes(&eval, before);
        // Its head and its score are not used: what is to be said of them has no place here.
        let own = self.found.split_off(before);
        let about_head = |d: &Diagnostic| d.code == codes::CHOSEN_ON_TEST;
        self.found
            .extend(own.into_iter().filter(|d| !about_head(d)));
        match closed?.into_iter().next()?.1 {
            Protocol::Single(eval) => Some(*eval),
            Protocol::Fused(_) => {
                let message =
                    "what is drawn comes from one modality, this evaluation fuses several";
                let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, of.span(), message)
                    .help("name one of its parts");
                self.report(&of.env, diagnostic);
                None
            }
        }
    }

    /// `tsne(perplexity: 30)` or `pca`.
    fn projection(&mut self, slot: &Slot<'a>, samples: Option<u32>) -> Option<Projection> {
        let reduced = self.reduce(slot)?;
        let Some(call) = self.operator_call(&reduced, Family::Projection).ok()? else {
            let wanted = Wanted::new("a projection", &[Kind::Let], &[Family::Projection]);
            self.wrong(slot, &reduced, &wanted.example("tsne(perplexity: 30)"));
            return None;
        };
        if call.operator.name == "pca" {
            return Some(Projection::Pca);
        }
        let perplexity = self.number_of(&call, "perplexity")?;
        // The nearest neighbours that t-SNE looks at are three times the perplexity.
        let needed = perplexity.times(Exact::whole(3))?;
        let there = Exact::whole(i128::from(samples?)).minus(Exact::whole(1))?;
        if needed > there {
            let at = call.get("perplexity")?.clone();
            let message = format!(
                "a perplexity of {} looks at {} neighbours of each sample, and there are {}",
                perplexity.decimal(),
                needed.decimal(),
                there.decimal()
            );
            let diagnostic = Diagnostic::error(codes::OUT_OF_RANGE, at.span(), message)
                .help("draw more `samples` or lower `perplexity`");
            self.report(&at.env, diagnostic);
            return None;
        }
        Some(Projection::Tsne { perplexity })
    }

    /// `gradcam(target: agreement)`, or `smoothgradcampp(target: agreement, draws: 16, noise: 0.1)`.
    fn saliency_map(&mut self, slot: &Slot<'a>) -> Option<(Target, Option<Smooth>)> {
        let reduced = self.reduce(slot)?;
        let Some(call) = self.operator_call(&reduced, Family::Highlight).ok()? else {
            let wanted = Wanted::new("a method of saliency", &[Kind::Let], &[Family::Highlight]);
            self.wrong(
                slot,
                &reduced,
                &wanted.example("gradcam(target: agreement)"),
            );
            return None;
        };
        let target = self.word_of(&call, "target").map(|word| match word {
            "agreement" => Target::Agreement,
            _ => Target::Activation,
        });
        if call.operator.name == "gradcam" {
            return Some((target?, None));
        }
        let draws = self.whole_of(&call, "draws");
        let noise = self.number_of(&call, "noise");
        let smooth = Smooth {
            draws: draws?,
            noise: noise?,
        };
        Some((target?, Some(smooth)))
    }

    /// `curves = [train.loss]`. `None` where one of them is wrong.
    pub(super) fn curves(&mut self, record: &Rc<Record<'a>>) -> Option<Vec<Curve>> {
        let Some(slot) = record.slot("curves") else {
            return Some(vec![]);
        };
        let members = self.list(&slot, "a list of curves")?;
        let mut curves = vec![];
        for member in &members {
            let written = one_line(self.sources.text(member.span()));
            let Some(curve) = Curve::ALL.into_iter().find(|c| c.name() == written) else {
                let known: Vec<&str> = Curve::ALL.iter().map(|c| c.name()).collect();
                let message = format!("no curve named `{written}`");
                let mut diagnostic = Diagnostic::error(codes::UNKNOWN_NAME, member.span(), message);
                if nearest(&written, known.iter().copied()).is_empty() {
                    let list: Vec<String> = known.iter().map(|k| format!("`{k}`")).collect();
                    diagnostic = diagnostic.note(format!("known here: {}", list.join(", ")));
                }
                let diagnostic = suggest(diagnostic, member.span(), &written, known.into_iter());
                self.report(&member.env, diagnostic);
                return None;
            };
            if curves.contains(&curve) {
                self.error(member, codes::SET_TWICE, "this curve stands twice");
                return None;
            }
            curves.push(curve);
        }
        Some(curves)
    }

    /// A figure that scores nothing has no points: its panels or curves are its rows, and only points need an axis.
    pub(super) fn needs_axis(record: &Record<'a>) -> bool {
        let draws = record.entry("draw").is_some() || record.entry("curves").is_some();
        !draws || record.entry("scores").is_some()
    }

    /// A checkpoint is named in a table that reads no weights.
    pub(super) fn checkpoint_of_nothing(
        &mut self,
        table: &Record<'a>,
        row: &Rc<Record<'a>>,
    ) -> bool {
        let reads = ["scores", "draw"]
            .iter()
            .any(|name| table.entry(name).is_some());
        let Some(slot) = row
            .slot("checkpoint")
            .filter(|_| !reads && !table.is_unsure)
        else {
            return false;
        };
        let message = "this table scores nothing, so that no state of a run is read";
        let diagnostic = Diagnostic::error(codes::MISSING_FIELD, slot.span(), message)
            .help("set `scores = [linear8 on UCF101]` in the table, or drop `checkpoint`");
        self.report(&slot.env, diagnostic);
        true
    }
}
