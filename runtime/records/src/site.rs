//! `crisscross.toml`: what is local to this machine. Nothing in it changes a result.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The name of the site file.
pub const FILE: &str = "crisscross.toml";

/// A year: who waits longer for a resume point has mistyped.
const MAX_MINUTES: f64 = 525_600.0;

/// The site file, with defaults where it is silent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Site {
    /// Where the data sets lie, by the name that the experiments use.
    pub data: BTreeMap<String, DataRoot>,
    /// `cpu`, `cuda`, `cuda:1`; without it CUDA where there is one.
    pub device: Option<String>,
    /// Whether a GPU may round the factors of float32 products to TF32; without it no.
    pub tf32: Option<bool>,
    /// How maps lie in a GPU's memory in training steps; without it `auto`.
    pub memory_format: Option<MemoryFormat>,
    /// Whether a GPU is given a training step as one graph; without it no.
    pub cuda_graph: Option<bool>,
    /// Threads that decode; without it one for each core.
    pub loader_threads: Option<usize>,
    /// Where run folders are kept; `runs` beside the site file by default.
    pub runs: Option<PathBuf>,
    /// Where indexes of data sets and of runs are kept, as the file says.
    pub cache: Option<PathBuf>,
    /// Where they are kept if it does not say: [`user_cache`]. A site that was not loaded has none, so that it leaves nothing there.
    #[serde(skip)]
    pub user_cache: Option<PathBuf>,
    /// The share of files that may be undecodable before a run stops; 0.05 by default.
    pub max_bad_share: Option<f64>,
    /// Minutes between two resume points of a training; 10 by default, 0 leaves one after each step.
    pub save_minutes: Option<f64>,
    /// Where it was read from; `None` where there is no site file.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// One data set on this machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRoot {
    /// The folder, relative to the site file or absolute.
    pub root: PathBuf,
    /// A CSV in it with a header: `file`, the label column, and `fold` or `split`. Without it, a folder is a class.
    #[serde(default)]
    pub csv: Option<PathBuf>,
    /// How the files and their lists are laid out; without it what the lists in the root show.
    #[serde(default)]
    pub layout: Option<Layout>,
    /// The lists of the layout, relative to the root; without it those with the usual names.
    #[serde(default)]
    pub lists: Vec<PathBuf>,
}

/// How the maps of networks lie in a GPU's memory in training steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryFormat {
    /// Channels last in 16 bits, contiguous otherwise.
    #[default]
    Auto,
    /// Channel by channel.
    Contiguous,
    /// All channels of a place beside each other.
    ChannelsLast,
    /// Channels last, and convolutions of clips as those of pictures.
    Pictures,
}

impl MemoryFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Auto,
        Self::Contiguous,
        Self::ChannelsLast,
        Self::Pictures,
    ];

    /// As it is written in the site file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Contiguous => "contiguous",
            Self::ChannelsLast => "channels_last",
            Self::Pictures => "pictures",
        }
    }
}

/// The layouts of data sets that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// A folder for each class, or `train` and `test` with them.
    Folders,
    /// A CSV with the column `file`.
    Csv,
    /// CSVs with `youtube_id`, `time_start`, `time_end`.
    Kinetics,
    /// `trainlist01.txt`, `testlist01.txt`, ...
    Ucf101,
    /// `CLASS_test_split1.txt`, ...
    Hmdb51,
    /// `meta/esc50.csv`.
    Esc50,
    /// The rows of `meta/esc50.csv` that are of ESC-10.
    Esc10,
    /// `meta.txt` and `evaluation_setup`.
    Dcase,
    /// `scenes_stereo/bus01.wav`.
    Dcase2013,
    /// `balanced_train_segments.csv`, ...
    Audioset,
    /// Lists of lines `path label`.
    Mmaction2,
}

impl Layout {
    /// As it is written in the site file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folders => "folders",
            Self::Csv => "csv",
            Self::Kinetics => "kinetics",
            Self::Ucf101 => "ucf101",
            Self::Hmdb51 => "hmdb51",
            Self::Esc50 => "esc50",
            Self::Esc10 => "esc10",
            Self::Dcase => "dcase",
            Self::Dcase2013 => "dcase2013",
            Self::Audioset => "audioset",
            Self::Mmaction2 => "mmaction2",
        }
    }
}

impl Site {
    /// The site file `given`, or else the nearest `crisscross.toml` in `folder` and above; defaults where there is none.
    ///
    /// Paths in it are relative to the file, and absolute in what is returned.
    pub fn load(given: Option<&Path>, folder: &Path) -> Result<Self> {
        let found = match given {
            Some(path) => Some(path.to_owned()),
            None => folder
                .ancestors()
                .map(|folder| folder.join(FILE))
                .find(|path| path.is_file()),
        };
        let Some(path) = found else {
            return Ok(Self {
                runs: Some(folder.join("runs")),
                user_cache: user_cache(),
                ..Self::default()
            });
        };
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        Ok(Self {
            user_cache: user_cache(),
            ..Self::parse(&path, &text)?
        })
    }

    /// The site file `text` that stands at `path`.
    fn parse(path: &Path, text: &str) -> Result<Self> {
        let mut site: Self = toml::from_str(text).map_err(|cause| explain(path, text, &cause))?;
        if let Some(share) = site
            .max_bad_share
            .filter(|share| !(0.0..=1.0).contains(share))
        {
            return Err(Error::Content {
                path: path.to_owned(),
                message: format!("`max_bad_share = {share}` is no share of the files"),
                help: "write a number from 0 to 1, such as 0.05".to_owned(),
            });
        }
        if let Some(minutes) = site
            .save_minutes
            .filter(|minutes| !(0.0..=MAX_MINUTES).contains(minutes))
        {
            return Err(Error::Content {
                path: path.to_owned(),
                message: format!("`save_minutes = {minutes}` is no time between resume points"),
                help: "write minutes, such as 10; 0 leaves one after each step".to_owned(),
            });
        }
        if site.loader_threads == Some(0) {
            return Err(Error::Content {
                path: path.to_owned(),
                message: "`loader_threads = 0` leaves no thread to decode with".to_owned(),
                help: "write 1 or more, or leave it out to use all cores".to_owned(),
            });
        }
        let base = std::path::absolute(path).map_err(Error::io("find", path))?;
        let base = base.parent().unwrap_or(Path::new("/"));
        for entry in site.data.values_mut() {
            entry.root = base.join(&entry.root);
        }
        site.runs = Some(base.join(site.runs.as_deref().unwrap_or(Path::new("runs"))));
        site.cache = site.cache.map(|cache| base.join(cache));
        site.file = Some(path.to_owned());
        Ok(site)
    }

    /// Where indexes of data sets and of runs are kept: as the file says, else for this user; `None` where there is no such place.
    pub fn cache(&self) -> Option<&Path> {
        self.cache.as_deref().or(self.user_cache.as_deref())
    }

    /// Where the data set `name` lies on this machine.
    pub fn root(&self, name: &str) -> Result<&DataRoot> {
        let file = self.file.clone().unwrap_or_else(|| PathBuf::from(FILE));
        let entry = self.data.get(name).ok_or_else(|| {
            let near = nearest(name, self.data.keys().map(String::as_str));
            let near = near.map_or(String::new(), |near| {
                format!(" (there is one for `{near}`)")
            });
            let add = match &self.file {
                Some(_) => "add",
                None => "make that file with",
            };
            Error::Content {
                path: file.clone(),
                message: format!("no root for data set `{name}`{near}"),
                help: format!(
                    "{add} `[data.{name}]` and, under it, `root = \"/folder/of/{name}\"`"
                ),
            }
        })?;
        if !entry.root.is_dir() {
            return Err(Error::Content {
                path: file,
                message: format!(
                    "the root of data set `{name}` is not a folder: `{}`",
                    entry.root.display()
                ),
                help: format!("correct `root` under `[data.{name}]`, or mount the disk it is on"),
            });
        }
        Ok(entry)
    }

    /// Why the data set `name` cannot be read on this machine, in a few words; `None` where its folder is there.
    pub fn lacks(&self, name: &str) -> Option<String> {
        match self.data.get(name) {
            None => Some("no root in `crisscross.toml`".to_owned()),
            Some(entry) if entry.root.is_dir() => None,
            Some(entry) => Some(format!("its root is no folder: `{}`", entry.root.display())),
        }
    }

    /// The share of files that may be undecodable before a run stops.
    pub fn max_bad_share(&self) -> f64 {
        self.max_bad_share.unwrap_or(0.05)
    }
}

/// Where programs keep what they can make anew, for this user: `$XDG_CACHE_HOME/crisscross`, else `~/.cache/crisscross`.
fn user_cache() -> Option<PathBuf> {
    let asked = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    // A relative one is invalid and ignored, as the XDG base directory specification has it.
    let asked = asked.filter(|folder| folder.is_absolute());
    let home = || std::env::home_dir().filter(|home| home.is_absolute());
    let folder = asked.or_else(|| Some(home()?.join(".cache")))?;
    Some(folder.join("crisscross"))
}

/// The TOML reader's error in our words, with line and column, and the key that was probably meant.
fn explain(path: &Path, text: &str, cause: &toml::de::Error) -> Error {
    let place = cause.span().map_or(String::new(), |span| {
        let before = &text[..span.start.min(text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .map_or(0, |line| line.chars().count())
            + 1;
        format!("line {line}, column {column}: ")
    });
    let mut quoted = cause.message().split('`').skip(1).step_by(2);
    let kinds = [("unknown field", "setting"), ("unknown variant", "layout")];
    let unknown = kinds
        .into_iter()
        .find(|(start, _)| cause.message().starts_with(start));
    let (message, help) = match quoted.next().zip(unknown) {
        Some((key, (_, kind))) => {
            let known: Vec<&str> = quoted.collect();
            let is_format = known.contains(&MemoryFormat::Contiguous.name());
            let kind = if is_format { "memory format" } else { kind };
            let message = match nearest(key, known.iter().copied()) {
                Some(near) => format!("there is no {kind} `{key}`; did you mean `{near}`?"),
                None => format!("there is no {kind} `{key}`"),
            };
            (message, format!("{kind}s here are: {}", known.join(", ")))
        }
        None => (
            plain(cause.message()),
            "see `crisscross.example.toml` for what it may contain".to_owned(),
        ),
    };
    Error::Content {
        path: path.to_owned(),
        message: format!("{place}{message}"),
        help,
    }
}

/// The names of Rust types in `message` as a user would say them.
fn plain(message: &str) -> String {
    let words = [
        ("expected usize", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected a string", "expected text in quotes"),
        ("expected path string", "expected a path in quotes"),
        ("expected struct DataRoot", "expected a table with `root`"),
        ("expected a map", "expected a table"),
    ];
    words
        .iter()
        .fold(message.trim().replace('\n', "; "), |text, (rust, word)| {
            text.replace(rust, word)
        })
}

/// The most similar of `names`, where one is similar enough to be meant.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = names.map(|known| {
        (
            strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase()),
            known,
        )
    });
    scored
        .filter(|(score, _)| *score > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> (String, String) {
        let error = Site::parse(Path::new("/lab/crisscross.toml"), text).unwrap_err();
        (error.to_string(), error.help())
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place_and_the_key_meant() {
        let (message, help) = refused("device = \"cpu\"\nloader_thread = 2\n");
        assert_eq!(
            message,
            "`/lab/crisscross.toml`: line 2, column 1: there is no setting `loader_thread`; did you mean `loader_threads`?"
        );
        assert_eq!(
            help,
            "settings here are: data, device, tf32, memory_format, cuda_graph, loader_threads, runs, cache, max_bad_share, save_minutes"
        );
        let (message, help) = refused("[data.KS]\nroot = \"x\"\n  csvv = \"y\"\n");
        assert_eq!(
            message,
            "`/lab/crisscross.toml`: line 3, column 3: there is no setting `csvv`; did you mean `csv`?"
        );
        assert_eq!(help, "settings here are: root, csv, layout, lists");
    }

    #[test]
    fn a_wrong_type_is_named_with_its_place() {
        let (message, _) = refused("loader_threads = \"many\"\n");
        assert_eq!(
            message,
            "`/lab/crisscross.toml`: line 1, column 18: invalid type: string \"many\", expected a whole number"
        );
        let (message, _) = refused("[data.KS]\nroot = \"x\"\nlayout = \"kinetix\"\n");
        assert!(
            message.contains(
                "line 3, column 10: there is no layout `kinetix`; did you mean `kinetics`?"
            ),
            "{message}"
        );
        let (message, help) = refused("memory_format = \"channel_last\"\n");
        assert!(
            message.ends_with(
                "there is no memory format `channel_last`; did you mean `channels_last`?"
            ),
            "{message}"
        );
        assert_eq!(
            help,
            "memory formats here are: auto, contiguous, channels_last, pictures"
        );
        let (message, _) = refused("[data]\nKS = 3\n");
        assert_eq!(
            message,
            "`/lab/crisscross.toml`: line 2, column 6: invalid type: integer `3`, expected a table with `root`"
        );
        let (message, _) = refused("[data.KS]\ncsv = \"a.csv\"\n");
        assert_eq!(
            message,
            "`/lab/crisscross.toml`: line 1, column 1: missing field `root`"
        );
        assert!(refused("device = \n").0.contains("line 1"));
        assert!(refused("max_bad_share = 5.0").0.contains("no share"));
        assert!(refused("loader_threads = 0").0.contains("no thread"));
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let text = "cache = \"tmp\"\n[data.KS]\nroot = \"ks\"\n[data.AS]\nroot = \"/big/as\"\n";
        let site = Site::parse(Path::new("/lab/crisscross.toml"), text).unwrap();
        assert_eq!(site.cache(), site.cache.as_deref());
        let site = Site {
            user_cache: Some("/home/me/.cache/crisscross".into()),
            ..site
        };
        assert_eq!(site.cache(), Some(Path::new("/lab/tmp")));
        let here = Site::parse(Path::new("crisscross.toml"), text).unwrap();
        let at = std::env::current_dir().unwrap();
        assert_eq!(here.data["KS"].root, at.join("ks"));
        assert_eq!(site.data["KS"].root, Path::new("/lab/ks"));
        assert_eq!(site.data["AS"].root, Path::new("/big/as"));
        assert_eq!(site.runs.as_deref(), Some(Path::new("/lab/runs")));
        assert_eq!(site.cache.as_deref(), Some(Path::new("/lab/tmp")));
    }

    #[test]
    fn the_nearest_file_above_is_read_and_a_missing_root_is_named_when_used() {
        let lab = tempfile::tempdir().unwrap();
        let below = lab.path().join("experiments/mine");
        std::fs::create_dir_all(&below).unwrap();
        let none = Site::load(Some(&lab.path().join("no.toml")), &below).unwrap_err();
        assert!(none.to_string().starts_with("cannot read"), "{none}");
        std::fs::write(lab.path().join(FILE), "[data.KS]\nroot = \"gone\"\n").unwrap();
        let site = Site::load(None, &below).unwrap();
        assert_eq!(site.file, Some(lab.path().join(FILE)));
        let error = site.root("KS").unwrap_err();
        assert!(error.to_string().contains("is not a folder"), "{error}");
        let error = site.root("KSS").unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("no root for data set `KSS` (there is one for `KS`)"),
            "{error}"
        );
        assert!(error.help().contains("[data.KSS]"));
        assert_eq!(site.lacks("KSS").unwrap(), "no root in `crisscross.toml`");
        assert!(
            site.lacks("KS")
                .unwrap()
                .starts_with("its root is no folder")
        );
        std::fs::create_dir(lab.path().join("gone")).unwrap();
        assert_eq!(site.lacks("KS"), None);
        assert_eq!(site.root("KS").unwrap().root, lab.path().join("gone"));
    }

    #[test]
    fn the_example_file_is_valid() {
        let text = include_str!("../../../crisscross.example.toml");
        let site = Site::parse(Path::new("/lab/crisscross.toml"), text).unwrap();
        assert!(!site.data.is_empty());
    }
}
