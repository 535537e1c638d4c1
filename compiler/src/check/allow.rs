//! `allow CODE "why"`: warnings that are meant. They become notes that say so, and an `allow` that has nothing to silence is
//! a warning itself, so that none outlives what it was for.

use super::load::Module;
use crate::codes;
use grammar::ast::{Allow, BlockItem, Body, Decl, Expr, ExprKind, Item};
use grammar::diagnostic::{Code, Diagnostic, Severity};
use grammar::span::{Sources, Span};

/// An `allow` that is written rightly.
struct Permission<'a> {
    allow: &'a Allow,
    code: Code,
    reason: &'a str,
    /// What it is about: the file, declaration, block or row in which it stands.
    scope: Span,
    is_used: bool,
}

/// Silences what the files allow, and adds what is wrong with their `allow`s. `is_whole`: every warning of the root file is among
/// `found`, so that an `allow` that silences none is for nothing.
pub(super) fn silence(
    modules: &[Module],
    sources: &Sources,
    mut found: Vec<Diagnostic>,
    is_whole: bool,
) -> Vec<Diagnostic> {
    let mut mistakes = vec![];
    let mut permissions = vec![];
    for module in modules.iter().filter(|module| !module.is_shipped) {
        let text = &sources.get(module.file).text;
        let file = Span::new(module.file, 0, text.len());
        for (allow, scope) in allows(&module.tree.items, file) {
            match permission(allow, scope) {
                Ok(permission) => permissions.push(permission),
                Err(mistake) => mistakes.push(*mistake),
            }
        }
    }
    for diagnostic in found.iter_mut().filter(|d| d.severity != Severity::Error) {
        let place = diagnostic.primary.span;
        let covers = |p: &Permission| p.code == diagnostic.code && p.scope.holds(place);
        // The innermost speaks, but all of them are of use.
        let mut innermost: Option<&Permission> = None;
        for permission in permissions.iter_mut().filter(|p| covers(p)) {
            permission.is_used = true;
            let length = |p: &Permission| p.scope.end - p.scope.start;
            if innermost.is_none_or(|known| length(permission) < length(known)) {
                innermost = Some(permission);
            }
        }
        if let Some(permission) = innermost {
            diagnostic.severity = Severity::Note;
            diagnostic.is_quiet = true;
            diagnostic.silenced = Some(permission.reason.to_owned());
            diagnostic.help = None;
            diagnostic.edits.clear();
            let label = grammar::diagnostic::Label {
                span: permission.allow.span,
                text: "silenced here".to_owned(),
            };
            diagnostic.labels.push(label);
        }
    }
    found.append(&mut mistakes);
    let root = modules.first().map(|module| module.file);
    let is_clean = found.iter().all(|d| d.severity != Severity::Error);
    if is_whole && is_clean {
        let idle = permissions
            .iter()
            .filter(|p| !p.is_used && Some(p.allow.span.file) == root);
        found.extend(idle.map(silences_nothing));
    }
    found
}

/// Reads one `allow`.
fn permission(allow: &Allow, scope: Span) -> Result<Permission<'_>, Box<Diagnostic>> {
    let written = allow.code.value.as_str();
    let place = allow.code.span;
    let wrong = |message: String| Diagnostic::error(codes::NOT_A_WARNING, place, message);
    let known = codes::known().into_iter().map(|(code, _)| code);
    let Some(code) = known.into_iter().find(|code| code.0 == written) else {
        let diagnostic = wrong(format!("there is no warning `{written}`"));
        let warnings: Vec<Code> = codes::nearest(written)
            .into_iter()
            .filter(|code| is_warning(*code))
            .collect();
        return Err(Box::new(match warnings.as_slice() {
            [one] => {
                let diagnostic = diagnostic
                    .here(format!("did you mean `{one}`?"))
                    .help(format!("replace with `{one}`"));
                // Another number is another warning.
                if one.0.eq_ignore_ascii_case(written) {
                    diagnostic.edit(place, one.0)
                } else {
                    diagnostic.suggestion(place, one.0)
                }
            }
            [one, other] => diagnostic.here(format!("did you mean `{one}` or `{other}`?")),
            _ => {
                diagnostic.help("the code of a warning stands in its first line: `warning[W0503]`")
            }
        }));
    };
    if !is_warning(code) {
        let message = format!("`{written}` is an error, and errors are not allowed but mended");
        let help = "remove the `allow`; only warnings and notes, `W....`, can be meant";
        return Err(Box::new(wrong(message).help(help)));
    }
    if code == codes::ALLOWS_NOTHING {
        let message = format!("`{written}` says that an `allow` is for nothing");
        return Err(Box::new(
            wrong(message).help("remove the `allow` that it is about"),
        ));
    }
    let reason = allow.reason.as_ref().map_or("", |r| r.value.trim());
    if reason.is_empty() {
        let message = format!("this `allow {written}` does not say why");
        let span = allow.reason.as_ref().map_or(allow.span, |r| r.span);
        let diagnostic = Diagnostic::error(codes::NO_REASON, span, message)
            .note("who reads the table later wants to know that the warning was seen, and why it is no mistake")
            .help(format!("write `allow {written} \"the baseline of Fig. 4\"`"));
        return Err(Box::new(diagnostic));
    }
    Ok(Permission {
        allow,
        code,
        reason,
        scope,
        is_used: false,
    })
}

fn is_warning(code: Code) -> bool {
    code.0.starts_with('W')
}

fn silences_nothing(permission: &Permission) -> Diagnostic {
    let code = permission.code;
    let message = format!("this `allow {code}` silences nothing");
    let diagnostic = Diagnostic::warning(codes::ALLOWS_NOTHING, permission.allow.span, message);
    let mut diagnostic = diagnostic
        .note("it is about what is said of places in the file, block or row in which it stands")
        .help("remove it, or move it to where the warning is shown");
    diagnostic.edits.push(grammar::diagnostic::Edit {
        span: permission.allow.span,
        text: String::new(),
        is_certain: false,
    });
    diagnostic
}

/// Every `allow` of a file with what it is about.
fn allows(items: &[Item], file: Span) -> Vec<(&Allow, Span)> {
    let mut found = vec![];
    for item in items {
        match item {
            Item::Allow(allow) => found.push((allow, file)),
            Item::Assert(assert) => in_expr(&assert.claim, None, &mut found),
            Item::Decl(decl) => in_decl(decl, &mut found),
        }
    }
    found
}

/// A block that is the body of a declaration speaks for all of the declaration, its name too.
fn in_decl<'a>(decl: &'a Decl, found: &mut Vec<(&'a Allow, Span)>) {
    match &decl.body {
        Body::Block(block) => in_block(&block.items, decl.span, found),
        Body::Expr(expr) => in_expr(expr, Some(decl.span), found),
    }
}

fn in_block<'a>(items: &'a [BlockItem], scope: Span, found: &mut Vec<(&'a Allow, Span)>) {
    for item in items {
        match item {
            BlockItem::Allow(allow) => found.push((allow, scope)),
            BlockItem::Field(field) => in_expr(&field.value, None, found),
            BlockItem::For(each) => {
                in_expr(&each.values, None, found);
                in_block(&each.body, each.span, found);
            }
            BlockItem::Row(row) => {
                found.extend(row.allows.iter().map(|allow| (allow, row.span)));
                for field in &row.fields {
                    in_expr(&field.value, None, found);
                }
            }
        }
    }
}

/// The blocks of `base with { ... }` wherever one stands. `whole`: the declaration whose value the expression is.
fn in_expr<'a>(expr: &'a Expr, whole: Option<Span>, found: &mut Vec<(&'a Allow, Span)>) {
    match &expr.kind {
        ExprKind::With(base, block) => {
            in_expr(base, None, found);
            in_block(&block.items, whole.unwrap_or(expr.span), found);
        }
        ExprKind::Number(_) | ExprKind::Dims(..) | ExprKind::String(_) | ExprKind::Name(_) => {}
        ExprKind::List(members) | ExprKind::Tuple(members) => {
            members
                .iter()
                .for_each(|member| in_expr(member, None, found));
        }
        ExprKind::Neg(inner) | ExprKind::Member(inner, _) => in_expr(inner, None, found),
        ExprKind::Binary(_, a, b)
        | ExprKind::Compare(_, a, b)
        | ExprKind::Arrow(a, b)
        | ExprKind::On(a, b)
        | ExprKind::At(a, b)
        | ExprKind::Index(a, b) => {
            in_expr(a, None, found);
            in_expr(b, None, found);
        }
        ExprKind::Call(callee, args) => {
            in_expr(callee, None, found);
            args.iter().for_each(|arg| in_expr(&arg.value, None, found));
        }
        ExprKind::Comprehension(callee, comprehension) => {
            in_expr(callee, None, found);
            in_expr(&comprehension.element, None, found);
        }
    }
}
