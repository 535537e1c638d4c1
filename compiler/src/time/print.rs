//! A policy as people read it: the windows, a small timeline, what each pair of the loss sees, and what a source must have.

use super::{
    Family, Overlap, Pair, Position, Unplaced, Windows, declared_source, needed, pairs, source,
    span, step,
};
use crate::columns;
use crate::graph::relaxation;
use crate::hir::{Modality, Pretrain, Within};
use crate::units::Exact;
use serde::Serialize;

/// Cells of a timeline.
const CELLS: i128 = 24;

/// The relaxation of `pretrain`, called `name`, over some lines that end with a line end.
///
/// A timeline has `#` where the window of a view lies at its earliest, and `-` where it may reach. It spans the windows of one
/// modality where their distances are fixed, and the source elsewhere.
pub fn text(pretrain: &Pretrain, name: &str) -> String {
    let mut out = format!("{name} = {}\n", relaxation(&pretrain.relax));
    let length = source(pretrain);
    let windows = Windows::new(pretrain, length);
    let lines = pretrain
        .modalities
        .iter()
        .map(|modality| line(pretrain, modality, windows.as_ref().ok(), length));
    out += &columns(&lines.collect::<Vec<_>>(), 3);
    match &windows {
        Ok(windows) => {
            out += &pair_lines(pretrain, windows);
            if pretrain
                .modalities
                .iter()
                .any(|m| step(pretrain, &m.name).is_none())
            {
                let known = match declared_source(&pretrain.data) {
                    Some(_) => "as its data set says",
                    None => "its data set does not say how long they are",
                };
                out += &format!("  for sources of {} s: {known}\n", length.decimal());
                out += &crossing(pretrain, windows, length).unwrap_or_default();
            }
        }
        Err(why) => out += &format!("  {}\n", unplaced(why)),
    }
    let needs = pretrain.modalities.iter().filter_map(|modality| {
        let needs = needed(pretrain, &modality.name)?;
        Some((needs, modality.name.as_str()))
    });
    let mut needs: Vec<(Exact, &str)> = needs.collect();
    needs.sort_by_key(|need| std::cmp::Reverse(need.0));
    let needs: Vec<String> = needs
        .iter()
        .map(|(seconds, name)| format!("{} s ({name})", seconds.decimal()))
        .collect();
    out += &format!("  source must be at least {}\n", needs.join("; "));
    out
}

/// The same as JSON: lengths in seconds and laws as exact fractions, `"7/9"`.
///
/// `{"name", "policy", "source": {"seconds", "declared"}, "windows": [{"modality", "seconds", "offset", "span", "needs"}],
/// "pairs": [{"pair", "family", "views", "mean", "inside", "apart"}]}`; what is drawn or not known is `null`.
pub fn json(pretrain: &Pretrain, name: &str) -> String {
    let length = source(pretrain);
    let windows = Windows::new(pretrain, length).ok();
    let modalities = pretrain.modalities.iter().map(|modality| {
        let offset = step(pretrain, &modality.name);
        let needs = needed(pretrain, &modality.name);
        PrintedWindow {
            modality: &modality.name,
            seconds: modality.clip.seconds(),
            offset,
            span: span(pretrain, &modality.name),
            needs,
        }
    });
    let laws = pairs(pretrain, &pretrain.loss).into_iter().map(|pair| {
        let law = windows.as_ref().and_then(|windows| windows.overlap(&pair));
        let (x, y) = &pair.views;
        PrintedPair {
            pair: pair.to_string(),
            family: pair.family,
            views: [x, y].map(|(modality, view)| format!("{modality}[{view}]")),
            mean: law.map(|law| law.mean),
            inside: law.map(|law| law.inside),
            apart: law.map(|law| law.apart),
        }
    });
    let printed = Printed {
        name,
        policy: relaxation(&pretrain.relax),
        source: PrintedSource {
            seconds: length,
            declared: declared_source(&pretrain.data).is_some(),
        },
        windows: modalities.collect(),
        pairs: laws.collect(),
    };
    serde_json::to_string_pretty(&printed).expect("time: laws are plain data")
}

#[derive(Serialize)]
struct Printed<'p> {
    name: &'p str,
    policy: String,
    source: PrintedSource,
    windows: Vec<PrintedWindow<'p>>,
    pairs: Vec<PrintedPair>,
}

#[derive(Serialize)]
struct PrintedSource {
    seconds: Exact,
    declared: bool,
}

#[derive(Serialize)]
struct PrintedWindow<'p> {
    modality: &'p str,
    seconds: Exact,
    offset: Option<Exact>,
    span: Option<Exact>,
    needs: Option<Exact>,
}

#[derive(Serialize)]
struct PrintedPair {
    pair: String,
    family: Family,
    views: [String; 2],
    mean: Option<Exact>,
    inside: Option<Exact>,
    apart: Option<Exact>,
}

/// Why there is no law, as a sentence.
fn unplaced(why: &Unplaced) -> String {
    match why {
        Unplaced::TooShort { modality, needs } => {
            let needs = needs.decimal();
            format!("the source is shorter than the {needs} s that the windows of `{modality}` need")
        }
        Unplaced::TooFine => {
            "the lengths of these clips are too fine for exact laws: their fractions need more than 30 digits".to_owned()
        }
    }
}

/// `77.8 %`: one decimal where it is no whole percentage.
pub fn percent(share: Exact) -> String {
    let rounded = share
        .times(Exact::whole(1000))
        .map(|thousandths| thousandths.0.round().to_integer());
    match rounded {
        Some(n) if n % 10 == 0 => format!("{} %", n / 10),
        Some(n) => format!("{}.{} %", n / 10, n % 10),
        None => format!("{} %", share.to_f64() * 100.0),
    }
}

/// Name, length, offset, span and timelines of one modality.
fn line(
    pretrain: &Pretrain,
    modality: &Modality,
    windows: Option<&Windows>,
    source: Exact,
) -> Vec<String> {
    let (name, length) = (&modality.name, modality.clip.seconds());
    let step = step(pretrain, name);
    let span = span(pretrain, name);
    let seconds = |seconds: Exact| format!("{} s", seconds.decimal());
    let offset = step.or_else(|| windows?.distance(name)?.fixed());
    let mut cells = vec![
        name.clone(),
        seconds(length),
        offset.map_or("offset drawn".to_owned(), |offset| {
            format!("offset {}", seconds(offset))
        }),
        span.map_or(String::new(), |span| format!("span {}", seconds(span))),
    ];
    let bar = |view: u32| {
        let (start, axis) = match (step, span) {
            (Some(step), Some(span)) => {
                let later = step.times(Exact::whole(i128::from(view - 1)))?;
                (Position::new(later), span)
            }
            _ => (windows?.starts(name, view).first()?.clone(), source),
        };
        let bar = timeline(&start, length, axis)?;
        Some(format!("{name}{view} |{bar}|"))
    };
    cells.extend((1..=pretrain.views).filter_map(bar));
    cells
}

/// A window of this length on an axis from 0.
fn timeline(start: &Position, length: Exact, axis: Exact) -> Option<String> {
    let (earliest, latest) = start.range()?;
    let cell = |seconds: Exact| {
        let cells = seconds.times(Exact::whole(CELLS))?.over(axis)?;
        Some(cells.0.round().to_integer())
    };
    let first = cell(earliest)?.clamp(0, CELLS - 1);
    let end = cell(earliest.plus(length)?)?.max(first + 1);
    let reach = cell(latest.plus(length)?)?.max(end);
    let mark = |at: i128| match at {
        at if at < first => ' ',
        at if at < end => '#',
        at if at < reach => '-',
        _ => ' ',
    };
    Some((0..CELLS).map(mark).collect())
}

/// Under `offset(max)`: how often the second view begins in the half that is not its own.
fn crossing(pretrain: &Pretrain, windows: &Windows, source: Exact) -> Option<String> {
    let modality = pretrain.modalities.first()?;
    if pretrain.relax.within != Within::OffsetMax || pretrain.views != 2 {
        return None;
    }
    let middle = source.over(Exact::whole(2))?;
    let early = percent(windows.starts_until(&modality.name, 2, middle)?);
    let name = &modality.name;
    Some(format!(
        "  {name}2 begins before the middle of the source in {early} of the draws\n"
    ))
}

/// What each pair of the loss sees; pairs of one family and one law share a line.
fn pair_lines(pretrain: &Pretrain, windows: &Windows) -> String {
    let mut groups: Vec<(Family, Option<Overlap>, bool, Vec<Pair>)> = vec![];
    for pair in pairs(pretrain, &pretrain.loss) {
        let (law, fixed) = (windows.overlap(&pair), windows.is_fixed(&pair));
        let known = groups
            .iter_mut()
            .find(|(family, other, ..)| *family == pair.family && *other == law);
        match known {
            Some((.., members)) if pair.family != Family::Intra => members.push(pair),
            Some(_) | None => groups.push((pair.family, law, fixed, vec![pair])),
        }
    }
    if groups.is_empty() {
        return "  the loss compares no two views\n".to_owned();
    }
    let mut table =
        vec![["pairs of the loss", "mean overlap", "inside", "apart"].map(str::to_owned)];
    for (family, law, fixed, members) in groups {
        let members: Vec<String> = members.iter().map(Pair::to_string).collect();
        let word = match family {
            Family::Intra => "",
            Family::Sync => "sync   ",
            Family::Async => "async  ",
        };
        // Two windows of one length are inside each other only where they are one; a fixed distance has no chances.
        let chance = |chance: Exact| match (family, fixed) {
            (Family::Intra, true) => "-".to_owned(),
            (Family::Intra | Family::Sync | Family::Async, _) => percent(chance),
        };
        let shown = |part: Option<String>| part.unwrap_or_else(|| "too fine".to_owned());
        table.push([
            format!("    {word}{}", members.join(" ")),
            shown(law.map(|law| percent(law.mean))),
            shown(law.map(|law| chance(law.inside))),
            shown(law.map(|law| chance(law.apart))),
        ]);
    }
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..4).map(|column| width(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for [pair, mean, inside, apart] in &table {
        let row = format!(
            "  {pair:<0$}   {mean:>1$}   {inside:>2$}   {apart:>3$}",
            widths[0],
            widths[1],
            widths[2].max(8),
            widths[3].max(8)
        );
        out += row.trim_end();
        out.push('\n');
    }
    out
}
