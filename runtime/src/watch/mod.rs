//! What can be seen of a training while it lasts, and of the step that ended it.

pub mod board;
pub mod failure;
pub mod gauges;
pub mod replay;
pub mod spread;
pub mod views;
