//! What came of two sides: their scores, with the difference where there is one, and their pretrainings.

use compiler::hir::{Data, Score};
use compiler::plan::Work;
use compiler::{columns, counted, written};
use records::comparison::{self, Scores};
use records::record::{PretrainResult, ScoreResult};
use records::report::p_value;
use serde_json::json;

use super::{Part, Section, Subject, together};
use crate::failure::Result;

/// What came of both.
pub fn results(left: &Subject, right: &Subject) -> Result<Section> {
    let (mut text, mut json) = (String::new(), serde_json::Map::new());
    let mut lines = vec![["", "A", "B", "B - A", ""].map(str::to_owned).to_vec()];
    for (heading, a, b) in together(left, right) {
        if !matches!(a.stage.work, Work::Score(_) | Work::Finetune(_)) {
            continue;
        }
        let unlike = unlike((left, a), (right, b));
        let (Some(a_run), Some(b_run), true) = (&a.finished, &b.finished, unlike.is_empty()) else {
            let why = match unlike.as_slice() {
                [] => "not finished here".to_owned(),
                some => some.join("; "),
            };
            let values = [value(a)?, value(b)?];
            let [of_a, of_b] =
                values.map(|value| value.map_or("-".to_owned(), |v| format!("{v:.2}")));
            json.insert(
                heading.to_owned(),
                json!({"values": values, "unlike": unlike, "why": why}),
            );
            lines.push(vec![heading.to_owned(), of_a, of_b, "-".to_owned(), why]);
            continue;
        };
        let found = comparison::scores(a_run, b_run, metric(&a.stage.work).within())?;
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

/// What a score reports.
fn metric(work: &Work) -> Score {
    match work {
        Work::Score(work) => work.score,
        Work::Finetune(work) => work.eval.score,
        Work::Pretrain(_) | Work::Extract(_) | Work::Draw(_) => Score::Top1,
    }
}

/// What a score is of; `None` where the extraction behind it does not lie beside it.
fn data<'s>(of: &'s Subject, work: &'s Work) -> Option<&'s Data> {
    match work {
        Work::Extract(work) => Some(&work.eval.data),
        Work::Finetune(work) => Some(&work.eval.data),
        Work::Score(_) => data(of, &of.known.get(*work.needs().first()?)?.work),
        Work::Pretrain(_) | Work::Draw(_) => None,
    }
}

/// Why two scores have no difference: they are of other metrics, or of other data sets.
fn unlike((left, a): (&Subject, &Part), (right, b): (&Subject, &Part)) -> Vec<String> {
    let mut found = vec![];
    let metrics = [metric(&a.stage.work), metric(&b.stage.work)];
    if metrics[0] != metrics[1] {
        let [a, b] = metrics.map(|metric| match metric {
            Score::Top1 => "top-1".to_owned(),
            Score::Top5 => "top-5".to_owned(),
            Score::Recall(k) => format!("R@{k}"),
        });
        found.push(format!("different metrics: {a}, {b}"));
    }
    let sets = data(left, &a.stage.work).zip(data(right, &b.stage.work));
    if let Some((a, b)) = sets
        && !are_one_set(a, b)
    {
        let names = [a, b].map(written::data_name);
        found.push(match names[0] == names[1] {
            true => "different data sets".to_owned(),
            false => format!("different data sets: {}, {}", names[0], names[1]),
        });
    }
    found
}

/// The same clips with the same classes, whatever is asked of a file.
fn are_one_set(a: &Data, b: &Data) -> bool {
    match (a, b) {
        (Data::Videos(a) | Data::Sounds(a), Data::Videos(b) | Data::Sounds(b)) => {
            (&a.name, &a.label) == (&b.name, &b.label)
        }
        (a, b) => a == b,
    }
}

/// The number of a score that is finished.
fn value(part: &Part) -> Result<Option<f64>> {
    let Some(finished) = &part.finished else {
        return Ok(None);
    };
    Ok(Some(finished.result::<ScoreResult>()?.value))
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
            folds
                .p
                .map_or(String::new(), |p| format!(", p = {}", p_value(p)))
        ));
    }
    if let Some(samples) = &found.samples {
        parts.push(format!(
            "samples right in A alone {}, in B alone {}, p = {}{}",
            samples.first,
            samples.second,
            p_value(samples.p),
            match samples.unpaired {
                0 => String::new(),
                some => format!(" ({} of one alone are left out)", counted(some, "sample")),
            }
        ));
    }
    parts.join("; ")
}
