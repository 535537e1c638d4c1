//! NCCL with one rank: the group is made, and what it does to a tensor is what one rank does.

use crate::error::{Error, Result};
use crate::ranks::ffi::Store;
use std::time::Duration;
use tch::{Device, Kind, Tensor};

/// Long enough for NCCL to look at a machine with many devices.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sums, broadcasts and gathers a tensor over a group of this process alone.
///
/// Errors: a build without NCCL, a device that is no GPU, and what NCCL says; a result that one rank cannot have.
pub fn alone(device: Device) -> Result<()> {
    let Device::Cuda(index) = device else {
        return Err(Error::Unsupported {
            message: "NCCL is between GPUs".to_owned(),
        });
    };
    let store = Store::serve(0, "", PATIENCE)?;
    let group = crate::ranks::nccl(&store, (0, 1), index)?;
    let x = Tensor::arange(1000, (Kind::Float, device));
    let kept = x.copy();
    group.sum(&x)?;
    group.broadcast(&x, 0)?;
    let all = group.gather(&x)?;
    group.barrier()?;
    if x == kept && all.squeeze_dim(0) == kept {
        return Ok(());
    }
    Err(Error::Unsupported {
        message: "NCCL with one rank changes what it sends".to_owned(),
    })
}
