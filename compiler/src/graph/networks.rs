//! Networks layer by layer: what each layer makes of one sample, and how many numbers it learns (Tables S5 to S8).
//!
//! Every convolution and pool of the two backbones is padded by half its kernel, so a size becomes itself over the stride,
//! rounded up. All that a run will multiply is known here, before there is a tensor.

use super::shapes::network;
use crate::hir::{Clip, Eval, FeatureStep, Layer, Network, Pretrain};
use crate::units::thousands;
use crate::written;

/// One layer of a network, or one step of a chain of features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The paper's name where it has one, `block3.1.1`, else the layer as it is written: `fc(2048)`.
    pub name: String,
    /// What it makes of one sample: channels, then sizes; of a vector its width.
    pub shape: Vec<u32>,
    /// Weights, biases and the gains and shifts of BatchNorm; running statistics are not learned.
    pub parameters: u64,
    /// Multiplications of one sample with weights, each with an addition: of convolutions, padding included, and linear layers. What
    /// is done to each number by itself does not count.
    pub products: u64,
}

/// Stages of a backbone, `conv2x` to `conv5x`.
pub const STAGES: usize = 4;

/// The blocks of each stage; `None` for a depth that there is not.
pub fn blocks(depth: u32) -> Option<[u32; STAGES]> {
    match depth {
        10 => Some([1, 1, 1, 1]),
        18 => Some([2, 2, 2, 2]),
        34 => Some([3, 4, 6, 3]),
        _ => None,
    }
}

/// The stage of each block, from 0, and the position of the block in it.
fn places(depth: u32) -> Vec<(usize, u32)> {
    let blocks = blocks(depth).into_iter().flatten().enumerate();
    blocks
        .flat_map(|(stage, count)| (0..count).map(move |block| (stage, block)))
        .collect()
}

/// The stride of each block of a network, from those of its stages: each is that of the first block.
pub fn of_stages(depth: u32, strides: [u32; STAGES]) -> Vec<u32> {
    let of_block = |(stage, block): (usize, u32)| if block == 0 { strides[stage] } else { 1 };
    places(depth).into_iter().map(of_block).collect()
}

/// The paper's strides: 2 in the first block of every stage but the first. Table S6 prints 2 everywhere; its sizes need these.
const USUAL: [u32; STAGES] = [1, 2, 2, 2];

/// Strides of blocks as a closed experiment holds them: nothing where they are the paper's.
pub fn canonical(depth: u32, strides: Vec<u32>) -> Vec<u32> {
    if strides == of_stages(depth, USUAL) {
        vec![]
    } else {
        strides
    }
}

/// The stride of each block, as a closed experiment holds it.
pub fn strides(depth: u32, held: &[u32]) -> Vec<u32> {
    if held.is_empty() {
        of_stages(depth, USUAL)
    } else {
        held.to_vec()
    }
}

/// The stride of each stage, where only first blocks have one.
pub fn by_stage(depth: u32, held: &[u32]) -> Option<[u32; STAGES]> {
    let strides = strides(depth, held);
    let mut of_stage = [1; STAGES];
    for ((stage, block), stride) in places(depth).into_iter().zip(&strides) {
        if block == 0 {
            of_stage[stage] = *stride;
        } else if *stride != 1 {
            return None;
        }
    }
    Some(of_stage)
}

/// The strides of a network of another depth whose stages shrink a map as those of this one.
pub fn at_depth(held: &[u32], from: u32, to: u32) -> Vec<u32> {
    let mut of_stage = [1; STAGES];
    for ((stage, _), stride) in places(from).into_iter().zip(strides(from, held)) {
        of_stage[stage] *= stride;
    }
    canonical(to, of_stages(to, of_stage))
}

/// One sample of a view as a network takes it: channels, then sizes; of text its places for words.
pub fn input(clip: &Clip) -> Vec<u32> {
    match clip {
        Clip::Video { frames, size, .. } => vec![3, *frames, *size, *size],
        Clip::Flow { frames, size, .. } => vec![2, *frames, *size, *size],
        Clip::Audio { samples, mel, .. } => vec![1, mel.bands, mel.columns(*samples)],
        Clip::Text { tokens, .. } => vec![*tokens],
    }
}

/// The map after the last convolution of the paper's backbones: `[T, H, W]` for pictures and flow, `[F, T]` for sound. `None`
/// for text, whose network has none.
pub fn usual_conv5(clip: &Clip) -> Option<Vec<u32>> {
    conv5(&usual(clip)?, clip)
}

/// The map after the last convolution of `backbone`; `None` where it has none.
pub fn conv5(backbone: &Layer, clip: &Clip) -> Option<Vec<u32>> {
    maps(backbone, clip)?.pop()
}

/// The paper's backbone for a clip, where there is one.
fn usual(clip: &Clip) -> Option<Layer> {
    let (depth, width, strides) = (18, 64, vec![]);
    match clip {
        Clip::Video { .. } | Clip::Flow { .. } => Some(Layer::R2plus1d {
            depth,
            width,
            strides,
        }),
        Clip::Audio { .. } => Some(Layer::Resnet {
            depth,
            width,
            channels: 1,
            strides,
        }),
        Clip::Text { .. } => None,
    }
}

/// The sizes of the maps after the stages of `backbone`; `None` for a layer that is none of convolutions.
pub fn maps(backbone: &Layer, clip: &Clip) -> Option<Vec<Vec<u32>>> {
    let (depth, strides) = match backbone {
        Layer::R2plus1d { depth, strides, .. } | Layer::Resnet { depth, strides, .. } => {
            (*depth, self::strides(*depth, strides))
        }
        Layer::BagOfWords { .. } | Layer::Fc { .. } | Layer::Bn | Layer::Relu | Layer::L2 => {
            return None;
        }
    };
    let mut map = after_stem(backbone, input(clip).get(1..)?);
    let mut maps = vec![];
    for ((stage, block), stride) in places(depth).into_iter().zip(strides) {
        if block == 0 && stage > 0 {
            maps.push(map.clone());
        }
        map = shrunk(&map, stride);
    }
    maps.push(map);
    Some(maps)
}

/// The map after the stem and its pool.
pub fn after_stem(backbone: &Layer, sizes: &[u32]) -> Vec<u32> {
    let strides = stem_strides(backbone, sizes.len());
    let halved = |sizes: &[u32]| -> Vec<u32> {
        let sizes = sizes.iter().zip(&strides);
        sizes.map(|(size, stride)| size.div_ceil(*stride)).collect()
    };
    halved(&halved(sizes))
}

/// The strides of the first convolution and of the pool behind it: time stays in a network of clips.
fn stem_strides(backbone: &Layer, axes: usize) -> Vec<u32> {
    match backbone {
        Layer::R2plus1d { .. } => (0..axes)
            .map(|axis| if axis == 0 { 1 } else { 2 })
            .collect(),
        Layer::Resnet { .. }
        | Layer::BagOfWords { .. }
        | Layer::Fc { .. }
        | Layer::Bn
        | Layer::Relu
        | Layer::L2 => vec![2; axes],
    }
}

/// A map after a padded convolution of this stride.
pub fn shrunk(map: &[u32], stride: u32) -> Vec<u32> {
    map.iter().map(|size| size.div_ceil(stride)).collect()
}

/// The layers of `network` on one sample of shape `input`: channels and sizes, or the width of a vector.
pub fn layers(network: &Network, input: &[u32]) -> Vec<Row> {
    let mut rows = vec![];
    let mut shape = input.to_vec();
    for layer in &network.layers {
        let made = of_layer(layer, &shape);
        shape = made.last().map_or(shape, |row| row.shape.clone());
        rows.extend(made);
    }
    rows
}

fn of_layer(layer: &Layer, input: &[u32]) -> Vec<Row> {
    let row = |shape: Vec<u32>, parameters: u64| Row {
        name: written::layer(layer),
        shape,
        parameters,
        products: 0,
    };
    let width = input.last().copied().unwrap_or(0);
    match layer {
        Layer::R2plus1d {
            depth,
            width,
            strides,
        }
        | Layer::Resnet {
            depth,
            width,
            strides,
            ..
        } => convolutions(layer, (*depth, *width), strides, input),
        Layer::BagOfWords { vocab, width } => {
            vec![row(vec![*width], u64::from(*vocab) * u64::from(*width))]
        }
        Layer::Fc { width: outputs } => {
            let products = u64::from(width) * u64::from(*outputs);
            vec![Row {
                products,
                ..row(vec![*outputs], products + u64::from(*outputs))
            }]
        }
        Layer::Bn => vec![row(input.to_vec(), 2 * u64::from(width))],
        Layer::Relu | Layer::L2 => vec![row(input.to_vec(), 0)],
    }
}

/// The rows of Tables S5 and S6. A BatchNorm counts with the convolution before it, that on the sum of a video block with the
/// second convolution; the convolution of a shortcut has a row of its own.
fn convolutions(
    backbone: &Layer,
    (depth, width): (u32, u32),
    held: &[u32],
    input: &[u32],
) -> Vec<Row> {
    let is_clip = matches!(backbone, Layer::R2plus1d { .. });
    let (channels, sizes) = match input.split_first() {
        Some((channels, sizes)) => (u64::from(*channels), sizes),
        None => (0, &[][..]),
    };
    let shape = |channels: u32, map: &[u32]| [&[channels], map].concat();
    let stem = stem_strides(backbone, sizes.len());
    let halve = |sizes: &[u32]| -> Vec<u32> {
        let sizes = sizes.iter().zip(&stem);
        sizes.map(|(size, stride)| size.div_ceil(*stride)).collect()
    };
    let kernel = if is_clip { 3 * 7 * 7 } else { 7 * 7 };
    let mut rows = vec![];
    let mut add = |name: &str, channels: u32, map: &[u32], parameters: u64, products: u64| {
        rows.push(Row {
            name: name.to_owned(),
            shape: shape(channels, map),
            parameters,
            products,
        });
    };
    let places_of = |map: &[u32]| map.iter().map(|size| u64::from(*size)).product::<u64>();
    let mut map = halve(sizes);
    let wide = u64::from(width);
    let weights = channels * wide * kernel;
    let products = weights * places_of(&map);
    add("conv1", width, &map, weights + 2 * wide, products);
    map = halve(&map);
    add("maxpool", width, &map, 0, 0);
    let mut inputs = wide;
    let blocks = places(depth).into_iter().zip(strides(depth, held));
    for ((stage, block), stride) in blocks {
        let channels = width << stage;
        let outputs = u64::from(channels);
        let name = format!("block{}.{}", stage + 2, block + 1);
        let before = map;
        map = shrunk(&before, stride);
        let norm = 2 * outputs;
        // A spatial 3x3 and a temporal 3 with a BatchNorm each, or one 3x3 with its own. The spatial one leaves time as it was.
        let half = |inputs: u64, from: &[u32]| {
            let (spatial, temporal) = (9 * inputs * outputs, 3 * outputs * outputs);
            let after = places_of(&map);
            if is_clip {
                let frames = u64::from(from.first().copied().unwrap_or(0));
                let spatially = frames * places_of(map.get(1..).unwrap_or_default());
                let products = spatial * spatially + temporal * after;
                (spatial + norm + temporal + norm, products)
            } else {
                (spatial + norm, spatial * after)
            }
        };
        let (parameters, products) = half(inputs, &before);
        add(&format!("{name}.1"), channels, &map, parameters, products);
        let (parameters, products) = half(outputs, &map);
        add(&format!("{name}.2"), channels, &map, parameters, products);
        if inputs != outputs || stride != 1 {
            // The shortcut of a clip's block has no BatchNorm of its own.
            let own = if is_clip { 0 } else { norm };
            let weights = inputs * outputs;
            let products = weights * places_of(&map);
            add(
                &format!("{name} shortcut"),
                channels,
                &map,
                weights + own,
                products,
            );
        }
        inputs = outputs;
    }
    add("avg-pool", width << (STAGES - 1), &[], 0, 0);
    rows
}

/// The layers of the network of a parameter group, `v.f` or `v.h`, behind the sample that it takes. `None`: no such group.
pub fn of_group(pretrain: &Pretrain, group: &str) -> Option<Vec<Row>> {
    let (name, part) = group.split_once('.')?;
    let modality = pretrain.modality(name)?;
    let network = network(pretrain, group)?;
    let first = match part {
        "f" => Row {
            name: content(&modality.clip).to_owned(),
            shape: input(&modality.clip),
            parameters: 0,
            products: 0,
        },
        _ => Row {
            name: "embedding".to_owned(),
            shape: vec![self::network(pretrain, &format!("{name}.f"))?.width()?],
            parameters: 0,
            products: 0,
        },
    };
    let rows = layers(network, &first.shape);
    Some([vec![first], rows].concat())
}

/// What one sample of a view is, as the paper's tables call it.
fn content(clip: &Clip) -> &'static str {
    match clip {
        Clip::Video { .. } => "frames",
        Clip::Flow { .. } => "flow",
        Clip::Audio { .. } => "spectrogram",
        Clip::Text { .. } => "words",
    }
}

/// The sizes of a map after each step of a chain of features, until a pool that does not fit.
pub fn pooled(mut map: Vec<u32>, steps: &[FeatureStep]) -> Result<Vec<Vec<u32>>, Unpooled> {
    let mut maps = vec![];
    for (step, of) in steps.iter().enumerate() {
        if let FeatureStep::MaxPool { kernel, stride } = of {
            let axes = map.iter().zip(kernel);
            if let Some((size, window)) = axes.into_iter().find(|(size, window)| window > size) {
                let (window, size) = (*window, *size);
                return Err(Unpooled {
                    step,
                    window,
                    size,
                    map,
                });
            }
            let axes = map.iter().zip(kernel).zip(stride);
            map = axes
                .map(|((size, window), stride)| (size - window) / stride + 1)
                .collect();
        }
        maps.push(map.clone());
    }
    Ok(maps)
}

/// A pool whose window is larger than the map under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpooled {
    /// Its position in the chain, from 0.
    pub step: usize,
    /// The side of the window that does not fit.
    pub window: u32,
    /// The size of the map along it.
    pub size: u32,
    /// The map.
    pub map: Vec<u32>,
}

/// The layers of the backbone of a row on a clip of `eval`, then the steps of its chain of features. `None`: the row has no
/// such modality, or its network no map.
pub fn of_features(pretrain: &Pretrain, eval: &Eval) -> Option<Vec<Row>> {
    let f = network(pretrain, &format!("{}.f", eval.uses))?;
    let backbone = f.layers.first()?;
    conv5(backbone, &eval.clip)?;
    let mut rows = vec![Row {
        name: content(&eval.clip).to_owned(),
        shape: input(&eval.clip),
        parameters: 0,
        products: 0,
    }];
    rows.extend(of_layer(backbone, &rows[0].shape));
    // Features are read in front of the mean over the map.
    rows.pop();
    let (channels, map) = rows.last()?.shape.split_first()?;
    let (channels, map) = (*channels, map.to_vec());
    let maps = pooled(map.clone(), &eval.features).ok()?;
    for (step, map) in eval.features.iter().zip(&maps) {
        rows.push(Row {
            name: written::feature(step),
            shape: [&[channels], map.as_slice()].concat(),
            parameters: 0,
            products: 0,
        });
    }
    let last = maps.last().unwrap_or(&map);
    rows.push(Row {
        name: "values".to_owned(),
        shape: vec![last.iter().fold(channels, |values, size| values * size)],
        parameters: 0,
        products: 0,
    });
    Some(rows)
}

/// Rows as a table: layer, output of one sample, parameters, and the sum of these.
pub fn text(rows: &[Row]) -> String {
    let shape = |row: &Row| {
        let sizes: Vec<String> = row.shape.iter().map(u32::to_string).collect();
        sizes.join(" x ")
    };
    let total = rows.iter().map(|row| row.parameters).sum();
    let mut cells = vec![[
        "layer".to_owned(),
        "output".to_owned(),
        "parameters".to_owned(),
    ]];
    cells.extend(rows.iter().map(|row| {
        let parameters = match row.parameters {
            0 => String::new(),
            parameters => thousands(parameters),
        };
        [row.name.clone(), shape(row), parameters]
    }));
    cells.push(["in all".to_owned(), String::new(), thousands(total)]);
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..3).map(|column| width(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for [name, shape, parameters] in &cells {
        let line = format!(
            "  {name:first$}  {shape:second$}  {parameters:>third$}",
            first = widths[0],
            second = widths[1],
            third = widths[2]
        );
        out += line.trim_end();
        out += "\n";
    }
    out
}
