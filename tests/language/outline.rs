//! A syntax tree as text: one line for each item, expressions with all their parentheses.

use grammar::ast::*;

/// The whole file.
pub fn outline(file: &File) -> String {
    let mut lines = vec![];
    for line in &file.uses {
        lines.push(format!(
            "use {}{}",
            if line.is_path { "path " } else { "" },
            line.module.value
        ));
    }
    for item in &file.items {
        match item {
            Item::Assert(assert) => {
                let source = assert
                    .source
                    .as_ref()
                    .map_or(String::new(), |s| format!(" because {}", s.value));
                lines.push(format!("assert {}{source}", expr(&assert.claim)));
            }
            Item::Decl(decl) => declaration(decl, &mut lines),
            Item::Allow(one) => lines.push(allow(one)),
        }
    }
    lines.extend(file.bare.iter().map(|bare| format!("bare {}", expr(bare))));
    lines.extend(
        file.comments
            .iter()
            .map(|comment| format!("#{}", comment.value)),
    );
    lines.join("\n")
}

fn declaration(decl: &Decl, lines: &mut Vec<String>) {
    let params: Vec<&str> = decl.params.iter().map(|p| p.value.as_str()).collect();
    let params = if params.is_empty() {
        String::new()
    } else {
        format!("({})", params.join(" "))
    };
    let title = decl
        .title
        .as_ref()
        .map_or(String::new(), |t| format!(" titled {}", t.value));
    let head = format!(
        "{} {}{params}{title}",
        decl.kind.value.word(),
        decl.name.value
    );
    match &decl.body {
        Body::Expr(value) => lines.push(format!("{head} = {}", expr(value))),
        Body::Block(block) => {
            lines.push(head);
            items(&block.items, 1, lines);
        }
    }
}

fn items(list: &[BlockItem], depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    for item in list {
        match item {
            BlockItem::Field(f) => lines.push(format!("{indent}{}", field(f))),
            BlockItem::Allow(one) => lines.push(format!("{indent}{}", allow(one))),
            BlockItem::For(f) => {
                let paths: Vec<String> = f.paths.iter().map(Path::to_string).collect();
                lines.push(format!(
                    "{indent}for {} in {}",
                    paths.join(" beside "),
                    expr(&f.values)
                ));
                items(&f.body, depth + 1, lines);
            }
            BlockItem::Row(row) => {
                let label = row
                    .label
                    .as_ref()
                    .map_or(String::new(), |l| format!(" labelled {}", l.value));
                let mut fields: Vec<String> = row.fields.iter().map(field).collect();
                fields.extend(row.allows.iter().map(allow));
                let expect: Vec<String> = row
                    .expect
                    .iter()
                    .map(|e| e.value.as_ref().map_or("nothing".to_owned(), number))
                    .collect();
                let expect = if expect.is_empty() {
                    String::new()
                } else {
                    format!(" expects {}", expect.join(", "))
                };
                lines.push(format!(
                    "{indent}row{label} [{}]{expect}",
                    fields.join("; ")
                ));
            }
        }
    }
}

fn allow(allow: &Allow) -> String {
    let reason = allow
        .reason
        .as_ref()
        .map_or(String::new(), |r| format!(" because {}", r.value));
    format!("allow {}{reason}", allow.code.value)
}

fn field(field: &Field) -> String {
    format!("{} = {}", field.path, expr(&field.value))
}

fn number(number: &Number) -> String {
    match &number.unit {
        Some(unit) => format!("{}~{unit}", number.digits),
        None => number.digits.clone(),
    }
}

fn list(exprs: &[Expr]) -> String {
    exprs.iter().map(expr).collect::<Vec<_>>().join(", ")
}

fn expr(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Number(n) => number(n),
        ExprKind::Dims(factors, unit) => {
            format!("{}~{}", factors.join(" by "), unit.as_deref().unwrap_or(""))
        }
        ExprKind::String(text) => format!("{text:?}"),
        ExprKind::Name(name) => name.clone(),
        ExprKind::List(members) => format!("[{}]", list(members)),
        ExprKind::Tuple(members) => format!("<{}>", list(members)),
        ExprKind::Neg(x) => format!("(- {})", expr(x)),
        ExprKind::Binary(op, a, b) => {
            let sign = match op.value {
                BinaryOp::Add => '+',
                BinaryOp::Sub => '-',
                BinaryOp::Mul => '*',
                BinaryOp::Div => '/',
            };
            format!("({} {sign} {})", expr(a), expr(b))
        }
        ExprKind::Compare(op, a, b) => format!("({} {:?} {})", expr(a), op.value, expr(b)),
        ExprKind::Arrow(a, b) => format!("({} to {})", expr(a), expr(b)),
        ExprKind::On(a, b) => format!("({} on {})", expr(a), expr(b)),
        ExprKind::At(a, b) => format!("({} at {})", expr(a), expr(b)),
        ExprKind::With(base, block) => {
            let mut lines = vec![];
            items(&block.items, 0, &mut lines);
            format!("({} with {{{}}})", expr(base), lines.join("; "))
        }
        ExprKind::Member(base, name) => format!("{}.{}", expr(base), name.value),
        ExprKind::Index(base, index) => format!("{}[{}]", expr(base), expr(index)),
        ExprKind::Call(callee, args) => {
            let args = args.iter().map(|arg| match &arg.name {
                Some(name) => format!("{}: {}", name.value, expr(&arg.value)),
                None => expr(&arg.value),
            });
            format!("{}({})", expr(callee), args.collect::<Vec<_>>().join(", "))
        }
        ExprKind::Comprehension(callee, sum) => {
            let binders = sum.binders.iter().map(|b| {
                let second = b.second.as_ref().map_or(String::new(), |(relation, name)| {
                    format!(" {relation:?} {}", name.value)
                });
                format!("{}{second} in {}", b.first.value, expr(&b.values))
            });
            format!(
                "{}({} for {})",
                expr(callee),
                expr(&sum.element),
                binders.collect::<Vec<_>>().join(", ")
            )
        }
    }
}
