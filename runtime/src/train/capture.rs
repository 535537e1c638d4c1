//! A training step as one graph of a GPU: recorded once, then given to the device with one call.
//!
//! A step is some thousand kernels, and small ones are over before the host has given the next one to the device. A graph holds all of
//! them: forwards, backwards, the watched numbers and the optimiser. What changes from step to step lies at places that stay: views are
//! copied to where the recorded ones lay, rates are numbers of the device.
//!
//! The first steps are taken as ever, on the stream that the recording uses: cuDNN tries its ways, libraries and optimisers take their
//! memory. A recording computes nothing, so that where it fails the state is that before the step. The training ends there: libtorch's
//! memory and random numbers go on as if it were recorded, and no step is taken on that.

use super::descent::Group;
use crate::bench::peak::wait;
use crate::data::batch::Batch;
use crate::data::overlaps::Overlaps;
use crate::device::sent;
use crate::error::{Error, Result};
use crate::ffi::{Graph, SideStream};
use crate::watch::gauges::{Gauges, Sent};
use compiler::graph::Node;
use compiler::loss::EmbeddingOp;
use compiler::plan::Pretrain;
use std::collections::BTreeMap;
use std::time::Duration;
use tch::{Device, Kind, Tensor, no_grad};

/// Steps before the recording.
const WARM_UP: u32 = 3;

/// Why the step of `work` cannot be recorded on this device, by so many ranks with so many trainings side by side.
pub(super) fn refusal(
    work: &Pretrain,
    device: Device,
    ranks: usize,
    beside: usize,
) -> Option<&'static str> {
    let has = |is: &dyn Fn(&Node) -> bool| work.steps.iter().any(|step| is(&step.node));
    let mut is_behind_batch = vec![];
    for step in work.steps.iter() {
        let reads_batch = step.inputs.iter().any(|&input| {
            matches!(work.steps[input].node, Node::Batch { .. }) || is_behind_batch[input]
        });
        let is_link = matches!(step.node, Node::Augment { .. } | Node::Convert { .. });
        is_behind_batch.push(is_link && reads_batch);
    }
    let remembers = |node: &Node| {
        matches!(
            node,
            Node::Operator {
                operator: EmbeddingOp::Ema { .. } | EmbeddingOp::Memory { .. }
            }
        )
    };
    if !device.is_cuda() {
        return Some("graphs are of GPUs, and this is a processor");
    }
    if ranks > 1 {
        return Some("several ranks exchange gradients in the middle of it");
    }
    if beside > 1 {
        return Some(
            "each of the rows side by side would hold the memory of its step: `--no-gang` trains them one by one",
        );
    }
    if has(&remembers) {
        return Some(
            "averages and banks move by numbers of the step and its clips, which a graph would keep as they were",
        );
    }
    if is_behind_batch.contains(&true) {
        return Some("links behind the batch draw their random numbers on the host");
    }
    None
}

/// A step that is, or will be, a graph.
pub(super) struct Capture {
    /// Where it is recorded and computed; current in this thread as long as this lives.
    stream: SideStream,
    device: Device,
    /// Whether there is no GPU: its place is taken by the processor, which computes again what was recorded.
    stands_in: bool,
    left: u32,
    recorded: Option<Recorded>,
}

/// What was recorded, and the places of what changes.
struct Recorded {
    /// None where a processor stands in.
    graph: Option<Graph>,
    batch: Batch,
    rates: Rates,
    gauges: Gauges,
}

/// The rate of each group as a number of the device.
pub(super) struct Rates {
    /// `[groups]`.
    all: Tensor,
    /// Scalars in it.
    own: BTreeMap<String, Tensor>,
}

impl Rates {
    fn new(rates: &[(String, f64)], device: Device) -> Self {
        // Fused kernels of GPUs read float32; a processor's read any, and then it is the number itself.
        let kind = if device.is_cuda() {
            Kind::Float
        } else {
            Kind::Double
        };
        let all = Tensor::zeros([rates.len() as i64], (kind, device));
        let own = rates.iter().zip(all.unbind(0));
        let own = own
            .map(|((group, _), rate)| (group.clone(), rate))
            .collect();
        Self { all, own }
    }

    /// Sets them to those of a step.
    fn set(&self, rates: &[(String, f64)]) -> Result<()> {
        let rates: Vec<f64> = rates.iter().map(|(_, rate)| *rate).collect();
        let rates = sent(&Tensor::from_slice(&rates), self.all.device());
        no_grad(|| self.all.shallow_clone().f_copy_(&rates))?;
        Ok(())
    }

    /// That of a group.
    pub fn of(&self, group: &Group) -> &Tensor {
        &self.own[&group.name]
    }
}

impl Capture {
    /// Begins with the steps before the recording.
    pub fn new(device: Device) -> Result<Self> {
        // What was given to the stream before this one is done.
        wait(device);
        Ok(Self {
            stream: SideStream::enter(device)?,
            device,
            stands_in: !device.is_cuda(),
            left: WARM_UP,
            recorded: None,
        })
    }

    /// Whether the next step is one of those before the recording.
    pub fn is_warming_up(&mut self) -> bool {
        let is_warming_up = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_warming_up
    }

    /// Whether there is a recording.
    pub fn has_recorded(&self) -> bool {
        self.recorded.is_some()
    }

    /// Gives a step to the device, with the rates of the groups by their names. `compute` gives it kernel by kernel, from a batch and
    /// rates at places that stay.
    ///
    /// Errors: [`Error::NotRecorded`], and what libtorch says.
    pub fn give(
        &mut self,
        batch: &Batch,
        rates: &[(String, f64)],
        compute: &mut dyn FnMut(&Batch, &Rates) -> Result<Gauges>,
    ) -> Result<Sent> {
        if self.recorded.is_none() {
            let recorded = self.record(batch, rates, compute);
            self.recorded = Some(recorded.map_err(|error| Error::NotRecorded {
                cause: error.to_string(),
            })?);
        }
        let recorded = self.recorded.as_mut().expect("it was recorded just now");
        recorded.load(batch)?;
        recorded.rates.set(rates)?;
        match &recorded.graph {
            Some(graph) => graph.replay()?,
            None => recorded.gauges = compute(&recorded.batch, &recorded.rates)?,
        }
        recorded.gauges.shared().send()
    }

    fn record(
        &mut self,
        batch: &Batch,
        rates: &[(String, f64)],
        compute: &mut dyn FnMut(&Batch, &Rates) -> Result<Gauges>,
    ) -> Result<Recorded> {
        self.stream.finish()?;
        let (batch, rates) = (places(batch)?, Rates::new(rates, self.device));
        if self.stands_in {
            // Nothing is computed by a recording, so there is nothing yet that was watched.
            let gauges = Gauges::none(self.device);
            return Ok(Recorded {
                graph: None,
                batch,
                rates,
                gauges,
            });
        }
        wait(self.device);
        let graph = Graph::begin()?;
        let computed = compute(&batch, &rates);
        // Ended in any case: until then nothing else can be computed on this stream.
        let ended = graph.end();
        let gauges = computed?;
        ended?;
        Ok(Recorded {
            graph: Some(graph),
            batch,
            rates,
            gauges,
        })
    }
}

impl Recorded {
    /// Copies the views of a batch to their places.
    fn load(&self, batch: &Batch) -> Result<()> {
        let views = self.batch.views.iter();
        let is_same = batch.views.len() == self.batch.views.len()
            && views.clone().all(|(key, place)| {
                let view = batch.views.get(key);
                view.is_some_and(|view| view.size() == place.size() && view.kind() == place.kind())
            });
        if !is_same {
            return Err(Error::Unsupported {
                message: "a batch has other views than the one whose step was recorded".to_owned(),
            });
        }
        for (key, place) in views {
            no_grad(|| place.shallow_clone().f_copy_(&batch.views[key]))?;
        }
        Ok(())
    }
}

/// Memory for the views of batches as this one.
fn places(of: &Batch) -> Result<Batch> {
    let views = of.views.iter();
    let views = views.map(|(key, view)| Ok((key.clone(), view.f_empty_like()?)));
    Ok(Batch {
        views: views.collect::<Result<_>>()?,
        keys: of.keys.clone(),
        clips: of.clips.clone(),
        overlaps: Overlaps::default(),
        step: of.step,
        waited: Duration::ZERO,
        queued: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_that_is_refused_is_said_as_such() {
        let mut capture = Capture {
            stands_in: false,
            left: 0,
            ..Capture::new(Device::Cpu).unwrap()
        };
        let batch = Batch {
            views: BTreeMap::new(),
            keys: vec![],
            clips: crate::data::batch::Clips {
                own: vec![],
                all: (0..1).collect(),
            },
            overlaps: Overlaps::default(),
            step: 3,
            waited: Duration::ZERO,
            queued: 0,
        };
        let rates = [("v.f".to_owned(), 0.1)];
        let given = capture.give(&batch, &rates, &mut |_, _| {
            unreachable!("a processor records nothing")
        });
        let error = given.err().unwrap();
        assert!(matches!(error, Error::NotRecorded { .. }), "{error}");
        assert!(error.in_full().contains("`--cuda-graph off`"), "{error}");
        assert!(!capture.has_recorded());
    }
}
