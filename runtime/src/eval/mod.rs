//! From a trained backbone to a number: features of labelled clips, what gets from them to classes, and scores.

pub mod exported;
pub mod feature_set;
pub mod features;
pub mod finetune;
mod finite_newton;
pub mod heads;
pub mod layer;
pub mod liblinear;
pub mod newton;
pub mod score;
pub mod splits;
pub mod values;
