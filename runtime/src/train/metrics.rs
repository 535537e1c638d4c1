//! The numbers of each step, and the file that keeps them.

use crate::data::batch::Batch;
use crate::error::{Error, Result};
use crate::watch::board::Board;
use compiler::hir::Pretrain;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The file of a training's numbers in its run folder: one JSON object for each step.
pub const METRICS: &str = records::folder::METRICS;

/// One line of [`METRICS`].
#[derive(Clone, Debug, Default, Serialize)]
pub struct StepMetrics {
    /// Counted from 0 over all epochs.
    pub step: u64,
    /// Counted from 0.
    pub epoch: u64,
    /// The objective.
    pub loss: f64,
    /// The value of each term, by the name of its step in the plan.
    pub terms: BTreeMap<String, f64>,
    /// The learning rate of each parameter group.
    pub rates: BTreeMap<String, f64>,
    /// The Euclidean norm of the gradient of the objective. `null` in the file where it was not finite, which in float16 is a step that
    /// was not taken.
    pub gradient: f64,
    /// What the loss was multiplied by before its gradient was taken, in float16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// The same of each parameter group.
    pub gradients: BTreeMap<String, f64>,
    /// How widely the embeddings of each modality are spread over their sphere: 1 is healthy, 0 a collapse. None where the batch has
    /// one sample.
    pub spread: BTreeMap<String, f64>,
    /// Samples per second of this step, the wait for data included.
    pub samples_per_s: f64,
    /// Seconds that the step waited for its batch: all the time that the data cost it.
    pub data_wait: f64,
    /// Samples that were ready when the step asked for its batch, those of its own among them: 0 where the loader cannot keep up,
    /// and as many as are made ahead where it could do more.
    pub data_queue: u64,
    /// The most bytes that were taken at once so far: of a GPU by tensors, else of the machine by this process. None where nobody
    /// counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
}

/// The open file of metrics, and the event file beside it. Each line is flushed, so that a run can be watched and an interrupted
/// one read.
pub(super) struct Metrics<'w> {
    file: BufWriter<File>,
    path: PathBuf,
    settings: &'w Pretrain,
    board: Board,
}

impl<'w> Metrics<'w> {
    /// An empty file in the folder `out`.
    pub fn create(out: &Path, settings: &'w Pretrain) -> Result<Self> {
        let path = out.join(METRICS);
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        Ok(Self {
            file: BufWriter::new(file),
            path,
            settings,
            board: Board::open(out, settings, 0)?,
        })
    }

    /// Shows the batch of this step if it is the first.
    pub fn show(&mut self, step: u64, batch: &Batch) -> Result<()> {
        match step {
            0 => self.board.views(step, self.settings, batch),
            _ => Ok(()),
        }
    }

    /// The file in the folder `out` behind the lines of its first `steps` steps: what was written after them is cut off.
    pub fn take_up(out: &Path, settings: &'w Pretrain, steps: u64) -> Result<Self> {
        let path = out.join(METRICS);
        let mut file = File::options().read(true).write(true).open(&path);
        let end = file
            .as_mut()
            .map_err(|cause| std::io::Error::from(cause.kind()))
            .and_then(|file| end_of(file, steps))
            .map_err(Error::io("read", &path))?;
        let mut file = file.map_err(Error::io("read", &path))?;
        let end = end.ok_or_else(|| Error::Checkpoint {
            path: path.clone(),
            message: format!("it does not have the numbers of the first {steps} steps"),
        })?;
        file.set_len(end)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map_err(Error::io("write", &path))?;
        Ok(Self {
            file: BufWriter::new(file),
            path,
            settings,
            board: Board::open(out, settings, steps)?,
        })
    }

    /// Adds a line.
    pub fn write(&mut self, line: &StepMetrics) -> Result<()> {
        let written = serde_json::to_writer(&mut self.file, line).map_err(std::io::Error::from);
        let written = written
            .and_then(|()| self.file.write_all(b"\n"))
            .and_then(|()| self.file.flush());
        written.map_err(Error::io("write", &self.path))?;
        self.board.step(line)
    }

    /// Brings what was written to the disk.
    pub fn sync(&self) -> Result<()> {
        let file = self.file.get_ref();
        file.sync_all().map_err(Error::io("write", &self.path))?;
        self.board.sync()
    }

    /// Ends both files.
    pub fn finish(self) -> Result<()> {
        self.sync()?;
        self.board.finish()
    }
}

/// Bytes of the lines of the first `steps` steps; `None` where they are not all there, in order.
fn end_of(file: &mut File, steps: u64) -> std::io::Result<Option<u64>> {
    #[derive(serde::Deserialize)]
    struct Line {
        step: u64,
    }
    let (mut lines, mut end, mut line) = (BufReader::new(file), 0, String::new());
    for step in 0..steps {
        line.clear();
        end += lines.read_line(&mut line)? as u64;
        let found = serde_json::from_str::<Line>(&line);
        if !line.ends_with('\n') || !found.is_ok_and(|line| line.step == step) {
            return Ok(None);
        }
    }
    Ok(Some(end))
}
