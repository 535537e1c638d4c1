//! What the stages of a plan take, from what equal work took before on this machine.

use crate::folder::{Finished, PLAN, read_json};
use crate::record::{DrawResult, ExtractResult, Kind, PretrainResult, ScoreResult};
use compiler::plan::{Estimate, Plan, Stage, StageId, Work, likeness};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The finished stages of `index` as their plans had them; one that an older version has written otherwise is left out.
pub fn stages(index: &BTreeMap<StageId, Finished>) -> Vec<(&Finished, Stage)> {
    let read = |of: &Finished| read_json(&of.path.join(PLAN)).ok();
    index
        .values()
        .filter_map(|of| Some((of, read(of)?)))
        .collect()
}

/// What the stages of `plan` with these ids take, by the `finished` ones: seconds for each step of equal pretrainings, seconds for
/// equal extractions and scores. Runs of other devices than the one that ran last are no measure, nor is a run whose result cannot
/// be read.
pub fn estimate<'p>(
    plan: &'p Plan,
    to_do: &[&StageId],
    finished: &'p [(&Finished, Stage)],
) -> Estimate {
    let mut estimate = Estimate::default();
    let newest = finished.iter().max_by_key(|(of, _)| of.run.age());
    let device = newest.map(|(of, _)| of.run.environment.device.clone());
    estimate.device = device.unwrap_or_default();
    let mut works: HashMap<&StageId, &Work> = HashMap::new();
    for stage in finished.iter().map(|(_, stage)| stage).chain(&plan.stages) {
        works.entry(&stage.id).or_insert(&stage.work);
    }
    let find = |id: &StageId| works.get(id).copied();
    // Seconds and units, steps or stages, by likeness.
    let mut measured: HashMap<String, (f64, u64)> = HashMap::new();
    for (of, stage) in finished {
        let Some(key) = likeness(&stage.work, &find) else {
            continue;
        };
        if of.run.environment.device != estimate.device {
            continue;
        }
        let Some((seconds, units)) = took(of) else {
            continue;
        };
        let all = measured.entry(key).or_default();
        all.0 += seconds;
        all.1 += units;
    }
    let mut used: HashSet<String> = HashSet::new();
    for id in to_do {
        let Some(work) = works.get(*id).copied() else {
            continue;
        };
        let units = match work {
            Work::Pretrain(work) => u64::from(work.settings.ep) * work.settings.steps_per_epoch(),
            Work::Extract(_) | Work::Score(_) | Work::Finetune(_) | Work::Draw(_) => 1,
        };
        if units == 0 {
            continue;
        }
        // Where nothing was measured there is nothing to look for.
        let key = (!measured.is_empty())
            .then(|| likeness(work, &find))
            .flatten();
        let known = key.and_then(|key| Some((*measured.get(&key)?, key)));
        match known.filter(|((_, measured), _)| *measured > 0) {
            None => {
                let kind = Kind::of(work).name();
                *estimate.unmeasured.entry(kind).or_default() += 1;
            }
            Some(((seconds, measured), key)) => {
                estimate.seconds += seconds / measured as f64 * units as f64;
                let is_step = matches!(work, Work::Pretrain(_));
                if used.insert(key) && is_step {
                    estimate.steps += measured;
                }
            }
        }
    }
    estimate
}

/// Seconds that a finished stage took, and for how many steps.
fn took(of: &Finished) -> Option<(f64, u64)> {
    Some(match of.run.kind {
        Kind::Pretrain => {
            let result: PretrainResult = of.result().ok()?;
            (result.seconds, result.steps)
        }
        Kind::Extract => (of.result::<ExtractResult>().ok()?.seconds, 1),
        Kind::Score | Kind::Finetune => (of.result::<ScoreResult>().ok()?.seconds, 1),
        Kind::Draw => (of.result::<DrawResult>().ok()?.seconds, 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{context, result};
    use crate::folder::{Context, Runs};
    use crate::record::{ClipCounts, Environment};
    use compiler::{Profile, check, sources};

    fn plan(rows: &str) -> Plan {
        let text = format!(
            "use paper\ntable t {{\n  of = crisscross\n  scores = [linear8 on UCF101]\n{rows}\n}}\n"
        );
        planned(text)
    }

    fn planned(text: String) -> Plan {
        let mut sources = sources();
        let root = sources.add("t.cc", text);
        let (program, found) = check(&mut sources, root, &|_, _| None, Profile::Full);
        let program = program.unwrap_or_else(|| panic!("{found:?}"));
        compiler::plan::plan(&[("t.cc", &program)]).unwrap()
    }

    /// Finishes the stages of a plan: 40 steps of 0.25 s, 30 s for features, 1.5 s for a score.
    fn finish(runs: &Runs, plan: &Plan, device: &str) {
        let context = Context {
            environment: Environment {
                device: device.to_owned(),
                ..Environment::default()
            },
            ..context()
        };
        for stage in &plan.stages {
            let attempt = runs.begin(stage, &context).unwrap();
            let clips = ClipCounts::default();
            let finished = match &stage.work {
                Work::Pretrain(_) => attempt.finish(&PretrainResult {
                    steps: 40,
                    loss: Some(0.5),
                    parameters: 7,
                    clips,
                    seconds: 10.0,
                    ..PretrainResult::default()
                }),
                Work::Extract(_) => attempt.finish(&ExtractResult {
                    samples: 5,
                    width: 3,
                    clips,
                    seconds: 30.0,
                }),
                Work::Score(_) | Work::Finetune(_) | Work::Draw(_) => {
                    attempt.finish(&result(&[50.0]))
                }
            };
            finished.unwrap();
        }
    }

    fn of(runs: &Runs, plan: &Plan) -> Estimate {
        let index = runs.index().unwrap();
        let finished = stages(&index);
        let to_do: Vec<&StageId> = plan
            .stages
            .iter()
            .map(|stage| &stage.id)
            .filter(|id| !index.contains_key(id))
            .collect();
        estimate(plan, &to_do, &finished)
    }

    #[test]
    fn equal_steps_take_as_long_as_those_that_were_measured() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        finish(&runs, &plan("row ep = 3"), "cpu");
        // Another loss over the same networks, ten epochs of 429 steps; its features and score have their like.
        let found = of(&runs, &plan("row loss = intra, ep = 10, lr_p = 0.001"));
        assert_eq!(found.seconds, 4290.0 * 0.25 + 30.0 + 1.5);
        assert_eq!((found.device.as_str(), found.steps), ("cpu", 40));
        assert!(found.unmeasured.is_empty());
    }

    #[test]
    fn other_networks_batches_and_clips_are_not_guessed() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let all = [("extract", 1), ("pretrain", 1), ("score", 1)];
        let none = of(&runs, &plan("row"));
        assert_eq!(none.unmeasured, BTreeMap::from(all));
        assert_eq!((none.seconds, none.steps), (0.0, 0));
        finish(&runs, &plan("row ep = 3"), "cpu");
        for row in [
            "row bs = 256",
            "row v.f = r2plus1d18 - proj2, a.f = resnet18 - proj2",
            "row loss = v1v2",
        ] {
            let found = of(&runs, &plan(row));
            assert_eq!(found.unmeasured.get("pretrain"), Some(&1), "{row}");
        }
        // Random weights take no step.
        let found = of(&runs, &plan("row ep = 0"));
        assert_eq!((found.seconds, found.unmeasured.len()), (31.5, 0));
    }

    #[test]
    fn a_finetuning_takes_as_long_as_one_with_other_rates() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let tuned = |protocol: &str| {
            let text = format!(
                "use paper\neval other = finetune8 with {{ lr = 0.001   drp = 0.5 }}\neval longer = finetune8 with {{ ep = 9 }}\n\
                 table t {{\n  of = crisscross\n  scores = [{protocol} on UCF101]\n  row ep = 0\n}}\n"
            );
            planned(text)
        };
        finish(&runs, &tuned("finetune8"), "cpu");
        let other = of(&runs, &tuned("other"));
        assert!(other.seconds > 0.0 && other.unmeasured.is_empty());
        let longer = of(&runs, &tuned("longer"));
        assert_eq!(longer.unmeasured, BTreeMap::from([("finetune", 1)]));
    }

    #[test]
    fn another_device_is_no_measure() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        finish(&runs, &plan("row ep = 3"), "A100");
        let later = plan("row bs = 256, ep = 3");
        finish(&runs, &later, "cpu");
        // All began in the same second, so the newest may be either; the sum is never of both.
        let found = of(&runs, &plan("row ep = 4\nrow bs = 256, ep = 4"));
        assert!(["A100", "cpu"].contains(&found.device.as_str()));
        assert_eq!(found.unmeasured.get("pretrain"), Some(&1));
    }
}
