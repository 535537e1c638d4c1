//! Why a stage is done, is to do, or waits: the nearest finished stage, and in what it differs.

use super::print::{set_line, stages_of};
use super::standing::{State, Stood, kind, lacks};
use super::{Stage, StageId, Work};
use crate::graph::pairs;
use crate::hir::{Eval, Protocol};
use crate::loss::Loss;
use crate::units::Exact;
use crate::written;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Differences that are printed; the others are counted.
const SHOWN: usize = 6;

/// A finished stage of a runs folder.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// The name of its folder.
    pub folder: String,
    /// What the command line that made it set above its files.
    pub set: Vec<String>,
    /// The stage as its plan had it.
    pub stage: Stage,
}

/// Why a stage is as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason {
    /// The row that asks: `table1:11`.
    pub row: String,
    /// The row's label.
    pub label: String,
    /// The stage.
    pub stage: StageId,
    /// `pretrain`, `extract`, `score`, `finetune`.
    pub kind: &'static str,
    /// What will become of it.
    pub state: State,
    /// The reason for that.
    #[serde(flatten)]
    pub because: Because,
}

/// The reason for a state.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum Because {
    /// It is in this run folder.
    Finished {
        /// The folder's name.
        folder: String,
    },
    /// It reads what is not made yet.
    WaitsFor {
        /// The first stage that it reads and that is to do.
        stage: StageId,
        /// Its kind.
        of: &'static str,
    },
    /// It is to be made; the finished stage of its kind that differs least.
    Differs {
        /// The folder of that stage.
        folder: String,
        /// What the command line that made it set above its files.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        set: Vec<String>,
        /// The fields that differ, those that the file writes first at the front; none where only an operator has changed since.
        fields: Vec<Difference>,
    },
    /// It is to be made, and no stage of its kind is finished.
    First,
    /// This data set is missing; without a name, those of all that needs the stage.
    Missing {
        /// Its name.
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<String>,
    },
    /// This version cannot execute it.
    NotAvailable,
}

/// A field in which two stages differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// `v.lr_b`.
    pub path: String,
    /// As this plan has it; `-` where it has none.
    pub here: String,
    /// As the finished stage has it.
    pub there: String,
    /// Where this plan's value is set: `paper.cc:75`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// Finds the place of a field of a row: the table by position, the row by number, and the path.
pub type Places<'a> = dyn Fn(usize, usize, &str) -> Option<String> + 'a;

/// The reason of each stage of the rows in `picked`: the table by position, and the row by position in it.
pub fn reasons(
    stood: &Stood<'_>,
    picked: &[(usize, usize)],
    earlier: &[Earlier],
    place: &Places<'_>,
) -> Vec<Reason> {
    let known: Vec<(&Earlier, BTreeMap<String, String>)> = earlier
        .iter()
        .map(|earlier| (earlier, fields(&earlier.stage.work).into_iter().collect()))
        .collect();
    let mut found = vec![];
    for (table, row) in picked {
        let of = &stood.plan.tables[*table];
        for id in stages_of(stood, &of.rows[*row]) {
            let Some(stage) = stood.at(id) else { continue };
            let mut because = because(stood, stage, &known);
            if let Because::Differs { fields, .. } = &mut because {
                for field in fields {
                    field.place = place(*table, *row, &field.path);
                }
            }
            found.push(Reason {
                row: format!("{}:{}", of.name, row + 1),
                label: of.rows[*row].label.clone(),
                stage: id.clone(),
                kind: kind(&stage.work),
                state: stood.states[id],
                because,
            });
        }
    }
    found
}

fn because(
    stood: &Stood<'_>,
    stage: &Stage,
    known: &[(&Earlier, BTreeMap<String, String>)],
) -> Because {
    match stood.states[&stage.id] {
        State::Done => {
            let folder = stood.standing.done.get(&stage.id).cloned();
            return Because::Finished {
                folder: folder.unwrap_or_default(),
            };
        }
        State::LeftOut => return Because::NotAvailable,
        State::Stopped if lacks(&stage.work, &stood.standing.missing).is_some() => {
            let data = lacks(&stage.work, &stood.standing.missing).map(str::to_owned);
            return Because::Missing { data };
        }
        State::Stopped | State::ToDo => {}
    }
    let mut reads = stage.work.needs().into_iter();
    let waits = reads.find(|id| stood.states.get(id) != Some(&State::Done));
    if let Some(need) = waits.and_then(|id| stood.at(id)) {
        return Because::WaitsFor {
            stage: need.id.clone(),
            of: kind(&need.work),
        };
    }
    if stood.states[&stage.id] == State::Stopped {
        return Because::Missing { data: None };
    }
    let own = fields(&stage.work);
    let nearest = known
        .iter()
        .filter(|(earlier, _)| kind(&earlier.stage.work) == kind(&stage.work))
        .map(|(earlier, theirs)| (differences(&own, theirs), earlier))
        .min_by_key(|(fields, earlier)| (fields.len(), earlier.folder.clone()));
    match nearest {
        None => Because::First,
        Some((fields, earlier)) => Because::Differs {
            folder: earlier.folder.clone(),
            set: earlier.set.clone(),
            fields,
        },
    }
}

fn differences(own: &[(String, String)], theirs: &BTreeMap<String, String>) -> Vec<Difference> {
    let mut found: Vec<Difference> = own
        .iter()
        .filter(|(path, here)| theirs.get(path) != Some(here))
        .map(|(path, here)| Difference {
            path: path.clone(),
            here: here.clone(),
            there: theirs.get(path).cloned().unwrap_or("-".to_owned()),
            place: None,
        })
        .collect();
    let paths: BTreeSet<&String> = own.iter().map(|(path, _)| path).collect();
    let others = theirs.iter().filter(|(path, _)| !paths.contains(path));
    found.extend(others.map(|(path, there)| Difference {
        path: path.clone(),
        here: "-".to_owned(),
        there: there.clone(),
        place: None,
    }));
    found
}

/// The fields of a stage as written: all that its hash covers, in the order of a file.
pub fn fields(work: &Work) -> Vec<(String, String)> {
    let seeded = |mut fields: Vec<(String, String)>, seed: u64| {
        fields.push(("seed".to_owned(), seed.to_string()));
        fields
    };
    match work {
        Work::Pretrain(work) => {
            // The rates of all modalities stand with each of them; the weights in the loss.
            let is_own = |path: &str| !matches!(path, "lr_b" | "lr_p" | "weights" | "data");
            let mut fields = written::pretrain(&work.settings);
            fields.retain(|(path, _)| is_own(path));
            for (path, text) in &mut fields {
                if path == "loss" {
                    *text = weights(&work.settings.loss).unwrap_or(std::mem::take(text));
                }
            }
            fields
        }
        Work::Extract(work) => {
            let mut fields = protocol(&work.eval);
            fields.retain(|(path, _)| !matches!(path.as_str(), "head" | "score" | "neighbours"));
            fields.splice(0..0, model(&work.model, work.checkpoint));
            seeded(fields, work.seed)
        }
        Work::Finetune(work) => {
            let mut fields = protocol(&work.eval);
            fields.splice(0..0, model(&work.model, work.checkpoint));
            seeded(fields, work.seed)
        }
        Work::Draw(work) => {
            let mut fields = model(&work.from, work.checkpoint);
            fields.push(("draw".to_owned(), written::drawing(&work.drawing)));
            seeded(fields, work.seed)
        }
        Work::Score(work) => {
            let features = [&work.features].into_iter().chain(&work.beside);
            let features: Vec<&str> = features.map(StageId::short).collect();
            let mut fields = vec![("features".to_owned(), features.join(" "))];
            fields.extend(written::classifier(&work.head));
            fields.push(("score".to_owned(), written::score(work.score)));
            seeded(fields, work.seed)
        }
    }
}

/// What a stage reads, and after which epoch of it.
fn model(id: &StageId, checkpoint: Option<u32>) -> Vec<(String, String)> {
    let mut fields = vec![("model".to_owned(), id.short().to_owned())];
    fields.extend(checkpoint.map(|epoch| ("checkpoint".to_owned(), format!("{epoch}ep"))));
    fields
}

/// The fields of a protocol with its data set in full.
fn protocol(eval: &Eval) -> Vec<(String, String)> {
    let mut fields = written::protocol(&Protocol::Single(Box::new(eval.clone())));
    for (path, text) in &mut fields {
        if path == "data" {
            *text = format!("{text}: {}", written::data(&eval.data));
        }
    }
    fields
}

/// A loss of symmetric pairs by weight: `1/4 each of v1v2 a1a2 v1a1 v2a2`.
fn weights(loss: &Loss) -> Option<String> {
    let mut by_weight: BTreeMap<Exact, Vec<String>> = BTreeMap::new();
    for (pair, weight) in pairs(loss)? {
        by_weight.entry(weight).or_default().push(pair);
    }
    let parts: Vec<String> = by_weight
        .iter()
        .map(|(weight, pairs)| format!("{weight} of {}", pairs.join(" ")))
        .collect();
    Some(parts.join(", "))
}

/// The reasons for people, a block for each row.
pub fn text(stood: &Stood<'_>, reasons: &[Reason]) -> String {
    let mut out = set_line(&stood.plan.set).map_or(String::new(), |line| line + "\n");
    let mut row = "";
    for reason in reasons {
        if reason.row != row {
            let gap = if row.is_empty() { "" } else { "\n" };
            row = &reason.row;
            out += &format!("{gap}{row}  {}\n", reason.label);
        }
        let label = stood.at(&reason.stage).map_or("", |stage| {
            // The row and the kind stand already.
            let rest = stage.label.split_once(' ').map_or("", |(_, rest)| rest);
            rest.strip_prefix(reason.kind).unwrap_or(rest).trim()
        });
        let gap = if label.is_empty() { "" } else { ": " };
        let head = format!(
            "  {:8}  {}  {label}{gap}",
            reason.kind,
            reason.stage.short()
        );
        out += &head;
        match &reason.because {
            Because::Finished { folder } => out += &format!("done, in `{folder}`\n"),
            Because::WaitsFor { stage, of } => {
                out += &format!("waits for {of} {}\n", stage.short());
            }
            Because::First => {
                out += &format!(
                    "to do; no finished {} is here to compare with\n",
                    reason.kind
                );
            }
            Because::Missing { data: Some(data) } => {
                out += &format!("stopped; data set `{data}` is missing\n");
            }
            Because::Missing { data: None } => {
                out += "stopped; all that needs it lacks a data set\n";
            }
            Because::NotAvailable => out += "left out; this version cannot run it\n",
            Because::Differs { folder, fields, .. } if fields.is_empty() => {
                out += &format!(
                    "to do; `{folder}` has the same fields, and an operator that it used has changed since\n"
                );
            }
            Because::Differs {
                folder,
                set,
                fields,
            } => {
                let set = set_line(set).map_or(String::new(), |line| format!(" ({line})"));
                out += &format!("to do; the nearest finished one, `{folder}`{set}, differs in\n");
                out += &difference_lines(fields);
            }
        }
    }
    out
}

/// A line for each difference: `ep   100   was 2   paper.cc:75`.
fn difference_lines(fields: &[Difference]) -> String {
    let shown = &fields[..fields.len().min(SHOWN)];
    let width = |of: fn(&Difference) -> usize| shown.iter().map(of).max().unwrap_or(0);
    let paths = width(|field| field.path.chars().count());
    let here = width(|field| field.here.chars().count()).min(40);
    let mut out = String::new();
    for field in shown {
        let place = field.place.as_deref().unwrap_or_default();
        let line = format!(
            "      {:paths$}  {:here$}  was {}  {place}",
            field.path, field.here, field.there
        );
        out += line.trim_end();
        out += "\n";
    }
    if fields.len() > shown.len() {
        out += &format!("      and {} more\n", fields.len() - shown.len());
    }
    out
}
