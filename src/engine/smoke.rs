//! What a try says of the run to come.

use compiler::plan::{Plan, Work};
use records::folder::{METRICS, Runs};
use runtime::error::Error;
use std::path::Path;

/// The line of a step, as far as it is read here.
#[derive(serde::Deserialize)]
struct Line {
    samples_per_s: f64,
    data_wait: f64,
    #[serde(default)]
    peak_memory: Option<u64>,
}

/// What the trainings of `plan` would take at the pace of their second steps, of which the folder `runs` has the numbers, and the most
/// memory that was held; nothing where there are none.
pub fn pace(plan: &Plan, runs: &Path) -> Result<Vec<String>, Error> {
    let (mut seconds, mut trainings, mut peak) = (0.0, 0, None);
    let index = Runs::at(runs).index()?;
    for stage in &plan.stages {
        let (Work::Pretrain(work), Some(finished)) = (&stage.work, index.get(&stage.id)) else {
            continue;
        };
        let settings = &work.settings;
        let path = finished.path.join(METRICS);
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let last = text.lines().last().map(serde_json::from_str::<Line>);
        let Some(Ok(line)) = last else {
            continue;
        };
        let steps = settings.steps_per_epoch() * u64::from(settings.ep);
        // Rows side by side wait for a batch together.
        let mut gangs = plan.gangs.iter().map(|gang| &gang.members);
        let beside = gangs.find(|members| members.contains(&stage.id));
        let beside = beside.map_or(1, Vec::len) as f64;
        let step = f64::from(settings.bs) / line.samples_per_s - line.data_wait;
        seconds += steps as f64 * (step + line.data_wait / beside);
        trainings += 1;
        peak = peak.max(line.peak_memory);
    }
    if trainings == 0 {
        return Ok(vec![]);
    }
    let mut lines = vec![format!(
        "at the pace of their second steps the trainings ({trainings}) take {}; first steps are slow ones",
        records::spoken(seconds)
    )];
    lines.extend(peak.map(|bytes| format!("peak memory {:.1} GB", bytes as f64 / 1e9)));
    Ok(lines)
}
