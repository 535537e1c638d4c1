//! Does this machine's device compute what a processor computes? Parts of a check, each by itself, for `crisscross-engine gpu-check`.

pub mod augmented;
pub mod fill;
pub mod nccl;
pub mod profile;
pub mod stepped;
