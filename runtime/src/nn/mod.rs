//! The networks of an experiment: backbones (Tables S5, S6), projectors and predictors (S7, S8), built from the layers that
//! the file names and called as the released code calls them, so that its checkpoints and ours have the same names.

pub mod averages;
pub mod banks;
pub mod heads;
pub mod layers;
pub mod lie;
pub mod parameters;
pub mod r2plus1d;
pub mod resnet;
pub mod running;
pub mod stages;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::ffi::Half;
use crate::ranks::Ranks;
use averages::Average;
use banks::Bank;
use compiler::graph::shapes;
use compiler::hir::{self, Layer, Precision};
use heads::Head;
pub use layers::Mode;
use parameters::{Entry, Init, Parameters};
use r2plus1d::R2plus1d;
use resnet::Resnet;
use running::Running;
use std::collections::BTreeMap;
use std::rc::Rc;
use tch::{Device, Kind, Tensor, no_grad};

/// Parameters and running statistics of this precision. Under mixed precision they are float32; the arithmetic alone is not.
pub fn kind(precision: Precision) -> Kind {
    match precision {
        Precision::Amp | Precision::Fp32 | Precision::Bf16 | Precision::Fp16 => Kind::Float,
        Precision::Fp64 => Kind::Double,
    }
}

/// The numbers of 16 bits that the networks compute in on this device, where they do.
pub fn half(precision: Precision, device: Device) -> Option<Half> {
    match precision {
        Precision::Fp32 | Precision::Fp64 => None,
        Precision::Bf16 => Some(Half::Bfloat16),
        Precision::Fp16 => Some(Half::Float16),
        Precision::Amp => device.is_cuda().then_some(Half::Bfloat16),
    }
}

/// What names of tensors begin with: `video` and `audio` as in the released code, else the modality's own name.
fn prefix(modality: &str) -> &str {
    match modality {
        "v" => "video",
        "a" => "audio",
        other => other,
    }
}

/// What the backbone of a modality is called: `video_backbone`.
pub(crate) fn backbone_name(modality: &str) -> String {
    format!("{}_backbone", prefix(modality))
}

/// A convolutional network up to its last map.
#[derive(Debug)]
pub enum Backbone {
    /// For clips of frames.
    R2plus1d(R2plus1d),
    /// For spectrograms.
    Resnet(Resnet),
}

impl Backbone {
    /// The backbone that `layer` describes; tensors are called `NAME.conv1.0.weight` and so on.
    fn new(parameters: &mut Parameters, name: &str, layer: Option<&Layer>) -> Result<Self> {
        match layer {
            Some(Layer::R2plus1d {
                depth,
                width,
                strides,
            }) => {
                let width = i64::from(*width);
                let network = R2plus1d::new(parameters, name, *depth, width, strides)?;
                Ok(Self::R2plus1d(network))
            }
            Some(Layer::Resnet {
                depth,
                width,
                channels,
                strides,
            }) => {
                let channels = (i64::from(*channels), i64::from(*width));
                let network = Resnet::new(parameters, name, *depth, channels, strides)?;
                Ok(Self::Resnet(network))
            }
            Some(Layer::BagOfWords { .. }) => Err(Error::Unsupported {
                message: format!("`{name}`: this version cannot train a network of words"),
            }),
            Some(Layer::Fc { .. } | Layer::Bn | Layer::Relu | Layer::L2) | None => {
                Err(Error::Unsupported {
                    message: format!("`{name}`: an `f` begins with a backbone"),
                })
            }
        }
    }

    /// The backbone of a modality alone, with its first values: what an evaluation loads a checkpoint into. The second value
    /// holds its tensors.
    pub fn of_modality(
        settings: &hir::Pretrain,
        modality: &str,
        device: Device,
    ) -> Result<(Self, Parameters)> {
        let owner = owner(settings, modality, |m| Some(&m.f))?;
        let mut parameters = Parameters::new(settings.seed, kind(settings.precision), device);
        let name = backbone_name(&owner.name);
        let backbone = Self::new(&mut parameters, &name, owner.f.layers.first())?;
        Ok((backbone, parameters))
    }

    /// The maps after the stem's pool and after each stage: `conv1` to `conv5x`.
    pub fn maps<'a>(
        &'a self,
        x: &Tensor,
        is_training: bool,
    ) -> Box<dyn Iterator<Item = Tensor> + 'a> {
        self.maps_in(
            x,
            if is_training {
                Mode::Training { parts: 1 }
            } else {
                Mode::Evaluation
            },
        )
    }

    fn maps_in<'a>(&'a self, x: &Tensor, mode: Mode) -> Box<dyn Iterator<Item = Tensor> + 'a> {
        match self {
            Backbone::R2plus1d(network) => Box::new(network.maps(x, mode)),
            Backbone::Resnet(network) => Box::new(network.maps(x, mode)),
        }
    }

    /// Channels of the last map.
    pub fn width(&self) -> i64 {
        match self {
            Backbone::R2plus1d(network) => network.width(),
            Backbone::Resnet(network) => network.width(),
        }
    }

    /// The last map in evaluation: running statistics, no gradient. `[B, C, T, H, W]` or `[B, C, F, T]`, C = 8 widths.
    pub fn conv5(&self, x: &Tensor) -> Tensor {
        no_grad(|| self.last(x, Mode::Evaluation))
    }

    /// The mean of the last map: `[B, 8 width]`.
    fn pooled(&self, x: &Tensor, mode: Mode) -> Tensor {
        pool(&self.last(x, mode))
    }

    /// The last map, with a gradient where one is asked for: `[B, C, T, H, W]` or `[B, C, F, T]`.
    pub fn last(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.maps_in(x, mode)
            .last()
            .expect("there is a map after the stem")
    }
}

/// The output of a backbone, `[B, C]`, of its last map: the mean over all places.
pub fn pool(map: &Tensor) -> Tensor {
    map.flatten(2, -1).mean_dim(-1, false, None)
}

/// The parameter group whose weights the encoder of this modality has: its own, or that which it is `same` as.
pub fn encoder_of(modality: &hir::Modality) -> String {
    let own = || format!("{}.f", modality.name);
    modality.f.same.clone().unwrap_or_else(own)
}

/// The network whose weights the backbone of this modality has: its own, or those of the one that it is `same` as.
pub(crate) fn backbone_of(settings: &hir::Pretrain, modality: &str) -> Result<String> {
    Ok(backbone_name(
        &owner(settings, modality, |m| Some(&m.f))?.name,
    ))
}

/// One parameter group: `v.f`, `v.h` or `linear300`.
#[derive(Debug)]
struct Group {
    network: Network,
    parameters: Parameters,
}

/// The network of a group.
#[derive(Debug)]
enum Network {
    /// `f`: backbone, mean over the map, projector.
    Encoder(Backbone, Head),
    /// `h`.
    Predictor(Head),
    /// A linear layer without bias that the loss owns: `[outputs, inputs]`.
    Linear(Tensor),
}

impl Network {
    /// What it makes of `x`; a call in training moves the running statistics.
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        match self {
            Network::Encoder(backbone, projector) => {
                projector.forward(&backbone.pooled(x, mode), mode)
            }
            Network::Predictor(predictor) => predictor.forward(x, mode),
            Network::Linear(weight) => x.linear(weight, None::<&Tensor>),
        }
    }
}

/// What a loss remembers between steps, beside the networks.
#[derive(Debug, Default)]
pub struct Memories {
    /// Copies that follow a group by a moving average.
    pub averages: Vec<Average>,
    /// Rows for each sample.
    pub banks: Vec<Bank>,
}

/// The networks that one pretraining trains.
#[derive(Debug)]
pub struct Model {
    /// By group name; a group that is `same` as another is not here.
    groups: BTreeMap<String, Group>,
    memories: Memories,
    ranks: Ranks,
}

impl Model {
    /// The groups that the training step uses, with their first values. A group that is `same` as another has its parameters.
    pub fn new(
        settings: &hir::Pretrain,
        groups: impl IntoIterator<Item = impl Into<String>>,
        device: Device,
    ) -> Result<Self> {
        Self::on_ranks(settings, groups, device, &Ranks::alone())
    }

    /// The same as one of several ranks has them.
    pub fn on_ranks(
        settings: &hir::Pretrain,
        groups: impl IntoIterator<Item = impl Into<String>>,
        device: Device,
        ranks: &Ranks,
    ) -> Result<Self> {
        let mut built = BTreeMap::new();
        for name in groups.into_iter().map(Into::<String>::into) {
            let parameters = Parameters::new(settings.seed, kind(settings.precision), device);
            let mut parameters = parameters.on(ranks);
            let network = network(settings, &name, &mut parameters)?;
            built.insert(
                name,
                Group {
                    network,
                    parameters,
                },
            );
        }
        Ok(Self {
            groups: built,
            memories: Memories::default(),
            ranks: ranks.clone(),
        })
    }

    /// The same with what its loss remembers.
    pub fn with(self, memories: Memories) -> Self {
        Self { memories, ..self }
    }

    /// What its loss remembers.
    pub fn memories(&self) -> &Memories {
        &self.memories
    }

    /// The ranks that train it.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// `z = f(x)` or `p = h(z)` with the network of `group`; a call in training moves the running statistics.
    pub fn forward(&self, group: &str, x: &Tensor, mode: Mode) -> Tensor {
        self.groups[group].network.forward(x, mode)
    }

    /// Names of the groups, sorted, with their learned tensors.
    pub fn groups(&self) -> impl Iterator<Item = (&str, Vec<Tensor>)> {
        self.groups
            .iter()
            .map(|(name, group)| (name.as_str(), group.parameters.learned()))
    }

    /// The backbone of `group`, if that is an encoder.
    pub fn backbone(&self, group: &str) -> Option<&Backbone> {
        match &self.groups.get(group)?.network {
            Network::Encoder(backbone, _) => Some(backbone),
            Network::Predictor(_) | Network::Linear(_) => None,
        }
    }

    /// The embedding `z` that the encoder `group` makes of the last map of its backbone, by running statistics: `[B, D]`. The gradient
    /// reaches the map.
    pub fn embed(&self, group: &str, map: &Tensor) -> Tensor {
        match &self.groups[group].network {
            Network::Encoder(_, projector) => projector.forward(&pool(map), Mode::Evaluation),
            Network::Predictor(_) | Network::Linear(_) => {
                unreachable!("Model: `{group}` is no encoder")
            }
        }
    }

    /// All parameters and buffers of the networks and of the copies that follow them.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let groups = self.groups.values();
        let copies = self.memories.averages.iter();
        groups
            .flat_map(|group| group.parameters.entries())
            .chain(copies.flat_map(Average::entries))
    }
}

impl Model {
    /// Moves running statistics by what a step of groups has collected ([`Mode::Grouped`]).
    ///
    /// # Errors
    /// What libtorch says; [`Error::Rank`].
    pub fn move_statistics(&self) -> Result<()> {
        running::move_all(self.running(), &self.ranks)
    }

    /// Forgets what a step that failed has collected.
    pub fn forget_statistics(&self) {
        self.running().for_each(|layer| layer.forget());
    }

    fn running(&self) -> impl Iterator<Item = &Rc<Running>> {
        let groups = self.groups.values();
        let copies = self.memories.averages.iter();
        groups
            .flat_map(|group| group.parameters.all_running())
            .chain(copies.flat_map(Average::running))
    }

    /// The rows that its loss remembers of clips.
    pub fn bank_entries(&self) -> impl Iterator<Item = &Entry> {
        self.memories.banks.iter().flat_map(Bank::entries)
    }
}

/// The name of the linear layer of this width that a loss owns.
pub fn linear(width: u32) -> String {
    format!("linear{width}")
}

/// The linear layer of the loss that is called so: its outputs and inputs, and the first modality whose embeddings it takes.
pub fn linear_of<'s>(
    settings: &'s hir::Pretrain,
    name: &str,
) -> Option<([u32; 2], &'s hir::Modality)> {
    let outputs = name.strip_prefix("linear")?.parse().ok()?;
    let (inputs, modality) = shapes::linear(settings, outputs)?;
    Some(([outputs, inputs], modality))
}

/// Builds the network of `group` (`v.f`, `v.h`, `linear300`).
fn network(settings: &hir::Pretrain, group: &str, parameters: &mut Parameters) -> Result<Network> {
    let unknown = || Error::Unsupported {
        message: format!("no modality of this experiment has a network `{group}`"),
    };
    if !group.contains('.') {
        let ([outputs, inputs], _) = linear_of(settings, group).ok_or_else(unknown)?;
        let init = Init::Uniform(1.0 / f64::from(inputs).sqrt());
        let shape = [i64::from(outputs), i64::from(inputs)];
        let weight = parameters.learn(format!("{group}.weight"), &shape, init);
        return Ok(Network::Linear(weight));
    }
    let (name, part) = group.rsplit_once('.').ok_or_else(unknown)?;
    let modality = settings.modality(name).ok_or_else(unknown)?;
    let named = |part: &str| format!("{}_{part}", prefix(name));
    match part {
        "f" => {
            let backbone =
                Backbone::new(parameters, &named("backbone"), modality.f.layers.first())?;
            let width = hir::Network {
                layers: modality.f.layers[..1].to_vec(),
                same: None,
            }
            .width();
            let inputs = i64::from(width.ok_or_else(unknown)?);
            let projector = Head::new(
                parameters,
                &named("projector"),
                inputs,
                &modality.f.layers[1..],
            )?;
            Ok(Network::Encoder(backbone, projector))
        }
        "h" => {
            let predictor = modality.h.as_ref().ok_or_else(unknown)?;
            let inputs = i64::from(modality.f.width().ok_or_else(unknown)?);
            Ok(Network::Predictor(Head::new(
                parameters,
                &named("predictor"),
                inputs,
                &predictor.layers,
            )?))
        }
        _ => Err(unknown()),
    }
}

/// The modality whose parameters `modality` uses for the network `of`: its own, or those that it is `same` as.
fn owner<'a>(
    settings: &'a hir::Pretrain,
    modality: &str,
    of: impl Fn(&hir::Modality) -> Option<&hir::Network>,
) -> Result<&'a hir::Modality> {
    let find = |name: &str| {
        let message = || format!("this experiment has no modality `{name}`");
        settings
            .modality(name)
            .ok_or_else(|| Error::Unsupported { message: message() })
    };
    let own = find(modality)?;
    match of(own)
        .and_then(|network| network.same.as_deref())
        .and_then(|group| group.split_once('.'))
    {
        Some((owner, _)) => find(owner),
        None => Ok(own),
    }
}
