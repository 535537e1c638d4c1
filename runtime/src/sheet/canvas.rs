//! A page of pixels: rectangles, pictures and text, written as PNG.
//!
//! Text is Noto Sans Mono (SIL Open Font License), drawn into bitmaps beforehand, so a page looks the same on every machine.

use crate::error::{Error, Result};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, RasterizedChar, get_raster};
use std::collections::BTreeMap;

/// A colour: red, green, blue.
pub type Ink = [u8; 3];

/// The paper.
pub const WHITE: Ink = [255, 255, 255];
/// Text.
pub const BLACK: Ink = [17, 17, 17];
/// Text that stands back, and axes: 7 to 1 on white.
pub const GREY: Ink = [89, 89, 89];
/// Lines that stand behind everything.
pub const PALE: Ink = [222, 222, 222];

/// Width of a letter of [`Font::Text`] and [`Font::Bold`] in pixels.
pub const LETTER: i64 = 8;
/// Height of a line of [`Font::Text`].
pub const LINE: i64 = 20;

/// How text is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Font {
    /// Names and numbers.
    Text,
    /// Headings.
    Bold,
    /// The title of the page.
    Title,
}

impl Font {
    fn glyph(self, letter: char) -> Option<RasterizedChar> {
        match self {
            Font::Text => get_raster(letter, FontWeight::Regular, RasterHeight::Size16),
            Font::Bold => get_raster(letter, FontWeight::Bold, RasterHeight::Size16),
            Font::Title => get_raster(letter, FontWeight::Bold, RasterHeight::Size20),
        }
    }

    /// What a text takes in pixels from left to right.
    pub fn width(self, text: &str) -> i64 {
        let letter = self.glyph('0').map_or(LETTER, |glyph| glyph.width() as i64);
        letter * text.chars().count() as i64
    }
}

/// A page of fixed width that grows downwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canvas {
    width: i64,
    /// RGB, rows from the top.
    pixels: Vec<u8>,
}

impl Canvas {
    /// An empty page.
    pub fn new(width: i64) -> Self {
        Self {
            width: width.max(1),
            pixels: Vec::new(),
        }
    }

    /// Width in pixels.
    pub fn width(&self) -> i64 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> i64 {
        self.pixels.len() as i64 / 3 / self.width
    }

    /// Makes the page at least as high.
    pub fn grow(&mut self, height: i64) {
        let bytes = (height.max(0) * self.width * 3) as usize;
        if bytes > self.pixels.len() {
            self.pixels.resize(bytes, 255);
        }
    }

    /// The colour of a pixel; white outside the page.
    pub fn at(&self, x: i64, y: i64) -> Ink {
        if !(0..self.width).contains(&x) || !(0..self.height()).contains(&y) {
            return WHITE;
        }
        let at = ((y * self.width + x) * 3) as usize;
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }

    /// Colours a pixel; the page grows to hold it. What lies beside the page is not drawn.
    fn put(&mut self, x: i64, y: i64, ink: Ink) {
        if !(0..self.width).contains(&x) || y < 0 {
            return;
        }
        self.grow(y + 1);
        let at = ((y * self.width + x) * 3) as usize;
        self.pixels[at..at + 3].copy_from_slice(&ink);
    }

    /// A filled rectangle.
    pub fn fill(&mut self, (x, y): (i64, i64), (width, height): (i64, i64), ink: Ink) {
        for row in y..y + height {
            for column in x..x + width {
                self.put(column, row, ink);
            }
        }
    }

    /// The lines around a rectangle, outside it.
    pub fn outline(&mut self, (x, y): (i64, i64), (width, height): (i64, i64), ink: Ink) {
        self.fill((x - 1, y - 1), (width + 2, 1), ink);
        self.fill((x - 1, y + height), (width + 2, 1), ink);
        self.fill((x - 1, y), (1, height), ink);
        self.fill((x + width, y), (1, height), ink);
    }

    /// A picture, RGB, rows from the top.
    pub fn picture(&mut self, (x, y): (i64, i64), (width, height): (i64, i64), rgb: &[u8]) {
        self.grow(y + height);
        for (at, pixel) in (0..width * height).zip(rgb.chunks_exact(3)) {
            self.put(
                x + at % width,
                y + at / width,
                [pixel[0], pixel[1], pixel[2]],
            );
        }
    }

    /// A line of text whose upper left corner lies here; returns the place behind its last letter. A letter that the font lacks is
    /// drawn as `?`.
    pub fn text(&mut self, (x, y): (i64, i64), text: &str, font: Font, ink: Ink) -> i64 {
        let mut left = x;
        for letter in text.chars() {
            let Some(glyph) = font.glyph(letter).or_else(|| font.glyph('?')) else {
                continue;
            };
            for (row, line) in (y..).zip(glyph.rows()) {
                for (column, cover) in (left..).zip(line) {
                    if *cover > 0 {
                        let under = self.at(column, row);
                        // Sixteen steps, which nobody sees, keep pages without photographs in 256 colours.
                        let share = f64::from(cover / 16) / 15.0;
                        self.put(column, row, mix(under, ink, share));
                    }
                }
            }
            left += glyph.width() as i64;
        }
        left
    }

    /// Text around a place from left to right.
    pub fn centred(&mut self, (x, y): (i64, i64), text: &str, font: Font, ink: Ink) {
        self.text((x - font.width(text) / 2, y), text, font, ink);
    }

    /// Text that ends at a place.
    pub fn right(&mut self, (x, y): (i64, i64), text: &str, font: Font, ink: Ink) {
        self.text((x - font.width(text), y), text, font, ink);
    }

    /// The page as a PNG file, with a palette where 256 colours are enough.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for an empty page.
    pub fn png(&self) -> Result<Vec<u8>> {
        self.compressed(png::Compression::High)
    }

    /// [`Canvas::png`], but a page of photographs takes a small part of the time and comes out somewhat larger.
    ///
    /// # Errors
    /// As there.
    pub fn quick_png(&self) -> Result<Vec<u8>> {
        self.compressed(png::Compression::Fast)
    }

    fn compressed(&self, photographs: png::Compression) -> Result<Vec<u8>> {
        let refused = |cause: png::EncodingError| Error::Unsupported {
            message: format!("cannot encode a picture: {cause}"),
        };
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height() as u32);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        let indexed = self.indexed();
        let data = match &indexed {
            Some((palette, places)) => {
                encoder.set_color(png::ColorType::Indexed);
                encoder.set_palette(palette.as_flattened());
                encoder.set_filter(png::Filter::NoFilter);
                places
            }
            None => {
                encoder.set_color(png::ColorType::Rgb);
                encoder.set_compression(photographs);
                &self.pixels
            }
        };
        let mut writer = encoder.write_header().map_err(refused)?;
        writer.write_image_data(data).map_err(refused)?;
        writer.finish().map_err(refused)?;
        Ok(bytes)
    }

    /// Its colours in ascending order and the place of each pixel's among them; `None` where there are more than 256.
    fn indexed(&self) -> Option<(Vec<Ink>, Vec<u8>)> {
        let pixels = self.pixels.as_chunks::<3>().0;
        let mut places: BTreeMap<Ink, u8> = BTreeMap::new();
        let is_new = |pair: &&[Ink]| pair[0] != pair[1];
        let others = pixels.windows(2).filter(is_new).map(|pair| &pair[1]);
        for pixel in pixels.first().into_iter().chain(others) {
            places.insert(*pixel, 0);
            if places.len() > 256 {
                return None;
            }
        }
        for (place, entry) in (0..=u8::MAX).zip(places.values_mut()) {
            *entry = place;
        }
        let palette = places.keys().copied().collect();
        let first = pixels.first().copied().unwrap_or(WHITE);
        let mut last = (first, places.get(&first).copied().unwrap_or(0));
        let place = |pixel: &Ink| {
            if last.0 != *pixel {
                last = (*pixel, places[pixel]);
            }
            last.1
        };
        Some((palette, pixels.iter().map(place).collect()))
    }
}

/// Pages one below the other, as wide as the widest.
pub fn below(pages: &[Canvas]) -> Canvas {
    let width = pages.iter().map(Canvas::width).max().unwrap_or(1);
    let mut joined = Canvas::new(width);
    for page in pages {
        let y = joined.height();
        joined.picture((0, y), (page.width, page.height()), &page.pixels);
    }
    joined
}

/// Between two colours.
pub fn mix(from: Ink, to: Ink, share: f64) -> Ink {
    let one = |i: usize| {
        let (from, to) = (f64::from(from[i]), f64::from(to[i]));
        (from + share * (to - from)).round() as u8
    };
    [one(0), one(1), one(2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_grows_and_comes_back_from_its_file() {
        let mut page = Canvas::new(60);
        page.fill((2, 3), (4, 5), [1, 2, 3]);
        page.picture((10, 0), (1, 2), &[9, 8, 7, 6, 5, 4]);
        let end = page.text((0, 10), "v1 é", Font::Text, BLACK);
        assert_eq!(end, Font::Text.width("v1 é"));
        assert!(page.height() > 20);
        assert_eq!(page.at(5, 7), [1, 2, 3]);
        assert_eq!(page.at(10, 1), [6, 5, 4]);
        assert_eq!(page.at(40, 2), WHITE);
        assert_eq!(pixels_of(&page), page.pixels);
        // More colours than a palette has.
        let colours: Vec<u8> = (0..60 * 6)
            .flat_map(|at| [at as u8, (at / 256) as u8, 7])
            .collect();
        page.picture((0, 40), (60, 6), &colours);
        assert_eq!(pixels_of(&page), page.pixels);
    }

    /// What a reader finds in the file of a page.
    fn pixels_of(page: &Canvas) -> Vec<u8> {
        let bytes = page.png().unwrap();
        let mut decoder = png::Decoder::new(std::io::Cursor::new(&bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        pixels
    }

    #[test]
    fn what_lies_beside_the_page_is_not_drawn() {
        let mut page = Canvas::new(10);
        page.fill((-5, -5), (100, 7), [0, 0, 0]);
        page.text((-300, 0), "far out", Font::Title, BLACK);
        assert_eq!(page.at(0, 1), [0, 0, 0]);
        assert_eq!(page.width(), 10);
    }
}
