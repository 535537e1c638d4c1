//! From text to plan: what `check`, `graph` and `plan` of Table 1 cost. docs/performance.md says how to run it.

#![allow(clippy::unwrap_used)] // the file is one of the repository

use compiler::hir::Program;
use compiler::{Profile, check, lower, passes, plan, sources};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

const TABLE: &str = include_str!("../../experiments/table1.cc");

fn program() -> Program {
    let mut sources = sources();
    let root = sources.add("table1.cc", TABLE);
    let (program, found) = check(&mut sources, root, &|_, _| None, Profile::Full);
    program.unwrap_or_else(|| panic!("{found:?}"))
}

fn compile(c: &mut Criterion) {
    let mut group = c.benchmark_group("table1");
    group.sample_size(30);
    group.bench_function("check", |b| b.iter(program));
    let program = program();
    let rows: Vec<_> = program.tables[0]
        .rows
        .iter()
        .map(|row| &row.pretrain)
        .collect();
    group.bench_function("lower", |b| {
        b.iter(|| {
            rows.iter()
                .for_each(|row| drop(black_box(lower::lower(row))))
        });
    });
    group.bench_function("passes", |b| {
        b.iter(|| {
            rows.iter()
                .for_each(|row| drop(black_box(passes::build(row))))
        });
    });
    let files = [("table1.cc", &program)];
    group.bench_function("plan", |b| b.iter(|| plan::plan(&files).unwrap()));
    group.finish();
}

criterion_group!(benches, compile);
criterion_main!(benches);
