//! A record of fields to a closed evaluation (App. E).

use super::media::WrittenClip;
use super::record::Record;
use super::{Checker, Env, Slot, Wanted, named_call};
use crate::catalog::{self, Family, Type};
use crate::codes;
use crate::hir::{
    Chain, Choose, Clip, Clips, Data, Eval, Finetune, Fusion, Head, Keep, Linear, Pool, Protocol,
    Score,
};
use crate::units::Exact;
use grammar::ast::{ExprKind, Kind};
use grammar::diagnostic::Diagnostic;
use std::rc::Rc;

/// A form of an evaluation: the fields that it needs, and those that it may have.
#[derive(PartialEq)]
struct Form {
    name: &'static str,
    needs: &'static [&'static str],
    may: &'static [&'static str],
    example: &'static str,
}

const FUSED: Form = Form {
    name: "fused",
    needs: &["uses", "fuse", "head", "score"],
    may: &[],
    example: "its parts have it",
};
const FINETUNED: Form = Form {
    name: "finetuned",
    needs: &[
        "uses", "clip", "train", "test", "augment", "tune", "pool", "head", "bs", "es", "ep",
        "optim", "lr", "drp", "keep", "score",
    ],
    may: &[],
    example: "write it as a block of its own, as `finetune8`",
};
const RETRIEVED: Form = Form {
    name: "retrieved",
    needs: &[
        "uses",
        "clip",
        "train",
        "test",
        "features",
        "neighbours",
        "score",
    ],
    may: &["augment", "dim"],
    example: "write it as a block of its own, as `retrieval`",
};
const FROZEN: Form = Form {
    name: "on frozen features",
    needs: &[
        "uses", "clip", "train", "test", "augment", "features", "head", "score",
    ],
    may: &["dim"],
    example: "`tune = all` finetunes, see `finetune8`",
};

/// The form whose own fields a record has; that without any is the probe on frozen features.
fn form_of(record: &Record<'_>) -> &'static Form {
    let own = |form: &Form| {
        let is_own = |name: &&&str| !FROZEN.needs.contains(*name);
        let names = form.needs.iter().filter(is_own);
        names.filter(|name| record.entry(name).is_some()).count()
    };
    let value = |name: &str| record.entry(name).map(|entry| &entry.value.kind);
    if let Some(ExprKind::List(_)) = value("uses") {
        return &FUSED;
    }
    let first = match value("score") {
        Some(ExprKind::List(members)) => members.first(),
        Some(_) | None => record.entry("score").map(|entry| entry.value),
    };
    if first
        .and_then(named_call)
        .is_some_and(|(name, _)| name == "recall")
    {
        return &RETRIEVED;
    }
    let lacks = |form: &Form| {
        let lacking = form
            .needs
            .iter()
            .filter(|name| record.entry(name).is_none());
        lacking.count()
    };
    [&FUSED, &FINETUNED, &RETRIEVED]
        .into_iter()
        .find(|form| own(form) > 0)
        // A field or two of another form make no other form of a probe that has all of its own.
        .filter(|form| lacks(&FROZEN) > 0 || lacks(form) <= own(form))
        .unwrap_or(&FROZEN)
}

/// What has a field that the probe on frozen features does not have, with an example to copy.
fn owner(field: &str) -> Option<&'static str> {
    if FINETUNED.needs.contains(&field) {
        Some("a finetuning has it, such as `finetune8` of the prelude")
    } else if RETRIEVED.needs.contains(&field) {
        Some("a retrieval has it, such as `retrieval` of `experiments/downstream.cc`")
    } else if FUSED.needs.contains(&field) {
        Some("a fusion has it, such as `fusion_av` of `experiments/table2.cc`")
    } else {
        None
    }
}

impl<'a> Checker<'a> {
    /// The closed protocols of a record: one for each score, with what its column adds to the name, ` R@5`. Without a data set
    /// the fields are checked and nothing is closed.
    pub(super) fn eval(
        &mut self,
        record: &Rc<Record<'a>>,
        env: &Env<'a>,
    ) -> Option<Vec<(String, Protocol)>> {
        self.allow_steps();
        let form = form_of(record);
        self.fits_form(record, form, env)?;
        let scores = record
            .slot("score")
            .and_then(|slot| self.scores_of(&slot, form));
        let protocol = if *form == FUSED {
            self.fusion(record, env).map(Protocol::Fused)
        } else {
            self.single(record, form)
                .map(|eval| Protocol::Single(Box::new(eval)))
        };
        let (scores, protocol) = (scores?, protocol?);
        let closed = scores.into_iter().map(|score| {
            let mut protocol = protocol.clone();
            match &mut protocol {
                Protocol::Single(eval) => eval.score = score,
                Protocol::Fused(fusion) => fusion.score = score,
            }
            let suffix = match score {
                Score::Top1 => String::new(),
                Score::Top5 => " top-5".to_owned(),
                Score::Recall(k) => format!(" R@{k}"),
            };
            (suffix, protocol)
        });
        Some(closed.collect())
    }

    /// Whether a record has the fields of its form and no others; what is not so is reported, unless a field of it is a mistake
    /// already, for that one may be the one that decides the form.
    fn fits_form(&mut self, record: &Rc<Record<'a>>, form: &Form, env: &Env<'a>) -> Option<()> {
        let missing: Vec<String> = form
            .needs
            .iter()
            .filter(|name| record.entry(name).is_none())
            .map(|name| name.to_string())
            .collect();
        if record.is_unsure && !missing.is_empty() {
            return None;
        }
        self.missing_fields(record, &missing, env);
        let mut is_right = true;
        for field in catalog::EVAL {
            let name = field.name;
            let is_known = form.needs.contains(&name) || form.may.contains(&name) || name == "data";
            if let Some(slot) = record.slot(name).filter(|_| !is_known) {
                let message = format!(
                    "`{}` is {}, and `{name}` says nothing there",
                    record.name, form.name
                );
                let elsewhere = owner(name).filter(|_| *form == FROZEN);
                let why = elsewhere.unwrap_or(form.example);
                let help = format!("leave `{name}` out: {why}");
                let diagnostic =
                    Diagnostic::error(codes::UNKNOWN_FIELD, slot.span(), message).help(help);
                self.report(&slot.env, diagnostic);
                is_right = false;
            }
        }
        is_right.then_some(())
    }

    /// A protocol of one modality, with the first of its scores.
    fn single(&mut self, record: &Rc<Record<'a>>, form: &Form) -> Option<Eval> {
        let data = match record.slot("data") {
            Some(slot) => self.data(&slot),
            None => self.stand_in.clone(),
        };
        let uses = record
            .slot("uses")
            .and_then(|slot| self.modality_name(&slot));
        let clip = uses.as_ref().and_then(|uses| self.eval_clip(record, uses));
        let clips = |checker: &mut Self, name: &str| {
            record.slot(name).and_then(|slot| checker.clips(&slot))
        };
        let (train, test) = (clips(self, "train"), clips(self, "test"));
        for (name, chosen) in [("train", train), ("test", test)] {
            self.fits_within(record, name, chosen, clip.as_ref())?;
        }
        let augment = match record.slot("augment") {
            Some(slot) => {
                let chain = self.chain(&slot, clip.as_ref());
                chain.filter(|chain| !self.follows_nothing(&slot, chain))
            }
            None => Some(Chain {
                per_frame: false,
                links: vec![],
            }),
        };
        let features = match record.slot("features") {
            Some(slot) => self.features(&slot, clip.as_ref()),
            None => Some(vec![]),
        };
        let head = if *form == FINETUNED {
            self.finetune(record)
        } else if *form == RETRIEVED {
            record
                .slot("neighbours")
                .and_then(|slot| self.neighbours(&slot))
        } else {
            record.slot("head").and_then(|slot| self.head(&slot))
        };
        if let (Some(data), Some(uses), Some(clip), Some(slot)) =
            (&data, &uses, &clip, record.slot("data"))
        {
            let user = format!("`{}`", record.name);
            if self.check_stream(&slot, data, uses, &user, clip.stream()) {
                self.check_labelled(&slot, data, &user);
            }
        }
        if let (Some(uses), Some(clip), Some(augment)) = (&uses, &clip, &augment) {
            self.advise_on_cutout(record, uses, clip, augment);
        }
        if let (Some(clip), Some(features)) = (&clip, &features) {
            self.check_dimension(record, clip, features);
        }
        if let (Some(data), Some(head)) = (&data, &head) {
            self.has_other_folds(record, data, head)?;
        }
        let mut eval = Eval {
            data: data?,
            uses: uses?,
            clip: clip?,
            train: train?,
            test: test?,
            augment: augment?,
            features: features?,
            head: head?,
            score: Score::Top1,
        };
        if let Some(caps) = &self.caps {
            caps.bound_eval(&mut eval);
        }
        Some(eval)
    }

    /// `split: folds` chooses by the other folds of the data set, each in its turn: there must be two at least.
    fn has_other_folds(&mut self, record: &Rc<Record<'a>>, data: &Data, head: &Head) -> Option<()> {
        let by_folds = match head {
            Head::Svm { choose, .. } => *choose == Choose::Folds(None),
            Head::Linear(recipe) => recipe.keep == Some(Keep::Best(Choose::Folds(None))),
            Head::Neighbours | Head::Finetune(_) => false,
        };
        let splits = match data {
            Data::Synthetic(data) => data.splits,
            Data::Videos(files) | Data::Sounds(files) => files.splits,
        };
        // A protocol is checked without its data set too, where it names none.
        let (Some(head), Some(on)) = (record.slot("head"), record.slot("data")) else {
            return Some(());
        };
        let (has, why) = match splits {
            _ if !by_folds => return Some(()),
            1 => ("a single split", "one split: `train` and `test`"),
            2 => ("two", "beside a fold that is tested there is one other"),
            _ => return Some(()),
        };
        let message =
            format!("`folds` chooses by the other folds of the data set, and this one has {has}");
        let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, head.span(), message)
            .label(on.span(), why)
            .help("write `folds(5)` for folds drawn class by class, or `val(20%)`");
        self.report(&head.env, diagnostic);
        None
    }

    /// Whether a clip fits in the first seconds that it is to lie in.
    fn fits_within(
        &mut self,
        record: &Rc<Record<'a>>,
        name: &str,
        chosen: Option<Clips>,
        clip: Option<&Clip>,
    ) -> Option<()> {
        let (Some(Clips::UniformWithin(_, within)), Some(clip)) = (chosen, clip) else {
            return Some(());
        };
        if clip.seconds() <= within {
            return Some(());
        }
        let (within, length) = (within.decimal(), clip.seconds().decimal());
        let message = format!("a clip of {length} s does not fit in the first {within} s");
        let slot = record.slot(name)?;
        let diagnostic = Diagnostic::error(codes::OUT_OF_RANGE, slot.span(), message).help(
            format!("write `within: {length}s` or more, or leave it out"),
        );
        self.report(&slot.env, diagnostic);
        None
    }

    /// `follow(v)` in an evaluation: it sees one modality.
    fn follows_nothing(&mut self, slot: &Slot<'a>, chain: &Chain) -> bool {
        let Some(view) = chain.follows() else {
            return false;
        };
        let message = format!("an evaluation has no view of `{view}` to follow");
        let diagnostic = Diagnostic::error(codes::NOT_ITS_FLOW, slot.span(), message)
            .help("give the flow crops and flips of its own: `MSC-HF`");
        self.report(&slot.env, diagnostic);
        true
    }

    /// `fuse = concat(fusion_v, fusion_a)`: the parts on the data set of the whole.
    fn fusion(&mut self, record: &Rc<Record<'a>>, env: &Env<'a>) -> Option<Fusion> {
        let uses_slot = record.slot("uses")?;
        let uses = self.modality_names(&uses_slot);
        let head = record.slot("head").and_then(|slot| self.head(&slot));
        let slot = record.slot("fuse")?;
        let reduced = self.reduce(&slot)?;
        let Some(call) = self.operator_call(&reduced, Family::Fuse).ok()? else {
            let wanted = Wanted::new("evaluations to fuse", &[Kind::Let], &[Family::Fuse]);
            self.wrong(
                &slot,
                &reduced,
                &wanted.example("concat(fusion_v, fusion_a)"),
            );
            return None;
        };
        if call.positional.len() < 2 {
            let message = "a fusion has two parts at least";
            self.error(&slot, codes::WRONG_ARGUMENTS, message);
            return None;
        }
        let mut parts = vec![];
        let mut is_whole = true;
        for part in &call.positional {
            let Some(mut own) = self.record(part, Kind::Eval) else {
                is_whole = false;
                continue;
            };
            match (own.entry("data").is_some(), record.entry("data")) {
                (true, _) => {
                    let message = "a part of a fusion has the data set of the whole";
                    let help = "leave `on ...` out here and write it behind the fusion";
                    let diagnostic =
                        Diagnostic::error(codes::SET_TWICE, part.span(), message).help(help);
                    self.report(&part.env, diagnostic);
                    is_whole = false;
                    continue;
                }
                (false, Some(entry)) => {
                    own.set("data".into(), entry.value, entry.env.clone(), part.span());
                }
                (false, None) => {}
            }
            own.used_at = record.used_at;
            let own = Rc::new(own);
            self.fits_form(&own, &FROZEN, env)?;
            match self.single(&own, &FROZEN) {
                Some(eval) => parts.push(eval),
                None => is_whole = false,
            }
        }
        if !is_whole {
            return None;
        }
        let of_parts: Vec<&str> = parts.iter().map(|eval| eval.uses.as_str()).collect();
        if uses? != of_parts {
            let message = format!("the parts of this fusion use {}", of_parts.join(" and "));
            let written = format!("[{}]", of_parts.join(", "));
            let diagnostic =
                Diagnostic::error(codes::WRONG_KIND_OF_VALUE, uses_slot.span(), message)
                    .help(format!("write `uses = {written}`"))
                    .edit(uses_slot.span(), written);
            self.report(&uses_slot.env, diagnostic);
            return None;
        }
        if let (Some(part), Some(head)) = (parts.first(), &head) {
            self.has_other_folds(record, &part.data, head)?;
        }
        Some(Fusion {
            parts,
            head: head?,
            score: Score::Top1,
        })
    }

    /// The recipe of a finetuning (Table S11).
    fn finetune(&mut self, record: &Rc<Record<'a>>) -> Option<Head> {
        let word = |checker: &mut Self, name: &str| {
            let field = catalog::EVAL.iter().find(|field| field.name == name)?;
            let Type::Word(words) = field.takes else {
                return None;
            };
            checker.word(&record.slot(name)?, words)
        };
        let number = |checker: &mut Self, name: &str| {
            let field = catalog::EVAL.iter().find(|field| field.name == name)?;
            let Type::Quantity(measure) = field.takes else {
                return None;
            };
            checker.quantity(&record.slot(name)?, &measure)
        };
        let tune = word(self, "tune");
        let pool = word(self, "pool").map(|pool| match pool {
            "adaptive_max" => Pool::AdaptiveMax,
            _ => Pool::AdaptiveMean,
        });
        let (bs, es, ep) = (number(self, "bs"), number(self, "es"), number(self, "ep"));
        let drp = number(self, "drp");
        let optim = record.slot("optim").and_then(|slot| self.optimiser(&slot));
        let lr = record.slot("lr").and_then(|slot| self.schedule(&slot));
        if let (Some(slot), Some(lr), Some(ep)) =
            (record.slot("lr"), &lr, ep.and_then(|ep| ep.to_u64()))
        {
            self.advise_on_steps(&slot, lr, ep);
        }
        let keep = record.slot("keep").and_then(|slot| {
            let keep = self.keep(&slot)?;
            if let Keep::Best(Choose::Folds(_)) = keep {
                let message = "a finetuning chooses its epoch by held-out samples, not by folds";
                let diagnostic =
                    Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
                        .note("each fold would train the whole network once more")
                        .help("write `keep = best(split: val(10%))`");
                self.report(&slot.env, diagnostic);
                return None;
            }
            Some(keep)
        });
        let layer = record.slot("head").and_then(|slot| self.class_layer(&slot));
        layer?;
        tune?;
        let (bs, es) = (bs?.to_u32()?, es?.to_u64()?);
        if es < u64::from(bs)
            && let Some(slot) = record.slot("es")
        {
            let message = format!("an epoch of {es} samples holds no batch of {bs}");
            let diagnostic = Diagnostic::error(codes::NO_WHOLE_BATCH, slot.span(), message)
                .help("raise `es` or lower `bs`");
            self.report(&slot.env, diagnostic);
            return None;
        }
        Some(Head::Finetune(Box::new(Finetune {
            pool: pool?,
            drp: drp?,
            bs,
            es,
            ep: ep?.to_u32()?,
            optim: optim?,
            lr: lr?,
            keep: keep?,
        })))
    }

    /// `fc(classes)`, the layer of a finetuning.
    fn class_layer(&mut self, slot: &Slot<'a>) -> Option<()> {
        let reduced = self.reduce(slot)?;
        let call = self.operator_call(&reduced, Family::Head).ok()?;
        if let Some(call) = call.filter(|call| call.operator.name == "fc") {
            return self.word_of(&call, "width").map(|_| ());
        }
        let diagnostic = Diagnostic::error(
            codes::WRONG_KIND_OF_VALUE,
            slot.span(),
            "what is finetuned ends in a linear layer of one value for each class",
        )
        .help("write `head = fc(classes)`");
        self.report(&slot.env, diagnostic);
        None
    }

    /// `last` or `best(split: test)`.
    fn keep(&mut self, slot: &Slot<'a>) -> Option<Keep> {
        let reduced = self.reduce(slot)?;
        let Some(call) = self.operator_call(&reduced, Family::Keep).ok()? else {
            let wanted = Wanted::new(
                "`last` or `best(split: ...)`",
                &[Kind::Let],
                &[Family::Keep],
            );
            self.wrong(slot, &reduced, &wanted.example("last"));
            return None;
        };
        if call.operator.name == "last" {
            return Some(Keep::Last);
        }
        self.choose(&call.get("split")?.clone(), "the epoch")
            .map(Keep::Best)
    }

    /// `knn(distance: cosine)`.
    fn neighbours(&mut self, slot: &Slot<'a>) -> Option<Head> {
        let reduced = self.reduce(slot)?;
        let Some(call) = self.operator_call(&reduced, Family::Neighbours).ok()? else {
            let wanted = Wanted::new(
                "`knn(distance: cosine)`",
                &[Kind::Let],
                &[Family::Neighbours],
            );
            self.wrong(slot, &reduced, &wanted);
            return None;
        };
        self.word_of(&call, "distance").map(|_| Head::Neighbours)
    }

    /// The clip of an evaluation, with the spectrogram of its modality.
    fn eval_clip(&mut self, record: &Rc<Record<'a>>, uses: &str) -> Option<Clip> {
        let uses_slot = record.slot("uses")?;
        let view = self.modality_clip(&uses_slot, uses)?;
        if let Clip::Text { .. } = view {
            let message = format!(
                "an evaluation reads the last map of convolutions, and the network of text `{uses}` has none"
            );
            let diagnostic = Diagnostic::error(codes::BAD_LAYER, uses_slot.span(), message)
                .help("evaluate a modality of video or sound");
            self.report(&uses_slot.env, diagnostic);
            return None;
        }
        let slot = record.slot("clip")?;
        let clip = match (self.clip(&slot)?, view.clone()) {
            (WrittenClip::Video { frames, size, fps }, Clip::Video { .. }) => {
                Clip::Video { frames, size, fps }
            }
            (WrittenClip::Video { frames, size, fps }, Clip::Flow { of, method, .. }) => {
                if frames < 2 {
                    let message = "one frame has no flow";
                    self.error(&slot, codes::NOT_ITS_FLOW, message);
                    return None;
                }
                Clip::Flow {
                    frames,
                    size,
                    fps,
                    of,
                    method,
                }
            }
            (WrittenClip::Audio { samples, rate }, Clip::Audio { mel, rate: own, .. })
                if rate == own =>
            {
                if samples < mel.fft {
                    let message = format!(
                        "a clip of {samples} samples is shorter than one window of {} samples",
                        mel.fft
                    );
                    self.error(&slot, codes::OUT_OF_RANGE, message);
                    return None;
                }
                Clip::Audio { samples, rate, mel }
            }
            (WrittenClip::Audio { rate, .. }, Clip::Audio { rate: own, .. }) => {
                let message = format!(
                    "`{uses}` is sampled at {}Hz, this clip at {}Hz",
                    own.decimal(),
                    rate.decimal()
                );
                self.error(&slot, codes::WRONG_KIND_OF_VALUE, message);
                return None;
            }
            (WrittenClip::Video { .. }, Clip::Audio { .. } | Clip::Text { .. })
            | (
                WrittenClip::Audio { .. },
                Clip::Video { .. } | Clip::Flow { .. } | Clip::Text { .. },
            ) => {
                let example = if view.stream() == "v" {
                    "8x224px @ 16fps"
                } else {
                    "2s @ 16kHz"
                };
                let message = format!("a clip of `{uses}` is written `{example}`");
                self.error(&slot, codes::WRONG_KIND_OF_VALUE, message);
                return None;
            }
        };
        Some(self.capped_clip(clip))
    }

    pub(super) fn clips(&mut self, slot: &Slot<'a>) -> Option<Clips> {
        let reduced = self.reduce(slot)?;
        let Some(call) = self.operator_call(&reduced, Family::Clips).ok()? else {
            let wanted = Wanted::new(
                "`random(n)` or `uniform(n)`",
                &[Kind::Let],
                &[Family::Clips],
            );
            // Training clips are drawn, those of the test lie evenly (App. E).
            let law = if &*slot.place == "test" {
                "uniform"
            } else {
                "random"
            };
            let number = if let ExprKind::Number(_) = &reduced.expr.kind {
                self.sources.text(reduced.span())
            } else {
                "10"
            };
            let example = format!("{law}({number})");
            self.wrong(slot, &reduced, &wanted.example(&example));
            return None;
        };
        let number = self.whole_of(&call, "clips");
        let within = match call.get("within") {
            Some(_) => self.number_of(&call, "within").map(Some),
            None => Some(None),
        };
        let (number, within) = (number?, within?);
        Some(match within {
            Some(seconds) => Clips::UniformWithin(number, seconds),
            None if call.operator.name == "random" => Clips::Random(number),
            None => Clips::Uniform(number),
        })
    }

    fn head(&mut self, slot: &Slot<'a>) -> Option<Head> {
        let reduced = self.reduce(slot)?;
        let Some(call) = self.operator_call(&reduced, Family::Head).ok()? else {
            let wanted = Wanted::new("a classifier", &[Kind::Let], &[Family::Head]);
            self.wrong(
                slot,
                &reduced,
                &wanted.example("svm(cost: best(costs, split: val(10%)))"),
            );
            return None;
        };
        if call.operator.name == "linear" {
            return self.linear(&call);
        }
        if call.operator.name == "fc" {
            let diagnostic = Diagnostic::error(
                codes::WRONG_KIND_OF_VALUE,
                slot.span(),
                "`fc(classes)` is trained with its backbone, here the features are frozen",
            )
            .help("write `linear(ep: 20, lr: 0.01)`, or finetune with `tune = all` as `finetune8`");
            self.report(&slot.env, diagnostic);
            return None;
        }
        let cost = call.get("cost")?.clone();
        let cost = self.reduce(&cost)?;
        let Some(best) = self.operator_call(&cost, Family::Best).ok()? else {
            // One cost needs no choice.
            let one = self.quantity(&cost, &catalog::POSITIVE)?;
            return Some(Head::Svm {
                costs: vec![one],
                choose: Choose::Test,
            });
        };
        let costs = self.costs(best.get("costs")?);
        let choose = self.choose(best.get("split")?, "the cost");
        Some(Head::Svm {
            costs: costs?,
            choose: choose?,
        })
    }

    /// `linear(ep: 200, lr: 0.007, bs: 512, ...)`, a layer on frozen features.
    fn linear(&mut self, call: &super::Call<'a>) -> Option<Head> {
        let ep = self.whole_of(call, "ep");
        let lr = self.schedule(&call.get("lr")?.clone());
        // What is said must be right, and what is not said stays open.
        let bs = match call.get("bs") {
            Some(_) => self.whole_of(call, "bs").map(Some),
            None => Some(None),
        };
        let optim = match call.get("optim") {
            Some(slot) => self.optimiser(&slot.clone()).map(Some),
            None => Some(None),
        };
        let drp = match call.get("drp") {
            Some(_) => self.number_of(call, "drp").map(Some),
            None => Some(None),
        };
        let keep = match call.get("keep") {
            Some(slot) => self.keep(&slot.clone()).map(Some),
            None => Some(None),
        };
        Some(Head::Linear(Box::new(Linear {
            ep: ep?,
            lr: lr?,
            bs: bs?,
            optim: optim?,
            drp: drp?,
            keep: keep?,
        })))
    }

    fn costs(&mut self, slot: &Slot<'a>) -> Option<Vec<Exact>> {
        let members = self.list(slot, "a list of costs")?;
        if members.is_empty() {
            self.error(slot, codes::OUT_OF_RANGE, "there is no cost to choose from");
            return None;
        }
        let costs: Vec<_> = members
            .iter()
            .map(|m| self.quantity(m, &catalog::POSITIVE))
            .collect();
        costs.into_iter().collect()
    }

    /// `test`, `val(10%)` or `folds`, on which `what` is chosen.
    fn choose(&mut self, slot: &Slot<'a>, what: &str) -> Option<Choose> {
        let reduced = self.reduce(slot)?;
        let Some(call) = self.operator_call(&reduced, Family::Split).ok()? else {
            let wanted = Wanted::new(
                "`test`, `val(10%)` or `folds`",
                &[Kind::Let],
                &[Family::Split],
            );
            self.wrong(slot, &reduced, &wanted);
            return None;
        };
        if call.operator.name == "test" {
            let mut diagnostic = Diagnostic::warning(
                codes::CHOSEN_ON_TEST,
                reduced.span(),
                format!("{what} is chosen on the test split"),
            )
            .note("the best of several scores on the test split is higher than a fresh test would give")
            .help("hold out training samples: `split: val(10%)`");
            diagnostic.edits.push(grammar::diagnostic::Edit {
                span: reduced.span(),
                text: "val(10%)".into(),
                is_certain: false,
            });
            self.report(&reduced.env, diagnostic);
            return Some(Choose::Test);
        }
        if call.operator.name == "folds" {
            return match call.get("count") {
                None => Some(Choose::Folds(None)),
                Some(_) => self
                    .whole_of(&call, "count")
                    .map(|count| Choose::Folds(Some(count))),
            };
        }
        let share = self.number_of(&call, "share")?;
        if share <= Exact::whole(0) || share >= Exact::whole(1) {
            let at = call.get("share")?.clone();
            self.error(
                &at,
                codes::OUT_OF_RANGE,
                "the share held out lies between 0 % and 100 %, without the two ends",
            );
            return None;
        }
        Some(Choose::Val(share))
    }

    /// One score, or a list of them: `[recall(1), recall(5)]`.
    fn scores_of(&mut self, slot: &Slot<'a>, form: &Form) -> Option<Vec<Score>> {
        let reduced = self.reduce(slot)?;
        let members = if let ExprKind::List(members) = &reduced.expr.kind {
            members.iter().map(|m| reduced.with(m)).collect()
        } else {
            vec![slot.clone()]
        };
        if members.is_empty() {
            self.error(slot, codes::OUT_OF_RANGE, "there is nothing to report");
            return None;
        }
        let mut scores = vec![];
        for member in &members {
            let score = self.score(member)?;
            let (is_ranked, ranks) = (matches!(score, Score::Recall(_)), *form == RETRIEVED);
            if is_ranked != ranks {
                let (message, help) = if is_ranked {
                    (
                        "`recall` counts neighbours, and this evaluation has none",
                        "write `top1(mean(clips))`, or `neighbours = knn(distance: cosine)` instead of a head",
                    )
                } else {
                    (
                        "neighbours are scored by `recall`",
                        "write `score = [recall(1), recall(5), recall(20)]`",
                    )
                };
                let diagnostic =
                    Diagnostic::error(codes::WRONG_KIND_OF_VALUE, member.span(), message)
                        .help(help);
                self.report(&member.env, diagnostic);
                return None;
            }
            if score == Score::Top5 && *form == FINETUNED {
                let message = "a finetuning is scored by `top1`, and is trained once";
                let diagnostic =
                    Diagnostic::error(codes::WRONG_KIND_OF_VALUE, member.span(), message).help(
                        "write `top1(mean(clips))`: top-5 stands beside it in its `metrics.jsonl`",
                    );
                self.report(&member.env, diagnostic);
                return None;
            }
            if scores.contains(&score) {
                self.error(member, codes::SET_TWICE, "this score stands twice");
                return None;
            }
            scores.push(score);
        }
        Some(scores)
    }

    fn score(&mut self, slot: &Slot<'a>) -> Option<Score> {
        let reduced = self.reduce(slot)?;
        let wanted =
            Wanted::new("a score", &[Kind::Let], &[Family::Score]).example("top1(mean(clips))");
        let Some(call) = self.operator_call(&reduced, Family::Score).ok()? else {
            self.wrong(slot, &reduced, &wanted);
            return None;
        };
        if call.operator.name == "recall" {
            return self.whole_of(&call, "k").map(Score::Recall);
        }
        let of = call.get("of")?.clone();
        let of = self.reduce(&of)?;
        let mean = self
            .operator_call(&of, Family::Feature)
            .ok()?
            .filter(|c| c.operator.name == "mean");
        let Some(mean) = mean else {
            self.wrong(
                &of,
                &of,
                &Wanted {
                    noun: "`mean(clips)`",
                    ..wanted
                },
            );
            return None;
        };
        let score = if call.operator.name == "top5" {
            Score::Top5
        } else {
            Score::Top1
        };
        self.word_of(&mean, "of").map(|_| score)
    }
}
