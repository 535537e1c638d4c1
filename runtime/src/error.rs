//! What can go wrong in the world, each with what, where and what to do.

use crate::ffi;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use tch::TchError;

/// An error that a user can act on. `Display` is one sentence, [`Error::help`] the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {action} `{}`: {cause}", path.display())]
    Io {
        /// `read`, `write`, `create`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A media file could not be decoded.
    #[error("cannot decode `{}`: {cause}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A data set is not as the experiment needs it.
    #[error("data set `{name}`: {message}")]
    Data {
        /// Its name in the experiment.
        name: String,
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// Too many files of a data set could not be used.
    #[error("data set `{name}`: {} of {total} files could not be read", failed.len())]
    TooManyFailures {
        /// Its name in the experiment.
        name: String,
        /// Files asked for so far.
        total: usize,
        /// The files and what was wrong with each.
        failed: Vec<(PathBuf, String)>,
    },
    /// A checkpoint or feature file is damaged or does not fit the experiment.
    #[error("`{}` cannot be used: {message}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A file of weights is none, or holds those of other networks.
    #[error("`{}`: {message}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// The device asked for is not there.
    #[error("device `{device}` is not available: {message}")]
    Device {
        /// As asked for.
        device: String,
        /// Why not.
        message: String,
    },
    /// The plan asks for something that this build cannot do.
    #[error("{message}")]
    Unsupported {
        /// What, and which build or version can.
        message: String,
    },
    /// The loss or its gradient became NaN or infinite.
    #[error("{}", not_finite(*step, *value, term.as_deref(), group.as_deref()))]
    NotFinite {
        /// The step.
        step: u64,
        /// Its loss.
        value: f64,
        /// The first term whose value is not finite.
        term: Option<String>,
        /// The first parameter group whose gradient is not finite.
        group: Option<String>,
        /// How the step can be looked at, or why it was not kept.
        replay: Option<String>,
    },
    /// A finished training, trained again for a state that it did not keep, takes another course.
    #[error("`{}` cannot be repeated here: the loss of step {step} is {now}, and was {then}", run.display())]
    NotRepeated {
        /// The run folder.
        run: PathBuf,
        /// The first step that differs.
        step: u64,
        /// Its loss in the finished run.
        then: String,
        /// Its loss now.
        now: String,
    },
    /// The ranks of a run cannot go on because of one of them.
    #[error("rank {rank} {what}")]
    Rank {
        /// Which.
        rank: usize,
        /// What happened there.
        what: String,
        /// Whether it has printed that itself.
        is_said: bool,
    },
    /// Stopped by a signal; nothing that looks finished is left.
    #[error("interrupted")]
    Interrupted,
    /// A step does not fit in the memory of its device.
    #[error("out of memory: a step of {samples} samples does not fit on this device{}", fitting(*fits, *is_beside))]
    OutOfMemory {
        /// Samples of a batch, or of the part of it that one of several ranks has, or that goes through the networks at once.
        samples: u32,
        /// The largest batch that was tried and fits; none where none did or none was tried.
        fits: Option<u32>,
        /// The largest part of the batch that fits and comes to the same, as `--micro-batch` takes it.
        part: Option<u32>,
        /// Other trainings have their networks on the device, too.
        is_beside: bool,
    },
    /// The networks of a training do not fit in the memory of its device.
    #[error("out of memory: the networks of this training do not fit on this device: {cause}")]
    NoRoom {
        /// What was said.
        cause: String,
    },
    /// A GPU does not record the step as a graph.
    #[error("the device refuses to record the step: {cause}")]
    NotRecorded {
        /// What was said.
        cause: String,
    },
    /// libtorch refused.
    #[error("libtorch: {}", said(_0))]
    Torch(#[from] tch::TchError),
    /// The run folders.
    #[error(transparent)]
    Records(#[from] records::Error),
}

/// What stands beside it and the batch that fits, for the end of a sentence.
fn fitting(fits: Option<u32>, is_beside: bool) -> String {
    let beside = match is_beside {
        true => " beside the other trainings",
        false => "",
    };
    let fits = fits.map_or_else(String::new, |fits| format!(", one of {fits} does"));
    format!("{beside}{fits}")
}

/// What libtorch says, without where in it that was.
pub(crate) fn said(error: &TchError) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first
        .trim_start_matches("Internal torch error: ")
        .to_owned()
}

/// What of a step is not finite, in words.
fn not_finite(step: u64, value: f64, term: Option<&str>, group: Option<&str>) -> String {
    let gradient = group.map_or("no gradient".to_owned(), |group| {
        format!("the first such gradient that in `{group}`")
    });
    match term {
        _ if value.is_finite() => format!(
            "the gradient in `{}` is not finite at step {step}, where the loss is {value}",
            group.unwrap_or_default()
        ),
        Some(term) => format!(
            "the loss became {value} at step {step}: the first such term is `{term}`, {gradient}"
        ),
        None => format!(
            "the loss became {value} at step {step}, from terms that are finite; {gradient}"
        ),
    }
}

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What the system says when `action` (`read`, `write`, `create`) fails at `path`.
    pub fn io(action: &'static str, path: &std::path::Path) -> impl Fn(std::io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Io {
            action,
            path: path.clone(),
            cause,
        }
    }

    /// The error behind a panic, where layers, which have no way to hand one on, have unwound with it: an error as such, or what libtorch
    /// says. Any other panic comes back.
    pub fn of_panic(panic: Box<dyn Any + Send>) -> std::result::Result<Self, Box<dyn Any + Send>> {
        let panic = match panic.downcast::<Error>() {
            Ok(error) => return Ok(*error),
            Err(panic) => panic,
        };
        let message = panic.downcast_ref::<String>();
        match message.and_then(|message| records::said_by_libtorch(message)) {
            Some(said) => Ok(Error::Torch(TchError::Torch(said))),
            None => Err(panic),
        }
    }

    /// What `work` gives, or the error that a layer inside of it could not hand on: see [`Error::of_panic`].
    ///
    /// Errors: those of `work`, what libtorch says, and another rank's failure.
    pub fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
        // What unwinds out of a part without gradients would leave them switched off.
        let gradients = ffi::GradientMode::kept();
        let done = catch_unwind(AssertUnwindSafe(work));
        drop(gradients);
        done.unwrap_or_else(|unwound| match Error::of_panic(unwound) {
            Ok(error) => Err(error),
            Err(other) => resume_unwind(other),
        })
    }

    /// The same of one of so many trainings side by side.
    pub fn beside(mut self, beside: usize) -> Self {
        if let Error::OutOfMemory { is_beside, .. } = &mut self {
            *is_beside = beside > 1;
        }
        self
    }

    /// Whether libtorch says that memory is used up, of a GPU or of the machine.
    pub fn is_of_memory(&self) -> bool {
        self.torch().is_some_and(records::is_of_memory)
    }

    /// Whether what libtorch says may mean that, or something else.
    pub fn may_be_of_memory(&self) -> bool {
        self.torch().is_some_and(records::may_be_of_memory)
    }

    /// The words of libtorch.
    fn torch(&self) -> Option<&str> {
        let Error::Torch(TchError::Torch(message)) = self else {
            return None;
        };
        Some(message)
    }

    /// What to do about it; `None` where the message says it.
    pub fn help(&self) -> Option<String> {
        match self {
            Error::Io { action, path, cause } => {
                let cause = std::io::Error::from(cause.kind());
                let (action, path) = (*action, path.clone());
                Some(records::Error::Io { action, path, cause }.help())
            }
            Error::Decode { .. } => {
                Some("replace the file, or take it out of the data set".to_owned())
            }
            Error::Data { help, .. } | Error::Weights { help, .. } => Some(help.clone()),
            Error::TooManyFailures { .. } => Some(
                "mend or remove them (`crisscross data check` names what is wrong), or allow more with `max_bad_share` in \
                 `crisscross.toml`"
                    .to_owned(),
            ),
            Error::Checkpoint { path, .. } => {
                let folder = path.parent().unwrap_or(path);
                Some(format!(
                    "remove the folder `{}` and run the same command again: the stage is then made anew",
                    folder.display()
                ))
            }
            Error::NotFinite { replay, .. } => {
                let help = "the training diverged: lower `lr_b`, lengthen its warm-up, or train with `precision = fp32`";
                let replay = replay.as_ref().map_or(String::new(), |replay| format!("; {replay}"));
                Some(format!("{help}{replay}"))
            }
            Error::NotRepeated { run, .. } => Some(format!(
                "run as its `run.json` names it under `environment` (device, versions, ranks, settings), or remove the folder `{}` and run the same \
                 command again: it is then trained anew, and keeps all states that are asked for",
                run.display()
            )),
            Error::Records(error) => Some(error.help()),
            Error::OutOfMemory { part, is_beside, .. } => {
                let alone = match is_beside {
                    true => "`--no-gang` gives each training the memory for itself; or ",
                    false => "",
                };
                let smaller = match part {
                    Some(part) => format!(
                        "`--micro-batch {part}` fits and comes to the same: the batch goes through the networks in parts"
                    ),
                    None => "train on more ranks, each takes a part of the batch, or set a smaller `bs`, which is another experiment".to_owned(),
                };
                Some(format!("{alone}{smaller}"))
            }
            Error::NoRoom { .. } => Some(
                "free memory of the device, or take one with more (`--device`); smaller networks are another experiment".to_owned(),
            ),
            Error::Torch(_) if self.is_of_memory() => Some(
                "free memory of the device, or take one with more (`--device`); what is finished is kept".to_owned(),
            ),
            Error::Torch(_) if self.may_be_of_memory() => Some(
                "a processor's layers say so where memory is used up, among other reasons: see what is free, and what limits this process \
                 (`ulimit -v`, a control group); where rows train side by side, `--no-gang` gives each the memory for itself"
                    .to_owned(),
            ),
            Error::NotRecorded { .. } => Some(
                "run without `--cuda-graph on`, or with `--cuda-graph off` where `crisscross.toml` has `cuda_graph = true`: what was trained is kept"
                    .to_owned(),
            ),
            Error::Rank { .. } => Some(
                "mend that and start the same command again: finished stages are kept".to_owned(),
            ),
            Error::Device { .. } | Error::Unsupported { .. } | Error::Interrupted | Error::Torch(_) => None,
        }
    }

    /// Whether rank `rank` is the one to print it: of failures that come from elsewhere, the first rank that is left does, unless the
    /// failing one has printed it already.
    pub fn is_for(&self, rank: usize) -> bool {
        let Error::Rank {
            rank: failed,
            is_said,
            ..
        } = self
        else {
            return true;
        };
        let speaks = match (is_said, failed) {
            (true, failed) => *failed,
            (false, 0) => 1,
            (false, _) => 0,
        };
        rank == speaks
    }

    /// Whether a disk can take no more: then every other stage would fail as well.
    #[allow(clippy::wildcard_enum_match_arm)] // `ErrorKind` is not ours and grows
    pub fn is_of_disk(&self) -> bool {
        use std::io::ErrorKind as Kind;
        let (Error::Io { cause, .. } | Error::Records(records::Error::Io { cause, .. })) = self
        else {
            return false;
        };
        matches!(
            cause.kind(),
            Kind::StorageFull | Kind::QuotaExceeded | Kind::ReadOnlyFilesystem
        )
    }

    /// The message with the files concerned and the help below it, as it is printed.
    pub fn in_full(&self) -> String {
        let mut lines = vec![self.to_string()];
        if let Error::TooManyFailures { failed, .. } = self {
            lines.extend(
                failed
                    .iter()
                    .map(|(path, cause)| format!("  {}: {cause}", path.display())),
            );
        }
        lines.extend(self.help().map(|help| format!("  = help: {help}")));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, Tensor};

    fn torch(message: &str) -> Error {
        Error::Torch(TchError::Torch(message.to_owned()))
    }

    #[test]
    fn what_libtorch_says_of_memory_is_understood() {
        let said = |message: &str| torch(message).is_of_memory();
        assert!(said("CUDA out of memory. Tried to allocate 2.00 GiB."));
        assert!(said(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."
        ));
        assert!(said(
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
        ));
        assert!(said("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"));
        assert!(!said("Expected all tensors to be on the same device"));
        assert!(!Error::Interrupted.is_of_memory());
    }

    #[test]
    fn a_call_of_libtorch_that_unwinds_is_an_error_and_leaves_gradients_as_they_were() {
        let ones = |n| Tensor::ones([n], (Kind::Float, Device::Cpu));
        let bad = || Ok(tch::no_grad(|| &ones(2) + &ones(3)));
        let error = Error::caught(bad).unwrap_err();
        let learned = ones(2).set_requires_grad(true);
        assert!((&learned * 2.0).requires_grad());
        let said = error.to_string();
        assert!(
            said.starts_with("libtorch: The size of tensor a (2)") && said.lines().count() == 1,
            "{said}"
        );
        // The same by a call that hands its error on.
        let handed = ones(2).f_add(&ones(3)).unwrap_err();
        assert_eq!(Error::from(handed).to_string(), said);
        let own = std::panic::catch_unwind(|| Error::caught(|| -> Result<()> { panic!("ours") }));
        assert!(own.is_err());
    }

    #[test]
    fn a_way_out_of_want_of_memory_is_named() {
        let error = |part, is_beside| Error::OutOfMemory {
            samples: 256,
            fits: Some(100),
            part,
            is_beside,
        };
        let full = error(Some(64), true).in_full();
        assert!(
            full.contains(
                "does not fit on this device beside the other trainings, one of 100 does"
            ) && full.contains("`--no-gang`")
                && full.contains("`--micro-batch 64`"),
            "{full}"
        );
        assert!(!error(None, false).in_full().contains("--no-gang"));
        let room = Error::NoRoom {
            cause: torch("can't allocate memory").to_string(),
        };
        assert!(room.help().is_some() && room.to_string().starts_with("out of memory"));
        assert!(torch("could not create a primitive").help().is_some());
        assert!(torch("no such operator").help().is_none());
    }
}
