//! Ranks as threads of one process, which libtorch serves as well as processes.

use records::launch::Launch;
use runtime::data::batch::Clips;
use runtime::ranks::Ranks;
use runtime::ranks::ffi::Store;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tch::Device;

/// The clips of this rank's part of a batch.
pub fn own_clips(whole: &Clips, ranks: &Ranks) -> Clips {
    let count = whole.own.len() / ranks.count();
    Clips {
        own: whole.own[count * ranks.rank()..][..count].to_vec(),
        all: Arc::clone(&whole.all),
    }
}

/// What `work` gives on each of several ranks.
pub fn together<T: Send>(ranks: usize, work: impl Fn(&Ranks) -> T + Sync) -> Vec<T> {
    let store = Store::serve(0, "", Duration::from_secs(60)).unwrap();
    let joined = |rank| {
        // The ranks do not take the cores from one another.
        runtime::ffi::one_thread().unwrap();
        let launch = Launch {
            rank,
            ranks,
            local_rank: rank,
            local_ranks: ranks,
            host: "127.0.0.1".to_owned(),
            port: store.port(),
            served: Some("/crisscross/0".to_owned()),
            has_own_cores: false,
        };
        let ranks = Ranks::join(&launch, Device::Cpu, BTreeMap::new(), &|_| ()).unwrap();
        let outcome = work(&ranks);
        if ranks.check().is_ok() {
            ranks.finish().unwrap();
        }
        outcome
    };
    thread::scope(|scope| {
        let threads = (0..ranks).map(|rank| {
            let joined = &joined;
            scope.spawn(move || joined(rank))
        });
        let threads: Vec<_> = threads.collect();
        let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
        outcomes.collect()
    })
}
