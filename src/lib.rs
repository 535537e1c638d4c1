//! The command line: parses arguments, reads files, prints. It decides nothing.
//!
//! Two binaries share it: `crisscross`, which loads no tensor library, and `crisscross-engine`, which runs plans.

pub mod cli;
pub mod commands;
pub mod failure;
pub mod files;
pub mod handover;
pub mod load;
pub mod packing;
pub mod render;
pub mod shown;
pub mod weights;
