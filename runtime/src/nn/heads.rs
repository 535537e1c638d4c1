//! Projectors and predictors (Tables S7 and S8): chains of linear layers, BatchNorm, ReLU and L2-normalisation.

use super::layers::{BatchNorm, Linear, Mode};
use super::parameters::Parameters;
use crate::error::{Error, Result};
use compiler::hir;
use tch::Tensor;

/// A chain on vectors.
#[derive(Debug)]
pub struct Head {
    layers: Vec<Layer>,
}

#[derive(Debug)]
enum Layer {
    Fc(Linear),
    Bn(BatchNorm),
    Relu,
    L2,
}

impl Head {
    /// The chain `layers` on vectors of `inputs` values.
    ///
    /// Names are those of the released code: each linear layer opens the next `layerN`, N from 1; with what follows it is a
    /// sequence `layerN.0`, `layerN.1`, ..., alone it is `layerN` itself. What stands before the first linear layer is `layer0`.
    pub fn new(
        parameters: &mut Parameters,
        name: &str,
        inputs: i64,
        layers: &[hir::Layer],
    ) -> Result<Self> {
        let mut width = inputs;
        let mut built = Vec::new();
        let (mut group, mut position) = (0, 0);
        for (index, layer) in layers.iter().enumerate() {
            let is_fc = |layer: &hir::Layer| matches!(layer, hir::Layer::Fc { .. });
            if is_fc(layer) {
                (group, position) = (group + 1, 0);
            }
            let is_alone = is_fc(layer) && layers.get(index + 1).is_none_or(is_fc);
            let name = if is_alone {
                format!("{name}.layer{group}")
            } else {
                format!("{name}.layer{group}.{position}")
            };
            position += 1;
            built.push(match layer {
                hir::Layer::Fc { width: outputs } => {
                    let fc = Linear::new(parameters, &name, width, i64::from(*outputs));
                    width = i64::from(*outputs);
                    Layer::Fc(fc)
                }
                hir::Layer::Bn => Layer::Bn(BatchNorm::new(parameters, &name, width)),
                hir::Layer::Relu => Layer::Relu,
                hir::Layer::L2 => Layer::L2,
                hir::Layer::R2plus1d { .. }
                | hir::Layer::Resnet { .. }
                | hir::Layer::BagOfWords { .. } => {
                    return Err(Error::Unsupported {
                        message: format!(
                            "`{name}`: a backbone can only be the first layer of an `f`"
                        ),
                    });
                }
            });
        }
        Ok(Self { layers: built })
    }

    /// `[B, inputs]` to `[B, outputs]`.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.layers
            .iter()
            .fold(x.shallow_clone(), |x, layer| match layer {
                Layer::Fc(fc) => fc.forward(&x),
                // Half the digits are too few for the variance of a few rows that are nearly equal, so vectors are normalised in
                // float32 also under autocast; it costs nothing beside the linear layers.
                Layer::Bn(bn) => bn.forward(&crate::loss::at_least_f32(&x), mode),
                Layer::Relu => x.relu(),
                Layer::L2 => crate::loss::l2(&x),
            })
    }
}
