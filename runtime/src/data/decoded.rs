//! What was decoded for a batch, joined so that it reaches a device in few copies.

use super::joined::Memory;
use super::overlaps::Overlaps;
use super::source::Ticks;
use crate::augment::Key;
use crate::parts::{Part, measured};
use std::time::Duration;
use tch::{Device, Tensor};

/// The decoded spans of the samples of one step: bytes of pictures and samples of sound, before any augmentation.
#[derive(Debug)]
pub struct Decoded {
    /// For each span that a sample asks for, those of all samples.
    pub spans: Vec<Spans>,
    /// The place of each sample's random numbers.
    pub keys: Vec<Key>,
    /// Its clip.
    pub clips: Vec<u32>,
    /// How much of each other the windows of each sample's views cover, in all.
    pub overlaps: Overlaps,
    /// How long the one who asked had to wait for it.
    pub waited: Duration,
}

/// One span of every sample of a batch.
#[derive(Debug)]
pub enum Spans {
    /// Pictures, which may be of another size in each sample.
    Frames {
        /// All of them one after the other: u8 `[sum of T H W 3]`.
        bytes: Tensor,
        /// `[T, H, W, 3]` of each sample.
        shapes: Vec<[i64; 4]>,
    },
    /// Sound: f32 `[B, N]`.
    Waves(Tensor),
}

impl Spans {
    /// Joins the spans of the samples, at least one, in `memory`.
    pub(super) fn join(ticks: &[Ticks], memory: &mut Memory) -> Self {
        let parts: Vec<&Tensor> = ticks.iter().map(tensor_of).collect();
        let joined = memory.join(&parts);
        if let Ticks::Wave(_) = &ticks[0] {
            return Self::Waves(joined.view([ticks.len() as i64, -1]));
        }
        let shape = |part: &&Tensor| {
            <[i64; 4]>::try_from(part.size()).expect("ClipSource: frames are [T, H, W, 3]")
        };
        Self::Frames {
            bytes: joined,
            shapes: parts.iter().map(shape).collect(),
        }
    }

    /// Bytes of it.
    pub fn bytes(&self) -> u64 {
        let (Self::Frames { bytes: joined, .. } | Self::Waves(joined)) = self;
        (joined.numel() * joined.kind().elt_size_in_bytes()) as u64
    }

    /// The spans on the device. A copy to a GPU may still be under way: what reads it there waits for it.
    #[must_use]
    pub fn to_device(&self, device: Device) -> Self {
        let copy = |tensor: &Tensor| {
            tensor.to_device_(
                device,
                tensor.kind(),
                /*non_blocking=*/ true,
                /*copy=*/ false,
            )
        };
        measured(Part::Copy, || match self {
            Self::Frames { bytes, shapes } => Self::Frames {
                bytes: copy(bytes),
                shapes: shapes.clone(),
            },
            Self::Waves(waves) => Self::Waves(copy(waves)),
        })
    }

    /// The span of each sample, as views of the joined tensors.
    pub fn ticks(&self) -> Vec<Ticks> {
        match self {
            Self::Frames { bytes, shapes } => {
                let sizes: Vec<i64> = shapes.iter().map(|shape| shape.iter().product()).collect();
                let parts = bytes.split_with_sizes(&sizes, 0);
                let frames = |(part, shape): (Tensor, &[i64; 4])| Ticks::Frames(part.view(*shape));
                parts.into_iter().zip(shapes).map(frames).collect()
            }
            Self::Waves(waves) => waves.unbind(0).into_iter().map(Ticks::Wave).collect(),
        }
    }
}

fn tensor_of(ticks: &Ticks) -> &Tensor {
    let (Ticks::Frames(tensor) | Ticks::Wave(tensor)) = ticks;
    tensor
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    #[test]
    fn spans_come_out_as_they_went_in() {
        let frames = |t: i64, h: i64, w: i64| {
            let bytes = Tensor::arange(t * h * w * 3, (Kind::Int64, Device::Cpu));
            bytes.remainder(251).to_kind(Kind::Uint8).view([t, h, w, 3])
        };
        let ticks = [frames(2, 4, 6), frames(2, 5, 3)].map(Ticks::Frames);
        let joined = Spans::join(&ticks, &mut Memory::new(Device::Cpu)).to_device(Device::Cpu);
        for (before, after) in ticks.iter().zip(joined.ticks()) {
            let (Ticks::Frames(before), Ticks::Frames(after)) = (before, after) else {
                panic!("pictures stay pictures");
            };
            assert_eq!(*before, after);
        }
        let waves = [
            Tensor::rand([7], (Kind::Float, Device::Cpu)),
            Tensor::zeros([7], (Kind::Float, Device::Cpu)),
        ];
        let joined = Spans::join(
            &waves.each_ref().map(|w| Ticks::Wave(w.shallow_clone())),
            &mut Memory::new(Device::Cpu),
        );
        assert!(matches!(&joined, Spans::Waves(both) if both.size() == [2, 7]));
        assert!(matches!(&joined.ticks()[0], Ticks::Wave(first) if *first == waves[0]));
    }
}
