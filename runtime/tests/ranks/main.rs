//! Several ranks are one: what they compute together is what one process computes alone.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

mod courses;
#[path = "../small/mod.rs"]
mod small;
mod tensors;
mod together;
mod training;
