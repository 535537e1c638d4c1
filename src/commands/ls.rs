//! `ls`: the runs of a folder.

use compiler::columns;
use records::folder::Runs;
use records::listing::{self, Listed, State};
use records::record::Kind;
use serde_json::json;

use super::runs_to_read;
use crate::cli::{Ls, Order};
use crate::failure::Result;
use crate::render::{Format, write_out};

/// Prints the runs that fit, a line each.
pub fn ls(arguments: &Ls) -> Result<()> {
    let (site, runs) = runs_to_read(&arguments.place)?;
    let all = listing::list(&Runs::at(&runs), site.cache())?;
    let count = all.len();
    let mut found: Vec<Listed> = all.into_iter().filter(|one| fits(one, arguments)).collect();
    order(&mut found, arguments.sort);
    if let Format::Json = arguments.format {
        let runs: Vec<_> = found
            .iter()
            .map(|one| {
                let mut object = serde_json::to_value(one).expect("ls: runs are plain data");
                object["path"] = json!(listing::path(&Runs::at(&runs), one));
                object
            })
            .collect();
        write_out(&format!("{:#}\n", json!(runs)));
        return Ok(());
    }
    let mut lines = vec![
        [
            "state", "kind", "age", "size", "came to", "stage", "label", "folder",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    lines.extend(found.iter().map(line));
    let mut text = match found.is_empty() {
        true => String::new(),
        false => columns(&lines, 2),
    };
    for one in &found {
        if let (Some(note), false) = (&one.note, one.state == State::Failed) {
            text += &format!("{}: {note}\n", one.folder);
        }
    }
    let bytes: u64 = found.iter().map(|one| one.bytes).sum();
    let of = match found.len() == count {
        true => String::new(),
        false => format!(" of {count}"),
    };
    let last = format!(
        "{}{of} in `{}`, {}\n",
        compiler::counted(found.len(), "run"),
        runs.display(),
        listing::size(bytes)
    );
    write_out(&(text + &last));
    Ok(())
}

/// Whether the run is one of those that are asked for.
fn fits(one: &Listed, arguments: &Ls) -> bool {
    let Ls {
        kind, state, text, ..
    } = arguments;
    let is_kind = |name: &String| one.kind.is_some_and(|kind| kind.name() == name);
    let is_state = |name: &String| one.state.name() == name;
    let holds = |text: &String| {
        one.folder.contains(text) || one.label.contains(text) || one.stage.starts_with(text)
    };
    (kind.is_empty() || kind.iter().any(is_kind))
        && (state.is_empty() || state.iter().any(is_state))
        && text.iter().all(holds)
}

fn order(found: &mut [Listed], by: Order) {
    match by {
        Order::Age => found.sort_by_key(|one| std::cmp::Reverse(one.started)),
        Order::Name => {}
        Order::Size => found.sort_by_key(|one| std::cmp::Reverse(one.bytes)),
        // Those without a score come last.
        Order::Score => found.sort_by(|a, b| {
            let of = |one: &Listed| one.score.unwrap_or(f64::NEG_INFINITY);
            of(b).total_cmp(&of(a))
        }),
    }
}

fn line(one: &Listed) -> Vec<String> {
    let mut label = one.label.clone();
    if one.toy {
        label += "  [toy]";
    }
    if let Some(set) = compiler::plan::set_line(&one.set) {
        label += &format!("  [{set}]");
    }
    vec![
        one.state.name().to_owned(),
        one.kind.map_or("?", Kind::name).to_owned(),
        one.age(),
        listing::size(one.bytes),
        one.came_to(),
        one.stage.chars().take(8).collect(),
        label,
        one.folder.clone(),
    ]
}
