//! The plan: stages by content hash, ordered, serialisable, complete. It is all that the runtime ever sees.

mod agreement;
mod available;
mod build;
mod draft;
mod likeness;
pub mod passes;
mod print;
mod standing;
mod steps;
#[cfg(test)]
mod tests;
mod why;

pub use agreement::partner;
pub(crate) use available::with_needed;
pub use available::{Executable, executable, refusal, with_reasons};
pub use build::{FORMAT, plan, planned};
pub use draft::{Ask, Asked, Draft, literal};
pub use likeness::likeness;
pub use print::{Level, Summary, json, json_of, set_line, summary, text, totals};
pub use standing::{Estimate, Standing, State, Stood, data_sets, stood};
pub use steps::Made;
pub use why::{
    Because, Difference, Earlier, Places, Reason, fields, reasons, text as reasons_text,
};

use crate::graph::{Node, shapes};
use crate::hir;
use crate::loss::EmbeddingOp;
use crate::passes::{Pass, build_with, selection};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The content hash of a stage: 64 hexadecimal digits of blake3.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StageId(pub String);

impl StageId {
    /// The first eight digits, as folders and messages show it.
    pub fn short(&self) -> &str {
        &self.0[..8]
    }
}

/// Everything that is to be done and reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this format.
    pub format: u32,
    /// Made with `--toy`: results are marked.
    pub toy: bool,
    /// What the command line set above the files: `bs = 64`. Results are marked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// The stages, each after those it needs; each distinct one once.
    pub stages: Vec<Stage>,
    /// Pretrainings that train side by side as far as memory allows: groups change when a stage is made, never what it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gangs: Vec<Gang>,
    /// What is printed at the end.
    pub tables: Vec<TablePlan>,
}

impl Plan {
    /// The stage with this id.
    pub fn stage(&self, id: &StageId) -> Option<&Stage> {
        self.stages.iter().find(|stage| &stage.id == id)
    }
}

/// The plan with training steps that these passes have optimised beside the default ones. Stages stay what they are: a pass
/// preserves what a step means, within its class.
pub fn with_passes(mut plan: Plan, also: &[Pass]) -> Plan {
    let passes = selection(also);
    for stage in &mut plan.stages {
        if let Work::Pretrain(work) = &mut stage.work {
            work.steps = Arc::new(build_with(&work.settings, &passes).0.steps());
        }
    }
    let mut gangs = std::mem::take(&mut plan.gangs);
    for gang in &mut gangs {
        let members = gang
            .members
            .iter()
            .filter_map(|id| match &plan.stage(id)?.work {
                Work::Pretrain(work) => Some(work.settings.as_ref()),
                Work::Extract(_) | Work::Finetune(_) | Work::Score(_) | Work::Draw(_) => None,
            });
        let whole = passes::union(&members.collect::<Vec<_>>());
        let steps = build_with(&whole, &passes).0.steps();
        // Steps stand level by level, those that make data first.
        let data = steps.into_iter().take_while(|step| step.node.is_data());
        gang.data = Arc::new(data.collect());
    }
    plan.gangs = gangs;
    plan
}

/// The plan with two steps of each training, of finetunings too, in the place of all, an epoch each, and the state between them in the place of every state on
/// the way: what a try before a long run executes. Stages keep their ids, so that they belong into a folder of their own.
pub fn smoke(mut plan: Plan) -> Plan {
    for stage in &mut plan.stages {
        match &mut stage.work {
            Work::Pretrain(work) if work.settings.ep > 0 => {
                let settings = Arc::make_mut(&mut work.settings);
                settings.es = u64::from(settings.bs);
                settings.ep = 2;
                if !work.keep.is_empty() {
                    work.keep = vec![1];
                }
            }
            Work::Pretrain(_) | Work::Score(_) => {}
            Work::Extract(work) => work.checkpoint = work.checkpoint.map(|_| 1),
            Work::Finetune(work) => {
                work.checkpoint = work.checkpoint.map(|_| 1);
                if let hir::Head::Finetune(recipe) = &mut work.eval.head {
                    recipe.es = u64::from(recipe.bs);
                    recipe.ep = recipe.ep.min(2);
                }
            }
            Work::Draw(work) => work.checkpoint = work.checkpoint.map(|_| 1),
        }
    }
    plan
}

/// One step of a plan that leaves a run folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Hash of `work` without the steps, of the ids it needs, and of the versions of the operators used.
    pub id: StageId,
    /// For people: `quickstart:2 pretrain`. Not part of the hash.
    pub label: String,
    /// What is done.
    pub work: Work,
}

/// What a stage does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Work {
    /// Trains networks.
    Pretrain(Box<Pretrain>),
    /// Turns a data set into features with a trained backbone.
    Extract(Box<Extract>),
    /// Trains a backbone on with a classifier, and scores it.
    Finetune(Box<Finetune>),
    /// Fits classifiers on features and scores them.
    Score(Box<ScoreWork>),
    /// Draws a panel of a figure.
    Draw(Box<Draw>),
}

impl Work {
    /// The data set whose clips it reads.
    pub fn reads(&self) -> Option<&hir::Data> {
        match self {
            Work::Pretrain(work) => (work.settings.ep > 0).then_some(&work.settings.data),
            Work::Extract(work) => Some(&work.eval.data),
            Work::Finetune(work) => Some(&work.eval.data),
            Work::Draw(work) => Some(work.drawing.data()),
            Work::Score(_) => None,
        }
    }

    /// The stages whose outcome it reads.
    pub fn needs(&self) -> Vec<&StageId> {
        match self {
            Work::Pretrain(_) => vec![],
            Work::Extract(work) => vec![&work.model],
            Work::Finetune(work) => vec![&work.model],
            Work::Draw(work) => vec![&work.from],
            Work::Score(work) => std::iter::once(&work.features)
                .chain(&work.beside)
                .collect(),
        }
    }
}

/// A pretraining: the settings, and the training step as the passes left it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pretrain {
    /// The closed experiment.
    #[serde(with = "shared")]
    pub settings: Arc<hir::Pretrain>,
    /// One training step in an order in which it can be executed; pretrainings with equal steps share the list.
    #[serde(with = "shared")]
    pub steps: Arc<Vec<Step>>,
    /// The epochs, sorted, whose state is kept beside the end, for evaluations of this plan; 0 is before the first step. They
    /// are no part of the run's identity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<u32>,
}

/// Why a pretraining has no backbone of the modality `uses` that was trained, if `is_trained` says which groups are; `None` where it has
/// one.
fn untrained(
    settings: &hir::Pretrain,
    uses: &str,
    is_trained: &dyn Fn(&str) -> bool,
) -> Option<String> {
    let Some(modality) = settings.modality(uses) else {
        return Some(format!("`{uses}` is no modality of this row"));
    };
    // Without any training all networks are as they were drawn.
    if settings.ep == 0 {
        return None;
    }
    let own = format!("{}.f", modality.name);
    let wanted = modality.f.same.as_ref().unwrap_or(&own);
    (!is_trained(wanted)).then(|| format!("`{uses}` is not trained by this row"))
}

impl Pretrain {
    /// Why it has no backbone of the modality `uses` that was trained; `None` where it has one.
    pub fn untrained(&self, uses: &str) -> Option<String> {
        let encodes = |step: &Step, wanted: &str| matches!(&step.node, Node::Encode { group } if group == wanted);
        let is_trained = |group: &str| self.steps.iter().any(|step| encodes(step, group));
        untrained(&self.settings, uses, &is_trained)
    }

    /// The samples of which each part of a batch must have a multiple, so that the parts can go through the networks one after another
    /// and the sum of their gradients be that of the batch.
    ///
    /// # Errors
    /// What looks across the batch, and the way out.
    pub fn divisible(&self) -> Result<u32, String> {
        let over_batch = self.settings.loss.over_batch();
        if let Some(operator) = over_batch.first() {
            return Err(format!(
                "`{operator}` compares all samples of a batch, and parts of it have another gradient"
            ));
        }
        let mut networks = self.steps.iter().filter_map(|step| step.node.call());
        let has_norm = |(_, group): &(u8, &str)| {
            shapes::network(&self.settings, group).is_some_and(hir::Network::has_norm)
        };
        match (self.settings.bn_group, networks.find(has_norm)) {
            (Some(group), _) => Ok(group),
            (None, None) => Ok(1),
            (None, Some((_, group))) => Err(format!(
                "BatchNorm of `{group}` takes its statistics over the whole batch; with `bn_group` in the pretraining, such as \
                 `bn_group = {}`, it takes them over groups of samples",
                (2..=32)
                    .rev()
                    .find(|n| self.settings.bs.is_multiple_of(*n))
                    .unwrap_or(self.settings.bs)
            )),
        }
    }

    /// Whether its loss remembers something of each clip of the data set.
    pub fn remembers_clips(&self) -> bool {
        let is_memory = |step: &Step| {
            matches!(
                step.node,
                Node::Operator {
                    operator: EmbeddingOp::Memory { .. }
                }
            )
        };
        self.steps.iter().any(is_memory)
    }
}

/// The memory bank whose rows are negatives of the term at `at`: the step that reads it, and the steps between it and the term, the first
/// one first, which work row by row. `None` where the rows pass anything else on their way.
pub fn lent(steps: &[Step], at: usize) -> Option<(usize, Vec<usize>)> {
    let mut way = vec![];
    let mut here = *steps.get(at)?.inputs.get(1)?;
    loop {
        let step = steps.get(here)?;
        if let Node::Operator {
            operator: EmbeddingOp::Memory { .. },
        } = step.node
        {
            way.reverse();
            return Some((here, way));
        }
        if !step.node.is_of_row() {
            return None;
        }
        way.push(here);
        here = *step.inputs.first()?;
    }
}

/// A group of pretrainings that differ in their loss alone, and can train side by side in one process: each batch is decoded and
/// augmented once, and each member takes its own step on it, with parameters, optimiser and running statistics of its own.
///
/// How many members one process holds is a matter of memory, which the site knows and the plan does not: a site may take a group
/// in parts of any size, down to one by one, and each stage stays the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gang {
    /// The pretrainings, in the order of the plan.
    pub members: Vec<StageId>,
    /// What they share: clip, windows, decodes, cuts and augmented views. A member reads its views here by modality and number,
    /// in place of the steps of its own down to them.
    #[serde(with = "shared")]
    pub data: Arc<Vec<Step>>,
}

/// Values that several places share, written as what they are.
mod shared {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::sync::Arc;

    pub fn serialize<T: Serialize, S: Serializer>(of: &Arc<T>, to: S) -> Result<S::Ok, S::Error> {
        of.as_ref().serialize(to)
    }

    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Arc<T>, D::Error> {
        T::deserialize(from).map(Arc::new)
    }
}

/// One node of the training step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name in the printed graph, without `%`: `z.v1`.
    pub name: String,
    /// What it does.
    pub node: Node,
    /// Positions in the list of the steps whose outputs it reads, in the order that the node's comment says.
    pub inputs: Vec<usize>,
}

/// Features of a data set: `train` clips augmented, `test` clips not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extract {
    /// The pretraining whose weights are used.
    pub model: StageId,
    /// After this epoch of it; `None` at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<u32>,
    /// The protocol; `head` and `score` are left out of this stage's hash.
    pub eval: hir::Eval,
    /// Seed of clip times and augmentations: that of the pretraining.
    pub seed: u64,
}

/// A finetuning: training clips augmented, test clips not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finetune {
    /// The pretraining whose weights it starts from.
    pub model: StageId,
    /// After this epoch of it; `None` at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<u32>,
    /// The protocol; its head is a [`hir::Head::Finetune`].
    pub eval: hir::Eval,
    /// Seed of all random numbers: that of the pretraining.
    pub seed: u64,
}

/// Classifiers on extracted features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreWork {
    /// The features.
    pub features: StageId,
    /// Features that stand beside these in late fusion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<StageId>,
    /// The classifier.
    pub head: hir::Head,
    /// What is reported.
    pub score: hir::Score,
    /// Seed of held-out samples.
    pub seed: u64,
}

/// A panel of a figure: what one row of it draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draw {
    /// What is read: for a gallery the extraction of its features, else the pretraining whose networks are used.
    pub from: StageId,
    /// After this epoch of it; `None` at its end, and where an extraction has read the state already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<u32>,
    /// What is drawn.
    pub drawing: hir::Drawing,
    /// Seed of the samples drawn: that of the pretraining.
    pub seed: u64,
}

/// A table as it will be printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TablePlan {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: Option<String>,
    /// The file it stands in, as the user wrote it.
    pub file: String,
    /// Headings of the scores, then of what is drawn.
    pub columns: Vec<String>,
    /// What a figure is drawn against: a path of its rows, such as `relax`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// The curves of its trainings, columns of the `metrics.jsonl` of each row's pretraining.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<hir::Curve>,
    /// The rows.
    pub rows: Vec<RowPlan>,
}

impl TablePlan {
    /// The rows, each with its number in the file.
    pub fn numbered(&self) -> impl Iterator<Item = (usize, &RowPlan)> {
        let rows = (1..).zip(&self.rows);
        rows.map(|(place, row)| (row.number.unwrap_or(place), row))
    }
}

/// A row as it will be printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowPlan {
    /// Its number in the file, from 1, where rows before it are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<usize>,
    /// Its label.
    pub label: String,
    /// The pretraining of the row.
    pub pretrain: StageId,
    /// Where the row lies on the axis of its figure, as a file would write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// One for each column.
    pub cells: Vec<CellPlan>,
}

/// One number of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellPlan {
    /// The score or drawing that makes it, or why there is none: `a is not trained by this row`.
    pub stage: Result<StageId, String>,
    /// The published number as printed.
    pub expect: Option<String>,
}
