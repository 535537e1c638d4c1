//! A record of fields to a closed pretraining.

use super::layers::Role;
use super::loss::Context;
use super::record::{Entry, Record};
use super::{Checker, Env, Slot};
use crate::catalog;
use crate::codes;
use crate::graph;
use crate::hir::{BatchNorm, Clip, Data, Layer, Modality, Network, Precision, Pretrain, Schedule};
use crate::loss::{EmbeddingOp, Loss, Part, TermOp, Written};
use crate::units::Exact;
use grammar::ast::Kind;
use grammar::diagnostic::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The networks of a pretraining, and what a loss must know of them.
pub(super) struct Networks {
    pub context: Context,
    /// For each modality: its clip, `f` and `h`, as far as they are right.
    clips: BTreeMap<String, Clip>,
    networks: BTreeMap<String, Network>,
}

impl<'a> Checker<'a> {
    /// The closed pretraining of a record; every mistake in it is reported.
    pub(super) fn pretrain(&mut self, record: &Rc<Record<'a>>, env: &Env<'a>) -> Option<Pretrain> {
        self.allow_steps();
        let networks = self.networks(record);
        let modalities = networks.as_ref().map_or(&[][..], |n| &n.context.modalities);
        self.find_missing(record, modalities, env);

        let number = |checker: &mut Self, name: &str| -> Option<u64> {
            let takes = catalog::PRETRAIN.iter().find(|f| f.name == name)?.takes;
            let catalog::Type::Quantity(measure) = takes else {
                return None;
            };
            checker.whole(&record.slot(name)?, &measure)
        };
        let word = |checker: &mut Self, name: &str| -> Option<&'static str> {
            let takes = catalog::PRETRAIN.iter().find(|f| f.name == name)?.takes;
            let catalog::Type::Word(words) = takes else {
                return None;
            };
            checker.word(&record.slot(name)?, words)
        };
        let data = record.slot("data").and_then(|slot| self.data(&slot));
        let (bs, es, ep) = (number(self, "bs"), number(self, "es"), number(self, "ep"));
        let seed = number(self, "seed");
        let relax = record.slot("relax").and_then(|slot| self.policy(&slot));
        let optim = record.slot("optim").and_then(|slot| self.optimiser(&slot));
        let bn = word(self, "bn").map(|bn| {
            if bn == "joint" {
                BatchNorm::Joint
            } else {
                BatchNorm::PerView
            }
        });
        let precision = word(self, "precision").map(|precision| match precision {
            "amp" => Precision::Amp,
            "fp32" => Precision::Fp32,
            "bf16" => Precision::Bf16,
            "fp16" => Precision::Fp16,
            _ => Precision::Fp64,
        });
        let bn_group = match record.slot("bn_group") {
            Some(_) => Some(number(self, "bn_group")?),
            None => None,
        };
        let weights = word(self, "weights");
        let loss = networks
            .as_ref()
            .and_then(|n| self.loss_of(record, n, weights));

        if let (Some(slot), Some(loss)) = (record.slot("loss"), &loss) {
            let bn = record.slot("bn").filter(|_| bn == Some(BatchNorm::Joint));
            self.note_scope(&slot, (loss, bn.as_ref()));
        }

        let mut networks = networks?;
        let views = networks.context.views;
        let mut closed = vec![];
        for name in networks.context.modalities.clone() {
            let modality = self.close_modality(record, &name, &mut networks, loss.as_ref());
            closed.push(modality);
        }
        if let (Some(data), true) = (&data, record.entry("data").is_some()) {
            self.check_streams(record, data, &networks);
        }
        if let (Some(bs), Some(es), Some(ep)) = (bs, es, ep) {
            self.check_steps(record, bs, es, ep, &closed);
            if let (Some(bn), true) = (bn, ep > 0) {
                let networks = (closed.as_slice(), loss.as_ref());
                self.check_rows(record, bs, (bn, views), networks);
            }
            if ep > 0 {
                self.advise_on_epoch(record, bs, es, data.as_ref());
            }
        }
        if let (Some(bs), Some(group), Some(bn)) = (bs, bn_group, bn) {
            self.check_groups(record, bs, group, bn)?;
        }
        self.advise_on_rates(record, &networks.context.modalities);
        let modalities: Vec<Modality> = closed.into_iter().collect::<Option<_>>()?;
        let mut pretrain = Pretrain {
            data: data?,
            modalities,
            views: networks.context.views,
            loss: loss?,
            relax: relax?,
            bn: bn?,
            bn_group: bn_group.and_then(|group| u32::try_from(group).ok()),
            bs: u32::try_from(bs?).ok()?,
            es: es?,
            ep: u32::try_from(ep?).ok()?,
            optim: optim?,
            precision: precision?,
            seed: seed?,
        };
        if let Some(caps) = &self.caps {
            caps.bound_pretrain(&mut pretrain);
        }
        self.check_time(record, &pretrain);
        Some(pretrain)
    }

    fn find_missing(&mut self, record: &Rc<Record<'a>>, modalities: &[String], env: &Env<'a>) {
        let has = |path: &str| record.entry(path).is_some();
        let each = |name: &str| match modalities {
            // Which modalities there are is a mistake already; what is set for one may be set for all.
            [] => {
                let ending = format!(".{name}");
                record.entries.keys().any(|path| path.ends_with(&ending))
            }
            _ => modalities.iter().all(|m| has(&format!("{m}.{name}"))),
        };
        let mut missing: Vec<String> = vec![];
        for field in catalog::PRETRAIN.iter().filter(|f| f.is_required) {
            if !has(field.name) && !each(field.name) {
                missing.push(field.name.to_string());
            }
        }
        for modality in modalities {
            for field in catalog::PER_MODALITY.iter().filter(|f| f.is_required) {
                let path = format!("{modality}.{}", field.name);
                if !has(&path) {
                    missing.push(path);
                }
            }
        }
        self.missing_fields(record, &missing, env);
    }

    /// Modalities, views and networks of a record.
    pub(super) fn networks(&mut self, record: &Rc<Record<'a>>) -> Option<Networks> {
        let modalities_slot = record.slot("modalities")?;
        let modalities = self.modality_names(&modalities_slot)?;
        let views_slot = record.slot("views")?;
        let views = catalog::Measure {
            most: (16, 1),
            ..catalog::SMALL_COUNT
        };
        let views = u32::try_from(self.whole(&views_slot, &views)?).ok()?;
        let place = |path: &str| {
            record
                .entry(path)
                .and_then(|entry| entry.places.last().copied())
        };
        let mut networks = Networks {
            context: Context {
                modalities: modalities.clone(),
                modalities_at: place("modalities"),
                views,
                views_at: place("views"),
                groups: BTreeMap::new(),
                groups_at: BTreeMap::new(),
                fixed: BTreeSet::new(),
            },
            clips: BTreeMap::new(),
            networks: BTreeMap::new(),
        };
        self.sets_no_modality(record, &modalities);
        let mut shared: Vec<(String, Slot<'a>)> = vec![];
        for name in &modalities {
            self.lacks_its_video(&modalities_slot, name, &modalities)?;
            if let Some(clip) = self.modality_clip(&modalities_slot, name) {
                networks.clips.insert(name.clone(), self.capped_clip(clip));
            }
            for part in ["f", "h"] {
                let path = format!("{name}.{part}");
                let Some(slot) = record.slot(&path) else {
                    continue;
                };
                let at = &mut networks.context.groups_at;
                at.extend(place(&path).map(|place| (path.clone(), place)));
                if Self::is_shared(&slot) {
                    shared.push((path, slot));
                    continue;
                }
                let clip = networks.clips.get(name).cloned();
                let network = match (part, &clip) {
                    ("h", _) => self.network(&slot, Role::Predictor),
                    (_, Some(clip)) => self.network(&slot, Role::Encoder(clip)),
                    (_, None) => self.network(&slot, Role::Any),
                };
                let width = network.as_ref().and_then(Network::width);
                networks
                    .context
                    .groups
                    .insert(path.clone(), (path.clone(), width));
                if let Some(network) = network {
                    networks.networks.insert(path, network);
                }
            }
        }
        for (path, slot) in shared {
            self.share_network(&mut networks, &path, &slot);
        }
        // A predictor of l2 and batch norm alone is as wide as the embedding before it.
        for name in &modalities {
            let f = networks
                .context
                .groups
                .get(&format!("{name}.f"))
                .and_then(|g| g.1);
            if let Some(h) = networks.context.groups.get_mut(&format!("{name}.h")) {
                h.1 = h.1.or(f);
            }
        }
        let learns = |network: &Network| {
            let is_linear = |layer: &Layer| matches!(layer, Layer::Fc { .. });
            network.layers.iter().any(is_linear)
        };
        let predictors = networks.networks.iter();
        networks.context.fixed = predictors
            .filter(|(path, network)| path.ends_with(".h") && !learns(network))
            .map(|(path, _)| path.clone())
            .collect();
        Some(networks)
    }

    /// `o.augment = ...` where the run keeps the modalities of a shipped module, and `o` is none of them: it was forgotten.
    fn sets_no_modality(&mut self, record: &Rc<Record<'a>>, modalities: &[String]) {
        let Some(entry) = record.entry("modalities").filter(|_| !record.is_unsure) else {
            return;
        };
        if entry
            .places
            .iter()
            .any(|place| !self.is_shipped(place.file))
        {
            return;
        }
        let own = |(path, entry): (&String, &Entry<'a>)| {
            let (name, _) = path.split_once('.')?;
            let is_known = modalities.iter().any(|m| m == name);
            let place = entry.places.last().copied()?;
            (!is_known && !self.is_shipped(place.file) && !self.is_above(place))
                .then(|| (path.clone(), name.to_owned(), place))
        };
        let Some((path, name, _)) = record.entries.iter().find_map(own) else {
            return;
        };
        let Some(slot) = record.slot(&path) else {
            return;
        };
        let list = [modalities, std::slice::from_ref(&name)].concat();
        let message = format!("`{path}` is set, but `{name}` is no modality of this run");
        let diagnostic = Diagnostic::error(codes::UNKNOWN_FIELD, slot.span(), message).help(
            format!("write `modalities = [{}]` beside it", list.join(", ")),
        );
        self.report(&slot.env, diagnostic);
    }

    /// A flow is computed from the frames of another modality's views, so the run has that one too.
    fn lacks_its_video(
        &mut self,
        slot: &Slot<'a>,
        name: &str,
        modalities: &[String],
    ) -> Option<()> {
        let clip = self.modality_clip(slot, name);
        let Some(of) = clip.as_ref().and_then(Clip::derived_from) else {
            return Some(());
        };
        if modalities.iter().any(|m| m == of) {
            return Some(());
        }
        let message = format!("`{name}` is the flow of `{of}`, but the run has no `{of}`");
        let all: Vec<&str> = std::iter::once(of)
            .chain(modalities.iter().map(String::as_str))
            .collect();
        let fixed = format!("[{}]", all.join(", "));
        let diagnostic = Diagnostic::error(codes::NEEDS_MODALITY, slot.span(), message)
            .note("its frames are those of the views of the video; a loss may leave these unread")
            .help(format!("write `modalities = {fixed}`"))
            .edit(slot.span(), fixed);
        self.report(&slot.env, diagnostic);
        None
    }

    /// `a.h = same(v.h)`: the other network's layers and group.
    fn share_network(&mut self, networks: &mut Networks, path: &str, slot: &Slot<'a>) {
        let part = path.rsplit('.').next().unwrap_or(path);
        let target = self
            .shared_group(slot)
            .map(|(modality, part)| format!("{modality}.{part}"));
        let owners: Vec<String> = networks
            .networks
            .keys()
            .filter(|k| k.ends_with(&format!(".{part}")))
            .cloned()
            .collect();
        let owner = target
            .as_ref()
            .and_then(|target| networks.context.groups.get(target).cloned());
        let Some((group, width)) = owner else {
            let written = target.map_or_else(|| "this".to_string(), |t| format!("`{t}`"));
            let message = format!("{written} is no network of this pretraining");
            let list: Vec<String> = owners.iter().map(|o| format!("`same({o})`")).collect();
            let diagnostic = Diagnostic::error(codes::UNKNOWN_NAME, slot.span(), message).help(
                format!("one network can be another's: {}", list.join(" or ")),
            );
            self.report(&slot.env, diagnostic);
            let own = (path.to_string(), None);
            networks.context.groups.insert(path.to_string(), own);
            return;
        };
        if part == "f" && !group.ends_with(".f") || part == "h" && !group.ends_with(".h") {
            let message = format!("`{path}` can share only another `{part}`, not `{group}`");
            let list: Vec<String> = owners.iter().map(|o| format!("`same({o})`")).collect();
            let mut diagnostic = Diagnostic::error(codes::BAD_LAYER, slot.span(), message);
            if !list.is_empty() {
                diagnostic = diagnostic.help(format!("write {}", list.join(" or ")));
            }
            self.report(&slot.env, diagnostic);
            let own = (path.to_string(), None);
            networks.context.groups.insert(path.to_string(), own);
            return;
        }
        if self.takes_other_inputs(networks, (path, &group), slot) {
            let own = (path.to_string(), None);
            networks.context.groups.insert(path.to_string(), own);
            return;
        }
        networks
            .context
            .groups
            .insert(path.to_string(), (group.clone(), width));
        if let Some(network) = networks.networks.get(&group).cloned() {
            networks.networks.insert(
                path.to_string(),
                Network {
                    same: Some(group),
                    ..network
                },
            );
        }
    }

    /// A network is shared by two modalities that give it different forms of input: frames and spectrograms, or embeddings of
    /// two widths.
    fn takes_other_inputs(
        &mut self,
        networks: &Networks,
        (path, group): (&str, &str),
        slot: &Slot<'a>,
    ) -> bool {
        let (Some((own, part)), Some((other, _))) = (path.split_once('.'), group.split_once('.'))
        else {
            return false;
        };
        let (own_form, other_form) = if part == "f" {
            let (Some(x), Some(y)) = (networks.clips.get(own), networks.clips.get(other)) else {
                return false;
            };
            // Pictures and sounds may be of any size: the pool behind the last map takes it. Channels and axes may not differ.
            let form = |clip: &Clip| {
                let input = graph::networks::input(clip);
                let channels = input.first().copied().filter(|_| input.len() > 1);
                (clip.stream(), input.len(), channels)
            };
            if form(x) == form(y) {
                return false;
            }
            let noun = |clip: &Clip| match clip {
                Clip::Video { .. } => "frames of 3 channels",
                Clip::Flow { .. } => "flow of 2 channels",
                Clip::Audio { .. } => "spectrograms",
                Clip::Text { .. } => "words",
            };
            (noun(x).to_owned(), noun(y).to_owned())
        } else {
            let width = |name: &str| networks.context.groups.get(&format!("{name}.f"))?.1;
            let (Some(x), Some(y)) = (width(own), width(other)) else {
                return false;
            };
            let takes = networks.networks.get(group);
            let counts = takes.is_some_and(|network| {
                let counts = |layer: &Layer| matches!(layer, Layer::Fc { .. } | Layer::Bn);
                network.layers.iter().any(counts)
            });
            if x == y || !counts {
                return false;
            }
            (format!("embeddings of {x} values"), format!("of {y}"))
        };
        let message = format!(
            "`{path}` cannot be `{group}`: `{own}` gives it {own_form}, `{other}` {other_form}"
        );
        let help = if part == "f" {
            format!(
                "give `{own}` a network of its own; `{own}.h = same({other}.h)` shares a predictor"
            )
        } else {
            format!("let `{own}.f` and `{other}.f` end in one width")
        };
        let diagnostic = Diagnostic::error(codes::OTHER_INPUTS, slot.span(), message).help(help);
        self.report(&slot.env, diagnostic);
        true
    }

    /// The loss in normal form, weighed as `weights` says.
    fn loss_of(
        &mut self,
        record: &Rc<Record<'a>>,
        networks: &Networks,
        weights: Option<&str>,
    ) -> Option<Loss> {
        let slot = record.slot("loss")?;
        let (exact, whole) = self.read_loss(&slot, &networks.context)?;
        let mut parts = std::mem::take(&mut self.parts);
        if exact.terms.is_empty() {
            let diagnostic = Diagnostic::error(
                codes::NOTHING_TO_MINIMISE,
                slot.span(),
                "this loss has no terms left",
            )
            .note("terms of opposite weight cancel");
            self.report(&slot.env, diagnostic);
            return None;
        }
        self.linear_inputs(&slot, &exact, &networks.context)?;
        self.warn_about_loss(&slot, &exact, weights, &networks.context);
        let factor = match weights? {
            "unit" => self.exactly(&slot, exact.unit_factor())?,
            "per_family" => self.exactly(&slot, exact.per_family_factor())?,
            _ => Exact::whole(1),
        };
        let whole = if factor == Exact::whole(1) {
            whole
        } else {
            parts.push(Part::Sum(vec![(factor, whole)]));
            parts.len() - 1
        };
        self.objective = Written {
            factor: Some(factor),
            ..Written::of(&parts, whole)
        };
        self.exactly(&slot, exact.scaled(factor))
    }

    fn close_modality(
        &mut self,
        record: &Rc<Record<'a>>,
        name: &str,
        networks: &mut Networks,
        loss: Option<&Loss>,
    ) -> Option<Modality> {
        let slot_of = |field: &str| {
            record
                .slot(&format!("{name}.{field}"))
                .or_else(|| record.slot(field))
        };
        let clip = networks.clips.get(name).cloned();
        let augment = record
            .slot(&format!("{name}.augment"))
            .and_then(|slot| self.chain(&slot, clip.as_ref()));
        let lr_b = slot_of("lr_b").and_then(|slot| self.schedule(&slot));
        let lr_p = slot_of("lr_p").and_then(|slot| self.schedule(&slot));
        let f = networks.networks.remove(&format!("{name}.f"));
        let h = networks.networks.remove(&format!("{name}.h"));
        let own = format!("{name}.h");
        let h = h.filter(|_| loss.is_none_or(|loss| reads_predictor(loss, name, &own)));
        Some(Modality {
            name: name.to_string(),
            clip: clip?,
            augment: augment?,
            f: f?,
            h,
            lr_b: lr_b?,
            lr_p: lr_p?,
        })
    }

    fn check_streams(&mut self, record: &Rc<Record<'a>>, data: &Data, networks: &Networks) {
        let Some(slot) = record.slot("data") else {
            return;
        };
        for (name, clip) in &networks.clips {
            let user = format!("`{}`", record.name);
            self.check_stream(&slot, data, name, &user, clip.stream());
        }
    }

    fn check_steps(
        &mut self,
        record: &Rc<Record<'a>>,
        bs: u64,
        es: u64,
        ep: u64,
        modalities: &[Option<Modality>],
    ) {
        if ep == 0 {
            return;
        }
        if es < bs
            && let Some(slot) = record.slot("es")
        {
            let message = format!("an epoch of {es} samples holds no batch of {bs}");
            let mut diagnostic = Diagnostic::error(codes::NO_WHOLE_BATCH, slot.span(), message)
                .help("raise `es` or lower `bs`");
            if let Some(place) = record.entry("bs").and_then(|entry| entry.places.last()) {
                diagnostic = diagnostic.label(*place, "the batch");
            }
            self.report(&slot.env, diagnostic);
        }
        for modality in modalities.iter().flatten() {
            for (field, schedule) in [("lr_b", &modality.lr_b), ("lr_p", &modality.lr_p)] {
                let path = format!("{}.{field}", modality.name);
                if let Some(slot) = record.slot(&path).or_else(|| record.slot(field)) {
                    self.advise_on_steps(&slot, schedule, ep);
                }
            }
            let Schedule::Cosine { from, to, warmup } = *modality.lr_b.in_time() else {
                continue;
            };
            if warmup <= Exact::whole(i128::from(ep)) {
                continue;
            }
            let path = format!("{}.lr_b", modality.name);
            let Some(slot) = record.slot(&path).or_else(|| record.slot("lr_b")) else {
                continue;
            };
            let message = format!(
                "a warm-up of {} epochs is longer than the run of {ep}",
                warmup.decimal()
            );
            let mut diagnostic = Diagnostic::error(codes::WARM_UP_TOO_LONG, slot.span(), message)
                .help(format!(
                    "shorten it: `{} = cosine({} -> {}, warmup: {}ep)`",
                    slot.place,
                    from.decimal(),
                    to.decimal(),
                    Exact::new(i128::from(ep), 10).decimal()
                ));
            if let Some(place) = record.entry("ep").and_then(|entry| entry.places.last()) {
                diagnostic = diagnostic.label(*place, "the run ends here");
            }
            self.report(&slot.env, diagnostic);
        }
    }

    /// Groups of BatchNorm make up the batch, and each has a variance.
    fn check_groups(
        &mut self,
        record: &Rc<Record<'a>>,
        bs: u64,
        group: u64,
        bn: BatchNorm,
    ) -> Option<()> {
        let slot = record.slot("bn_group")?;
        let (message, help) = if bn == BatchNorm::Joint {
            let message = "groups are taken of each view by itself, and `bn = joint` takes all views together";
            (message.to_owned(), "write `bn = per_view`".to_owned())
        } else if group < 2 {
            let message = "a group of one sample has no variance".to_owned();
            (message, "write `bn_group = 2` or more".to_owned())
        } else if !bs.is_multiple_of(group) {
            // A size that does divide the batch: the next smaller one.
            let near = (2..group).rev().find(|size| bs.is_multiple_of(*size));
            let near = near.unwrap_or(bs);
            (
                format!("groups of {group} samples do not make up a batch of {bs}"),
                format!("write `bn_group = {near}`"),
            )
        } else {
            return Some(());
        };
        let diagnostic = Diagnostic::error(codes::OTHER_GROUPS, slot.span(), message).help(help);
        self.report(&slot.env, diagnostic);
        None
    }

    /// BatchNorm and variances of one row: every value is its own mean, and nothing is left of it.
    fn check_rows(
        &mut self,
        record: &Rc<Record<'a>>,
        bs: u64,
        (bn, views): (BatchNorm, u32),
        (modalities, loss): (&[Option<Modality>], Option<&Loss>),
    ) {
        let is_joint = bn == BatchNorm::Joint && views > 1;
        if bs != 1 || is_joint {
            return;
        }
        let of_groups = modalities.iter().flatten().flat_map(|m| {
            let h = m.h.iter().map(move |h| (format!("{}.h", m.name), m, h));
            std::iter::once((format!("{}.f", m.name), m, &m.f)).chain(h)
        });
        // A backbone has one value of a channel where its last map has one place.
        let is_one = |modality: &Modality, network: &Network| {
            let last = network.layers.first();
            let map = last.and_then(|layer| graph::networks::conv5(layer, &modality.clip));
            map.is_some_and(|map| map.iter().product::<u32>() == 1)
        };
        let norm = of_groups
            .into_iter()
            .find_map(|(group, modality, network)| {
                let has_norm = network.layers.contains(&Layer::Bn) || is_one(modality, network);
                has_norm.then(|| format!("the BatchNorm of `{group}`"))
            });
        let variance = loss
            .into_iter()
            .flat_map(|loss| &loss.terms)
            .find_map(|(term, _)| {
                let is_over_rows = matches!(term.op, TermOp::HingeStd | TermOp::Cov);
                is_over_rows.then(|| "a variance over the batch".to_owned())
            });
        let Some(what) = norm.or(variance) else {
            return;
        };
        let Some(slot) = record.slot("bs") else {
            return;
        };
        let message = format!("{what} has one row in a batch of one, and nothing is left of it");
        let diagnostic =
            Diagnostic::error(codes::ONE_ROW, slot.span(), message).help("write `bs = 2` or more");
        self.report(&slot.env, diagnostic);
    }

    /// The pretrainings that a module declares.
    pub(super) fn declared_records(
        &mut self,
        module: usize,
        kind: Kind,
    ) -> Vec<(&'a grammar::ast::Decl, Rc<Record<'a>>)> {
        let decls: Vec<_> = self
            .decls(module)
            .filter(|d| d.kind.value == kind)
            .collect();
        let mut records = vec![];
        for decl in decls {
            if self.poisoned.contains(&(module, decl.name.value.as_str())) {
                continue;
            }
            if let Some(record) = self.record_of_decl(module, decl, &Env::of_module(module)) {
                records.push((decl, Rc::new(record)));
            }
        }
        records
    }
}

/// Does a term send a view of `modality` through its predictor, or another modality through the group `own`?
fn reads_predictor(loss: &Loss, modality: &str, own: &str) -> bool {
    let predicts = |op: &EmbeddingOp| match op {
        EmbeddingOp::Predict(group) | EmbeddingOp::Ema { group, .. } => {
            Some(group.clone()).filter(|g| g.ends_with(".h"))
        }
        EmbeddingOp::Encode(_)
        | EmbeddingOp::StopGradient
        | EmbeddingOp::L2
        | EmbeddingOp::Scale(_)
        | EmbeddingOp::Linear(_)
        | EmbeddingOp::Sinkhorn { .. }
        | EmbeddingOp::Memory { .. } => None,
    };
    let mut embeddings = loss.terms.iter().flat_map(|(term, _)| &term.args);
    embeddings.any(|e| {
        e.operators()
            .filter_map(predicts)
            .any(|group| e.view().0 == modality || group == own)
    })
}
