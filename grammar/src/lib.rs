//! Text to syntax tree: pure, no I/O.

pub mod ast;
pub mod diagnostic;
pub mod span;
