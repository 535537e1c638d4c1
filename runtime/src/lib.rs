//! Plan to numbers: data, training and evaluation on libtorch.

pub mod augment;
pub mod bench;
pub mod check;
pub mod checkpoint;
mod constants;
pub mod data;
pub mod device;
pub mod doctor;
pub mod draw;
pub mod error;
pub mod eval;
pub mod execute;
pub mod ffi;
pub mod loss;
pub mod memory;
pub mod nn;
pub mod optim;
pub mod parallel;
pub mod parts;
pub mod progress;
pub mod ranks;
mod resume;
pub mod sheet;
pub mod stages;
pub mod train;
pub mod watch;
pub mod weights;
