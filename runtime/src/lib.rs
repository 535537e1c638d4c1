//! Plan to numbers: data, training and evaluation on libtorch.

pub mod data;
pub mod error;
