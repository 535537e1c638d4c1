//! The interpreter against differences, and each pass against the interpreter.

mod gang;

use super::*;
use crate::fixture::{cos, crisscross, encoded, l2, predicted, sg, view, weighted};
use crate::hir::{Clip, Layer, Network, Relaxation, Within};
use crate::loss::{Loss, Term, TermOp};
use crate::lower::lower;
use crate::passes::{
    drop_unread_modalities, merge_duplicates, optimise, share_decodes, share_stop_gradients,
};
use crate::units::Exact;

mod modalities;

const WORLD: World = World { batch: 5, seed: 7 };

/// Numbers for tests: SplitMix64.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % n
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize].clone()
    }
}

/// A pretraining of `v`, `a` and `b`, small enough to interpret: `b` is a second modality of sound.
fn tiny(loss: Loss) -> Pretrain {
    let mut pretrain = crisscross(loss);
    let head = |widths: &[u32], bends: bool| {
        let layer = |width: &u32| {
            let bend = bends.then_some(Layer::Relu);
            [Some(Layer::Fc { width: *width }), Some(Layer::Bn), bend]
        };
        widths.iter().flat_map(layer).flatten().collect::<Vec<_>>()
    };
    for modality in &mut pretrain.modalities {
        let backbone = match &mut modality.clip {
            Clip::Video { frames, .. } => {
                *frames = 4;
                Layer::R2plus1d {
                    depth: 10,
                    width: 1,
                    strides: vec![],
                }
            }
            Clip::Audio { samples, rate, .. } => {
                (*samples, *rate) = (16, Exact::whole(64));
                Layer::Resnet {
                    depth: 10,
                    width: 1,
                    channels: 1,
                    strides: vec![],
                }
            }
            Clip::Text { .. } | Clip::Flow { .. } => unreachable!("the paper has neither"),
        };
        let mut layers = vec![backbone];
        layers.extend(head(&[5], true));
        layers.extend(head(&[4], false));
        modality.f = Network { layers, same: None };
        let mut layers = head(&[3], true);
        layers.push(Layer::Fc { width: 4 });
        modality.h = Some(Network { layers, same: None });
    }
    let mut third = pretrain.modalities[1].clone();
    third.name = "b".to_owned();
    pretrain.modalities.push(third);
    pretrain
}

fn one(term: Term) -> Loss {
    weighted([(term, Exact::whole(1))])
}

fn binary(op: TermOp, x: Embedding, y: Embedding) -> Loss {
    one(Term::new(op, vec![x, y]))
}

fn apply(op: EmbeddingOp, x: Embedding) -> Embedding {
    Embedding::Apply(op, Box::new(x))
}

/// One entry of each gradient against central differences.
fn check_against_differences(what: &str, pretrain: &Pretrain) {
    let graph = lower(pretrain);
    let meaning = interpret(&graph, pretrain, &WORLD, None);
    assert!(!meaning.gradients.is_empty(), "{what} learns something");
    let mut draws = Draws(3);
    for (parameter, gradient) in &meaning.gradients {
        let entry = draws.below(gradient.data.len() as u64) as usize;
        let at = |by| {
            let nudge = Nudge {
                parameter: parameter.clone(),
                entry,
                by,
            };
            interpret(&graph, pretrain, &WORLD, Some(&nudge)).objective
        };
        let step = 1e-5;
        let difference = (at(step) - at(-step)) / (2.0 * step);
        let found = gradient.data[entry];
        assert!(
            (found - difference).abs() <= 1e-6 * (1.0 + found.abs()),
            "{what}: {parameter}[{entry}] has the gradient {found}, differences give {difference}"
        );
    }
}

#[test]
fn gradients_are_those_of_differences() {
    let (x, y) = (predicted("v1"), encoded("a2"));
    let tenth = Exact::new(1, 10);
    let losses = [
        ("cos", binary(TermOp::Cos, x.clone(), y.clone())),
        ("mse", binary(TermOp::Mse, x.clone(), y.clone())),
        ("dot", binary(TermOp::Dot, x.clone(), y.clone())),
        ("xent", binary(TermOp::Xent, x.clone(), l2(y.clone()))),
        (
            "info_nce",
            binary(
                TermOp::InfoNce {
                    t: tenth,
                    negatives: None,
                },
                l2(x.clone()),
                l2(y.clone()),
            ),
        ),
        (
            "hinge_std",
            one(Term::new(TermOp::HingeStd, vec![l2(x.clone())])),
        ),
        ("cov", one(Term::new(TermOp::Cov, vec![x.clone()]))),
        (
            "scale",
            binary(
                TermOp::Mse,
                apply(EmbeddingOp::Scale(Exact::whole(3)), x.clone()),
                y.clone(),
            ),
        ),
        (
            "linear",
            binary(
                TermOp::Xent,
                apply(EmbeddingOp::Linear(3), x.clone()),
                apply(EmbeddingOp::Linear(3), y.clone()),
            ),
        ),
        (
            "sinkhorn",
            binary(
                TermOp::Xent,
                x.clone(),
                apply(
                    EmbeddingOp::Sinkhorn {
                        eps: Exact::new(1, 2),
                    },
                    y.clone(),
                ),
            ),
        ),
        (
            "ema",
            binary(
                TermOp::Cos,
                x.clone(),
                apply(
                    EmbeddingOp::Ema {
                        group: "a.f".to_owned(),
                        decay: (Exact::new(99, 100), Exact::whole(1)),
                    },
                    view("a2"),
                ),
            ),
        ),
        (
            "memory",
            binary(
                TermOp::Cos,
                x.clone(),
                apply(
                    EmbeddingOp::Memory {
                        momentum: Exact::new(1, 2),
                    },
                    y,
                ),
            ),
        ),
    ];
    for (what, loss) in losses {
        for bn in [BatchNorm::PerView, BatchNorm::Joint] {
            let mut pretrain = tiny(loss.clone());
            pretrain.bn = bn;
            check_against_differences(what, &pretrain);
        }
    }
}

/// What stands behind a stop-gradient is a number: the derivative is that of the other argument alone.
#[test]
fn a_stop_gradient_keeps_the_value_and_blocks_the_gradient() {
    let open = tiny(binary(TermOp::Cos, predicted("v1"), encoded("a1")));
    let closed = tiny(binary(TermOp::Cos, predicted("v1"), sg(encoded("a1"))));
    let run = |pretrain: &Pretrain| interpret(&lower(pretrain), pretrain, &WORLD, None);
    let (open, closed) = (run(&open), run(&closed));
    assert_eq!(open.objective, closed.objective);
    assert!(open.gradients.keys().any(|name| name.starts_with("a.f")));
    for (name, gradient) in &closed.gradients {
        if name.starts_with("a.f") {
            assert!(gradient.data.iter().all(|entry| *entry == 0.0), "{name}");
        } else {
            assert_eq!(Some(gradient), open.gradients.get(name), "{name}");
        }
    }
}

/// The weighted sum of the objective by hand: `-1/2 cos` of rows computed from the definition.
#[test]
fn the_objective_is_the_weighted_sum_of_its_terms() {
    let term = |x: &str, y: &str| cos(predicted(x), sg(encoded(y)));
    let weights = [
        (term("v1", "v2"), Exact::new(-1, 2)),
        (term("v2", "v1"), Exact::new(1, 3)),
    ];
    let value = |loss: Loss| {
        let pretrain = tiny(loss);
        interpret(&lower(&pretrain), &pretrain, &WORLD, None).objective
    };
    let parts: f64 = weights
        .iter()
        .map(|(term, weight)| weight.to_f64() * value(one(term.clone())))
        .sum();
    let whole = value(weighted(weights.clone()));
    assert!((whole - parts).abs() < 1e-15, "{whole} {parts}");
    assert!(whole.abs() > 1e-3);
}

/// A random embedding over the views of one of `names`.
fn embedding(draws: &mut Draws, names: &[&str], views: u32) -> Embedding {
    let view = format!("{}{}", draws.one(names), 1 + draws.below(u64::from(views)));
    let mut made = if draws.below(2) == 0 {
        encoded(&view)
    } else {
        predicted(&view)
    };
    for _ in 0..draws.below(4) {
        made = match draws.below(5) {
            0 | 1 => sg(made),
            2 => l2(made),
            3 => apply(EmbeddingOp::Scale(Exact::new(3, 2)), made),
            _ => {
                let group = made.view().0.to_owned() + ".h";
                apply(EmbeddingOp::Predict(group), made)
            }
        };
    }
    made
}

/// A random training step: loss, policy, BatchNorm, views and read modalities.
fn random(draws: &mut Draws) -> Pretrain {
    let views = 1 + draws.below(4) as u32;
    let names: &[&str] = draws.one(&[&["v"][..], &["v", "a"], &["a", "b"], &["v", "a", "b"]]);
    let mut terms = vec![];
    for _ in 0..1 + draws.below(6) {
        let op = draws.one(&[
            TermOp::Cos,
            TermOp::Cos,
            TermOp::Mse,
            TermOp::Dot,
            TermOp::Xent,
            TermOp::InfoNce {
                t: Exact::new(1, 2),
                negatives: None,
            },
            TermOp::HingeStd,
            TermOp::Cov,
        ]);
        let count = match op {
            TermOp::HingeStd | TermOp::Cov => 1,
            TermOp::Cos | TermOp::Mse | TermOp::Dot | TermOp::Xent | TermOp::InfoNce { .. } => 2,
        };
        let args = (0..count).map(|_| embedding(draws, names, views)).collect();
        terms.push((
            Term::new(op, args),
            Exact::new(1 + draws.below(5) as i128, -3),
        ));
    }
    let mut pretrain = tiny(weighted(terms));
    pretrain.views = views;
    pretrain.bn = draws.one(&[BatchNorm::PerView, BatchNorm::Joint]);
    let overlap = |share| Within::Overlap { share, of: None };
    pretrain.relax = Relaxation {
        within: draws.one(&[
            Within::Same,
            overlap(Exact::new(1, 2)),
            overlap(Exact::new(3, 4)),
            overlap(Exact::whole(0)),
            Within::Halves,
            Within::Independent,
        ]),
        ..pretrain.relax
    };
    pretrain
}

/// How much two graphs may differ.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    /// Bit for bit.
    Exact,
    /// Sums in another order.
    Reassociating,
}

/// Objective and gradients of two graphs of one experiment are the same numbers.
fn assert_same(what: &str, class: Class, before: &Meaning, after: &Meaning) {
    let near = |x: f64, y: f64| match class {
        Class::Exact => x.to_bits() == y.to_bits() || x == y,
        Class::Reassociating => (x - y).abs() <= 1e-12 * (1.0 + x.abs()),
    };
    let (x, y) = (before.objective, after.objective);
    assert!(near(x, y), "{what}: the objective {x} became {y}");
    let names: Vec<&String> = before.gradients.keys().collect();
    assert_eq!(names, after.gradients.keys().collect::<Vec<_>>(), "{what}");
    for (name, gradient) in &before.gradients {
        for (x, y) in gradient.data.iter().zip(&after.gradients[name].data) {
            assert!(
                near(*x, *y),
                "{what}: the gradient {x} of {name} became {y}"
            );
        }
    }
}

/// A pass, how much it may change, and whether it leaves the same state behind.
type Proof = (&'static str, Class, bool, fn(&Graph, &Pretrain) -> Graph);

#[test]
fn passes_keep_values_gradients_and_state() {
    let passes: [Proof; 4] = [
        // Equal calls become one, so running statistics move once instead of once for each term: that is its purpose.
        (
            "merge_duplicates",
            Class::Reassociating,
            false,
            |graph, _| merge_duplicates(graph),
        ),
        ("share_stop_gradients", Class::Exact, true, |graph, _| {
            share_stop_gradients(graph)
        }),
        ("drop_unread_modalities", Class::Exact, true, |graph, _| {
            drop_unread_modalities(graph)
        }),
        ("share_decodes", Class::Exact, true, share_decodes),
    ];
    let mut draws = Draws(11);
    let mut rewrites = [0; 4];
    for round in 0..150 {
        let pretrain = random(&mut draws);
        let world = World {
            batch: 4,
            seed: round,
        };
        let mut graph = lower(&pretrain);
        let mut before = interpret(&graph, &pretrain, &world, None);
        for (number, (pass, class, keeps_state, rewrite)) in passes.iter().enumerate() {
            let rewritten = rewrite(&graph, &pretrain);
            let after = interpret(&rewritten, &pretrain, &world, None);
            let what = format!("{pass} in round {round}: {:?}", pretrain.loss);
            assert_same(&what, *class, &before, &after);
            if *keeps_state {
                assert_eq!(before.state, after.state, "{what}");
            }
            rewrites[number] += usize::from(rewritten.len() != graph.len());
            (graph, before) = (rewritten, after);
        }
        let (optimised, _) = optimise(&lower(&pretrain), &pretrain);
        assert_eq!(interpret(&optimised, &pretrain, &world, None), before);
    }
    // Each pass has had something to do.
    assert!(rewrites.iter().all(|count| *count > 5), "{rewrites:?}");
}

/// A node instead of another; nothing where it stays.
type Change = dyn Fn(&Node) -> Option<Node>;

/// A wrong pass is seen: a slice one tick late, a lost stop-gradient, another view's draws.
#[test]
fn a_wrong_rewrite_changes_the_meaning() {
    let loss = weighted([
        (cos(predicted("v1"), sg(encoded("a2"))), Exact::new(-1, 2)),
        (cos(predicted("a2"), sg(encoded("v1"))), Exact::new(-1, 2)),
    ]);
    let pretrain = tiny(loss);
    let graph = optimise(&lower(&pretrain), &pretrain).0;
    let meaning = |graph: &Graph| interpret(graph, &pretrain, &WORLD, None);
    let right = meaning(&graph);
    let late = |node: &Node| {
        let Node::Slice {
            modality,
            view,
            start,
            length,
        } = node
        else {
            return None;
        };
        (modality == "a").then(|| Node::Slice {
            modality: modality.clone(),
            view: *view,
            start: if *start > 0 { start - 1 } else { start + 1 },
            length: length - 1,
        })
    };
    let exchanged = |node: &Node| {
        let Node::Augment { modality, view } = node else {
            return None;
        };
        (modality == "v").then(|| Node::Augment {
            modality: modality.clone(),
            view: 3 - view,
        })
    };
    for change in [&late as &Change, &exchanged] {
        let other = graph.rewritten(|new, node, inputs| {
            let node = change(node).unwrap_or_else(|| node.clone());
            new.add(node, inputs)
        });
        assert_ne!(meaning(&other).objective, right.objective);
    }
    let open = graph.rewritten(|new, node, inputs| {
        if *node == Node::StopGradient {
            inputs[0]
        } else {
            new.add(node.clone(), inputs)
        }
    });
    assert_eq!(meaning(&open).objective, right.objective);
    assert_ne!(meaning(&open).gradients, right.gradients);
}

/// Why equal calls must be merged: with a call for each term the running statistics move too often.
#[test]
fn without_merging_running_statistics_move_too_often() {
    let loss = weighted([
        (cos(predicted("v1"), sg(encoded("v2"))), Exact::new(-1, 2)),
        (cos(predicted("v2"), sg(encoded("v1"))), Exact::new(-1, 2)),
    ]);
    let pretrain = tiny(loss);
    let literal = lower(&pretrain);
    let merged = merge_duplicates(&literal);
    let state = |graph: &Graph| interpret(graph, &pretrain, &WORLD, None).state;
    assert_ne!(state(&literal), state(&merged));
    assert!(state(&merged).keys().any(|name| name.starts_with("v.f")));
}
