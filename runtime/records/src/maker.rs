//! By what and where something was made, and what of that may round its numbers otherwise.

use compiler::plan::{Pretrain, Work};
use serde::{Deserialize, Serialize};

/// Digits of a hash that are kept.
const DIGITS: usize = 16;

/// The numeric environment: not part of a stage's identity, kept beside it, so that a report can say where a table mixes two.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Environment {
    /// The machine's name.
    pub host: String,
    /// `cpu`, or the name of the GPU; its number, `cuda:0`, in runs of older versions.
    pub device: String,
    /// Threads of one operation; sums may be split by them.
    pub threads: u32,
    /// The version of PyTorch's library.
    pub torch: Option<String>,
    /// The version of CUDA; none on a processor, and in runs of older versions.
    pub cuda: Option<String>,
    /// The version of FFmpeg's libraries.
    pub ffmpeg: Option<String>,
    /// Whether a GPU rounded the factors of float32 products to TF32; none on a processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tf32: Option<bool>,
    /// How maps lay, where that was not left to the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_format: Option<String>,
    /// Whether a GPU was to be given training steps as graphs; none on a processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cuda_graph: Option<bool>,
    /// Samples of a batch that went through the networks at once, of all ranks; none where all of it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<u32>,
    /// Hash of the training step as it was executed, which passes change; none of other stages, and in runs of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<String>,
    /// Processes that trained together; none where one did alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<u32>,
}

impl Environment {
    /// The same for this work: what its training step is, and the parts of its batches where there are several.
    pub fn of(self, work: &Work) -> Self {
        match work {
            Work::Pretrain(work) => self.of_training(work),
            Work::Extract(_) | Work::Finetune(_) | Work::Score(_) | Work::Draw(_) => Self {
                micro_batch: None,
                ..self
            },
        }
    }

    /// The same for this pretraining.
    pub fn of_training(self, work: &Pretrain) -> Self {
        let text = serde_json::to_string(&*work.steps).expect("steps are plain data");
        Self {
            micro_batch: self.micro_batch.filter(|part| *part < work.settings.bs),
            steps: Some(blake3::hash(text.as_bytes()).to_hex()[..DIGITS].to_owned()),
            ..self
        }
    }

    /// What could change a number: device kind and libraries, without the host's name, the threads and the ranks.
    pub fn numeric(&self) -> String {
        let version =
            |name: &str, value: &Option<String>| value.as_ref().map(|v| format!("{name} {v}"));
        let parts = [
            version("torch", &self.torch),
            version("CUDA", &self.cuda),
            version("FFmpeg", &self.ffmpeg),
            self.tf32.filter(|tf32| *tf32).map(|_| "TF32".to_owned()),
        ];
        [Some(self.device.clone())]
            .into_iter()
            .chain(parts)
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// By what and where something was computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maker {
    /// The version of crisscross.
    pub code: String,
    /// What the numbers may depend on beside it.
    pub environment: Environment,
}

impl Maker {
    /// Why a repetition of what this one has made may round otherwise, `now`: another machine's processor and any GPU do.
    pub fn rounding(&self, now: &Maker) -> Option<String> {
        let (then, here) = (&self.environment, &now.environment);
        let differences = self.differences(now);
        match (differences.is_empty(), then.host == here.host) {
            (false, _) => Some(differences.join(", ")),
            (true, false) => Some(format!("it was made on {}", then.host)),
            (true, true) if here.device != "cpu" => Some("a GPU adds up in any order".to_owned()),
            (true, true) => None,
        }
    }

    /// Why `now` may round otherwise: `4 threads before, 2 now`. Of the machine only what its device is counts.
    pub fn differences(&self, now: &Maker) -> Vec<String> {
        let threads = |maker: &Maker| maker.environment.threads.to_string();
        let ranks = |maker: &Maker| maker.environment.ranks.unwrap_or(1).to_string();
        let version = |of: &Option<String>| of.clone().unwrap_or_else(|| "none".to_owned());
        let format = |of: &Environment| of.memory_format.clone().unwrap_or("auto".to_owned());
        let switch = |is_on: Option<bool>| match is_on {
            Some(true) => "on".to_owned(),
            Some(false) | None => "off".to_owned(),
        };
        let parts = |maker: &Maker| match maker.environment.micro_batch {
            Some(samples) => format!("in parts of {samples}"),
            None => "whole".to_owned(),
        };
        let (then, here) = (&self.environment, &now.environment);
        let devices = devices(then, here);
        // Older versions did not note them; a processor has no CUDA.
        let noted = |then: &Option<String>, here: &Option<String>| match (then, here) {
            (Some(then), Some(here)) => (then.clone(), here.clone()),
            (None, _) | (_, None) => Default::default(),
        };
        let steps = noted(&then.steps, &here.steps);
        let cuda = noted(&then.cuda, &here.cuda);
        let all = [
            ("", " threads", threads(self), threads(now)),
            ("", " processes", ranks(self), ranks(now)),
            ("", "", devices.0, devices.1),
            ("crisscross ", "", self.code.clone(), now.code.clone()),
            ("torch ", "", version(&then.torch), version(&here.torch)),
            ("CUDA ", "", cuda.0, cuda.1),
            ("TF32 ", "", switch(then.tf32), switch(here.tf32)),
            ("maps ", "", format(then), format(here)),
            (
                "CUDA graph ",
                "",
                switch(then.cuda_graph),
                switch(here.cuda_graph),
            ),
            ("batches ", "", parts(self), parts(now)),
            ("steps ", "", steps.0, steps.1),
            ("FFmpeg ", "", version(&then.ffmpeg), version(&here.ffmpeg)),
        ];
        let differs = all.into_iter().filter(|(_, _, then, here)| then != here);
        differs
            .map(|(name, unit, then, here)| format!("{name}{then}{unit} before, {here} now"))
            .collect()
    }
}

/// What two devices are, as far as both are known: of a GPU older versions noted its number, not what it is.
fn devices(then: &Environment, here: &Environment) -> (String, String) {
    let of = |environment: &Environment| match environment.device.starts_with("cuda") {
        true => "cuda".to_owned(),
        false => environment.device.clone(),
    };
    let (then, here) = (of(then), of(here));
    let is_known = |device: &str| device != "cuda";
    let is_gpu = |device: &str| device != "cpu";
    match is_gpu(&then) && is_gpu(&here) && !(is_known(&then) && is_known(&here)) {
        true => Default::default(),
        false => (then, here),
    }
}

/// By what and where a file was made that was asked for when its run was finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Later {
    /// By what and where.
    #[serde(flatten)]
    pub maker: Maker,
    /// How far its losses were off those of the run at most, of each or of 1 where it is smaller: its course is another by rounding. None
    /// where they were the same to the last bit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn what_may_round_otherwise_is_said() {
        let maker = |threads, ranks, device: &str, code: &str| Maker {
            code: code.to_owned(),
            environment: Environment {
                host: format!("node{threads}"),
                device: device.to_owned(),
                threads,
                ranks,
                ..Environment::default()
            },
        };
        let first = maker(4, None, "cpu", "0.1.0");
        assert!(first.differences(&first).is_empty());
        let said = first.differences(&maker(2, Some(2), "cuda:1", "0.2.0"));
        assert_eq!(
            said,
            [
                "4 threads before, 2 now",
                "1 processes before, 2 now",
                "cpu before, cuda now",
                "crisscross 0.1.0 before, 0.2.0 now"
            ]
        );
        // Another GPU of the same kind, one process that says so.
        let gpu = maker(1, Some(1), "cuda:0", "0.1.0");
        assert!(
            gpu.differences(&maker(1, None, "cuda:3", "0.1.0"))
                .is_empty()
        );
        // Its kind, where it was noted, and the CUDA on it.
        let named = |name: &str, cuda: Option<&str>| Maker {
            environment: Environment {
                cuda: cuda.map(str::to_owned),
                ..maker(1, None, name, "0.1.0").environment
            },
            ..gpu.clone()
        };
        let h100 = named("NVIDIA H100", Some("13.0"));
        assert!(h100.differences(&h100).is_empty());
        assert!(gpu.differences(&h100).is_empty() && h100.differences(&gpu).is_empty());
        assert_eq!(
            h100.differences(&named("NVIDIA A100", Some("12.8"))),
            [
                "NVIDIA H100 before, NVIDIA A100 now",
                "CUDA 13.0 before, 12.8 now"
            ]
        );
        assert_eq!(
            h100.differences(&named("cpu", None)),
            ["NVIDIA H100 before, cpu now"]
        );
        // A repetition is exact on the same processor alone.
        assert_eq!(first.rounding(&first), None);
        assert_eq!(
            gpu.rounding(&gpu).as_deref(),
            Some("a GPU adds up in any order")
        );
        let mut elsewhere = first.clone();
        elsewhere.environment.host = "node9".to_owned();
        assert_eq!(
            first.rounding(&elsewhere).as_deref(),
            Some("it was made on node4")
        );
    }

    #[test]
    fn what_is_set_for_a_training_step_may_round_otherwise() {
        let first = Maker {
            code: "0.1.0".to_owned(),
            environment: Environment::default(),
        };
        let with = |environment| Maker {
            environment,
            ..first.clone()
        };
        let set = with(Environment {
            memory_format: Some("channels_last".to_owned()),
            cuda_graph: Some(true),
            micro_batch: Some(2),
            steps: Some("b".to_owned()),
            ..Environment::default()
        });
        // An older run does not say which steps were executed.
        assert_eq!(
            first.differences(&set),
            [
                "maps auto before, channels_last now",
                "CUDA graph off before, on now",
                "batches whole before, in parts of 2 now",
            ]
        );
        let other = with(Environment {
            steps: Some("a".to_owned()),
            ..set.environment.clone()
        });
        assert_eq!(other.differences(&set), ["steps a before, b now"]);
    }

    #[test]
    fn the_environment_of_a_training_names_its_steps_and_parts() {
        let text =
            "use paper\ntable t { of = crisscross   scores = [linear8 on UCF101]   row ep = 5 }\n";
        let plan = crate::fixture::planned(text);
        fn of(work: &Work) -> Environment {
            let all = Environment {
                micro_batch: Some(2),
                ..Environment::default()
            };
            all.of(work)
        }
        let mut trained = 0;
        for work in plan.stages.iter().map(|stage| &stage.work) {
            let found = of(work);
            let Work::Pretrain(pretrain) = work else {
                assert_eq!((found.micro_batch, found.steps), (None, None));
                continue;
            };
            trained += 1;
            assert_eq!(found.micro_batch, Some(2));
            let mut other = pretrain.clone();
            let steps = Arc::make_mut(&mut other.steps);
            steps.reverse();
            assert_ne!(of(&Work::Pretrain(other.clone())).steps, found.steps);
            Arc::make_mut(&mut other.settings).bs = 2;
            assert_eq!(of(&Work::Pretrain(other)).micro_batch, None);
        }
        assert!(trained > 0);
    }
}
