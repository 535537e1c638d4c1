//! A training step drawn as a graph.

use super::canvas::{BLACK, Canvas, Font, GREY, LINE};
use compiler::graph::{Boxed, Picture};

/// Length and half the width of the head of an arrow.
const HEAD: (f64, f64) = (10.0, 3.5);
/// Height of a line of text in a box.
const PITCH: i64 = 18;

/// The picture in pixels.
pub fn of_graph(picture: &Picture) -> Canvas {
    let mut page = Canvas::new(whole(picture.size.0));
    page.grow(whole(picture.size.1));
    for arrow in &picture.arrows {
        draw_arrow(&mut page, arrow);
    }
    for boxed in &picture.boxes {
        draw_box(&mut page, boxed);
    }
    page
}

fn draw_box(page: &mut Canvas, boxed: &Boxed) {
    let (x, y) = (whole(boxed.at.0), whole(boxed.at.1));
    let (width, height) = (whole(boxed.size.0), whole(boxed.size.1));
    page.fill((x, y), (width, height), boxed.colour);
    page.outline((x, y), (width, height), GREY);
    let lines = boxed.lines.len() as i64;
    let top = y + (height - lines * PITCH) / 2 + (PITCH - LINE) / 2 + 2;
    for (line, text) in (0..).zip(&boxed.lines) {
        let at = (x + width / 2, top + line * PITCH);
        page.centred(at, text, Font::Text, BLACK);
    }
}

fn draw_arrow(page: &mut Canvas, places: &[(f64, f64)]) {
    for pair in places.windows(2) {
        line(page, pair[0], pair[1]);
    }
    let Some((from, tip)) = last_piece(places) else {
        return;
    };
    let (x, y) = (tip.0 - from.0, tip.1 - from.1);
    let length = x.hypot(y);
    let (x, y) = (x / length, y / length);
    // From the tip back, lines across, each a little wider than the one before.
    let steps = whole(2.0 * HEAD.0);
    for step in 0..=steps {
        let back = step as f64 / 2.0;
        let wide = HEAD.1 * back / HEAD.0;
        let middle = (tip.0 - back * x, tip.1 - back * y);
        let side = |sign: f64| (middle.0 - sign * wide * y, middle.1 + sign * wide * x);
        line(page, side(1.0), side(-1.0));
    }
}

/// The last piece of a way that has a length.
fn last_piece(places: &[(f64, f64)]) -> Option<((f64, f64), (f64, f64))> {
    let tip = *places.last()?;
    let is_apart = |place: &&(f64, f64)| (place.0 - tip.0).hypot(place.1 - tip.1) > 0.5;
    Some((*places.iter().rev().find(is_apart)?, tip))
}

/// A straight line, one pixel wide.
fn line(page: &mut Canvas, from: (f64, f64), to: (f64, f64)) {
    let (x, y) = (to.0 - from.0, to.1 - from.1);
    let steps = whole(x.abs().max(y.abs())).max(1);
    for step in 0..=steps {
        let share = step as f64 / steps as f64;
        let at = (whole(from.0 + share * x), whole(from.1 + share * y));
        page.fill(at, (1, 1), GREY);
    }
}

fn whole(x: f64) -> i64 {
    x.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_and_arrows_lie_where_the_picture_says() {
        let boxed = |y: f64, text: &str| Boxed {
            at: (10.0, y),
            size: (60.0, 40.0),
            colour: [1, 200, 3],
            lines: vec![text.to_owned()],
        };
        let picture = Picture {
            size: (80.0, 160.0),
            boxes: vec![boxed(10.0, "one"), boxed(110.0, "two")],
            arrows: vec![vec![(40.0, 50.0), (40.0, 109.0)]],
        };
        let page = of_graph(&picture);
        assert_eq!((page.width(), page.height()), (80, 160));
        assert_eq!(
            (page.at(12, 12), page.at(12, 148)),
            ([1, 200, 3], [1, 200, 3])
        );
        assert_eq!((page.at(40, 80), page.at(36, 80)), (GREY, [255; 3]));
        // The head is wider than the line.
        assert_eq!((page.at(38, 101), page.at(42, 101)), (GREY, GREY));
    }
}
