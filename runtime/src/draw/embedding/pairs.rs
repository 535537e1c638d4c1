//! What pairs of features say: their cosine similarities, uniformity and alignment (Wang and Isola, 2020).

use crate::draw::density::Spread;
use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use tch::{Kind, Tensor};

/// Samples whose pairs are looked at, at most: of n there are n (n - 1) / 2 pairs.
pub(super) const MOST: usize = 5000;
/// Numbers of the largest matrix of similarities that is made at once: 32 MiB of them.
const NUMBERS: i64 = 1 << 22;
/// The temperature of uniformity.
pub(super) const T: f64 = 2.0;

/// What the pairs of some samples say.
pub(super) struct Pairs {
    /// Cosine similarities of all pairs.
    pub all: Spread,
    /// Of pairs of one class; `None` where there is none.
    pub same: Option<Spread>,
    /// The logarithm of the mean of exp(-2 |x - y|^2) over all pairs.
    pub uniformity: f64,
    /// The mean of |x - y|^2 over pairs of one class; `None` where there is none.
    pub aligned: Option<f64>,
}

/// Looks at all pairs of the unit vectors `[n, D]`, float64, whose classes are these, if any.
///
/// # Errors
/// [`Error::Interrupted`]; what libtorch says.
pub(super) fn pairs(units: &Tensor, classes: Option<&[u32]>, stop: &AtomicBool) -> Result<Pairs> {
    let mut range = (f64::INFINITY, f64::NEG_INFINITY);
    each(units, stop, &mut |_, _, similarity| {
        range = (range.0.min(similarity), range.1.max(similarity));
    })?;
    let squares: Vec<f64> = units
        .square()
        .sum_dim_intlist([1].as_slice(), false, None)
        .try_into()?;
    let mut all = Spread::new(range);
    let mut same = classes.map(|_| Spread::new(range));
    let (mut potential, mut apart) = (0.0, 0.0);
    each(units, stop, &mut |a, b, similarity| {
        let distance = (squares[a] + squares[b] - 2.0 * similarity).max(0.0);
        all.add(similarity);
        potential += (-T * distance).exp();
        if let (Some(same), Some(classes)) = (&mut same, classes)
            && classes[a] == classes[b]
        {
            same.add(similarity);
            apart += distance;
        }
    })?;
    let same = same.filter(|same| same.count() > 0);
    Ok(Pairs {
        uniformity: (potential / all.count() as f64).ln(),
        aligned: same.as_ref().map(|same| apart / same.count() as f64),
        all,
        same,
    })
}

/// Calls `found` with each pair of rows, the first one before the second, and the product of their vectors.
fn each(units: &Tensor, stop: &AtomicBool, found: &mut dyn FnMut(usize, usize, f64)) -> Result<()> {
    let n = units.size()[0];
    let at_once = (NUMBERS / n.max(1)).max(1);
    for first in (0..n).step_by(at_once as usize) {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let some = at_once.min(n - first);
        // Pairs with those before have been met.
        let others = units.narrow(0, first, n - first);
        let products = units.narrow(0, first, some).f_matmul(&others.tr())?;
        let products: Vec<f64> = products.contiguous().view([-1]).try_into()?;
        let first = first as usize;
        for (row, products) in products.chunks((n as usize) - first).enumerate() {
            for (other, product) in products.iter().enumerate().skip(row + 1) {
                found(first + row, first + other, product.clamp(-1.0, 1.0));
            }
        }
    }
    Ok(())
}

/// The mean of |x - y|^2 over the pairs of unit vectors of one sample, of rows `[n, D]`, float64, each with its sample, whose rows
/// stand together; `None` where no sample has two.
///
/// # Errors
/// What libtorch says.
pub(super) fn alignment(units: &Tensor, owners: &[usize]) -> Result<Option<f64>> {
    let (mut sum, mut count) = (0.0, 0u64);
    let mut first = 0;
    for own in owners.chunk_by(|a, b| a == b) {
        let n = own.len() as f64;
        let rows = units.narrow(0, first, own.len() as i64);
        first += own.len() as i64;
        // The sum over pairs is n times that of the squares, less the square of the sum.
        let squares = rows.square().sum(Kind::Double).double_value(&[]);
        let total = rows.sum_dim_intlist([0].as_slice(), false, Kind::Double);
        let total = total.square().sum(Kind::Double).double_value(&[]);
        sum += (n * squares - total).max(0.0);
        count += (own.len() * (own.len() - 1) / 2) as u64;
    }
    Ok((count > 0).then(|| sum / count as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::heads::neighbours::unit;

    fn units() -> Tensor {
        let rows = [
            [2.0, 0.0, 1.0],
            [0.0, 1.0, 1.0],
            [1.0, 3.0, 0.0],
            [4.0, 1.0, 2.0],
            [3.0, 2.0, -1.0],
        ];
        unit(&Tensor::from_slice2(&rows)).unwrap()
    }

    /// The numbers of NumPy, by the definitions.
    #[test]
    fn numbers_are_those_of_the_definitions() {
        let stop = AtomicBool::new(false);
        let found = pairs(&units(), Some(&[0, 1, 0, 0, 1]), &stop).unwrap();
        assert!((found.uniformity + 1.400_477_976_916_262_3).abs() < 1e-12);
        assert!((found.aligned.unwrap() - 1.034_614_543_266_293).abs() < 1e-12);
        assert!((found.all.mean() - 0.543_883_646_876_670_9).abs() < 1e-12);
        assert_eq!(found.all.count(), 10);
        assert_eq!(found.same.unwrap().count(), 4);
        let clips = alignment(&units(), &[0, 0, 0, 1, 1]).unwrap().unwrap();
        assert!((clips - 1.015_127_458_017_420_5).abs() < 1e-12);
    }

    #[test]
    fn without_positives_there_is_no_alignment() {
        let stop = AtomicBool::new(false);
        assert_eq!(alignment(&units(), &[0, 1, 2, 3, 4]).unwrap(), None);
        let alone = pairs(&units(), Some(&[0, 1, 2, 3, 4]), &stop).unwrap();
        assert!(alone.aligned.is_none() && alone.same.is_none());
        stop.store(true, Ordering::Relaxed);
        assert!(matches!(
            pairs(&units(), None, &stop),
            Err(Error::Interrupted)
        ));
    }
}
