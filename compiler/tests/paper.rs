//! Every experiment of the paper as a file: it checks, it plans, and it expects the published numbers.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // whatever is not there, the test has failed

mod shipped;

use compiler::hir::{Curve, Program, Schedule, Table};
use compiler::plan::{self, Plan, Work};
use compiler::units::Quantity;
use compiler::{Profile, check, hash, sources};
use grammar::diagnostic::Severity;
use shipped::{experiments, used};
use std::collections::{BTreeMap, BTreeSet};

const NUMBERS: &str = include_str!("paper/numbers.csv");

/// The files of the folder `experiments`, by name.
fn files() -> Vec<String> {
    let folder = std::fs::read_dir(experiments()).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".cc")).collect();
    names.sort();
    names
}

/// What a file closes to; it has no errors.
fn program(file: &str, profile: Profile) -> Program {
    let mut sources = sources();
    let text = std::fs::read_to_string(experiments().join(file)).unwrap();
    let root = sources.add(file, text);
    let (program, found) = check(&mut sources, root, &used, profile);
    let errors: Vec<_> = found
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .collect();
    program.unwrap_or_else(|| panic!("{file}: {errors:#?}"))
}

fn table(file: &str, name: &str) -> Table {
    let tables = program(file, Profile::Full).tables;
    let found = tables.into_iter().find(|table| table.name == name);
    found.unwrap_or_else(|| panic!("{file} has a table {name}"))
}

fn plan_of(files: &[&str], profile: Profile) -> Plan {
    let programs: Vec<Program> = files.iter().map(|file| program(file, profile)).collect();
    let named: Vec<(&str, &Program)> = files.iter().copied().zip(&programs).collect();
    plan::plan(&named).unwrap()
}

#[test]
fn every_file_checks_and_plans_in_both_profiles() {
    for file in files() {
        for profile in [Profile::Full, Profile::Toy] {
            let plan = plan_of(&[&file], profile);
            assert!(!plan.stages.is_empty(), "{file}");
            // What no run can execute is left out as a whole.
            let left = plan::executable(&plan).plan;
            assert!(plan::executable(&left).refused.is_empty(), "{file}");
        }
    }
}

/// Published cells by table: row, column, number; an empty number was not reported.
fn published() -> BTreeMap<&'static str, Vec<(usize, usize, &'static str)>> {
    let mut cells: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in NUMBERS.lines().filter(|line| !line.starts_with('#')) {
        let [table, row, column, number] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let cell = (row.parse().unwrap(), column.parse().unwrap(), number);
        cells.entry(table).or_default().push(cell);
    }
    cells
}

/// Number by number, as printed; and no file expects a number that the paper does not have.
#[test]
fn expectations_are_the_published_numbers() {
    let published = published();
    let mut seen = BTreeSet::new();
    for file in files() {
        for table in program(&file, Profile::Full).tables {
            let expects = table.rows.iter().any(|row| !row.expect.is_empty());
            let Some(cells) = published.get(table.name.as_str()) else {
                assert!(!expects, "{file}: {} expects numbers", table.name);
                continue;
            };
            seen.insert(table.name.clone());
            let all: usize = table.rows.iter().map(|row| row.expect.len()).sum();
            assert_eq!(all, cells.len(), "{}", table.name);
            for (row, column, number) in cells {
                let expected = table.rows[row - 1].expect[column - 1].as_deref();
                assert_eq!(
                    expected.unwrap_or_default(),
                    *number,
                    "{}:{row} column {column}",
                    table.name
                );
            }
        }
    }
    let wanted: BTreeSet<String> = published.keys().map(|name| name.to_string()).collect();
    assert_eq!(seen, wanted);
}

/// Rows that name a pretraining, and pretrainings that no table before had, table by table in the order of the paper.
#[test]
fn tables_share_their_pretrainings() {
    let tables = [
        ("table1.cc", "table1", 11, 11),
        ("table2.cc", "table2_ks", 2, 0),
        ("table2.cc", "table2_k400", 2, 2),
        ("table3.cc", "table3", 4, 3),
        ("table4.cc", "table4", 3, 1),
        ("table5.cc", "table5_visual", 5, 4),
        ("table5.cc", "table5_audio", 4, 3),
        ("table5.cc", "table5_multi", 3, 2),
        ("temporal_consistency.cc", "temporal_consistency", 2, 1),
        ("table6.cc", "table6", 2, 0),
        ("table6.cc", "table6_as", 1, 0),
        ("table7.cc", "table7", 1, 0),
        ("table8.cc", "table8", 2, 0),
        ("fig4.cc", "fig4_left", 2, 0),
        ("fig4.cc", "fig4_right", 5, 4),
        ("fig5.cc", "fig5_left", 3, 0),
        ("fig5.cc", "fig5_right", 3, 0),
        ("fig1.cc", "fig1", 2, 0),
        ("fig3.cc", "fig3", 2, 0),
    ];
    // The paper counted by hand: each row of each table, each run of each figure.
    assert_eq!(tables.iter().map(|(_, _, rows, _)| rows).sum::<usize>(), 59);
    let mut known = BTreeSet::new();
    for (file, name, mentioned, new) in tables {
        let before = known.len();
        let rows = table(file, name).rows;
        // Rows that score several states of one run mention it once.
        let runs: BTreeSet<_> = rows
            .iter()
            .map(|row| hash::pretrain(&row.pretrain))
            .collect();
        assert_eq!(runs.len(), mentioned, "{name}");
        known.extend(runs);
        assert_eq!(known.len() - before, new, "{name}");
    }
    assert_eq!(known.len(), 31);
    // The galleries show one of them, and so do Tables S10 and S11.
    for (file, name) in [
        ("figS1.cc", "figS1"),
        ("figS2.cc", "figS2"),
        ("k400.cc", "pretrains"),
        ("downstream.cc", "tableS11"),
    ] {
        let rows = table(file, name).rows;
        assert_eq!(rows.len(), 1, "{name}");
        assert!(known.contains(&hash::pretrain(&rows[0].pretrain)), "{name}");
    }
}

/// Table S11 in full is what Table 6 does: the same four stages.
#[test]
fn table_s11_is_what_table_6_uses() {
    let plan = plan_of(&["downstream.cc", "table6.cc"], Profile::Full);
    let cells = |table: usize, row: usize| {
        let cells = plan.tables[table].rows[row].cells.iter();
        cells
            .map(|cell| cell.stage.clone().unwrap())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        (plan.tables[0].name.as_str(), plan.tables[1].name.as_str()),
        ("tableS11", "table6")
    );
    assert_eq!(cells(0, 0).len(), 4);
    assert_eq!(cells(0, 0), cells(1, 1));
}

/// Figures without numbers: what is drawn of which runs, from how many samples. Both panels of a figure show the same samples, and each
/// panel is a stage behind the run of a table.
#[test]
fn figures_are_drawn_of_the_runs_of_tables() {
    let runs: BTreeSet<_> = [("table2.cc", "table2_k400"), ("table4.cc", "table4")]
        .iter()
        .flat_map(|(file, name)| table(file, name).rows)
        .map(|row| hash::pretrain(&row.pretrain))
        .collect();
    let mut drawn = vec![];
    for file in ["fig1.cc", "fig3.cc", "figS1.cc", "figS2.cc"] {
        let plan = plan_of(&[file], Profile::Full);
        for row in &plan.tables[0].rows {
            assert!(runs.contains(&row.pretrain), "{file}");
            assert!(row.cells.iter().all(|cell| cell.stage.is_ok()), "{file}");
        }
        let is_drawn = |stage: &&plan::Stage| matches!(stage.work, Work::Draw(_));
        assert_eq!(
            plan.stages.iter().filter(is_drawn).count(),
            plan.tables[0]
                .rows
                .iter()
                .map(|row| row.cells.len())
                .sum::<usize>()
        );
        let left = plan::executable(&plan).plan.stages;
        assert_eq!(left, plan.stages, "{file}");
        for (heading, drawing) in &table(file, &plan.tables[0].name).drawings {
            drawn.push(format!(
                "{heading}\n  {}",
                compiler::written::drawing(drawing)
            ));
        }
    }
    insta::assert_snapshot!("drawings", drawn.join("\n"));
}

/// The curves of Figure 5 are those of three rows of Table 3, a column of their metrics.
#[test]
fn curves_of_figure_5() {
    let left = table("fig5.cc", "fig5_left");
    assert_eq!(left.curves, [Curve::Loss]);
    let ids = |table: &Table| -> Vec<_> {
        table
            .rows
            .iter()
            .map(|row| hash::pretrain(&row.pretrain))
            .collect()
    };
    let third = ids(&table("table3.cc", "table3"));
    assert_eq!(
        ids(&left),
        [third[0].clone(), third[1].clone(), third[3].clone()]
    );
    // Toy data stand in for the sets, and are all of one size.
    for profile in [Profile::Full, Profile::Toy] {
        let plan = plan_of(&["fig5.cc"], profile);
        assert_eq!(plan.tables[0].curves, [Curve::Loss]);
        let at: Vec<_> = plan.tables[1]
            .rows
            .iter()
            .map(|row| row.at.clone().unwrap())
            .collect();
        assert_eq!(at, ["22K", "240K", "1.8M"]);
    }
}

/// Numbers of the text that follow from a table: where, the number, the table, and the rows and the column whose difference it is.
#[test]
fn numbers_of_the_text_follow_from_the_tables() {
    let number = |text: &str| Quantity::parse(text, None).unwrap().value;
    let differences = [
        ("Sec. 4.2", "4.7", "table1.cc", "table1", (11, 4), 1),
        ("Sec. 4.2", "3.2", "table1.cc", "table1", (11, 4), 2),
        ("Sec. 4.4", "2.4", "table3.cc", "table3", (4, 3), 1),
        ("Sec. 4.4", "4", "table3.cc", "table3", (4, 3), 2),
        ("Sec. 4.5", "6.8", "table5.cc", "table5_visual", (5, 1), 1),
        // The text has 17.25, of numbers with one more place.
        ("Sec. 4.5", "17.2", "table5.cc", "table5_audio", (4, 1), 1),
    ];
    for (place, printed, file, name, (better, worse), column) in differences {
        let rows = table(file, name).rows;
        let cell = |row: usize| number(rows[row - 1].expect[column - 1].as_deref().unwrap());
        assert_eq!(
            cell(better).minus(cell(worse)),
            Some(number(printed)),
            "{place}: {name}"
        );
    }
    // Rates of the two unimodal variants, App. G.1.
    let rows = table("table1.cc", "table1").rows;
    for (row, base, predictor) in [(1, "0.0001", "0.001"), (2, "0.00001", "0.0001")] {
        for modality in &rows[row - 1].pretrain.modalities {
            let Schedule::Cosine { from, .. } = modality.lr_b else {
                panic!("the base follows a cosine");
            };
            assert_eq!(from, number(base));
            assert_eq!(modality.lr_p, Schedule::Constant(number(predictor)));
        }
    }
}

/// The left half of Figure 4: twenty points are ten states of each of two runs. Asking for them makes no run another one, the last
/// state is the end that Table 2 scores, and each earlier one has features of its own.
#[test]
fn twenty_points_are_two_runs() {
    let left = table("fig4.cc", "fig4_left");
    assert_eq!(
        (left.x.as_deref(), left.rows.len()),
        (Some("checkpoint"), 20)
    );
    let plan = plan_of(&["fig4.cc", "table2.cc"], Profile::Full);
    let ids = |name: &str| -> Vec<_> {
        let table = plan.tables.iter().find(|table| table.name == name).unwrap();
        table
            .rows
            .iter()
            .map(|row| (row.pretrain.clone(), row.cells[..2].to_vec()))
            .collect()
    };
    let (points, ends) = (ids("fig4_left"), ids("table2_k400"));
    for (half, (run, cells)) in points.chunks(10).zip(&ends) {
        assert!(half.iter().all(|(own, _)| own == run));
        let stages = |cells: &[plan::CellPlan]| -> Vec<_> {
            cells.iter().map(|cell| cell.stage.clone()).collect()
        };
        let (last, earlier) = half.split_last().unwrap();
        assert_eq!(stages(&last.1), stages(cells));
        let distinct: BTreeSet<_> = earlier
            .iter()
            .flat_map(|(_, cells)| stages(cells))
            .collect();
        assert_eq!(distinct.len(), 18);
        let Some(Work::Pretrain(work)) = plan.stage(run).map(|stage| &stage.work) else {
            panic!("a row names its pretraining");
        };
        assert_eq!(work.keep, [10, 20, 30, 40, 50, 60, 70, 80, 90]);
    }
    // A file that asks for no state keeps none.
    for stage in &plan_of(&["table2.cc"], Profile::Full).stages {
        assert!(!matches!(&stage.work, Work::Pretrain(work) if !work.keep.is_empty()));
    }
}

/// A profile that shortens a run keeps the share of it, rounded up: of 3 epochs instead of 100, the states after 1, 2 and 3.
#[test]
fn toy_states_are_shares_of_a_toy_run() {
    let rows = program("fig4.cc", Profile::Toy).tables.remove(0).rows;
    let states: Vec<_> = rows[..10].iter().map(|row| row.checkpoint).collect();
    let (one, two) = (Some(1), Some(2));
    assert_eq!(
        states,
        [one, one, one, two, two, two, None, None, None, None]
    );
}

/// Late fusion reads the features of the two protocols that it fuses, which other columns score alone.
#[test]
fn fusion_shares_its_extractions() {
    let plan = plan_of(&["table2.cc"], Profile::Full);
    let extracts = plan
        .stages
        .iter()
        .filter(|s| matches!(s.work, Work::Extract(_)));
    // Two rows of two scores, and two rows of four sets of features.
    assert_eq!(extracts.count(), 2 * 2 + 2 * 4);
}

/// Retrieval searches once in one set of features, and counts for each rank.
#[test]
fn recall_at_several_ranks_is_one_extraction() {
    let plan = plan_of(&["table7.cc"], Profile::Full);
    let count = |wanted: fn(&Work) -> bool| plan.stages.iter().filter(|s| wanted(&s.work)).count();
    assert_eq!(count(|work| matches!(work, Work::Extract(_))), 2);
    assert_eq!(count(|work| matches!(work, Work::Score(_))), 6);
}

/// What cannot be executed costs nothing: no pretraining for rows of dashes.
#[test]
fn rows_without_a_number_are_not_trained() {
    let plan = plan_of(&["trimodal.cc"], Profile::Full);
    let left = plan::executable(&plan);
    assert_eq!(left.refused["optical flow"], 4);
    assert_eq!(left.rows.len(), 4);
    let pretrains = left.plan.stages.iter();
    assert_eq!(
        pretrains
            .filter(|s| matches!(s.work, Work::Pretrain(_)))
            .count(),
        2
    );
}

/// Six objectives and a hybrid, each of the published form: terms and the networks and banks that they need.
#[test]
fn related_methods_are_graphs() {
    let rows = table("related.cc", "related").rows;
    let printed: Vec<String> = rows
        .iter()
        .map(|row| compiler::graph::text(&row.pretrain, &row.label))
        .collect();
    insta::assert_snapshot!("related", printed.join("\n"));
    let plan = plan_of(&["related.cc"], Profile::Full);
    let left = plan::executable(&plan);
    // All of them can be trained.
    assert_eq!((left.rows.len(), left.refused.len()), (0, 0));
}
