//! A plan under way: first what each row asks for by itself, then what the passes make of it.

use super::agreement::partner;
use super::steps::{Made, Steps};
use super::{CellPlan, Gang, RowPlan, StageId, TablePlan};
use crate::codes::NOT_AVAILABLE;
use crate::hash;
use crate::hir::{
    self, Drawing, Eval, Head, Optimiser, Program, Protocol, Row, Score, Table, Target,
};
use grammar::diagnostic::Diagnostic;
use std::sync::Arc;

/// A plan under way.
///
/// A stage may stand in it several times. Its id is a hash of all that its outcome depends on, so stages of one id have one
/// outcome, wherever they stand and whoever asks for them.
pub struct Draft<'p> {
    /// Made with `--toy`.
    pub toy: bool,
    /// What the command line set above the files.
    pub set: Vec<String>,
    /// The stages, each after those it needs.
    pub asked: Vec<Asked<'p>>,
    /// Pretrainings that may train side by side.
    pub gangs: Vec<Gang>,
    /// What is printed at the end: its cells name stages by their ids.
    pub tables: Vec<TablePlan>,
}

/// A stage that a row asks for.
pub struct Asked<'p> {
    /// Its id.
    pub id: StageId,
    /// For people: `quickstart:2 pretrain`.
    pub label: String,
    /// What is done.
    pub work: Ask<'p>,
}

/// What a stage does, in terms of the program.
pub enum Ask<'p> {
    /// Trains networks.
    Pretrain {
        /// The closed experiment.
        settings: &'p Arc<hir::Pretrain>,
        /// Its training step.
        made: Arc<Made>,
        /// The epochs whose state is kept beside the end.
        keep: Vec<u32>,
    },
    /// Turns a data set into features.
    Extract {
        /// The pretraining whose weights are used.
        model: StageId,
        /// After this epoch of it; `None` at its end.
        checkpoint: Option<u32>,
        /// The protocol.
        eval: &'p Eval,
        /// Seed of clip times and augmentations.
        seed: u64,
    },
    /// Trains a backbone on with a classifier, and scores it.
    Finetune {
        /// The pretraining whose weights it starts from.
        model: StageId,
        /// After this epoch of it; `None` at its end.
        checkpoint: Option<u32>,
        /// The protocol.
        eval: &'p Eval,
        /// Seed of all random numbers.
        seed: u64,
    },
    /// Fits classifiers on features and scores them.
    Score {
        /// The features: several in late fusion.
        features: Vec<StageId>,
        /// The classifier.
        head: &'p Head,
        /// What is reported.
        score: Score,
        /// Seed of held-out samples.
        seed: u64,
    },
    /// Draws a panel of a figure.
    Draw {
        /// What is read: the extraction behind a gallery, else the pretraining.
        from: StageId,
        /// After this epoch of it; `None` at its end.
        checkpoint: Option<u32>,
        /// What is drawn.
        drawing: &'p Drawing,
        /// Seed of the samples drawn.
        seed: u64,
    },
}

impl Ask<'_> {
    /// The stages whose outcome this one reads.
    pub fn needs(&self) -> &[StageId] {
        match self {
            Ask::Pretrain { .. } => &[],
            Ask::Extract { model, .. } | Ask::Finetune { model, .. } => std::slice::from_ref(model),
            Ask::Score { features, .. } => features,
            Ask::Draw { from, .. } => std::slice::from_ref(from),
        }
    }
}

/// The stages of `files` as their rows ask for them: each row for its own pretraining, and each of its scores for its own features.
///
/// Nothing is shared yet, as no term of a lowered loss shares a network call: that is what [`super::passes`] are for.
///
/// # Errors
///
/// E0901 at each row whose optimiser is LARC over LARC.
pub fn literal<'p>(files: &[(&str, &'p Program)]) -> Result<Draft<'p>, Vec<Diagnostic>> {
    let mut steps = Steps::default();
    let mut refused = vec![];
    let mut draft = Draft {
        toy: files.iter().any(|(_, program)| program.is_toy),
        // The same for all files.
        set: files
            .first()
            .map_or(vec![], |(_, program)| program.set.clone()),
        asked: vec![],
        gangs: vec![],
        tables: vec![],
    };
    for (file, program) in files {
        for table in &program.tables {
            let mut rows = vec![];
            for (place, row) in (1..).zip(&table.rows) {
                refused.extend(clips_twice(row));
                let name = format!("{}:{}", table.name, row.number);
                let planned = of_row(&mut draft.asked, &mut steps, &name, row, table);
                rows.push(RowPlan {
                    number: (row.number != place).then_some(row.number),
                    ..planned
                });
            }
            draft.tables.push(TablePlan {
                name: table.name.clone(),
                title: table.title.clone(),
                file: (*file).to_owned(),
                columns: {
                    let scores = table.scores.iter().map(|(heading, _)| heading);
                    let drawings = table.drawings.iter().map(|(heading, _)| heading);
                    scores.chain(drawings).cloned().collect()
                },
                x: table.x.clone(),
                curves: table.curves.clone(),
                rows,
            });
        }
    }
    if refused.is_empty() {
        Ok(draft)
    } else {
        Err(refused)
    }
}

/// What one row asks for.
fn of_row<'p>(
    asked: &mut Vec<Asked<'p>>,
    steps: &mut Steps,
    name: &str,
    row: &'p Row,
    table: &'p Table,
) -> RowPlan {
    let pretrain = row.id.clone();
    let made = steps.of_row(&row.pretrain);
    let mut cells = vec![];
    for (column, (heading, protocol)) in table.scores.iter().enumerate() {
        let mut parts = protocol.parts().iter();
        let missing = parts.find_map(|eval| untrained(&made, row, &eval.uses));
        let stage = match missing {
            Some(reason) => Err(reason),
            None => Ok((heading, protocol)),
        };
        cells.push((stage, row.expect.get(column).cloned().flatten()));
    }
    let panels: Vec<_> = table
        .drawings
        .iter()
        .map(|(heading, drawing)| match unseen(&made, row, drawing) {
            Some(reason) => Err(reason),
            None => Ok((heading, drawing)),
        })
        .collect();
    asked.push(Asked {
        id: pretrain.clone(),
        label: format!("{name} pretrain"),
        work: Ask::Pretrain {
            settings: &row.pretrain,
            made,
            keep: vec![],
        },
    });
    let state = State {
        model: &pretrain,
        checkpoint: row.checkpoint,
        seed: row.pretrain.seed,
    };
    let cells = cells.into_iter().map(|(stage, expect)| CellPlan {
        stage: stage.map(|(heading, protocol)| score(asked, name, heading, state, protocol)),
        expect,
    });
    let mut cells: Vec<CellPlan> = cells.collect();
    for panel in panels {
        let stage = panel.map(|(heading, drawing)| panel_of(asked, name, heading, state, drawing));
        cells.push(CellPlan {
            stage,
            expect: None,
        });
    }
    RowPlan {
        number: None,
        label: row.label.clone(),
        at: row.at.clone(),
        pretrain,
        cells,
    }
}

/// The state of a pretraining that a row scores.
#[derive(Clone, Copy)]
struct State<'s> {
    model: &'s StageId,
    /// The epochs behind it; `None` is the end.
    checkpoint: Option<u32>,
    /// The seed of the pretraining, which is that of what is made of it.
    seed: u64,
}

/// The score of one evaluation, and before it the features that it needs.
fn score<'p>(
    asked: &mut Vec<Asked<'p>>,
    name: &str,
    heading: &str,
    state: State<'_>,
    protocol: &'p Protocol,
) -> StageId {
    let State {
        model,
        checkpoint,
        seed,
    } = state;
    let mut ask = |id: StageId, label: String, work| {
        asked.push(Asked {
            id: id.clone(),
            label,
            work,
        });
        id
    };
    if let Protocol::Single(eval) = protocol
        && let Head::Finetune(_) = eval.head
    {
        let work = Ask::Finetune {
            model: model.clone(),
            checkpoint,
            eval,
            seed,
        };
        let id = hash::finetune(model, checkpoint, eval, seed);
        return ask(id, format!("{name} finetune {heading}"), work);
    }
    let mut features = vec![];
    for eval in protocol.parts() {
        let part = match protocol {
            Protocol::Single(_) => String::new(),
            Protocol::Fused(_) => format!(" {}", eval.uses),
        };
        let work = Ask::Extract {
            model: model.clone(),
            checkpoint,
            eval,
            seed,
        };
        let label = format!("{name} extract{part} {}", without_rank(heading));
        let id = hash::extract(model, checkpoint, eval, seed);
        features.push(ask(id, label, work));
    }
    let (head, score) = (protocol.head(), protocol.score());
    let id = hash::score(&features.iter().collect::<Vec<_>>(), head, score, seed);
    let work = Ask::Score {
        features,
        head,
        score,
        seed,
    };
    ask(id, format!("{name} score {heading}"), work)
}

/// A panel, and before it the features that it shows, if it shows any.
fn panel_of<'p>(
    asked: &mut Vec<Asked<'p>>,
    name: &str,
    heading: &str,
    state: State<'_>,
    drawing: &'p Drawing,
) -> StageId {
    let State {
        model,
        checkpoint,
        seed,
    } = state;
    let mut ask = |id: StageId, label: String, work| {
        asked.push(Asked {
            id: id.clone(),
            label,
            work,
        });
        id
    };
    let (from, checkpoint) = match drawing {
        Drawing::Embedding(_) | Drawing::Saliency(_) => (model.clone(), checkpoint),
        // The features are those of the state already.
        Drawing::Gallery(gallery) => {
            let id = hash::extract(model, checkpoint, &gallery.eval, seed);
            let work = Ask::Extract {
                model: model.clone(),
                checkpoint,
                eval: &gallery.eval,
                seed,
            };
            (ask(id, format!("{name} extract {heading}"), work), None)
        }
    };
    let id = hash::draw(&from, checkpoint, drawing, seed);
    let work = Ask::Draw {
        from,
        checkpoint,
        drawing,
        seed,
    };
    ask(id, format!("{name} draw {heading}"), work)
}

/// A heading without the rank of its recall: neighbours of all ranks are searched in the same features.
fn without_rank(heading: &str) -> &str {
    heading
        .split_once(" R@")
        .map_or(heading, |(whole, _)| whole)
}

/// Why `row` has not what `drawing` shows; `None` where it has.
fn unseen(made: &Made, row: &Row, drawing: &Drawing) -> Option<String> {
    let uses = drawing.uses();
    let needs_another =
        matches!(drawing, Drawing::Saliency(map) if map.target == Target::Agreement);
    untrained(made, row, uses).or_else(|| {
        let partner = needs_another.then(|| partner(&row.pretrain, uses));
        partner?.err()
    })
}

/// Why `row` has no backbone of the modality `uses`; `None` where it has one.
fn untrained(made: &Made, row: &Row, uses: &str) -> Option<String> {
    super::untrained(&row.pretrain, uses, &|group| made.encoders.contains(group))
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
