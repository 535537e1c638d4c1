//! How much a training step has to multiply, counted on the steps of a plan and the shapes of its layers.

use super::networks;
use super::shapes::network;
use crate::graph::Node;
use crate::hir::Pretrain;
use crate::loss::EmbeddingOp;
use crate::plan::Step;
use serde::Serialize;

/// Floating-point operations of one training step on its whole batch: a multiplication and an addition for each product with a
/// weight of a convolution or a linear layer. Everything else, BatchNorm and the terms among it, is a small share and does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Flops {
    /// From the views to the objective.
    pub forward: u64,
    /// Back to the parameters: as much again for the gradient of the weights, and as much for that of what a layer has read.
    pub backward: u64,
}

impl Flops {
    /// Both ways.
    pub fn both(self) -> u64 {
        self.forward + self.backward
    }
}

/// Counts the `steps` of a training step of `pretrain`. Networks that no gradient reaches, behind a stop-gradient or a moving average,
/// have no way back, and nothing goes back to the views.
pub fn of_step(pretrain: &Pretrain, steps: &[Step]) -> Flops {
    let (learns, reached, widths) = (learns(steps), reached(steps), widths(pretrain, steps));
    let mut flops = Flops {
        forward: 0,
        backward: 0,
    };
    for (at, step) in steps.iter().enumerate() {
        let width = step.inputs.first().map_or(0, |&input| widths[input]);
        let Some((first, all)) = products(pretrain, &step.node, width) else {
            continue;
        };
        let calls = 2 * step.inputs.len() as u64 * u64::from(pretrain.bs);
        flops.forward += calls * all;
        if reached[at] {
            let weights = all;
            let inputs = match step.inputs.iter().any(|&input| learns[input]) {
                true => all,
                false => all - first,
            };
            flops.backward += calls * (weights + inputs);
        }
    }
    flops
}

/// Products of the first layer and of all layers that a node calls, for one sample; `width` is that of an embedding that it reads.
fn products(pretrain: &Pretrain, node: &Node, width: u32) -> Option<(u64, u64)> {
    if let Node::Operator {
        operator: EmbeddingOp::Linear(outputs),
    } = node
    {
        let all = u64::from(width) * u64::from(*outputs);
        return Some((all, all));
    }
    let (_, group) = node.call()?;
    let rows = networks::of_group(pretrain, group)?;
    let first = rows.iter().map(|row| row.products).find(|&n| n > 0)?;
    Some((first, rows.iter().map(|row| row.products).sum()))
}

/// By step: the width of the embedding that it makes, 0 where it makes none.
pub fn widths(pretrain: &Pretrain, steps: &[Step]) -> Vec<u32> {
    let mut widths: Vec<u32> = vec![];
    for step in steps {
        let of_group = |group: &str| network(pretrain, group)?.width();
        let own = match &step.node {
            Node::Encode { group }
            | Node::Predict { group }
            | Node::Operator {
                operator: EmbeddingOp::Ema { group, .. },
            } => of_group(group),
            Node::Operator {
                operator: EmbeddingOp::Linear(outputs),
            } => Some(*outputs),
            Node::Source
            | Node::Sample
            | Node::Decode { .. }
            | Node::Slice { .. }
            | Node::Augment { .. }
            | Node::Convert { .. }
            | Node::Batch { .. }
            | Node::Term { .. }
            | Node::Cosines { .. }
            | Node::Sum { .. } => None,
            Node::Part { .. }
            | Node::StopGradient
            | Node::L2
            | Node::Scale { .. }
            | Node::Operator { .. } => step.inputs.first().map(|&input| widths[input]),
        };
        widths.push(own.unwrap_or(0));
    }
    widths
}

/// By step: whether a parameter stands behind what it makes.
fn learns(steps: &[Step]) -> Vec<bool> {
    let mut learns: Vec<bool> = vec![];
    for step in steps {
        let below = step.inputs.iter().any(|&input| learns[input]);
        learns.push(!step.node.blocks() && (step.node.has_parameters() || below));
    }
    learns
}

/// By step: whether a gradient of the objective reaches what it makes.
fn reached(steps: &[Step]) -> Vec<bool> {
    let mut reached = vec![false; steps.len()];
    if let Some(objective) = reached.last_mut() {
        *objective = true;
    }
    for (at, step) in steps.iter().enumerate().rev() {
        if reached[at] && !step.node.blocks() {
            for &input in &step.inputs {
                reached[input] = true;
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{ALL, crisscross, pairs};
    use crate::passes;

    /// Products of one sample of the paper's R(2+1)D-18 at 8 x 112 x 112, layer by layer, by hand.
    fn video() -> (u64, u64) {
        let stem = 3 * 3 * 7 * 7 * 64 * (8 * 56 * 56);
        let block = |inputs: u64, outputs: u64, (t0, t): (u64, u64), side: u64| {
            let (first, second) = (9 * inputs * outputs, 9 * outputs * outputs);
            let frame = side * side;
            let temporal = 2 * 3 * outputs * outputs * t * frame;
            let shortcut = if inputs == outputs {
                0
            } else {
                inputs * outputs * t * frame
            };
            first * t0 * frame + second * t * frame + temporal + shortcut
        };
        let blocks = block(64, 64, (8, 8), 28) * 2
            + block(64, 128, (8, 4), 14)
            + block(128, 128, (4, 4), 14)
            + block(128, 256, (4, 2), 7)
            + block(256, 256, (2, 2), 7)
            + block(256, 512, (2, 1), 4)
            + block(512, 512, (1, 1), 4);
        (stem, stem + blocks)
    }

    /// The same of ResNet-18 on a spectrogram of 80 x 200.
    fn audio() -> (u64, u64) {
        let stem = 7 * 7 * 64 * (40 * 100);
        let block = |inputs: u64, outputs: u64, map: u64| {
            let shortcut = if inputs == outputs {
                0
            } else {
                inputs * outputs
            };
            (9 * inputs * outputs + 9 * outputs * outputs + shortcut) * map
        };
        let blocks = block(64, 64, 20 * 50) * 2
            + block(64, 128, 10 * 25)
            + block(128, 128, 10 * 25)
            + block(128, 256, 5 * 13)
            + block(256, 256, 5 * 13)
            + block(256, 512, 3 * 7)
            + block(512, 512, 3 * 7);
        (stem, stem + blocks)
    }

    #[test]
    fn the_papers_step_multiplies_what_its_layers_do() {
        let pretrain = crisscross(pairs(&ALL));
        let steps = passes::build(&pretrain).0.steps();
        let projector = 512 * 2048 + 2 * 2048 * 2048;
        let predictor = 2 * 2048 * 512;
        let calls = 2 * 2 * u64::from(pretrain.bs);
        let both = video().1 + audio().1 + 2 * (projector + predictor);
        let found = of_step(&pretrain, &steps);
        assert_eq!(found.forward, calls * both);
        // Twice as much back, but for what would go to frames and spectrograms.
        assert_eq!(found.backward, calls * (2 * both - video().0 - audio().0));
        assert_eq!(found.both(), found.forward + found.backward);
    }

    #[test]
    fn joined_views_multiply_as_much_as_single_ones() {
        let pretrain = crisscross(pairs(&ALL));
        let joined = passes::selection(&[passes::Pass::BatchViews]);
        let joined = passes::build_with(&pretrain, &joined).0.steps();
        let single = passes::build(&pretrain).0.steps();
        assert_ne!(joined.len(), single.len());
        assert_eq!(of_step(&pretrain, &joined), of_step(&pretrain, &single));
    }
}
