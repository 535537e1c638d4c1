//! What each pass does to the paper's training step, and that none changes what is computed.

use super::*;
use crate::fixture::{ALL, cos, crisscross, encoded, l2, pairs, predicted, sg, weighted};
use crate::graph::Node;
use crate::hir::{Relaxation, Within};
use crate::units::Exact;
use crate::validate::loss_of;

fn log(pretrain: &Pretrain) -> Vec<(&'static str, String)> {
    build(pretrain)
        .1
        .into_iter()
        .map(|why| (why.pass, why.done))
        .collect()
}

/// `(length, [(view, start)])` of each decode of a modality.
fn decodes(graph: &Graph, wanted: &str) -> Vec<(u32, Vec<(u32, u32)>)> {
    let mut found = vec![];
    for id in graph.topological() {
        if let Node::Decode {
            modality, length, ..
        } = graph.node(id)
            && modality == wanted
        {
            let mut slices = vec![];
            for reader in graph
                .ids()
                .filter(|reader| graph.inputs(*reader).contains(&id))
            {
                if let Node::Slice { view, start, .. } = graph.node(reader) {
                    slices.push((*view, *start));
                }
            }
            found.push((*length, slices));
        }
    }
    found
}

#[test]
fn the_full_loss_is_lowered_literally_and_shared() {
    let pretrain = crisscross(pairs(&ALL));
    assert_eq!(count(&lower(&pretrain))[&(5, "encode")], 24);
    assert_eq!(
        log(&pretrain),
        [
            (
                "merge_duplicates",
                "encode 24 -> 4, predict 12 -> 4, stopgrad 12 -> 4".to_owned()
            ),
            ("share_stop_gradients", String::new()),
            ("drop_unread_modalities", String::new()),
            ("share_decodes", "decode 4 -> 2".to_owned()),
        ]
    );
}

#[test]
fn no_pass_changes_the_loss() {
    for loss in [pairs(&ALL), pairs(&["v1v2"]), pairs(&["v1a2", "v2a1"])] {
        let pretrain = crisscross(loss.clone());
        let literal = lower(&pretrain);
        assert_eq!(loss_of(&literal), loss);
        assert_eq!(loss_of(&merge_duplicates(&literal)), loss);
        assert_eq!(loss_of(&optimise(&literal, &pretrain).0), loss);
    }
}

#[test]
fn a_target_written_in_two_ways_is_one_tensor() {
    let targets = [
        sg(l2(encoded("v2"))),
        l2(sg(encoded("v2"))),
        sg(sg(l2(sg(encoded("v2"))))),
    ];
    let terms = targets.into_iter().enumerate();
    let loss = weighted(
        terms.map(|(i, target)| (cos(predicted("v1"), target), Exact::new(-1, 1 + i as i128))),
    );
    let pretrain = crisscross(loss);
    let (graph, _) = build(&pretrain);
    let counts = count(&graph);
    assert_eq!((counts[&(7, "stopgrad")], counts[&(8, "l2")]), (1, 1));
}

#[test]
fn without_a_modality_in_the_loss_its_data_path_goes_and_the_sampler_stays() {
    let pretrain = crisscross(pairs(&["v1v2"]));
    let (graph, _) = build(&pretrain);
    let names: Vec<String> = graph.steps().into_iter().map(|step| step.name).collect();
    let expected = [
        "clip", "t", "dv", "v1.cut", "v2.cut", "v1", "v2", "z.v1", "z.v2", "p.v1", "p.v2", "s.v1",
        "s.v2",
    ];
    assert_eq!(names[..13], expected);
    assert_eq!(names[13..], ["cos(p.v1,s.v2)", "cos(p.v2,s.v1)", "L"]);
    // The plan's settings keep both modalities, so that times and clips are those of the other rows.
    assert_eq!(pretrain.modalities.len(), 2);
}

#[test]
fn mild_decodes_12_frames_and_48000_samples() {
    let (graph, _) = build(&crisscross(pairs(&ALL)));
    assert_eq!(decodes(&graph, "v"), [(12, vec![(1, 0), (2, 4)])]);
    assert_eq!(decodes(&graph, "a"), [(48_000, vec![(1, 0), (2, 16_000)])]);
}

#[test]
fn none_decodes_one_window_and_drawn_distances_two() {
    let with = |within| {
        let relax = Relaxation {
            within,
            ..crisscross(pairs(&ALL)).relax
        };
        decodes(
            &build(&Pretrain {
                relax,
                ..crisscross(pairs(&ALL))
            })
            .0,
            "v",
        )
    };
    let apart = [(8, vec![(1, 0)]), (8, vec![(2, 0)])];
    assert_eq!(with(Within::Same), [(8, vec![(1, 0), (2, 0)])]);
    assert_eq!(with(Within::Halves), apart);
    assert_eq!(with(Within::OffsetMax), apart);
    let mut same = crisscross(pairs(&ALL));
    same.relax.within = Within::OffsetMax;
    same.relax.same = vec!["v".to_owned()];
    let same = decodes(&build(&same).0, "v");
    assert_eq!(same, [(8, vec![(1, 0), (2, 0)])]);
    assert_eq!(with(Within::Independent), apart);
    // `medium`: side by side, nothing is decoded twice.
    assert_eq!(
        with(Within::Overlap {
            share: Exact::whole(0),
            of: None
        }),
        apart
    );
    // 30 % of 8 frames is no whole number of frames.
    assert_eq!(
        with(Within::Overlap {
            share: Exact::new(3, 10),
            of: None
        }),
        apart
    );
    // Half of the audio clip is 16 frames: the video windows lie apart.
    assert_eq!(
        with(Within::Overlap {
            share: Exact::new(1, 2),
            of: Some("a".to_owned())
        }),
        apart
    );
    let of_video = with(Within::Overlap {
        share: Exact::new(1, 2),
        of: Some("v".to_owned()),
    });
    assert_eq!(of_video, [(12, vec![(1, 0), (2, 4)])]);
}

#[test]
#[should_panic(expected = "the graph computes the loss of the experiment")]
fn a_rewrite_that_loses_a_stop_gradient_is_caught() {
    let pretrain = crisscross(pairs(&ALL));
    let broken = lower(&pretrain).rewritten(|new, node, inputs| {
        if *node == Node::StopGradient {
            inputs[0]
        } else {
            new.add(node.clone(), inputs)
        }
    });
    validate(&broken, &pretrain);
}

#[test]
#[should_panic(expected = "arguments are equally wide")]
fn a_term_over_two_widths_is_caught() {
    let mut pretrain = crisscross(pairs(&ALL));
    pretrain.modalities[1]
        .f
        .layers
        .push(crate::hir::Layer::Fc { width: 256 });
    build(&pretrain);
}
