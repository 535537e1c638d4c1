//! Questions about the experiments of some files: what a table needs, what uses a loss, which rows are of a kind.
//!
//! `deps` goes down, from a table, row or declaration to what it is made of; `rdeps` goes up, from a declaration to what uses it.
//! Both look at the values that count: a row that replaces `loss` does not use the loss that it replaces.

mod answer;
mod graph;

pub use answer::{Answer, Item};

use crate::check::load::{Module, Resolver};
use crate::check::{self, Answers};
use crate::hir::Program;
use crate::plan::{self, Plan};
use crate::{Profile, codes};
use grammar::ast::Name;
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::query::{Condition, Query, Target};
use grammar::span::{FileId, Sources, Span};
use graph::{At, Graph, Meant, Node};
use std::collections::BTreeSet;

/// The functions of a question.
const FUNCTIONS: [(&str, usize); 3] = [("deps", 1), ("rdeps", 1), ("shared", 2)];
/// What can be selected.
const KINDS: [&str; 2] = ["rows", "pretrains"];

/// Answers the question in the file `question` about `files`, each a name and its text in `sources`.
///
/// # Errors
///
/// What is wrong in the question, or in one of the files.
pub fn query(
    sources: &mut Sources,
    files: &[(String, FileId)],
    question: FileId,
    resolve: &Resolver<'_>,
) -> Result<Answer, Vec<Diagnostic>> {
    let asked = grammar::query::parse(sources, question).map_err(|wrong| vec![*wrong])?;
    let condition = match &asked {
        Query::Call { function, targets } => {
            let known = FUNCTIONS.iter().map(|(name, _)| *name);
            let Some((_, count)) = FUNCTIONS.iter().find(|(name, _)| *name == function.value)
            else {
                return Err(vec![unknown("function", function, known)]);
            };
            if targets.len() != *count {
                let span = targets.iter().fold(function.span, |all, t| all.to(t.span));
                let wanted = check::counted(*count, "name");
                let message = format!(
                    "`{}` takes {wanted}, this gives {}",
                    function.value,
                    targets.len()
                );
                return Err(vec![Diagnostic::error(
                    codes::WRONG_ARGUMENTS,
                    span,
                    message,
                )]);
            }
            None
        }
        Query::Select { kind, condition } => {
            if !KINDS.contains(&kind.value.as_str()) {
                return Err(vec![unknown("kind of thing", kind, KINDS.into_iter())]);
            }
            condition.as_ref()
        }
    };
    let view = View::of(sources, files, resolve, condition)?;
    let items = match &asked {
        Query::Select { kind, condition } => {
            view.selected(sources, kind.value == "rows", condition.is_some())
        }
        Query::Call { function, targets } => view.called(sources, &function.value, targets)?,
    };
    let text = sources.get(question).text.trim().to_owned();
    Ok(Answer { query: text, items })
}

fn unknown<'n>(
    what: &str,
    name: &Name,
    known: impl Iterator<Item = &'n str> + Clone,
) -> Diagnostic {
    let message = format!("no {what} named `{}`", name.value);
    let mut diagnostic = Diagnostic::error(codes::UNKNOWN_NAME, name.span, message);
    if check::nearest(&name.value, known.clone()).is_empty() {
        let list: Vec<String> = known.clone().map(|k| format!("`{k}`")).collect();
        diagnostic = diagnostic.note(format!("known here: {}", list.join(", ")));
    }
    check::suggest(diagnostic, name.span, &name.value, known)
}

/// The files that are asked about, closed.
struct View {
    programs: Vec<(String, Program)>,
    answers: Vec<Answers>,
    plan: Plan,
    modules: Vec<Vec<Module>>,
}

impl View {
    fn of(
        sources: &mut Sources,
        files: &[(String, FileId)],
        resolve: &Resolver<'_>,
        condition: Option<&Condition>,
    ) -> Result<View, Vec<Diagnostic>> {
        let (mut programs, mut answers, mut wrong) = (vec![], vec![], vec![]);
        let mut modules = vec![];
        for (name, root) in files {
            let (program, found, asked) =
                check::check_asking(sources, *root, resolve, Profile::Full, (None, condition));
            wrong.extend(found.into_iter().filter(|d| d.severity == Severity::Error));
            modules.push(check::load::load(sources, &[*root], resolve, &mut vec![]));
            programs.extend(program.map(|program| (name.clone(), program)));
            answers.push(asked);
        }
        if wrong.is_empty() {
            // A name that one file knows is no mistake because another one does not.
            let of_all = answers.iter().map(|asked| asked.mistakes.as_slice());
            let everywhere = of_all
                .min_by_key(|mistakes| mistakes.len())
                .unwrap_or_default();
            wrong.extend(everywhere.iter().cloned());
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let named: Vec<(&str, &Program)> = programs
            .iter()
            .map(|(name, program)| (name.as_str(), program))
            .collect();
        let plan = plan::plan(&named)?;
        Ok(View {
            programs,
            answers,
            plan,
            modules,
        })
    }

    /// `rows where ...`, `pretrains where ...`.
    fn selected(&self, sources: &Sources, wants_rows: bool, has_condition: bool) -> Vec<Item> {
        let mut items = vec![];
        let mut tables = self.plan.tables.iter();
        for ((_, program), answers) in self.programs.iter().zip(&self.answers) {
            let holds = |place: (Span, Option<usize>)| {
                !has_condition || answers.by_place.get(&place).copied().unwrap_or(false)
            };
            for table in &program.tables {
                let planned = tables.next();
                for (at, row) in table.rows.iter().enumerate().filter(|_| wants_rows) {
                    // A file without tables has a row for each pretraining.
                    let own = answers.by_place.contains_key(&(table.span, Some(at)));
                    let place = if own || !has_condition {
                        (table.span, Some(at))
                    } else {
                        (row.span, None)
                    };
                    if holds(place) {
                        let id = planned
                            .and_then(|t| t.rows.get(at))
                            .map(|row| row.pretrain.clone());
                        items.push(Item {
                            kind: "row",
                            name: format!("{}:{}", table.name, at + 1),
                            place: answer::place(sources, row.span),
                            id,
                            note: Some(row.label.clone()),
                        });
                    }
                }
            }
            for pretrain in program.pretrains.iter().filter(|_| !wants_rows) {
                if holds((pretrain.span, None)) {
                    items.push(Item {
                        kind: "pretrain",
                        name: pretrain.name.clone(),
                        place: answer::place(sources, pretrain.span),
                        id: Some(crate::hash::pretrain(&pretrain.pretrain)),
                        note: None,
                    });
                }
            }
        }
        items
    }

    fn called(
        &self,
        sources: &Sources,
        function: &str,
        targets: &[Target],
    ) -> Result<Vec<Item>, Vec<Diagnostic>> {
        let graph = &Graph::of(sources, &self.modules, &self.programs);
        let find = |target| graph.find(&self.programs, target);
        let meant: Vec<Meant> = targets
            .iter()
            .map(|target| find(target).map_err(|wrong| vec![*wrong]))
            .collect::<Result<_, _>>()?;
        match (function, meant.as_slice()) {
            ("deps", [meant]) => Ok(self.deps(sources, graph, meant)),
            ("rdeps", [Meant::Rows(_)]) => {
                let message = "nothing is made of a table";
                let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, targets[0].span, message)
                    .help("`shared(table1, fig4)` says what two of them have in common, `rdeps(crisscross)` what uses a declaration");
                Err(vec![diagnostic])
            }
            ("rdeps", [Meant::Declarations(nodes)]) => Ok(self.rdeps(sources, graph, nodes)),
            (_, [a, b]) => Ok(self.shared(sources, graph, a, b)),
            _ => unreachable!("query: the number of names was checked"),
        }
    }

    /// Down: rows, stages, declarations and modules.
    fn deps(&self, sources: &Sources, graph: &Graph, meant: &Meant) -> Vec<Item> {
        let mut items = vec![];
        let nodes = match meant {
            Meant::Rows(rows) => {
                items.extend(rows.iter().map(|at| self.row_item(sources, *at)));
                items.extend(self.stage_items(&self.stages_of(rows)));
                rows.iter().flat_map(|at| graph.rows[at].all()).collect()
            }
            Meant::Declarations(nodes) => {
                let mut below = graph.below(nodes.iter().cloned());
                below.retain(|node| !nodes.contains(node));
                below
            }
        };
        items.extend(graph.items(sources, &nodes));
        let modules: BTreeSet<&str> = nodes.iter().map(|node| node.file.as_str()).collect();
        items.extend(
            modules
                .into_iter()
                .map(|module| Item::plain("module", module)),
        );
        items
    }

    /// Up: declarations, tables, rows and the pretrainings of these.
    fn rdeps(&self, sources: &Sources, graph: &Graph, nodes: &BTreeSet<Node>) -> Vec<Item> {
        let users = graph.above(nodes);
        let mut items = graph.items(sources, &users);
        let (mut rows, mut trained) = (vec![], vec![]);
        for (at, row) in &graph.rows {
            let is_trained = row.training.iter().any(|node| nodes.contains(node));
            if is_trained {
                trained.push(*at);
            }
            if is_trained || row.scoring.iter().any(|node| nodes.contains(node)) {
                rows.push(*at);
            }
        }
        let mut tables: Vec<(usize, usize)> = rows
            .iter()
            .map(|(file, table, _)| (*file, *table))
            .collect();
        tables.dedup();
        for at in tables {
            let table = &self.programs[at.0].1.tables[at.1];
            items.push(Item {
                kind: graph.kinds[&at].word(),
                name: table.name.clone(),
                place: answer::place(sources, table.span),
                id: None,
                note: table.title.clone(),
            });
        }
        items.extend(rows.iter().map(|at| self.row_item(sources, *at)));
        let trained = self.stages_of(&trained);
        let pretrainings: Vec<Item> = self
            .stage_items(&trained)
            .into_iter()
            .filter(|item| item.kind == "pretraining")
            .collect();
        items.extend(pretrainings);
        items
    }

    /// The stages of two tables, or the declarations below two declarations, that are the same.
    fn shared(&self, sources: &Sources, graph: &Graph, a: &Meant, b: &Meant) -> Vec<Item> {
        if let (Meant::Rows(a), Meant::Rows(b)) = (a, b) {
            let (left, right) = (self.stages_of(a), self.stages_of(b));
            let both: BTreeSet<_> = left.intersection(&right).cloned().collect();
            let mut items = vec![];
            for mut item in self.stage_items(&both) {
                if item.kind == "pretraining" {
                    let users = |rows: &BTreeSet<At>| -> Vec<String> {
                        let uses =
                            |at: &&At| Some(&self.planned(**at).pretrain) == item.id.as_ref();
                        rows.iter()
                            .filter(uses)
                            .map(|at| self.row_name(*at))
                            .collect()
                    };
                    let mut users = [users(a), users(b)].concat();
                    users.dedup();
                    item.note = Some(users.join(", "));
                }
                items.push(item);
            }
            return items;
        }
        let below = |meant: &Meant| match meant {
            Meant::Rows(rows) => rows.iter().flat_map(|at| graph.rows[at].all()).collect(),
            Meant::Declarations(nodes) => graph.below(nodes.iter().cloned()),
        };
        let (left, right) = (below(a), below(b));
        graph.items(sources, &left.intersection(&right).cloned().collect())
    }

    fn row_name(&self, (file, table, row): At) -> String {
        format!("{}:{}", self.programs[file].1.tables[table].name, row + 1)
    }

    fn planned(&self, (file, table, row): At) -> &plan::RowPlan {
        let before: usize = self.programs[..file]
            .iter()
            .map(|(_, p)| p.tables.len())
            .sum();
        &self.plan.tables[before + table].rows[row]
    }

    fn row_item(&self, sources: &Sources, at: At) -> Item {
        let row = &self.programs[at.0].1.tables[at.1].rows[at.2];
        Item {
            kind: "row",
            name: self.row_name(at),
            place: answer::place(sources, row.span),
            id: Some(self.planned(at).pretrain.clone()),
            note: Some(row.label.clone()),
        }
    }

    /// The stages that some rows need, directly or through others.
    fn stages_of<'r>(&self, rows: impl IntoIterator<Item = &'r At>) -> BTreeSet<plan::StageId> {
        let mut needed = BTreeSet::new();
        for at in rows {
            let row = self.planned(*at);
            needed.insert(row.pretrain.clone());
            needed.extend(row.cells.iter().filter_map(|cell| cell.stage.clone().ok()));
        }
        plan::with_needed(&self.plan, needed)
    }

    /// Stages in the order of the plan.
    fn stage_items(&self, ids: &BTreeSet<plan::StageId>) -> Vec<Item> {
        let stages = self
            .plan
            .stages
            .iter()
            .filter(|stage| ids.contains(&stage.id));
        let mut items: Vec<Item> = stages
            .map(|stage| Item {
                kind: answer::stage_kind(&stage.work),
                name: stage.label.clone(),
                place: None,
                id: Some(stage.id.clone()),
                note: None,
            })
            .collect();
        items.sort_by_key(|item| answer::rank(item.kind));
        items
    }
}
