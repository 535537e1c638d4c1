//! What belongs to many samples, one after the other in memory that serves again.

use crate::ffi::{bytes_of, floats_of, is_held_once, read_bytes, read_floats};
use crate::parts::{Part, measured};
use tch::{Device, Kind, Tensor};

/// The memory of batches, on the CPU. Each piece is handed out, and serves again once its readers have let go of it: new memory costs
/// more than what is written there, for the system hands large blocks out page by page and clears each.
#[derive(Debug)]
pub(super) struct Memory {
    /// Where batches are copied to: a GPU copies by itself from memory that is pinned for it.
    to: Device,
    /// One axis each.
    lent: Vec<Tensor>,
}

impl Memory {
    /// For batches that go to this device. Who copies from a piece in the background must hold it until the copy is done.
    pub fn new(to: Device) -> Self {
        Self {
            to,
            lent: Vec::new(),
        }
    }

    /// The values of the parts, bytes or f32 on the CPU, one after the other: one axis.
    pub fn join(&mut self, parts: &[&Tensor]) -> Tensor {
        measured(Part::Copy, || {
            let count = parts.iter().map(|part| part.numel()).sum();
            let mut joined = self.take(count, parts[0].kind());
            put(parts, &mut joined);
            joined
        })
    }

    /// Tensors of one shape but for the first axis, one after the other along it: f32, on the CPU.
    pub fn cat(&mut self, parts: &[Tensor]) -> Tensor {
        let mut shape = parts[0].size();
        shape[0] = -1;
        let parts: Vec<&Tensor> = parts.iter().collect();
        self.join(&parts).view(shape.as_slice())
    }

    /// Memory for so many values that nobody reads.
    fn take(&mut self, count: usize, kind: Kind) -> Tensor {
        let is_free = |lent: &Tensor| lent.kind() == kind && is_held_once(lent);
        let fits = |lent: &&Tensor| lent.numel() >= count && is_free(lent);
        let smallest = self
            .lent
            .iter()
            .filter(fits)
            .min_by_key(|lent| lent.numel());
        let whole = smallest.map(Tensor::shallow_clone).unwrap_or_else(|| {
            // What is too small now would be so again.
            self.lent.retain(|lent| !is_free(lent));
            let fresh = Tensor::empty([count as i64], (kind, Device::Cpu));
            let fresh = match self.to.is_cuda() {
                true => fresh.pin_memory(self.to),
                false => fresh,
            };
            self.lent.push(fresh.shallow_clone());
            fresh
        });
        whole.narrow(0, 0, count as i64)
    }
}

/// Copies the values of the parts one after the other into `joined`. On one thread: memory is the limit, and those of libtorch would
/// wait for each other while all cores are busy decoding.
fn put(parts: &[&Tensor], joined: &mut Tensor) {
    let flat = parts.iter().map(|part| part.contiguous());
    if joined.kind() == Kind::Uint8 {
        copy(flat, bytes_of(joined), read_bytes);
    } else {
        copy(flat, floats_of(joined), read_floats);
    }
}

fn copy<T: Copy>(
    parts: impl Iterator<Item = Tensor>,
    mut rest: &mut [T],
    values_of: fn(&Tensor) -> &[T],
) {
    for part in parts {
        let values = values_of(&part);
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
        let mut memory = Memory::new(Device::Cpu);
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
        // A smaller batch between two large ones takes nothing away.
        let small = memory.cat(&parts(5.0)[..1]);
        assert_eq!((place(&small), small.size()), (old, vec![1, 3]));
        drop(small);
        let large = memory.cat(&parts(6.0));
        assert_eq!(place(&large), old);
        // A larger one takes its place.
        drop((large, third, second));
        let both: Vec<Tensor> = parts(7.0).into_iter().chain(parts(8.0)).collect();
        let larger = memory.cat(&both);
        assert_eq!(larger.size(), [6, 3]);
        assert_eq!(memory.lent.len(), 1);
    }
}
