//! What is printed of a closed pretraining, read back, closes to the same.

use compiler::hir::{Data, Pretrain, Program, Protocol};
use compiler::{Profile, check, sources, written};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../experiments/");

#[allow(clippy::disallowed_methods)] // the experiments of this repository
fn read(name: &str) -> Option<String> {
    std::fs::read_to_string(format!("{FOLDER}{name}")).ok()
}

fn program(text: &str) -> Program {
    let mut sources = sources();
    let root = sources.add("test.cc", text);
    let resolve = |_: &str, path: &str| Some((path.to_owned(), read(path)?));
    let (program, found) = check(&mut sources, root, &resolve, Profile::Full);
    program.unwrap_or_else(|| panic!("{text}\n{found:#?}"))
}

/// Its loss keeps a state, which only a `let` can hold.
fn keeps_a_state(of: &Pretrain) -> bool {
    let fields = written::pretrain(of);
    fields.iter().any(|(path, text)| {
        path == "loss"
            && (text.contains("memory(") || text.contains("ema(") || text.contains("linear("))
    })
}

#[test]
fn printed_pretrainings_close_to_the_same() {
    let mut texts = vec![
        "use paper\npretrain one = crisscross\npretrain two = crisscross_k400\npretrain three = crisscross_as\n".to_owned(),
        "use released\npretrain one = crisscross\npretrain two = crisscross_k400\npretrain three = crisscross_as\n".to_owned(),
    ];
    #[allow(clippy::disallowed_methods)] // the experiments of this repository
    for entry in std::fs::read_dir(FOLDER).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".cc") {
            texts.extend(read(&name));
        }
    }
    let mut count = 0;
    for text in texts {
        let program = program(&text);
        let rows = program.tables.iter().flat_map(|table| &table.rows);
        for row in rows.filter(|row| !keeps_a_state(&row.pretrain)) {
            let again = written::file("it", &row.pretrain);
            let read = &self::program(&again).pretrains[0].pretrain;
            let mut wanted = row.pretrain.as_ref().clone();
            // A synthetic set has no name, and a modality that shares a network has its layers by name.
            if let (Data::Synthetic(of), Data::Synthetic(found)) = (&mut wanted.data, &read.data) {
                of.streams = found.streams.clone();
            }
            assert_eq!(*read, wanted, "{again}");
            count += 1;
        }
    }
    assert!(count > 60, "{count} pretrainings");
}

#[test]
fn values_print_with_their_units() {
    let program = program("use paper\npretrain x = crisscross\n");
    let fields = written::pretrain(&program.pretrains[0].pretrain);
    let text = |path: &str| &fields.iter().find(|(known, _)| known == path).unwrap().1;
    assert_eq!(text("modality v"), "video(clip: 8x112px @ 16fps)");
    assert_eq!(
        text("modality a"),
        "audio(clip: 2s @ 16kHz, spectrogram: logmel(bands: 80, hop: 10ms, fft: 1024samples, centre: no))"
    );
    assert_eq!(
        text("relax"),
        "windows(within: overlap(50%, of: each), across: inside)"
    );
    assert_eq!(text("v.lr_b"), "cosine(0.0002 -> 0, warmup: 2ep)");
    assert_eq!(text("optim"), "adam(betas: (0.9, 0.999), wd: 0.0001)");
    assert_eq!(text("es"), "220K");
    assert!(text("loss").starts_with("-1/12 * cos("), "{}", text("loss"));
}

#[test]
fn printed_protocols_close_to_the_same() {
    let mut count = 0;
    let names = ["table1.cc", "table4.cc", "table6.cc", "table8.cc"];
    let mut texts: Vec<String> = names.map(|name| read(name).unwrap()).to_vec();
    texts.push(
        "use paper\nuse \"downstream.cc\"\ntable t { of = crisscross   scores = [retrieval on UCF101]\n  row\n}\n".to_owned(),
    );
    for text in texts {
        let program = program(&text);
        for (_, wanted) in program.tables.iter().flat_map(|table| &table.scores) {
            let Protocol::Single(_) = wanted else {
                continue;
            };
            let lines = written::protocol(wanted).into_iter();
            let lines: String = lines
                .map(|(path, text)| format!("  {path} = {text}\n"))
                .collect();
            let again = format!("use paper\neval it {{\n{lines}}}\n");
            let (_, found) = &self::program(&again).evals[0];
            assert_eq!(found, wanted, "{again}");
            count += 1;
        }
    }
    assert!(count > 10, "{count} protocols");
}
