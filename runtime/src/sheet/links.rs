//! The pictures of the pages on augmentations: one clip under each link, at several draws.

use super::canvas::{BLACK, Canvas, Font, GREY, LINE};
use super::panels::{self, GAP, Scale};
use crate::augment::visual::levels_of;
use crate::augment::{Key, augment_frames, augment_wave};
#[cfg(feature = "media")]
use crate::data::source::Limits;
use crate::data::source::{ClipSource, Request, Ticks};
use crate::data::synthetic::RenderedClips;
#[cfg(not(feature = "media"))]
use crate::error::Error;
use crate::error::Result;
use compiler::hir::{Clip, Synthetic};
use compiler::links::{Picture, Strip, Tile};
use compiler::units::Exact;
use std::path::Path;
use tch::Tensor;

const MARGIN: i64 = 12;
/// Height of a spectrogram's tile; one column is one pixel.
const SOUND: i64 = 160;

/// The rendered clip that is shown where no file is named: a bright shape on a quiet ground.
const RENDERED: usize = 43;

/// A clip that pictures are made of, and where its windows begin in seconds on its clock.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A clip that comes with this program.
    Rendered,
    /// A file.
    #[cfg(feature = "media")]
    File {
        /// Where it is.
        path: std::path::PathBuf,
        /// The start of its windows.
        start: f64,
    },
}

impl Subject {
    /// What a file offers: its pictures and its sound, each from its beginning.
    ///
    /// # Errors
    /// [`Error::Decode`] where it cannot be opened; [`Error::Unsupported`] in a build that does not decode.
    pub fn of_file(path: &Path) -> Result<(Option<Self>, Option<Self>)> {
        #[cfg(feature = "media")]
        {
            let streams = crate::data::decode::streams(path)?;
            let of = |limits: Limits| Self::File {
                path: path.to_owned(),
                start: limits.start,
            };
            Ok((streams.video.map(of), streams.audio.map(of)))
        }
        #[cfg(not(feature = "media"))]
        Err(Error::Unsupported {
            message: format!(
                "`{}` is a file, and this build does not decode it: build with the feature `media`",
                path.display()
            ),
        })
    }

    fn read(&self, clip: &Clip) -> Result<Ticks> {
        let start = match self {
            Self::Rendered => 1.6,
            #[cfg(feature = "media")]
            Self::File { start, .. } => *start,
        };
        let request = match clip {
            Clip::Video { frames, fps, .. } => Request::Video {
                start,
                frames: *frames,
                fps: *fps,
            },
            Clip::Audio { samples, rate, .. } => Request::Audio {
                start,
                samples: *samples,
                rate: *rate,
            },
            Clip::Text { .. } | Clip::Flow { .. } => unreachable!("{}", crate::augment::REFUSED),
        };
        let ticks = match self {
            Self::Rendered => rendered().read(RENDERED, &[request])?.pop(),
            #[cfg(feature = "media")]
            Self::File { path, .. } => {
                let mut spans = crate::data::decode::read(path, None, &[request])?;
                spans.pop().map(|span| span.ticks)
            }
        };
        Ok(ticks.expect("ClipSource: each request is answered"))
    }
}

fn rendered() -> RenderedClips {
    RenderedClips::new(&Synthetic {
        clips: 64,
        classes: 6,
        length: Exact::whole(4),
        lag: Exact::new(3, 10),
        seed: 1,
        streams: vec!["v".to_owned(), "a".to_owned()],
        splits: 1,
    })
}

/// A picture of a page, of a clip with pictures and one with sound.
///
/// # Errors
/// What keeps a clip from being read.
pub fn draw(picture: &Picture, seen: &Subject, heard: &Subject) -> Result<Canvas> {
    let strips: Vec<(&Strip, Vec<Drawn>)> = picture
        .strips
        .iter()
        .map(|strip| {
            let tiles: Result<Vec<Vec<Drawn>>> = strip
                .tiles
                .iter()
                .map(|tile| drawn(tile, seen, heard))
                .collect();
            Ok((strip, tiles?.into_iter().flatten().collect()))
        })
        .collect::<Result<_>>()?;
    let spectrograms = strips
        .iter()
        .flat_map(|(_, tiles)| tiles)
        .filter_map(Drawn::spectrogram);
    let scale = Scale::of(spectrograms);
    let width_of = |(strip, tiles): &(&Strip, Vec<Drawn>)| {
        let tiles: i64 = tiles.iter().map(|tile| tile.size().0 + GAP).sum();
        tiles.max(Font::Bold.width(&strip.title)) + 2 * MARGIN
    };
    let width = strips.iter().map(width_of).max().unwrap_or(1);
    let mut page = Canvas::new(width);
    let mut y = MARGIN;
    for (strip, tiles) in &strips {
        page.text((MARGIN, y), &strip.title, Font::Bold, BLACK);
        y += LINE + 2;
        let (mut x, mut height) = (MARGIN, 0);
        for tile in tiles {
            tile.paint(&mut page, (x, y), scale);
            let (wide, tall) = tile.size();
            page.centred((x + wide / 2, y + tall + 3), &tile.label, Font::Text, GREY);
            x += wide + GAP;
            height = height.max(tall);
        }
        y += height + LINE + 10;
    }
    page.grow(y);
    Ok(page)
}

/// A tile that has been made.
struct Drawn {
    label: String,
    what: What,
}

enum What {
    /// u8 `[H, W, 3]`.
    Frame(Tensor),
    /// `[bands, columns]`.
    Sound(Tensor),
}

impl Drawn {
    fn spectrogram(&self) -> Option<&Tensor> {
        match &self.what {
            What::Frame(_) => None,
            What::Sound(spectrogram) => Some(spectrogram),
        }
    }

    fn size(&self) -> (i64, i64) {
        match &self.what {
            What::Frame(frame) => (frame.size()[1], frame.size()[0]),
            // Each column a whole number of pixels, so that 2 s are as wide whatever the hop is.
            What::Sound(spectrogram) => {
                let columns = spectrogram.size()[1];
                (columns * (200 / columns.max(1)).max(1), SOUND)
            }
        }
    }

    fn paint(&self, page: &mut Canvas, (x, y): (i64, i64), scale: Scale) {
        let (width, height) = self.size();
        match &self.what {
            What::Frame(frame) => page.picture((x, y), (width, height), &panels::rgb(frame)),
            What::Sound(spectrogram) => {
                let (bands, columns) = (spectrogram.size()[0], spectrogram.size()[1]);
                let values = panels::values(spectrogram);
                for row in 0..height {
                    let band = (height - 1 - row) * bands / height;
                    for column in 0..width {
                        let value = values[(band * columns + column * columns / width) as usize];
                        page.fill((x + column, y + row), (1, 1), scale.colour(value));
                    }
                }
            }
        }
    }
}

/// The tiles of a view: each of its frames, or its spectrogram.
fn drawn(tile: &Tile, seen: &Subject, heard: &Subject) -> Result<Vec<Drawn>> {
    let keys = [Key::at(0, &format!("links/{}", tile.draw))];
    let subject = match &tile.clip {
        Clip::Audio { .. } => heard,
        Clip::Video { .. } | Clip::Text { .. } | Clip::Flow { .. } => seen,
    };
    Ok(match (subject.read(&tile.clip)?, &tile.clip) {
        (Ticks::Frames(frames), Clip::Video { size, fps, .. }) => {
            let view = augment_frames(&tile.chain, &[frames], *size, &keys);
            let frames = levels_of(&view).squeeze_dim(0).unbind(0);
            let is_one = frames.len() == 1;
            let label = |at: usize| match is_one {
                true => tile.label.clone(),
                false => format!("{:.3} s", at as f64 / fps.to_f64()),
            };
            frames
                .into_iter()
                .enumerate()
                .map(|(at, frame)| Drawn {
                    label: label(at),
                    what: What::Frame(frame),
                })
                .collect()
        }
        (Ticks::Wave(wave), Clip::Audio { rate, mel, .. }) => {
            let waves = wave.unsqueeze(0);
            let view = augment_wave(&tile.chain, &waves, mel, rate.to_f64(), &keys);
            vec![Drawn {
                label: tile.label.clone(),
                what: What::Sound(view.get(0).get(0)),
            }]
        }
        (Ticks::Frames(_) | Ticks::Wave(_), _) => {
            unreachable!("ClipSource: a request is answered in its own kind")
        }
    })
}
