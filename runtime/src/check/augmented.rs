//! Views that a device augments as one batch, against those that the processor augments sample by sample.

use crate::data::batch::{Batch, Batches};
use crate::data::loader::{self, Loader};
use crate::data::prefetch::Prefetch;
use crate::error::Result;
use compiler::plan::Pretrain;
use records::site::Site;
use serde::Serialize;
use std::sync::atomic::AtomicBool;
use tch::Device;

/// How far the views of one batch are apart.
#[derive(Clone, Debug, Serialize)]
pub struct Apart {
    /// `v1`, ...
    pub view: String,
    /// The largest number of the view.
    pub largest: f64,
    /// The largest difference of two numbers at one place.
    pub most: f64,
    /// Numbers that are further apart than a thousandth of the largest: a pixel that is rounded to the other of two levels, for one.
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
        let largest = one.abs().max().f_double_value(&[])?;
        let apart = (one - other).abs();
        let far = apart.gt(1e-3 * largest).to_kind(tch::Kind::Double);
        Ok(Apart {
            view: format!("{modality}{view}"),
            largest,
            most: apart.max().f_double_value(&[])?,
            share: far.mean(None).f_double_value(&[])?,
        })
    });
    views.collect()
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
