//! A drawing as boxes and lines in pixels.

use layout::core::color::Color;
use layout::core::format::{ClipHandle, RenderBackend};
use layout::core::geometry::Point;
use layout::core::style::StyleAttr;

/// Straight pieces that a curve is drawn in.
const PIECES: u32 = 16;

/// Boxes and the arrows between them; x goes to the right and y down.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Width and height.
    pub size: (f64, f64),
    /// The boxes, in topological order.
    pub boxes: Vec<Boxed>,
    /// The places that each arrow runs through, its head at the last.
    pub arrows: Vec<Vec<(f64, f64)>>,
}

/// A box and what stands in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Boxed {
    /// Upper left corner.
    pub at: (f64, f64),
    /// Width and height.
    pub size: (f64, f64),
    /// Red, green, blue.
    pub colour: [u8; 3],
    /// Lines of text.
    pub lines: Vec<String>,
}

impl RenderBackend for Picture {
    fn draw_rect(
        &mut self,
        xy: Point,
        size: Point,
        look: &StyleAttr,
        _properties: Option<String>,
        _clip: Option<ClipHandle>,
    ) {
        let colour = look.fill_color.unwrap_or_else(Color::transparent);
        self.boxes.push(Boxed {
            at: (xy.x, xy.y),
            size: (size.x, size.y),
            colour: channels(&colour.to_web_color()),
            lines: vec![],
        });
    }

    /// The text of a box is drawn behind it.
    fn draw_text(&mut self, _xy: Point, text: &str, _look: &StyleAttr) {
        if let Some(last) = self.boxes.last_mut() {
            last.lines.extend(text.lines().map(str::to_owned));
        }
    }

    /// The path is one as SVG has it: a place with a direction, then ends of curves, each with its control point in front.
    fn draw_arrow(
        &mut self,
        path: &[(Point, Point)],
        _dashed: bool,
        _head: (bool, bool),
        _look: &StyleAttr,
        _properties: Option<String>,
        _text: &str,
    ) {
        let Some(((start, leave), ends)) = path.split_first() else {
            return;
        };
        let (mut from, mut leave) = ((start.x, start.y), (leave.x, leave.y));
        let mut places = vec![from];
        for (control, end) in ends {
            let (control, end) = ((control.x, control.y), (end.x, end.y));
            let curve = [from, leave, control, end];
            places.extend((1..=PIECES).map(|at| on(curve, f64::from(at) / f64::from(PIECES))));
            // A curve goes on as the one before it ended.
            leave = (2.0 * end.0 - control.0, 2.0 * end.1 - control.1);
            from = end;
        }
        self.arrows.push(places);
    }

    fn draw_line(
        &mut self,
        start: Point,
        stop: Point,
        _look: &StyleAttr,
        _properties: Option<String>,
    ) {
        self.arrows.push(vec![(start.x, start.y), (stop.x, stop.y)]);
    }

    fn draw_circle(
        &mut self,
        xy: Point,
        size: Point,
        look: &StyleAttr,
        properties: Option<String>,
    ) {
        let corner = Point::new(xy.x - size.x / 2.0, xy.y - size.y / 2.0);
        self.draw_rect(corner, size, look, properties, None);
    }

    fn create_clip(&mut self, _xy: Point, _size: Point, _rounded_px: usize) -> ClipHandle {
        0
    }
}

/// The place on a cubic Bezier curve after this share of its way.
fn on([a, b, c, d]: [(f64, f64); 4], share: f64) -> (f64, f64) {
    let rest = 1.0 - share;
    let weights = [
        rest * rest * rest,
        3.0 * rest * rest * share,
        3.0 * rest * share * share,
        share * share * share,
    ];
    let sum = |of: fn((f64, f64)) -> f64| -> f64 {
        let places = [a, b, c, d].into_iter().zip(weights);
        places.map(|(place, weight)| of(place) * weight).sum()
    };
    (sum(|place| place.0), sum(|place| place.1))
}

/// The channels of `#rrggbb` and what may stand behind it.
fn channels(colour: &str) -> [u8; 3] {
    let channel = |at: usize| {
        let digits = colour.get(at..at + 2);
        digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())
    };
    [1, 3, 5].map(|at| channel(at).unwrap_or(255))
}

#[cfg(test)]
mod tests {
    use super::super::picture;
    use crate::fixture::{ALL, crisscross, pairs};

    #[test]
    fn arrows_run_from_box_to_box() {
        let picture = picture(&crisscross(pairs(&ALL)));
        let (width, height) = picture.size;
        assert!(picture.boxes.len() > 10 && picture.arrows.len() > 10);
        for boxed in &picture.boxes {
            let corner = (boxed.at.0 + boxed.size.0, boxed.at.1 + boxed.size.1);
            assert!(boxed.at.0 >= 0.0 && boxed.at.1 >= 0.0);
            assert!(corner.0 <= width && corner.1 <= height, "{boxed:?}");
            assert!(!boxed.lines.is_empty() && boxed.colour != [255; 3]);
        }
        let touches = |(x, y): (f64, f64)| {
            picture.boxes.iter().any(|boxed| {
                (boxed.at.0 - 2.0..=boxed.at.0 + boxed.size.0 + 2.0).contains(&x)
                    && (boxed.at.1 - 2.0..=boxed.at.1 + boxed.size.1 + 2.0).contains(&y)
            })
        };
        for arrow in &picture.arrows {
            assert!(
                touches(arrow[0]) && touches(arrow[arrow.len() - 1]),
                "{arrow:?}"
            );
        }
    }
}
