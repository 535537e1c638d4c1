//! Pictures of SVG as PNG, for what shows no SVG. Machines that train have no browser and often no fonts: the font is in the program,
//! Noto Sans 1.04 (Apache License 2.0), regular and bold, and stands for every family that a picture asks for.

use crate::{Error, Result};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Source};
use resvg::usvg::{Options, Tree};
use std::sync::{Arc, LazyLock};

/// The family that is in the program.
const FAMILY: &str = "Noto Sans";
/// The most pixels of a picture: 1 GiB of memory.
const MOST_PIXELS: f32 = (1 << 28) as f32;

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    for face in [ttf_noto_sans::REGULAR, ttf_noto_sans::BOLD] {
        fonts.load_font_source(Source::Binary(Arc::new(face)));
    }
    fonts.set_sans_serif_family(FAMILY);
    fonts.set_serif_family(FAMILY);
    fonts.set_monospace_family(FAMILY);
    Arc::new(fonts)
});

/// An SVG picture as PNG, `scale` pixels for each of its units.
///
/// Colours are those outside of media queries, `var(...)` is not known, and nothing is fetched: pictures within it are `data:` addresses of
/// PNG, JPEG, GIF or WebP. Where it paints no ground, the PNG is transparent.
///
/// # Errors
///
/// A text that is no SVG, or one of more than 2^28 pixels.
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>> {
    let mut options = Options {
        font_family: FAMILY.to_owned(),
        fontdb: Arc::clone(&FONTS),
        ..Options::default()
    };
    options.image_href_resolver.resolve_string = Box::new(|_, _| None);
    let failed = |message: String| Error::Picture { message };
    let tree = Tree::from_str(svg, &options).map_err(|cause| failed(cause.to_string()))?;
    let (width, height) = (tree.size().width() * scale, tree.size().height() * scale);
    let size = || format!("it would have {width:.0} x {height:.0} pixels");
    if width * height > MOST_PIXELS {
        return Err(failed(size()));
    }
    let mut pixels =
        Pixmap::new(width.ceil() as u32, height.ceil() as u32).ok_or_else(|| failed(size()))?;
    resvg::render(
        &tree,
        Transform::from_scale(scale, scale),
        &mut pixels.as_mut(),
    );
    pixels
        .encode_png()
        .map_err(|cause| failed(cause.to_string()))
}

#[cfg(test)]
mod tests {
    use super::png;

    /// Width, height, and how many pixels are no ground, of a PNG of eight bits with alpha.
    fn seen(svg: &str, scale: f32) -> (u32, u32, usize) {
        let bytes = png(svg, scale).unwrap();
        let pixels = resvg::tiny_skia::Pixmap::decode_png(&bytes).unwrap();
        let inked = pixels.pixels().iter().filter(|pixel| pixel.alpha() > 127);
        (pixels.width(), pixels.height(), inked.count())
    }

    #[test]
    fn texts_are_drawn_without_fonts_on_the_machine() {
        let text = |style: &str| {
            format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 90 20\" width=\"90\" height=\"20\"><style>text {{ font-size: 16px; \
                 }} @media (prefers-color-scheme: dark) {{ text {{ fill: none; }} }}</style><text x=\"2\" y=\"15\" \
                 style=\"{style}\">\u{2212}7/9 \u{3bb}\u{2192}\u{b1}</text></svg>"
            )
        };
        let (width, height, plain) = seen(&text(""), 2.0);
        assert_eq!((width, height), (180, 40));
        assert!(plain > 400, "{plain}");
        for family in ["system-ui, sans-serif", "monospace", "Nowhere"] {
            let (_, _, inked) = seen(&text(&format!("font-family: {family}")), 2.0);
            assert_eq!(inked, plain, "{family}");
        }
        let (_, _, bold) = seen(&text("font-weight: bold"), 2.0);
        assert!(bold > plain, "{bold} {plain}");
        assert_eq!(png(&text(""), 2.0).unwrap(), png(&text(""), 2.0).unwrap());
    }

    #[test]
    fn what_is_no_picture_is_said() {
        for (svg, said) in [("<svg", "cannot draw"), ("", "cannot draw")] {
            let error = png(svg, 1.0).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
        let large = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"90000\" height=\"90000\"/>";
        let error = png(large, 1.0).unwrap_err().to_string();
        assert!(error.contains("90000 x 90000 pixels"), "{error}");
    }
}
