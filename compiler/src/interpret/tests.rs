//! The interpreter against differences, and each pass against the interpreter.

mod gang;

use super::*;
use crate::fixture::{cos, crisscross, encoded, l2, predicted, sg, view, weighted};
use crate::hir::{Clip, Fill, Layer, Link, Network, Relaxation, Widths, Within};
use crate::loss::{Loss, Part, Term, TermOp, Written};
use crate::lower::{lower, lower_written};
use crate::passes::{Class, Pass, apply as passes, build, expand_and_fold, merge_duplicates};
use crate::units::Exact;
use crate::validate::{validate, validate_literal};

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

/// `ema(z, ...)` of a view.
fn ema(name: &str) -> Embedding {
    let op = EmbeddingOp::Ema {
        group: format!("{}.f", &name[..1]),
        decay: (Exact::new(99, 100), Exact::whole(1)),
    };
    apply(op, view(name))
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
        ("ema", binary(TermOp::Cos, x.clone(), ema("a2"))),
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
    let mut made = match draws.below(5) {
        0 | 1 => encoded(&view),
        2 | 3 => predicted(&view),
        _ => ema(&view),
    };
    for _ in 0..draws.below(4) {
        let op = match draws.below(9) {
            0..=2 => EmbeddingOp::StopGradient,
            3 => EmbeddingOp::L2,
            4 => EmbeddingOp::Scale(Exact::new(3, 2)),
            5 => EmbeddingOp::Linear(4),
            6 => EmbeddingOp::Sinkhorn {
                eps: Exact::new(1, 2),
            },
            7 => EmbeddingOp::Memory {
                momentum: Exact::new(1, 2),
            },
            _ => EmbeddingOp::Predict(made.view().0.to_owned() + ".h"),
        };
        made = apply(op, made);
    }
    made
}

/// A random term over these modalities: half of them cosines.
fn term(draws: &mut Draws, names: &[&str], views: u32) -> Term {
    let others = [
        TermOp::Mse,
        TermOp::Dot,
        TermOp::Xent,
        TermOp::InfoNce {
            t: Exact::new(1, 2),
            negatives: None,
        },
        TermOp::HingeStd,
        TermOp::Cov,
    ];
    let op = match draws.below(2) {
        0 => TermOp::Cos,
        _ => draws.one(&others),
    };
    let count = match op {
        TermOp::HingeStd | TermOp::Cov => 1,
        TermOp::Cos | TermOp::Mse | TermOp::Dot | TermOp::Xent | TermOp::InfoNce { .. } => 2,
    };
    let args = (0..count).map(|_| embedding(draws, names, views)).collect();
    Term::new(op, args)
}

/// Some of these links in their order, each now and then.
fn some(draws: &mut Draws, links: &[Link]) -> Vec<Link> {
    let kept = links.iter().filter(|_| draws.below(3) > 0);
    kept.cloned().collect()
}

/// A random training step: loss, policy, BatchNorm, views, chains and read modalities; and its objective as somebody may have
/// written it.
fn random(draws: &mut Draws) -> (Pretrain, Written) {
    let views = 1 + draws.below(4) as u32;
    let names: &[&str] = draws.one(&[&["v"][..], &["v", "a"], &["a", "b"], &["v", "a", "b"]]);
    let mut terms: Vec<Term> = (0..1 + draws.below(6))
        .map(|_| term(draws, names, views))
        .collect();
    terms.sort();
    terms.dedup();
    let written = written(draws, &terms);
    let mut pretrain = tiny(normal(&written));
    pretrain.views = views;
    // A view that only terms of weight zero read does not count among those that `joint` joins.
    let cancels = pretrain.loss.terms.len() < terms.len();
    pretrain.bn = match draws.below(2) {
        0 if !cancels => BatchNorm::Joint,
        _ => BatchNorm::PerView,
    };
    if pretrain.bn == BatchNorm::PerView && draws.below(2) == 0 {
        pretrain.bn_group = Some(2);
    }
    let frames = [
        Link::MultiScaleCrop {
            min_area: Exact::new(1, 5),
        },
        Link::HorizontalFlip {
            p: Exact::new(1, 2),
        },
        Link::HorizontalFlip {
            p: Exact::new(1, 3),
        },
        Link::Cutout {
            max: 2,
            count: 1,
            fill: Fill::FirstFrameMean,
        },
    ];
    let (max, count, widths) = (2, 1, Widths::default());
    let sound = [
        Link::VolumeJitter {
            range: Exact::new(1, 5),
        },
        Link::FreqMask { max, count, widths },
        Link::TimeMask { max, count, widths },
    ];
    for modality in &mut pretrain.modalities {
        let links = match modality.clip {
            Clip::Video { .. } => &frames[..],
            Clip::Audio { .. } => &sound,
            Clip::Text { .. } | Clip::Flow { .. } => &[],
        };
        modality.augment.links = some(draws, links);
        modality.augment.per_frame = modality.name == "v" && draws.below(6) == 0;
    }
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
    (pretrain, written)
}

/// A weighted sum of sums over `terms`: each stands in it at least once, some several times, and some cancel.
fn written(draws: &mut Draws, terms: &[Term]) -> Written {
    let weight = |draws: &mut Draws| {
        let sign = draws.one(&[1, -1]);
        Exact::new(
            sign * (1 + draws.below(5) as i128),
            1 + draws.below(4) as i128,
        )
    };
    let mut parts: Vec<Part> = terms.iter().cloned().map(Part::Term).collect();
    let mut whole: Vec<(Exact, usize)> = (0..parts.len()).map(|at| (weight(draws), at)).collect();
    for _ in 0..draws.below(4) {
        let addends = (0..1 + draws.below(3)).map(|_| {
            let at = draws.below(parts.len() as u64) as usize;
            (weight(draws), at)
        });
        let sum = Part::Sum(addends.collect());
        parts.push(sum);
        whole.push((weight(draws), parts.len() - 1));
    }
    if terms.len() > 1 && draws.below(4) == 0 {
        let by = whole[0].0;
        whole.push((Exact::new(-1, 1).times(by).unwrap(), 0));
    }
    parts.push(Part::Sum(whole));
    let whole = Written {
        parts,
        factor: None,
    };
    if draws.below(4) > 0 {
        return whole;
    }
    // Under a name that is used twice.
    let twice = vec![(Exact::whole(3), 0), (Exact::whole(-2), 0)];
    Written {
        parts: vec![Part::Name(whole.into()), Part::Sum(twice)],
        factor: None,
    }
}

/// The normal form of a loss as written, by the rules of arithmetic alone.
fn normal(written: &Written) -> Loss {
    let mut losses: Vec<Loss> = vec![];
    for part in &written.parts {
        losses.push(match part {
            Part::Term(term) => Loss::of(term.clone()),
            Part::Name(inner) => normal(inner),
            Part::Sum(addends) => {
                let mut sum = Loss::default();
                for (by, at) in addends {
                    sum = sum.plus(&losses[*at].scaled(*by).unwrap()).unwrap();
                }
                sum
            }
        });
    }
    losses.pop().unwrap()
}

/// Objective and gradients of two graphs of one experiment are the same numbers. A gradient that is not there is zero.
fn assert_same(what: &str, class: Class, before: &Meaning, after: &Meaning) {
    let near = |x: f64, y: f64| match class {
        Class::Exact => x.to_bits() == y.to_bits() || x == y,
        Class::Reassociating => (x - y).abs() <= 1e-12 * (1.0 + x.abs()),
    };
    let (x, y) = (before.objective, after.objective);
    assert!(near(x, y), "{what}: the objective {x} became {y}");
    for name in after.gradients.keys() {
        assert!(before.gradients.contains_key(name), "{what}: {name} is new");
    }
    for (name, gradient) in &before.gradients {
        for (entry, x) in gradient.data.iter().enumerate() {
            let y = after.gradients.get(name).map_or(0.0, |g| g.data[entry]);
            assert!(near(*x, y), "{what}: the gradient {x} of {name} became {y}");
        }
    }
}

/// Whether a pass leaves running statistics and memory banks as they were. Equal calls become one in the first two, so that
/// running statistics move once instead of once for each term: that is their purpose.
fn keeps_state(pass: Pass) -> bool {
    match pass {
        Pass::ExpandAndFold | Pass::MergeDuplicates => false,
        Pass::ShareStopGradients
        | Pass::DropUnreadModalities
        | Pass::ShareDecodes
        | Pass::MoveDomain
        | Pass::BatchViews
        | Pass::FuseTerms => true,
    }
}

/// Every pass, on graphs that those before it have left: each is interpreted before and after, and does something in a good
/// share of the steps.
#[test]
fn passes_keep_values_gradients_and_state() {
    let mut draws = Draws(11);
    let mut fired = [0; Pass::ALL.len()];
    let rounds = 150;
    for round in 0..rounds {
        let (pretrain, written) = random(&mut draws);
        let world = World {
            batch: 4,
            seed: round,
        };
        let mut graph = lower_written(&pretrain, &written);
        validate_literal(&graph, &pretrain);
        let mut before = interpret(&graph, &pretrain, &world, None);
        for (number, pass) in Pass::ALL.into_iter().enumerate() {
            let rewritten = pass.rewrite(&graph, &pretrain);
            validate(&rewritten, &pretrain);
            let after = interpret(&rewritten, &pretrain, &world, None);
            let name = pass.name();
            let what = format!("{name} in round {round}: {:?}", pretrain.loss);
            assert_same(&what, pass.class(), &before, &after);
            if pass.class() == Class::Exact {
                let names =
                    |meaning: &Meaning| meaning.gradients.keys().cloned().collect::<Vec<_>>();
                assert_eq!(names(&before), names(&after), "{what}");
            }
            if keeps_state(pass) {
                assert_eq!(before.state, after.state, "{what}");
            }
            fired[number] += usize::from(rewritten.steps() != graph.steps());
            assert_eq!(
                rewritten.steps(),
                pass.rewrite(&rewritten, &pretrain).steps(),
                "{what}: once is enough"
            );
            (graph, before) = (rewritten, after);
        }
        let (all, _) = passes(&lower_written(&pretrain, &written), &pretrain, &Pass::ALL);
        assert_eq!(interpret(&all, &pretrain, &world, None), before);
    }
    // Each pass has had something to do in a good share of the rounds.
    for (pass, count) in Pass::ALL.into_iter().zip(fired) {
        let share = count as f64 / rounds as f64;
        assert!(share > 0.25, "{} fired in {count} of {rounds}", pass.name());
    }
}

/// What a loss is written like is gone after it is expanded: the graph is that of its normal form.
#[test]
fn an_expanded_loss_is_its_normal_form() {
    let mut draws = Draws(5);
    for _ in 0..150 {
        let (pretrain, written) = random(&mut draws);
        let expanded = merge_duplicates(&expand_and_fold(&lower_written(&pretrain, &written)));
        let direct = merge_duplicates(&lower(&pretrain));
        let unread = |graph: &Graph| crate::passes::drop_unread_modalities(graph).steps();
        assert_eq!(unread(&expanded), unread(&direct), "{written:?}");
    }
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
    let graph = build(&pretrain).0;
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
        let Node::Augment {
            modality,
            view,
            link,
            name,
        } = node
        else {
            return None;
        };
        (modality == "v").then(|| Node::Augment {
            modality: modality.clone(),
            view: 3 - view,
            link: *link,
            name: name.clone(),
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

/// The passes that are asked for are seen as well when they go wrong: parts exchanged, a cosine of another pair, frames in a batch
/// before they have one size.
#[test]
fn a_wrong_part_or_pair_changes_the_meaning() {
    let loss = weighted([
        (cos(predicted("v1"), sg(encoded("v2"))), Exact::new(-1, 2)),
        (cos(predicted("v2"), sg(encoded("v1"))), Exact::new(-1, 3)),
    ]);
    let pretrain = tiny(loss);
    let meaning = |graph: &Graph| interpret(graph, &pretrain, &WORLD, None);
    let graph = passes(&lower(&pretrain), &pretrain, &Pass::ALL).0;
    let exchanged = |node: &Node| {
        let Node::Part { part } = node else {
            return None;
        };
        Some(Node::Part { part: 3 - part })
    };
    let other_pair = |node: &Node| {
        let Node::Cosines { firsts, pairs } = node else {
            return None;
        };
        let pairs = pairs.iter().map(|(row, column)| (*row, 1 - column));
        Some(Node::Cosines {
            firsts: *firsts,
            pairs: pairs.collect(),
        })
    };
    for change in [&exchanged as &Change, &other_pair] {
        let other = graph.rewritten(|new, node, inputs| {
            let node = change(node).unwrap_or_else(|| node.clone());
            new.add(node, inputs)
        });
        assert_ne!(meaning(&other), meaning(&graph));
    }
}

/// With all views as one batch the statistics are others: `bn joint` is another experiment.
#[test]
fn joint_statistics_are_another_experiment() {
    let loss = weighted([
        (cos(predicted("v1"), sg(encoded("v2"))), Exact::new(-1, 2)),
        (cos(predicted("v2"), sg(encoded("v1"))), Exact::new(-1, 2)),
    ]);
    let mut pretrain = tiny(loss);
    let meaning = |pretrain: &Pretrain| {
        let graph = passes(&lower(pretrain), pretrain, &Pass::ALL).0;
        interpret(&graph, pretrain, &WORLD, None)
    };
    let per_view = meaning(&pretrain);
    pretrain.bn = BatchNorm::Joint;
    let joint = meaning(&pretrain);
    assert!((per_view.objective - joint.objective).abs() > 1e-6);
    assert_ne!(per_view.state, joint.state);
}

#[test]
#[should_panic(expected = "samples of a batch are of one size")]
fn frames_of_several_sizes_are_no_batch() {
    let pretrain = tiny(one(cos(predicted("v1"), sg(encoded("v2")))));
    let mut open: Vec<Id> = vec![];
    let early = lower(&pretrain).rewritten(|new, node, inputs| {
        let Some((modality, view)) = node.view().filter(|(modality, _)| *modality == "v") else {
            return new.add(node.clone(), inputs);
        };
        if let Node::Slice { .. } = node {
            let slice = new.add(node.clone(), inputs);
            let modality = modality.to_owned();
            open.push(new.add(Node::Batch { modality, view }, &[slice]));
            return *open.last().unwrap();
        }
        if let Node::Batch { .. } = node {
            return inputs[0];
        }
        new.add(node.clone(), inputs)
    });
    interpret(&early, &pretrain, &WORLD, None);
}
