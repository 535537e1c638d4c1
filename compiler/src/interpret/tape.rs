//! Matrices of f64 and reverse-mode differentiation over them.

use std::ops::Range;

/// The floor of a norm that is divided by, as in training.
const NORM_FLOOR: f64 = 1e-8;

/// A matrix, row after row. A row is one sample of the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// `rows * cols` numbers.
    pub data: Vec<f64>,
}

impl Matrix {
    /// The matrix whose entries `entry` gives, from row and column.
    pub fn from_fn(rows: usize, cols: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let at = |i: usize| entry(i / cols, i % cols);
        Matrix {
            rows,
            cols,
            data: (0..rows * cols).map(at).collect(),
        }
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.data[row * self.cols..(row + 1) * self.cols]
    }

    fn at(&self, row: usize, col: usize) -> f64 {
        self.data[row * self.cols + col]
    }

    fn map(&self, f: impl Fn(f64) -> f64) -> Matrix {
        Matrix {
            data: self.data.iter().map(|x| f(*x)).collect(),
            ..*self
        }
    }

    fn zip(&self, other: &Matrix, f: impl Fn(f64, f64) -> f64) -> Matrix {
        debug_assert_eq!((self.rows, self.cols), (other.rows, other.cols));
        let pairs = self.data.iter().zip(&other.data);
        Matrix {
            data: pairs.map(|(x, y)| f(*x, *y)).collect(),
            ..*self
        }
    }

    fn transposed(&self) -> Matrix {
        Matrix::from_fn(self.cols, self.rows, |i, j| self.at(j, i))
    }

    fn times(&self, other: &Matrix) -> Matrix {
        assert_eq!(
            self.cols, other.rows,
            "interpret: a product has one inner width"
        );
        Matrix::from_fn(self.rows, other.cols, |i, j| {
            (0..self.cols).map(|k| self.at(i, k) * other.at(k, j)).sum()
        })
    }
}

/// A tensor on a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value(usize);

/// A function of one number.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    /// The hyperbolic tangent.
    Tanh,
    /// The larger of the number and 0.
    Relu,
    /// The exponential.
    Exp,
    /// The root of the number plus this constant.
    Root(f64),
}

impl Function {
    fn value(self, x: f64) -> f64 {
        match self {
            Function::Tanh => x.tanh(),
            Function::Relu => x.max(0.0),
            Function::Exp => x.exp(),
            Function::Root(plus) => (x + plus).sqrt(),
        }
    }

    /// The derivative where the function has the value `y` at `x`.
    fn slope(self, x: f64, y: f64) -> f64 {
        match self {
            Function::Tanh => 1.0 - y * y,
            Function::Relu => f64::from(x > 0.0),
            Function::Exp => y,
            Function::Root(_) => 0.5 / y,
        }
    }
}

/// How a tensor was made.
#[derive(Clone, Debug)]
enum Op {
    Leaf,
    Product(Value, Value),
    Transpose(Value),
    Add(Value, Value),
    AddRow(Value, Value),
    Times(Value, Value),
    Scale(Value, f64),
    Map(Value, Function),
    UnitRows(Value),
    CosRows(Value, Value),
    LogSoftmax(Value),
    Centre(Value),
    Standardise(Value, Vec<Range<usize>>, f64),
    Sum(Value),
    Diagonal(Value),
    Join(Vec<Value>),
    Part(Value, usize),
    Flatten(Value),
    PickEntries(Value, Vec<(usize, usize)>),
}

/// A computation as it was done, for the way back.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    value: Matrix,
    op: Op,
    /// Whether it depends on a parameter other than through a stop-gradient.
    learns: bool,
}

impl Tape {
    fn push(&mut self, value: Matrix, op: Op, inputs: &[Value]) -> Value {
        let learns = inputs.iter().any(|input| self.entries[input.0].learns);
        self.entries.push(Entry { value, op, learns });
        Value(self.entries.len() - 1)
    }

    /// The numbers of `x`.
    pub fn of(&self, x: Value) -> &Matrix {
        &self.entries[x.0].value
    }

    /// A tensor that has no gradient.
    pub fn constant(&mut self, value: Matrix) -> Value {
        self.push(value, Op::Leaf, &[])
    }

    /// A tensor that the gradient is asked for.
    pub fn parameter(&mut self, value: Matrix) -> Value {
        let id = self.push(value, Op::Leaf, &[]);
        self.entries[id.0].learns = true;
        id
    }

    /// The same numbers without a gradient.
    pub fn detach(&mut self, x: Value) -> Value {
        self.constant(self.of(x).clone())
    }

    /// The matrix product.
    pub fn product(&mut self, x: Value, y: Value) -> Value {
        let value = self.of(x).times(self.of(y));
        self.push(value, Op::Product(x, y), &[x, y])
    }

    /// Rows and columns exchanged.
    pub fn transpose(&mut self, x: Value) -> Value {
        let value = self.of(x).transposed();
        self.push(value, Op::Transpose(x), &[x])
    }

    /// The sum, entry by entry.
    pub fn add(&mut self, x: Value, y: Value) -> Value {
        let value = self.of(x).zip(self.of(y), |x, y| x + y);
        self.push(value, Op::Add(x, y), &[x, y])
    }

    /// `row` added to each row.
    pub fn add_row(&mut self, x: Value, row: Value) -> Value {
        let (m, r) = (self.of(x), self.of(row));
        let value = Matrix::from_fn(m.rows, m.cols, |i, j| m.at(i, j) + r.at(0, j));
        self.push(value, Op::AddRow(x, row), &[x, row])
    }

    /// The product, entry by entry.
    pub fn times(&mut self, x: Value, y: Value) -> Value {
        let value = self.of(x).zip(self.of(y), |x, y| x * y);
        self.push(value, Op::Times(x, y), &[x, y])
    }

    /// Each entry times `by`.
    pub fn scale(&mut self, x: Value, by: f64) -> Value {
        let value = self.of(x).map(|x| x * by);
        self.push(value, Op::Scale(x, by), &[x])
    }

    /// `function` of each entry.
    pub fn map(&mut self, x: Value, function: Function) -> Value {
        let value = self.of(x).map(|x| function.value(x));
        self.push(value, Op::Map(x, function), &[x])
    }

    /// Each row divided by its norm.
    pub fn unit_rows(&mut self, x: Value) -> Value {
        let m = self.of(x);
        let norms: Vec<f64> = (0..m.rows).map(|i| norm(m.row(i))).collect();
        let value = Matrix::from_fn(m.rows, m.cols, |i, j| m.at(i, j) / norms[i]);
        self.push(value, Op::UnitRows(x), &[x])
    }

    /// The sum over the rows of their cosines: inner product, then divided by both norms.
    pub fn cos_rows(&mut self, x: Value, y: Value) -> Value {
        let (a, b) = (self.of(x), self.of(y));
        let cos = |i: usize| dot(a.row(i), b.row(i)) / (norm(a.row(i)) * norm(b.row(i)));
        let value = Matrix::from_fn(1, 1, |_, _| (0..a.rows).map(cos).sum());
        self.push(value, Op::CosRows(x, y), &[x, y])
    }

    /// The logarithm of the softmax of each row.
    pub fn log_softmax(&mut self, x: Value) -> Value {
        let m = self.of(x);
        let logs: Vec<f64> = (0..m.rows).map(|i| log_sum_exp(m.row(i))).collect();
        let value = Matrix::from_fn(m.rows, m.cols, |i, j| m.at(i, j) - logs[i]);
        self.push(value, Op::LogSoftmax(x), &[x])
    }

    /// Each column without its mean.
    pub fn centre(&mut self, x: Value) -> Value {
        let value = centred(self.of(x));
        self.push(value, Op::Centre(x), &[x])
    }

    /// Each column of each part of the rows without its mean, divided by its standard deviation (biased, with `floor` added
    /// to the variance).
    pub fn standardise(&mut self, x: Value, parts: &[Range<usize>], floor: f64) -> Value {
        let m = self.of(x);
        let mut value = m.clone();
        for part in parts {
            let (means, variances) = moments(m, part);
            for i in part.clone() {
                for j in 0..m.cols {
                    value.data[i * m.cols + j] =
                        (m.at(i, j) - means[j]) / (variances[j] + floor).sqrt();
                }
            }
        }
        self.push(value, Op::Standardise(x, parts.to_vec(), floor), &[x])
    }

    /// The sum of all entries.
    pub fn sum(&mut self, x: Value) -> Value {
        let total: f64 = self.of(x).data.iter().sum();
        self.push(Matrix::from_fn(1, 1, |_, _| total), Op::Sum(x), &[x])
    }

    /// The diagonal of a square matrix, as a row.
    pub fn diagonal(&mut self, x: Value) -> Value {
        let m = self.of(x);
        let value = Matrix::from_fn(1, m.rows, |_, j| m.at(j, j));
        self.push(value, Op::Diagonal(x), &[x])
    }

    /// The rows of all, one after the other.
    pub fn join(&mut self, all: &[Value]) -> Value {
        let data: Vec<f64> = all.iter().flat_map(|x| self.of(*x).data.clone()).collect();
        let rows = all.iter().map(|x| self.of(*x).rows).sum();
        let cols = self.of(all[0]).cols;
        self.push(Matrix { rows, cols, data }, Op::Join(all.to_vec()), all)
    }

    /// `rows` rows from `first` on.
    pub fn part(&mut self, x: Value, first: usize, rows: usize) -> Value {
        let m = self.of(x);
        let value = Matrix::from_fn(rows, m.cols, |i, j| m.at(first + i, j));
        self.push(value, Op::Part(x, first), &[x])
    }

    /// All rows as one.
    pub fn flatten(&mut self, x: Value) -> Value {
        let m = self.of(x);
        let value = Matrix {
            rows: 1,
            cols: m.data.len(),
            data: m.data.clone(),
        };
        self.push(value, Op::Flatten(x), &[x])
    }

    /// The entries at these rows and columns, as a row.
    pub fn pick_entries(&mut self, x: Value, entries: Vec<(usize, usize)>) -> Value {
        let m = self.of(x);
        let value = Matrix::from_fn(1, entries.len(), |_, k| m.at(entries[k].0, entries[k].1));
        self.push(value, Op::PickEntries(x, entries), &[x])
    }

    /// The gradient of the scalar `of` at each tensor; `None` where it does not reach.
    pub fn gradients(&self, of: Value) -> Vec<Option<Matrix>> {
        let mut found: Vec<Option<Matrix>> = vec![None; self.entries.len()];
        if self.entries[of.0].learns {
            found[of.0] = Some(Matrix::from_fn(1, 1, |_, _| 1.0));
        }
        for index in (0..=of.0).rev() {
            let Some(gradient) = found[index].clone() else {
                continue;
            };
            for (input, part) in self.backward(index, &gradient) {
                if self.entries[input.0].learns {
                    let slot = &mut found[input.0];
                    *slot = Some(match slot.take() {
                        Some(sum) => sum.zip(&part, |x, y| x + y),
                        None => part,
                    });
                }
            }
        }
        found
    }

    /// The gradient at `x` in the list of [`Tape::gradients`].
    pub fn pick(gradients: &[Option<Matrix>], x: Value) -> Option<&Matrix> {
        gradients[x.0].as_ref()
    }

    /// What entry `index` with gradient `g` hands to its inputs.
    fn backward(&self, index: usize, g: &Matrix) -> Vec<(Value, Matrix)> {
        let y = &self.entries[index].value;
        match &self.entries[index].op {
            Op::Leaf => vec![],
            Op::Product(a, b) => vec![
                (*a, g.times(&self.of(*b).transposed())),
                (*b, self.of(*a).transposed().times(g)),
            ],
            Op::Transpose(x) => vec![(*x, g.transposed())],
            Op::Add(a, b) => vec![(*a, g.clone()), (*b, g.clone())],
            Op::AddRow(x, row) => {
                let sums = Matrix::from_fn(1, g.cols, |_, j| (0..g.rows).map(|i| g.at(i, j)).sum());
                vec![(*x, g.clone()), (*row, sums)]
            }
            Op::Times(a, b) => vec![
                (*a, g.zip(self.of(*b), |g, y| g * y)),
                (*b, g.zip(self.of(*a), |g, x| g * x)),
            ],
            Op::Scale(x, by) => vec![(*x, g.map(|g| g * by))],
            Op::Map(x, function) => {
                let slopes = self.of(*x).zip(y, |x, y| function.slope(x, y));
                vec![(*x, g.zip(&slopes, |g, slope| g * slope))]
            }
            Op::UnitRows(x) => vec![(*x, unit_rows_back(self.of(*x), y, g))],
            Op::CosRows(a, b) => {
                let (x, y) = (self.of(*a), self.of(*b));
                vec![
                    (*a, cos_rows_back(x, y, g.data[0])),
                    (*b, cos_rows_back(y, x, g.data[0])),
                ]
            }
            Op::LogSoftmax(x) => {
                let totals: Vec<f64> = (0..g.rows).map(|i| g.row(i).iter().sum()).collect();
                let back = |i, j| g.at(i, j) - y.at(i, j).exp() * totals[i];
                vec![(*x, Matrix::from_fn(g.rows, g.cols, back))]
            }
            Op::Centre(x) => vec![(*x, centred(g))],
            Op::Standardise(x, parts, floor) => {
                vec![(*x, standardise_back(self.of(*x), y, parts, *floor, g))]
            }
            Op::Sum(x) => {
                let m = self.of(*x);
                vec![(*x, Matrix::from_fn(m.rows, m.cols, |_, _| g.data[0]))]
            }
            Op::Diagonal(x) => {
                let on = |i, j| if i == j { g.at(0, j) } else { 0.0 };
                vec![(*x, Matrix::from_fn(g.cols, g.cols, on))]
            }
            Op::Join(all) => {
                let mut first = 0;
                let mut back = vec![];
                for x in all {
                    let rows = self.of(*x).rows;
                    let own = |i, j| g.at(first + i, j);
                    back.push((*x, Matrix::from_fn(rows, g.cols, own)));
                    first += rows;
                }
                back
            }
            Op::Flatten(x) => {
                let (rows, cols) = (self.of(*x).rows, self.of(*x).cols);
                let data = g.data.clone();
                vec![(*x, Matrix { rows, cols, data })]
            }
            Op::PickEntries(x, entries) => {
                let m = self.of(*x);
                let mut back = Matrix::from_fn(m.rows, m.cols, |_, _| 0.0);
                for (k, (row, col)) in entries.iter().enumerate() {
                    back.data[row * m.cols + col] += g.at(0, k);
                }
                vec![(*x, back)]
            }
            Op::Part(x, first) => {
                let own = |i: usize, j| {
                    let row = i.checked_sub(*first).filter(|row| *row < g.rows);
                    row.map_or(0.0, |row| g.at(row, j))
                };
                vec![(*x, Matrix::from_fn(self.of(*x).rows, g.cols, own))]
            }
        }
    }
}

/// Mean and biased variance of each column over these rows.
pub fn moments(m: &Matrix, rows: &Range<usize>) -> (Vec<f64>, Vec<f64>) {
    let n = rows.len() as f64;
    let mean = |j: usize| rows.clone().map(|i| m.at(i, j)).sum::<f64>() / n;
    let means: Vec<f64> = (0..m.cols).map(mean).collect();
    let square = |i: usize, j: usize| (m.at(i, j) - means[j]).powi(2);
    let variance = |j: usize| rows.clone().map(|i| square(i, j)).sum::<f64>() / n;
    let variances = (0..m.cols).map(variance).collect();
    (means, variances)
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt().max(NORM_FLOOR)
}

fn log_sum_exp(row: &[f64]) -> f64 {
    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + row.iter().map(|x| (x - most).exp()).sum::<f64>().ln()
}

fn centred(m: &Matrix) -> Matrix {
    let (means, _) = moments(m, &(0..m.rows));
    Matrix::from_fn(m.rows, m.cols, |i, j| m.at(i, j) - means[j])
}

/// `(g - y <g, y>) / |x|`, row by row.
fn unit_rows_back(x: &Matrix, y: &Matrix, g: &Matrix) -> Matrix {
    let rows: Vec<(f64, f64)> = (0..x.rows)
        .map(|i| (dot(g.row(i), y.row(i)), norm(x.row(i))))
        .collect();
    Matrix::from_fn(x.rows, x.cols, |i, j| {
        (g.at(i, j) - y.at(i, j) * rows[i].0) / rows[i].1
    })
}

/// The gradient of the cosines at `x`.
fn cos_rows_back(x: &Matrix, y: &Matrix, g: f64) -> Matrix {
    let rows: Vec<(f64, f64, f64)> = (0..x.rows)
        .map(|i| {
            let (nx, ny) = (norm(x.row(i)), norm(y.row(i)));
            (nx, ny, dot(x.row(i), y.row(i)) / (nx * ny))
        })
        .collect();
    Matrix::from_fn(x.rows, x.cols, |i, j| {
        let (nx, ny, cos) = rows[i];
        g * (y.at(i, j) / (nx * ny) - cos * x.at(i, j) / (nx * nx))
    })
}

/// `(g - mean(g) - y mean(g y)) / std`, column by column of each part.
fn standardise_back(
    x: &Matrix,
    y: &Matrix,
    parts: &[Range<usize>],
    floor: f64,
    g: &Matrix,
) -> Matrix {
    let mut back = g.clone();
    for part in parts {
        let n = part.len() as f64;
        let (_, variances) = moments(x, part);
        for (j, variance) in variances.iter().enumerate() {
            let mean = part.clone().map(|i| g.at(i, j)).sum::<f64>() / n;
            let along = part.clone().map(|i| g.at(i, j) * y.at(i, j)).sum::<f64>() / n;
            for i in part.clone() {
                back.data[i * g.cols + j] =
                    (g.at(i, j) - mean - y.at(i, j) * along) / (variance + floor).sqrt();
            }
        }
    }
    back
}
