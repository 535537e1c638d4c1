//! Closed programs to a plan.

use super::{
    CellPlan, Extract, Finetune, Plan, Pretrain, RowPlan, ScoreWork, Stage, StageId, TablePlan,
    Work,
};
use crate::codes::NOT_AVAILABLE;
use crate::graph::{Graph, Node};
use crate::hash;
use crate::hir::{Eval, Head, Optimiser, Program, Protocol, Row};
use crate::passes::build;
use grammar::diagnostic::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};

/// The version of the plan's format.
pub const FORMAT: u32 = 1;

/// The stages and tables of `files`: each file's name as the user wrote it, and what it closes to.
///
/// Equal stages stand once. Stages that cost little and that many rows share come first, and each number as early as its
/// pretraining allows.
///
/// # Errors
///
/// E0901 at each row whose optimiser is LARC over LARC.
pub fn plan(files: &[(&str, &Program)]) -> Result<Plan, Vec<Diagnostic>> {
    let mut wanted = Wanted::default();
    let mut tables = vec![];
    let mut refused = vec![];
    for (file, program) in files {
        for table in &program.tables {
            let mut rows = vec![];
            for (number, row) in (1..).zip(&table.rows) {
                let (graph, _) = build(&row.pretrain);
                refused.extend(clips_twice(row));
                let name = format!("{}:{number}", table.name);
                let pretrain = wanted.pretrain(&name, row, &graph);
                let cell = |(i, score): (usize, &(String, Protocol))| {
                    let (heading, protocol) = score;
                    let parts = protocol.parts();
                    let missing = parts.iter().find_map(|eval| untrained(&graph, row, eval));
                    let stage = match missing {
                        Some(reason) => Err(reason),
                        None => Ok(wanted.score(&name, heading, &pretrain, row, protocol)),
                    };
                    CellPlan {
                        stage,
                        expect: row.expect.get(i).cloned().flatten(),
                    }
                };
                let cells = table.scores.iter().enumerate().map(cell).collect();
                rows.push(RowPlan {
                    label: row.label.clone(),
                    pretrain,
                    cells,
                });
            }
            tables.push(TablePlan {
                name: table.name.clone(),
                title: table.title.clone(),
                file: (*file).to_owned(),
                columns: table
                    .scores
                    .iter()
                    .map(|(heading, _)| heading.clone())
                    .collect(),
                rows,
            });
        }
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    let toy = files.iter().any(|(_, program)| program.is_toy);
    Ok(Plan {
        format: FORMAT,
        toy,
        stages: wanted.in_order(),
        tables,
    })
}

/// Stages as they are asked for, each once.
#[derive(Default)]
struct Wanted {
    pretrains: Vec<Branch>,
    known: BTreeSet<StageId>,
    at: BTreeMap<StageId, usize>,
}

/// A pretraining and what hangs on it.
struct Branch {
    stage: Stage,
    /// Samples that it trains on.
    cost: u64,
    /// Rows that ask for it.
    rows: u32,
    /// Extractions and scores, each after what it needs.
    evaluations: Vec<Stage>,
}

impl Wanted {
    /// The pretraining of a row.
    fn pretrain(&mut self, name: &str, row: &Row, graph: &Graph) -> StageId {
        let settings = &row.pretrain;
        let id = hash::pretrain(settings);
        let index = *self.at.entry(id.clone()).or_insert_with(|| {
            let work = Work::Pretrain(Box::new(Pretrain {
                settings: settings.clone(),
                steps: graph.steps(),
            }));
            let stage = Stage {
                id: id.clone(),
                label: format!("{name} pretrain"),
                work,
            };
            let steps = u64::from(settings.ep) * settings.steps_per_epoch();
            let cost = steps * u64::from(settings.bs);
            self.pretrains.push(Branch {
                stage,
                cost,
                rows: 0,
                evaluations: vec![],
            });
            self.pretrains.len() - 1
        });
        self.pretrains[index].rows += 1;
        id
    }

    /// The score of one evaluation, and before it the extractions that it needs.
    fn score(
        &mut self,
        name: &str,
        heading: &str,
        model: &StageId,
        row: &Row,
        protocol: &Protocol,
    ) -> StageId {
        let seed = row.pretrain.seed;
        if let Protocol::Single(eval) = protocol
            && let Head::Finetune(_) = eval.head
        {
            let id = hash::finetune(model, eval, seed);
            let work = Work::Finetune(Box::new(Finetune {
                model: model.clone(),
                eval: eval.as_ref().clone(),
                seed,
            }));
            return self.evaluation(model, id, format!("{name} finetune {heading}"), work);
        }
        let mut features = vec![];
        for eval in protocol.parts() {
            let extract = Extract {
                model: model.clone(),
                eval: eval.clone(),
                seed,
            };
            let part = match protocol {
                Protocol::Single(_) => String::new(),
                Protocol::Fused(_) => format!(" {}", eval.uses),
            };
            let id = hash::extract(model, eval, seed);
            let label = format!("{name} extract{part} {}", without_rank(heading));
            features.push(self.evaluation(model, id, label, Work::Extract(Box::new(extract))));
        }
        let (head, score) = (protocol.head(), protocol.score());
        let id = hash::score(&features.iter().collect::<Vec<_>>(), head, score, seed);
        let beside = features.split_off(1);
        let work = Work::Score(Box::new(ScoreWork {
            features: features.remove(0),
            beside,
            head: head.clone(),
            score,
            seed,
        }));
        self.evaluation(model, id, format!("{name} score {heading}"), work)
    }

    /// Adds a stage behind the pretraining `model`, unless it is there.
    fn evaluation(&mut self, model: &StageId, id: StageId, label: String, work: Work) -> StageId {
        if self.known.insert(id.clone()) {
            let branch = &mut self.pretrains[self.at[model]].evaluations;
            branch.push(Stage {
                id: id.clone(),
                label,
                work,
            });
        }
        id
    }

    /// All stages: the cheapest pretraining first, of equally cheap ones the most shared, then the first asked for; after
    /// each its evaluations.
    fn in_order(mut self) -> Vec<Stage> {
        self.pretrains
            .sort_by_key(|branch| (branch.cost, std::cmp::Reverse(branch.rows)));
        let stages = self
            .pretrains
            .into_iter()
            .flat_map(|branch| [branch.stage].into_iter().chain(branch.evaluations));
        stages.collect()
    }
}

/// A heading without the rank of its recall: neighbours of all ranks are searched in the same features.
fn without_rank(heading: &str) -> &str {
    heading
        .split_once(" R@")
        .map_or(heading, |(whole, _)| whole)
}

/// Why `row` has no backbone for `eval`; `None` where it has one.
fn untrained(graph: &Graph, row: &Row, eval: &Eval) -> Option<String> {
    let Some(modality) = row.pretrain.modality(&eval.uses) else {
        return Some(format!("`{}` is no modality of this row", eval.uses));
    };
    // Without any training all networks are as they were drawn.
    if row.pretrain.ep == 0 {
        return None;
    }
    let own = format!("{}.f", modality.name);
    let wanted = modality.f.same.as_ref().unwrap_or(&own);
    let is_trained = graph
        .ids()
        .any(|id| matches!(graph.node(id), Node::Encode { group } if group == wanted));
    (!is_trained).then(|| format!("`{}` is not trained by this row", eval.uses))
}

/// E0901 where the optimiser of `row` clips twice.
fn clips_twice(row: &Row) -> Option<Diagnostic> {
    let Optimiser::Larc { inner, .. } = &row.pretrain.optim else {
        return None;
    };
    matches!(**inner, Optimiser::Larc { .. }).then(|| {
        let message = "this row's optimiser is `larc` over `larc`, which would clip twice";
        Diagnostic::error(NOT_AVAILABLE, row.span, message).help("write `larc` once")
    })
}
