//! Sizes that the paper and the released code state, derived from files.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use compiler::graph::text;
use compiler::{Profile, check, sources};

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
        ("paper", "f32[1, 80, 200]"),
        ("released", "f32[1, 80, 201]"),
    ] {
        let text_of = format!("use {prelude}\npretrain q = crisscross with {{ seed = 1 }}");
        let (program, found) = compile(&text_of);
        let program = program.unwrap_or_else(|| panic!("{found:?}"));
        let graph = text(&program.pretrains[0].pretrain, "q");
        assert!(graph.contains(shape), "{prelude}: {graph}");
        assert!(graph.contains("f32[3, 8, 112, 112]"), "{prelude}: {graph}");
    }
}
