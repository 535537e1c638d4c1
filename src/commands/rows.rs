//! Finds rows by what is typed: `TABLE`, `TABLE:ROW`, each also behind `FILE.cc:`, `ROW`, a row by its number or label, or the
//! pretraining that rows start from.

use compiler::hir::{Program, Table};

use super::named::{Asked, is_module};
use crate::failure::{Failure, Result};

/// Keeps, of all tables, the rows that `picks` name; all where there are none.
pub fn keep_only(programs: &mut [(String, Program)], picks: &[String]) -> Result<()> {
    if picks.is_empty() {
        return Ok(());
    }
    let tables: Vec<(&str, &Table)> = programs
        .iter()
        .flat_map(|(file, program)| {
            program
                .tables
                .iter()
                .map(move |table| (file.as_str(), table))
        })
        .collect();
    let mut kept = vec![];
    for pick in picks {
        let rows = named(&tables, pick)?.into_iter();
        kept.extend(rows.map(|(table, row)| (tables[table].1.span, row)));
    }
    for (_, program) in programs.iter_mut() {
        for table in &mut program.tables {
            let span = table.span;
            let mut row = 0;
            table.rows.retain(|_| {
                row += 1;
                kept.contains(&(span, row - 1))
            });
        }
        program.tables.retain(|table| !table.rows.is_empty());
    }
    Ok(())
}

/// The rows of all tables that `pick` names, each as the table's place among all tables and the row's place in it; all rows where
/// it is empty.
pub fn picked(programs: &[(&str, &Program)], pick: &str) -> Result<Vec<(usize, usize)>> {
    let tables: Vec<(&str, &Table)> = programs
        .iter()
        .flat_map(|(file, program)| program.tables.iter().map(move |table| (*file, table)))
        .collect();
    if !pick.is_empty() {
        return named(&tables, pick);
    }
    Ok(rows_of(tables.iter().map(|(_, table)| *table).enumerate()))
}

/// The rows that `pick` names, each as the table's place among `tables`, which stand there with their files, and the row's place
/// in it.
fn named(tables: &[(&str, &Table)], pick: &str) -> Result<Vec<(usize, usize)>> {
    let asked = Asked::read(pick);
    let file = asked.file.filter(|file| !is_module(file));
    let is_there = |(_, (of, _)): &(usize, &(&str, &Table))| file.is_none_or(|file| file == *of);
    let tables = tables.iter().enumerate().filter(is_there);
    let tables: Vec<(usize, &Table)> = tables.map(|(place, (_, table))| (place, *table)).collect();
    if let (true, Some(file)) = (tables.is_empty(), file) {
        let message = format!("`{file}` is none of the files that were named");
        return Err(Failure::misuse(message).help(format!("add it: `{file}`")));
    }
    let name = asked.name;
    if name.is_empty() {
        return Ok(rows_of(tables.into_iter()));
    }
    let (table, row) = match name.split_once(':') {
        Some((table, row)) => (table, Some(row)),
        None => (name, None),
    };
    let listed: Vec<&Table> = tables.iter().map(|(_, table)| *table).collect();
    if row.is_none() && listed.iter().all(|of| of.name != table) {
        let from = rows_of(tables.iter().copied()).into_iter();
        let starts_from = |(place, at): &(usize, usize)| {
            let table = tables.iter().find(|(known, _)| known == place);
            table.is_some_and(|(_, table)| table.rows[*at].of == name)
        };
        let from: Vec<(usize, usize)> = from.filter(starts_from).collect();
        if !from.is_empty() {
            return Ok(from);
        }
    }
    let of = table_named(&listed, table)?;
    let mut places = tables.iter();
    let place = places.find(|(_, other)| std::ptr::eq(*other, of));
    let (place, _) = place.expect("rows: the table is one of them");
    let rows = match row {
        Some(row) => vec![row_of(of, row)?],
        None => (0..of.rows.len()).collect(),
    };
    Ok(rows.into_iter().map(|row| (*place, row)).collect())
}

/// All rows of these tables.
fn rows_of<'p>(tables: impl Iterator<Item = (usize, &'p Table)>) -> Vec<(usize, usize)> {
    tables
        .flat_map(|(place, of)| (0..of.rows.len()).map(move |row| (place, row)))
        .collect()
}

/// The table and row that `pick` names; without it the first row of the first table.
pub fn one<'p>(program: &'p Program, pick: Option<&str>) -> Result<(&'p Table, usize)> {
    let tables: Vec<&Table> = program.tables.iter().collect();
    let first = *tables
        .iter()
        .find(|table| !table.rows.is_empty())
        .ok_or_else(|| {
            Failure::new("the file trains nothing")
                .help("add a `pretrain` or a `table`, or give a file that is a loss")
        })?;
    match pick.map(|pick| pick.split_once(':').ok_or(pick)) {
        None => Ok((first, 0)),
        Some(Ok((table, row))) => {
            table_named(&tables, table).and_then(|table| Ok((table, row_of(table, row)?)))
        }
        Some(Err(row)) => Ok((first, row_of(first, row)?)),
    }
}

fn table_named<'p>(tables: &[&'p Table], name: &str) -> Result<&'p Table> {
    tables
        .iter()
        .copied()
        .find(|table| table.name == name)
        .ok_or_else(|| {
            let names: Vec<String> = tables
                .iter()
                .map(|table| format!("`{}`", table.name))
                .collect();
            Failure::misuse(format!("there is no table `{name}`"))
                .help(format!("the tables are {}", names.join(", ")))
        })
}

/// The position of a row given by its number from 1 or by its label.
fn row_of(table: &Table, row: &str) -> Result<usize> {
    let labelled: Vec<usize> = (0..table.rows.len())
        .filter(|at| table.rows[*at].label == row)
        .collect();
    match labelled[..] {
        [] => {}
        [position] => return Ok(position),
        [first, ..] => {
            let numbers: Vec<String> = labelled.iter().map(|at| (at + 1).to_string()).collect();
            return Err(Failure::misuse(format!(
                "table `{}` has {} rows `{row}`",
                table.name,
                labelled.len()
            ))
            .help(format!(
                "name one by its number: {}, as in `{}:{}`",
                numbers.join(", "),
                table.name,
                first + 1
            )));
        }
    }
    let number = row
        .parse::<usize>()
        .ok()
        .filter(|n| (1..=table.rows.len()).contains(n));
    number.map(|n| n - 1).ok_or_else(|| {
        let labels: Vec<String> = table
            .rows
            .iter()
            .enumerate()
            .map(|(i, row)| format!("{:3}  {}", i + 1, row.label))
            .collect();
        Failure::misuse(format!("table `{}` has no row `{row}`", table.name)).help(format!(
            "name one by number or label:\n{}",
            labels.join("\n")
        ))
    })
}
