//! What may be typed. The comments here are the help text.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::render::Format;
use records::listing::State;
use records::site::MemoryFormat;

/// Declarative experiments in audio-visual self-supervision: one `.cc` file in, the paper's kind of table out
#[derive(Debug, Parser)]
#[command(
    name = "crisscross",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check files: names, units, types, losses; all mistakes at once
    Check(Check),
    /// Lay files out in the one canonical way; comments stay, and no result changes
    Fmt(Fmt),
    /// Mend mistakes that have one likely meaning, and say what was changed and what remains
    Fix(Fix),
    /// Print a shipped module (`paper`, `toy`), what a file asks for, or what a name comes to
    Show(Show),
    /// Say what the code of a message means, or where a value comes from, what it does and who uses it
    Explain(Explain),
    /// Say how two modules, files, experiments or runs differ in meaning
    Diff(Diff),
    /// Print the training step of one row as a graph
    Graph(Graph),
    /// Say which stages the files need and which of them are done
    Plan(Plan),
    /// Train and score what the files ask for, then print their tables
    Run(Run),
    /// Print the tables, measured beside published, or write pages with all that there is to say of them
    Report(Report),
    /// Run one step of a pretraining again and say where its numbers come from: one that was not finite, or any other
    Replay(Replay),
    /// Make files of weights, such as the released ones, the outcome of a pretraining, and say which of their names are whose
    Import(Import),
    /// Write the weights of a pretraining with the names of the released code or of torchvision
    Export(Export),
    /// Write what a trained backbone makes of the clips of any folder: features as safetensors or for NumPy
    Features(Features),
    /// List the runs of a folder: what each is, how far, how old, how large, and what came of it
    Ls(Ls),
    /// Put two runs or rows side by side: what differed in the plan, and what came of it
    Compare(Compare),
    /// Ask what depends on what, or which rows are of a kind: `deps(table1)`, `rdeps(MSC)`, `rows where loss has async`
    Query(Query),
    /// Write modules and files as HTML pages that link to each other
    Doc(Doc),
    /// Look at data sets on this machine
    #[command(subcommand, arg_required_else_help = true)]
    Data(Data),
    /// Measure on this machine
    #[command(subcommand, arg_required_else_help = true)]
    Bench(Bench),
    /// Say what was found on this machine and what is missing
    Doctor(Doctor),
}

/// `crisscross check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The files; a folder stands for all `.cc` files below it
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Text with source lines on standard error, or one JSON object per message and line on standard output
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Fail on warnings too
    #[arg(long)]
    pub strict: bool,
    /// Print in full the notes that are otherwise counted: those on values that the prelude sets, and slight ones
    #[arg(long)]
    pub notes: bool,
    /// What is set above the files.
    #[command(flatten)]
    pub above: Above,
}

/// `crisscross fmt`.
#[derive(Debug, Args)]
pub struct Fmt {
    /// The files; a folder stands for all `.cc` files below it, `-` reads standard input and writes standard output
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write nothing; list the files that would change, and fail if there are any
    #[arg(long)]
    pub check: bool,
}

/// `crisscross fix`.
#[derive(Debug, Args)]
pub struct Fix {
    /// The files; a folder stands for all `.cc` files below it, `-` reads standard input and writes standard output
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write nothing; only say what would be changed
    #[arg(long)]
    pub dry_run: bool,
}

/// `crisscross show`.
#[derive(Debug, Args)]
pub struct Show {
    /// `paper`, `released`, `toy`; what one of them declares (`crisscross_k400`, `linear8`, `released:GB`); or what a file declares
    /// or uses: `FILE.cc:NAME`, `FILE.cc:TABLE:ROW`, or NAME before FILE. A field behind it prints that field alone
    /// (`crisscross.lr_b`), and `FILE.cc` alone what it holds
    pub name: String,
    /// The file that declares it
    pub file: Option<PathBuf>,
    /// Text for people, or one JSON object: each field with its text and the place that set it
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Only what is set outside the shipped modules
    #[arg(long)]
    pub changed: bool,
    /// What is set above the files.
    #[command(flatten)]
    pub above: Above,
}

/// `crisscross explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The code of a message, such as `E0402`; a value, `crisscross_k400.lr_b`, `FILE.cc:NAME.path` or `FILE.cc:TABLE:ROW.path`:
    /// where it comes from and what it does; all values of `FILE.cc:NAME`; the windows, `FILE.cc:NAME.relax`; a network layer by
    /// layer, `FILE.cc:NAME.v.f`, or what evaluations read, `FILE.cc:TABLE.features`; without one all codes are listed
    #[arg(value_name = "WHAT")]
    pub what: Option<String>,
    /// Further files whose rows may use the value
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// The value of the toy profile
    #[arg(long)]
    pub toy: bool,
    /// What is set above the files.
    #[command(flatten)]
    pub above: Above,
}

/// `crisscross diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "Ends with 0 whether or not something differs, as `git diff` does; with `--exit-code` a difference ends with 1."
)]
pub struct Diff {
    /// A shipped module (`paper`, `released`), a file, what one of them declares (`FILE.cc:NAME`, `FILE.cc:TABLE:ROW`,
    /// `released:crisscross`), a field of it (`linear8.head`), or a run folder
    #[arg(value_name = "A")]
    pub left: String,
    /// The same; a name or `TABLE:ROW` alone is looked for in the file of A first
    #[arg(value_name = "B")]
    pub right: String,
    /// Text for people, or one JSON object
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// End with 1 where something differs
    #[arg(long)]
    pub exit_code: bool,
    /// The experiments of the toy profile; a run made with it is always compared so
    #[arg(long)]
    pub toy: bool,
}

/// `crisscross graph`.
#[derive(Debug, Args)]
pub struct Graph {
    /// The file, or a pretraining or row: `FILE.cc:NAME`, `FILE.cc:TABLE:ROW`, `crisscross_k400`
    #[arg(value_name = "FILE|NAME")]
    pub what: String,
    /// The row of a file: its number in the first table, `TABLE:ROW` with a number or label, or a pretraining; without it the first
    #[arg(long, value_name = "ROW")]
    pub row: Option<String>,
    /// How it is drawn
    #[arg(long, value_enum, default_value = "text")]
    pub format: GraphFormat,
    /// The graph after this pass and those before it: `none`, the step as written, or a pass by name; one that is not part of
    /// every step (`move_domain`, `batch_views`, `fuse_terms`) comes on top of those that are, and may be repeated
    #[arg(long, value_name = "PASS")]
    pub pass: Vec<String>,
    /// Say what each pass did, and what it left as it is and why, instead of drawing the graph
    #[arg(long)]
    pub why: bool,
    /// The row of the toy profile
    #[arg(long)]
    pub toy: bool,
    /// What is set above the files.
    #[command(flatten)]
    pub above: Above,
}

/// Forms of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// One line per node
    Text,
    /// Graphviz
    Dot,
    /// Mermaid, for Markdown
    Mermaid,
    /// A picture
    Svg,
    /// Nodes and edges
    Json,
}

/// `crisscross plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The files; a folder stands for all `.cc` files below it
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// A line for each row
    #[arg(short, long, conflicts_with_all = ["verbose", "why"])]
    pub quiet: bool,
    /// All stages with their fields, too, and what is shared and grouped
    #[arg(short, long, conflicts_with = "why")]
    pub verbose: bool,
    /// Say why each stage of a row, of a table, of all rows of a pretraining, or of all is done or to do, with the nearest finished
    /// one and what differs
    #[arg(long, value_name = "TABLE:ROW", num_args = 0..=1, default_missing_value = "")]
    pub why: Option<String>,
    /// Text for people, or the plan as the engine reads it, with how it stands beside it
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Synthetic data and narrow networks under the same names: minutes on a laptop
    #[arg(long)]
    pub toy: bool,
    /// Where things are.
    #[command(flatten)]
    pub place: Place,
    /// What is set above the files.
    #[command(flatten)]
    pub above: Above,
}

/// What computes, and how: what it says goes before `crisscross.toml`. Nothing of it changes a result beyond rounding.
#[derive(Clone, Debug, Default, Args)]
pub struct Machine {
    /// `cpu`, `cuda` or `cuda:1`; by default as the site file says, else the first GPU, else the CPU
    #[arg(long)]
    pub device: Option<String>,
    /// Whether a GPU may round the factors of float32 products to TF32; by default as the site file says, else it may not
    #[arg(long, value_enum)]
    pub tf32: Option<Switch>,
    /// How maps lie in a GPU's memory in training steps; by default as the site file says, else `auto`
    #[arg(long, value_name = "FORMAT", value_parser = MemoryFormat::ALL.map(MemoryFormat::name))]
    pub memory_format: Option<String>,
}

impl Machine {
    /// The same as arguments.
    pub fn arguments(&self) -> Vec<OsString> {
        let given = [
            ("--device", self.device.as_deref()),
            ("--tf32", self.tf32.map(Switch::name)),
            ("--memory-format", self.memory_format.as_deref()),
        ];
        let given = given
            .into_iter()
            .filter_map(|(name, value)| Some([name, value?]));
        given.flatten().map(OsString::from).collect()
    }
}

/// Something that is done or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Do it.
    On,
    /// Leave it.
    Off,
}

impl Switch {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }

    /// Whether it is on.
    pub fn is_on(self) -> bool {
        match self {
            Self::On => true,
            Self::Off => false,
        }
    }
}

/// `crisscross run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Only this row, `TABLE:ROW` with a number or label, only this table, or only the rows of this pretraining; may be repeated
    #[arg(long, value_name = "TABLE:ROW")]
    pub only: Vec<String>,
    /// What computes, and how.
    #[command(flatten)]
    pub machine: Machine,
    /// Whether a GPU is given a training step as one graph; by default as the site file says, else it is not
    #[arg(long, value_enum)]
    pub cuda_graph: Option<Switch>,
    /// Train with so many processes on this machine, each on its part of every batch and on a GPU of its own where there are some
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub ranks: Option<u16>,
    /// Samples of a batch that go through the networks at once, where that comes to the same: less memory, no other result. It takes
    /// `bn_group` in the pretraining
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub micro_batch: Option<u32>,
    /// Threads that decode and augment; by default one for each core. It never changes a result
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub loader_threads: Option<u16>,
    /// Train with this pass as well, which is not part of every step: `move_domain`, `batch_views` or `fuse_terms`; may be
    /// repeated. It changes speed and the last digits, not what is trained
    #[arg(long, value_name = "PASS")]
    pub pass: Vec<String>,
    /// Train rows one after another that could train side by side on the same batches. It never changes a result
    #[arg(long)]
    pub no_gang: bool,
    /// Try it first: two steps of each training, interrupted and taken up in between, few clips of each evaluation, the tables. Nothing of
    /// it is kept but a step that is not finite
    #[arg(long)]
    pub smoke: bool,
    /// Synthetic data and narrow networks under the same names: minutes on a laptop
    #[arg(long)]
    pub toy: bool,
    /// Where things are.
    #[command(flatten)]
    pub place: Place,
    /// What is set above the files.
    #[command(flatten)]
    pub above: Above,
}

/// `crisscross report`.
#[derive(Clone, Debug, Args)]
pub struct Report {
    /// The files; a folder stands for all `.cc` files below it
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// As the ending of `--out` says if left out, else text for a terminal
    #[arg(long, value_enum)]
    pub format: Option<ReportFormat>,
    /// Write there instead of to standard output; of several HTML pages and of figures, the folder for them
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Write HTML pages again whenever something changes in the folder of run folders, until Ctrl-C; they reload themselves
    #[arg(long)]
    pub watch: bool,
    /// The results of `run --toy`
    #[arg(long)]
    pub toy: bool,
    /// Where things are.
    #[command(flatten)]
    pub place: Place,
    /// What is set above the files.
    #[command(flatten)]
    pub above: Above,
}

/// Forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Markdown
    Md,
    /// LaTeX
    Tex,
    /// One line per number
    Csv,
    /// Everything, for programs
    Json,
    /// A page for each file, which stands alone
    Html,
    /// The figures alone, each as SVG, PNG and CSV, charts as Vega-Lite too
    Figures,
}

/// `crisscross replay`.
#[derive(Debug, Args)]
#[command(
    after_help = "Ends with 0 where the step is reproduced, with 1 where it is not. docs/watching.md says what is printed."
)]
pub struct Replay {
    /// The folder of a kept step, `runs/failed-...`, or with `--step` the run folder of a pretraining, finished or not
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The step, counted from 0 over all epochs; the run is trained again as far as that
    #[arg(long, value_name = "N")]
    pub step: Option<u64>,
    /// Name the operation of the backward pass that gives the first NaN
    #[arg(long)]
    pub anomaly: bool,
    /// What computes, and how.
    #[command(flatten)]
    pub machine: Machine,
    /// The site file; by default the nearest `crisscross.toml` here or above
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
}

/// `crisscross import`.
#[derive(Debug, Args)]
#[command(
    after_help = "docs/weights.md says which files can be read, and what becomes of each name. No code in a file is ever run."
)]
pub struct Import {
    /// Files that `torch.save` has written (`.pth`, `.pt`, `.pth.tar`, of any version), or safetensors: a state dict, or a dict that holds
    /// one. Several where each holds a network
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The pretraining that they are: `FILE.cc:NAME`, `FILE.cc:TABLE:ROW`, or a name of the prelude. Whatever asks for it evaluates these
    /// weights
    #[arg(long = "as", required = true, value_name = "NAME")]
    pub pretraining: String,
    /// Whose weights they are where their names do not say it: `v`, `a`, or a network such as `video_backbone`
    #[arg(long, value_name = "NETWORK")]
    pub network: Option<String>,
    /// Say what would be imported, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// A table for people, or one JSON object with all names
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// The pretraining of the toy profile
    #[arg(long)]
    pub toy: bool,
    /// Where things are.
    #[command(flatten)]
    pub place: Place,
    /// What is set above the files.
    #[command(flatten)]
    pub above: Above,
}

/// `crisscross export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The run folder of a pretraining, or its name: `FILE.cc:NAME`, `FILE.cc:TABLE:ROW`
    #[arg(value_name = "RUN|NAME")]
    pub what: String,
    /// Whose names the weights get
    #[arg(long, value_enum, default_value = "authors")]
    pub names: WeightNames,
    /// One network alone, such as `v` or `audio_backbone`: its names then have no network before them
    #[arg(long, value_name = "NETWORK")]
    pub network: Option<String>,
    /// The state after this epoch, where the run has kept it; by default that of the row, else the end
    #[arg(long, value_name = "N")]
    pub epoch: Option<u32>,
    /// The file; by default `weights-NAMES.safetensors`
    #[arg(long, value_name = "FILE.safetensors")]
    pub to: Option<PathBuf>,
    /// The pretraining of the toy profile
    #[arg(long)]
    pub toy: bool,
    /// Where things are.
    #[command(flatten)]
    pub place: Place,
    /// What is set above the files.
    #[command(flatten)]
    pub above: Above,
}

/// `crisscross features`.
#[derive(Debug, Args)]
#[command(after_help = "docs/weights.md says what is in the file.")]
pub struct Features {
    /// A folder with video or sound files, or a data set of the site file. Classes and splits are those that its folders or lists show
    #[arg(value_name = "DIR|NAME")]
    pub data: String,
    /// The run folder of a pretraining, or its name: `FILE.cc:NAME`, `FILE.cc:TABLE:ROW`
    #[arg(long, required = true, value_name = "RUN|NAME")]
    pub weights: String,
    /// The evaluation whose clip and chain of features are used: `linear8`, `linear2s`, `FILE.cc:NAME`
    #[arg(long, required = true, value_name = "EVAL")]
    pub eval: String,
    /// The clips that the evaluation trains on, augmented, in place of those that it tests on
    #[arg(long)]
    pub augmented: bool,
    /// The state after this epoch, where the run has kept it; by default that of the row, else the end
    #[arg(long, value_name = "N")]
    pub epoch: Option<u32>,
    /// The file: `.safetensors`, or `.npz` for NumPy
    #[arg(long, value_name = "FILE", default_value = "features.safetensors")]
    pub to: PathBuf,
    /// What computes, and how.
    #[command(flatten)]
    pub machine: Machine,
    /// Threads that decode; by default one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub loader_threads: Option<u16>,
    /// The pretraining of the toy profile
    #[arg(long)]
    pub toy: bool,
    /// Where things are.
    #[command(flatten)]
    pub place: Place,
}

/// `crisscross ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// Only runs whose label or folder holds this text, or whose stage begins with it; of several all must
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
    /// Only runs of this kind; may be repeated
    #[arg(long, value_parser = ["pretrain", "extract", "finetune", "score", "draw"])]
    pub kind: Vec<String>,
    /// Only runs in this state; may be repeated
    #[arg(long, value_parser = State::ALL.map(State::name))]
    pub state: Vec<String>,
    /// What comes first
    #[arg(long, value_enum, default_value = "age")]
    pub sort: Order,
    /// A table for people, or a JSON array with a path for each run
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Where things are.
    #[command(flatten)]
    pub place: Place,
}

/// Orders of a list of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// The youngest
    Age,
    /// By folder
    Name,
    /// The largest
    Size,
    /// The best score
    Score,
}

/// `crisscross compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// The folder of a run, a row `FILE.cc:TABLE:ROW`, or a pretraining `FILE.cc:NAME`
    #[arg(value_name = "A")]
    pub left: String,
    /// The same; `TABLE:ROW` alone is one of the file of A
    #[arg(value_name = "B")]
    pub right: String,
    /// Text for people, or one JSON object
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Rows of the toy profile
    #[arg(long)]
    pub toy: bool,
    /// Where things are.
    #[command(flatten)]
    pub place: Place,
    /// What is set above the files.
    #[command(flatten)]
    pub above: Above,
}

/// Whose names weights get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WeightNames {
    /// As in the run folder
    Ours,
    /// Those of the released code's networks
    Authors,
    /// Those of torchvision's ResNet, where the network is one
    Torchvision,
}

/// `crisscross query`.
#[derive(Debug, Args)]
pub struct Query {
    /// The question: `deps(NAME)`, `rdeps(NAME)`, `shared(NAME, NAME)`, or `rows` or `pretrains`, `where` a condition holds, such as
    /// `rows where loss has async and bs >= 1024`; NAME is a table, a row `table1:3`, a file `fig4`, or a declaration
    pub question: String,
    /// The files; by default those of the nearest folder `experiments`, here or above
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// `crisscross doc`.
#[derive(Debug, Args)]
pub struct Doc {
    /// Files, beside the shipped modules (`paper`, `released`, `toy`), which are always there
    #[arg(value_name = "FILE|MODULE")]
    pub what: Vec<PathBuf>,
    /// The folder of the pages: new, empty, or written by `doc` before
    #[arg(long, value_name = "DIR", default_value = "doc")]
    pub out: PathBuf,
}

/// Values above all files.
#[derive(Clone, Debug, Args)]
pub struct Above {
    /// Set a field of every pretraining and row, above all that the files say: `--set bs=64`, `--set v.lr_b='cosine(0.0001 -> 0)'`;
    /// may be repeated. It changes what is asked for as an edit of the files would
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
}

/// Where things are on this machine.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// The folder of run folders; by default as the site file says, else `runs`
    #[arg(long, value_name = "DIR")]
    pub runs: Option<PathBuf>,
    /// The site file; by default the nearest `crisscross.toml` here or above
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
}

/// `crisscross data`.
#[derive(Debug, Subcommand)]
pub enum Data {
    /// List data sets, open the files that are new, and keep what is found in the cache folder
    Index(DataIndex),
    /// Say what data sets hold, and how many clips each row of files can use and why not the others
    Stats(DataStats),
    /// Open and decode every file and say what is in it
    Check(DataCheck),
    /// Draw what the training step of a row gets of a sample: frames and spectrograms after augmentation, with their times
    Show(DataShow),
    /// Write a page for each augmentation: what it does, its parameters and values, and pictures of it
    Links(DataLinks),
    /// Pack the files of a data set into tar shards, re-scaled once: what a GPU is fed from
    Pack(DataPack),
}

/// `crisscross data index`.
#[derive(Debug, Args)]
pub struct DataIndex {
    /// Data sets of the site file
    #[arg(
        required_unless_present = "all",
        conflicts_with = "all",
        value_name = "NAME"
    )]
    pub names: Vec<String>,
    /// All data sets of the site file
    #[arg(long)]
    pub all: bool,
    /// The site file; by default the nearest `crisscross.toml` here or above
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
}

/// `crisscross data stats`.
#[derive(Debug, Args)]
pub struct DataStats {
    /// Files, or data sets of the site file
    #[arg(required = true, value_name = "FILE.cc|NAME")]
    pub what: Vec<String>,
    /// Text for people, or one JSON object
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Synthetic data and narrow networks under the same names: minutes on a laptop
    #[arg(long)]
    pub toy: bool,
    /// Values above the files
    #[command(flatten)]
    pub above: Above,
    /// The site file; by default the nearest `crisscross.toml` here or above
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
}

/// `crisscross data check`.
#[derive(Debug, Args)]
pub struct DataCheck {
    /// A data set of the site file, a folder, or files
    #[arg(required = true, value_name = "NAME|DIR|FILE")]
    pub what: Vec<String>,
    /// Text for people, or one JSON object per file and line
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// The site file; by default the nearest `crisscross.toml` here or above
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
}

/// `crisscross data show`.
#[derive(Debug, Args)]
pub struct DataShow {
    /// The file, or a pretraining or row: `FILE.cc:NAME`, `FILE.cc:TABLE:ROW`
    #[arg(value_name = "FILE|NAME")]
    pub what: String,
    /// The row of a file: its number in the first table, `TABLE:ROW` with a number or label, or a pretraining; without it the first
    #[arg(long, value_name = "ROW")]
    pub row: Option<String>,
    /// The first sample, by its place in the epoch: sample 0 is the first of the first batch
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub sample: u64,
    /// So many samples, one below the other
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=16))]
    pub samples: u64,
    /// The epoch, from 0
    #[arg(long, value_name = "E", default_value_t = 0)]
    pub epoch: u64,
    /// The frames as decoded and the spectrograms of the sound as decoded, too
    #[arg(long)]
    pub raw: bool,
    /// The picture, PNG
    #[arg(long, value_name = "FILE", default_value = "sheet.png")]
    pub out: PathBuf,
    /// The row of the toy profile, on rendered clips
    #[arg(long)]
    pub toy: bool,
    /// The site file; by default the nearest `crisscross.toml` here or above
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// What is set above the files.
    #[command(flatten)]
    pub above: Above,
}

/// `crisscross data links`.
#[derive(Debug, Args)]
pub struct DataLinks {
    /// Show this clip: the first file with pictures and the first with sound; a rendered clip without
    #[arg(long, value_name = "FILE")]
    pub clip: Vec<PathBuf>,
    /// The folder of the pages; files of the same names in it are replaced
    #[arg(long, value_name = "DIR", default_value = "augmentations")]
    pub out: PathBuf,
}

/// `crisscross data pack`.
#[derive(Debug, Args)]
pub struct DataPack {
    /// The data set: a name that the prelude declares, or `FILE.cc:NAME`; `crisscross.toml` says where its files lie
    #[arg(value_name = "NAME|FILE.cc:NAME")]
    pub what: String,
    /// The folder of the shards. The same command goes on with an unfinished pack, and keeps its finished shards
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Pixels of the shorter side of the frames, or `native`; frames are never enlarged
    #[arg(long, value_name = "PIXELS", default_value = "128")]
    pub short_side: String,
    /// Frames per second, or `native` for every frame at its own time
    #[arg(long, value_name = "FPS", default_value = "16fps")]
    pub rate: String,
    /// Quality of JPEG
    #[arg(long, value_name = "1-100", default_value_t = 85, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub quality: u8,
    /// The sample rate of the sound; experiments that read shards must have the same
    #[arg(long, value_name = "HZ", default_value = "16kHz")]
    pub sound_rate: String,
    /// Clips in a shard
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub clips_per_shard: u32,
    /// Threads that decode and encode; by default as the site file says, else one for each core. The bytes do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Read all of the shards once more: each against its hash, each frame decoded
    #[arg(long)]
    pub verify: bool,
    /// The site file; by default the nearest `crisscross.toml` here or above
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
}

/// `crisscross doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The site file; by default the nearest `crisscross.toml` here or above
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
}

/// `crisscross bench`.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Make the batches of a row's pretraining from the data of this machine, without training, and say what they cost
    Data(BenchData),
    /// Take training steps of a row's pretraining on noise, without data, and say what they cost
    Step(BenchStep),
}

/// `crisscross bench data`.
#[derive(Debug, Args)]
pub struct BenchData {
    /// The file, or a pretraining or row: `FILE.cc:NAME`, `FILE.cc:TABLE:ROW`
    #[arg(value_name = "FILE|NAME")]
    pub what: String,
    /// The row of a file: its number in the first table, `TABLE:ROW` with a number or label, or a pretraining; without it the first
    #[arg(long, value_name = "ROW")]
    pub row: Option<String>,
    /// Batches of each repetition; one repetition before the first warms up
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub batches: u32,
    /// Repetitions; medians are printed
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub repetitions: u32,
    /// Threads that decode and augment; by default as the site file says, else one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// `raw` stops at the decoded batch of 8-bit frames and samples of sound, what the processor does where a GPU augments
    #[arg(long, value_enum, default_value = "views")]
    pub up_to: UpTo,
    /// Text for people, or one JSON object
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// The row of the toy profile
    #[arg(long)]
    pub toy: bool,
    /// The site file; by default the nearest `crisscross.toml` here or above
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// What is set above the files.
    #[command(flatten)]
    pub above: Above,
}

/// `crisscross bench step`.
#[derive(Debug, Args)]
pub struct BenchStep {
    /// The file, or a pretraining or row: `FILE.cc:NAME`, `FILE.cc:TABLE:ROW`
    #[arg(value_name = "FILE|NAME")]
    pub what: String,
    /// The row of a file: its number in the first table, `TABLE:ROW` with a number or label, or a pretraining; without it the first
    #[arg(long, value_name = "ROW")]
    pub row: Option<String>,
    /// The arithmetic, as `--set precision=...`
    #[arg(long, value_name = "PRECISION")]
    pub precision: Option<String>,
    /// Steps that count; medians are printed
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: u32,
    /// Steps before them
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub warm_up: u32,
    /// What computes, and how.
    #[command(flatten)]
    pub machine: Machine,
    /// Whether a GPU is given a training step as one graph; it is measured beside the step kernel by kernel
    #[arg(long, value_enum)]
    pub cuda_graph: Option<Switch>,
    /// Threads of libtorch; by default one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Leave out what the device can do at most, and the share of it that the step reaches
    #[arg(long)]
    pub no_peak: bool,
    /// With this pass as well, which is not part of every step; may be repeated
    #[arg(long, value_name = "PASS")]
    pub pass: Vec<String>,
    /// Text for people, or one JSON object
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// The row of the toy profile
    #[arg(long)]
    pub toy: bool,
    /// The site file; by default the nearest `crisscross.toml` here or above
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// What is set above the files.
    #[command(flatten)]
    pub above: Above,
}

/// How far a batch is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UpTo {
    /// Decoded, not augmented
    Raw,
    /// Augmented
    Views,
}
