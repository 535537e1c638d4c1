//! Files of weights as a pretraining: which of their tensors are which of ours, said for every name, and the checkpoint that comes of it.

use super::foreign::{Foreign, passed_over};
use super::names::{Names, from_torchvision, plain};
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::nn::parameters::Entry;
use crate::nn::{Model, backbone_name};
use compiler::hir::{self, Layer};
use records::record::{Imported, ImportedFile};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tch::{Device, Kind, no_grad};

/// What the files hold of the networks of a pretraining, name by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// The files, in the order in which they were named.
    pub files: Vec<FileTable>,
    /// All networks of the pretraining, sorted.
    pub networks: Vec<NetworkTable>,
}

/// What became of the tensors of one file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileTable {
    /// The file.
    pub file: String,
    /// What wrote it.
    pub container: &'static str,
    /// Whose names it has, where one of its tensors was matched.
    pub names: &'static str,
    /// Its tensors.
    pub tensors: usize,
    /// Those that stand in it once more under another name.
    pub repeated: usize,
    /// Names of those that are none of ours, each with its shape.
    pub unused: Vec<(String, Vec<i64>)>,
    /// Python types of pickled objects that were passed over. None of their code was run.
    pub objects: BTreeSet<String>,
}

/// What was found of one network.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NetworkTable {
    /// Its name: `video_backbone`.
    pub network: String,
    /// The file that holds it; `None` where none does.
    pub file: Option<String>,
    /// Tensors of the network.
    pub tensors: usize,
    /// Those that were found, of the right shape.
    pub matched: usize,
    /// Names that no file has.
    pub missing: Vec<String>,
    /// Names whose tensor in the file has another shape.
    pub other_shape: Vec<OtherShape>,
    /// Counters of BatchNorm that older files do not have. Nothing reads them in evaluation: they are 0.
    pub counters: usize,
    /// The type of the file's numbers, where the network has others.
    pub converted: Option<String>,
}

/// A tensor of another shape than ours.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OtherShape {
    /// Our name.
    pub name: String,
    /// The shape in the file.
    pub found: Vec<i64>,
    /// Our shape.
    pub needed: Vec<i64>,
}

impl NetworkTable {
    /// All of it is there.
    pub fn is_whole(&self) -> bool {
        self.file.is_some() && self.missing.is_empty() && self.other_shape.is_empty()
    }
}

/// A network of ours with the tensors that files have for it.
struct Wanted {
    table: NetworkTable,
    /// For each of its entries, the file and the name there.
    from: BTreeMap<String, (usize, String)>,
}

/// The networks of a pretraining with what was found for them.
pub struct Matched<'f> {
    /// What was found.
    pub table: Table,
    model: Model,
    files: &'f [Foreign],
    wanted: BTreeMap<String, Wanted>,
    names: Vec<Names>,
}

/// Which tensors of `files` are which of the networks of `settings`. Names without a network before them are those of the backbone
/// that most of them fit, or of `network` where it is named.
///
/// # Errors
/// Names that fit two backbones alike; a network that two files hold; a tensor that stands in a file twice with two shapes; a network that
/// cannot be built.
pub fn matched<'f>(
    settings: &hir::Pretrain,
    files: &'f [Foreign],
    network: Option<&str>,
) -> Result<Matched<'f>> {
    let model = Model::new(settings, groups(settings), Device::Cpu)?;
    let mut wanted: BTreeMap<String, Wanted> = BTreeMap::new();
    for entry in model.entries() {
        let of = network_of(&entry.name).to_owned();
        let wanted = wanted.entry(of.clone()).or_insert_with(|| Wanted {
            table: NetworkTable {
                network: of,
                ..NetworkTable::default()
            },
            from: BTreeMap::new(),
        });
        wanted.table.tensors += 1;
    }
    let own: BTreeMap<&str, &Entry> = model.entries().map(|e| (e.name.as_str(), e)).collect();
    let network = network.map(|name| named(name, &wanted)).transpose()?;
    let (mut tables, mut names) = (vec![], vec![]);
    for (at, file) in files.iter().enumerate() {
        let reading = Reading::of(file, &own, &wanted, network.as_deref())?;
        tables.push(take(at, file, &reading, &own, &mut wanted)?);
        names.push(reading.bare.map_or(Names::Authors, |(_, names)| names));
    }
    for wanted in wanted
        .values_mut()
        .filter(|wanted| wanted.table.file.is_some())
    {
        settle(wanted, &own, files);
    }
    let table = Table {
        files: tables,
        networks: wanted.values().map(|wanted| wanted.table.clone()).collect(),
    };
    Ok(Matched {
        table,
        model,
        files,
        wanted,
        names,
    })
}

/// The groups of the networks of all modalities; one that has the parameters of another has none of its own.
fn groups(settings: &hir::Pretrain) -> Vec<String> {
    let mut groups = vec![];
    for modality in &settings.modalities {
        if modality.f.same.is_none() {
            groups.push(format!("{}.f", modality.name));
        }
        if modality.h.as_ref().is_some_and(|h| h.same.is_none()) {
            groups.push(format!("{}.h", modality.name));
        }
    }
    groups
}

/// The network of a tensor: what stands before the first point.
fn network_of(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The network that is asked for by name, a modality being its backbone.
fn named(asked: &str, wanted: &BTreeMap<String, Wanted>) -> Result<String> {
    let names = [
        asked.to_owned(),
        backbone_name(asked.strip_suffix(".f").unwrap_or(asked)),
    ];
    let found = names.into_iter().find(|name| wanted.contains_key(name));
    found.ok_or_else(|| {
        let known: Vec<String> = wanted.keys().map(|name| format!("`{name}`")).collect();
        Error::Unsupported {
            message: format!(
                "this pretraining has no network `{asked}`; its networks are {}",
                known.join(", ")
            ),
        }
    })
}

/// What the names of one file mean.
struct Reading {
    /// Our name for each of the file's that may be one.
    names: BTreeMap<String, String>,
    /// The network of names without one, and whose names they are.
    bare: Option<(String, Names)>,
}

impl Reading {
    fn of(
        file: &Foreign,
        own: &BTreeMap<&str, &Entry>,
        wanted: &BTreeMap<String, Wanted>,
        network: Option<&str>,
    ) -> Result<Self> {
        let mut names = BTreeMap::new();
        let mut bare = BTreeMap::new();
        for name in file.tensors.keys() {
            let plain = plain(name);
            match wanted.contains_key(network_of(&plain)) {
                true => drop(names.insert(name.clone(), plain)),
                false => drop(bare.insert(name.clone(), plain)),
            }
        }
        two_layers(&mut names, own);
        let candidates = wanted.keys().filter(|name| match network {
            Some(network) => *name == network,
            None => name.ends_with("_backbone"),
        });
        let mut fits: Vec<((usize, usize), String, Names)> = vec![];
        for candidate in candidates {
            for whose in [Names::Authors, Names::Torchvision] {
                let (mut there, mut alike) = (0, 0);
                for (name, plain) in &bare {
                    let Some(entry) =
                        renamed(plain, candidate, whose).and_then(|n| own.get(n.as_str()).copied())
                    else {
                        continue;
                    };
                    there += 1;
                    alike += usize::from(file.tensors[name].shape == entry.tensor.size());
                }
                if there > 0 {
                    fits.push(((there, alike), candidate.clone(), whose));
                }
            }
        }
        let best = fits.iter().map(|(fit, ..)| *fit).max();
        let mut best = fits.into_iter().filter(|(fit, ..)| Some(*fit) == best);
        let found = best.next();
        if let (Some((_, first, _)), Some((_, second, _))) = (&found, best.next()) {
            return Err(Error::Weights {
                path: file.path.clone(),
                message: format!("its names fit `{first}` and `{second}` alike"),
                help: format!("say which it is: `--network {first}`"),
            });
        }
        if let Some((_, network, whose)) = &found {
            for (name, plain) in bare {
                if let Some(ours) = renamed(&plain, network, *whose)
                    && own.contains_key(ours.as_str())
                {
                    names.insert(name, ours);
                }
            }
        }
        Ok(Self {
            names,
            bare: found.map(|(_, network, whose)| (network, whose)),
        })
    }
}

/// A name without a network as ours in `network`.
fn renamed(plain: &str, network: &str, whose: Names) -> Option<String> {
    let rest = match whose {
        Names::Ours | Names::Authors => plain.to_owned(),
        Names::Torchvision => from_torchvision(plain)?,
    };
    Some(format!("{network}.{rest}"))
}

/// A projector of two layers is the first and the last of three in the released code, whose second is there and not used.
fn two_layers(names: &mut BTreeMap<String, String>, own: &BTreeMap<&str, &Entry>) {
    let networks: BTreeSet<String> = names
        .values()
        .map(|name| network_of(name).to_owned())
        .collect();
    for network in networks
        .iter()
        .filter(|network| network.ends_with("_projector"))
    {
        let layer = |number: u32| format!("{network}.layer{number}.");
        let has = |number: u32| own.keys().any(|name| name.starts_with(&layer(number)));
        let (second, third) = (layer(2), layer(3));
        if !has(2) || has(3) || !names.values().any(|name| name.starts_with(&third)) {
            continue;
        }
        names.retain(|_, name| !name.starts_with(&second));
        for name in names.values_mut() {
            if let Some(rest) = name.strip_prefix(&third) {
                *name = format!("{second}{rest}");
            }
        }
    }
}

/// Takes from a file what is ours.
fn take(
    at: usize,
    file: &Foreign,
    reading: &Reading,
    own: &BTreeMap<&str, &Entry>,
    wanted: &mut BTreeMap<String, Wanted>,
) -> Result<FileTable> {
    let shown = file.path.display().to_string();
    let mut table = FileTable {
        file: shown.clone(),
        container: file.container,
        names: reading
            .bare
            .as_ref()
            .map_or(Names::Authors, |(_, names)| *names)
            .name(),
        tensors: file.tensors.len(),
        repeated: 0,
        unused: vec![],
        objects: file.objects.clone(),
    };
    for (name, found) in &file.tensors {
        let ours = reading
            .names
            .get(name)
            .filter(|ours| own.contains_key(ours.as_str()));
        let Some(ours) = ours else {
            table.unused.push((name.clone(), found.shape.clone()));
            continue;
        };
        let Some(network) = wanted.get_mut(network_of(ours)) else {
            continue;
        };
        match &network.table.file {
            Some(other) if *other != shown => {
                return Err(Error::Weights {
                    path: file.path.clone(),
                    message: format!(
                        "it holds `{}`, and so does `{other}`",
                        network.table.network
                    ),
                    help: "name one of the two".to_owned(),
                });
            }
            Some(_) => {}
            None => network.table.file = Some(shown.clone()),
        }
        let Some((_, first)) = network.from.get(ours) else {
            network.from.insert(ours.clone(), (at, name.clone()));
            continue;
        };
        // The released code's encoder holds its backbone and projector once more.
        table.repeated += 1;
        let same = file.tensors[first].shape == found.shape
            && file.tensors[first].tensor(&file.path, first)? == found.tensor(&file.path, name)?;
        if !same {
            return Err(Error::Weights {
                path: file.path.clone(),
                message: format!(
                    "`{first}` and `{name}` are one tensor of the network, and differ"
                ),
                help: "take out of the file what is not meant".to_owned(),
            });
        }
    }
    Ok(table)
}

/// Says what of a network that a file holds is there, missing, or of another shape.
fn settle(wanted: &mut Wanted, own: &BTreeMap<&str, &Entry>, files: &[Foreign]) {
    let network = format!("{}.", wanted.table.network);
    for (name, entry) in own.iter().filter(|(name, _)| name.starts_with(&network)) {
        let Some((at, theirs)) = wanted.from.get(*name) else {
            match is_counter(entry) {
                true => wanted.table.counters += 1,
                false => wanted.table.missing.push((*name).to_owned()),
            }
            continue;
        };
        let found = &files[*at].tensors[theirs];
        if found.shape != entry.tensor.size() {
            wanted.table.other_shape.push(OtherShape {
                name: (*name).to_owned(),
                found: found.shape.clone(),
                needed: entry.tensor.size(),
            });
            continue;
        }
        wanted.table.matched += 1;
        if found.kind != Some(entry.tensor.kind()) && !is_counter(entry) {
            wanted.table.converted = Some(found.type_name.clone());
        }
    }
}

fn is_counter(entry: &Entry) -> bool {
    entry.tensor.kind() == Kind::Int64
}

impl Matched<'_> {
    /// Writes the networks that the files hold as a checkpoint, and says where they come from.
    ///
    /// # Errors
    /// A network that is there in part, or of other shapes; no backbone; numbers that are not finite; a file that cannot be read or written.
    pub fn save(&self, path: &Path) -> Result<Imported> {
        self.check()?;
        let taken = |entry: &&Entry| self.wanted[network_of(&entry.name)].table.is_whole();
        let mut entries = vec![];
        for entry in self.model.entries().filter(taken) {
            let wanted = &self.wanted[network_of(&entry.name)];
            if let Some((at, name)) = wanted.from.get(&entry.name) {
                self.fill(entry, &self.files[*at], name)?;
            }
            entries.push(entry);
        }
        checkpoint::save(path, entries)?;
        let networks = |of: &dyn Fn(&NetworkTable) -> bool| -> Vec<String> {
            let whole = self.table.networks.iter().filter(|n| n.is_whole() && of(n));
            whole.map(|network| network.network.clone()).collect()
        };
        let files = self.files.iter().zip(&self.names).zip(&self.table.files);
        Ok(Imported {
            files: files
                .map(|((file, names), table)| ImportedFile {
                    name: table.file.clone(),
                    bytes: file.bytes,
                    blake3: file.blake3.clone(),
                    names: names.name().to_owned(),
                    networks: networks(&|network| network.file.as_ref() == Some(&table.file)),
                })
                .collect(),
            networks: networks(&|_| true),
        })
    }

    /// Learned numbers of the networks that are there.
    pub fn parameters(&self) -> u64 {
        let taken = |entry: &&Entry| self.wanted[network_of(&entry.name)].table.is_whole();
        let learned = self
            .model
            .entries()
            .filter(taken)
            .filter(|entry| entry.is_learned);
        learned.map(|entry| entry.tensor.numel() as u64).sum()
    }

    fn fill(&self, entry: &Entry, file: &Foreign, name: &str) -> Result<()> {
        let tensor = file.tensors[name].tensor(&file.path, name)?;
        let is_finite = no_grad(|| bool::try_from(tensor.isfinite().all()))?;
        if !is_finite {
            return Err(Error::Weights {
                path: file.path.clone(),
                message: format!("`{name}` holds a number that is not finite"),
                help: "take the weights of an earlier epoch: this training has diverged".to_owned(),
            });
        }
        entry.set(&tensor)
    }

    fn check(&self) -> Result<()> {
        let refused = |path: &Path, message: String, help: &str| Error::Weights {
            path: path.to_owned(),
            message,
            help: help.to_owned(),
        };
        for file in &self.table.files {
            if file.unused.len() == file.tensors {
                let names = file.unused.iter().map(|(name, _)| name.as_str());
                let is_video = names.clone().any(|name| plain(name).starts_with("stem."));
                let why = match is_video {
                    true => {
                        "; they are torchvision's of a video network, which is another than the paper's"
                    }
                    false => "",
                };
                let some: Vec<String> = names.take(2).map(|name| format!("`{name}`")).collect();
                return Err(refused(
                    Path::new(&file.file),
                    format!(
                        "none of its {} names is one of this pretraining's networks ({}){why}{}",
                        file.tensors,
                        some.join(", "),
                        passed_over(&file.objects)
                    ),
                    "name a file that holds one of its networks, or another pretraining",
                ));
            }
        }
        let partly = self
            .table
            .networks
            .iter()
            .find(|network| network.file.is_some() && !network.is_whole());
        if let Some(network) = partly {
            let mut what = vec![];
            if let Some(other) = network.other_shape.first() {
                what.push(format!(
                    "`{}` is {:?} there, not {:?}{}",
                    other.name,
                    other.found,
                    other.needed,
                    and_more(network.other_shape.len())
                ));
            }
            if let Some(missing) = network.missing.first() {
                what.push(format!(
                    "`{missing}` is not there{}",
                    and_more(network.missing.len())
                ));
            }
            let file = network.file.as_deref().unwrap_or_default();
            return Err(refused(
                Path::new(file),
                format!(
                    "`{}` in it is another network: {}",
                    network.network,
                    what.join("; ")
                ),
                "import it as a pretraining with the networks of the file; `crisscross explain FILE.cc:NAME.v.f` shows those of one",
            ));
        }
        let mut networks = self.table.networks.iter();
        if !networks.any(|network| network.is_whole() && network.network.ends_with("_backbone")) {
            let file = self
                .files
                .first()
                .map_or(Path::new(""), |file| file.path.as_path());
            return Err(refused(
                file,
                "it holds no backbone, and evaluations read nothing else".to_owned(),
                "name a file that holds one",
            ));
        }
        Ok(())
    }
}

/// ` (and 3 more)` for one of several.
fn and_more(count: usize) -> String {
    match count.saturating_sub(1) {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    }
}

/// The layer that a network begins with: for what other programs call it.
pub fn first_layer<'s>(settings: &'s hir::Pretrain, network: &str) -> Option<&'s Layer> {
    let of = |modality: &&hir::Modality| backbone_name(&modality.name) == network;
    settings.modalities.iter().find(of)?.f.layers.first()
}
