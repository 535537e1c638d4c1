//! All that a file declares, closed: its declarations, pretrainings, evaluations and tables, and what it asserts.

use super::record::Record;
use super::{Checker, Env, Slot, Wanted};
use crate::codes;
use crate::hash;
use crate::hir::{self, Data, NamedPretrain, Program};
use grammar::ast::{Body, Decl, Kind};
use grammar::diagnostic::{Diagnostic, Severity};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

impl<'a> Checker<'a> {
    /// All that the root file declares, closed.
    pub(super) fn program(&mut self) -> Option<Program> {
        let mut data = vec![];
        for module in 0..self.modules.len() {
            if module == 0 {
                data = self.check_declarations(module);
            } else if !self.modules[module].is_shipped {
                self.check_declarations(module);
            }
        }
        if self.is_overfull {
            return None;
        }
        let mut closed = BTreeMap::new();
        for (decl, record) in in_order_of_use(self.declared_records(0, Kind::Pretrain)) {
            let env = Env::of_module(0).used_at(decl.name.span);
            let before = self.found.len();
            let pretrain = self.pretrain(&record, &env);
            let written = std::mem::take(&mut self.objective);
            self.silence_echoes(&record, before);
            let pretrain = pretrain.map(Arc::new);
            if let Some(pretrain) = &pretrain {
                self.ask(&record, pretrain, None, &decl.name.value);
                self.question.note((decl.name.span, None));
            }
            closed.extend(pretrain.map(|pretrain| (decl.span, (decl, record, pretrain, written))));
        }
        let mut pretrains = vec![];
        let mut rows = vec![];
        for (decl, record, pretrain, written) in closed.into_values() {
            let (name, span, provenance) =
                (decl.name.value.clone(), decl.name.span, record.provenance());
            rows.push(hir::Row {
                number: rows.len() + 1,
                label: name.clone(),
                of: name.clone(),
                pretrain: Arc::clone(&pretrain),
                id: hash::pretrain(&pretrain),
                checkpoint: None,
                at: None,
                written: written.clone(),
                expect: vec![],
                span,
                provenance: provenance.clone(),
            });
            pretrains.push(NamedPretrain {
                name,
                span,
                pretrain: Arc::unwrap_or_clone(pretrain),
                written,
                provenance,
            });
        }
        let mut closed = BTreeMap::new();
        for (decl, record) in in_order_of_use(self.declared_records(0, Kind::Eval)) {
            let before = self.found.len();
            let eval = self.eval(&record, &Env::of_module(0).used_at(decl.name.span));
            // What this version cannot run may be declared; a table that uses it says so.
            let own = self.found.split_off(before);
            let runs = |d: &Diagnostic| d.code != codes::NOT_AVAILABLE;
            self.found.extend(own.into_iter().filter(runs));
            self.silence_echoes(&record, before);
            let name = &decl.name.value;
            let named = eval.map(|scored| {
                let name = |(suffix, eval)| (format!("{name}{suffix}"), eval);
                scored.into_iter().map(name).collect::<Vec<_>>()
            });
            closed.extend(named.map(|named| (decl.span, named)));
        }
        let evals = closed.into_values().flatten().collect();
        let mut tables = vec![];
        for decl in self
            .decls(0)
            .filter(|d| matches!(d.kind.value, Kind::Table | Kind::Figure))
        {
            tables.extend(self.table(decl));
        }
        self.report_misstated();
        self.read_unused();
        // An assertion is about what two sides come to, not about how good their settings are.
        let before = self.found.len();
        self.claims();
        let own = self.found.split_off(before);
        let is_sure = self.wrong.is_empty();
        let is_said = |d: &Diagnostic| d.severity == Severity::Error && (is_sure || is_spelling(d));
        self.found.extend(own.into_iter().filter(is_said));
        if tables.is_empty() && !rows.is_empty() {
            let span = rows[0].span;
            tables.push(hir::Table {
                x: None,
                name: "pretrains".into(),
                title: None,
                span,
                scores: vec![],
                drawings: vec![],
                curves: vec![],
                rows,
            });
        }
        Some(Program {
            is_toy: self.caps.is_some(),
            set: vec![],
            is_bare: self.modules[0].is_bare,
            data,
            pretrains,
            evals,
            tables,
        })
    }

    /// Of what was found since `before` in a record, takes out what may be an echo of a mistake elsewhere: where a field of it, or a
    /// declaration that it is built on, is wrong, only what is misspelt is still said. Two widths or a missing predictor are said
    /// once for all terms.
    pub(super) fn silence_echoes(&mut self, record: &Record<'a>, before: usize) {
        let own = self.found.split_off(before);
        let is_unsure =
            record.is_unsure || record.declared.iter().any(|name| self.wrong.contains(name));
        let mut said = BTreeSet::new();
        let mut is_wrong = is_unsure;
        for diagnostic in own {
            let code = diagnostic.code;
            let is_shared = matches!(code, codes::WIDTHS_DIFFER | codes::NO_PREDICTOR);
            let is_echo = is_unsure && !is_spelling(&diagnostic) || is_shared && !said.insert(code);
            if diagnostic.severity != Severity::Error || !is_echo {
                is_wrong |= diagnostic.severity == Severity::Error;
                self.found.push(diagnostic);
            }
        }
        if is_wrong {
            self.wrong.extend(record.declared.last());
        }
    }

    /// Reads the declarations that nothing may use, so that a mistake in one is found in any case. Returns the data sets among them.
    fn check_declarations(&mut self, module: usize) -> Vec<Data> {
        let mut sets = vec![];
        let decls: Vec<&'a Decl> = self.decls(module).collect();
        for decl in decls {
            let name = decl.name.value.as_str();
            if self.poisoned.contains(&(module, name)) {
                continue;
            }
            let Body::Expr(expr) = &decl.body else {
                continue;
            };
            let slot = Slot::new(expr, Env::of_module(module), name);
            self.allow_steps();
            match decl.kind.value {
                Kind::Modality => drop(self.modality(&slot)),
                Kind::Data => sets.extend(self.data_set(&slot, name)),
                Kind::Augment => drop(self.chain(&slot, None)),
                Kind::Layers => drop(self.network(&slot, super::layers::Role::Any)),
                Kind::Relaxation => drop(self.policy(&slot)),
                Kind::Let if self.is_arithmetic(module, expr, 0) => {
                    let wanted = Wanted::new("a number", &[Kind::Let], &[]);
                    let _ = self.arithmetic(&slot, &wanted);
                }
                Kind::Loss
                | Kind::Let
                | Kind::Pretrain
                | Kind::Eval
                | Kind::Table
                | Kind::Figure => {}
            }
        }
        sets
    }
}

/// It stems from how something is written, and not from what is missing or does not fit.
fn is_spelling(diagnostic: &Diagnostic) -> bool {
    diagnostic.code.0 < "E04" && diagnostic.code != codes::MISSING_FIELD
}

/// Records with those first that others are built on.
fn in_order_of_use<'a, T>(mut records: Vec<(T, Rc<Record<'a>>)>) -> Vec<(T, Rc<Record<'a>>)> {
    records.sort_by_key(|(_, record)| record.declared.len());
    records
}
