//! Strides of a backbone, the sizes of its maps where a file states them (Tables S5 and S6), and what is pooled from them.

use super::layers::{Role, clip_text, sizes_text};
use super::record::Record;
use super::rows::one_line;
use super::{Call, Checker, Env, Slot, Wanted, counted};
use crate::catalog::{self, Measure};
use crate::codes;
use crate::graph::networks::{self, STAGES, Unpooled};
use crate::graph::shapes;
use crate::hir::{Eval, Layer, Network, Protocol, Row};
use crate::units::thousands;
use grammar::ast::{ExprKind, Kind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::collections::BTreeMap;
use std::rc::Rc;

impl<'a> Checker<'a> {
    /// The stride of each block of a backbone, nothing where they are the paper's. A file gives one for each stage,
    /// `strides: (1, 2, 2, 2)`, or one for each convolution of its blocks, as a table lists them.
    ///
    /// A block adds its input to what its two convolutions make of it. The shortcut has the stride of the first one, so the
    /// second one has none: a table that prints 2 everywhere adds maps of two sizes.
    pub(super) fn strides(
        &mut self,
        at: &Slot<'a>,
        call: &Call<'a>,
        depth: u32,
        role: Role<'_>,
        with: &dyn Fn(Vec<u32>) -> Layer,
    ) -> Option<Vec<u32>> {
        let Some(slot) = call.get("strides").cloned() else {
            return Some(vec![]);
        };
        let blocks: u32 = networks::blocks(depth)?.iter().sum();
        let convolutions = 2 * blocks as usize;
        let given = self.numbers_in_parentheses(&slot, "strides", &catalog::STRIDE)?;
        if let [first, second, third, fourth] = given[..] {
            let strides = networks::of_stages(depth, [first, second, third, fourth]);
            return Some(networks::canonical(depth, strides));
        }
        if given.len() != convolutions {
            let message = format!(
                "`strides` gives {STAGES} numbers, one for each stage, or {convolutions}, one for each convolution of the blocks; this gives {}",
                given.len()
            );
            let diagnostic = Diagnostic::error(codes::WRONG_ARGUMENTS, slot.span(), message)
                .help("write `strides: (1, 2, 2, 2)`");
            self.report(&slot.env, diagnostic);
            return None;
        }
        let strides: Vec<u32> = given.iter().step_by(2).copied().collect();
        let inner = given.iter().skip(1).step_by(2);
        let Some(block) = inner.clone().position(|stride| *stride != 1) else {
            return Some(networks::canonical(depth, strides));
        };
        let name = block_name(depth, block);
        let stride = given[2 * block + 1];
        let first = strides[block];
        let message = format!(
            "{name} shrinks its map by {}, its shortcut by {first}",
            first * stride
        );
        let mut diagnostic = Diagnostic::error(codes::OTHER_MAPS, slot.span(), message)
            .note("a block adds its shortcut, which has the stride of the first convolution, to what the two convolutions make")
            .help("write `1` for the second convolution of each block: `strides: (1, 2, 2, 2)` is the stride of each stage");
        if let Role::Encoder(clip) = role {
            let so_far: Vec<u32> = strides.iter().take(block + 1).copied().collect();
            let stem = networks::after_stem(&with(vec![]), networks::input(clip).get(1..)?);
            let shortcut = so_far
                .iter()
                .fold(stem, |map, stride| networks::shrunk(&map, *stride));
            let inside = networks::shrunk(&shortcut, stride);
            if inside != shortcut {
                diagnostic = diagnostic.here(format!(
                    "for `{}` {name} would add {} to {}",
                    clip_text(clip),
                    sizes_text(&inside),
                    sizes_text(&shortcut)
                ));
            }
        }
        // A shipped line is shown at its use.
        let place = if self.is_shipped(slot.span().file) {
            at
        } else {
            &slot
        };
        self.report(&place.env, diagnostic);
        None
    }

    /// `maps: [(20, 50), (10, 25), (5, 13), (3, 7)]`, the sizes after each stage, against what the strides give for the clip.
    pub(super) fn check_maps(
        &mut self,
        at: &Slot<'a>,
        call: &Call<'a>,
        layer: &Layer,
        role: Role<'_>,
    ) -> Option<()> {
        let Some(slot) = call.get("maps").cloned() else {
            return Some(());
        };
        let members = self.list(&slot, "a list of sizes, one for each stage")?;
        let stated: Vec<_> = members
            .iter()
            .map(|member| self.numbers_in_parentheses(member, "maps", &catalog::SMALL_COUNT))
            .collect();
        let stated: Vec<Vec<u32>> = stated.into_iter().collect::<Option<_>>()?;
        let Role::Encoder(clip) = role else {
            return Some(());
        };
        let Some(derived) = networks::maps(layer, clip).filter(|_| self.caps.is_none()) else {
            return Some(());
        };
        if stated == derived {
            return Some(());
        }
        let differs = derived.iter().zip(&stated).position(|(x, y)| x != y);
        let list: Vec<String> = derived
            .iter()
            .map(|map| format!("({})", sizes_text(map).replace(" x ", ", ")))
            .collect();
        let message = match differs {
            Some(stage) => format!(
                "`maps` states {} after stage {}, the strides give {}",
                sizes_text(&stated[stage]),
                stage + 2,
                sizes_text(&derived[stage])
            ),
            None => format!(
                "`maps` states {}, there are {STAGES} stages",
                counted(stated.len(), "size")
            ),
        };
        let diagnostic = Diagnostic::error(codes::OTHER_MAPS, slot.span(), message)
            .note(format!("of a clip of `{}`", clip_text(clip)))
            .help(format!(
                "write `maps: [{}]`, or change `strides`",
                list.join(", ")
            ));
        let place = if self.is_shipped(slot.span().file) {
            at
        } else {
            &slot
        };
        self.report(&place.env, diagnostic);
        None
    }

    /// The pools of each score against the maps of each row's own backbone, where its strides are not the paper's: an
    /// evaluation by itself is read for these.
    pub(super) fn pools_fit(
        &mut self,
        table: &Rc<Record<'a>>,
        rows: &[Row],
        scores: &[(String, Protocol)],
    ) -> Option<()> {
        let stated = self.stated_values(table);
        for row in rows {
            for (heading, protocol) in scores {
                for eval in protocol.parts() {
                    self.pool_fits(table, row, (heading, eval))?;
                }
                if let (Some(stated), Protocol::Single(eval)) = (stated.get(heading), protocol) {
                    self.has_values(row, (heading, eval), *stated)?;
                }
            }
        }
        Some(())
    }

    fn pool_fits(
        &mut self,
        table: &Rc<Record<'a>>,
        row: &Row,
        (heading, eval): (&str, &Eval),
    ) -> Option<()> {
        let Some(Err(Unpooled {
            window, size, map, ..
        })) = pooled(row, eval)
        else {
            return Some(());
        };
        let message = format!("window {window} larger than map {size} in `{heading}`");
        let mut diagnostic = Diagnostic::error(codes::WINDOW_TOO_LARGE, row.span, message)
            .note(format!(
                "the strides of this row's `{}.f` leave {} of `{}`",
                eval.uses,
                sizes_text(&map),
                clip_text(&eval.clip)
            ))
            .help("pool less, or take the strides of the other rows");
        if let Some(slot) = table.slot("scores") {
            diagnostic = diagnostic.label(slot.span(), "the evaluations");
        }
        self.report(&Env::of_module(0), diagnostic);
        None
    }

    /// `dim` of an evaluation against the values that this row's own backbone gives.
    fn has_values(
        &mut self,
        row: &Row,
        (heading, eval): (&str, &Eval),
        (stated, place): (u64, Span),
    ) -> Option<()> {
        let Some(Ok((channels, map))) = pooled(row, eval).filter(|_| self.caps.is_none()) else {
            return Some(());
        };
        let sizes = map.iter().map(|size| u64::from(*size));
        let derived = u64::from(channels) * sizes.product::<u64>();
        self.judged.insert(place);
        if derived == stated {
            return Some(());
        }
        // Of a row with the paper's networks it is the evaluation that is wrong.
        if let Some((diagnostic, env, usual)) = self.misstated.get(&place).cloned()
            && usual == derived
        {
            self.report(&env, diagnostic);
            return None;
        }
        let message = format!(
            "`dim` of `{heading}` states {} values, this row gives {} = {channels} x {}",
            thousands(stated),
            thousands(derived),
            sizes_text(&map)
        );
        let diagnostic = Diagnostic::error(codes::OTHER_DIMENSION, row.span, message)
            .note(format!(
                "the backbone of its `{}.f` has {channels} channels in the end",
                eval.uses
            ))
            .help("leave `dim` out, or take the width of the other rows");
        self.report(&Env::of_module(0), diagnostic);
        None
    }

    /// The number of values that evaluations of a table state by `dim`, and where, by their headings.
    fn stated_values(&mut self, table: &Rc<Record<'a>>) -> BTreeMap<String, (u64, Span)> {
        let before = self.found.len();
        let members = table
            .slot("scores")
            .and_then(|slot| self.list(&slot, "a list of evaluations"));
        let mut stated = BTreeMap::new();
        for member in members.unwrap_or_default() {
            let record = self.record(&member, Kind::Eval).map(Rc::new);
            let slot = record.and_then(|record| record.slot("dim"));
            let values =
                slot.and_then(|slot| Some((self.whole(&slot, &catalog::COUNT)?, slot.span())));
            let heading = one_line(self.sources.text(member.span()));
            stated.extend(values.map(|values| (heading, values)));
        }
        self.found.truncate(before);
        stated
    }

    /// `(1, 2, 2, 2)`.
    fn numbers_in_parentheses(
        &mut self,
        slot: &Slot<'a>,
        place: &str,
        measure: &Measure,
    ) -> Option<Vec<u32>> {
        let reduced = self.reduce(slot)?;
        let ExprKind::Tuple(members) = &reduced.expr.kind else {
            let wanted = Wanted::new("numbers in parentheses", &[], &[]).example("(1, 2, 2, 2)");
            self.wrong(slot, &reduced, &wanted);
            return None;
        };
        let read: Vec<_> = members
            .iter()
            .map(|member| {
                let member = Slot {
                    place: place.into(),
                    ..reduced.with(member)
                };
                u32::try_from(self.whole(&member, measure)?).ok()
            })
            .collect();
        read.into_iter().collect()
    }
}

/// What the chain of `eval` leaves of the map of the row's own backbone: channels and sizes, or the pool that does not fit.
/// `None`: the row has no such map.
fn pooled(row: &Row, eval: &Eval) -> Option<Result<(u32, Vec<u32>), Unpooled>> {
    let network = shapes::network(&row.pretrain, &format!("{}.f", eval.uses))?;
    let backbone = network.layers.first()?;
    let map = networks::conv5(backbone, &eval.clip)?;
    let backbone = Network {
        layers: vec![backbone.clone()],
        same: None,
    };
    let channels = backbone.width()?;
    Some(networks::pooled(map.clone(), &eval.features).map(|maps| {
        let last = maps.last().cloned().unwrap_or(map);
        (channels, last)
    }))
}

/// `block3.1` of the block at this position.
fn block_name(depth: u32, at: usize) -> String {
    let stages = networks::blocks(depth).into_iter().flatten();
    let mut left = at;
    for (stage, blocks) in stages.enumerate() {
        let blocks = blocks as usize;
        if left < blocks {
            return format!("block{}.{}", stage + 2, left + 1);
        }
        left -= blocks;
    }
    format!("block {}", at + 1)
}
