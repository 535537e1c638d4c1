//! Closed programs to a plan.

use super::draft::{Ask, Asked, Draft, literal};
use super::passes::{Why, optimise};
use super::{Draw, Extract, Finetune, Plan, Pretrain, ScoreWork, Stage, Work};
use crate::hir::Program;
use grammar::diagnostic::Diagnostic;
use std::sync::Arc;

/// The version of the plan's format.
pub const FORMAT: u32 = 2;

/// The stages and tables of `files`: each file's name as the user wrote it, and what it closes to.
///
/// Equal stages stand once. Stages that cost little and that many rows share come first, and each number as early as its
/// pretraining allows.
///
/// # Errors
///
/// E0901 at each row whose optimiser is LARC over LARC.
pub fn plan(files: &[(&str, &Program)]) -> Result<Plan, Vec<Diagnostic>> {
    Ok(planned(files)?.0)
}

/// The same, and what each pass did.
///
/// # Errors
///
/// As [`plan`].
pub fn planned(files: &[(&str, &Program)]) -> Result<(Plan, Vec<Why>), Vec<Diagnostic>> {
    let (draft, log) = optimise(literal(files)?);
    Ok((finished(draft), log))
}

/// What all that runs a plan needs to know, without the programs.
fn finished(draft: Draft<'_>) -> Plan {
    Plan {
        format: FORMAT,
        toy: draft.toy,
        set: draft.set,
        stages: draft.asked.into_iter().map(stage).collect(),
        gangs: draft.gangs,
        tables: draft.tables,
    }
}

fn stage(asked: Asked<'_>) -> Stage {
    let work = match asked.work {
        Ask::Pretrain {
            settings,
            made,
            keep,
        } => Work::Pretrain(Box::new(Pretrain {
            settings: Arc::clone(settings),
            steps: Arc::clone(&made.steps),
            keep,
        })),
        Ask::Extract {
            model,
            checkpoint,
            eval,
            seed,
        } => Work::Extract(Box::new(Extract {
            model,
            checkpoint,
            eval: eval.clone(),
            seed,
        })),
        Ask::Finetune {
            model,
            checkpoint,
            eval,
            seed,
        } => Work::Finetune(Box::new(Finetune {
            model,
            checkpoint,
            eval: eval.clone(),
            seed,
        })),
        Ask::Draw {
            from,
            checkpoint,
            drawing,
            seed,
        } => Work::Draw(Box::new(Draw {
            from,
            checkpoint,
            drawing: drawing.clone(),
            seed,
        })),
        Ask::Score {
            mut features,
            head,
            score,
            seed,
        } => {
            let beside = features.split_off(1);
            Work::Score(Box::new(ScoreWork {
                features: features.remove(0),
                beside,
                head: head.clone(),
                score,
                seed,
            }))
        }
    };
    Stage {
        id: asked.id,
        label: asked.label,
        work,
    }
}
