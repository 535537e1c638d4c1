//! A map over the pictures of its clip.

use super::Looked;
use crate::sheet::panels::{Scale, values};
use compiler::hir::Clip;
use tch::{Device, Kind, Tensor};

/// How much of a colour there is where the map is 1; where it is 0 there is none.
const STRENGTH: f64 = 0.75;
/// Colours of a map.
const STEPS: i64 = 256;

/// The pictures of a clip: u8 `[n, H, W, 3]`, one for each frame; of a spectrogram one, low bands at the bottom.
pub struct Pictures {
    /// As the network gets them.
    pub plain: Tensor,
    /// In greys, with the map in colours over them.
    pub overlaid: Tensor,
}

impl Pictures {
    /// Those of a clip; spectrograms in the colours of this scale.
    pub fn of(clip: &Clip, looked: &Looked, scale: Scale) -> Self {
        let map = looked.map.over(&place(&looked.picture));
        match clip {
            Clip::Audio { .. } => {
                let picture = looked.picture.flip([0]);
                let colours: Vec<u8> = values(&picture)
                    .into_iter()
                    .flat_map(|value| scale.colour(value))
                    .collect();
                let share = (picture - scale.low) / (scale.high - scale.low);
                let grey = (share.clamp(0.0, 1.0) * 255.0).unsqueeze(-1);
                let [bands, columns] = looked.picture.size()[..] else {
                    unreachable!("saliency: a spectrogram is [bands, columns]")
                };
                Self {
                    plain: Tensor::from_slice(&colours).view([1, bands, columns, 3]),
                    overlaid: overlaid(&grey, &map.flip([0])).unsqueeze(0),
                }
            }
            Clip::Video { .. } | Clip::Text { .. } | Clip::Flow { .. } => {
                let weights = Tensor::from_slice(&[0.299, 0.587, 0.114]);
                let frames = looked.picture.to_kind(Kind::Double);
                let grey = (frames * weights).sum_dim_intlist(-1, true, None);
                Self {
                    plain: looked.picture.shallow_clone(),
                    overlaid: overlaid(&grey, &map),
                }
            }
        }
    }
}

/// The size of a map over a picture: without colours.
fn place(picture: &Tensor) -> Vec<i64> {
    match picture.size()[..] {
        [frames, height, width, _] => vec![frames, height, width],
        _ => picture.size(),
    }
}

/// Greys `[..., 1]` from 0 to 255 with a map `[...]` from 0 to 1 over them: u8 `[..., 3]`. Plasma's lightness rises evenly with the map.
fn overlaid(grey: &Tensor, map: &Tensor) -> Tensor {
    let colours: Vec<f64> = (0..STEPS as usize)
        .map(|step| colorous::PLASMA.eval_rational(step, STEPS as usize))
        .flat_map(|colour| [colour.r, colour.g, colour.b].map(f64::from))
        .collect();
    let colours = Tensor::from_slice(&colours).view([STEPS, 3]);
    let steps = (map * (STEPS - 1) as f64).round().to_kind(Kind::Int64);
    let colour = colours
        .index_select(0, &steps.flatten(0, -1))
        .view(&[&map.size()[..], &[3]].concat()[..]);
    let share = map.unsqueeze(-1) * STRENGTH;
    let mixed = grey + (colour - grey) * share;
    mixed.round().clamp(0.0, 255.0).to_kind(Kind::Uint8)
}

/// The colours of a map from 0 to 1 over a middle grey: u8 `[height, width, 3]`.
pub fn legend(height: i64, width: i64) -> Tensor {
    let ramp = Tensor::linspace(0.0, 1.0, width, (Kind::Double, Device::Cpu));
    let grey = Tensor::full([height, width, 1], 128.0, (Kind::Double, Device::Cpu));
    overlaid(&grey, &ramp.expand([height, width], false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_come_with_the_map() {
        let strip: Vec<u8> = Vec::try_from(legend(1, 3).view([-1])).unwrap();
        // Where the map is 0 the grey is left; where it is 1, three quarters of the last colour of plasma, which is (240, 249, 33).
        assert_eq!(strip[..3], [128, 128, 128]);
        assert_eq!(strip[6..], [212, 219, 57]);
    }
}
