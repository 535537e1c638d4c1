//! Random views of clips: the augmentations of Tables S1 and S2, and the log-mel between those of waves and of spectrograms.
//!
//! Each augmentation is two functions. The first draws its parameters on the host, from the random numbers of one view of one
//! sample; the second applies them to a tensor, on whatever device that is. No random number is used anywhere else.

pub mod audio;
pub mod colour;
pub mod draws;
pub mod matrix;
pub mod mel;

pub mod visual;

pub use audio::{augment_wave, plain_wave};
pub use draws::{Draws, Key};
pub use visual::{augment_frames, plain_frames};

use compiler::hir::Link;

/// The last part of the path of each link's random numbers: its short name, and from its second occurrence on a number.
fn stream_names(links: &[Link]) -> Vec<String> {
    let earlier = |i: usize| {
        links[..i]
            .iter()
            .filter(|l| l.short() == links[i].short())
            .count()
    };
    let name = |(i, link): (usize, &Link)| match earlier(i) {
        0 => link.short().to_owned(),
        n => format!("{}/{n}", link.short()),
    };
    links.iter().enumerate().map(name).collect()
}
