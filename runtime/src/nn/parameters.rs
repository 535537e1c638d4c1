//! The parameters and buffers of one group, by the names of the released code, and where their first values come from.
//!
//! The first value of a parameter is a function of (seed, its name, the position in the tensor) alone: which other networks
//! exist, and in what order they are made, changes nothing. There is no generator with a state.

use super::running::Running;
use crate::augment::draws::Key;
use crate::ranks::Ranks;
use std::rc::Rc;
use tch::{Device, Kind, Tensor, no_grad};

/// The distribution of a parameter's first values.
#[derive(Clone, Copy, Debug)]
pub enum Init {
    /// Uniform in plus or minus the bound.
    Uniform(f64),
    /// Normal with this standard deviation.
    Normal(f64),
    /// All equal.
    Constant(f64),
}

/// One named tensor.
#[derive(Debug)]
pub struct Entry {
    /// `video_backbone.conv1.0.weight`.
    pub name: String,
    /// The tensor; the network's layers hold the same storage.
    pub tensor: Tensor,
    /// A parameter, learned by the optimiser or following one that is; otherwise a statistic of BatchNorm.
    pub is_learned: bool,
}

/// The tensors of one parameter group in the order in which the network's layers made them.
#[derive(Debug)]
pub struct Parameters {
    entries: Vec<Entry>,
    seed: u64,
    kind: Kind,
    device: Device,
    ranks: Ranks,
    running: Vec<Rc<Running>>,
}

impl Parameters {
    /// No tensors yet. `kind` is that of the parameters and of the running statistics.
    pub fn new(seed: u64, kind: Kind, device: Device) -> Self {
        Self {
            entries: Vec::new(),
            seed,
            kind,
            device,
            ranks: Ranks::alone(),
            running: Vec::new(),
        }
    }

    /// The same on each of these ranks: layers that look across the batch look across those of all.
    pub fn on(self, ranks: &Ranks) -> Self {
        Self {
            ranks: ranks.clone(),
            ..self
        }
    }

    /// The ranks that train them.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// Parameters and buffers.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The parameters alone, sharing their storage.
    pub fn learned(&self) -> Vec<Tensor> {
        self.entries
            .iter()
            .filter(|entry| entry.is_learned)
            .map(|entry| entry.tensor.shallow_clone())
            .collect()
    }

    /// A new parameter.
    pub fn learn(&mut self, name: String, shape: &[i64], init: Init) -> Tensor {
        let tensor = self.first_values(&name, shape, init);
        self.add(name, tensor.set_requires_grad(true), true)
    }

    fn first_values(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        let count = usize::try_from(shape.iter().product::<i64>()).unwrap_or(0);
        let values = draws(self.seed, name, count, init);
        Tensor::from_slice(&values)
            .view(shape)
            .to_kind(self.kind)
            .to_device(self.device)
    }

    /// A new buffer, all `value`.
    pub fn buffer(&mut self, name: String, shape: &[i64], value: f64) -> Tensor {
        let tensor = Tensor::full(shape, value, (self.kind, self.device));
        self.add(name, tensor, false)
    }

    /// A new buffer with first values of its own, as a parameter has them.
    pub fn drawn(&mut self, name: String, shape: &[i64], init: Init) -> Tensor {
        let tensor = self.first_values(&name, shape, init);
        self.add(name, tensor, false)
    }

    /// The same tensors, their names behind `prefix`.
    pub fn behind(mut self, prefix: &str) -> Self {
        for entry in &mut self.entries {
            entry.name.insert_str(0, prefix);
        }
        self
    }

    /// New running statistics of BatchNorm: mean 0, variance 1, moved 0 times; named as PyTorch does, after `name`.
    pub fn running(&mut self, name: &str, channels: i64) -> Rc<Running> {
        let mean = self.buffer(format!("{name}.running_mean"), &[channels], 0.0);
        let variance = self.buffer(format!("{name}.running_var"), &[channels], 1.0);
        let calls = self.counter(format!("{name}.num_batches_tracked"));
        let running = Rc::new(Running::new([mean, variance, calls]));
        self.running.push(Rc::clone(&running));
        running
    }

    /// The running statistics of all layers.
    pub fn all_running(&self) -> impl Iterator<Item = &Rc<Running>> {
        self.running.iter()
    }

    /// A new counter: a 64-bit integer, 0.
    pub fn counter(&mut self, name: String) -> Tensor {
        let tensor = Tensor::zeros([], (Kind::Int64, self.device));
        self.add(name, tensor, false)
    }

    fn add(&mut self, name: String, tensor: Tensor, is_learned: bool) -> Tensor {
        self.entries.push(Entry {
            name,
            tensor: tensor.shallow_clone(),
            is_learned,
        });
        tensor
    }
}

impl Entry {
    /// The same tensor under the same name.
    pub fn shared(&self) -> Self {
        Self {
            name: self.name.clone(),
            tensor: self.tensor.shallow_clone(),
            is_learned: self.is_learned,
        }
    }

    /// Overwrites the values. The shape must be that of the tensor; kind and device may differ.
    pub fn set(&self, values: &Tensor) -> crate::error::Result<()> {
        Ok(no_grad(|| self.tensor.shallow_clone().f_copy_(values))?)
    }
}

/// `count` values of the distribution for the tensor of this name. In float32, so that runs of any precision start equal.
fn draws(seed: u64, name: &str, count: usize, init: Init) -> Vec<f32> {
    let mut draws = Key::at(seed, &format!("init/{name}")).stream();
    let value = || match init {
        Init::Constant(value) => value as f32,
        Init::Uniform(bound) => draws.uniform(-bound, bound) as f32,
        Init::Normal(std) => (std * draws.normal()) as f32,
    };
    std::iter::repeat_with(value).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_values_have_the_moments_asked_for() {
        let moments = |init| {
            let values = draws(7, "video_backbone.conv1.0.weight", 100_000, init);
            let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / 1e5;
            (
                mean,
                (values
                    .iter()
                    .map(|&x| (f64::from(x) - mean).powi(2))
                    .sum::<f64>()
                    / 1e5)
                    .sqrt(),
            )
        };
        // Three standard errors of the mean of 100 000 values; the deviations' own errors are smaller.
        let (mean, std) = moments(Init::Normal(0.5));
        assert!(
            mean.abs() < 0.005 && (std - 0.5).abs() < 0.005,
            "{mean} {std}"
        );
        let (mean, std) = moments(Init::Uniform(0.5));
        assert!(
            mean.abs() < 0.003 && (std - 0.5 / 3f64.sqrt()).abs() < 0.003,
            "{mean} {std}"
        );
    }

    #[test]
    fn first_values_depend_on_seed_and_name_alone() {
        let values = |seed, name| draws(seed, name, 8, Init::Uniform(1.0));
        assert_eq!(values(0, "a.weight"), values(0, "a.weight"));
        assert_ne!(values(0, "a.weight"), values(1, "a.weight"));
        assert_ne!(values(0, "a.weight"), values(0, "b.weight"));
    }
}
