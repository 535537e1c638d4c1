//! Plan to numbers: data, training and evaluation on libtorch.

pub mod augment;
pub mod data;
pub mod error;
pub mod eval;
