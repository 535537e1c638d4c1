//! Reads a file and what it uses into modules, and writes short forms out: the bare loss and `range(...)`.

use crate::codes;
use crate::units::{Dimension, Exact, Quantity};
use grammar::ast::{
    self, Block, BlockItem, Body, Decl, Expr, ExprKind, Field, For, Item, Kind, Number, Path, Use,
};
use grammar::diagnostic::Diagnostic;
use grammar::span::{FileId, Sources, Spanned};
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

/// The prelude as it ships: `use paper`.
pub const PAPER: &str = include_str!("../../prelude/paper.cc");
/// The profile of `--toy` as it ships.
pub const TOY: &str = include_str!("../../prelude/toy.cc");
/// What the released code does, under the names of the prelude: `use released`.
pub const RELEASED: &str = include_str!("../../prelude/released.cc");
/// Modules that ship with the compiler: name and text.
pub const SHIPPED: &[(&str, &str)] = &[("paper", PAPER), ("toy", TOY), ("released", RELEASED)];

/// Finds a module of the user's: from the name of the file that uses it and the path as written, the name that messages
/// give it and its text.
pub type Resolver<'r> = dyn Fn(&str, &str) -> Option<(String, String)> + 'r;

/// One file, parsed.
pub(crate) struct Module {
    /// Its text.
    pub file: FileId,
    /// Its tree.
    pub tree: Arc<ast::File>,
    /// The modules that it uses, by position.
    pub uses: Vec<usize>,
    /// It ships with the compiler: messages point at its use first.
    pub is_shipped: bool,
    /// Names whose declarations have a mistake of syntax: what they lack is no further mistake.
    pub broken: BTreeSet<String>,
    /// The file was nothing but a loss.
    pub is_bare: bool,
    /// Its ranges have more members than are written out, so its rows are not looked at.
    pub is_overfull: bool,
    /// A file that it uses was not found: a name that nothing knows may come from there and is no further mistake.
    pub lacks_a_module: bool,
}

/// Parses `roots` and all modules that they reach. The first modules are `roots`.
pub(crate) fn load(
    sources: &mut Sources,
    roots: &[FileId],
    resolve: &Resolver<'_>,
    found: &mut Vec<Diagnostic>,
) -> Vec<Module> {
    let parsed = roots.iter().map(|root| parse(sources, *root, found));
    let mut modules: Vec<Module> = parsed.collect();
    let mut next = 0;
    while next < modules.len() {
        let uses = modules[next].tree.uses.clone();
        for used in &uses {
            match find(sources, &mut modules, next, used, resolve, found) {
                Some(module) if modules[next].uses.contains(&module) => {}
                Some(module) => modules[next].uses.push(module),
                None => modules[next].lacks_a_module = true,
            }
        }
        next += 1;
    }
    modules
}

/// The position of the module that a `use` names, parsed if it was not yet.
fn find(
    sources: &mut Sources,
    modules: &mut Vec<Module>,
    user: usize,
    used: &Use,
    resolve: &Resolver<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<usize> {
    let name = used.module.value.as_str();
    let shipped = SHIPPED
        .iter()
        .position(|(shipped, _)| *shipped == name && !used.is_path);
    if let Some(position) = shipped {
        let module = ship(sources, position, found);
        if let Some(known) = modules.iter().position(|m| m.file == module.file) {
            return Some(known);
        }
        modules.push(module);
        return Some(modules.len() - 1);
    }
    let importer = sources.get(modules[user].file).name.clone();
    let path = if used.is_path {
        name.to_string()
    } else {
        format!("{name}.cc")
    };
    let Some((display, text)) = resolve(&importer, &path) else {
        let known: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        let near = super::nearest(name, known.iter().copied());
        let message = format!("no file `{path}` and no shipped module of that name");
        let mut diagnostic = Diagnostic::error(codes::UNKNOWN_MODULE, used.module.span, message);
        if let [near] = near.as_slice() {
            diagnostic = diagnostic
                .here(format!("did you mean `{near}`?"))
                .help(format!("write `use {near}`"));
            diagnostic = diagnostic.edit(used.module.span, near.clone());
        } else {
            diagnostic = diagnostic
                .help("a path is relative to the file that uses it: `use \"folder/file.cc\"`");
        }
        found.push(diagnostic);
        return None;
    };
    if let Some(known) = modules
        .iter()
        .position(|m| sources.get(m.file).name == display)
    {
        return Some(known);
    }
    // Read for another file already: one text is one source.
    let known = sources
        .iter()
        .find(|(_, source)| source.name == display && source.text == text)
        .map(|(id, _)| id);
    let file = known.unwrap_or_else(|| sources.add(display, text));
    modules.push(parse(sources, file, found));
    Some(modules.len() - 1)
}

/// A shipped module. Its text stands in `sources` once, and its tree is made once in a process as long as every
/// compilation starts from [`crate::sources`].
fn ship(sources: &mut Sources, position: usize, found: &mut Vec<Diagnostic>) -> Module {
    static TREES: [OnceLock<(FileId, Arc<ast::File>)>; SHIPPED.len()] =
        [const { OnceLock::new() }; SHIPPED.len()];
    let (name, text) = SHIPPED[position];
    let name = format!("{name}.cc");
    let known = sources
        .iter()
        .find(|(_, source)| source.name == name && source.text == text)
        .map(|(id, _)| id);
    let file = known.unwrap_or_else(|| sources.add(name, text));
    let (kept, tree) =
        TREES[position].get_or_init(|| (file, parse(sources, file, &mut Vec::new()).tree));
    let module = if *kept == file {
        Module {
            file,
            tree: tree.clone(),
            uses: vec![],
            is_shipped: true,
            broken: BTreeSet::new(),
            is_bare: false,
            is_overfull: false,
            lacks_a_module: false,
        }
    } else {
        parse(sources, file, found)
    };
    Module {
        is_shipped: true,
        ..module
    }
}

fn parse(sources: &Sources, file: FileId, found: &mut Vec<Diagnostic>) -> Module {
    let (mut tree, mistakes) = grammar::parse(sources, file);
    let broken = tree.broken.iter().map(|name| name.value.clone()).collect();
    found.extend(mistakes);
    let bare = tree.bare.take();
    let is_bare = bare.is_some();
    if let Some(loss) = bare {
        write_out_bare(&mut tree, loss);
    }
    let mut ranges = Ranges {
        left: MOST_WRITTEN_OUT,
        too_many: None,
    };
    for item in &mut tree.items {
        if let Item::Decl(Decl {
            body: Body::Block(block),
            ..
        }) = item
        {
            ranges.write_out(&mut block.items);
        }
    }
    let is_overfull = ranges.too_many.is_some();
    found.extend(ranges.too_many);
    Module {
        file,
        tree: Arc::new(tree),
        uses: vec![],
        is_shipped: false,
        broken,
        is_bare,
        is_overfull,
        lacks_a_module: false,
    }
}

/// `intra + sync` becomes `use paper` and `pretrain main = crisscross with { loss = intra + sync }`.
fn write_out_bare(tree: &mut ast::File, loss: Expr) {
    let span = loss.span;
    let named = |text: &str| Spanned::new(text.to_string(), span);
    tree.uses.push(Use {
        span,
        module: named("paper"),
        is_path: false,
    });
    let path = Path {
        span,
        names: vec![named("loss")],
    };
    let block = Block {
        span,
        items: vec![BlockItem::Field(Field {
            span,
            path,
            value: loss,
        })],
    };
    let base = Expr {
        span,
        kind: ExprKind::Name("crisscross".into()),
    };
    tree.items.push(Item::Decl(Decl {
        span,
        kind: Spanned::new(Kind::Pretrain, span),
        name: named("main"),
        params: vec![],
        title: None,
        body: Body::Expr(Expr {
            span,
            kind: ExprKind::With(Box::new(base), block),
        }),
    }));
}

/// How many members the ranges of a file have together, ten times what its rows may be.
const MOST_WRITTEN_OUT: usize = 100_000;

/// Writes out what `for` ranges over: `for x in range(1, 3)` becomes `for x in [1, 2, 3]`.
struct Ranges {
    /// How many more members are written out.
    left: usize,
    /// The first range that has more.
    too_many: Option<Diagnostic>,
}

impl Ranges {
    fn write_out(&mut self, items: &mut [BlockItem]) {
        for item in items {
            if let BlockItem::For(For { values, body, .. }) = item {
                if self.too_many.is_some() {
                    return;
                }
                let list = range_list(values);
                match self.left.checked_sub(list.as_ref().map_or(0, Vec::len)) {
                    Some(left) => self.left = left,
                    None => self.too_many = Some(too_many_members(values)),
                }
                if let Some(list) = list {
                    values.kind = ExprKind::List(list);
                }
                self.write_out(body);
            }
        }
    }
}

fn too_many_members(values: &Expr) -> Diagnostic {
    let message = format!("the ranges of a file have at most {MOST_WRITTEN_OUT} members together");
    Diagnostic::error(codes::OUT_OF_RANGE, values.span, message)
}

/// The members of `range(from, to, by: step)`, both ends included. `None` if it is no range of literals, which is then found as
/// a mistake where the list is read.
fn range_list(values: &Expr) -> Option<Vec<Expr>> {
    const MOST: usize = 10_000;
    let ExprKind::Call(callee, args) = &values.kind else {
        return None;
    };
    if callee.kind != ExprKind::Name("range".into()) {
        return None;
    }
    let literal = |expr: &Expr| {
        let ExprKind::Number(number) = &expr.kind else {
            return None;
        };
        let unit = number.unit.clone();
        Quantity::parse(&number.digits, unit.as_deref()).map(|q| (q, unit))
    };
    let (from, unit) = literal(&args.first().filter(|a| a.name.is_none())?.value)?;
    let (to, _) = literal(&args.get(1).filter(|a| a.name.is_none())?.value)?;
    let step = match args.get(2) {
        None => Quantity {
            value: Exact::whole(1),
            dimension: from.dimension,
        },
        Some(arg) if arg.name.as_ref().is_none_or(|n| n.value == "by") => literal(&arg.value)?.0,
        Some(_) => return None,
    };
    if args.len() > 3
        || step.value <= Exact::whole(0)
        || from.dimension != to.dimension
        || from.dimension != step.dimension
    {
        return None;
    }
    let written = match from.dimension {
        Dimension::NUMBER => None,
        dimension => Some(dimension.unit()).filter(|_| unit.is_some()),
    };
    let mut list = vec![];
    let mut value = from.value;
    while value <= to.value {
        if list.len() == MOST || value.decimal().contains('/') {
            return None;
        }
        let number = Number {
            digits: value.decimal(),
            unit: written.clone(),
        };
        list.push(Expr {
            span: values.span,
            kind: ExprKind::Number(number),
        });
        value = value.plus(step.value)?;
    }
    Some(list)
}
