//! Linear maps along one axis as matrices: resizing by the cubic filter, and Gaussian blur.
//!
//! A crop, a warp or a blur of a whole batch is then a product of matrices, each sample with its own, on any device.

use tch::{Device, Kind, Tensor};

/// A linear map along one axis: `rows` values out of `columns`.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    weights: Vec<f32>,
}

impl Matrix {
    fn zeros(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns,
            weights: vec![0.0; rows * columns],
        }
    }

    fn add(&mut self, row: usize, column: usize, weight: f32) {
        self.weights[row * self.columns + column] += weight;
    }

    /// The cubic filter with a = -0.75, not antialiased: columns `from .. from + length` of a line to `rows` values. Values
    /// outside the span repeat its ends; columns of the span that lie outside `0..columns` are zero.
    ///
    /// `align_corners`: the first and the last value are those of the span; otherwise the ends of the span are the ends of the
    /// outermost values. Positions are rounded to f32 where torch rounds them: over 200 columns that is 1e-5 of a column.
    pub fn cubic(
        columns: usize,
        from: i64,
        length: usize,
        rows: usize,
        align_corners: bool,
    ) -> Self {
        let mut matrix = Self::zeros(rows, columns);
        let last = length as i64 - 1;
        for row in 0..rows {
            let position = if align_corners {
                let scale = if rows > 1 {
                    last as f32 / (rows - 1) as f32
                } else {
                    0.0
                };
                scale * row as f32
            } else {
                length as f32 / rows as f32 * (row as f32 + 0.5) - 0.5
            };
            let base = position.floor();
            for (tap, weight) in cubic_weights(position - base).into_iter().enumerate() {
                let column = from + (base as i64 + tap as i64 - 1).clamp(0, last);
                if let Some(column) = usize::try_from(column).ok().filter(|c| *c < columns) {
                    matrix.add(row, column, weight);
                }
            }
        }
        matrix
    }

    /// A Gaussian of `sigma` pixels over `kernel` pixels (odd), normalised. Beyond the ends the line is mirrored, the end
    /// itself not repeated.
    pub fn gaussian(length: usize, kernel: usize, sigma: f64) -> Self {
        let radius = (kernel / 2) as i64;
        // As quotients: a sigma of 0 would make the middle weight NaN, and one this small leaves the line as it is.
        let sigma = sigma.max(f64::MIN_POSITIVE);
        let weights: Vec<f64> = (-radius..=radius)
            .map(|x| (-0.5 * (x as f64 / sigma).powi(2)).exp())
            .collect();
        let sum: f64 = weights.iter().sum();
        let mut matrix = Self::zeros(length, length);
        for row in 0..length {
            for (x, weight) in (-radius..=radius).zip(&weights) {
                matrix.add(row, mirror(row as i64 + x, length), (weight / sum) as f32);
            }
        }
        matrix
    }

    /// One line after the other: `self` makes the first rows from the first columns, `other` the rest from the rest.
    #[must_use]
    pub fn beside(&self, other: &Self) -> Self {
        let mut joined = Self::zeros(self.rows + other.rows, self.columns + other.columns);
        for (part, row_0, column_0) in [(self, 0, 0), (other, self.rows, self.columns)] {
            for row in 0..part.rows {
                for column in 0..part.columns {
                    joined.add(
                        row_0 + row,
                        column_0 + column,
                        part.weights[row * part.columns + column],
                    );
                }
            }
        }
        joined
    }

    /// `[rows, columns]`, f32.
    pub fn tensor(&self, device: Device) -> Tensor {
        Tensor::from_slice(&self.weights)
            .view([self.rows as i64, self.columns as i64])
            .to_device(device)
    }

    /// Matrices of one shape as `[B, rows, columns]`, f32.
    pub fn stack(matrices: &[Self], device: Device) -> Tensor {
        let tensors: Vec<Tensor> = matrices.iter().map(|m| m.tensor(Device::Cpu)).collect();
        Tensor::stack(&tensors, 0).to_device(device)
    }
}

/// The four weights of the cubic filter for a position that lies `t` in 0..1 behind the second of four values.
fn cubic_weights(t: f32) -> [f32; 4] {
    const A: f32 = -0.75;
    let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f32| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)]
}

/// The place that `index` is the mirror image of, in a line of `length` places mirrored at its first and its last place.
pub fn mirror(index: i64, length: usize) -> usize {
    if length < 2 {
        return 0;
    }
    let last = length as i64 - 1;
    let folded = index.rem_euclid(2 * last);
    (if folded > last {
        2 * last - folded
    } else {
        folded
    }) as usize
}

/// Numbers, one for each sample, as `[B, 1, ..., 1]` with `dims` dimensions, f32.
pub fn per_sample(values: impl IntoIterator<Item = f64>, dims: usize, device: Device) -> Tensor {
    let values: Vec<f64> = values.into_iter().collect();
    let mut shape = vec![1; dims];
    shape[0] = values.len() as i64;
    Tensor::from_slice(&values)
        .to_kind(Kind::Float)
        .to_device(device)
        .view(shape.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(m: &Matrix) -> Vec<Vec<f32>> {
        m.weights.chunks(m.columns).map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn the_cubic_filter_keeps_what_keeps_its_size_and_knows_what_is_outside() {
        for align_corners in [false, true] {
            assert_eq!(
                rows(&Matrix::cubic(2, 0, 2, 2, align_corners)),
                [[1.0, 0.0], [0.0, 1.0]]
            );
        }
        assert_eq!(
            rows(&Matrix::cubic(2, -1, 3, 3, true)),
            [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
        );
    }

    #[test]
    fn a_gaussian_is_mirrored_at_the_ends() {
        let side = (-0.5f64).exp() / (1.0 + 2.0 * (-0.5f64).exp());
        let m = rows(&Matrix::gaussian(3, 3, 1.0));
        assert!((f64::from(m[0][1]) - 2.0 * side).abs() < 1e-7, "{m:?}");
        assert!((f64::from(m[1][0]) - side).abs() < 1e-7, "{m:?}");
        assert_eq!(rows(&Matrix::gaussian(2, 3, 0.0)), [[1.0, 0.0], [0.0, 1.0]]);
        assert_eq!(
            (-3..7).map(|i| mirror(i, 4)).collect::<Vec<_>>(),
            [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]
        );
    }
}
