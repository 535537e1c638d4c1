//! The numbers of a batch on its device: gathered on the host, brought there in one copy.

use crate::device::sent;
use tch::{Device, Kind, Tensor};

/// A number for each sample of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Column(usize);

/// The numbers of a batch, column by column, f64.
#[derive(Debug, Default)]
pub struct Table {
    columns: Vec<f64>,
    batch: usize,
}

impl Table {
    /// Adds a number for each sample; every call gives as many.
    pub fn push(&mut self, values: impl IntoIterator<Item = f64>) -> Column {
        let before = self.columns.len();
        self.columns.extend(values);
        self.batch = self.columns.len() - before;
        Column(before / self.batch.max(1))
    }

    /// All of them on a device.
    pub fn on(&self, device: Device) -> Numbers {
        let rows = (self.columns.len() / self.batch.max(1)) as i64;
        let values = Tensor::from_slice(&self.columns).view([rows, self.batch as i64]);
        Numbers(sent(&values, device))
    }
}

/// A [`Table`] on a device.
pub struct Numbers(Tensor);

impl Numbers {
    /// Where they are.
    pub fn device(&self) -> Device {
        self.0.device()
    }

    /// A column as `[B, 1, ..., 1]` with `dims` dimensions, f64.
    pub fn get(&self, column: Column, dims: usize) -> Tensor {
        let mut shape = vec![1; dims];
        shape[0] = -1;
        self.0.get(column.0 as i64).view(shape.as_slice())
    }

    /// [`Self::get`] in f32.
    pub fn float(&self, column: Column, dims: usize) -> Tensor {
        self.get(column, dims).to_kind(Kind::Float)
    }

    /// [`Self::get`] of zeros and ones: where there is a one.
    pub fn chosen(&self, column: Column, dims: usize) -> Tensor {
        self.get(column, dims).ne(0.0)
    }
}

/// 1 for true, 0 for false.
pub fn bit(chosen: bool) -> f64 {
    f64::from(u8::from(chosen))
}
