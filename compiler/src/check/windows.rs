//! Windows in time: whether a policy's windows fit their sources and each other, and what its pairs see.

use super::expand::Call;
use super::record::Record;
use super::{Checker, Slot};
use crate::catalog::Family;
use crate::codes;
use crate::graph::relaxation;
use crate::hir::{Across, Data, Modality, Pretrain, Relaxation, Within};
use crate::time::{self, Pair, Windows};
use crate::units::Exact;
use grammar::ast::{Body, Kind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::rc::Rc;

impl<'a> Checker<'a> {
    /// The policy's windows fit into the source where its length is known, and the terms see different windows.
    pub(super) fn check_time(&mut self, record: &Rc<Record<'a>>, pretrain: &Pretrain) {
        let Some(slot) = record.slot("relax") else {
            return;
        };
        if self.lacks_modality(&slot, pretrain)
            || self.names_a_flow(&slot, pretrain)
            || self.is_too_long(record, &slot, pretrain)
            || self.does_not_fit(record, &slot, pretrain)
        {
            return;
        }
        let pairs = time::pairs(pretrain, &pretrain.loss);
        self.warn_one_window(&slot, pretrain, &pairs);
        // What a shipped module decides is the paper's, and a profile's clips are not the file's.
        if !self.is_shipped(slot.span().file) && self.caps.is_none() {
            self.warn_apart(&slot, pretrain, &pairs);
            self.warn_no_effect(&slot, pretrain, &pairs);
        }
    }

    /// The policy names a modality that the run does not have.
    fn lacks_modality(&mut self, slot: &Slot<'a>, pretrain: &Pretrain) -> bool {
        let of = match &pretrain.relax.within {
            Within::Overlap { of, .. } => of.as_ref(),
            Within::Same
            | Within::Offset(_)
            | Within::Halves
            | Within::OffsetMax
            | Within::Independent => None,
        };
        let measured = of.map(|name| ("measures by", name));
        let kept = pretrain.relax.same.iter();
        let mut named = measured
            .into_iter()
            .chain(kept.map(|name| ("keeps one window of", name)));
        let Some((does, name)) = named.find(|(_, name)| pretrain.modality(name).is_none()) else {
            return false;
        };
        let message = format!("this policy {does} `{name}`, which the run does not have");
        self.error(slot, codes::NEEDS_MODALITY, message);
        true
    }

    /// The policy places the windows of a flow, which are those of its video.
    fn names_a_flow(&mut self, slot: &Slot<'a>, pretrain: &Pretrain) -> bool {
        let kept = pretrain.relax.same.iter();
        let derived = kept.filter_map(|name| {
            let of = pretrain.modality(name)?.clip.derived_from()?;
            Some((name, of))
        });
        let Some((name, of)) = derived.into_iter().next() else {
            return false;
        };
        let message = format!("the windows of `{name}` are those of `{of}`");
        let diagnostic = Diagnostic::error(codes::NOT_ITS_FLOW, slot.span(), message).help(
            format!("write `{of}: same`, and `{name}` has one window too"),
        );
        self.report(&slot.env, diagnostic);
        true
    }

    /// The windows of a modality need a longer source than the data set says it has.
    fn is_too_long(
        &mut self,
        record: &Rc<Record<'a>>,
        slot: &Slot<'a>,
        pretrain: &Pretrain,
    ) -> bool {
        let Some(length) = time::declared_source(&pretrain.data) else {
            return false;
        };
        let needs = |modality: &Modality| time::needed(pretrain, &modality.name);
        let longest = pretrain.modalities.iter().max_by_key(|m| needs(m));
        let Some((modality, needed)) = longest.and_then(|m| Some((m, needs(m)?))) else {
            return false;
        };
        if needed <= length || time::stretches(&pretrain.data) {
            return false;
        }
        let policy = self.policy_text(slot);
        let data = record.slot("data");
        let set = data.map_or("the data set".to_owned(), |slot| {
            format!("`{}`", self.sources.text(slot.span()))
        });
        let medium = time::medium(&modality.clip);
        let message = format!(
            "{policy} needs {} s of {medium}, the shortest admitted clip of {set} has {} s",
            needed.decimal(),
            length.decimal()
        );
        let shorter = self.shorter_policy(slot, pretrain, length);
        let shorter = shorter.map(|(name, needs)| format!("use `{name}` ({} s)", needs.decimal()));
        let (first, last) = match &pretrain.data {
            Data::Synthetic(_) => {
                let longer = format!("make the clips longer (`length: {}s`)", needed.decimal());
                (Some(longer), shorter)
            }
            Data::Videos(_) | Data::Sounds(_) => (shorter, Some("set `short: loop`".to_owned())),
        };
        let ways: Vec<String> = first.into_iter().chain(last).collect();
        let mut diagnostic = Diagnostic::error(codes::SOURCE_TOO_SHORT, slot.span(), message)
            .here(arrangement(pretrain, modality))
            .help(ways.join(", or "));
        if let Some(place) = self.clip_place(record, &modality.name) {
            let seconds = modality.clip.seconds().decimal();
            diagnostic = diagnostic.label(place, format!("{seconds} s here"));
        }
        self.report(&slot.env, diagnostic);
        true
    }

    /// The declared policy that needs most of what fits into so many seconds.
    fn shorter_policy(
        &mut self,
        slot: &Slot<'a>,
        pretrain: &Pretrain,
        seconds: Exact,
    ) -> Option<(&'a str, Exact)> {
        let declared = self.names[slot.env.module].iter();
        let policies: Vec<_> = declared
            .filter(|(_, (_, decl))| decl.kind.value == Kind::Relaxation && decl.params.is_empty())
            .map(|(name, (module, decl))| (*name, *module, *decl))
            .collect();
        let mut best: Option<(&'a str, Exact)> = None;
        for (name, module, decl) in policies {
            let Body::Expr(expr) = &decl.body else {
                continue;
            };
            let before = self.found.len();
            let relax = self.policy(&Slot::new(expr, slot.env.inside(module, slot.span()), name));
            self.found.truncate(before);
            let needs = relax.and_then(|relax| time::shortest_source(&with(pretrain, relax)));
            if let Some(needs) = needs.filter(|needs| *needs <= seconds)
                && best.is_none_or(|(_, most)| needs > most)
            {
                best = Some((name, needs));
            }
        }
        best
    }

    /// `across: inside` puts the pictures into the sound, so the sound must be as long.
    fn does_not_fit(
        &mut self,
        record: &Rc<Record<'a>>,
        slot: &Slot<'a>,
        pretrain: &Pretrain,
    ) -> bool {
        if pretrain.relax.across != Across::Inside {
            return false;
        }
        let of = |medium: &'static str| {
            let like = move |m: &&Modality| time::medium(&m.clip) == medium;
            pretrain.modalities.iter().filter(like)
        };
        let Some(video) = of("video").max_by_key(|m| m.clip.seconds()) else {
            return false;
        };
        let Some(audio) = of("audio").min_by_key(|m| m.clip.seconds()) else {
            return false;
        };
        let (inner, outer) = (video.clip.seconds(), audio.clip.seconds());
        if inner <= outer {
            return false;
        }
        let message = format!(
            "the video window ({} s) does not fit in the audio window ({} s)",
            inner.decimal(),
            outer.decimal()
        );
        let at = self
            .argument(slot, "across")
            .unwrap_or_else(|| slot.clone());
        let mut diagnostic = Diagnostic::error(codes::NOT_INSIDE, at.span(), message)
            .here("`inside` puts the video window into the audio window")
            .help(format!(
                "make the video clip shorter, or write `relax = {}`",
                relaxation(&Relaxation {
                    across: Across::Centre,
                    ..pretrain.relax.clone()
                })
            ));
        for modality in [video, audio] {
            if let Some(place) = self.clip_place(record, &modality.name) {
                let seconds = modality.clip.seconds().decimal();
                diagnostic = diagnostic.label(place, format!("{seconds} s here"));
            }
        }
        self.report(&at.env, diagnostic);
        true
    }

    /// `async` has the windows of `sync`.
    fn warn_one_window(&mut self, slot: &Slot<'a>, pretrain: &Pretrain, pairs: &[Pair]) {
        let relax = &pretrain.relax;
        let is_one = |name: &String| {
            let placed = time::placed_as(pretrain, name);
            relax.within == Within::Same || relax.same.iter().any(|same| same == placed)
        };
        let asynchronous = |pair: &&Pair| pair.family == time::Family::Async;
        let alike = pairs.iter().filter(asynchronous).find_map(|pair| {
            let ((x, _), (y, _)) = &pair.views;
            [x, y].into_iter().find(|name| is_one(name))
        });
        let Some(modality) = alike else { return };
        let message = format!(
            "`async` and `sync` see the same windows under {}",
            self.policy_text(slot)
        );
        let here = if relax.within == Within::Same {
            "both views share one window, so only augmentation tells the terms apart".to_owned()
        } else {
            format!(
                "both views of `{modality}` share one window, so only augmentation tells the terms apart"
            )
        };
        let mut diagnostic =
            Diagnostic::warning(codes::ONE_WINDOW, slot.span(), message).here(here);
        if relax.within == Within::Same {
            diagnostic = diagnostic
                .note("Sec. 4.3 (i): the baseline of Fig. 4, and it may be what you want")
                .help("if it is meant, write `allow W0503 \"the baseline of Fig. 4\"` beside it");
        }
        self.report(&slot.env, diagnostic);
    }

    /// More synchronous pairs lie apart than under `mild`, the paper's choice.
    fn warn_apart(&mut self, slot: &Slot<'a>, pretrain: &Pretrain, pairs: &[Pair]) {
        // Rows of a table differ in other things, and laws are the slowest part of a check.
        let case = Case {
            policy: relaxation(&pretrain.relax),
            views: pretrain.views,
            lengths: pretrain
                .modalities
                .iter()
                .map(|m| m.clip.seconds())
                .collect(),
            source: time::source(pretrain),
            pairs: pairs.to_vec(),
        };
        let known = self.parted.get(&case).cloned();
        let found = known.unwrap_or_else(|| {
            let found = parted(pretrain, pairs);
            self.parted.insert(case, found.clone());
            found
        });
        let Some((share, way_out)) = found else {
            return;
        };
        let message = format!(
            "{} of the synchronous pairs do not overlap in time",
            time::percent(share)
        );
        let mut diagnostic =
            Diagnostic::warning(codes::PAIRS_APART, slot.span(), message).note(format!(
                "under `mild`, which the paper found best, {} do not (Sec. 4.3)",
                time::percent(ACCEPTED)
            ));
        if let Some(policy) = way_out {
            diagnostic = diagnostic.help(format!("`{policy}` leaves none of them apart"));
        }
        self.report(&slot.env, diagnostic);
    }

    /// A word of the file's own policy that no pair of the loss feels.
    fn warn_no_effect(&mut self, slot: &Slot<'a>, pretrain: &Pretrain, pairs: &[Pair]) {
        let word = match pretrain.relax.across {
            Across::Start => return,
            Across::Inside => "inside",
            Across::Centre => "centre",
        };
        let Some(at) = self.argument(slot, "across") else {
            return;
        };
        let crossing: Vec<&Pair> = pairs
            .iter()
            .filter(|pair| pair.family != time::Family::Intra)
            .collect();
        if self.is_shipped(at.span().file) || crossing.is_empty() {
            return;
        }
        let mut lengths: Vec<Exact> = pretrain
            .modalities
            .iter()
            .map(|m| m.clip.seconds())
            .collect();
        lengths.dedup();
        let measured = matches!(pretrain.relax.within, Within::Overlap { of: Some(_), .. });
        let reason = if lengths.len() == 1 {
            "the windows of all modalities are equally long"
        } else if measured && feels_no(pretrain, &crossing) {
            "the second pair of windows lies outside the first, wherever the shorter window lies in the longer"
        } else {
            return;
        };
        let message =
            format!("`across: {word}` has no effect on what the pairs of this loss share");
        let diagnostic = Diagnostic::warning(codes::NO_EFFECT, at.span(), message)
            .here(reason)
            .help("write `across: start`: every pair shares as much under it");
        self.report(&at.env, diagnostic);
    }

    /// An argument of the `windows(...)` that a policy stands for.
    fn argument(&mut self, slot: &Slot<'a>, name: &str) -> Option<Slot<'a>> {
        let reduced = self.reduce(slot)?;
        let call: Call<'a> = self.operator_call(&reduced, Family::Policy).ok()??;
        call.get(name).cloned()
    }

    /// Where the clip of a modality is written.
    fn clip_place(&mut self, record: &Rc<Record<'a>>, modality: &str) -> Option<Span> {
        let slot = record.slot("modalities")?;
        let (module, decl) = self.declared(slot.env.module, modality)?;
        let Body::Expr(expr) = &decl.body else {
            return None;
        };
        let declared = Slot::new(expr, slot.env.inside(module, slot.span()), modality);
        let reduced = self.reduce(&declared)?;
        let call: Call<'a> = self.operator_call(&reduced, Family::Modality).ok()??;
        Some(call.get("clip")?.span())
    }

    /// A policy as written, if it is a word or two.
    fn policy_text(&self, slot: &Slot<'a>) -> String {
        match slot.word() {
            Some(name) => format!("`{name}`"),
            None => "this policy".to_owned(),
        }
    }
}

/// How the windows of one modality lie, for people.
fn arrangement(pretrain: &Pretrain, modality: &Modality) -> String {
    let number = match pretrain.views {
        1 => "a window".to_owned(),
        2 => "two windows".to_owned(),
        views => format!("{views} windows"),
    };
    let length = modality.clip.seconds().decimal();
    let part = match pretrain.views {
        2 => "half".to_owned(),
        views => format!("of {views} parts"),
    };
    match &pretrain.relax.within {
        Within::Same | Within::Independent => format!("a window of {length} s"),
        Within::Halves | Within::OffsetMax => format!("a window of {length} s in each {part}"),
        Within::Overlap { share, of: None } if *share == Exact::whole(0) => {
            format!("{number} of {length} s side by side")
        }
        Within::Overlap { .. } | Within::Offset(_) => match time::step(pretrain, &modality.name) {
            Some(step) => format!(
                "{number} of {length} s, each {} s after the one before",
                step.decimal()
            ),
            None => format!("{number} of {length} s"),
        },
    }
}

/// The pretraining under another policy.
fn with(pretrain: &Pretrain, relax: Relaxation) -> Pretrain {
    Pretrain {
        relax,
        ..pretrain.clone()
    }
}

/// The share of synchronous pairs that `mild` leaves without a common moment, with the paper's clips.
const ACCEPTED: Exact = Exact(num_rational::Ratio::new_raw(1, 9));

/// What the law of a policy depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Case {
    policy: String,
    views: u32,
    /// Seconds, in the order of the modalities.
    lengths: Vec<Exact>,
    source: Exact,
    pairs: Vec<Pair>,
}

/// The share of synchronous pairs without a common moment and a policy that leaves none, where it is more than is accepted.
pub(super) type Parted = Option<(Exact, Option<String>)>;

fn parted(pretrain: &Pretrain, pairs: &[Pair]) -> Parted {
    let share = apart(pretrain, pairs).filter(|share| *share > ACCEPTED)?;
    let under = |across| Relaxation {
        across,
        ..pretrain.relax.clone()
    };
    let others = [Across::Start, Across::Centre].map(under);
    let none = Some(Exact::whole(0));
    let way_out = others
        .into_iter()
        .find(|relax| apart(&with(pretrain, relax.clone()), pairs) == none);
    Some((share, way_out.map(|relax| relaxation(&relax))))
}

/// The share of the synchronous pairs that have no moment in common; `None` where no law is known.
fn apart(pretrain: &Pretrain, pairs: &[Pair]) -> Option<Exact> {
    let windows = Windows::new(pretrain, time::source(pretrain)).ok()?;
    windows.apart(pairs, time::Family::Sync)
}

/// Every pair overlaps as it does with equal starts.
fn feels_no(pretrain: &Pretrain, pairs: &[&Pair]) -> bool {
    let relax = Relaxation {
        across: Across::Start,
        ..pretrain.relax.clone()
    };
    let at_start = with(pretrain, relax);
    let source = time::source(pretrain);
    let both = Windows::new(pretrain, source).and_then(|own| {
        let other = Windows::new(&at_start, source)?;
        Ok((own, other))
    });
    both.is_ok_and(|(own, other)| {
        pairs.iter().all(|pair| {
            own.overlap(pair)
                .is_some_and(|law| other.overlap(pair) == Some(law))
        })
    })
}
