//! Parameter groups as small networks: an arm for each kind of layer.

use super::augment::INPUTS;
use super::members::Member;
use super::tape::{Function, Matrix, Tape, Value, moments};
use super::world::World;
use crate::hir::{Layer, Network};
use std::collections::BTreeMap;
use std::ops::Range;

/// What BatchNorm adds to a variance.
const BATCH_NORM_FLOOR: f64 = 1e-5;

/// A change of one entry of one parameter, for differences.
#[derive(Clone, Debug, PartialEq)]
pub struct Nudge {
    /// The parameter's name.
    pub parameter: String,
    /// Which of its numbers.
    pub entry: usize,
    /// What is added to it.
    pub by: f64,
}

/// The parameters of a step as they are asked for.
pub(super) struct Parameters<'a> {
    pub world: &'a World,
    pub nudge: Option<&'a Nudge>,
    pub known: BTreeMap<String, Value>,
}

/// Mean and variance that BatchNorm layers saw in one call, by layer and part.
pub(super) type Seen = Vec<(String, Vec<f64>, Vec<f64>)>;

impl Parameters<'_> {
    /// The parameter of this name; without `learns` it has no gradient.
    fn get(
        &mut self,
        tape: &mut Tape,
        name: &str,
        (rows, cols, around, size): (usize, usize, f64, f64),
        learns: bool,
    ) -> Value {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        // A member of a group begins with the weights that it would have by itself.
        let (_, own) = Member::of_group(name);
        let drawn = self.world.matrix(own, rows, cols, size);
        let mut value = Matrix::from_fn(rows, cols, |i, j| around + drawn.row(i)[j]);
        if let Some(nudge) = self.nudge.filter(|nudge| nudge.parameter == name) {
            value.data[nudge.entry] += nudge.by;
        }
        let made = if learns {
            tape.parameter(value)
        } else {
            tape.constant(value)
        };
        self.known.insert(name.to_owned(), made);
        made
    }

    /// A linear layer of `width`, named `name`.
    pub fn linear(
        &mut self,
        tape: &mut Tape,
        name: &str,
        x: Value,
        (width, has_bias, learns): (usize, bool, bool),
    ) -> Value {
        let inputs = tape.of(x).cols;
        let size = 1.0 / (inputs as f64).sqrt();
        let weight = format!("{name}.weight");
        let w = self.get(tape, &weight, (inputs, width, 0.0, size), learns);
        let product = tape.product(x, w);
        if !has_bias {
            return product;
        }
        let bias = self.get(tape, &format!("{name}.bias"), (1, width, 0.0, size), learns);
        tape.add_row(product, bias)
    }

    /// BatchNorm over each of `parts` on its own.
    fn batch_norm(
        &mut self,
        tape: &mut Tape,
        name: &str,
        x: Value,
        (parts, learns): (&[Range<usize>], bool),
        seen: &mut Seen,
    ) -> Value {
        for part in parts {
            let (means, variances) = moments(tape.of(x), part);
            seen.push((name.to_owned(), means, variances));
        }
        let width = tape.of(x).cols;
        let standard = tape.standardise(x, parts, BATCH_NORM_FLOOR);
        let gain = self.get(tape, &format!("{name}.gain"), (1, width, 1.0, 0.2), learns);
        let shift = self.get(tape, &format!("{name}.shift"), (1, width, 0.0, 0.2), learns);
        let rows = tape.of(x).rows;
        let ones = tape.constant(Matrix::from_fn(rows, 1, |_, _| 1.0));
        let gains = tape.product(ones, gain);
        let scaled = tape.times(standard, gains);
        tape.add_row(scaled, shift)
    }

    /// The network of `group` on `x`, the views in `parts` of the rows. A copy that only follows has a prefix and does not
    /// learn.
    pub fn forward(
        &mut self,
        tape: &mut Tape,
        group: &str,
        network: &Network,
        mut x: Value,
        (parts, learns): (&[Range<usize>], bool),
    ) -> (Value, Seen) {
        let mut seen = vec![];
        for (index, layer) in network.layers.iter().enumerate() {
            let name = format!("{group}.{index}");
            x = match layer {
                Layer::BagOfWords { width, .. } => {
                    // The mean of embeddings is the share of each word times its embedding.
                    self.linear(tape, &name, x, (*width as usize, false, learns))
                }
                // A convolutional backbone is here what it is to the loss: a map without bias, a BatchNorm and a bend.
                Layer::R2plus1d { width, .. } | Layer::Resnet { width, .. } => {
                    debug_assert_eq!(tape.of(x).cols, INPUTS);
                    let wide = (8 * *width as usize, false, learns);
                    let mapped = self.linear(tape, &name, x, wide);
                    let normed = self.batch_norm(tape, &name, mapped, (parts, learns), &mut seen);
                    tape.map(normed, Function::Tanh)
                }
                Layer::Fc { width } => self.linear(tape, &name, x, (*width as usize, true, learns)),
                Layer::Bn => self.batch_norm(tape, &name, x, (parts, learns), &mut seen),
                Layer::Relu => tape.map(x, Function::Relu),
                Layer::L2 => tape.unit_rows(x),
            };
        }
        (x, seen)
    }
}
