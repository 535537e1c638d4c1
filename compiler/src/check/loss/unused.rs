//! Losses, and `let`s without a number, that nothing uses: each is read for the pretrainings that could use it, so that a mistake in
//! one is found in any case.

use super::{Context, Value};
use crate::check::claims::Sort;
use crate::check::{Bound, Checker, Env, Slot};
use crate::codes;
use grammar::ast::{Body, Decl, Expr, ExprKind, Kind};
use grammar::diagnostic::{Code, Diagnostic, Severity};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Mistakes of a loss in one run that are none in another with more modalities or views, or other networks.
const OF_THE_RUN: [Code; 4] = [
    codes::NEEDS_MODALITY,
    codes::NO_SUCH_VIEW,
    codes::WIDTHS_DIFFER,
    codes::NO_PREDICTOR,
];

impl<'a> Checker<'a> {
    /// Reads what no pretraining, row or assertion has read yet.
    pub(in crate::check) fn read_unused(&mut self) {
        for module in 0..self.modules.len() {
            if self.modules[module].is_shipped {
                continue;
            }
            let mut contexts = None;
            for decl in self.decls(module) {
                let name = decl.name.value.as_str();
                let is_read = self.losses.uses(decl) || self.poisoned.contains(&(module, name));
                if let (Kind::Loss | Kind::Let, Body::Expr(expr), false) =
                    (decl.kind.value, &decl.body, is_read)
                {
                    let contexts =
                        contexts.get_or_insert_with(|| self.contexts_that_could_use(module));
                    self.read_one_unused(module, (decl, expr), contexts);
                }
            }
        }
    }

    /// The pretrainings that could use a loss of a module, its own first; and whether some are its own.
    fn contexts_that_could_use(&mut self, module: usize) -> (Vec<Context>, bool) {
        let before = self.found.len();
        let of = |checker: &mut Self, module: usize| -> Vec<Context> {
            let contexts = checker.contexts_of(module).into_iter();
            contexts.map(|(_, context)| context).collect()
        };
        let mut contexts = match module {
            0 => self.losses.contexts().to_vec(),
            _ => of(self, module),
        };
        let has_own = !contexts.is_empty();
        for used in self.modules[module].uses.clone() {
            contexts.extend(of(self, used));
        }
        // Their mistakes are said where they are declared.
        self.found.truncate(before);
        if contexts.is_empty() {
            contexts.push(self.any_context(module));
        }
        (contexts, has_own)
    }

    /// Two views of every modality that a module knows, with networks of which nothing is known.
    fn any_context(&self, module: usize) -> Context {
        let known = self.names[module].iter();
        let modalities: Vec<String> = known
            .filter(|(_, (_, decl))| decl.kind.value == Kind::Modality)
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let paths = modalities
            .iter()
            .flat_map(|name| ["f", "h"].map(|part| format!("{name}.{part}")));
        let groups = paths.map(|path| (path.clone(), (path, None))).collect();
        Context {
            modalities,
            modalities_at: None,
            views: 2,
            views_at: None,
            groups,
            groups_at: BTreeMap::new(),
            fixed: BTreeSet::new(),
        }
    }

    fn read_one_unused(
        &mut self,
        module: usize,
        (decl, expr): (&'a Decl, &'a Expr),
        (contexts, has_own): &(Vec<Context>, bool),
    ) {
        let mut env = Env::of_module(module);
        for param in &decl.params {
            env = env.bind(&param.value, Bound::Unknown);
        }
        let slot = Slot::new(expr, env, &decl.name.value);
        self.allow_steps();
        let is_loss = decl.kind.value == Kind::Loss;
        if !is_loss && !self.is_of_losses(&slot) {
            // What an argument is may decide what is made of it.
            if decl.params.is_empty() {
                self.read_value(&slot);
            }
            return;
        }
        let is_of_the_run = |d: &&Diagnostic| OF_THE_RUN.contains(&d.code);
        let count = |said: &[Diagnostic]| (said.len(), said.iter().filter(is_of_the_run).count());
        // What is a mistake for one run may be none for another; fewest are said by the run that it may be meant for.
        let mut fewest: Option<Vec<Diagnostic>> = None;
        for context in contexts {
            let before = self.found.len();
            self.read_for(&slot, is_loss, context);
            let mut said = self.found.split_off(before);
            said.retain(|d| d.severity == Severity::Error);
            if fewest.as_ref().is_none_or(|few| count(&said) < count(few)) {
                fewest = Some(said);
            }
        }
        let is_sure = *has_own && self.wrong.is_empty();
        let said = fewest.unwrap_or_default().into_iter();
        self.found
            .extend(said.filter(|d| is_sure || !is_of_the_run(&d)));
    }

    /// Is it a part of losses: a loss, a view, an embedding, or a function of one?
    fn is_of_losses(&mut self, slot: &Slot<'a>) -> bool {
        match self.sort(slot) {
            Sort::Loss => true,
            Sort::Part(noun) => noun == crate::catalog::Family::Tensor.noun() || noun == "a view",
            // A sum may be one of embeddings.
            Sort::Number => self.has_view(slot.expr),
            // A call of something that is no function.
            Sort::Unknown => {
                matches!(
                    slot.expr.kind,
                    ExprKind::Call(..) | ExprKind::Comprehension(..)
                ) && self.has_view(slot.expr)
            }
            Sort::Record(_)
            | Sort::Schedule
            | Sort::Clip
            | Sort::Modality
            | Sort::Chain
            | Sort::Layers
            | Sort::Policy
            | Sort::Data
            | Sort::Optimiser
            | Sort::List
            | Sort::Word => false,
        }
    }

    /// Does a view stand in an expression, `v[1]`?
    fn has_view(&self, expr: &Expr) -> bool {
        let has = |expr: &Expr| self.has_view(expr);
        match &expr.kind {
            ExprKind::Index(..) => true,
            ExprKind::Neg(inner) | ExprKind::Member(inner, _) => has(inner),
            ExprKind::Binary(_, left, right) => has(left) || has(right),
            ExprKind::Call(callee, args) => has(callee) || args.iter().any(|arg| has(&arg.value)),
            ExprKind::Comprehension(_, comprehension) => has(&comprehension.element),
            ExprKind::Name(_)
            | ExprKind::Number(_)
            | ExprKind::Dims(..)
            | ExprKind::String(_)
            | ExprKind::List(_)
            | ExprKind::Tuple(_)
            | ExprKind::Compare(..)
            | ExprKind::Arrow(..)
            | ExprKind::On(..)
            | ExprKind::At(..)
            | ExprKind::With(..) => false,
        }
    }

    fn read_for(&mut self, slot: &Slot<'a>, is_loss: bool, context: &Context) {
        self.allow_steps();
        self.losses.open(context);
        self.parts.clear();
        let value = self.loss_value(slot, context);
        self.losses.close();
        if let Some(value) = value.filter(|value| is_loss && !matches!(value, Value::Loss(..))) {
            let message = format!("`{}` takes a loss, this is {}", slot.place, value.noun());
            self.error(slot, codes::WRONG_KIND_OF_VALUE, message);
        }
    }

    /// Reads a `let` that has no part in losses as what it is.
    fn read_value(&mut self, slot: &Slot<'a>) {
        let before = self.found.len();
        match self.sort(slot) {
            Sort::Record(kind) => {
                if let Some(record) = self.record(slot, kind) {
                    let record = Rc::new(record);
                    if kind == Kind::Pretrain {
                        drop(self.pretrain(&record, &slot.env));
                    } else {
                        drop(self.eval(&record, &slot.env));
                    }
                    self.objective = crate::loss::Written::default();
                    self.silence_echoes(&record, before);
                }
            }
            sort @ (Sort::Schedule
            | Sort::Clip
            | Sort::Modality
            | Sort::Chain
            | Sort::Layers
            | Sort::Policy
            | Sort::Data
            | Sort::Optimiser) => drop(self.printed(slot, sort)),
            Sort::Number | Sort::Loss | Sort::List | Sort::Word | Sort::Part(_) | Sort::Unknown => {
            }
        }
        let own = self.found.split_off(before);
        // What this version cannot run may be declared.
        let is_mistake =
            |d: &Diagnostic| d.severity == Severity::Error && d.code != codes::NOT_AVAILABLE;
        self.found.extend(own.into_iter().filter(is_mistake));
    }
}
