//! What a person sees of a run while it lasts, on stderr: a moving line on a terminal, a plain line every few seconds elsewhere.

use crate::train::StepMetrics;
use crate::watch::spread::Alarm;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use records::say;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Time between two plain lines, at first and after some minutes.
const EVERY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));
/// How long a stage is young.
const YOUTH: Duration = Duration::from_secs(120);
/// Time between two looks of the moving line.
const BLINK: Duration = Duration::from_millis(200);

/// The progress of a run through the stages of its plan.
pub struct Progress {
    stages: usize,
    // Drawn on a terminal; `None` elsewhere.
    bar: Option<ProgressBar>,
    stage: Stage,
}

/// The stage under way.
struct Stage {
    heading: String,
    start: Instant,
    shown: Instant,
    // Steps and seconds of waiting since the last line.
    steps: u64,
    waited: f64,
    /// The first step of this process.
    first: Option<u64>,
    /// What watches the embeddings of each training, by its name: they join and leave one by one.
    alarms: BTreeMap<String, Alarm>,
    /// Several began together.
    is_of_several: bool,
}

impl Progress {
    /// Of a plan of so many stages.
    pub fn new(stages: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is fixed, so it cannot be wrong at run time; the plain style would do as well.
            let style = ProgressStyle::with_template("{spinner} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar
        });
        Self {
            stages,
            bar,
            stage: Stage::new(String::new()),
        }
    }

    /// Stage `number`, from 1, begins.
    pub fn begin(&mut self, number: usize, label: &str) {
        self.stage = Stage::new(format!("[{number}/{}] {label}", self.stages));
        match &self.bar {
            Some(bar) => {
                bar.enable_steady_tick(BLINK);
                bar.set_message(self.stage.heading.clone());
            }
            None => say(&self.stage.heading),
        }
    }

    /// Stage `number`, from 1, begins with others beside it.
    pub fn begin_beside(&mut self, number: usize, labels: &[&str]) {
        let label = match labels {
            [first, _, ..] => format!("{first} and {} beside it", labels.len() - 1),
            [first] => (*first).to_owned(),
            [] => String::new(),
        };
        self.begin(number, &label);
        self.stage.is_of_several = labels.len() > 1;
    }

    /// A training step is done, of one training or of several side by side, each with its name.
    pub fn step(&mut self, lines: &[(String, StepMetrics)], steps: u64, batch: u32) {
        let Some((_, line)) = lines.first() else {
            return;
        };
        let first = *self.stage.first.get_or_insert(line.step);
        self.stage.steps += 1;
        self.stage.waited += line.data_wait;
        for warning in self.stage.warnings(lines) {
            self.print(&format!("  warning: {warning}"));
        }
        if !self.is_due(line.step + 1 == steps) {
            return;
        }
        let losses = lines.iter().map(|(_, line)| line.loss);
        let (least, most) = losses.fold((f64::MAX, f64::MIN), |(least, most), loss| {
            (least.min(loss), most.max(loss))
        });
        let loss = match lines {
            [_, _, ..] => format!("losses {least:.4} to {most:.4}"),
            _ => format!("loss {least:.4}"),
        };
        let seconds = self.stage.shown.elapsed().as_secs_f64().max(1e-9);
        let text = format!(
            "step {}/{steps}  {loss}{}  {:.1} samples/s  data wait {:.0} %  {}",
            line.step + 1,
            spread(lines),
            self.stage.steps as f64 * f64::from(batch) / seconds,
            100.0 * self.stage.waited / seconds,
            self.left(line.step + 1 - first, steps - first),
        );
        self.show(&text);
    }

    /// So many of all samples have been read, or fits been made.
    pub fn count(&mut self, done: u64, all: u64, what: &str) {
        if self.is_due(done == all) {
            let text = format!("{done}/{all} {what}  {}", self.left(done, all));
            self.show(&text);
        }
    }

    /// The stage is finished.
    pub fn end(&mut self, outcome: &str) {
        let took = HumanDuration(self.stage.start.elapsed());
        self.print(&format!("{}  {outcome}, {took}", self.stage.heading));
        if let Some(bar) = &self.bar {
            bar.set_message("");
        }
    }

    /// One of several stages that were begun together is finished.
    pub fn end_of(&self, number: usize, label: &str, outcome: &str) {
        let took = HumanDuration(self.stage.start.elapsed());
        let heading = format!("[{number}/{}] {label}", self.stages);
        self.print(&format!("{heading}  {outcome}, {took}"));
        if let Some(bar) = &self.bar {
            bar.set_message("");
        }
    }

    /// A line that stays.
    pub fn print(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(line)),
            None => say(line),
        }
    }

    /// Takes the moving line away.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn is_due(&self, is_last: bool) -> bool {
        let every = match &self.bar {
            Some(_) => BLINK,
            None if self.stage.start.elapsed() < YOUTH => EVERY.0,
            None => EVERY.1,
        };
        self.stage.shown.elapsed() >= every && !is_last
    }

    fn show(&mut self, text: &str) {
        let line = format!("{}  {text}", self.stage.heading);
        match &self.bar {
            Some(bar) => bar.set_message(line),
            None => say(&line),
        }
        self.stage.shown = Instant::now();
        (self.stage.steps, self.stage.waited) = (0, 0.0);
    }

    /// The time that is left if it goes on like this.
    fn left(&self, done: u64, all: u64) -> String {
        let spent = self.stage.start.elapsed().as_secs_f64();
        let left = spent / done.max(1) as f64 * all.saturating_sub(done) as f64;
        format!("{} left", HumanDuration(Duration::from_secs_f64(left)))
    }
}

/// The least spread of each modality over the trainings: `  spread v 0.98 a 1.02`.
fn spread(lines: &[(String, StepMetrics)]) -> String {
    let mut least: BTreeMap<&str, f64> = BTreeMap::new();
    for (modality, spread) in lines.iter().flat_map(|(_, line)| &line.spread) {
        let known = least.entry(modality).or_insert(*spread);
        *known = known.min(*spread);
    }
    let parts = least
        .iter()
        .map(|(name, least)| format!(" {name} {least:.2}"));
    match least.is_empty() {
        true => String::new(),
        false => format!("  spread{}", parts.collect::<String>()),
    }
}

impl Stage {
    fn new(heading: String) -> Self {
        let now = Instant::now();
        Self {
            heading,
            start: now,
            shown: now,
            steps: 0,
            waited: 0.0,
            first: None,
            alarms: BTreeMap::new(),
            is_of_several: false,
        }
    }

    /// What is to be said of trainings after these steps.
    fn warnings(&mut self, lines: &[(String, StepMetrics)]) -> Vec<String> {
        let mut said = vec![];
        for (name, line) in lines {
            let alarm = self.alarms.entry(name.clone()).or_default();
            let label = match self.is_of_several {
                true => format!("{name}: "),
                false => String::new(),
            };
            said.extend(alarm.after(line).map(|warning| format!("{label}{warning}")));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collapse_is_said_with_the_name_of_its_training() {
        let mut stage = Stage::new(String::new());
        stage.is_of_several = true;
        let line = |name: &str, spread| {
            let line = StepMetrics {
                spread: [("v".to_owned(), spread)].into(),
                ..StepMetrics::default()
            };
            (name.to_owned(), line)
        };
        let lines = [line("one", 1.0), line("two", 0.0)];
        // The first one leaves on the way, and comes again.
        let own = |step: u64| match step {
            100..150 => &lines[1..],
            _ => &lines[..],
        };
        let said: Vec<String> = (0..400)
            .flat_map(|step| stage.warnings(own(step)))
            .collect();
        assert_eq!(said.len(), 1);
        assert!(
            said[0].starts_with("two: the embeddings of `v` have nearly collapsed"),
            "{said:?}"
        );
        assert_eq!(spread(&lines), "  spread v 0.00");
        assert_eq!(spread(&[]), "");
    }
}
