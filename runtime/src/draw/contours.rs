//! Lines of equal density: marching squares, joined into closed lines.

use super::density::Plane;
use std::collections::BTreeMap;

/// A closed line.
pub(super) type Loop = Vec<[f64; 2]>;

/// The lines around what lies above `level`, which is on their left. What lies beyond the plane counts as below.
pub(super) fn contours(plane: &Plane, level: f64) -> Vec<Loop> {
    let (columns, rows) = (plane.xs.len(), plane.ys.len());
    let inside = (0..columns, 0..rows);
    // With a frame of places around it, every line is closed; `-1` and the last are the frame.
    let value = |x: usize, y: usize| {
        let (x, y) = (x.wrapping_sub(1), y.wrapping_sub(1));
        match inside.0.contains(&x) && inside.1.contains(&y) {
            true => plane.values[y * columns + x],
            false => 0.0,
        }
    };
    let wide = columns + 2;
    // Of each side of a cell that a line crosses, the side at which it goes on.
    let mut next: BTreeMap<usize, usize> = BTreeMap::new();
    for y in 0..=rows {
        for x in 0..=columns {
            let corners = [(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)];
            let above = corners.map(|(x, y)| value(x, y) > level);
            let sides = [
                side(wide, (x, y), false),
                side(wide, (x + 1, y), true),
                side(wide, (x, y + 1), false),
                side(wide, (x, y), true),
            ];
            // Around the cell, a line enters where what is above ends, and leaves where it begins: of two lines in a cell each turns
            // around a corner of its own that is above.
            for (at, from) in sides.into_iter().enumerate() {
                if !above[at] || above[(at + 1) % 4] {
                    continue;
                }
                let leaves = |back: &usize| {
                    let begin = (at + 4 - back) % 4;
                    !above[begin] && above[(begin + 1) % 4]
                };
                if let Some(back) = (1..4).find(leaves) {
                    next.insert(from, sides[(at + 4 - back) % 4]);
                }
            }
        }
    }
    let place = |side: usize| {
        let (at, is_upright) = (side / 2, side % 2 == 1);
        let (x, y) = (at % wide, at / wide);
        let to = if is_upright { (x, y + 1) } else { (x + 1, y) };
        let (a, b) = (value(x, y), value(to.0, to.1));
        let share = (level - a) / (b - a);
        let between = |of: &[f64], a: usize, b: usize| {
            // The frame lies a step outside.
            let last = of.len() - 1;
            let step = of[1] - of[0];
            let at = |place: usize| match place {
                0 => of[0] - step,
                place if place > of.len() => of[last] + step,
                place => of[place - 1],
            };
            at(a) + share * (at(b) - at(a))
        };
        [between(&plane.xs, x, to.0), between(&plane.ys, y, to.1)]
    };
    let mut loops = vec![];
    while let Some((first, mut to)) = next.pop_first() {
        let mut line = vec![place(first)];
        while to != first {
            line.push(place(to));
            match next.remove(&to) {
                Some(on) => to = on,
                None => break,
            }
        }
        loops.push(line);
    }
    loops
}

/// The number of the side that begins here and runs to the right or upright.
fn side(wide: usize, (x, y): (usize, usize), is_upright: bool) -> usize {
    2 * (y * wide + x) + usize::from(is_upright)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::density::places;

    fn plane(values: &[f64], columns: usize) -> Plane {
        Plane {
            xs: places((0.0, (columns - 1) as f64), columns),
            ys: places(
                (0.0, (values.len() / columns - 1) as f64),
                values.len() / columns,
            ),
            values: values.to_vec(),
        }
    }

    /// The area on the left of a closed line.
    fn area(line: &Loop) -> f64 {
        let next = line.iter().cycle().skip(1);
        let parts = line
            .iter()
            .zip(next)
            .map(|(a, b)| a[0] * b[1] - b[0] * a[1]);
        0.5 * parts.sum::<f64>()
    }

    #[test]
    fn lines_go_around_what_is_above() {
        let peak = [0.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0];
        let found = contours(&plane(&peak, 3), 1.0);
        assert_eq!(found.len(), 1);
        let mut corners = found[0].clone();
        corners.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(
            corners,
            [[0.25, 1.0], [1.0, 0.25], [1.0, 1.75], [1.75, 1.0]]
        );
        assert!((area(&found[0]) - 2.0 * 0.75 * 0.75).abs() < 1e-12);
        // A hole is gone around the other way.
        let ring = [2.0, 2.0, 2.0, 2.0, 0.0, 2.0, 2.0, 2.0, 2.0];
        let found = contours(&plane(&ring, 3), 1.0);
        let mut areas: Vec<f64> = found.iter().map(area).collect();
        areas.sort_by(f64::total_cmp);
        assert!(
            areas.len() == 2 && areas[0] < 0.0 && areas[1] > 4.0,
            "{areas:?}"
        );
    }

    #[test]
    fn two_peaks_that_touch_are_two_lines() {
        let found = contours(&plane(&[2.0, 0.0, 0.0, 2.0], 2), 1.0);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|line| area(line) > 0.0));
        assert_eq!(contours(&plane(&[0.0; 4], 2), 1.0), Vec::<Loop>::new());
    }
}
