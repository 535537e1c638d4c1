//! All modules of a book: what each declares, on which page, and what a name in it means.

use super::escape;
use crate::catalog::{self, Family};
use crate::{Profile, Resolver, SHIPPED, hir};
use grammar::ast::{self, Decl, Item, Kind, Use};
use grammar::diagnostic::Diagnostic;
use grammar::span::{FileId, Sources};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The page of the catalogue.
pub(super) const REFERENCE: &str = "reference.html";
/// The page of the codes.
pub(super) const CODES: &str = "codes.html";

/// All modules.
pub(super) struct Library {
    pub modules: Vec<Module>,
    /// Trees of all texts, also of those that a check has read again.
    trees: BTreeMap<FileId, ast::File>,
}

/// One module or file.
pub(super) struct Module {
    /// `paper.cc`, or the path as written on the command line.
    pub name: String,
    /// Its page, `paper.html`.
    pub page: String,
    pub file: FileId,
    pub is_shipped: bool,
    /// Named on the command line.
    pub is_asked: bool,
    /// What it comes to; `None` where it is no experiment by itself.
    pub program: Option<hir::Program>,
    pub found: Vec<Diagnostic>,
    /// The modules that it uses, by position.
    pub uses: Vec<usize>,
}

impl Library {
    /// Reads the shipped modules, `files`, and what these use.
    pub fn read(sources: &mut Sources, files: &[FileId], resolve: &Resolver<'_>) -> Library {
        let mut modules: Vec<Module> = vec![];
        let shipped = SHIPPED.iter().map(|(name, _)| format!("{name}.cc"));
        let mut waiting: Vec<(FileId, bool, bool)> = vec![];
        for name in shipped {
            let known = sources.iter().find(|(_, source)| source.name == name);
            waiting.extend(known.map(|(id, _)| (id, true, false)));
        }
        waiting.extend(files.iter().map(|file| (*file, false, true)));
        let mut next = 0;
        while next < waiting.len() {
            let (file, is_shipped, is_asked) = waiting[next];
            next += 1;
            let name = sources.get(file).name.clone();
            if modules
                .iter()
                .any(|module| module.name == name && module.is_shipped == is_shipped)
            {
                continue;
            }
            let before = sources.iter().count();
            let (program, found) = crate::check(sources, file, resolve, Profile::Full);
            // What the check has read is what the file uses.
            let read: Vec<FileId> = sources.iter().skip(before).map(|(id, _)| id).collect();
            waiting.extend(read.into_iter().map(|id| (id, false, false)));
            modules.push(Module {
                name,
                page: String::new(),
                file,
                is_shipped,
                is_asked,
                program,
                found,
                uses: vec![],
            });
        }
        let trees = sources
            .iter()
            .map(|(id, _)| (id, grammar::parse(sources, id).0))
            .collect();
        name_pages(&mut modules);
        let mut library = Library { modules, trees };
        for position in 0..library.modules.len() {
            let uses = &library.tree(position).uses;
            let uses = uses
                .iter()
                .filter_map(|used| library.used(position, used, resolve))
                .collect();
            library.modules[position].uses = uses;
        }
        library
    }

    /// The tree of a module.
    pub fn tree(&self, position: usize) -> &ast::File {
        &self.trees[&self.modules[position].file]
    }

    /// The tree of any text that was read.
    pub fn tree_of(&self, file: FileId) -> Option<&ast::File> {
        self.trees.get(&file)
    }

    fn used(&self, position: usize, used: &Use, resolve: &Resolver<'_>) -> Option<usize> {
        let name = used.module.value.as_str();
        let of_name = |wanted: &str, is_shipped: bool| {
            let mut modules = self.modules.iter();
            modules.position(|m| m.name == wanted && m.is_shipped == is_shipped)
        };
        let file = format!("{name}.cc");
        if !used.is_path
            && let Some(known) = of_name(&file, true)
        {
            return Some(known);
        }
        let path = if used.is_path { name } else { &file };
        let (display, _) = resolve(&self.modules[position].name, path)?;
        of_name(&display, false)
    }

    /// The module that messages call `name`.
    pub fn named(&self, name: &str) -> Option<&Module> {
        self.modules.iter().find(|module| module.name == name)
    }

    /// The declarations of a module in the order of its text.
    pub fn decls(&self, position: usize) -> impl Iterator<Item = &Decl> {
        self.tree(position)
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Decl(decl) => Some(decl),
                Item::Assert(_) | Item::Allow(_) => None,
            })
    }

    /// What a name in a module means: the module that declares it, and the declaration.
    pub fn declared(&self, position: usize, name: &str) -> Option<(usize, &Decl)> {
        let places = std::iter::once(position).chain(self.own_uses(position));
        places.into_iter().find_map(|place| {
            let decl = self.decls(place).find(|decl| decl.name.value == name)?;
            Some((place, decl))
        })
    }

    /// The modules that it uses; a bare loss uses `paper`.
    fn own_uses(&self, position: usize) -> Vec<usize> {
        match self.tree(position).bare {
            Some(_) => self
                .modules
                .iter()
                .position(|m| m.is_shipped && m.name == "paper.cc")
                .into_iter()
                .collect(),
            None => self.modules[position].uses.clone(),
        }
    }

    /// The names of this kind that a module sees, its own first.
    pub fn visible(&self, position: usize, kind: Kind) -> Vec<&str> {
        let places = std::iter::once(position).chain(self.own_uses(position));
        places
            .flat_map(|place| self.decls(place))
            .filter(|decl| decl.kind.value == kind && decl.params.is_empty())
            .map(|decl| decl.name.value.as_str())
            .collect()
    }

    /// Where a name of a module leads: its declaration, or the catalogue.
    pub fn link(&self, position: usize, name: &str, kind: Option<Kind>) -> Option<String> {
        if let Some((place, decl)) = self.declared(position, name) {
            let page = match place == position {
                true => String::new(),
                false => self.modules[place].page.clone(),
            };
            return Some(format!("{page}#{}", anchor(&decl.name.value)));
        }
        let families: &[Family] = match kind {
            Some(Kind::Loss | Kind::Let) => &[Family::Term, Family::Tensor, Family::Sum],
            Some(Kind::Eval) => &[
                Family::Feature,
                Family::Head,
                Family::Best,
                Family::Keep,
                Family::Split,
            ],
            Some(Kind::Layers | Kind::Pretrain) => &[Family::Layer],
            _ => &[],
        };
        let preferred = families
            .iter()
            .find_map(|family| catalog::operator(*family, name));
        let operator = preferred.or_else(|| catalog::any_operator(name))?;
        Some(format!("{REFERENCE}#{}", operator_anchor(operator)))
    }

    /// What the index lists.
    pub fn index(&self) -> Index {
        let entry = |(position, module): (usize, &Module)| {
            let mut counts: Vec<String> = vec![];
            for kind in Kind::ALL {
                let count = self.decls(position).filter(|d| d.kind.value == kind);
                match count.count() {
                    0 => {}
                    n => counts.push(format!("{n} {}", kind.word())),
                }
            }
            if self.tree(position).bare.is_some() {
                counts.push("1 loss".into());
            }
            Entry {
                name: module.name.clone(),
                page: module.page.clone(),
                about: super::module::intro(self, position)
                    .first()
                    .cloned()
                    .unwrap_or_default(),
                counts: counts.join(", "),
            }
        };
        let (shipped, others): (Vec<_>, Vec<_>) = self
            .modules
            .iter()
            .enumerate()
            .partition(|(_, module)| module.is_shipped);
        let (files, used): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|(_, module)| module.is_asked);
        Index {
            files: files.into_iter().map(entry).collect(),
            used: used.into_iter().map(entry).collect(),
            shipped: shipped.into_iter().map(entry).collect(),
        }
    }
}

/// The index.
#[derive(Serialize)]
pub(super) struct Index {
    files: Vec<Entry>,
    used: Vec<Entry>,
    shipped: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    page: String,
    about: String,
    counts: String,
}

/// Where a declaration stands on its page.
pub(super) fn anchor(name: &str) -> String {
    format!("d-{name}")
}

/// Where an operator stands in the catalogue.
pub(super) fn operator_anchor(operator: &catalog::Operator) -> String {
    format!("o-{:?}-{}", operator.family, operator.name).to_lowercase()
}

/// Gives each module a page: its own name where it is the only one of that name, else with its folders.
fn name_pages(modules: &mut [Module]) {
    let mut taken: BTreeSet<String> = ["index.html", REFERENCE, CODES].map(String::from).into();
    for module in modules {
        let parts: Vec<&str> = module
            .name
            .trim_end_matches(".cc")
            .split(['/', '\\'])
            .filter(|part| !matches!(*part, "" | "." | ".."))
            .collect();
        let candidates = (1..=parts.len())
            .map(|n| slug(&parts[parts.len() - n..].join("-")))
            .chain((2..).map(|n| format!("{}-{n}", slug(&parts.join("-")))));
        let mut pages = candidates.map(|name| format!("{name}.html"));
        // File systems that do not tell upper from lower case would give two pages one file.
        let page = pages
            .find(|page| taken.insert(page.to_lowercase()))
            .unwrap_or_default();
        module.page = page;
    }
}

/// A file name without anything that a link would have to escape.
fn slug(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') => c,
            _ => '-',
        })
        .collect();
    match plain.trim_matches('-') {
        "" => "file".to_owned(),
        name => name.chars().take(100).collect(),
    }
}

/// `<a href="...">name</a>`.
pub(super) fn linked(target: &str, text: &str) -> String {
    format!("<a href=\"{}\">{}</a>", escape(target), escape(text))
}
