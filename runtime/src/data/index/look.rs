//! The first look at files: their headers and the time stamps of their packets are read, nothing is decoded.

use super::journal::{self, Journal};
use super::known::{Coded, Columns, Known};
use super::place::{self, Place};
use crate::data::admission::cause;
use crate::data::decode::{Container, Pace};
use crate::data::manifest::Manifest;
use crate::data::ordered::Ordered;
use crate::error::Result;
use std::path::{Path, PathBuf};

/// Opens the files that were not looked at, on `threads` threads, and notes what is found in the journal of the place.
///
/// # Errors
/// [`crate::error::Error::Io`] where the journal cannot be written.
pub(super) fn look(
    manifest: &Manifest,
    columns: &mut Columns,
    place: &mut Option<Place>,
    threads: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<()> {
    let path = place.as_ref().map(|place| place.journal(&manifest.name));
    if let Some(path) = &path {
        journal::replay(path, manifest, columns);
    }
    let new: Vec<usize> = (0..manifest.len())
        .filter(|row| !columns.is_seen(*row))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let open = || path.as_deref().map(Journal::open).transpose();
    let mut journal = place::keep(place, open)?.flatten();
    let paths: Vec<PathBuf> = new.iter().map(|row| manifest.path(*row)).collect();
    let count = paths.len();
    let found = Ordered::new(0..count as u64, threads, 16 * threads.max(1), move |at| {
        look_at(&paths[at as usize])
    });
    for (done, (&row, looked)) in (1..).zip(new.iter().zip(found)) {
        columns.note(row, &looked.known, &looked.coded);
        if let Some(open) = &mut journal {
            let state = manifest.rows.state(row);
            let added = place::keep(place, || open.add(manifest.file(row), state, &looked))?;
            journal = added.and(journal);
        }
        if !looked.scan.is_empty() {
            columns.scans.put(row, looked.scan);
        }
        progress(done, count);
    }
    Ok(())
}

/// What the headers and the packets of a file say.
pub(super) struct Looked {
    /// Its streams, or why it cannot be opened.
    pub known: Known,
    /// How they are coded.
    pub coded: Coded,
    /// The packets in bytes; none where it cannot be opened.
    pub scan: Vec<u8>,
}

fn look_at(path: &Path) -> Looked {
    let pace = Pace::new();
    let container = match Container::open(path, &pace) {
        Ok(container) => container,
        Err(error) => {
            return Looked {
                known: Err(cause(error)),
                coded: Coded::default(),
                scan: Vec::new(),
            };
        }
    };
    let coded = coded(&container);
    match container.scan(&pace) {
        Ok(scan) => Looked {
            known: Ok(scan.streams()),
            coded,
            scan: scan.to_bytes(),
        },
        Err(error) => Looked {
            known: Err(cause(error)),
            coded,
            scan: Vec::new(),
        },
    }
}

fn coded(container: &Container) -> Coded {
    let mut coded = Coded::default();
    let short = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    if let Some(track) = container.video() {
        let stream = container.stream(track);
        stream.parameters().id().name().clone_into(&mut coded.video);
        coded.fps = f64::from(stream.avg_frame_rate()) as f32;
        if let Ok(decoder) = container.decoder(track)
            && let Ok(video) = decoder.video()
        {
            let (width, height) = (short(video.width()), short(video.height()));
            let is_turned = container.quarter_turns() % 2 == 1;
            (coded.width, coded.height) = if is_turned {
                (height, width)
            } else {
                (width, height)
            };
        }
    }
    if let Some(track) = container.audio() {
        let stream = container.stream(track);
        stream.parameters().id().name().clone_into(&mut coded.audio);
        if let Ok(decoder) = container.decoder(track)
            && let Ok(audio) = decoder.audio()
        {
            (coded.rate, coded.channels) = (audio.rate(), audio.channels());
        }
    }
    if !coded.fps.is_finite() {
        coded.fps = 0.0;
    }
    coded
}
