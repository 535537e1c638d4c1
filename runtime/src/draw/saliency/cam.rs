//! Grad-CAM and Smooth Grad-CAM++: from the map after the last convolution and the gradient of a target at it to a map of what the
//! target rests on.
//!
//! ```text
//! L = ReLU(sum_k w_k A_k)                              A_k: channel k of the map
//! Grad-CAM:         w_k = (1/P) sum_p g_kp             g: the gradient of the target at A, over P places
//! Smooth Grad-CAM++: w_k = sum_p a_kp ReLU(D1_kp)
//!                   a_kp = D2_kp / (2 D2_kp + D3_kp sum_q A_kq)
//! ```
//!
//! D1, D2 and D3 are the means over noisy copies of a clip of the first, second and third power of g. These powers stand for the higher
//! derivatives of the exponential of the target, whose common factor is left out, as all libraries of such maps do; there is no constant
//! in the denominator, which would outweigh gradients as small as ours. A place without gradient adds nothing.
//!
//! Source: Selvaraju et al. 2017 (equations 1 and 2), Chattopadhay et al. 2018 (equation 19), Omeiza et al. 2019.
//! All is done in float64 on the CPU, where these maps of a few thousand numbers cost nothing and come out the same on every device.

use tch::{Device, Kind, Tensor};

/// The gradient of a target at a map, or the means of its powers over several copies of a clip: `[C, P]` each.
#[derive(Debug)]
pub struct Slopes {
    first: Tensor,
    second: Tensor,
    third: Tensor,
    copies: u32,
}

impl Slopes {
    /// Those of one gradient `[1, C, ...]`.
    pub fn of(gradient: &Tensor) -> Self {
        let first = rows(gradient);
        Self {
            second: first.square(),
            third: first.pow_tensor_scalar(3),
            first,
            copies: 1,
        }
    }

    /// With the gradient of one more copy.
    #[must_use]
    pub fn and(self, gradient: &Tensor) -> Self {
        let other = Self::of(gradient);
        let copies = self.copies + 1;
        let share = 1.0 / f64::from(copies);
        let mean = |before: &Tensor, new: &Tensor| before + (new - before) * share;
        Self {
            first: mean(&self.first, &other.first),
            second: mean(&self.second, &other.second),
            third: mean(&self.third, &other.third),
            copies,
        }
    }

    /// The weights of Grad-CAM: `[C]`.
    pub fn plain(&self) -> Tensor {
        self.first.mean_dim(-1, false, None)
    }

    /// The weights of Grad-CAM++, smooth where there are several copies, for the map `[1, C, ...]` of the clip itself: `[C]`.
    pub fn plus_plus(&self, map: &Tensor) -> Tensor {
        let sums = rows(map).sum_dim_intlist(-1, true, None); // [C, 1]
        let below = &self.second * 2.0 + &self.third * sums;
        let is_none = self.first.le(0.0).logical_or(&below.eq(0.0));
        let share = (&self.second / below).masked_fill(&is_none, 0.0);
        (share * self.first.relu()).sum_dim_intlist(-1, false, None)
    }
}

/// `[1, C, ...]` as `[C, P]` in float64 on the CPU.
fn rows(map: &Tensor) -> Tensor {
    map.detach()
        .to_device(Device::Cpu)
        .to_kind(Kind::Double)
        .squeeze_dim(0)
        .flatten(1, -1)
}

/// The map of what a target rests on, in the cells of the last convolution's.
#[derive(Debug)]
pub struct Highlight {
    /// `[t, h, w]`, or `[bands, columns]` of a spectrogram: float64, none below 0.
    pub cells: Tensor,
}

impl Highlight {
    /// The channels of the map `[1, C, ...]` by their weights `[C]`, as far as their sum is positive.
    pub fn of(map: &Tensor, weights: &Tensor) -> Self {
        let sum = weights.unsqueeze(0).matmul(&rows(map)).relu();
        Self {
            cells: sum.view(&map.size()[2..]),
        }
    }

    /// The largest cell; 0 where nothing speaks for the target.
    pub fn peak(&self) -> f64 {
        self.cells.max().double_value(&[])
    }

    /// Whether there is nothing to see: no cell above 0, or all of them the same.
    pub fn is_flat(&self) -> bool {
        self.peak() <= 0.0 || self.cells.min().double_value(&[]) == self.peak()
    }

    /// Whether every cell is a number.
    pub fn is_finite(&self) -> bool {
        self.cells.isfinite().all().int64_value(&[]) == 1
    }

    /// Spread over a clip of this size, `[T, H, W]` or `[bands, columns]`, linearly along each axis, and divided by its largest value:
    /// 0 to 1 over the whole clip. A map of zeros stays one.
    pub fn over(&self, size: &[i64]) -> Tensor {
        let cells = self.cells.unsqueeze(0).unsqueeze(0);
        let spread = match size.len() {
            3 => cells.upsample_trilinear3d(size, false, None, None, None),
            _ => cells.upsample_bilinear2d(size, false, None, None),
        };
        let spread = spread.view(size);
        match spread.max().double_value(&[]) {
            peak if peak > 0.0 => spread / peak,
            _ => spread,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: &[f64], size: &[i64]) -> Tensor {
        Tensor::from_slice(values).view(size)
    }

    fn numbers(of: &Tensor) -> Vec<f64> {
        Vec::try_from(of.contiguous().view([-1])).unwrap()
    }

    fn near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-12,
                "{found} is not {expected}"
            );
        }
    }

    /// Two channels of 2x2 places, worked out by hand.
    #[test]
    fn weights_and_map_are_those_of_the_formulas() {
        let map = tensor(&[1.0, 2.0, 0.0, 1.0, 0.0, 1.0, 3.0, 0.0], &[1, 2, 2, 2]);
        let gradient = tensor(&[0.4, 0.0, -0.2, 0.6, -1.0, -0.6, 0.2, 0.2], &[1, 2, 2, 2]);
        let slopes = Slopes::of(&gradient);
        near(&numbers(&slopes.plain()), &[0.2, -0.3]);
        // 0.2 (1, 2, 0, 1) - 0.3 (0, 1, 3, 0), not below 0.
        let seen = Highlight::of(&map, &slopes.plain());
        near(&numbers(&seen.cells), &[0.2, 0.1, 0.0, 0.2]);
        // With sums 4 and 4: a = 1 / (2 + 4 g), so 1/3.6 and 1/4.4; 1/2.8 twice.
        let weights = slopes.plus_plus(&map);
        near(
            &numbers(&weights),
            &[0.4 / 3.6 + 0.6 / 4.4, 2.0 * 0.2 / 2.8],
        );
    }

    #[test]
    fn copies_are_averaged_power_by_power() {
        let map = tensor(&[1.0, 2.0], &[1, 1, 1, 2]);
        let one = |a: f64, b: f64| tensor(&[a, b], &[1, 1, 1, 2]);
        let slopes = Slopes::of(&one(0.3, 0.1))
            .and(&one(0.1, -0.5))
            .and(&one(0.2, 0.1));
        near(&numbers(&slopes.plain()), &[(0.2 - 0.1) / 2.0]);
        // First place: means 0.2, 0.14/3, 0.036/3. The second one's mean is negative.
        let share = (0.14 / 3.0) / (2.0 * 0.14 / 3.0 + 3.0 * 0.036 / 3.0);
        near(&numbers(&slopes.plus_plus(&map)), &[share * 0.2]);
    }

    #[test]
    fn a_map_is_spread_over_the_whole_clip_and_reaches_one() {
        // Two instants of one row: centres of cells lie at 0.5 and 1.5, those of frames at 0.25, 0.75, 1.25 and 1.75.
        let seen = Highlight {
            cells: tensor(&[0.0, 4.0, 0.0, 2.0], &[2, 1, 2]),
        };
        let whole = seen.over(&[4, 1, 2]);
        near(
            &numbers(&whole),
            &[0.0, 1.0, 0.0, 0.875, 0.0, 0.625, 0.0, 0.5],
        );
        assert!(!seen.is_flat());
        let sound = Highlight {
            cells: tensor(&[1.0, 3.0], &[1, 2]),
        };
        near(
            &numbers(&sound.over(&[2, 2])),
            &[1.0 / 3.0, 1.0, 1.0 / 3.0, 1.0],
        );
    }

    #[test]
    fn nothing_is_divided_by_zero() {
        let map = tensor(&[0.0, 0.0, 1.0, 1.0], &[1, 1, 2, 2]);
        let none = Slopes::of(&tensor(&[0.0; 4], &[1, 1, 2, 2]));
        near(&numbers(&none.plus_plus(&map)), &[0.0]);
        let against = Highlight::of(
            &map,
            &Slopes::of(&tensor(&[-1.0; 4], &[1, 1, 2, 2])).plain(),
        );
        assert!(against.is_flat() && against.peak() == 0.0);
        near(&numbers(&against.over(&[1, 2])), &[0.0; 2]);
        let lost = Highlight::of(&map, &tensor(&[f64::NAN], &[1]));
        assert!(!lost.is_finite());
    }
}
