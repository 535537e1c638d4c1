//! Syntax tree to plan: pure, no I/O, no tensors.

pub mod graph;
pub mod hash;
pub mod hir;
pub mod loss;
pub mod lower;
pub mod passes;
pub mod plan;
pub mod units;
pub mod validate;

#[cfg(test)]
mod fixture;
