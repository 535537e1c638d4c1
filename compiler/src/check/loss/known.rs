//! What the names of losses come to, read once for each kind of pretraining.
//!
//! `intra` means the same in each of ten thousand rows with the same modalities, views and networks: what a name without
//! parameters comes to depends on its declaration and on these alone, for a declaration sees neither the bound names nor the
//! fields of the place where it is used.

use super::{Context, Value};
use crate::check::{Checker, Slot};
use crate::loss::{Part, Written};
use grammar::ast::{Decl, Expr};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Kinds of pretraining that are remembered at a time.
const MOST: usize = 64;

/// Modalities, views, and the groups of the networks.
type Kind = (Vec<String>, u32, BTreeMap<String, (String, Option<u32>)>);

/// What a name came to, as written too where it is a loss, and the steps of expansion that it took.
type Read<'a> = HashMap<*const Decl, (Value<'a>, Option<Arc<Written>>, u32)>;

/// Names of losses that were read.
#[derive(Default)]
pub(in crate::check) struct Known<'a> {
    all: BTreeMap<Kind, Read<'a>>,
    /// The names of the kind of pretraining that a loss is read for.
    open: Option<(Kind, Read<'a>)>,
    /// The declarations that some loss uses.
    used: BTreeSet<*const Decl>,
    /// Whether a `let` stands for a loss, where that was asked.
    sorts: BTreeMap<*const Decl, bool>,
    /// The pretrainings that a loss was read for: the first of each list of modalities and number of views.
    contexts: Vec<Context>,
}

impl<'a> Known<'a> {
    /// A loss is read for this kind of pretraining from here on.
    pub(super) fn open(&mut self, context: &Context) {
        self.close();
        let kind = (
            context.modalities.clone(),
            context.views,
            context.groups.clone(),
        );
        let read = self.all.remove(&kind).unwrap_or_default();
        self.open = Some((kind, read));
        let is_known = |known: &Context| {
            (&known.modalities, known.views) == (&context.modalities, context.views)
        };
        if self.contexts.len() < MOST && !self.contexts.iter().any(is_known) {
            self.contexts.push(context.clone());
        }
    }

    /// Some loss uses this declaration.
    pub(super) fn note_use(&mut self, decl: &Decl) {
        self.used.insert(decl);
    }

    /// Does this `let` stand for a loss? `None`: it was not asked yet.
    pub(in crate::check) fn known_sort(&self, decl: &Decl) -> Option<bool> {
        self.sorts.get(&std::ptr::from_ref(decl)).copied()
    }

    /// Keeps whether this `let` stands for a loss.
    pub(in crate::check) fn note_sort(&mut self, decl: &Decl, is_loss: bool) {
        self.sorts.insert(decl, is_loss);
    }

    /// Does any loss use it?
    pub(super) fn uses(&self, decl: &Decl) -> bool {
        self.used.contains(&std::ptr::from_ref(decl))
    }

    /// The pretrainings that a loss was read for.
    pub(super) fn contexts(&self) -> &[Context] {
        &self.contexts
    }

    /// The loss is read.
    pub(super) fn close(&mut self) {
        if let Some((kind, read)) = self.open.take() {
            if self.all.len() >= MOST {
                self.all.clear();
            }
            self.all.insert(kind, read);
        }
    }
}

impl<'a> Checker<'a> {
    /// What a name of a declaration without parameters comes to. Only what was read without any message is remembered, and it
    /// costs as many steps as when it was read first, so a loss that is too large stays too large.
    pub(super) fn loss_of_name(
        &mut self,
        slot: &Slot<'a>,
        module: usize,
        (decl, expr): (&'a Decl, &'a Expr),
        context: &Context,
    ) -> Option<Value<'a>> {
        let key = std::ptr::from_ref(decl);
        self.losses.note_use(decl);
        // Where places are wanted, everything is read again.
        let open = self.losses.open.as_ref().filter(|_| self.places.is_none());
        if let Some((value, written, steps)) = open.and_then(|(_, read)| read.get(&key))
            && *steps <= self.budget
        {
            self.budget -= steps;
            // It takes its share of what one loss may take, and nobody's time.
            self.steps_left += steps;
            let (value, written) = (value.clone(), written.clone());
            return Some(self.placed(value, written));
        }
        let (said, budget) = (self.found.len(), self.budget);
        let inner = Slot {
            expr,
            env: slot.env.inside(module, slot.span()),
            place: slot.place.clone(),
        };
        let value = self.loss_value(&inner, context)?;
        let written = if let Value::Loss(_, part) = &value {
            Some(Arc::new(Written::of(&self.parts, *part)))
        } else {
            None
        };
        let is_silent = self.found.len() == said;
        if let Some((_, read)) = self.losses.open.as_mut().filter(|_| is_silent) {
            let steps = budget - self.budget;
            read.insert(key, (value.clone(), written.clone(), steps));
        }
        Some(self.placed(value, written))
    }

    /// The value of a name, its parts as one among those of the loss that is being read.
    fn placed(&mut self, value: Value<'a>, written: Option<Arc<Written>>) -> Value<'a> {
        match (value, written) {
            (Value::Loss(loss, _), Some(written)) => {
                let part = self.part(Part::Name(written));
                Value::Loss(loss, part)
            }
            (value, _) => value,
        }
    }
}
