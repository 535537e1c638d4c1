//! What belongs to many samples, one after the other in memory that serves again.

use crate::ffi::{bytes_of, floats_of, is_held_once};
use crate::parts::{Part, measured};
use tch::{Device, Kind, Tensor};

/// The memory of batches. Each is handed out, and serves again once its reader has let go of it: new memory costs more than what is
/// written there, for the system hands large blocks out page by page and clears each.
#[derive(Debug, Default)]
pub(super) struct Memory {
    lent: Vec<Tensor>,
}

impl Memory {
    /// Tensors of one shape but for the first axis, one after the other along it: f32, on the CPU.
    pub fn cat(&mut self, parts: &[Tensor]) -> Tensor {
        measured(Part::Copy, || {
            let mut shape = parts[0].size();
            shape[0] = parts.iter().map(|part| part.size()[0]).sum();
            let mut joined = self.take(&shape);
            put(&parts.iter().collect::<Vec<_>>(), &mut joined);
            self.lent.push(joined.shallow_clone());
            joined
        })
    }

    /// Memory that nobody reads: f32 of this shape.
    fn take(&mut self, shape: &[i64]) -> Tensor {
        let is_free = |lent: &Tensor| lent.size() == shape && is_held_once(lent);
        match self.lent.iter().position(is_free) {
            Some(at) => self.lent.swap_remove(at),
            None => Tensor::empty(shape, (Kind::Float, Device::Cpu)),
        }
    }
}

/// Copies the values of the parts, bytes or f32, one after the other into `joined`. On one thread: memory is the limit, and those
/// of libtorch would wait for each other while all cores are busy decoding.
pub(super) fn put(parts: &[&Tensor], joined: &mut Tensor) {
    let flat = parts.iter().map(|part| part.reshape([-1]));
    if joined.kind() == Kind::Uint8 {
        copy(flat, bytes_of(joined), bytes_of);
    } else {
        copy(flat, floats_of(joined), floats_of);
    }
}

fn copy<T: Copy>(
    parts: impl Iterator<Item = Tensor>,
    mut rest: &mut [T],
    values_of: fn(&mut Tensor) -> &mut [T],
) {
    for mut part in parts {
        let values = values_of(&mut part);
        let (own, behind) = rest.split_at_mut(values.len());
        own.copy_from_slice(values);
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_serves_again_once_nobody_reads_it() {
        let mut memory = Memory::default();
        let parts =
            |value: f64| [1, 2].map(|n| Tensor::full([n, 3], value, (Kind::Float, Device::Cpu)));
        let place = |tensor: &Tensor| tensor.data_ptr();
        let first = memory.cat(&parts(1.0));
        let second = memory.cat(&parts(2.0));
        assert_ne!(place(&first), place(&second), "both are held");
        // A part of it, a view, or what a gradient remembers: each holds the memory.
        let (old, part) = (place(&first), first.narrow(0, 2, 1));
        drop(first);
        let third = memory.cat(&parts(3.0));
        assert_ne!(place(&third), old);
        assert_eq!(part.sum(Kind::Float).double_value(&[]), 3.0);
        drop(part);
        let fourth = memory.cat(&parts(4.0));
        assert_eq!(place(&fourth), old);
        assert_eq!(fourth.size(), [3, 3]);
        assert_eq!(fourth.sum(Kind::Float).double_value(&[]), 36.0);
        drop(fourth);
        let other = memory.cat(&parts(5.0)[..1]);
        assert_ne!(place(&other), old, "another shape");
    }
}
