//! `compare`: two runs or rows side by side, what differed in the plan and what came of it.

mod results;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use compiler::difference::{self, Change, Stages};
use compiler::plan::{self, Stage, StageId, Work};
use records::folder::{Finished, PLAN, Runs, read_json};
use records::record::Kind;
use serde_json::{Value, json};

use super::diff::{outside, run_of, short};
use super::named::{Asked, is_module};
use super::plan::plan_of;
use super::weights::Meant;
use super::{profile, runs_to_read};
use crate::cli::Compare;
use crate::failure::{Failure, Result};
use crate::load::{Reading, compile};
use crate::render::{Format, write_out};

/// Characters of a stage's hash that are taken for one.
const SHORTEST: usize = 4;

/// A stage, and its run where it is finished.
struct Part {
    stage: Stage,
    finished: Option<Finished>,
}

/// One side.
struct Subject {
    /// As it was named.
    name: String,
    /// What it is: a row has a pretraining and the kinds of its columns.
    kinds: Vec<Kind>,
    /// The stages that are known, by id: those of its plan, or of the runs beside its folder.
    known: BTreeMap<StageId, Stage>,
    pretrain: Option<Part>,
    /// Its columns, by their headings.
    scores: Vec<(String, Part)>,
}

/// Prints the two sides.
pub fn compare(arguments: &Compare) -> Result<()> {
    let (_, runs) = runs_to_read(&arguments.place)?;
    let left = subject(&arguments.left, None, arguments, &runs)?;
    let file = Asked::read(&arguments.left).file.map(str::to_owned);
    let right = subject(&arguments.right, file.as_deref(), arguments, &runs)?;
    if !left.kinds.iter().any(|kind| right.kinds.contains(kind)) {
        return Err(of_other_kinds(&left, &right));
    }
    let plan = plan_part(&left, &right);
    let results = results::results(&left, &right)?;
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

/// Two sides without a stage of one kind.
fn of_other_kinds(left: &Subject, right: &Subject) -> Failure {
    let is = |of: &Subject| match of.kinds.as_slice() {
        [Kind::Pretrain] => "a pretraining",
        [Kind::Extract] => "an extraction",
        [Kind::Finetune] => "a finetuning",
        [Kind::Score] => "a score",
        [Kind::Draw] => "a drawing",
        _ => "a row",
    };
    let message = format!(
        "`{}` is {}, `{}` is {}",
        left.name,
        is(left),
        right.name,
        is(right)
    );
    let behind = [left, right].into_iter().find_map(|of| {
        let other = if std::ptr::eq(of, left) { right } else { left };
        let finished = of.pretrain.as_ref()?.finished.as_ref()?;
        other.kinds.contains(&Kind::Pretrain).then_some(finished)
    });
    Failure::misuse(message).help(match behind {
        Some(finished) => format!(
            "compare two runs of one kind: the pretraining behind the other is `{}`",
            finished.path.display()
        ),
        None => "compare two runs of one kind, or two rows: `FILE.cc:TABLE:ROW`".to_owned(),
    })
}

/// The finished run whose stage begins so, as `ls` shows it.
fn by_stage<'i>(what: &str, index: &'i BTreeMap<StageId, Finished>) -> Result<Option<&'i Path>> {
    if what.len() < SHORTEST || !what.bytes().all(|c| c.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let found: Vec<&Finished> = index
        .iter()
        .filter(|(id, _)| id.0.starts_with(what))
        .map(|(_, finished)| finished)
        .collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(&one.path)),
        [first, second, ..] => Err(Failure::misuse(format!(
            "the stages of {} runs begin with `{what}`, `{}` and `{}` among them",
            found.len(),
            first.run.label,
            second.run.label
        ))
        .help("write more of it, or name the folder")),
    }
}

/// Whether `file` declares what the first word of `name` names. A file with mistakes may: whoever reads it says so.
fn declares(file: &str, name: &str, arguments: &Compare) -> bool {
    let word = name.split([':', '.']).next().unwrap_or(name);
    let compiled = compile(&[file.into()], profile(arguments.toy), &arguments.above.set);
    compiled.programs().is_none_or(|programs| {
        programs.iter().any(|(_, program)| {
            let pretrains = program.pretrains.iter().map(|one| &one.name);
            let mut names = pretrains.chain(program.tables.iter().map(|one| &one.name));
            names.any(|known| known == word)
        })
    })
}

fn unknown(what: &str, runs: &Path) -> Failure {
    Failure::misuse(format!("there is no run or row `{what}`")).help(format!(
        "`crisscross ls` names the runs of `{}`; a pretraining is `FILE.cc:NAME`, a row `FILE.cc:TABLE:ROW`",
        runs.display()
    ))
}

/// The side that was named: a folder, or a row or pretraining, of `file` where none is said.
fn subject(what: &str, file: Option<&str>, arguments: &Compare, runs: &Path) -> Result<Subject> {
    // As it stands, or as `ls` names it.
    for folder in [Path::new(what).to_owned(), runs.join(what)] {
        if folder.is_dir() {
            return of_folder(what, &folder);
        }
    }
    let index = Runs::at(runs).index()?;
    if let Some(folder) = by_stage(what, &index)? {
        return of_folder(what, folder);
    }
    let written = Asked::read(what);
    let whole = match file {
        Some(file) if written.file.is_none() && !written.is_known() => {
            if !declares(file, written.name, arguments) {
                return Err(unknown(what, runs));
            }
            format!("{file}:{what}")
        }
        Some(_) | None => what.to_owned(),
    };
    let asked = Asked::read(&whole);
    if !asked.is_known() {
        return Err(unknown(what, runs));
    }
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
            kinds: vec![Kind::Pretrain],
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
    let scores: Vec<(String, Part)> = table
        .columns
        .iter()
        .zip(&row.cells)
        .filter_map(|(heading, cell)| {
            let stage = known.get(cell.stage.as_ref().ok()?)?;
            Some((heading.clone(), part(stage)))
        })
        .collect();
    let kinds = scores.iter().map(|(_, part)| Kind::of(&part.stage.work));
    Ok(Subject {
        name: format!("{whole}  {}", row.label),
        kinds: [Kind::Pretrain].into_iter().chain(kinds).collect(),
        pretrain: known.get(&row.pretrain).map(part),
        scores,
        known,
    })
}

/// The run in a folder, with the stages behind it that lie beside it.
fn of_folder(what: &str, folder: &Path) -> Result<Subject> {
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
    // From a score to all its features, to their weights.
    let mut behind: VecDeque<StageId> = stage.work.needs().into_iter().cloned().collect();
    let mut pretrain = None;
    while let Some(id) = behind.pop_front() {
        if let Some(part) = find(&id)? {
            behind.extend(part.stage.work.needs().into_iter().cloned());
            if matches!(part.stage.work, Work::Pretrain(_)) {
                pretrain.get_or_insert(part);
            }
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
        kinds: vec![kind],
        known,
        pretrain,
        scores,
    })
}

/// A section.
struct Section {
    text: String,
    json: Value,
}

/// What differs in the plan: pretrainings, then evaluations.
fn plan_part(left: &Subject, right: &Subject) -> Section {
    let (mut text, mut json) = (String::new(), serde_json::Map::new());
    let mut is_same = false;
    if let (Some(a), Some(b)) = (&left.pretrain, &right.pretrain)
        && let Some(found) = difference::stages(&a.stage.work, &b.stage.work)
    {
        match &found {
            Stages::Pretrain(difference) if difference.is_same() => is_same = true,
            Stages::Pretrain(_) | Stages::Other(_) => text += &found.text(),
        }
        json.insert("pretrain".to_owned(), json!(found));
    }
    let are_trained = left.pretrain.is_some() && right.pretrain.is_some();
    let pairs = together(left, right);
    let are_all = pairs.len() == left.scores.len() && pairs.len() == right.scores.len();
    for (heading, a, b) in pairs {
        let mut changes: Vec<Change> = vec![];
        // Parts of a fusion, or a score and its extraction, that differ in the same are said once.
        let mut add = |found: Vec<Change>| {
            for change in found {
                if !changes.contains(&change) {
                    changes.push(change);
                }
            }
        };
        let (reads_a, reads_b) = (a.stage.work.needs(), b.stage.work.needs());
        let mut are_known = reads_a.len() == reads_b.len();
        for (a, b) in reads_a.into_iter().zip(reads_b) {
            match (left.known.get(a), right.known.get(b)) {
                (Some(a), Some(b)) => add(fields(&a.work, &b.work, are_trained)),
                (Some(_) | None, _) => are_known = false,
            }
        }
        add(fields(&a.stage.work, &b.stage.work, are_known));
        if !changes.is_empty() {
            text += &format!(
                "  {heading}\n{}",
                indented(&difference::protocol_text(&changes))
            );
            json.insert(heading.to_owned(), json!(changes));
        }
    }
    match (text.is_empty(), is_same) {
        (true, _) if are_all => text = "  nothing differs\n".to_owned(),
        (_, true) => text = format!("  the same pretraining\n{text}"),
        (_, false) => {}
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

/// Fields of two evaluations that differ; not which stages they read where these are known, and so compared by themselves.
fn fields(left: &Work, right: &Work, are_known: bool) -> Vec<Change> {
    let reads = match left {
        Work::Score(_) => "features",
        Work::Extract(_) | Work::Finetune(_) => "model",
        Work::Draw(_) => "from",
        Work::Pretrain(_) => "",
    };
    match difference::stages(left, right) {
        Some(Stages::Other(changes)) => changes
            .into_iter()
            .filter(|change| !(are_known && change.path == reads))
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
