//! The summary of a plan: what is asked for, shared, done and to do, by kind, data set and table.

use super::{count, set_line, stages_of};
use crate::hir::Drawing;
use crate::plan::standing::{Estimate, Links, State, Stood, kind};
use crate::plan::{StageId, Work};
use crate::written;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What stands below a summary.
pub(super) const HINT: &str = "\n  `plan -v` shows stages and fields, `plan -q` a line for each row, `plan --why TABLE:ROW` reasons\n";

/// The kinds of stage: its word in a plan, and the noun that is counted.
const KINDS: [(&str, &str); 5] = [
    ("pretrain", "pretraining"),
    ("extract", "extraction"),
    ("score", "score"),
    ("finetune", "finetuning"),
    ("draw", "drawing"),
];

/// A plan in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Files that have a table.
    pub files: usize,
    /// Tables and figures.
    pub tables: usize,
    /// Rows of all of them.
    pub rows: usize,
    /// Made with `--toy`.
    pub toy: bool,
    /// What the command line set above the files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// Stages by kind, of kinds that there are.
    pub stages: Vec<Counts>,
    /// Pretrainings by data set.
    pub pretrainings: Vec<OnData>,
    /// What each table adds.
    pub by_table: Vec<OfTable>,
    /// Pretrainings that can train side by side: the names of their rows.
    pub groups: Vec<Together>,
    /// What this version cannot run, and how many numbers need it.
    pub left_out: BTreeMap<&'static str, usize>,
    /// Rows that are left out for that: `table6:1`.
    pub rows_left_out: Vec<String>,
    /// Data sets that are not there.
    pub missing: Vec<Missing>,
    /// Finished pretrainings that did not keep a state that is read.
    pub again: Vec<Again>,
    /// What the stages to do take, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// Warnings about the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings: Option<String>,
}

/// Stages of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Counts {
    pub kind: &'static str,
    /// How often rows ask for one.
    pub asked: usize,
    pub distinct: usize,
    pub done: usize,
    pub to_do: usize,
    /// For want of a data set.
    pub stopped: usize,
    /// For this version cannot run them.
    pub left_out: usize,
}

/// Pretrainings of one length on one data set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(missing_docs)]
pub struct OnData {
    pub data: String,
    pub epochs: u32,
    pub steps_per_epoch: u64,
    pub pretrainings: usize,
}

/// What a table adds to those before it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct OfTable {
    pub table: String,
    pub rows: usize,
    /// Stages by kind that no table before it asks for.
    pub new: BTreeMap<&'static str, usize>,
    /// Rows whose pretraining an earlier row has: `("table3:4", "table1:11")`.
    pub reused: Vec<(String, String)>,
}

/// Pretrainings that can train side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Together {
    pub data: String,
    pub rows: Vec<String>,
    /// Views that are decoded and augmented once instead of once for each.
    pub views: usize,
}

/// A finished pretraining without a state that is read.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Again {
    pub stage: StageId,
    pub epochs: Vec<u32>,
    /// Its weights were imported: there is no training that could be repeated.
    pub imported: bool,
}

/// A data set that is not there.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Missing {
    pub data: String,
    pub reason: String,
    /// Rows of which it stops a number or all.
    pub stops: Vec<String>,
}

/// The plan in numbers.
pub fn summary(stood: &Stood<'_>) -> Summary {
    let plan = stood.plan;
    let files: BTreeSet<&str> = plan
        .tables
        .iter()
        .map(|table| table.file.as_str())
        .collect();
    let mut on_data: BTreeMap<(String, u32, u64), usize> = BTreeMap::new();
    for stage in &plan.stages {
        if let Work::Pretrain(work) = &stage.work {
            let settings = &work.settings;
            let data = written::data_name(&settings.data).to_owned();
            *on_data
                .entry((data, settings.ep, settings.steps_per_epoch()))
                .or_default() += 1;
        }
    }
    let mut pretrainings: Vec<OnData> = on_data
        .into_iter()
        .map(|((data, epochs, steps_per_epoch), pretrainings)| OnData {
            data,
            epochs,
            steps_per_epoch,
            pretrainings,
        })
        .collect();
    pretrainings.sort_by_key(|of| std::cmp::Reverse(of.pretrainings));
    let (left_out, rows_left_out) = stood.left_out();
    Summary {
        files: files.len(),
        tables: plan.tables.len(),
        rows: plan.tables.iter().map(|table| table.rows.len()).sum(),
        toy: plan.toy,
        set: plan.set.clone(),
        stages: counts(stood),
        pretrainings,
        by_table: by_table(stood),
        groups: groups(stood),
        left_out,
        rows_left_out,
        missing: missing(stood),
        again: stood
            .standing
            .again
            .iter()
            .map(|(stage, epochs)| Again {
                stage: stage.clone(),
                epochs: epochs.clone(),
                imported: stood.standing.imported.contains(stage),
            })
            .collect(),
        estimate: stood.estimate.clone(),
        warnings: stood.standing.warnings.clone(),
    }
}

fn counts(stood: &Stood<'_>) -> Vec<Counts> {
    let plan = stood.plan;
    let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
    for row in plan.tables.iter().flat_map(|table| &table.rows) {
        *asked.entry("pretrain").or_default() += 1;
        for id in row.cells.iter().filter_map(|cell| cell.stage.as_ref().ok()) {
            let Some(stage) = stood.at(id) else { continue };
            *asked.entry(kind(&stage.work)).or_default() += 1;
            let features = match &stage.work {
                Work::Score(work) => 1 + work.beside.len(),
                Work::Draw(work) => usize::from(matches!(work.drawing, Drawing::Gallery(_))),
                Work::Pretrain(_) | Work::Extract(_) | Work::Finetune(_) => 0,
            };
            *asked.entry("extract").or_default() += features;
        }
    }
    let mut found = vec![];
    for (word, _) in KINDS {
        let own = plan.stages.iter().filter(|stage| kind(&stage.work) == word);
        let states: Vec<State> = own.map(|stage| stood.states[&stage.id]).collect();
        let of = |wanted: State| states.iter().filter(|state| **state == wanted).count();
        if !states.is_empty() {
            found.push(Counts {
                kind: word,
                asked: asked.get(word).copied().unwrap_or(0),
                distinct: states.len(),
                done: of(State::Done),
                to_do: of(State::ToDo),
                stopped: of(State::Stopped),
                left_out: of(State::LeftOut),
            });
        }
    }
    found
}

fn by_table(stood: &Stood<'_>) -> Vec<OfTable> {
    let mut first: HashMap<&StageId, String> = HashMap::new();
    let mut tables = vec![];
    for table in &stood.plan.tables {
        let mut of = OfTable {
            table: table.name.clone(),
            rows: table.rows.len(),
            new: BTreeMap::new(),
            reused: vec![],
        };
        for (number, row) in table.numbered() {
            let name = format!("{}:{number}", table.name);
            if let Some(known) = first.get(&row.pretrain) {
                of.reused.push((name.clone(), known.clone()));
            }
            for id in stages_of(stood, row) {
                if first.contains_key(id) {
                    continue;
                }
                first.insert(id, name.clone());
                if let Some(stage) = stood.at(id) {
                    *of.new.entry(kind(&stage.work)).or_default() += 1;
                }
            }
        }
        tables.push(of);
    }
    tables
}

fn groups(stood: &Stood<'_>) -> Vec<Together> {
    let mut rows: HashMap<&StageId, String> = HashMap::new();
    for table in &stood.plan.tables {
        for (number, row) in table.numbered() {
            let name = || format!("{}:{number}", table.name);
            rows.entry(&row.pretrain).or_insert_with(name);
        }
    }
    let group = |gang: &crate::plan::Gang| {
        let first = gang.members.first().and_then(|id| stood.at(id));
        let data = match first.map(|stage| &stage.work) {
            Some(Work::Pretrain(work)) => written::data_name(&work.settings.data),
            Some(Work::Extract(_) | Work::Score(_) | Work::Finetune(_) | Work::Draw(_)) | None => {
                ""
            }
        };
        let views: BTreeSet<_> = gang
            .data
            .iter()
            .filter_map(|step| step.node.view())
            .collect();
        let mut names: Vec<String> = gang
            .members
            .iter()
            .filter_map(|id| rows.get(id).cloned())
            .collect();
        names.sort_by_key(|name| by_number(name));
        Together {
            data: data.to_owned(),
            rows: names,
            views: views.len(),
        }
    };
    // What this version cannot run is in no group.
    stood.runs().gangs.iter().map(group).collect()
}

/// Data sets that stop something. What needs the others is done, or cannot be run in any case.
fn missing(stood: &Stood<'_>) -> Vec<Missing> {
    let links = Links::of(stood.runs());
    let sets = stood.standing.missing.iter().map(|(data, reason)| {
        let alone = BTreeMap::from([(data.clone(), reason.clone())]);
        let lost = links.lost(&alone, &stood.standing.imported);
        let is_stopped = |id: &StageId| lost.contains(id) && stood.states[id] != State::Done;
        let mut stops = vec![];
        for table in &stood.plan.tables {
            for (number, row) in table.numbered() {
                let mut own = stages_of(stood, row).into_iter();
                if own.any(&is_stopped) {
                    stops.push(format!("{}:{number}", table.name));
                }
            }
        }
        Missing {
            data: data.clone(),
            reason: reason.clone(),
            stops,
        }
    });
    sets.filter(|missing| !missing.stops.is_empty()).collect()
}

/// `table1:11` as its table and number.
fn by_number(name: &str) -> (String, usize) {
    let (table, number) = name.rsplit_once(':').unwrap_or((name, ""));
    (table.to_owned(), number.parse().unwrap_or(0))
}

/// `table1:3 to 11, table4:1`: consecutive rows of a table as one.
fn in_short(names: &[String]) -> String {
    let mut runs: Vec<(String, usize, usize)> = vec![];
    for name in names {
        let (table, number) = by_number(name);
        match runs.last_mut() {
            Some((known, _, last)) if *known == table && *last + 1 == number => *last = number,
            Some(_) | None => runs.push((table, number, number)),
        }
    }
    let run = |(table, first, last): (String, usize, usize)| {
        if first == last {
            format!("{table}:{first}")
        } else {
            format!("{table}:{first} to {last}")
        }
    };
    let all = runs.len();
    let mut shown: Vec<String> = runs.into_iter().take(8).map(run).collect();
    if all > shown.len() {
        shown.push(format!("and {} more", all - shown.len()));
    }
    shown.join(", ")
}

/// What is to be done, in numbers, as `plan` and `run` print it.
pub fn totals(summary: &Summary) -> String {
    let toy = if summary.toy { " (toy)" } else { "" };
    let mut out = format!(
        "plan{toy} for {}, {}, {}\n",
        count(summary.files, "file"),
        count(summary.tables, "table"),
        count(summary.rows, "row")
    );
    out += &set_line(&summary.set).map_or(String::new(), |line| line + "\n");
    out += "\n";
    for of in &summary.stages {
        let noun = KINDS.iter().find(|(word, _)| *word == of.kind);
        let what = count(of.distinct, noun.map_or(of.kind, |(_, noun)| noun));
        let shared = match of.asked.saturating_sub(of.distinct) {
            0 => "none shared".to_owned(),
            shared => format!("{shared} shared"),
        };
        let mut line = format!(
            "  {what:17} {:4} asked for, {shared}; {} done, {} to do",
            of.asked, of.done, of.to_do
        );
        for (number, state) in [(of.stopped, State::Stopped), (of.left_out, State::LeftOut)] {
            if number > 0 {
                line += &format!(", {number} {}", state.word());
            }
        }
        out += &line;
        out += "\n";
        if of.kind == "pretrain" {
            out += &lengths(&summary.pretrainings);
        }
    }
    for missing in &summary.missing {
        out += &format!(
            "  missing           {}: {}; stops {}\n",
            missing.data,
            missing.reason,
            in_short(&missing.stops)
        );
    }
    for (what, numbers) in &summary.left_out {
        let numbers = match numbers {
            // A pretraining that no table scores.
            0 => String::new(),
            numbers => format!("{}: ", count(*numbers, "number")),
        };
        out += &format!("  left out          {numbers}this version cannot run {what}\n");
    }
    for again in &summary.again {
        let epochs: Vec<String> = again.epochs.iter().map(|e| format!("{e}ep")).collect();
        if again.imported {
            out += &format!(
                "  imported          {} has no state after {}: imported weights are those of the end alone, and rows that score it fail\n",
                again.stage.short(),
                epochs.join(", ")
            );
            continue;
        }
        out += &format!(
            "  again             {} is finished, but its state after {} was not kept: a run trains it again as far as that, each loss compared\n",
            again.stage.short(),
            epochs.join(", ")
        );
    }
    if !summary.rows_left_out.is_empty() {
        out += &format!(
            "                    nothing is trained for {}\n",
            in_short(&summary.rows_left_out)
        );
    }
    out
}

/// `28 on KS (100 ep x 429 steps), 2 on K400 (100 ep x 488 steps)`.
fn lengths(all: &[OnData]) -> String {
    let one = |of: &OnData| {
        let length = match of.epochs {
            0 => "random weights".to_owned(),
            epochs => format!(
                "{epochs} ep x {}",
                count(of.steps_per_epoch as usize, "step")
            ),
        };
        format!("{} on {} ({length})", of.pretrainings, of.data)
    };
    let mut shown: Vec<String> = all.iter().take(6).map(one).collect();
    if all.len() > shown.len() {
        shown.push(format!("{} more lengths", all.len() - shown.len()));
    }
    format!("                    {}\n", shown.join(", "))
}

impl Summary {
    /// The summary for people.
    pub fn text(&self) -> String {
        let mut out = totals(self);
        out += &self.table_lines();
        if !self.groups.is_empty() {
            out += "\n";
        }
        for group in self.groups.iter().take(8) {
            out += &format!(
                "  group   {} on {} differ in their loss alone: {}\n",
                count(group.rows.len(), "pretraining"),
                group.data,
                in_short(&group.rows)
            );
        }
        if !self.groups.is_empty() {
            let more = match self.groups.len() {
                0..=8 => String::new(),
                all => format!("{} more groups; ", all - 8),
            };
            out += &format!(
                "          {more}they train side by side as far as memory allows, and each batch is made once\n"
            );
        }
        let mut last = vec![];
        let estimate = self.estimate.as_ref().filter(|_| self.to_do() > 0);
        last.extend(estimate.map(Estimate::text));
        let shown = |warnings: &String| format!("  {warnings}, `crisscross check` shows them\n");
        last.extend(self.warnings.as_ref().map(shown));
        if !last.is_empty() {
            out += "\n";
        }
        out + &last.concat()
    }

    /// Stages to do.
    fn to_do(&self) -> usize {
        self.stages.iter().map(|of| of.to_do).sum()
    }

    /// `table3   4 rows   3 pretrain   8 score   row 4 is table1:11`.
    fn table_lines(&self) -> String {
        let tables = &self.by_table;
        let width = tables.iter().map(|of| of.table.chars().count()).max();
        let width = width.unwrap_or(0);
        let kinds: Vec<&str> = KINDS
            .iter()
            .map(|(word, _)| *word)
            .filter(|word| tables.iter().any(|of| of.new.contains_key(word)))
            .collect();
        let mut out = "\n".to_owned();
        for of in tables {
            let mut line = format!("  {:width$}  {:>10}", of.table, count(of.rows, "row"));
            for word in &kinds {
                line += &match of.new.get(word) {
                    Some(number) => format!("  {number:>5} {word}"),
                    None => " ".repeat(8 + word.len()),
                };
            }
            if !of.reused.is_empty() {
                line += &format!("  {}", reused(&of.reused));
            }
            out += line.trim_end();
            out += "\n";
        }
        out
    }
}

/// `row 4 is table1:11`, or `5 of table1, 2 of table4` where they are many.
fn reused(pairs: &[(String, String)]) -> String {
    if pairs.len() <= 2 {
        let one = |(own, other): &(String, String)| {
            let number = own
                .rsplit_once(':')
                .map_or(own.as_str(), |(_, number)| number);
            format!("row {number} is {other}")
        };
        return pairs.iter().map(one).collect::<Vec<_>>().join(", ");
    }
    let mut from: BTreeMap<String, usize> = BTreeMap::new();
    for (_, other) in pairs {
        *from.entry(by_number(other).0).or_default() += 1;
    }
    let parts: Vec<String> = from
        .iter()
        .map(|(table, number)| format!("{number} of {table}"))
        .collect();
    format!("reuses {}", parts.join(", "))
}

impl Estimate {
    /// `estimate  from 50 measured steps on NVIDIA A100: 31.5 h for what is to do`.
    fn text(&self) -> String {
        const HOW: &str = "what a run takes is known once one with its networks, clips and batch is finished: `crisscross run FILE --only TABLE:ROW`";
        let without: Vec<String> = self
            .unmeasured
            .iter()
            .map(|(word, number)| {
                let noun = KINDS.iter().find(|(known, _)| known == word);
                count(*number, noun.map_or(word, |(_, noun)| noun))
            })
            .collect();
        if self.seconds == 0.0 {
            return format!("  estimate          none; {HOW}\n");
        }
        let mut line = format!(
            "  estimate          {} on {} for what is to do, from {}",
            duration(self.seconds),
            self.device,
            count(self.steps as usize, "measured step")
        );
        if !without.is_empty() {
            line += &format!("; {} not measured yet", without.join(" and "));
        }
        line + "\n"
    }
}

/// `40 s`, `12 min`, `31.5 h`, `12 days`.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}
