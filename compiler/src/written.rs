//! Closed values as one would write them: the one printer behind `show`.
//!
//! What is printed of a pretraining or of a protocol of one modality, read back, closes to the same value. Names that a file has
//! for a value (`mild`, `MSC`, `proj`) are gone by then, so a policy prints as its windows and a chain as its augmentations.
//! Two things are for reading alone: a loss that keeps a state, which a file holds by a `let`, and a late fusion, whose parts a
//! file declares one by one.

mod chains;
mod figures;
mod losses;

pub use chains::chain;
pub(crate) use chains::link;
pub use figures::{at, drawing, highlight, in_short, overlap_axis, percentage};
pub(crate) use losses::{embedding, term};

use crate::hir::{
    Across, BatchNorm, Choose, Clip, Clips, Data, Eval, FeatureStep, Files, FlowMethod, Fusion,
    Head, Keep, Layer, Modality, Network, Optimiser, Pool, Precision, Pretrain, Protocol,
    Relaxation, Schedule, Score, Short, Within, Words,
};
use crate::units::Exact;

/// The fields of a pretraining with their text, in the order in which the prelude writes them: `("v.lr_b", "0.002")`.
///
/// `loss` has the weights that count, so `weights` is `exact`. The data set and the clips stand first, as declarations:
/// `("data KS", "videos(...)")`, `("modality v", "video(...)")`.
pub fn pretrain(pretrain: &Pretrain) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = vec![];
    let mut set = |path: &str, text: String| fields.push((path.to_owned(), text));
    for modality in &pretrain.modalities {
        set(
            &format!("modality {}", modality.name),
            self::modality(&modality.clip),
        );
    }
    set(
        &format!("data {}", data_name(&pretrain.data)),
        data(&pretrain.data),
    );
    set("data", data_name(&pretrain.data).to_owned());
    let names: Vec<&str> = pretrain
        .modalities
        .iter()
        .map(|m| m.name.as_str())
        .collect();
    set("modalities", format!("[{}]", names.join(", ")));
    set("views", pretrain.views.to_string());
    set("loss", losses::loss(&pretrain.loss));
    set("weights", "exact".to_owned());
    set("relax", relaxation(&pretrain.relax));
    for modality in &pretrain.modalities {
        for (name, text) in of_modality(modality) {
            set(&format!("{}.{name}", modality.name), text);
        }
    }
    set("bn", batch_norm(pretrain.bn).to_owned());
    if let Some(group) = pretrain.bn_group {
        set("bn_group", group.to_string());
    }
    set("bs", pretrain.bs.to_string());
    set("es", count(pretrain.es));
    set("ep", pretrain.ep.to_string());
    set("optim", optimiser(&pretrain.optim));
    // Each modality has its own rates above; these are the fields that every pretraining has.
    if let Some(first) = pretrain.modalities.first() {
        set("lr_b", schedule(&first.lr_b));
        set("lr_p", schedule(&first.lr_p));
    }
    set("precision", precision(pretrain.precision).to_owned());
    set("seed", pretrain.seed.to_string());
    fields
}

/// A file that declares this pretraining under a name, and nothing else: read back, it closes to the same value.
pub fn file(name: &str, of: &Pretrain) -> String {
    let fields = pretrain(of);
    let is_declaration = |path: &str| path.contains(' ');
    let lines = |wanted: bool, indent: &str| -> String {
        let lines = fields
            .iter()
            .filter(|(path, _)| is_declaration(path) == wanted);
        lines
            .map(|(path, text)| format!("{indent}{path} = {text}\n"))
            .collect()
    };
    let (declarations, fields) = (lines(true, ""), lines(false, "  "));
    format!("{declarations}pretrain {name} {{\n{fields}}}\n")
}

fn of_modality(modality: &Modality) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("augment", chains::chain(&modality.augment)),
        ("f", network(&modality.f)),
    ];
    fields.extend(modality.h.as_ref().map(|h| ("h", network(h))));
    fields.push(("lr_b", schedule(&modality.lr_b)));
    fields.push(("lr_p", schedule(&modality.lr_p)));
    fields
}

/// The fields of an evaluation with their text, in the order in which the prelude writes them.
pub fn protocol(protocol: &Protocol) -> Vec<(String, String)> {
    let named = |fields: Vec<(&str, String)>| {
        fields
            .into_iter()
            .map(|(path, text)| (path.to_owned(), text))
            .collect()
    };
    match protocol {
        Protocol::Single(eval) => named(single(eval)),
        Protocol::Fused(fusion) => fused(fusion),
    }
}

fn single(eval: &Eval) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("data", data_name(&eval.data).to_owned()),
        ("uses", eval.uses.clone()),
        ("clip", clip(&eval.clip)),
        ("train", clips(eval.train)),
        ("test", clips(eval.test)),
    ];
    if !eval.augment.links.is_empty() {
        fields.push(("augment", chains::chain(&eval.augment)));
    }
    if !matches!(eval.head, Head::Finetune(_)) {
        fields.push(("features", features(&eval.features)));
    }
    fields.extend(head(&eval.head));
    fields.push(("score", score(eval.score)));
    fields
}

fn fused(fusion: &Fusion) -> Vec<(String, String)> {
    let uses: Vec<&str> = fusion.parts.iter().map(|part| part.uses.as_str()).collect();
    let mut fields = vec![("uses".to_owned(), format!("[{}]", uses.join(", ")))];
    for part in &fusion.parts {
        let own = single(part).into_iter();
        let own = own.filter(|(name, _)| !matches!(*name, "uses" | "head" | "score"));
        fields.extend(own.map(|(name, text)| (format!("{}.{name}", part.uses), text)));
    }
    let whole = head(&fusion.head).into_iter();
    fields.extend(whole.map(|(name, text)| (name.to_owned(), text)));
    fields.push(("score".to_owned(), score(fusion.score)));
    fields
}

/// `video(clip: 8x112px @ 16fps)`, `audio(clip: 2s @ 16kHz, spectrogram: logmel(...))`.
pub fn modality(of: &Clip) -> String {
    match of {
        Clip::Video { .. } => format!("video(clip: {})", clip(of)),
        Clip::Audio { rate, mel, .. } => format!(
            "audio(clip: {}, spectrogram: logmel(bands: {}, hop: {}, fft: {}samples, centre: {}))",
            clip(of),
            mel.bands,
            duration(over(mel.hop, *rate)),
            mel.fft,
            if mel.centre { "yes" } else { "no" }
        ),
        Clip::Text {
            seconds,
            tokens,
            from: Words::Captions,
        } => format!(
            "text(clip: {}, tokens: {tokens}tokens, from: captions)",
            duration(*seconds)
        ),
        Clip::Flow {
            of,
            method: FlowMethod::Tvl1,
            ..
        } => format!("flow(of: {of}, method: tvl1)"),
    }
}

/// `8x112px @ 16fps`, `2s @ 16kHz`, for text `2s`.
pub fn clip(clip: &Clip) -> String {
    match clip {
        Clip::Video {
            frames, size, fps, ..
        }
        | Clip::Flow {
            frames, size, fps, ..
        } => {
            format!("{frames}x{size}px @ {}", measured(*fps, "fps"))
        }
        Clip::Text { seconds, .. } => duration(*seconds),
        Clip::Audio { samples, rate, .. } => sound(*samples, *rate),
    }
}

/// `2s @ 16kHz`; in samples where the seconds do not end.
pub fn sound(samples: u32, rate: Exact) -> String {
    let seconds = over(samples, rate).decimal();
    let length = if seconds.contains('/') {
        format!("{samples}samples")
    } else {
        format!("{seconds}s")
    };
    format!("{length} @ {}", frequency(rate))
}

fn over(ticks: u32, rate: Exact) -> Exact {
    Exact(Exact::whole(i128::from(ticks)).0 / rate.0)
}

/// A number with a unit: `16fps`, or `50 / 3 * 1fps` where its decimals do not end.
fn measured(value: Exact, unit: &str) -> String {
    let decimal = value.decimal();
    if decimal.contains('/') {
        format!("{} * 1{unit}", number(value))
    } else {
        format!("{decimal}{unit}")
    }
}

/// A plain number: `0.0002`, `1 / 3`.
fn number(value: Exact) -> String {
    value.decimal().replace('/', " / ")
}

/// Seconds, or milliseconds below one.
fn duration(seconds: Exact) -> String {
    let thousandth = seconds.times(Exact::whole(1000));
    match thousandth.filter(|_| seconds > Exact::whole(0) && seconds < Exact::whole(1)) {
        Some(ms) => measured(ms, "ms"),
        None => measured(seconds, "s"),
    }
}

fn frequency(rate: Exact) -> String {
    let thousands = Exact(rate.0 / Exact::whole(1000).0);
    if thousands < Exact::whole(1) || thousands.decimal().contains('/') {
        measured(rate, "Hz")
    } else {
        measured(thousands, "kHz")
    }
}

fn share(value: Exact) -> String {
    let percent = value.times(Exact::whole(100)).map(Exact::decimal);
    percent
        .filter(|text| !text.contains('/'))
        .map_or_else(|| number(value), |text| text + "%")
}

/// `22K`, `1.8M`, `512`.
fn count(value: u64) -> String {
    for (unit, size) in [("M", 1_000_000), ("K", 1000)] {
        if value >= size && value.is_multiple_of(size / 100) {
            let in_units = Exact::new(i128::from(value), i128::from(size));
            return in_units.decimal() + unit;
        }
    }
    value.to_string()
}

/// The name of a data set; a synthetic one has none of its own.
pub fn data_name(data: &Data) -> &str {
    match data {
        Data::Synthetic(_) => "synthetic",
        Data::Videos(files) | Data::Sounds(files) => &files.name,
    }
}

/// `videos(train: 22K, ...)`, `sounds(...)`, `synthetic(...)`.
pub fn data(data: &Data) -> String {
    match data {
        Data::Synthetic(set) => {
            let splits = if set.splits == 1 {
                String::new()
            } else {
                format!(", splits: {}", set.splits)
            };
            format!(
                "synthetic(clips: {}, classes: {}, length: {}, lag: {}, seed: {}{splits})",
                set.clips,
                set.classes,
                duration(set.length),
                duration(set.lag),
                set.seed
            )
        }
        Data::Videos(set) => format!("videos({})", files(set, true)),
        Data::Sounds(set) => format!("sounds({})", files(set, false)),
    }
}

fn files(set: &Files, is_video: bool) -> String {
    let mut parts = vec![format!("train: {}", count(set.train))];
    if set.classes > 0 {
        parts.push(format!("classes: {}", set.classes));
    }
    if is_video {
        parts.push(format!("requires: [{}]", set.requires.join(", ")));
    }
    if set.splits != 1 {
        parts.push(format!("splits: {}", set.splits));
    }
    let short = match set.short {
        Short::Skip => "skip",
        Short::Loop => "loop",
        Short::Pad => "pad",
        Short::Error => "error",
    };
    parts.push(format!("short: {short}"));
    if set.label != "label" {
        parts.push(format!("label: \"{}\"", set.label));
    }
    parts.extend(
        set.length
            .map(|length| format!("length: {}", duration(length))),
    );
    parts.extend(
        set.longer
            .map(|longer| format!("longer: {}", duration(longer))),
    );
    parts.join(", ")
}

/// `windows(within: overlap(50%, of: each), across: inside)`.
pub fn relaxation(relaxation: &Relaxation) -> String {
    let within = match &relaxation.within {
        Within::Same => "same".to_owned(),
        Within::Overlap { share: part, of } => {
            let of = of.as_deref().unwrap_or("each");
            format!("overlap({}, of: {of})", share(*part))
        }
        Within::Halves => "halves".to_owned(),
        Within::Offset(by) => format!("offset({})", duration(*by)),
        Within::OffsetMax => "offset(max)".to_owned(),
        Within::Independent => "independent".to_owned(),
    };
    let across = match relaxation.across {
        Across::Inside => "inside",
        Across::Start => "start",
        Across::Centre => "centre",
    };
    let same: String = relaxation
        .same
        .iter()
        .map(|m| format!(", {m}: same"))
        .collect();
    format!("windows(within: {within}, across: {across}{same})")
}

/// `fc(2048)-bn-relu`, `same(v.h)`.
pub fn network(network: &Network) -> String {
    if let Some(group) = &network.same {
        return format!("same({group})");
    }
    let layers = network.layers.iter().map(layer);
    layers.collect::<Vec<_>>().join("-")
}

/// `r2plus1d(depth: 18, width: 64)`, with the strides where they are not the paper's; `fc(2048)`.
pub fn layer(layer: &Layer) -> String {
    match layer {
        Layer::R2plus1d {
            depth,
            width,
            strides,
        } => format!(
            "r2plus1d(depth: {depth}, width: {width}{})",
            self::strides(*depth, strides)
        ),
        Layer::Resnet {
            depth,
            width,
            channels,
            strides,
        } => format!(
            "resnet(depth: {depth}, width: {width}, channels: {channels}{})",
            self::strides(*depth, strides)
        ),
        Layer::BagOfWords { vocab, width } => {
            format!(
                "bag_of_words(vocab: {}, width: {width})",
                count(u64::from(*vocab))
            )
        }
        Layer::Fc { width } => format!("fc({width})"),
        Layer::Bn => "bn".to_owned(),
        Layer::Relu => "relu".to_owned(),
        Layer::L2 => "l2".to_owned(),
    }
}

/// `, strides: (1, 2, 2, 1)`: one for each stage, or for each convolution where a later block has one of its own.
fn strides(depth: u32, of_blocks: &[u32]) -> String {
    if of_blocks.is_empty() {
        return String::new();
    }
    let of_stages = crate::graph::networks::by_stage(depth, of_blocks);
    let written = of_stages.map(Vec::from).unwrap_or_else(|| {
        let of_block = |stride: &u32| [*stride, 1];
        of_blocks.iter().flat_map(of_block).collect()
    });
    let written: Vec<String> = written.iter().map(u32::to_string).collect();
    format!(", strides: ({})", written.join(", "))
}

/// `cosine(0.0002 -> 0, warmup: 2ep)`, `0.002`.
pub fn schedule(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Constant(rate) => number(*rate),
        Schedule::Cosine { from, to, warmup } => {
            let warmup = if *warmup == Exact::whole(0) {
                String::new()
            } else {
                format!(", warmup: {}", measured(*warmup, "ep"))
            };
            format!("cosine({} -> {}{warmup})", number(*from), number(*to))
        }
        Schedule::Multistep {
            base,
            milestones,
            gamma,
        } => {
            let at: Vec<String> = milestones.iter().map(|m| measured(*m, "ep")).collect();
            format!(
                "multistep({}, ms: [{}], gamma: {})",
                number(*base),
                at.join(", "),
                number(*gamma)
            )
        }
        Schedule::Late { first, of } => {
            format!("late({}, first: {})", self::schedule(of), number(*first))
        }
    }
}

/// `adam(betas: (0.9, 0.999), wd: 0.0001)`.
pub fn optimiser(optimiser: &Optimiser) -> String {
    match optimiser {
        Optimiser::Adam {
            betas: (first, second),
            wd,
        } => format!(
            "adam(betas: ({}, {}), wd: {})",
            number(*first),
            number(*second),
            number(*wd)
        ),
        Optimiser::Sgd { mtm, wd } => format!("sgd(mtm: {}, wd: {})", number(*mtm), number(*wd)),
        Optimiser::Larc { inner, trust } => {
            format!(
                "larc({}, trust: {})",
                self::optimiser(inner),
                number(*trust)
            )
        }
    }
}

fn batch_norm(bn: BatchNorm) -> &'static str {
    match bn {
        BatchNorm::PerView => "per_view",
        BatchNorm::Joint => "joint",
    }
}

/// As a file has it.
pub fn precision(precision: Precision) -> &'static str {
    match precision {
        Precision::Amp => "amp",
        Precision::Fp32 => "fp32",
        Precision::Bf16 => "bf16",
        Precision::Fp16 => "fp16",
        Precision::Fp64 => "fp64",
    }
}

fn clips(clips: Clips) -> String {
    match clips {
        Clips::Random(n) => format!("random({n})"),
        Clips::Uniform(n) => format!("uniform({n})"),
        Clips::UniformWithin(n, seconds) => format!("uniform({n}, within: {})", duration(seconds)),
    }
}

fn features(steps: &[FeatureStep]) -> String {
    let steps = steps.iter().map(|step| format!(" - {}", feature(step)));
    format!("conv5{}", steps.collect::<String>())
}

/// `maxpool(1, 4, 4, stride: (1, 1, 1))`, `l2`.
pub fn feature(step: &FeatureStep) -> String {
    let sizes = |sizes: &[u32]| {
        sizes
            .iter()
            .map(u32::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match step {
        FeatureStep::MaxPool { kernel, stride } => {
            format!("maxpool({}, stride: ({}))", sizes(kernel), sizes(stride))
        }
        FeatureStep::L2 => "l2".to_owned(),
        FeatureStep::L2Vector => "l2(over: vector)".to_owned(),
        FeatureStep::Bn => "bn".to_owned(),
        FeatureStep::MeanClips => "mean(clips)".to_owned(),
    }
}

fn choose(choose: Choose) -> String {
    match choose {
        Choose::Test => "test".to_owned(),
        Choose::Val(part) => format!("val({})", share(part)),
        Choose::Folds(None) => "folds".to_owned(),
        Choose::Folds(Some(count)) => format!("folds({count})"),
    }
}

fn keep(keep: Keep) -> String {
    match keep {
        Keep::Last => "last".to_owned(),
        Keep::Best(on) => format!("best(split: {})", choose(on)),
    }
}

/// The fields by which a classifier is written.
pub fn classifier(of: &Head) -> Vec<(String, String)> {
    let fields = head(of).into_iter();
    fields.map(|(path, text)| (path.to_owned(), text)).collect()
}

fn head(head: &Head) -> Vec<(&'static str, String)> {
    match head {
        Head::Svm { costs, choose: on } => {
            let costs: Vec<String> = costs.iter().map(|cost| number(*cost)).collect();
            let (costs, split) = (costs.join(", "), choose(*on));
            vec![(
                "head",
                format!("svm(cost: best([{costs}], split: {split}))"),
            )]
        }
        Head::Linear(recipe) => {
            let said = [
                recipe.bs.map(|bs| format!(", bs: {bs}")),
                recipe
                    .optim
                    .as_ref()
                    .map(|optim| format!(", optim: {}", optimiser(optim))),
                recipe.drp.map(|drp| format!(", drp: {}", number(drp))),
                recipe.keep.map(|kept| format!(", keep: {}", keep(kept))),
            ];
            let said: String = said.into_iter().flatten().collect();
            let (ep, lr) = (recipe.ep, schedule(&recipe.lr));
            vec![("head", format!("linear(ep: {ep}, lr: {lr}{said})"))]
        }
        Head::Neighbours => vec![("neighbours", "knn(distance: cosine)".to_owned())],
        Head::Finetune(recipe) => {
            let pool = match recipe.pool {
                Pool::AdaptiveMax => "adaptive_max",
                Pool::AdaptiveMean => "adaptive_mean",
            };
            vec![
                ("tune", "all".to_owned()),
                ("pool", pool.to_owned()),
                ("head", "fc(classes)".to_owned()),
                ("bs", recipe.bs.to_string()),
                ("es", count(recipe.es)),
                ("ep", recipe.ep.to_string()),
                ("optim", optimiser(&recipe.optim)),
                ("lr", schedule(&recipe.lr)),
                ("drp", number(recipe.drp)),
                ("keep", keep(recipe.keep)),
            ]
        }
    }
}

/// `50ep`, or that it is the end.
pub fn checkpoint(epoch: Option<u32>) -> String {
    epoch.map_or_else(|| "the end".to_owned(), |epoch| format!("{epoch}ep"))
}

/// `top1(mean(clips))`, `recall(5)`.
pub fn score(score: Score) -> String {
    match score {
        Score::Top1 => "top1(mean(clips))".to_owned(),
        Score::Top5 => "top5(mean(clips))".to_owned(),
        Score::Recall(k) => format!("recall({k})"),
    }
}
