//! The networks, terms, optimisers and schedules against the released implementation, in float64, and the augmentations in float32.
//!
//! `tests/golden/README.md` says what each file holds. `CRISSCROSS_GOLDEN` names another folder of the same form.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

#[path = "golden/evaluation.rs"]
mod evaluation;
#[path = "golden/finetune.rs"]
mod finetune;
#[path = "golden/larc.rs"]
mod larc;
#[path = "golden/model.rs"]
mod model;
#[path = "golden/operators.rs"]
mod operators;
#[path = "golden/recipe.rs"]
mod recipe;
#[path = "golden/saliency.rs"]
mod saliency;
#[path = "golden/schedule.rs"]
mod schedule;
#[path = "golden/weights.rs"]
mod weights;
