//! Two files: tables by name, rows by label.

use super::experiment::{pretrains, protocols, states};
use super::{Change, Experiment, Files, Member, State, Table, TableParts};
use crate::hir::{self, NamedPretrain, Program, Protocol, Row};
use crate::written;
use std::collections::BTreeMap;

/// How two files differ.
pub fn programs(left: &Program, right: &Program) -> Files {
    let has = |of: &Program, name: &str| of.tables.iter().any(|table| table.name == name);
    let mut tables = vec![];
    for table in &left.tables {
        let other = right.tables.iter().find(|other| other.name == table.name);
        tables.extend(match other {
            None => Some(Table {
                name: table.name.clone(),
                rows: table.rows.len(),
                state: State::Removed,
            }),
            Some(other) => self::table(table, other),
        });
    }
    let new = right.tables.iter().filter(|table| !has(left, &table.name));
    tables.extend(new.map(|table| Table {
        name: table.name.clone(),
        rows: table.rows.len(),
        state: State::Added,
    }));
    Files {
        tables,
        pretrains: members(
            &loose_pretrains(left),
            &loose_pretrains(right),
            |left, right| {
                let difference = pretrains(left, right);
                (!difference.is_same()).then_some(difference)
            },
        ),
        evals: members(&loose_evals(left), &loose_evals(right), differing),
    }
}

/// The pretrainings that no row starts from.
fn loose_pretrains(of: &Program) -> Vec<(&str, &hir::Pretrain)> {
    let rows = || of.tables.iter().flat_map(|table| &table.rows);
    let is_used = |one: &&NamedPretrain| rows().any(|row| row.of == one.name);
    let loose = of.pretrains.iter().filter(|one| !is_used(one));
    loose
        .map(|one| (one.name.as_str(), &one.pretrain))
        .collect()
}

/// The protocols that are no column.
fn loose_evals(of: &Program) -> Vec<(&str, &Protocol)> {
    let columns = || of.tables.iter().flat_map(|table| &table.scores);
    let is_used = |one: &Protocol| columns().any(|(_, column)| column == one);
    let loose = of.evals.iter().filter(|(_, one)| !is_used(one));
    loose.map(|(name, one)| (name.as_str(), one)).collect()
}

fn differing(left: &Protocol, right: &Protocol) -> Option<Vec<Change>> {
    let changes = protocols(left, right);
    (!changes.is_empty()).then_some(changes)
}

/// What differs in two lists of named values, in the order of the left, then what the right alone has.
fn members<V, T>(
    left: &[(&str, &V)],
    right: &[(&str, &V)],
    compare: impl Fn(&V, &V) -> Option<T>,
) -> Vec<Member<T>> {
    let member = |name: &str, state| Member {
        name: name.to_owned(),
        state,
    };
    let mut found = vec![];
    for (name, value) in left {
        match right.iter().find(|(other, _)| other == name) {
            None => found.push(member(name, State::Removed)),
            Some((_, other)) => {
                let changed = compare(value, other).map(State::Changed);
                found.extend(changed.map(|state| member(name, state)));
            }
        }
    }
    let is_new = |name: &str| left.iter().all(|(known, _)| *known != name);
    let new = right.iter().filter(|(name, _)| is_new(name));
    found.extend(new.map(|(name, _)| member(name, State::Added)));
    found
}

fn table(left: &hir::Table, right: &hir::Table) -> Option<Table> {
    let [of_left, of_right] = [left, right].map(|of| -> Vec<(&str, &Protocol)> {
        let columns = of.scores.iter();
        columns
            .map(|(label, protocol)| (label.as_str(), protocol))
            .collect()
    });
    let (rows, same) = rows(&left.rows, &right.rows);
    let parts = TableParts {
        drawn: drawn(left, right),
        columns: members(&of_left, &of_right, differing),
        rows,
        expect: same
            .into_iter()
            .flat_map(|(a, b)| expectations(left, a, right, b))
            .collect(),
    };
    (parts != TableParts::default()).then(|| Table {
        name: left.name.clone(),
        rows: left.rows.len().max(right.rows.len()),
        state: State::Changed(parts),
    })
}

/// The axis, the drawings and the curves.
fn drawn(left: &hir::Table, right: &hir::Table) -> Vec<Change> {
    let drawings = |of: &hir::Table| -> Option<String> {
        let drawings = of.drawings.iter();
        let texts: Vec<String> = drawings.map(|(_, one)| written::drawing(one)).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    };
    let curves = |of: &hir::Table| -> Option<String> {
        let names: Vec<&str> = of.curves.iter().map(|curve| curve.name()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let sides = [
        ("x", left.x.clone(), right.x.clone()),
        ("draw", drawings(left), drawings(right)),
        ("curves", curves(left), curves(right)),
    ];
    let differing = sides.into_iter().filter(|(_, left, right)| left != right);
    differing
        .map(|(path, left, right)| Change::new(path, left.as_deref(), right.as_deref()))
        .collect()
}

/// Rows that belong together: of one label, the k-th with the k-th; of those left over, rows that are one run.
fn rows<'r>(
    left: &'r [Row],
    right: &'r [Row],
) -> (Vec<Member<Experiment>>, Vec<(&'r Row, &'r Row)>) {
    let mut by_label: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, row) in right.iter().enumerate().rev() {
        by_label.entry(&row.label).or_default().push(at);
    }
    let mut taken = vec![false; right.len()];
    let mut partner: Vec<Option<usize>> = vec![];
    for row in left {
        let at = by_label.get_mut(row.label.as_str()).and_then(Vec::pop);
        partner.extend([at]);
        if let Some(at) = at {
            taken[at] = true;
        }
    }
    let state = |row: &'r Row| (row.pretrain.as_ref(), row.checkpoint);
    let is_same = |a: &Row, b: &Row| a.id == b.id && a.checkpoint == b.checkpoint;
    let mut found = vec![];
    let mut pairs = vec![];
    for (row, at) in left.iter().zip(partner) {
        let state = match at {
            Some(at) => {
                pairs.push((row, &right[at]));
                let difference = states(state(row), state(&right[at]));
                (!difference.is_same()).then_some(State::Changed(difference))
            }
            None => {
                let same = (0..right.len()).find(|at| !taken[*at] && is_same(row, &right[*at]));
                Some(match same {
                    Some(at) => {
                        taken[at] = true;
                        pairs.push((row, &right[at]));
                        State::Renamed(right[at].label.clone())
                    }
                    None => State::Removed,
                })
            }
        };
        found.extend(state.map(|state| Member {
            name: row.label.clone(),
            state,
        }));
    }
    let new = right.iter().zip(&taken).filter(|(_, taken)| !**taken);
    found.extend(new.map(|(row, _)| Member {
        name: row.label.clone(),
        state: State::Added,
    }));
    (found, pairs)
}

/// The published numbers that differ, in columns that both tables have.
fn expectations(left: &hir::Table, a: &Row, right: &hir::Table, b: &Row) -> Vec<Change> {
    let number = |table: &hir::Table, row: &Row, column: &str| -> Option<String> {
        let at = table.scores.iter().position(|(label, _)| label == column)?;
        row.expect.get(at).cloned().flatten()
    };
    let columns = left.scores.iter().map(|(label, _)| label.as_str());
    let columns = columns.filter(|label| right.scores.iter().any(|(other, _)| other == label));
    columns
        .filter_map(|column| {
            let (of_left, of_right) = (number(left, a, column), number(right, b, column));
            let path = format!("{}, {column}", a.label);
            (of_left != of_right)
                .then(|| Change::new(&path, of_left.as_deref(), of_right.as_deref()))
        })
        .collect()
}
