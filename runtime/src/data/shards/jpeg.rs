//! Frames to JPEG and back, by libjpeg-turbo.
// A build without FFmpeg reads shards and writes none.
#![cfg_attr(not(feature = "media"), allow(dead_code))]

use std::cell::RefCell;
use turbojpeg::{Compressor, Decompressor, Image, PixelFormat, Subsamp};

/// An RGB frame, `[height, width, 3]`, as JPEG of this quality with colours at half the resolution.
///
/// # Errors
/// What libjpeg-turbo says, for a frame of more than 65,500 pixels a side.
pub fn encode(rgb: &[u8], height: usize, width: usize, quality: u8) -> Result<Vec<u8>, String> {
    let image = Image {
        pixels: rgb,
        width,
        pitch: width * 3,
        height,
        format: PixelFormat::RGB,
    };
    let encoded = Compressor::new().and_then(|mut compressor| {
        compressor.set_quality(i32::from(quality))?;
        compressor.set_subsamp(Subsamp::Sub2x2)?;
        compressor.compress_to_vec(image)
    });
    encoded.map_err(|error| error.to_string())
}

thread_local! {
    static DECOMPRESSOR: RefCell<Option<Decompressor>> = const { RefCell::new(None) };
}

/// Decodes a JPEG of this size into `rgb`, `[height, width, 3]`. Colours are taken from the nearest sample, as FFmpeg's conversion
/// of files does.
///
/// # Errors
/// What libjpeg-turbo says, also of one that is larger.
pub fn decode(jpeg: &[u8], height: usize, width: usize, rgb: &mut [u8]) -> Result<(), String> {
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            none => {
                let mut fresh = Decompressor::new().map_err(|error| error.to_string())?;
                fresh
                    .set_fast_upsample(true)
                    .map_err(|error| error.to_string())?;
                none.insert(fresh)
            }
        };
        let image = Image {
            pixels: rgb,
            width,
            pitch: width * 3,
            height,
            format: PixelFormat::RGB,
        };
        decompressor
            .decompress(jpeg, image)
            .map_err(|error| error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_with_little_loss_and_odd_sizes() {
        let (height, width) = (37, 51);
        let pixel =
            |i: usize| (100 + 60 * (i / 3 % width) / width + 40 * (i / 3 / width) / height) as u8;
        let rgb: Vec<u8> = (0..height * width * 3).map(pixel).collect();
        let jpeg = encode(&rgb, height, width, 95).unwrap();
        let mut out = vec![0; rgb.len()];
        decode(&jpeg, height, width, &mut out).unwrap();
        let worst = rgb.iter().zip(&out).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst.unwrap() <= 4, "{worst:?}");
        assert!(decode(&jpeg, width, height, &mut out).is_err());
        assert!(decode(&jpeg[..jpeg.len() / 2], height, width, &mut out).is_err());
        assert!(decode(b"no picture", height, width, &mut out).is_err());
    }
}
