//! Text and optical flow: their networks against differences, their draws, and the passes over them.

use super::*;
use crate::hir::{Chain, FlowMethod, Link, Words};

/// [`tiny`] with words `t`, and with the flow `o` of `v`.
fn with_words_and_flow(loss: Loss) -> Pretrain {
    let mut pretrain = tiny(loss);
    let links = |links| Chain {
        per_frame: false,
        links,
    };
    let mut words = pretrain.modalities[1].clone();
    words.name = "t".to_owned();
    words.clip = Clip::Text {
        seconds: Exact::new(1, 4),
        tokens: 7,
        from: Words::Captions,
    };
    words.augment = links(vec![Link::DropWords {
        p: Exact::new(3, 10),
    }]);
    words.f.layers[0] = Layer::BagOfWords { vocab: 6, width: 8 };
    let mut flow = pretrain.modalities[0].clone();
    let Clip::Video { frames, size, fps } = flow.clip else {
        panic!("the paper's first modality is video");
    };
    flow.name = "o".to_owned();
    flow.clip = Clip::Flow {
        frames,
        size,
        fps,
        of: "v".to_owned(),
        method: FlowMethod::Tvl1,
    };
    flow.augment = links(vec![Link::Follow {
        modality: "v".to_owned(),
    }]);
    // The flow stands before its video: nothing depends on the order.
    pretrain.modalities.insert(0, flow);
    pretrain.modalities.push(words);
    pretrain
}

fn meaning(pretrain: &Pretrain) -> Meaning {
    interpret(&lower(pretrain), pretrain, &WORLD, None)
}

#[test]
fn gradients_of_words_and_flow_are_those_of_differences() {
    let pairs = [("t1", "v2"), ("o1", "a2"), ("t2", "o1")];
    for (x, y) in pairs {
        for op in [TermOp::Cos, TermOp::Mse] {
            for bn in [BatchNorm::PerView, BatchNorm::Joint] {
                let mut pretrain = with_words_and_flow(binary(op, predicted(x), encoded(y)));
                pretrain.bn = bn;
                check_against_differences(&format!("{x}{y}"), &pretrain);
            }
        }
    }
}

/// The mean of the embeddings of the words that are there, by hand: a loss that is one number of the network.
#[test]
fn a_bag_of_words_is_the_mean_of_its_embeddings() {
    let loss = binary(TermOp::Dot, encoded("t1"), encoded("t1"));
    let mut pretrain = with_words_and_flow(loss);
    let words = pretrain.modalities.last_mut().unwrap();
    words.f.layers.truncate(1);
    words.augment.links.clear();
    let found = meaning(&pretrain).objective;
    let (mut sum, batch) = (0.0, WORLD.batch);
    for sample in 0..batch {
        let start = WORLD.start(&pretrain, sample, "t", 1);
        let place = |i: i64| WORLD.number(&format!("{sample}/t/from/{start}/{i}"));
        let words = (0..7).map(|i| ((1.0 + place(i)) * 3.0) as usize);
        let rows: Vec<Vec<f64>> = words
            .map(|word| {
                let entry = |j| WORLD.number(&format!("t.f.0.weight/{word}/{j}"));
                (0..8).map(|j| entry(j) / 6.0f64.sqrt()).collect()
            })
            .collect();
        let mean = |j: usize| rows.iter().map(|row| row[j]).sum::<f64>() / 7.0;
        sum += (0..8).map(|j| mean(j) * mean(j)).sum::<f64>();
    }
    assert!((found - sum / batch as f64).abs() < 1e-12, "{found} {sum}");
}

/// A flow that follows has the crops and flips of its video and nothing else of it.
#[test]
fn what_follows_has_the_draws_of_its_view() {
    let loss = binary(TermOp::Cos, predicted("o1"), sg(encoded("o2")));
    let flip = Link::HorizontalFlip {
        p: Exact::new(1, 2),
    };
    let crop = Link::MultiScaleCrop {
        min_area: Exact::new(8, 100),
    };
    let gray = Link::GrayScale {
        p: Exact::new(1, 5),
        levels: Default::default(),
    };
    let under = |video: &[&Link], flow: Option<&[&Link]>| {
        let mut pretrain = with_words_and_flow(loss.clone());
        let of = |links: &[&Link]| links.iter().map(|link| (*link).clone()).collect();
        pretrain.modalities[1].augment.links = of(video);
        if let Some(links) = flow {
            pretrain.modalities[0].augment.links = of(links);
        }
        meaning(&pretrain).objective
    };
    let flipped = under(&[&flip], None);
    assert_ne!(flipped, under(&[], None));
    assert_ne!(flipped, under(&[&crop, &flip], None));
    assert_eq!(flipped, under(&[&gray, &flip, &gray], None));
    // Its own flips are other draws, and do not depend on its video.
    assert_ne!(flipped, under(&[&flip], Some(&[&flip])));
    assert_eq!(under(&[&flip], Some(&[&crop])), under(&[], Some(&[&crop])));
}

/// A loss of flow alone reads the frames of its video, and nothing else of that.
#[test]
fn the_frames_of_a_flow_stay() {
    let pretrain = with_words_and_flow(binary(TermOp::Cos, predicted("o1"), sg(encoded("o2"))));
    let (graph, _) = crate::passes::build(&pretrain);
    let names: Vec<String> = graph.steps().into_iter().map(|step| step.name).collect();
    let expected = [
        "clip",
        "t",
        "dv",
        "v1.cut",
        "v2.cut",
        "o1.convert",
        "o1.follow",
        "o1",
        "o2.convert",
        "o2.follow",
        "o2",
        "z.o1",
        "z.o2",
        "p.o1",
        "s.o2",
    ];
    assert_eq!(names[..expected.len()], expected);
    let optimised = interpret(&graph, &pretrain, &WORLD, None);
    assert_eq!(optimised.objective, meaning(&pretrain).objective);
}

/// Under `mild` frames, their flow and sound are decoded once, words of two windows twice; under `none` all of them once.
#[test]
fn words_of_different_windows_are_not_shared() {
    let loss = || {
        weighted([
            (cos(predicted("o1"), sg(encoded("v2"))), Exact::new(-1, 2)),
            (cos(predicted("t1"), sg(encoded("t2"))), Exact::new(-1, 2)),
        ])
    };
    let decodes = |within| {
        let mut pretrain = with_words_and_flow(loss());
        pretrain.relax.within = within;
        let (graph, _) = crate::passes::build(&pretrain);
        let steps = graph.steps().into_iter();
        let decodes = steps.filter(|step| matches!(step.node, Node::Decode { .. }));
        decodes.map(|step| step.name).collect::<Vec<_>>()
    };
    let half = Within::Overlap {
        share: Exact::new(1, 2),
        of: None,
    };
    assert_eq!(decodes(half), ["dt1", "dt2", "dv"]);
    assert_eq!(decodes(Within::Same), ["dt", "dv"]);
    assert_eq!(decodes(Within::Halves), ["dt1", "dt2", "dv1", "dv2"]);
}

#[test]
fn passes_keep_what_words_and_flow_compute() {
    let mut draws = Draws(23);
    for round in 0..60 {
        let views = 1 + draws.below(3) as u32;
        let names: &[&str] = draws.one(&[&["o"][..], &["t"], &["o", "t"], &["v", "a", "t", "o"]]);
        let terms: Vec<_> = (0..1 + draws.below(4))
            .map(|i| {
                let mut one = || embedding(&mut draws, names, views);
                let term = Term::new(TermOp::Cos, vec![one(), one()]);
                (term, Exact::new(-1, 2 + i128::from(i)))
            })
            .collect();
        let mut pretrain = with_words_and_flow(weighted(terms));
        pretrain.views = views;
        pretrain.relax.within = draws.one(&[
            Within::Same,
            Within::Overlap {
                share: Exact::new(1, 2),
                of: None,
            },
            Within::Halves,
            Within::Independent,
        ]);
        if draws.below(2) == 0 {
            pretrain.relax.same = vec!["v".to_owned()];
        }
        let world = World {
            batch: 4,
            seed: round,
        };
        let literal = lower(&pretrain);
        let before = interpret(&literal, &pretrain, &world, None);
        let (optimised, _) = passes(&literal, &pretrain, &Pass::ALL);
        let after = interpret(&optimised, &pretrain, &world, None);
        let what = format!("round {round}: {:?}", pretrain.loss);
        assert_same(&what, Class::Reassociating, &before, &after);
    }
}
