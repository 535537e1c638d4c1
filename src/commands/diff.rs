//! `diff`: how two modules, files, experiments or runs differ in meaning.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use compiler::difference::{self, Change};
use compiler::hir::{Pretrain, Program, Protocol};
use compiler::origins::Texts;
use compiler::plan::{self, Stage, Work};
use compiler::{Profile, counted, readings, written};
use grammar::ast::Kind;
use grammar::diagnostic::Severity;
use records::folder::{PLAN, RUN, read_json};
use records::record::Run;
use serde::Serialize;
use serde_json::{Value, json};

use super::declared::without_fields;
use super::named::{self, Asked, Found as Meant, Meaning, is_module, no_field};
use super::show;
use crate::cli::Diff;
use crate::failure::{Failure, Result};
use crate::load::{Reading, compile};
use crate::render::{Format, write_out};

/// One side, under the name that it was given.
struct Side {
    name: String,
    what: What,
}

/// What can be compared.
enum What {
    /// A shipped module, by what its text says.
    Module(&'static str),
    /// All that a file asks for.
    File(Box<Program>),
    /// One pretraining, and the epoch after which it is scored.
    Pretrain(Arc<Pretrain>, Option<u32>),
    /// One evaluation, closed where it names its data set, and its fields as written.
    Protocol(Option<Box<Protocol>>, Vec<(String, String)>),
    /// Fields of one of these, or a declaration that is neither, as text.
    Text(Vec<(String, String)>),
    /// A run folder: the stage as it was run.
    Run(Box<(Run, Stage)>),
}

/// What was found: the text for people, the same for programs, and whether anything differs.
struct Found {
    text: String,
    json: Value,
    differs: bool,
}

impl Found {
    fn new(text: String, difference: &impl Serialize, differs: bool) -> Self {
        Found {
            text,
            json: serde_json::to_value(difference).expect("diff: differences are plain data"),
            differs,
        }
    }
}

/// Prints how the two sides differ. With `--exit-code` a difference ends with 1.
pub fn diff(arguments: &Diff) -> Result<()> {
    let left_file = Asked::read(&arguments.left).file;
    let toy = [&arguments.left, &arguments.right]
        .into_iter()
        .filter(|side| is_run(side))
        .any(|side| run_of(Path::new(side)).is_ok_and(|(run, _)| run.toy));
    let profile = super::profile(toy || arguments.toy);
    let left = side(&arguments.left, None, profile)?;
    let right = side(&arguments.right, left_file, profile)?;
    let found = compare(&left, &right)?;
    match arguments.format {
        Format::Text => {
            let head = format!("{}  ->  {}\n", left.name, right.name);
            write_out(&(head + &found.text));
        }
        Format::Json => {
            let object = json!({
                "left": left.name,
                "right": right.name,
                "same": !found.differs,
                "difference": found.json,
            });
            write_out(&format!("{object:#}\n"));
        }
    }
    if found.differs && arguments.exit_code {
        Err(Failure::said())
    } else {
        Ok(())
    }
}

fn is_run(written: &str) -> bool {
    Path::new(written).is_dir()
}

/// A side as it was typed; a name alone is looked for in `file`, that of the other side, then in the prelude.
fn side(written: &str, file: Option<&str>, profile: Profile) -> Result<Side> {
    let module = |name: &str| compiler::SHIPPED.iter().find(|(known, _)| *known == name);
    if let Some((name, _)) = module(written) {
        return Ok(Side {
            name: written.to_owned(),
            what: What::Module(name),
        });
    }
    if is_run(written) {
        let (run, stage) = run_of(Path::new(written))?;
        let set = plan::set_line(&run.set).map_or(String::new(), |line| format!("; {line}"));
        return Ok(Side {
            name: format!("{} ({}{set})", written.trim_end_matches('/'), stage.label),
            what: What::Run(Box::new((run, stage))),
        });
    }
    let asked = Asked::read(written);
    let is_file = asked.name.is_empty() || Path::new(written).is_file();
    if is_file && !is_module(written) {
        let program = program(written, profile)?;
        return Ok(Side {
            name: written.to_owned(),
            what: What::File(Box::new(program)),
        });
    }
    match file.filter(|_| asked.file.is_none()) {
        Some(file) => match named(Asked::within(file, written), profile) {
            Err(_) if asked.is_known() => named(asked, profile),
            side => side,
        },
        None if asked.is_known() => named(asked, profile),
        None => {
            let message =
                format!("there is no file `{written}`, and the prelude declares no such name");
            Err(Failure::misuse(message).help(
                "a side is a module (`paper`), a file, a name of either (`released:crisscross`, `FILE.cc:TABLE:ROW`), or a run folder",
            ))
        }
    }
}

fn program(file: &str, profile: Profile) -> Result<Program> {
    let compiled = compile(&[PathBuf::from(file)], profile, &[]);
    // Only what stops a comparison is said: what is doubtful in a file is for `check`.
    if compiled.count(Severity::Error) > 0 {
        compiled.print_errors();
        return Err(Failure::said());
    }
    let mut programs = compiled.programs.into_iter();
    let program = programs.next().and_then(|(_, program)| program);
    Ok(program.expect("diff: a file without errors has a program"))
}

/// What a name means.
fn named(asked: Asked<'_>, profile: Profile) -> Result<Side> {
    let reading = Reading { profile, set: &[] };
    let read = named::read(asked, &[], reading)?;
    let texts = Texts::read(&read.compiled.sources);
    let Meant {
        name,
        meaning,
        path,
    } = named::find(&read, &texts, asked.name)?;
    let prefix = match read.prefix.as_str() {
        "" => "paper:",
        prefix => prefix,
    };
    let dotted = path.map_or(String::new(), |path| format!(".{path}"));
    let full = format!("{prefix}{name}{dotted}");
    let at = |fields: Vec<(String, String)>| match path {
        None => Ok(fields),
        Some(path) => below(&fields, path).ok_or_else(|| {
            let known: Vec<&str> = fields.iter().map(|(path, _)| path.as_str()).collect();
            no_field(&read.prefix, &name, path, &known)
        }),
    };
    match meaning {
        Meaning::Experiment(of) if path.is_some() => Ok(Side {
            name: full,
            what: What::Text(at(written::pretrain(of.pretrain))?),
        }),
        Meaning::Experiment(of) => {
            let label = match of.row {
                Some((_, row)) if row.label == row.of => format!("  {}", row.of),
                Some((_, row)) => format!("  {} [{}]", row.of, row.label),
                None => String::new(),
            };
            let checkpoint = of.row.and_then(|(_, row)| row.checkpoint);
            Ok(Side {
                name: full + &label,
                what: What::Pretrain(Arc::new(of.pretrain.clone()), checkpoint),
            })
        }
        Meaning::Table(table) => Err(named::several(&read, table)),
        Meaning::Declaration(file, decl) if decl.kind.value == Kind::Eval => {
            let mut closed = read.program.evals.iter();
            let closed = closed.find(|(known, _)| *known == name);
            let fields = texts.written(&texts.fields(file, decl));
            let what = match (path, closed) {
                (Some(_), Some((_, protocol))) => What::Text(at(written::protocol(protocol))?),
                (Some(_), None) => What::Text(at(fields)?),
                (None, closed) => {
                    let closed = closed.map(|(_, protocol)| protocol.clone());
                    What::Protocol(closed.map(Box::new), fields)
                }
            };
            Ok(Side { name: full, what })
        }
        Meaning::Declaration(_, decl) if path.is_some() => Err(without_fields(&read, decl)),
        Meaning::Declaration(file, decl) => {
            let named = texts.named(file, decl);
            let what = What::Text(vec![(named.kind.to_owned(), named.value)]);
            Ok(Side { name: full, what })
        }
    }
}

/// The fields at `path` and below it, each by its last names: fields of other paths may be compared with them.
fn below(fields: &[(String, String)], path: &str) -> Option<Vec<(String, String)>> {
    let last = path.rsplit('.').next().unwrap_or(path);
    let kept: Vec<(String, String)> = show::below(fields, Some(path))
        .into_iter()
        .map(
            |(known, text)| match known[path.len()..].strip_prefix('.') {
                Some(rest) => (rest.to_owned(), text.clone()),
                None => (last.to_owned(), text.clone()),
            },
        )
        .collect();
    (!kept.is_empty()).then_some(kept)
}

/// What a run folder says that it holds.
pub(super) fn run_of(folder: &Path) -> Result<(Run, Stage)> {
    if !folder.join(RUN).is_file() || !folder.join(PLAN).is_file() {
        let message = format!("`{}` is no run folder", folder.display());
        return Err(Failure::misuse(message).help(format!(
            "one holds `{RUN}` and `{PLAN}`; `crisscross run` makes them in `runs`"
        )));
    }
    Ok((
        read_json(&folder.join(RUN))?,
        read_json(&folder.join(PLAN))?,
    ))
}

fn compare(left: &Side, right: &Side) -> Result<Found> {
    use What::{File, Module, Pretrain, Protocol, Run, Text};
    // A file of one row stands for that row where the other side is one experiment.
    let row = |what: &What| -> Option<State> {
        match what {
            Pretrain(one, checkpoint) => Some((one.clone(), *checkpoint)),
            File(program) => match program.tables.as_slice() {
                [table] => match table.rows.as_slice() {
                    [row] => Some((row.pretrain.clone(), row.checkpoint)),
                    _ => None,
                },
                _ => None,
            },
            Module(_) | Protocol(..) | Text(_) | Run(_) => None,
        }
    };
    Ok(match (&left.what, &right.what) {
        (Module(left), Module(right)) => modules(left, right),
        (File(of_left), File(of_right)) if of_left.is_bare && of_right.is_bare => {
            match (row(&left.what), row(&right.what)) {
                (Some(left), Some(right)) => experiments(&left, &right),
                _ => return Err(unlike(left, right)),
            }
        }
        (File(of_left), File(of_right)) => {
            let difference = difference::programs(of_left, of_right);
            let text = if difference.is_same() {
                let rows: usize = of_left.tables.iter().map(|table| table.rows.len()).sum();
                format!(
                    "  nothing differs: {} and {} of the same runs and scores\n",
                    counted(of_left.tables.len(), "table"),
                    counted(rows, "row"),
                )
            } else {
                difference::program_text(&difference)
            };
            Found::new(text, &difference, !difference.is_same())
        }
        (Protocol(Some(left), _), Protocol(Some(right), _)) => {
            changed(&difference::protocols(left, right))
        }
        (Protocol(_, left), Protocol(_, right)) | (Text(left), Text(right)) => {
            changed(&difference::texts(left, right))
        }
        (Run(left), Run(right)) => runs(left, right)?,
        (Run(run), File(program)) => nearest(run, program, &right.name, false)?,
        (File(program), Run(run)) => nearest(run, program, &left.name, true)?,
        (Run(run), what) | (what, Run(run)) => {
            let (Some(other), Work::Pretrain(own)) = (row(what), &run.1.work) else {
                return Err(unlike(left, right));
            };
            let own = (own.settings.clone(), other.1);
            if matches!(left.what, Run(_)) {
                experiments(&own, &other)
            } else {
                experiments(&other, &own)
            }
        }
        (of_left, of_right) => match (row(of_left), row(of_right)) {
            (Some(left), Some(right)) => experiments(&left, &right),
            _ => return Err(unlike(left, right)),
        },
    })
}

fn changed(changes: &[Change]) -> Found {
    let text = difference::protocol_text(changes);
    Found::new(text, &changes, !changes.is_empty())
}

/// A pretraining and the epoch after which it is scored.
type State = (Arc<Pretrain>, Option<u32>);

fn experiments(left: &State, right: &State) -> Found {
    let difference = difference::states((&left.0, left.1), (&right.0, right.1));
    let text = difference::experiment_text(&difference);
    Found::new(text, &difference, !difference.is_same())
}

/// Two shipped modules, by what their texts say and who says it.
fn modules(left: &str, right: &str) -> Found {
    if left == right {
        let text = "  nothing differs: both are one module\n".to_owned();
        return Found::new(text, &[(); 0], false);
    }
    let sources = compiler::sources();
    let file = |module: &str| {
        let name = format!("{module}.cc");
        let found = sources.iter().find(|(_, source)| source.name == name);
        found.expect("diff: each shipped module is a source").0
    };
    let differences = readings::differences(&sources, file(left), file(right));
    let text = readings::text(&differences, left, right);
    let differs = differences
        .iter()
        .any(|one| one.kind == readings::Agreement::Differs);
    Found::new(text, &differences, differs)
}

/// What differs of two runs outside the hashes of their stages: the files that were read, the version, the libraries and the device.
pub(super) fn outside(left: &Run, right: &Run) -> Vec<(&'static str, String, String)> {
    let all = [
        ("files", left.data.clone(), right.data.clone()),
        ("version", left.code.clone(), right.code.clone()),
        (
            "numerics",
            left.environment.numeric(),
            right.environment.numeric(),
        ),
    ];
    all.into_iter()
        .filter(|(_, left, right)| left != right)
        .collect()
}

/// Such a value in short.
pub(super) fn short(what: &str, text: &str) -> String {
    match what {
        "files" if text.is_empty() => "none".to_owned(),
        "files" => text.chars().take(8).collect(),
        _ => text.to_owned(),
    }
}

/// Two runs: their stages, then what is outside their hashes.
fn runs(left: &(Run, Stage), right: &(Run, Stage)) -> Result<Found> {
    let ((left_run, left_stage), (right_run, right_stage)) = (left, right);
    let Some(stages) = difference::stages(&left_stage.work, &right_stage.work) else {
        let kinds = [left_run.kind.name(), right_run.kind.name()];
        let message = format!("one run is a {}, the other a {}", kinds[0], kinds[1]);
        return Err(Failure::misuse(message).help("compare two runs of one kind"));
    };
    let outside = outside(left_run, right_run);
    let mut text = stages.text();
    for (what, left, right) in &outside {
        text += &format!(
            "  {what:<8} {} -> {}   (outside the hash)\n",
            short(what, left),
            short(what, right)
        );
    }
    let outside: serde_json::Map<String, Value> = outside
        .iter()
        .map(|(what, left, right)| ((*what).to_owned(), json!({ "left": left, "right": right })))
        .collect();
    let differs = stages.count() > 0 || !outside.is_empty();
    Ok(Found::new(
        text,
        &json!({ "stage": stages, "outside": outside }),
        differs,
    ))
}

/// A run beside the stage of a file that is nearest to it.
fn nearest(run: &(Run, Stage), program: &Program, file: &str, is_right: bool) -> Result<Found> {
    let (_, stage) = run;
    let plan = plan::plan(&[(file, program)]).map_err(|_| {
        Failure::new(format!("`{file}` has no plan"))
            .help(format!("`crisscross plan {file}` says why"))
    })?;
    let Some((near, stages)) = difference::nearest(&stage.work, &plan) else {
        let message = format!("`{file}` has no stage of the kind of `{}`", stage.label);
        return Err(Failure::misuse(message).help("name the run folder of another stage"));
    };
    let same = near.id == stage.id;
    let stages = match difference::stages(&near.work, &stage.work) {
        Some(turned) if is_right => turned,
        Some(_) | None => stages,
    };
    let text = if same {
        format!(
            "  nothing differs: the run is stage `{}` of the file ({})\n",
            near.label,
            near.id.short()
        )
    } else {
        format!(
            "  nearest is `{}` ({}), which differs in {}\n{}",
            near.label,
            near.id.short(),
            counted(stages.count(), "place"),
            stages.text()
        )
    };
    let json = json!({ "nearest": near.label, "stage": near.id, "difference": stages });
    Ok(Found::new(text, &json, !same))
}

/// Two sides of different kinds.
fn unlike(left: &Side, right: &Side) -> Failure {
    let kind = |side: &Side| match &side.what {
        What::Module(_) => "a module",
        What::File(_) => "a file",
        What::Pretrain(..) => "a pretraining",
        What::Protocol(..) => "a protocol",
        What::Text(_) => "a value",
        What::Run(_) => "a run",
    };
    let message = format!(
        "`{}` is {}, `{}` is {}",
        left.name,
        kind(left),
        right.name,
        kind(right)
    );
    Failure::misuse(message).help(
        "compare like with like: two modules, two files, or one experiment of each, as in `FILE.cc:NAME` or `FILE.cc:TABLE:ROW`",
    )
}
