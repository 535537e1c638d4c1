//! The parts of a training step, on one thread: networks at toy size, terms of the loss, LARC. docs/performance.md says how to run it;
//! the paper's networks are measured by `crisscross bench step`.

#![allow(clippy::unwrap_used)] // whatever fails here is a mistake of ours

use compiler::hir::{self, Pretrain};
use compiler::units::Exact;
use compiler::{Profile, check, passes, plan, sources};
use criterion::{Criterion, criterion_group, criterion_main};
use runtime::bench::step::noise;
use runtime::execute::Program;
use runtime::loss;
use runtime::nn::Model;
use runtime::optim::Optimiser;
use runtime::train::{gradients, groups};
use tch::{Device, Kind, Tensor};

const QUICKSTART: &str = include_str!("../../experiments/quickstart.cc");
const FLOATS: (Kind, Device) = (Kind::Float, Device::Cpu);

/// The last row of the quickstart, `intra + sync + async`, within the bounds of the toy profile.
fn small() -> Pretrain {
    let mut sources = sources();
    let root = sources.add("quickstart.cc", QUICKSTART);
    let (program, found) = check(&mut sources, root, &|_, _| None, Profile::Toy);
    let program = program.unwrap_or_else(|| panic!("{found:?}"));
    let row = program.tables[0].rows.last().unwrap();
    row.pretrain.as_ref().clone()
}

fn step(c: &mut Criterion) {
    tch::set_num_threads(1);
    let settings = small();
    let work = plan::Pretrain {
        steps: passes::build(&settings).0.steps().into(),
        settings: settings.into(),
        keep: vec![],
    };
    let program = Program::new(&work).unwrap();
    let model = Model::new(&work.settings, program.groups(), Device::Cpu).unwrap();
    let groups = groups(&work.settings, &model).unwrap();
    let batch = noise(&work, Device::Cpu).unwrap();
    let forward = || program.forward(&model, &batch, Device::Cpu).unwrap();
    let mut group = c.benchmark_group("step");
    group.sample_size(20);
    group.bench_function("forward", |b| b.iter(forward));
    group.bench_function("forward and backward", |b| {
        b.iter(|| gradients(&forward().objective, &groups).unwrap());
    });
    group.finish();
}

/// The twelve terms of `intra + sync + async` over four views, batches of 64, and their gradients.
fn terms(c: &mut Criterion) {
    tch::set_num_threads(1);
    tch::manual_seed(0);
    let four = || -> Vec<Tensor> { (0..4).map(|_| Tensor::randn([64, 512], FLOATS)).collect() };
    let predicted: Vec<Tensor> = four()
        .into_iter()
        .map(|p| p.set_requires_grad(true))
        .collect();
    let embedded = four();
    let pairs = || (0..4).flat_map(|p| (0..4).filter(move |z| *z != p).map(move |z| (p, z)));
    let back = |objective: Tensor| Tensor::f_run_backward(&[objective], &predicted, false, false);
    let mut group = c.benchmark_group("twelve cosines");
    group.bench_function("one by one", |b| {
        b.iter(|| {
            let cos = |(p, z): (usize, usize)| loss::cos(&predicted[p], &embedded[z]);
            let terms: Vec<Tensor> = pairs().map(cos).collect();
            back(Tensor::stack(&terms, 0).sum(None)).unwrap()
        });
    });
    let as_matrix: Vec<(u32, u32)> = pairs().map(|(p, z)| (p as u32, z as u32)).collect();
    let (firsts, seconds): (Vec<_>, Vec<_>) =
        (predicted.iter().collect(), embedded.iter().collect());
    group.bench_function("as one matrix", |b| {
        b.iter(|| back(loss::cosines(&firsts, &seconds, &as_matrix).sum(None)).unwrap());
    });
    group.finish();
}

/// A step over the parameters of the toy networks.
fn optimisers(c: &mut Criterion) {
    tch::set_num_threads(1);
    tch::manual_seed(0);
    let settings = small();
    let program = Program::new(&plan::Pretrain {
        steps: passes::build(&settings).0.steps().into(),
        settings: settings.clone().into(),
        keep: vec![],
    });
    let model = Model::new(&settings, program.unwrap().groups(), Device::Cpu).unwrap();
    let parameters: Vec<Tensor> = model.groups().flat_map(|(_, learned)| learned).collect();
    let gradients: Vec<Tensor> = parameters
        .iter()
        .map(|p| p.randn_like().detach() * 0.1)
        .collect();
    let adam = hir::Optimiser::Adam {
        betas: (Exact::new(9, 10), Exact::new(999, 1_000)),
        wd: Exact::new(1, 10_000),
    };
    let larc = hir::Optimiser::Larc {
        inner: Box::new(adam.clone()),
        trust: Exact::new(1, 1_000),
    };
    let mut group = c.benchmark_group("optimiser");
    for (name, settings) in [("Adam", adam), ("LARC over Adam", larc)] {
        let own = parameters.iter().map(|p| p.detach().copy()).collect();
        let mut optimiser = Optimiser::new(&settings, own).unwrap();
        group.bench_function(name, |b| {
            b.iter(|| optimiser.step(&gradients, 1e-4).unwrap())
        });
    }
    group.finish();
}

criterion_group!(benches, step, terms, optimisers);
criterion_main!(benches);
