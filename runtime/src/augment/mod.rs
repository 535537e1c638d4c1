//! Random views of clips: the augmentations of Tables S1 and S2, and the log-mel between those of waves and of spectrograms.
//!
//! Each augmentation is two functions. The first draws its parameters on the host, from the random numbers of one view of one
//! sample; the second applies them to a tensor, on whatever device that is. No random number is used anywhere else.

pub mod draws;

pub use draws::{Draws, Key};
