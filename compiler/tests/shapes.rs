//! Sizes that the paper and the released code state, derived from files.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use compiler::graph::{networks, text};
use compiler::hir::{Eval, Pretrain, Protocol};
use compiler::{Profile, check, sources};
use std::collections::BTreeMap;

/// The program's first pretraining as a graph, and the codes of what was found.
fn compile(text: &str) -> (Option<compiler::hir::Program>, Vec<&'static str>) {
    let mut sources = sources();
    let root = sources.add("test.cc", text);
    let (program, found) = check(&mut sources, root, &|_, _| None, Profile::Full);
    (program, found.iter().map(|d| d.code.0).collect())
}

/// Values of one clip's features (App. E.1): base, clip, pool, values.
///
/// The paper states no strides for video: (1,4,4) on 7 x 7 gives 8192 values of 8 frames and 32768 of 32 with stride 1, which is
/// "too large to hold", and 512 and 2048 with stride 4. Of sound, 4608, 10752 and 1536 are what the released code declares.
/// Fusion: 2048 of video as stated; of 2 s of sound 1536, where App. E.1 says 2048.
const FEATURES: [(&str, &str, &str, u32); 9] = [
    (
        "linear8",
        "8x224px @ 16fps",
        "maxpool(1, 4, 4, stride: 1)",
        8192,
    ),
    (
        "linear8",
        "8x224px @ 16fps",
        "maxpool(1, 4, 4, stride: 4)",
        512,
    ),
    (
        "linear8",
        "32x224px @ 16fps",
        "maxpool(1, 4, 4, stride: 1)",
        32_768,
    ),
    (
        "linear8",
        "32x224px @ 16fps",
        "maxpool(1, 4, 4, stride: 4)",
        2048,
    ),
    (
        "linear8",
        "8x112px @ 16fps",
        "maxpool(1, 2, 2, stride: 2)",
        2048,
    ),
    (
        "linear2s",
        "2s @ 16kHz",
        "maxpool(1, 3, stride: (1, 2))",
        4608,
    ),
    (
        "linear2s",
        "5s @ 16kHz",
        "maxpool(1, 3, stride: (1, 2))",
        10_752,
    ),
    (
        "linear2s",
        "1s @ 16kHz",
        "maxpool(1, 3, stride: (1, 2))",
        1536,
    ),
    ("linear2s", "2s @ 16kHz", "maxpool(1, 4, stride: 4)", 1536),
];

#[test]
fn features_have_the_stated_sizes() {
    for (base, clip, pool, values) in FEATURES {
        let with = |dim: u32| {
            let text = format!(
                "use paper\neval e = {base} with {{ clip = {clip}   features = conv5 - {pool}   dim = {dim} }}\n\
                 pretrain q = crisscross with {{ seed = 1 }}"
            );
            compile(&text).1.contains(&"E0608")
        };
        assert!(!with(values), "{base} {clip} {pool}: {values}");
        assert!(with(values + 1), "{base} {clip} {pool}: {}", values + 1);
    }
}

/// 80 x 200 as the paper prints it, 80 x 201 as the released code computes it.
#[test]
fn two_seconds_are_200_columns_or_201() {
    for (prelude, shape) in [
        ("paper", "f32[512, 1, 80, 200]"),
        ("released", "f32[512, 1, 80, 201]"),
    ] {
        let text_of = format!("use {prelude}\npretrain q = crisscross with {{ seed = 1 }}");
        let (program, found) = compile(&text_of);
        let program = program.unwrap_or_else(|| panic!("{found:?}"));
        let graph = text(&program.pretrains[0].pretrain, "q");
        assert!(graph.contains(shape), "{prelude}: {graph}");
        assert!(
            graph.contains("f32[512, 3, 8, 112, 112]"),
            "{prelude}: {graph}"
        );
    }
}

/// The pretraining of a file that declares one.
fn pretrain(text: &str) -> Pretrain {
    let (program, found) = compile(text);
    let mut program = program.unwrap_or_else(|| panic!("{found:?}: {text}"));
    program.pretrains.remove(0).pretrain
}

/// Table S5 as the paper prints it: sizes in space and time, channels, kernels, strides.
const TABLE_S5: &str = "\
frames,112,8,3
conv1,56,8,64
maxpool,28,8,64
block2.1.1,28,8,64
block2.1.2,28,8,64
block2.2.1,28,8,64
block2.2.2,28,8,64
block3.1.1,14,4,128
block3.1.2,14,4,128
block3.2.1,14,4,128
block3.2.2,14,4,128
block4.1.1,7,2,256
block4.1.2,7,2,256
block4.2.1,7,2,256
block4.2.2,7,2,256
block5.1.1,4,1,512
block5.1.2,4,1,512
block5.2.1,4,1,512
block5.2.2,4,1,512";

/// Table S6 as the paper prints it: sizes in frequency and time, channels.
const TABLE_S6: &str = "\
spectrogram,80,200,1
conv1,40,100,64
maxpool,20,50,64
block2.1.1,20,50,64
block2.1.2,20,50,64
block2.2.1,20,50,64
block2.2.2,20,50,64
block3.1.1,10,25,128
block3.1.2,10,25,128
block3.2.1,10,25,128
block3.2.2,10,25,128
block4.1.1,5,13,256
block4.1.2,5,13,256
block4.2.1,5,13,256
block4.2.2,5,13,256
block5.1.1,3,7,512
block5.1.2,3,7,512
block5.2.1,3,7,512
block5.2.2,3,7,512";

#[test]
fn the_backbones_have_the_maps_of_tables_s5_and_s6() {
    let paper = pretrain("use paper\npretrain q = crisscross with { seed = 1 }");
    for (group, table, is_video) in [("v.f", TABLE_S5, true), ("a.f", TABLE_S6, false)] {
        let found: BTreeMap<String, Vec<u32>> = networks::of_group(&paper, group)
            .unwrap()
            .into_iter()
            .map(|row| (row.name, row.shape))
            .collect();
        for line in table.lines() {
            let cells: Vec<&str> = line.split(',').collect();
            let number = |at: usize| cells[at].parse::<u32>().unwrap();
            let (first, second, channels) = (number(1), number(2), number(3));
            let shape = if is_video {
                vec![channels, second, first, first]
            } else {
                vec![channels, first, second]
            };
            assert_eq!(found.get(cells[0]), Some(&shape), "{group} {line}");
        }
        assert_eq!(found["avg-pool"], [512], "{group}");
    }
}

/// Strides of 2 in every row of Table S6, as it is printed, add maps of two sizes; those that its sizes need are accepted, in
/// either spelling, and are what is meant without a word.
#[test]
fn the_strides_of_table_s6_as_printed_are_refused() {
    let with = |strides: &str| {
        format!(
            "use paper\npretrain q = crisscross with {{ a.f = resnet(depth: 18, width: 64, channels: 1, strides: ({strides}),
             maps: [(20, 50), (10, 25), (5, 13), (3, 7)]) - proj }}"
        )
    };
    let everywhere = ["2"; 16].join(", ");
    assert!(compile(&with(&everywhere)).1.contains(&"E0609"));
    assert!(compile(&with("2, 2, 2, 2")).1.contains(&"E0609"));
    let usual = pretrain("use paper\npretrain q = crisscross with { seed = 0 }");
    for effective in [
        "1, 2, 2, 2",
        "1, 1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1",
    ] {
        assert_eq!(pretrain(&with(effective)), usual, "{effective}");
    }
}

/// Learned numbers of each network, counted over the released checkpoint's tensors.
#[test]
fn networks_have_the_parameters_of_the_released_ones() {
    let manifest: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/golden/params_manifest.json")).unwrap();
    let mut wanted: BTreeMap<&str, u64> = BTreeMap::new();
    for parameter in manifest["parameters"].as_array().unwrap() {
        let name = parameter["name"].as_str().unwrap();
        let part = name.split('.').next().unwrap();
        *wanted.entry(part).or_default() += parameter["numel"].as_u64().unwrap();
    }
    assert_eq!(wanted.values().sum::<u64>(), 49_662_080);
    let paper = pretrain("use paper\npretrain q = crisscross with { seed = 1 }");
    let count = |group: &str, is_part: &dyn Fn(usize) -> bool| -> u64 {
        let rows = networks::of_group(&paper, group).unwrap();
        let pool = rows
            .iter()
            .position(|row| row.name == "avg-pool")
            .unwrap_or(0);
        let rows = rows
            .iter()
            .enumerate()
            .filter(|(at, _)| is_part(at.saturating_sub(pool)));
        rows.map(|(_, row)| row.parameters).sum()
    };
    for (letter, name) in [("v", "video"), ("a", "audio")] {
        let of = |part: &str| wanted[format!("{name}_{part}").as_str()];
        let f = format!("{letter}.f");
        assert_eq!(count(&f, &|at| at == 0), of("backbone"), "{name}");
        assert_eq!(count(&f, &|at| at > 0), of("projector"), "{name}");
        assert_eq!(
            count(&format!("{letter}.h"), &|_| true),
            of("predictor"),
            "{name}"
        );
    }
}

/// Sizes of a flow and of words, and what a smaller net or another stride makes of them.
#[test]
fn every_declared_modality_has_its_shapes() {
    let text = "use paper
        modality t = text(clip: 2s, tokens: 16tokens, from: captions)
        modality o = flow(of: v, method: tvl1)
        data talk = videos(train: 9K, classes: 10, requires: [v, a, t], short: skip)
        pretrain q = crisscross with {
          data = talk   modalities = [v, a, t, o]
          t.augment = drop_words(p: 0.1)   t.f = bag_of_words(vocab: 30K, width: 512) - proj   t.h = pred
          o.augment = follow(v)   o.f = r2plus1d(depth: 10, width: 32, strides: (1, 2, 2, 1)) - fc(2048)-bn   o.h = same(v.h)
        }";
    let q = pretrain(text);
    let rows = |group: &str| networks::of_group(&q, group).unwrap();
    let row = |group: &str, name: &str| {
        let rows = rows(group);
        let found = rows.iter().find(|row| row.name == name);
        let found = found.unwrap_or_else(|| panic!("{name} of {rows:?}"));
        (found.shape.clone(), found.parameters)
    };
    assert_eq!(row("t.f", "words"), (vec![16], 0));
    assert_eq!(
        row("t.f", "bag_of_words(vocab: 30K, width: 512)"),
        (vec![512], 30_000 * 512)
    );
    assert_eq!(rows("t.f").last().unwrap().shape, [2048]);
    assert_eq!(row("o.f", "flow"), (vec![2, 8, 112, 112], 0));
    // 2 channels, 3 x 7 x 7 and BatchNorm.
    assert_eq!(
        row("o.f", "conv1"),
        (vec![32, 8, 56, 56], 2 * 32 * 147 + 64)
    );
    assert_eq!(row("o.f", "block5.1.2").0, [256, 2, 7, 7]);
    assert_eq!(row("o.f", "avg-pool").0, [256]);
    assert_eq!(rows("o.h"), rows("v.h"));
    let graph = compiler::graph::text(&q, "q");
    for shape in ["i64[16]", ", 2, 8, 112, 112]"] {
        assert!(graph.contains(shape), "{shape}: {graph}");
    }
}

/// `l2` and `bn` change no width.
#[test]
fn a_head_without_a_linear_layer_is_as_wide_as_what_it_reads() {
    for head in ["l2", "bn-relu"] {
        let text = format!(
            "use paper\npretrain q = crisscross with {{ loss = pair(v[1], v[2])   v.h = {head} }}"
        );
        let graph = compiler::graph::text(&pretrain(&text), "q");
        let head = graph.lines().find(|line| line.contains("= v.h %z.v1"));
        assert!(head.unwrap().contains("f32[512, 2048]"), "{graph}");
    }
}

/// The rows behind `conv5`, for the protocols of the prelude.
#[test]
fn features_are_listed_step_by_step() {
    let text = "use paper\ntable x { of = crisscross   scores = [linear8 on UCF101, linear2s on ESC50]   row seed = 1 }";
    let program = compile(text).0.unwrap();
    let table = &program.tables[0];
    let of = |eval: &Eval| networks::of_features(&table.rows[0].pretrain, eval).unwrap();
    for ((_, protocol), values) in table.scores.iter().zip([8192, 4608]) {
        let Protocol::Single(eval) = protocol else {
            panic!("{protocol:?}");
        };
        let rows = of(eval);
        assert_eq!(rows.last().unwrap().shape, [values]);
        assert!(rows.iter().any(|row| row.name == "block5.2.2"));
    }
}
