//! Finds rows by what is typed: `TABLE`, `TABLE:ROW`, `ROW`, a row by its number or label.

use compiler::hir::{Program, Table};

use crate::failure::{Failure, Result};

/// Keeps, of all tables, the rows that `picks` name; all where there are none.
pub fn keep_only(programs: &mut [(String, Program)], picks: &[String]) -> Result<()> {
    if picks.is_empty() {
        return Ok(());
    }
    let tables: Vec<&Table> = programs
        .iter()
        .flat_map(|(_, program)| &program.tables)
        .collect();
    let mut kept = vec![];
    for pick in picks {
        let rows = named(&tables, pick)?.into_iter();
        kept.extend(rows.map(|(table, row)| (tables[table].span, row)));
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
    let tables: Vec<&Table> = programs
        .iter()
        .flat_map(|(_, program)| &program.tables)
        .collect();
    if !pick.is_empty() {
        return named(&tables, pick);
    }
    let all = tables.iter().enumerate();
    Ok(all
        .flat_map(|(table, of)| (0..of.rows.len()).map(move |row| (table, row)))
        .collect())
}

/// The rows that `TABLE` or `TABLE:ROW` names, each as the table's place among `tables` and the row's place in it.
fn named(tables: &[&Table], pick: &str) -> Result<Vec<(usize, usize)>> {
    let (table, row) = match pick.split_once(':') {
        Some((table, row)) => (table, Some(row)),
        None => (pick, None),
    };
    let of = table_named(tables, table)?;
    let place = tables.iter().position(|other| std::ptr::eq(*other, of));
    let rows = match row {
        Some(row) => vec![row_of(of, row)?],
        None => (0..of.rows.len()).collect(),
    };
    let at = |row| Some((place?, row));
    Ok(rows.into_iter().filter_map(at).collect())
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
