//! A step that does not fit in the memory of its device: how large a batch would.

/// The largest batch below `failed` that fits, to a sixteenth of it; none where not even two samples do, of which BatchNorm needs as many.
/// `fits` tries a batch.
pub(super) fn largest(failed: u32, mut fits: impl FnMut(u32) -> bool) -> Option<u32> {
    let (mut good, mut bad) = (0, failed);
    while bad > 2 && good == 0 {
        let half = bad.div_ceil(2);
        match fits(half) {
            true => good = half,
            false => bad = half,
        }
    }
    let grain = (failed / 16).max(1);
    while good > 0 && bad - good > grain {
        let middle = good + (bad - good) / 2;
        match fits(middle) {
            true => good = middle,
            false => bad = middle,
        }
    }
    (good > 0).then_some(good)
}

/// The largest part of a batch of `samples` that is not above `fits`, divides the batch, and has whole units.
pub(super) fn part(samples: u32, fits: u32, unit: u32) -> Option<u32> {
    let sizes = (1..=fits).rev();
    let is_right = |size: &u32| samples.is_multiple_of(*size) && size.is_multiple_of(unit);
    sizes.into_iter().find(is_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_batch_is_found_in_few_tries() {
        for (failed, room) in [
            (512, 300),
            (512, 511),
            (512, 2),
            (512, 1),
            (8, 5),
            (3, 2),
            (2, 1),
        ] {
            let mut tries = 0;
            let found = largest(failed, |batch| {
                tries += 1;
                batch <= room
            });
            assert_eq!(
                found.is_some(),
                (2..failed).contains(&room),
                "{failed} {room}"
            );
            let grain = (failed / 16).max(1);
            assert!(
                found.is_none_or(|found| found <= room && room - found <= grain),
                "{found:?}"
            );
            assert!(tries <= 14, "{tries}");
        }
    }

    #[test]
    fn a_part_that_is_named_divides_the_batch_and_is_less_than_the_one_that_failed() {
        assert_eq!(part(256, 100, 1), Some(64));
        assert_eq!(part(256, 100, 128), None);
        assert_eq!(part(96, 50, 16), Some(48));
        // Parts of 64 have failed for what comes on top of a single one.
        let fits = largest(64, |_| true);
        assert_eq!(fits.and_then(|fits| part(256, fits, 1)), Some(32));
    }
}
