//! What keeps a training from stepping on what is no number. The device decides, and nobody waits for it: whoever reads the numbers of the
//! step comes to the same conclusion later.

use crate::error::Result;
use crate::optim::scaler::{self, Scaler};
use crate::watch::gauges::{Gauges, Readings};
use tch::{Device, Kind, Tensor, no_grad};

/// Whether the training has met a step that ends it.
#[derive(Debug)]
pub(crate) struct Guard {
    /// float32 `[1]`: 1 from that step on. What is computed behind it changes nothing.
    ended: Tensor,
}

impl Guard {
    /// Before the first step.
    pub fn new(device: Device) -> Self {
        Self {
            ended: Tensor::zeros([1], (Kind::Float, device)),
        }
    }

    /// float32 `[1]`: 1 where this step must change nothing, because loss or gradient are not finite, or a step before it has ended the
    /// training.
    pub fn judge(&self, gauges: &Gauges) -> Result<Tensor> {
        no_grad(|| {
            let is_bad = gauges.is_finite()?.f_logical_not()?;
            let ends = match gauges.scale()? {
                None => is_bad.shallow_clone(),
                // A gradient that left the range of float16 is forgiven as long as a smaller scale can help.
                Some(scale) => is_bad.f_logical_and(
                    &gauges
                        .is_loss_finite()?
                        .f_logical_not()?
                        .f_logical_or(&scale.f_less(scaler::LEAST)?)?,
                )?,
            };
            let ended = self.ended.f_maximum(&ends.to_kind(Kind::Float))?;
            self.ended.shallow_clone().f_copy_(&ended)?;
            Ok(is_bad.to_kind(Kind::Float).f_maximum(&ended)?)
        })
    }

    /// Moves the scale of a scaler after a step that was judged to be left out or not, as long as the training has not ended.
    pub fn scale(&self, scaler: &Scaler, skip: &Tensor) -> Result<()> {
        scaler.update_unless(skip, &self.ended)
    }
}

/// Whether a step that was read has ended the training: what [`Guard::judge`] says of it on the device.
pub(crate) fn ends(read: &Readings) -> bool {
    let can_scale = read
        .scale
        .is_some_and(|scale| read.loss.is_finite() && scale >= scaler::LEAST);
    !read.is_finite() && !can_scale
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loss, the norm of a gradient, the scale; whether the step is left out, and whether it ends the training.
    #[test]
    fn the_device_and_the_reader_judge_alike() {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        for (loss, norm, scale, is_left_out, ends_it) in [
            (1.0, 2.0, None, false, false),
            (nan, 2.0, None, true, true),
            (1.0, inf, None, true, true),
            (1.0, 2.0, Some(1.0), false, false),
            (1.0, inf, Some(65536.0), true, false),
            (1.0, nan, Some(scaler::LEAST), true, false),
            (1.0, nan, Some(scaler::LEAST / 2.0), true, true),
            (1.0, 2.0, Some(scaler::LEAST / 2.0), false, false),
            (inf, nan, Some(65536.0), true, true),
        ] {
            let guard = Guard::new(Device::Cpu);
            let judged = |loss, norm| {
                let gauges = Gauges::told(loss, norm, scale);
                let skip = guard.judge(&gauges).unwrap().double_value(&[0]);
                (skip == 1.0, ends(&gauges.read().unwrap()))
            };
            assert_eq!(
                judged(loss, norm),
                (is_left_out, ends_it),
                "{loss} {norm} {scale:?}"
            );
            // A good step behind one that ends the training is left out as well.
            assert_eq!(
                judged(1.0, 1.0),
                (ends_it, false),
                "{loss} {norm} {scale:?}"
            );
        }
    }
}
