//! From a trained backbone to a number: features of labelled clips, classifiers on them, and their scores.

pub mod feature_set;
pub mod features;
pub mod score;
pub mod svm;
