//! Each shipped experiment opens with a comment that says which table or figure it is, the command, what it costs and where its
//! numbers come from; and the costs are those of its plan.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // whatever is not there, the test has failed

mod shipped;

use compiler::hir::Pretrain;
use compiler::plan::{self, Work};
use compiler::{Profile, check, sources};
use shipped::{experiments, used};
use std::collections::BTreeSet;

/// The shipped files with their texts; those of the folder `local` with it.
fn files() -> Vec<(String, String)> {
    let mut found = vec![];
    for folder in ["", "local/"] {
        for entry in std::fs::read_dir(experiments().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".cc") {
                let file = format!("{folder}{name}");
                let text = std::fs::read_to_string(experiments().join(&file)).unwrap();
                found.push((file, text));
            }
        }
    }
    found.sort();
    found
}

/// The comment that a file opens with, without its `#`.
fn header(text: &str) -> Vec<&str> {
    let lines = text.lines().map_while(|line| line.strip_prefix('#'));
    lines
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect()
}

/// What stands behind `word` up to the next such word or the end of the comment, on one line.
fn part(header: &[&str], word: &str) -> Option<String> {
    let from = header.iter().position(|line| line.starts_with(word))?;
    let others = ["Cost: ", "Numbers: "];
    let goes_on = |line: &&&str| !others.iter().any(|other| line.starts_with(other));
    let lines = header[from + 1..].iter().take_while(goes_on);
    let all: Vec<&str> = std::iter::once(&header[from])
        .chain(lines)
        .copied()
        .collect();
    Some(all.join(" "))
}

/// The distinct pretrainings that a file plans.
fn pretrainings(file: &str, text: &str) -> Vec<Pretrain> {
    let mut sources = sources();
    let root = sources.add(file, text);
    let (program, found) = check(&mut sources, root, &used, Profile::Full);
    let program = program.unwrap_or_else(|| panic!("{file}: {found:#?}"));
    let stages = plan::plan(&[(file, &program)]).unwrap().stages.into_iter();
    stages
        .filter_map(|stage| match stage.work {
            Work::Pretrain(work) => Some(Pretrain::clone(&work.settings)),
            Work::Extract(_) | Work::Score(_) | Work::Finetune(_) | Work::Draw(_) => None,
        })
        .collect()
}

#[test]
fn every_header_has_its_four_parts() {
    for (file, text) in files() {
        let header = header(&text);
        assert!(
            header[0].ends_with('.') || header[1].ends_with('.'),
            "{file}: what it is"
        );
        let command = format!("experiments/{file}");
        let is_command = |line: &&str| {
            line.starts_with("  c")
                && line
                    .split_whitespace()
                    .any(|word| word.starts_with(&command))
        };
        assert!(header.iter().any(is_command), "{file}: the command");
        for word in ["Cost: ", "Numbers: "] {
            let starts = header.iter().filter(|line| line.starts_with(word));
            assert_eq!(starts.count(), 1, "{file}: {word}");
        }
    }
}

/// How many pretrainings, of which epochs, steps and batches, and for those of the paper the devices of Table S10.
#[test]
fn costs_are_those_of_the_plan() {
    for (file, text) in files() {
        let cost = part(&header(&text), "Cost: ").unwrap();
        let planned = pretrainings(&file, &text);
        let counted = format!("{} pretraining", planned.len());
        let is_first = cost.find(" pretraining").is_some_and(|at| {
            let end = at + " pretraining".len();
            cost[..end].ends_with(&counted)
        });
        assert!(
            is_first,
            "{file}: {counted}s are planned, and it says {cost}"
        );

        let sizes = |run: &Pretrain| {
            let steps = run.steps_per_epoch();
            format!("{} epochs of {steps} steps of batch {}", run.ep, run.bs)
        };
        let planned: BTreeSet<String> = planned.iter().map(sizes).collect();
        if cost.contains(" epochs of ") && cost.contains(" of batch ") {
            let said = cost.matches(" of batch ").count();
            assert_eq!(said, planned.len(), "{file}: {cost}");
            for size in planned {
                assert!(cost.contains(&size), "{file}: {size} is not in {cost}");
            }
        }
        for (at, _) in cost.match_indices(" GPUs") {
            let before = &cost[..at];
            let batch = if before.ends_with(" 4") {
                "512"
            } else {
                "2048"
            };
            let is_as_published = ["4", "8"]
                .iter()
                .any(|gpus| before.ends_with(&format!("steps of batch {batch} on {gpus}")));
            assert!(is_as_published, "{file}: {before}");
        }
    }
}
