//! A page for each link of a chain of augmentations: what it does, its parameters and values, and which pictures show it.
//!
//! Names, types, ranges and values are those of the catalogue and of the shipped modules, so a page cannot say something else.
//! The pictures are drawn by the runtime; here stands what is on them.

use crate::Profile;
use crate::catalog::{self, Family, Operator, Parameter};
use crate::hir::{Chain, Clip, LogMel, Modality};
use crate::units::Exact;
use grammar::ast::{Arg, Body, Decl, Expr, ExprKind, File, Item};
use grammar::docs::{Doc, Note, Source};
use grammar::span::{FileId, Sources};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// A page of Markdown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its file name.
    pub path: String,
    /// The whole of it.
    pub text: String,
}

/// A picture of a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Its file name.
    pub path: String,
    /// From top to bottom.
    pub strips: Vec<Strip>,
}

/// Tiles side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Strip {
    /// Above them.
    pub title: String,
    /// From left to right.
    pub tiles: Vec<Tile>,
}

/// One view of the clip that all pictures show, or the frames of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tile {
    /// Below it.
    pub label: String,
    /// What a view is; each of its frames is a tile of its own.
    pub clip: Clip,
    /// What is done.
    pub chain: Chain,
    /// Which draw of it.
    pub draw: u64,
}

/// What is written about a link by hand.
struct Article {
    /// Its operators; the page is called by the first.
    operators: &'static [&'static str],
    /// What the paper calls it.
    short: &'static str,
    text: &'static str,
    shown: Shown,
    strips: &'static [Shot],
}

/// What the tiles are.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    Frame,
    Frames,
    Sound,
    Nothing,
}

/// A strip as it is asked for.
enum Shot {
    /// The clip as it is, then some draws of a chain as a module reads it.
    Draws(&'static str, &'static str, u64),
    /// One draw of each chain, each with its label.
    Each(&'static str, &'static [(&'static str, &'static str)]),
    /// Spectrograms: bands, hop and transform in samples, whether columns are centred, each with its label.
    Mels(&'static str, &'static [(&'static str, u32, u32, u32, bool)]),
}

use Shot::{Draws, Each, Mels};

const ARTICLES: &[Article] = &[
    Article {
        operators: &["multi_scale_crop"],
        short: "MSC",
        text: include_str!("links/multi_scale_crop.md"),
        shown: Shown::Frame,
        strips: &[
            Draws("paper", "MSC", 5),
            Each(
                "from the whole frame to small parts",
                &[
                    ("min_area: 1", "multi_scale_crop(min_area: 1)"),
                    ("min_area: 0.7", "multi_scale_crop(min_area: 0.7)"),
                    ("min_area: 0.3", "multi_scale_crop(min_area: 0.3)"),
                    ("min_area: 0.08", "multi_scale_crop(min_area: 0.08)"),
                    ("min_area: 0.01", "multi_scale_crop(min_area: 0.01)"),
                ],
            ),
        ],
    },
    Article {
        operators: &["horizontal_flip"],
        short: "HF",
        text: include_str!("links/horizontal_flip.md"),
        shown: Shown::Frame,
        strips: &[Draws("paper", "HF", 5)],
    },
    Article {
        operators: &["color_jitter"],
        short: "CJ",
        text: include_str!("links/color_jitter.md"),
        shown: Shown::Frame,
        strips: &[
            Draws("paper", "CJ", 5),
            Draws(
                "paper",
                "color_jitter(brightness: 1, contrast: 0, saturation: 0, hue: 0)",
                3,
            ),
            Draws(
                "paper",
                "color_jitter(brightness: 0, contrast: 1, saturation: 0, hue: 0)",
                3,
            ),
            Draws(
                "paper",
                "color_jitter(brightness: 0, contrast: 0, saturation: 1, hue: 0)",
                3,
            ),
            Draws(
                "paper",
                "color_jitter(brightness: 0, contrast: 0, saturation: 0, hue: 1/2)",
                3,
            ),
        ],
    },
    Article {
        operators: &["gray_scale"],
        short: "GS",
        text: include_str!("links/gray_scale.md"),
        shown: Shown::Frame,
        strips: &[
            Draws("paper", "GS", 5),
            Each(
                "always",
                &[
                    ("p: 1", "gray_scale(p: 1, levels: exact)"),
                    ("levels: whole", "gray_scale(p: 1, levels: whole)"),
                ],
            ),
        ],
    },
    Article {
        operators: &["gaussian_blur"],
        short: "GB",
        text: include_str!("links/gaussian_blur.md"),
        shown: Shown::Frame,
        strips: &[
            Draws("paper", "GB", 5),
            Draws("released", "GB", 5),
            Each(
                "sigmas across and down",
                &[
                    (
                        "0.5, 0.5",
                        "gaussian_blur(p: 1, sigma: (0.5, 0.5), pair: axes)",
                    ),
                    ("1, 1", "gaussian_blur(p: 1, sigma: (1, 1), pair: axes)"),
                    ("2, 2", "gaussian_blur(p: 1, sigma: (2, 2), pair: axes)"),
                    ("5, 5", "gaussian_blur(p: 1, sigma: (5, 5), pair: axes)"),
                    ("5, 0.1", "gaussian_blur(p: 1, sigma: (5, 0.1), pair: axes)"),
                ],
            ),
        ],
    },
    Article {
        operators: &["cutout"],
        short: "C",
        text: include_str!("links/cutout.md"),
        shown: Shown::Frame,
        strips: &[
            Draws("paper", "C", 5),
            Draws("released", "C", 5),
            Each(
                "larger, and more of them",
                &[
                    (
                        "max: 60px",
                        "cutout(max: 60px, count: 1, fill: first_frame_mean)",
                    ),
                    (
                        "max: 112px",
                        "cutout(max: 112px, count: 1, fill: first_frame_mean)",
                    ),
                    (
                        "count: 4",
                        "cutout(max: 30px, count: 4, fill: first_frame_mean)",
                    ),
                    (
                        "count: 16",
                        "cutout(max: 30px, count: 16, fill: first_frame_mean)",
                    ),
                ],
            ),
        ],
    },
    Article {
        operators: &["volume_jitter"],
        short: "VJ",
        text: include_str!("links/volume_jitter.md"),
        shown: Shown::Sound,
        strips: &[
            Draws("paper", "VJ", 3),
            Each(
                "as far as it goes",
                &[
                    ("range: 0.5", "volume_jitter(range: 0.5)"),
                    ("range: 0.9", "volume_jitter(range: 0.9)"),
                    ("range: 1", "volume_jitter(range: 1)"),
                ],
            ),
        ],
    },
    Article {
        operators: &["logmel"],
        short: "logmel",
        text: include_str!("links/logmel.md"),
        shown: Shown::Sound,
        strips: &[
            Mels(
                "bands and columns",
                &[
                    ("80 bands, 10 ms", 80, 160, 1024, false),
                    ("40 bands, 10 ms", 40, 160, 1024, false),
                    ("160 bands, 10 ms", 160, 160, 1024, false),
                    ("80 bands, 40 ms", 80, 640, 1024, false),
                ],
            ),
            Mels(
                "transforms",
                &[
                    ("fft: 256", 80, 160, 256, false),
                    ("fft: 512", 80, 160, 512, false),
                    ("fft: 4096", 80, 160, 4096, false),
                    ("centre: yes", 80, 160, 1024, true),
                ],
            ),
        ],
    },
    Article {
        operators: &["freq_mask"],
        short: "FM",
        text: include_str!("links/freq_mask.md"),
        shown: Shown::Sound,
        strips: &[
            Draws("paper", "FM", 3),
            Each(
                "wider, and more of them",
                &[
                    (
                        "max: 40bins",
                        "freq_mask(max: 40bins, count: 2, widths: inclusive)",
                    ),
                    (
                        "max: 80bins",
                        "freq_mask(max: 80bins, count: 1, widths: inclusive)",
                    ),
                    (
                        "count: 8",
                        "freq_mask(max: 10bins, count: 8, widths: inclusive)",
                    ),
                ],
            ),
        ],
    },
    Article {
        operators: &["time_mask"],
        short: "TM",
        text: include_str!("links/time_mask.md"),
        shown: Shown::Sound,
        strips: &[
            Draws("paper", "TM", 3),
            Each(
                "wider, and more of them",
                &[
                    (
                        "max: 100bins",
                        "time_mask(max: 100bins, count: 2, widths: inclusive)",
                    ),
                    (
                        "max: 200bins",
                        "time_mask(max: 200bins, count: 1, widths: inclusive)",
                    ),
                    (
                        "count: 8",
                        "time_mask(max: 20bins, count: 8, widths: inclusive)",
                    ),
                ],
            ),
        ],
    },
    Article {
        operators: &["random_crop"],
        short: "RC",
        text: include_str!("links/random_crop.md"),
        shown: Shown::Sound,
        strips: &[
            Draws("paper", "RC", 3),
            Each(
                "the least, the same and the greatest size, and a larger canvas",
                &[
                    (
                        "range: 0.6",
                        "random_crop(range: (0.6, 0.6), canvas: (1, 1.5))",
                    ),
                    ("range: 1", "random_crop(range: (1, 1), canvas: (1, 1.5))"),
                    (
                        "range: 1.5",
                        "random_crop(range: (1.5, 1.5), canvas: (1, 1.5))",
                    ),
                    (
                        "canvas: 2, 2",
                        "random_crop(range: (0.6, 1.5), canvas: (2, 2))",
                    ),
                ],
            ),
        ],
    },
    Article {
        operators: &["time_warp"],
        short: "TW",
        text: include_str!("links/time_warp.md"),
        shown: Shown::Sound,
        strips: &[
            Draws("paper", "TW", 3),
            Each(
                "further",
                &[
                    ("window: 50bins", "time_warp(window: 50bins)"),
                    ("window: 80bins", "time_warp(window: 80bins)"),
                    ("window: 99bins", "time_warp(window: 99bins)"),
                ],
            ),
        ],
    },
    Article {
        operators: &["consistent", "per_frame"],
        short: "consistent",
        text: include_str!("links/consistent.md"),
        shown: Shown::Frames,
        strips: &[
            Each("consistent(MSC-HF-CJ)", &[("", "consistent(MSC-HF-CJ)")]),
            Each("per_frame(MSC-HF-CJ)", &[("", "per_frame(MSC-HF-CJ)")]),
        ],
    },
    Article {
        operators: &["drop_words"],
        short: "drop_words",
        text: include_str!("links/drop_words.md"),
        shown: Shown::Nothing,
        strips: &[],
    },
    Article {
        operators: &["follow"],
        short: "follow",
        text: include_str!("links/follow.md"),
        shown: Shown::Nothing,
        strips: &[],
    },
];

/// The index, and a page for each link.
pub fn pages() -> Vec<Page> {
    let sources = crate::sources();
    let modules = ["paper", "released"].map(|name| Module::read(&sources, name));
    let index = Page {
        path: "README.md".to_owned(),
        text: index(),
    };
    let pages = ARTICLES.iter().map(|article| Page {
        path: format!("{}.md", article.operators[0]),
        text: page(article, &modules),
    });
    std::iter::once(index).chain(pages).collect()
}

/// The pictures of all pages.
pub fn pictures() -> Vec<Picture> {
    let drawn = ARTICLES
        .iter()
        .filter(|article| article.shown != Shown::Nothing);
    drawn
        .map(|article| Picture {
            path: format!("{}.png", article.operators[0]),
            strips: article
                .strips
                .iter()
                .map(|shot| strip(article.shown, shot))
                .collect(),
        })
        .collect()
}

/// The operators that have a page: those of augmentation, and the spectrogram between them.
pub fn operators() -> impl Iterator<Item = &'static Operator> {
    let is_link = |operator: &&Operator| {
        matches!(
            operator.family,
            Family::Augment | Family::Timing | Family::Spectrogram
        )
    };
    catalog::operators().filter(is_link)
}

fn index() -> String {
    let mut out = String::from(
        "# Augmentations\n\n\
         What each link of a chain does to a view, with its parameters, the values that `paper` and `released` give them, and pictures at\n\
         several draws and far beyond them. `crisscross data links` makes these pages; with `--clip FILE` they show a clip of your own.\n\n\
         | link | | what it does | source |\n| --- | --- | --- | --- |\n",
    );
    for article in ARTICLES {
        for name in article.operators {
            let Some(operator) = operators().find(|operator| operator.name == *name) else {
                continue;
            };
            let text = operator
                .text
                .split_once(": ")
                .map_or(operator.text, |(_, text)| text);
            _ = writeln!(
                out,
                "| [`{name}`]({}.md) | {} | {text} | {} |",
                article.operators[0],
                if article.short == article.operators[0] {
                    ""
                } else {
                    article.short
                },
                catalog::sources(operator.source)
            );
        }
    }
    out
}

fn page(article: &Article, modules: &[Module; 2]) -> String {
    let name = article.operators[0];
    let mut out = match article.short == name {
        true => {
            let names: Vec<String> = article
                .operators
                .iter()
                .map(|name| format!("`{name}`"))
                .collect();
            format!("# {}\n\n", names.join(" and "))
        }
        false => format!("# {}: `{name}`\n\n", article.short),
    };
    out += article.text;
    if article.shown != Shown::Nothing {
        _ = write!(out, "\n![{}]({name}.png)\n", article.short);
    }
    for name in article.operators {
        if let Some(operator) = operators().find(|operator| operator.name == *name) {
            out += &parameters(operator, modules);
        }
    }
    out + &readings(article.operators[0], modules)
}

/// The parameters of an operator, with what each module gives them and who says so.
fn parameters(operator: &Operator, modules: &[Module; 2]) -> String {
    let mut out = format!(
        "\n## Parameters of `{}`\n\n| parameter | takes | what it is | `paper` | `released` |\n| --- | --- | --- | --- | --- |\n",
        operator.name
    );
    for parameter in operator.parameters {
        let values = modules.each_ref().map(|module| {
            let value = module.argument(operator, parameter);
            value.map_or("-".to_owned(), |value| format!("`{value}`"))
        });
        let name = match parameter.is_required {
            true => format!("`{}`", parameter.name),
            false => format!("`{}`, may be left out", parameter.name),
        };
        _ = writeln!(
            out,
            "| {name} | {} | {} | {} | {} |",
            parameter.takes.describe(),
            parameter.text,
            values[0],
            values[1]
        );
    }
    let said = modules
        .each_ref()
        .map(|module| module.sources(operator.name));
    for (module, said) in modules.iter().zip(said) {
        if !said.is_empty() {
            _ = write!(
                out,
                "\nWho says the values of `{}`: {}.\n",
                module.name,
                said.join("; ")
            );
        }
    }
    out
}

/// What the modules note about a link that is no value.
fn readings(name: &str, modules: &[Module; 2]) -> String {
    let mut out = String::new();
    for module in modules {
        let notes = module.notes(name);
        if notes.is_empty() {
            continue;
        }
        _ = write!(out, "\n## Readings in `{}`\n\n", module.name);
        for note in notes {
            let said: Vec<String> = note.sources.iter().map(Source::to_string).collect();
            let said = if said.is_empty() {
                String::new()
            } else {
                format!(" [{}]", said.join("; "))
            };
            _ = writeln!(out, "- {}: {}{said}", note.topic, note.text);
        }
    }
    out
}

/// A shipped module as it is written.
struct Module<'s> {
    name: &'static str,
    sources: &'s Sources,
    file: FileId,
    tree: File,
}

impl<'s> Module<'s> {
    fn read(sources: &'s Sources, name: &'static str) -> Self {
        let called = format!("{name}.cc");
        let found = sources.iter().find(|(_, source)| source.name == called);
        let (file, _) = found.expect("links: the module ships with the compiler");
        Self {
            name,
            sources,
            file,
            tree: grammar::parse(sources, file).0,
        }
    }

    /// The first declaration that calls an operator, and how.
    fn call(&self, operator: &str) -> Option<(&Decl, &[Arg])> {
        self.tree.items.iter().find_map(|item| {
            let Item::Decl(decl) = item else { return None };
            let Body::Expr(value) = &decl.body else {
                return None;
            };
            Some((decl, call_in(value, operator)?))
        })
    }

    /// What the module gives a parameter, as written.
    fn argument(&self, operator: &Operator, parameter: &Parameter) -> Option<&str> {
        let (_, arguments) = self.call(operator.name)?;
        let named = arguments.iter().find(|argument| {
            argument
                .name
                .as_ref()
                .is_some_and(|name| name.value == parameter.name)
        })?;
        let span = named.value.span;
        debug_assert_eq!(span.file, self.file);
        Some(self.sources.text(span))
    }

    fn doc(&self, operator: &str) -> Option<&Doc> {
        let (decl, _) = self.call(operator)?;
        self.tree.docs.get(&decl.span)
    }

    fn sources(&self, operator: &str) -> Vec<String> {
        let said = self.doc(operator).into_iter().flat_map(|doc| &doc.sources);
        said.map(|source| source.value.to_string()).collect()
    }

    fn notes(&self, operator: &str) -> Vec<&Note> {
        let said = self.doc(operator).into_iter().flat_map(|doc| &doc.notes);
        said.map(|note| &note.value).collect()
    }
}

/// The arguments of the first call of an operator within a value.
#[allow(clippy::wildcard_enum_match_arm)] // values of augmentations and modalities are calls within calls
fn call_in<'e>(value: &'e Expr, operator: &str) -> Option<&'e [Arg]> {
    match &value.kind {
        ExprKind::Call(callee, arguments) => {
            let is_it = matches!(&callee.kind, ExprKind::Name(name) if name == operator);
            let mut within = arguments.iter();
            match is_it {
                true => Some(arguments),
                false => within.find_map(|argument| call_in(&argument.value, operator)),
            }
        }
        _ => None,
    }
}

fn strip(shown: Shown, shot: &Shot) -> Strip {
    let before = || Tile {
        label: "before".to_owned(),
        clip: clip(shown),
        chain: Chain {
            per_frame: false,
            links: vec![],
        },
        draw: 0,
    };
    let tile = |label: &str, module: &str, text: &str, draw: u64| Tile {
        label: label.to_owned(),
        clip: clip(shown),
        chain: chain(module, shown, text),
        draw,
    };
    match shot {
        Draws(module, text, count) => Strip {
            title: {
                let links = chain(module, shown, text).links;
                let links: Vec<String> = links.iter().map(crate::written::link).collect();
                // A chain by its name is the module's; one that is written out is nobody's.
                match text.contains('(') {
                    true => links.join(" - "),
                    false => format!("{}   as in `{module}`", links.join(" - ")),
                }
            },
            tiles: std::iter::once(before())
                .chain((1..=*count).map(|draw| tile(&format!("draw {draw}"), module, text, draw)))
                .collect(),
        },
        Each(title, chains) => Strip {
            title: (*title).to_owned(),
            tiles: (1..)
                .zip(*chains)
                .map(|(draw, (label, text))| tile(label, "paper", text, draw))
                .collect(),
        },
        Mels(title, mels) => Strip {
            title: (*title).to_owned(),
            tiles: mels
                .iter()
                .map(|&(label, bands, hop, fft, centre)| Tile {
                    label: label.to_owned(),
                    clip: sound(LogMel {
                        bands,
                        hop,
                        fft,
                        centre,
                    }),
                    ..before()
                })
                .collect(),
        },
    }
}

fn clip(shown: Shown) -> Clip {
    let video = |frames| Clip::Video {
        frames,
        size: 112,
        fps: Exact::whole(16),
    };
    match shown {
        Shown::Frame => video(1),
        Shown::Frames => video(6),
        Shown::Sound | Shown::Nothing => sound(LogMel {
            bands: 80,
            hop: 160,
            fft: 1024,
            centre: false,
        }),
    }
}

fn sound(mel: LogMel) -> Clip {
    Clip::Audio {
        samples: 32_000,
        rate: Exact::whole(16_000),
        mel,
    }
}

/// A chain as a module closes it.
fn chain(module: &str, shown: Shown, text: &str) -> Chain {
    let field = match shown {
        Shown::Frame | Shown::Frames => "v",
        Shown::Sound | Shown::Nothing => "a",
    };
    let mut sources = crate::sources();
    let file =
        format!("use {module}\npretrain shown = crisscross with {{ {field}.augment = {text} }}\n");
    let root = sources.add("shown.cc", file);
    let (program, found) = crate::check(&mut sources, root, &|_, _| None, Profile::Full);
    let Some(program) = program else {
        panic!("links: `{text}` is a chain: {found:#?}");
    };
    let pretrain = &program.pretrains[0].pretrain;
    let modality: &Modality = pretrain
        .modality(field)
        .expect("links: the modules have both");
    modality.augment.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_of_the_catalogue_has_a_page() {
        let written: Vec<&str> = ARTICLES
            .iter()
            .flat_map(|article| article.operators)
            .copied()
            .collect();
        for operator in operators() {
            assert!(
                written.contains(&operator.name),
                "`{}` has no page",
                operator.name
            );
        }
        for name in &written {
            assert!(
                operators().any(|operator| operator.name == *name),
                "there is no `{name}`"
            );
        }
        assert_eq!(written.len(), operators().count());
    }

    #[test]
    fn a_page_has_the_ranges_of_the_catalogue_and_the_values_of_both_modules() {
        let pages = pages();
        let page = |path: &str| &pages.iter().find(|page| page.path == path).unwrap().text;
        let blur = page("gaussian_blur.md");
        assert!(
            blur.contains("| `sigma` | two numbers in parentheses, each a positive number"),
            "{blur}"
        );
        assert!(blur.contains("| `(0.1, 2.0)` | `(0.1, 2.0)` |"), "{blur}");
        assert!(blur.contains("| `range` | `axes` |"), "{blur}");
        assert!(blur.contains("Who says the values of `paper`: Table S1 (p); App. D.1 (sigma, pair); ours (levels)."), "{blur}");
        assert!(page("logmel.md").contains("| `no` | `yes` |"));
        assert!(page("time_mask.md").contains("| `20bins` | `20bins` |"));
        assert!(page("README.md").contains("| [`per_frame`](consistent.md) |"));
        // A number of a shipped module that no page shows would be a page that is old.
        for (module, text) in [("paper", crate::PAPER), ("released", crate::RELEASED)] {
            let values = text.lines().filter_map(|line| {
                let (_, value) = line.strip_prefix("augment ")?.split_once("= ")?;
                let value = value.split("  ").next()?.trim();
                value.contains('(').then_some(value)
            });
            let values: Vec<&str> = values.collect();
            assert!(values.len() >= 11, "{module}");
            for value in values {
                let (name, rest) = value.split_once('(').unwrap();
                let text = page(&format!("{name}.md"));
                for argument in rest.trim_end_matches(')').split(": ").skip(1) {
                    let word = argument
                        .rsplit_once(", ")
                        .map_or(argument, |(word, _)| word);
                    assert!(
                        text.contains(&format!("`{word}")),
                        "{module}: {name}: {word}"
                    );
                }
            }
        }
    }

    #[test]
    fn pictures_are_of_chains_that_compile() {
        let pictures = pictures();
        assert_eq!(pictures.len(), 13);
        for picture in &pictures {
            for strip in &picture.strips {
                assert!(
                    !strip.title.is_empty() && !strip.tiles.is_empty(),
                    "{}",
                    picture.path
                );
            }
        }
        let blur = pictures
            .iter()
            .find(|p| p.path == "gaussian_blur.png")
            .unwrap();
        assert_eq!(
            blur.strips[1].title,
            "gaussian_blur(p: 0.5, sigma: (0.1, 2), pair: axes, levels: whole)   as in `released`"
        );
    }
}
