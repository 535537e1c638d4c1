//! What each pass does to the paper's training step, and that none changes what is computed.

use super::why::count;
use super::*;
use crate::fixture::{ALL, cos, crisscross, encoded, l2, pairs, predicted, sg, weighted};
use crate::graph::{Node, nodes};
use crate::hir::{BatchNorm, Link, Relaxation, Within};
use crate::loss::{EmbeddingOp, Loss, Part, Term, TermOp};
use crate::units::Exact;
use crate::validate::loss_of;

fn log(pretrain: &Pretrain) -> Vec<(&'static str, String)> {
    build(pretrain)
        .1
        .into_iter()
        .map(|why| (why.pass.name(), why.done))
        .collect()
}

/// What a pass makes of the graph that the default passes before it leave, both as text, and why not more.
fn around(pass: Pass, pretrain: &Pretrain, written: &Written) -> String {
    let earlier: Vec<Pass> = selection(&[])
        .into_iter()
        .filter(|other| *other < pass)
        .collect();
    let (before, _) = build_written(pretrain, written, &earlier);
    let (after, log) = apply(&before, pretrain, &[pass]);
    validate(&after, pretrain);
    format!(
        "before\n{}\nafter\n{}\nwhy\n{}",
        nodes(&before, pretrain),
        nodes(&after, pretrain),
        text(&log)
    )
}

/// A small experiment of the fixture: two views, one modality read, links in front of and behind the conversion.
fn small(loss: Loss) -> Pretrain {
    let mut pretrain = crisscross(loss);
    let crop = Link::MultiScaleCrop {
        min_area: Exact::new(1, 5),
    };
    pretrain.modalities[0].augment.links.insert(0, crop);
    let mask = Link::FreqMask {
        max: 16,
        count: 2,
        widths: crate::hir::Widths::default(),
    };
    pretrain.modalities[1].augment.links.push(mask);
    pretrain
}

#[test]
fn expand_and_fold_before_and_after() {
    // 1/2 * (x + y) + 1/2 * (x - y): y cancels.
    let x = cos(predicted("v1"), sg(encoded("v2")));
    let y = cos(predicted("v2"), sg(encoded("v1")));
    let (one, half) = (Exact::whole(1), Exact::new(1, 2));
    let written = Written {
        parts: vec![
            Part::Term(x.clone()),
            Part::Term(y),
            Part::Sum(vec![(one, 0), (one, 1)]),
            Part::Sum(vec![(one, 0), (Exact::whole(-1), 1)]),
            Part::Sum(vec![(half, 2), (half, 3)]),
        ],
        factor: None,
    };
    let pretrain = small(weighted([(x, one)]));
    insta::assert_snapshot!(around(Pass::ExpandAndFold, &pretrain, &written));
}

#[test]
fn merge_duplicates_before_and_after() {
    let pretrain = small(pairs(&["v1v2"]));
    insta::assert_snapshot!(around(
        Pass::MergeDuplicates,
        &pretrain,
        &Written::default()
    ));
}

#[test]
fn share_stop_gradients_before_and_after() {
    let loss = weighted([
        (
            cos(predicted("v1"), sg(l2(encoded("v2")))),
            Exact::new(-1, 2),
        ),
        (
            cos(predicted("v1"), l2(sg(encoded("v2")))),
            Exact::new(-1, 3),
        ),
        (
            cos(predicted("v1"), predicted_of(sg(encoded("v2")))),
            Exact::new(-1, 6),
        ),
    ]);
    let pretrain = small(loss);
    insta::assert_snapshot!(around(
        Pass::ShareStopGradients,
        &pretrain,
        &Written::default()
    ));
}

/// `h` of an embedding of `v`.
fn predicted_of(x: crate::loss::Embedding) -> crate::loss::Embedding {
    crate::loss::Embedding::Apply(EmbeddingOp::Predict("v.h".to_owned()), Box::new(x))
}

#[test]
fn drop_unread_modalities_before_and_after() {
    let pretrain = small(pairs(&["v1v2"]));
    insta::assert_snapshot!(around(
        Pass::DropUnreadModalities,
        &pretrain,
        &Written::default()
    ));
}

#[test]
fn share_decodes_before_and_after() {
    let mut pretrain = small(pairs(&["v1a1", "v2a2"]));
    // Sound overlaps by half; a third of 8 frames is no whole number.
    pretrain.relax.within = Within::Overlap {
        share: Exact::new(1, 2),
        of: None,
    };
    if let crate::hir::Clip::Video { frames, .. } = &mut pretrain.modalities[0].clip {
        *frames = 7;
    }
    insta::assert_snapshot!(around(Pass::ShareDecodes, &pretrain, &Written::default()));
}

#[test]
fn move_domain_before_and_after() {
    let pretrain = small(pairs(&["v1a1"]));
    insta::assert_snapshot!(around(Pass::MoveDomain, &pretrain, &Written::default()));
}

#[test]
fn batch_views_before_and_after() {
    let pretrain = small(pairs(&["v1v2"]));
    insta::assert_snapshot!(around(Pass::BatchViews, &pretrain, &Written::default()));
}

#[test]
fn fuse_terms_before_and_after() {
    let mse = Term::new(TermOp::Mse, vec![predicted("v1"), encoded("v2")]);
    let mut loss = pairs(&["v1v2", "v1a1"]);
    loss.terms.push((mse, Exact::new(1, 4)));
    loss.terms.sort();
    let pretrain = small(loss);
    insta::assert_snapshot!(around(Pass::FuseTerms, &pretrain, &Written::default()));
}

#[test]
fn what_is_not_legal_is_left_and_said() {
    let why = |pass: Pass, pretrain: &Pretrain| {
        let (_, log) = build_with(pretrain, &selection(&[pass]));
        let own = log.into_iter().find(|why| why.pass == pass).unwrap();
        (own.done, own.refused.join("\n"))
    };
    // Frames of one draw each stay, sound goes.
    let mut pretrain = small(pairs(&["v1a1"]));
    pretrain.modalities[0].augment.per_frame = true;
    let (done, refused) = why(Pass::MoveDomain, &pretrain);
    assert_eq!(done, "a: VJ, convert, FM behind the batch");
    assert_eq!(
        refused,
        "all of `v` stays on the host: `per_frame` draws for each frame, not for each sample"
    );
    // One network behind two chains of operators, view by view.
    let loss = weighted([
        (cos(predicted("v1"), sg(encoded("v2"))), Exact::new(-1, 2)),
        (cos(predicted("v2"), sg(encoded("v1"))), Exact::new(-1, 2)),
        (
            cos(predicted_of(l2(encoded("v1"))), sg(encoded("v2"))),
            Exact::new(-1, 2),
        ),
    ]);
    let (done, refused) = why(Pass::BatchViews, &small(loss));
    assert_eq!(done, "encode 2 -> 1, part 0 -> 2");
    assert!(
        refused.starts_with("`v.h` is called behind different operators"),
        "{refused}"
    );
    // One cosine is no matrix.
    let loss = weighted([(cos(predicted("v1"), sg(encoded("v2"))), Exact::new(-1, 1))]);
    let (done, refused) = why(Pass::FuseTerms, &small(loss));
    assert_eq!(
        (done.as_str(), refused.as_str()),
        ("", "`cos(p.v1,s.v2)` is the only cosine of width 2048")
    );
}

#[test]
fn names_of_terms_and_embeddings_stay_when_calls_are_joined() {
    for bn in [BatchNorm::PerView, BatchNorm::Joint] {
        let pretrain = Pretrain {
            bn,
            ..crisscross(pairs(&ALL))
        };
        let names = |passes: &[Pass]| -> Vec<String> {
            let (graph, _) = build_with(&pretrain, &selection(passes));
            let names = graph.steps().into_iter().map(|step| step.name);
            names.filter(|name| !name.contains('+')).collect()
        };
        let mut plain = names(&[]);
        let mut joined = names(&[Pass::BatchViews]);
        plain.sort();
        joined.sort();
        assert_eq!(plain, joined);
    }
}

#[test]
fn passes_are_found_by_their_names() {
    for pass in Pass::ALL {
        assert_eq!(Pass::named(pass.name()), Some(pass));
    }
    assert_eq!(Pass::named("gang"), None);
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
    assert_eq!(count(&lower(&pretrain))[&(7, "encode")], 24);
    assert_eq!(
        log(&pretrain),
        [
            ("expand_and_fold", String::new()),
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
        assert_eq!(loss_of(&apply(&literal, &pretrain, &Pass::ALL).0), loss);
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
    assert_eq!((counts[&(10, "stopgrad")], counts[&(11, "l2")]), (1, 1));
}

#[test]
fn without_a_modality_in_the_loss_its_data_path_goes_and_the_sampler_stays() {
    let pretrain = crisscross(pairs(&["v1v2"]));
    let (graph, _) = build(&pretrain);
    let names: Vec<String> = graph.steps().into_iter().map(|step| step.name).collect();
    let expected = [
        "clip",
        "t",
        "dv",
        "v1.cut",
        "v2.cut",
        "v1.HF",
        "v1.convert",
        "v1",
        "v2.HF",
        "v2.convert",
        "v2",
        "z.v1",
        "z.v2",
        "p.v1",
        "p.v2",
        "s.v1",
        "s.v2",
    ];
    assert_eq!(names[..17], expected);
    assert_eq!(names[17..], ["cos(p.v1,s.v2)", "cos(p.v2,s.v1)", "L"]);
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
    // A step of 4 frames leaves half of the clip in common; one of 8, and more so one of 48, leaves nothing.
    let step = |frames| with(Within::Offset(Exact::new(frames, 16)));
    assert_eq!(step(4), [(12, vec![(1, 0), (2, 4)])]);
    assert_eq!((step(8), step(48)), (apart.to_vec(), apart.to_vec()));
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
