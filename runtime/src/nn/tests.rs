//! The backbones against what the compiler says of them before there is a tensor.

use super::*;
use compiler::graph::networks;
use compiler::hir::{Clip, LogMel};
use compiler::units::Exact;

/// Clips with sides and lengths down to 1, and odd ones.
fn clips() -> Vec<Clip> {
    let video = |frames, size| Clip::Video {
        frames,
        size,
        fps: Exact::whole(16),
    };
    let audio = |samples, bands, centre| Clip::Audio {
        samples,
        rate: Exact::whole(16_000),
        mel: LogMel {
            bands,
            hop: 160,
            fft: 1024,
            centre,
        },
    };
    vec![
        video(1, 1),
        video(1, 33),
        video(5, 17),
        video(8, 112),
        audio(1024, 1, false),
        audio(4000, 33, true),
        audio(16_000, 80, false),
    ]
}

/// Maps after each stage, and the numbers that are learned, for strides that are the paper's and others.
#[test]
fn maps_and_parameters_are_those_that_were_planned() {
    let strides = [
        (18, vec![]),
        (10, vec![2, 2, 2, 2]),
        (10, vec![1, 1, 3, 1]),
        (18, vec![1, 2, 2, 1, 1, 1, 2, 1]),
    ];
    for clip in clips() {
        let input = networks::input(&clip);
        for (depth, strides) in &strides {
            let (depth, width, strides) = (*depth, 2, strides.clone());
            let layer = match &clip {
                Clip::Video { .. } | Clip::Flow { .. } => Layer::R2plus1d {
                    depth,
                    width,
                    strides,
                },
                Clip::Audio { .. } | Clip::Text { .. } => Layer::Resnet {
                    depth,
                    width,
                    channels: 1,
                    strides,
                },
            };
            let mut parameters = Parameters::new(1, Kind::Float, Device::Cpu);
            let backbone = Backbone::new(&mut parameters, "b", Some(&layer)).unwrap();
            let shape: Vec<i64> = std::iter::once(2)
                .chain(input.iter().map(|n| i64::from(*n)))
                .collect();
            let x = Tensor::zeros(shape, (Kind::Float, Device::Cpu));
            let found: Vec<Vec<i64>> = backbone
                .maps(&x, false)
                .skip(1)
                .map(|map| map.size()[2..].to_vec())
                .collect();
            let planned: Vec<Vec<i64>> = networks::maps(&layer, &clip)
                .unwrap()
                .into_iter()
                .map(|map| map.into_iter().map(i64::from).collect())
                .collect();
            assert_eq!(found, planned, "{layer:?} on {clip:?}");
            let network = hir::Network {
                layers: vec![layer.clone()],
                same: None,
            };
            let rows = networks::layers(&network, &input);
            let planned: u64 = rows.iter().map(|row| row.parameters).sum();
            let learned: usize = parameters.learned().iter().map(Tensor::numel).sum();
            assert_eq!(learned as u64, planned, "{layer:?}");
        }
    }
}
