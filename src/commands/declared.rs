//! `explain NAME` of a declaration that is no pretraining: what it is and who says it; of an evaluation also each field.

use compiler::columns;
use compiler::hir::Provenance;
use compiler::origins::{Named, Place, Texts};
use grammar::ast::{Decl, Kind};
use grammar::span::FileId;
use serde_json::json;

use super::named::{Read, no_field};
use super::places::{field_line, name_lines, place_lines, places, tables_with_column, used_by};
use crate::failure::{Failure, Result};
use crate::render::{Format, write_out};

/// Prints the declaration, or the field at `path` of an evaluation.
pub fn explain(
    (read, texts): (&Read, &Texts<'_>),
    (file, decl): (FileId, &Decl),
    path: Option<&str>,
    format: Format,
) -> Result<()> {
    let name = &decl.name.value;
    if read.whole.is_some() {
        let message = format!("`{name}` is shown as it is written, without the bounds of `--toy`");
        return Err(Failure::misuse(message)
            .help("`crisscross show toy` prints them; leave `--toy` out, or ask about a pretraining or a row"));
    }
    let fields = texts.fields(file, decl);
    match path {
        Some(path) => field((read, texts), decl, &fields, path, format),
        None if fields.is_empty() => {
            plain((read, texts), (file, decl), format);
            Ok(())
        }
        None => {
            all((read, texts), name, &fields, format);
            Ok(())
        }
    }
}

/// `modality` with its article: a mistake in what was asked is told in a sentence.
pub fn without_fields(read: &Read, decl: &Decl) -> Failure {
    let name = &decl.name.value;
    let kind = decl.kind.value.word();
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    Failure::misuse(format!("`{name}` is {article} `{kind}` and has no fields"))
        .help(format!("explain the whole: `{}{name}`", read.prefix))
}

/// One field of an evaluation.
fn field(
    (read, texts): (&Read, &Texts<'_>),
    decl: &Decl,
    fields: &Provenance,
    path: &str,
    format: Format,
) -> Result<()> {
    let name = &decl.name.value;
    let places = places(texts, fields, path);
    let (Some(last), Some((span, _))) = (places.last(), texts.chain(fields, path).pop()) else {
        if decl.kind.value != Kind::Eval {
            return Err(without_fields(read, decl));
        }
        let known: Vec<&str> = fields.keys().map(String::as_str).collect();
        return Err(no_field(&read.prefix, name, path, &known));
    };
    let asked = format!("{}{name}.{path}", read.prefix);
    let names = texts.names(span);
    let used = tables_with_column(read, name);
    write_out(&match format {
        Format::Json => {
            let object = json!({ "asked": asked, "value": last.value, "places": places, "made_of": names, "used_by": used });
            format!("{object:#}\n")
        }
        Format::Text => format!(
            "{asked} = {}\n{}{}{}",
            last.value,
            place_lines(&places),
            name_lines(&names),
            used_by(&used)
        ),
    });
    Ok(())
}

/// All fields of an evaluation, each as the place that counts has it.
fn all((read, texts): (&Read, &Texts<'_>), name: &str, fields: &Provenance, format: Format) {
    let asked = format!("{}{name}", read.prefix);
    let used = tables_with_column(read, name);
    let rows = fields.keys().filter_map(|path| {
        let (_, place) = texts.chain(fields, path).pop()?;
        Some((path, place))
    });
    let rows: Vec<(&String, Place)> = rows.collect();
    write_out(&match format {
        Format::Json => {
            let fields = rows
                .iter()
                .map(|(path, place)| json!({ "path": path, "value": place.value, "place": place }));
            let object =
                json!({ "asked": asked, "fields": fields.collect::<Vec<_>>(), "used_by": used });
            format!("{object:#}\n")
        }
        Format::Text => {
            let lines = rows.iter().map(|(path, place)| field_line(path, place));
            let lines = columns(&lines.collect::<Vec<_>>(), 3);
            format!("{asked}\n{lines}{}", used_by(&used))
        }
    });
}

/// A declaration without fields, and what it is made of.
fn plain((read, texts): (&Read, &Texts<'_>), (file, decl): (FileId, &Decl), format: Format) {
    let named = texts.named(file, decl);
    let name = &named.name;
    let names = texts.names(decl.span);
    let names: Vec<Named> = names.into_iter().filter(|one| one.name != *name).collect();
    if format == Format::Json {
        let asked = format!("{}{name}", read.prefix);
        let object = json!({ "asked": asked, "declaration": named, "made_of": names });
        write_out(&format!("{object:#}\n"));
        return;
    }
    let place = format!(
        "  {}:{}   {}",
        named.file,
        named.line,
        named.sources.join(" | ")
    );
    let mut text = format!("{}\n{}\n", named.text, place.trim_end());
    for note in &named.notes {
        text += &format!("  note  {note}\n");
    }
    write_out(&(text + &name_lines(&names)));
}
