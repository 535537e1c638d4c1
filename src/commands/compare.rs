//! `compare`: two runs or rows side by side, what differed in the plan and what came of it.

use std::collections::BTreeMap;
use std::path::Path;

use compiler::columns;
use compiler::difference::{self, Change, Stages};
use compiler::hir::Score;
use compiler::plan::{self, Stage, StageId, Work};
use records::comparison::{self, Scores};
use records::folder::{Finished, PLAN, Runs, read_json};
use records::record::{Kind, PretrainResult};
use serde_json::{Value, json};

use super::diff::{outside, run_of, short};
use super::named::{Asked, is_module};
use super::plan::plan_of;
use super::weights::Meant;
use super::{profile, site_and_runs};
use crate::cli::Compare;
use crate::failure::{Failure, Result};
use crate::load::Reading;
use crate::render::{Format, write_out};

/// A stage, and its run where it is finished.
struct Part {
    stage: Stage,
    finished: Option<Finished>,
}

/// One side.
struct Subject {
    /// As it was named.
    name: String,
    /// The stages that are known, by id: those of its plan, or of the runs beside its folder.
    known: BTreeMap<StageId, Stage>,
    pretrain: Option<Part>,
    /// Its columns, by their headings.
    scores: Vec<(String, Part)>,
}

/// Prints the two sides.
pub fn compare(arguments: &Compare) -> Result<()> {
    let (_, runs) = site_and_runs(
        arguments.place.site.as_deref(),
        arguments.place.runs.as_deref(),
    )?;
    let left = subject(&arguments.left, None, arguments, &runs)?;
    let file = Asked::read(&arguments.left).file.map(str::to_owned);
    let right = subject(&arguments.right, file.as_deref(), arguments, &runs)?;
    let plan = plan_part(&left, &right);
    let results = results(&left, &right)?;
    if plan.text.is_empty() && results.text.is_empty() {
        let message = format!(
            "`{}` and `{}` have no stage of one kind",
            left.name, right.name
        );
        return Err(Failure::misuse(message)
            .help("compare two rows, or the folders of two runs of one kind"));
    }
    match arguments.format {
        Format::Json => {
            let object = json!({
                "left": left.name,
                "right": right.name,
                "plan": plan.json,
                "results": results.json,
            });
            write_out(&format!("{object:#}\n"));
        }
        Format::Text => {
            let head = format!("A  {}\nB  {}\n", left.name, right.name);
            write_out(&format!(
                "{head}\nplan: A -> B\n{}\nresults\n{}",
                plan.text, results.text
            ));
        }
    }
    Ok(())
}

/// The side that was named: a folder, or a row or pretraining, of `file` where none is said.
fn subject(what: &str, file: Option<&str>, arguments: &Compare, runs: &Path) -> Result<Subject> {
    if Path::new(what).is_dir() {
        return of_folder(what);
    }
    let whole = match (file, Asked::read(what)) {
        (Some(file), asked) if asked.file.is_none() && !asked.is_known() => {
            format!("{file}:{what}")
        }
        _ => what.to_owned(),
    };
    let asked = Asked::read(&whole);
    let index = Runs::at(runs).index()?;
    let part = |stage: &Stage| Part {
        finished: index.get(&stage.id).cloned(),
        stage: stage.clone(),
    };
    let set = &arguments.above.set;
    let Some((file, row)) = asked
        .file
        .filter(|file| !is_module(file))
        .zip(asked.name.contains(':').then_some(asked.name))
    else {
        let reading = Reading {
            profile: profile(arguments.toy),
            set,
        };
        let meant = Meant::read(&whole, reading, "can be compared")?;
        return Ok(Subject {
            name: meant.name,
            known: BTreeMap::new(),
            pretrain: Some(part(&meant.stage)),
            scores: vec![],
        });
    };
    let plan = plan_of(&[file.into()], arguments.toy, set, &[row.to_owned()])?;
    let known: BTreeMap<StageId, Stage> = plan
        .stages
        .iter()
        .map(|stage| (stage.id.clone(), stage.clone()))
        .collect();
    let rows = plan
        .tables
        .iter()
        .flat_map(|table| table.rows.iter().map(move |row| (table, row)));
    let rows: Vec<_> = rows.collect();
    let [(table, row)] = rows.as_slice() else {
        return Err(Failure::misuse(format!("`{whole}` is {} rows", rows.len()))
            .help("name one: `FILE.cc:TABLE:ROW`"));
    };
    let scores = table
        .columns
        .iter()
        .zip(&row.cells)
        .filter_map(|(heading, cell)| {
            let stage = known.get(cell.stage.as_ref().ok()?)?;
            Some((heading.clone(), part(stage)))
        });
    Ok(Subject {
        name: format!("{whole}  {}", row.label),
        pretrain: known.get(&row.pretrain).map(part),
        scores: scores.collect(),
        known,
    })
}

/// The run in a folder, with the stages behind it that lie beside it.
fn of_folder(what: &str) -> Result<Subject> {
    let folder = Path::new(what);
    let (run, stage) = run_of(folder)?;
    let path = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let beside = Runs::at(path.parent().unwrap_or(&path)).index()?;
    let mut known = BTreeMap::new();
    let mut find = |id: &StageId| -> Result<Option<Part>> {
        let Some(finished) = beside.get(id) else {
            return Ok(None);
        };
        let stage: Stage = read_json(&finished.path.join(PLAN))?;
        known.insert(id.clone(), stage.clone());
        Ok(Some(Part {
            stage,
            finished: Some(finished.clone()),
        }))
    };
    // From a score to its features, to its weights.
    let mut behind = needed(&stage.work);
    let mut pretrain = None;
    while let Some(id) = behind.take() {
        if let Some(part) = find(&id)? {
            behind = needed(&part.stage.work);
            pretrain = matches!(part.stage.work, Work::Pretrain(_)).then_some(part);
        }
    }
    let set = plan::set_line(&run.set).map_or(String::new(), |line| format!("; {line}"));
    let name = format!("{} ({}{set})", what.trim_end_matches('/'), stage.label);
    let kind = run.kind;
    known.insert(stage.id.clone(), stage.clone());
    let own = Part {
        stage,
        finished: Some(Finished { path, run }),
    };
    let (pretrain, scores) = match kind {
        Kind::Pretrain => (Some(own), vec![]),
        Kind::Extract | Kind::Finetune | Kind::Score | Kind::Draw => {
            (pretrain, vec![(kind.name().to_owned(), own)])
        }
    };
    Ok(Subject {
        name,
        known,
        pretrain,
        scores,
    })
}

/// The first stage that this one reads.
fn needed(work: &Work) -> Option<StageId> {
    plan::needs(work).first().map(|id| (*id).clone())
}

/// A section.
struct Section {
    text: String,
    json: Value,
}

/// What differs in the plan: pretrainings, then evaluations.
fn plan_part(left: &Subject, right: &Subject) -> Section {
    let (mut text, mut json) = (String::new(), serde_json::Map::new());
    if let (Some(a), Some(b)) = (&left.pretrain, &right.pretrain)
        && let Some(found) = difference::stages(&a.stage.work, &b.stage.work)
    {
        text += &found.text();
        json.insert("pretrain".to_owned(), json!(found));
    }
    for (heading, a, b) in together(left, right) {
        let mut changes: Vec<Change> = vec![];
        let before = |of: &Subject, part: &Part| {
            needed(&part.stage.work).and_then(|id| of.known.get(&id).cloned())
        };
        if let (Some(a), Some(b)) = (before(left, a), before(right, b)) {
            changes.extend(fields(&a.work, &b.work));
        }
        changes.extend(fields(&a.stage.work, &b.stage.work));
        if !changes.is_empty() {
            text += &format!(
                "  {heading}\n{}",
                indented(&difference::protocol_text(&changes))
            );
            json.insert(heading.to_owned(), json!(changes));
        }
    }
    if text.is_empty() && (left.pretrain.is_some() || !left.scores.is_empty()) {
        text = "  nothing differs\n".to_owned();
    }
    for (what, old, new) in outsides(left, right) {
        text += &format!(
            "  {what:<8} {} -> {}   (outside the hash)\n",
            short(what, &old),
            short(what, &new)
        );
        json.insert(what.to_owned(), json!([old, new]));
    }
    Section {
        text,
        json: json.into(),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// The columns that both sides have.
fn together<'s>(left: &'s Subject, right: &'s Subject) -> Vec<(&'s str, &'s Part, &'s Part)> {
    let find = |heading: &str| right.scores.iter().find(|(other, _)| other == heading);
    let pairs = left.scores.iter().filter_map(|(heading, a)| {
        let (_, b) = find(heading)?;
        let same = std::mem::discriminant(&a.stage.work) == std::mem::discriminant(&b.stage.work);
        same.then_some((heading.as_str(), a, b))
    });
    pairs.collect()
}

/// Fields of two evaluations that differ; not which stages they read, for these are compared by themselves.
fn fields(left: &Work, right: &Work) -> Vec<Change> {
    match difference::stages(left, right) {
        Some(Stages::Other(changes)) => changes
            .into_iter()
            .filter(|change| !matches!(change.path.as_str(), "model" | "features" | "from"))
            .collect(),
        Some(Stages::Pretrain(_)) | None => vec![],
    }
}

/// What differs outside the plan, of the first runs that both sides have finished.
fn outsides(left: &Subject, right: &Subject) -> Vec<(&'static str, String, String)> {
    let of = |side: &Subject| -> Vec<(Kind, Finished)> {
        let parts = side
            .pretrain
            .iter()
            .chain(side.scores.iter().map(|(_, part)| part));
        parts
            .filter_map(|part| Some((Kind::of(&part.stage.work), part.finished.clone()?)))
            .collect()
    };
    let others = of(right);
    let pair = of(left).into_iter().find_map(|(kind, a)| {
        let (_, b) = others.iter().find(|(other, _)| *other == kind)?;
        Some((a, b.clone()))
    });
    pair.map_or_else(Vec::new, |(a, b)| outside(&a.run, &b.run))
}

/// What came of both.
fn results(left: &Subject, right: &Subject) -> Result<Section> {
    let (mut text, mut json) = (String::new(), serde_json::Map::new());
    let mut lines = vec![["", "A", "B", "B - A", ""].map(str::to_owned).to_vec()];
    for (heading, a, b) in together(left, right) {
        if !matches!(a.stage.work, Work::Score(_) | Work::Finetune(_)) {
            continue;
        }
        let (Some(a_run), Some(b_run)) = (&a.finished, &b.finished) else {
            lines.push(missing(heading, a, b)?);
            continue;
        };
        let found = comparison::scores(a_run, b_run, rank(&a.stage.work))?;
        lines.push(vec![
            heading.to_owned(),
            format!("{:.2}", found.values[0]),
            format!("{:.2}", found.values[1]),
            format!("{:+.2}", found.difference),
            told(&found),
        ]);
        json.insert(heading.to_owned(), json!(found));
    }
    if lines.len() > 1 {
        text += &columns(&lines, 3);
    }
    let of = |side: &Subject| -> Option<(PretrainResult, bool)> {
        let finished = side.pretrain.as_ref()?.finished.as_ref()?;
        Some((finished.result().ok()?, finished.run.imported.is_some()))
    };
    if let (Some(a), Some(b)) = (of(left), of(right)) {
        let mut lines = vec![["pretraining", "A", "B"].map(str::to_owned).to_vec()];
        lines.push(vec!["  steps".to_owned(), steps(&a), steps(&b)]);
        let loss = |of: &(PretrainResult, bool)| {
            of.0.loss
                .map_or("-".to_owned(), |loss| format!("{loss:.4}"))
        };
        lines.push(vec!["  last loss".to_owned(), loss(&a), loss(&b)]);
        let time = |of: &(PretrainResult, bool)| records::spoken(of.0.seconds);
        lines.push(vec!["  time".to_owned(), time(&a), time(&b)]);
        text += &columns(&lines, 3);
        json.insert("pretrain".to_owned(), json!([a.0, b.0]));
    } else {
        for (side, of) in [("A", left), ("B", right)] {
            if of
                .pretrain
                .as_ref()
                .is_some_and(|part| part.finished.is_none())
            {
                text += &format!("  the pretraining of {side} is not finished here\n");
            }
        }
    }
    for (side, of, other) in [("A", left, right), ("B", right, left)] {
        let alone = of
            .scores
            .iter()
            .filter(|(heading, _)| other.scores.iter().all(|(known, _)| known != heading));
        let alone: Vec<&str> = alone.map(|(heading, _)| heading.as_str()).collect();
        if !alone.is_empty() {
            text += &format!("  {side} alone has {}\n", alone.join(", "));
        }
    }
    Ok(Section {
        text,
        json: json.into(),
    })
}

/// Samples are right whose class is among so many.
fn rank(work: &Work) -> u32 {
    let score = match work {
        Work::Score(work) => work.score,
        Work::Finetune(work) => work.eval.score,
        Work::Pretrain(_) | Work::Extract(_) | Work::Draw(_) => Score::Top1,
    };
    match score {
        Score::Top1 => 1,
        Score::Recall(k) => k,
    }
}

/// A line of a score that one side lacks.
fn missing(heading: &str, a: &Part, b: &Part) -> Result<Vec<String>> {
    let value = |part: &Part| -> Result<String> {
        Ok(match &part.finished {
            Some(finished) => format!(
                "{:.2}",
                finished.result::<records::record::ScoreResult>()?.value
            ),
            None => "-".to_owned(),
        })
    };
    Ok(vec![
        heading.to_owned(),
        value(a)?,
        value(b)?,
        "-".to_owned(),
        "not finished here".to_owned(),
    ])
}

fn steps((result, is_imported): &(PretrainResult, bool)) -> String {
    match is_imported {
        true => "imported".to_owned(),
        false => result.steps.to_string(),
    }
}

/// What folds and samples say of a difference.
fn told(found: &Scores) -> String {
    let mut parts = vec![];
    if let Some(folds) = &found.folds
        && let Some(deviation) = folds.deviation
    {
        let [up, down] = folds.better;
        parts.push(format!(
            "{} folds: +-{deviation:.2}, B better in {up}, A in {down}{}",
            folds.count,
            folds.p.map_or(String::new(), |p| format!(", p = {p:.2}"))
        ));
    }
    if let Some(samples) = &found.samples {
        parts.push(format!(
            "samples right in A alone {}, in B alone {}, p = {:.2}",
            samples.first, samples.second, samples.p
        ));
    }
    parts.join("; ")
}
