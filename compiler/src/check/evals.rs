//! A record of fields to a closed evaluation (App. E).

use super::media::{self, WrittenClip};
use super::record::Record;
use super::{Checker, Env, Slot, Wanted};
use crate::catalog::{self, Family, Type};
use crate::codes;
use crate::hir::{Choose, Clip, Clips, Eval, Head, Score};
use crate::units::Exact;
use grammar::ast::Kind;
use grammar::diagnostic::Diagnostic;
use std::rc::Rc;

impl<'a> Checker<'a> {
    /// The closed evaluation of a record. Without a data set its fields are checked and nothing is closed.
    pub(super) fn eval(&mut self, record: &Rc<Record<'a>>, env: &Env<'a>) -> Option<Eval> {
        self.budget = super::MOST_STEPS;
        if let Some(field) = catalog::EVAL
            .iter()
            .find(|f| f.takes == Type::Later && record.entry(f.name).is_some())
        {
            let slot = record.slot(field.name)?;
            let message = format!(
                "`{}` is part of the language, but this version cannot run it",
                field.name
            );
            let diagnostic = Diagnostic::error(codes::NOT_AVAILABLE, slot.span(), message).help(
                "what runs here: a linear SVM on frozen features, as `linear8` and `linear2s`",
            );
            self.report(&slot.env, diagnostic);
            return None;
        }
        let missing: Vec<String> = catalog::EVAL
            .iter()
            .filter(|f| f.is_required && record.entry(f.name).is_none())
            .map(|f| f.name.to_string())
            .collect();
        self.missing_fields(record, &missing, env);

        let data = record.slot("data").and_then(|slot| self.data(&slot));
        let uses = record
            .slot("uses")
            .and_then(|slot| self.modality_name(&slot));
        let clip = uses.as_ref().and_then(|uses| self.eval_clip(record, uses));
        let clips = |checker: &mut Self, name: &str| {
            record.slot(name).and_then(|slot| checker.clips(&slot))
        };
        let (train, test) = (clips(self, "train"), clips(self, "test"));
        let augment = record
            .slot("augment")
            .and_then(|slot| self.chain(&slot, clip.as_ref()));
        let features = record
            .slot("features")
            .and_then(|slot| self.features(&slot, clip.as_ref()));
        let head = record.slot("head").and_then(|slot| self.head(&slot));
        let score = record.slot("score").and_then(|slot| self.score(&slot));
        if let (Some(data), Some(uses), Some(clip), Some(slot)) =
            (&data, &uses, &clip, record.slot("data"))
        {
            let user = format!("`{}`", record.name);
            self.check_stream(&slot, data, uses, &user, media::stream_of(clip));
        }
        if let (Some(uses), Some(clip), Some(augment)) = (&uses, &clip, &augment) {
            self.advise_on_cutout(record, uses, clip, augment);
        }
        if let (Some(clip), Some(features)) = (&clip, &features) {
            self.check_dimension(record, clip, features);
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
            score: score?,
        };
        if let Some(caps) = &self.caps {
            caps.bound_eval(&mut eval);
        }
        Some(eval)
    }

    /// The clip of an evaluation, with the spectrogram of its modality.
    fn eval_clip(&mut self, record: &Rc<Record<'a>>, uses: &str) -> Option<Clip> {
        let uses_slot = record.slot("uses")?;
        let view = self.modality_clip(&uses_slot, uses)?;
        let slot = record.slot("clip")?;
        let clip = match (self.clip(&slot)?, view) {
            (WrittenClip::Video { frames, size, fps }, Clip::Video { .. }) => {
                Clip::Video { frames, size, fps }
            }
            (WrittenClip::Audio { samples, rate }, Clip::Audio { mel, rate: own, .. })
                if rate == own =>
            {
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
            (WrittenClip::Video { .. }, Clip::Audio { .. })
            | (WrittenClip::Audio { .. }, Clip::Video { .. }) => {
                let example = if media::stream_of(&self.modality_clip(&uses_slot, uses)?) == "v" {
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
            self.wrong(slot, &reduced, &wanted.example("random(10)"));
            return None;
        };
        let number = self.whole_of(&call, "clips")?;
        Some(if call.operator.name == "random" {
            Clips::Random(number)
        } else {
            Clips::Uniform(number)
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
        let choose = self.choose(best.get("split")?);
        Some(Head::Svm {
            costs: costs?,
            choose: choose?,
        })
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

    fn choose(&mut self, slot: &Slot<'a>) -> Option<Choose> {
        let reduced = self.reduce(slot)?;
        let Some(call) = self.operator_call(&reduced, Family::Split).ok()? else {
            let wanted = Wanted::new("`test` or `val(10%)`", &[Kind::Let], &[Family::Split]);
            self.wrong(slot, &reduced, &wanted);
            return None;
        };
        if call.operator.name == "test" {
            let mut diagnostic = Diagnostic::warning(
                codes::CHOSEN_ON_TEST,
                reduced.span(),
                "the cost is chosen on the test split",
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

    fn score(&mut self, slot: &Slot<'a>) -> Option<Score> {
        let reduced = self.reduce(slot)?;
        let wanted =
            Wanted::new("a score", &[Kind::Let], &[Family::Score]).example("top1(mean(clips))");
        let Some(call) = self.operator_call(&reduced, Family::Score).ok()? else {
            self.wrong(slot, &reduced, &wanted);
            return None;
        };
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
        self.word_of(&mean, "of").map(|_| Score::Top1)
    }
}
