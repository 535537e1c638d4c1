//! The running statistics of a model, which a forward pass moves whatever comes of it.

use crate::error::Result;
use crate::nn::parameters::Entry;
use tch::{Kind, Tensor, no_grad};

/// All running statistics, one behind the other in memory, and what they were before the last forward pass: to keep or restore them is
/// one kernel for each kind of number.
#[derive(Debug)]
pub(crate) struct Statistics {
    parts: Vec<Part>,
}

/// Those of one kind.
#[derive(Debug)]
struct Part {
    /// `[n]`; the model's tensors are views of it.
    now: Tensor,
    kept: Tensor,
}

impl Statistics {
    /// Lays those of a model out, of whose entries they are the ones that are not learned. Its tensors keep their values and are known
    /// everywhere as before.
    pub fn of<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Result<Self> {
        let all = entries.into_iter().filter(|entry| !entry.is_learned);
        let mut all: Vec<Tensor> = all.map(|entry| entry.tensor.shallow_clone()).collect();
        let mut kinds: Vec<Kind> = vec![];
        for tensor in &all {
            if !kinds.contains(&tensor.kind()) {
                kinds.push(tensor.kind());
            }
        }
        let part = |kind| {
            let own = all.iter_mut().filter(|tensor| tensor.kind() == kind);
            Part::of(own.collect())
        };
        let parts = kinds.into_iter().map(part).collect::<Result<_>>()?;
        Ok(Self { parts })
    }

    /// Keeps what they are.
    pub fn keep(&self) -> Result<()> {
        self.parts.iter().try_for_each(|part| {
            Ok(no_grad(|| {
                part.kept.shallow_clone().f_copy_(&part.now).map(drop)
            })?)
        })
    }

    /// Makes them what was kept.
    pub fn restore(&self) -> Result<()> {
        self.parts.iter().try_for_each(|part| {
            Ok(no_grad(|| {
                part.now.shallow_clone().f_copy_(&part.kept).map(drop)
            })?)
        })
    }

    /// The same where `skip`, `[1]` beside them, is not 0. Nobody waits for it.
    pub fn restore_where(&self, skip: &Tensor) -> Result<()> {
        let is_bad = skip.f_not_equal(0)?;
        for part in &self.parts {
            let chosen = part.kept.f_where_self(&is_bad, &part.now)?;
            no_grad(|| part.now.shallow_clone().f_copy_(&chosen))?;
        }
        Ok(())
    }
}

impl Part {
    /// Of tensors of one kind, at least one.
    fn of(tensors: Vec<&mut Tensor>) -> Result<Self> {
        no_grad(|| {
            let rows: Vec<Tensor> = tensors.iter().map(|tensor| tensor.reshape([-1])).collect();
            let now = Tensor::f_cat(&rows, 0)?;
            let mut start = 0;
            for tensor in tensors {
                let count = tensor.numel() as i64;
                let place = now.narrow(0, start, count).view(&tensor.size()[..]);
                // Every handle of the tensor sees its new memory.
                tensor.f_set_data(&place)?;
                start += count;
            }
            let kept = now.copy();
            Ok(Self { now, kept })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    #[test]
    fn tensors_that_lie_together_are_those_that_they_were() {
        let mut first = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0]).view([2, 2]);
        let mut second = Tensor::from_slice(&[5.0f32]).view(());
        let handles = [first.shallow_clone(), second.shallow_clone()];
        let part = Part::of(vec![&mut first, &mut second]).unwrap();
        let statistics = Statistics { parts: vec![part] };
        let values = |tensor: &Tensor| Vec::<f32>::try_from(tensor.reshape([-1])).unwrap();
        assert_eq!(handles[0].size(), [2, 2]);
        assert_eq!(values(&handles[0]), [1.0, 2.0, 3.0, 4.0]);
        let flag = |skip: f32| Tensor::from_slice(&[skip]).to_device(Device::Cpu);
        let move_by = |by: f64| {
            drop(
                handles
                    .each_ref()
                    .map(|of| of.shallow_clone().g_add_scalar_(by)),
            )
        };
        statistics.keep().unwrap();
        move_by(f64::NAN);
        statistics.restore_where(&flag(1.0)).unwrap();
        assert_eq!((values(&handles[0])[3], values(&handles[1])[0]), (4.0, 5.0));
        move_by(1.0);
        statistics.restore_where(&flag(0.0)).unwrap();
        assert_eq!((values(&handles[0])[3], values(&second)[0]), (5.0, 6.0));
        statistics.restore().unwrap();
        assert_eq!((values(&first)[0], values(&handles[1])[0]), (1.0, 5.0));
    }
}
