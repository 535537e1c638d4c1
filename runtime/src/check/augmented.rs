//! Views that a device augments as one batch, against those that the processor augments sample by sample.

use crate::data::batch::{Batch, Batches};
use crate::data::loader::{self, Loader};
use crate::data::prefetch::Prefetch;
use crate::error::Result;
use compiler::plan::Pretrain;
use records::site::Site;
use serde::Serialize;
use std::sync::atomic::AtomicBool;
use tch::{Device, Kind, Tensor};

/// How far the views of one batch are apart.
#[derive(Clone, Debug, Serialize)]
pub struct Apart {
    /// `v1`, ...
    pub view: String,
    /// The largest number of the view.
    pub largest: f64,
    /// The largest difference of two numbers at one place; NaN where one of them is.
    pub most: f64,
    /// Numbers that are further apart than a thousandth of the largest: a pixel that is rounded to the other of two levels, for one.
    /// Those that are not finite are as far apart as can be.
    pub share: f64,
}

/// Makes the first batch of `work` both ways.
///
/// Errors: of its data, and what libtorch says.
pub fn apart(work: &Pretrain, device: Device, threads: usize) -> Result<Vec<Apart>> {
    let on_processor = first(work, None, threads)?;
    let on_device = first(work, Some(device), threads)?;
    let views = on_processor.views.iter().map(|((modality, view), one)| {
        let other = on_device.views[&(modality.clone(), *view)].f_to_device(Device::Cpu)?;
        of_view(format!("{modality}{view}"), one, &other)
    });
    views.collect()
}

fn of_view(view: String, one: &Tensor, other: &Tensor) -> Result<Apart> {
    let largest = one.abs().max().f_double_value(&[])?;
    let apart = (one - other).abs();
    let near = apart.le(1e-3 * largest).logical_and(&apart.isfinite());
    let far = near.logical_not().to_kind(Kind::Double);
    Ok(Apart {
        view,
        largest,
        most: apart.max().f_double_value(&[])?,
        share: far.mean(None).f_double_value(&[])?,
    })
}

fn first(work: &Pretrain, augment_on: Option<Device>, threads: usize) -> Result<Batch> {
    let options = loader::Options {
        threads,
        ahead: 1,
        max_bad_share: 0.0,
        first_step: 0,
        augment_on,
        part: loader::Part::WHOLE,
    };
    let source = crate::data::open(&work.settings.data, &Site::default(), threads)?;
    let stop = AtomicBool::new(false);
    Prefetch::new(Loader::new(source, work, &options)?, 0, &stop).next(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_differs() {
        let one = Tensor::from_slice(&[1.0f32, 2.0, -4.0, 0.0]);
        let share = |other: [f32; 4]| {
            let apart = of_view("v1".to_owned(), &one, &Tensor::from_slice(&other));
            apart.unwrap().share
        };
        assert_eq!(share([1.0, 2.001, -4.0, 0.0]), 0.0);
        assert_eq!(share([1.0, 2.1, -4.0, 0.0]), 0.25);
        assert_eq!(share([f32::NAN, 2.0, f32::INFINITY, 0.0]), 0.5);
        let bad = Tensor::from_slice(&[f32::NAN; 4]);
        let apart = of_view("v1".to_owned(), &bad, &bad).unwrap();
        assert!(apart.share == 1.0 && apart.most.is_nan(), "{apart:?}");
    }
}
