//! What the names of losses come to, read once for each kind of pretraining.
//!
//! `intra` means the same in each of ten thousand rows with the same modalities, views and networks: what a name without
//! parameters comes to depends on its declaration and on these alone, for a declaration sees neither the bound names nor the
//! fields of the place where it is used.

use super::{Context, Value};
use crate::check::{Checker, Slot};
use grammar::ast::{Decl, Expr};
use std::collections::{BTreeMap, HashMap};

/// Kinds of pretraining that are remembered at a time.
const MOST: usize = 64;

/// Modalities, views, and the groups of the networks.
type Kind = (Vec<String>, u32, BTreeMap<String, (String, Option<u32>)>);

/// What a name came to, and the steps of expansion that it took.
type Read<'a> = HashMap<*const Decl, (Value<'a>, u32)>;

/// Names of losses that were read.
#[derive(Default)]
pub(in crate::check) struct Known<'a> {
    all: BTreeMap<Kind, Read<'a>>,
    /// The names of the kind of pretraining that a loss is read for.
    open: Option<(Kind, Read<'a>)>,
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
        let open = self.losses.open.as_ref();
        if let Some((value, steps)) = open.and_then(|(_, read)| read.get(&key))
            && *steps <= self.budget
        {
            self.budget -= steps;
            return Some(value.clone());
        }
        let (said, budget) = (self.found.len(), self.budget);
        let inner = Slot {
            expr,
            env: slot.env.inside(module, slot.span()),
            place: slot.place.clone(),
        };
        let value = self.loss_value(&inner, context)?;
        let is_silent = self.found.len() == said;
        if let Some((_, read)) = self.losses.open.as_mut().filter(|_| is_silent) {
            read.insert(key, (value.clone(), budget - self.budget));
        }
        Some(value)
    }
}
