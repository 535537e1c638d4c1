//! Several processes that train as one: each steps on its part of every batch, with the statistics, the terms and the gradient of the
//! whole batch, so that weights and losses are those of one process up to rounding.
//!
//! Tensors go through c10d, Gloo between processors and NCCL between GPUs; everything else through the connections of
//! [`line`]. Rank 0 alone reads checkpoints, writes files and decides what is done next.

pub mod ffi;
pub mod gradients;
mod interfaces;
pub mod line;

use crate::data::loader::Part;
use crate::error::{Error, Result};
use ffi::{Group, Reach, Store};
use line::{Failed, Hello, Host, Line};
use records::launch::Launch;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tch::{Device, Tensor, no_grad};

/// How long a rank waits for the others at the start, and for a tensor: a rank that ends is noticed at once by other means.
const START: Duration = Duration::from_secs(300);
const PATIENCE: Duration = Duration::from_secs(1800);
/// How long a failure of another rank may take to be known here: transport errors often come before their reason.
const REASON: Duration = Duration::from_secs(3);
/// How long a process may take to end after a failure elsewhere before it is ended.
const GRACE: Duration = Duration::from_secs(4);
/// The same while it keeps what it has.
const HELD: Duration = Duration::from_secs(60);
/// Time between two looks for signals.
const LOOK: Duration = Duration::from_millis(100);

/// The key under which rank 0 says where its [`Host`] listens.
const LINE: &str = "line";

/// The ranks of a run as one of them sees them. Copies share the connections.
#[derive(Clone, Default)]
pub struct Ranks(Option<Arc<Several>>);

struct Several {
    rank: usize,
    count: usize,
    local: usize,
    group: Group,
    line: Line,
    /// How many keep something before the process ends.
    holds: Arc<AtomicUsize>,
    // The store serves the start, and NCCL later on.
    _store: Store,
}

/// See [`Ranks::hold`].
#[derive(Debug)]
pub struct Hold(Arc<AtomicUsize>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Ranks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.count())
    }
}

impl Ranks {
    /// One process.
    pub fn alone() -> Self {
        Self(None)
    }

    /// Meets the others. `equal` must be the same on all of them; tensors to be exchanged are on `device`. Where they are waited for, `say`
    /// is told whom for, and for how long.
    ///
    /// # Errors
    /// [`Error::Rank`]: ranks that do not come, or that run something else; a port, an address or a network interface that cannot be
    /// used.
    pub fn join(
        launch: &Launch,
        device: Device,
        equal: BTreeMap<String, String>,
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<Self> {
        let Launch { rank, ranks, .. } = *launch;
        let failed = |what: String| {
            Error::from(Failed {
                rank,
                what,
                is_said: true,
            })
        };
        let place = format!("{}:{}", launch.host, launch.port);
        let prefix = launch.served.as_deref().unwrap_or("/crisscross");
        let store = match (&launch.served, rank) {
            (None, 0) => Store::serve(launch.port, prefix, START).map_err(|cause| {
                failed(format!(
                    "cannot listen at port {}: {cause}; where another program does, choose one with MASTER_PORT",
                    launch.port
                ))
            }),
            _ => {
                let waits = || Store::reach(&launch.host, launch.port, prefix, START);
                waiting_for_rank_0(rank, &place, say, waits).map_err(|cause| {
                    failed(format!(
                        "does not reach the store at {place}: {cause}; look whether rank 0 runs, and whether MASTER_ADDR names its machine"
                    ))
                })
            }
        }?;
        let lost = |cause: tch::TchError| failed(format!("has lost the store at {place}: {cause}"));
        let hello = |token: &str| Hello {
            rank,
            ranks,
            host: crate::doctor::host(),
            pid: std::process::id(),
            token: token.to_owned(),
            equal,
        };
        let line = if rank == 0 {
            let system = |cause: std::io::Error| failed(format!("cannot listen: {cause}"));
            let host = Host::open(line::is_loopback(&launch.host)).map_err(system)?;
            let port = host.port().map_err(system)?;
            let token = token();
            store.set(LINE, &format!("{port} {token}")).map_err(lost)?;
            host.gather(&hello(&token), START, say)?
        } else {
            let waits = || store.get(LINE, START);
            let said = waiting_for_rank_0(rank, &place, say, waits).map_err(lost)?;
            let read = said.as_deref().and_then(|said| {
                let (port, token) = said.split_once(' ')?;
                Some((port.parse().ok()?, token.to_owned()))
            });
            let (port, token): (u16, String) = read.ok_or_else(|| {
                failed(format!(
                    "waited {} s for rank 0 at {place}: look at what it prints",
                    START.as_secs()
                ))
            })?;
            Line::join(&hello(&token), &launch.host, port)?
        };
        let told = |error: Error| {
            line.fail(&Failed {
                rank,
                what: format!("cannot exchange tensors: {error}"),
                is_said: true,
            });
            error
        };
        // Before they wait for one another where nobody sees a failure. Nor does anybody begin before rank 0 has found that all run the
        // same.
        interfaces::check(device).map_err(told)?;
        line.gather(true.into())?;
        line.broadcast((rank == 0).then(|| true.into()))?;
        let group = group(&store, launch, device, &line).map_err(told)?;
        Ok(Self(Some(Arc::new(Several {
            rank,
            count: ranks,
            local: launch.local_ranks,
            group,
            line,
            holds: Arc::default(),
            _store: store,
        }))))
    }

    /// The number of this rank.
    pub fn rank(&self) -> usize {
        self.0.as_ref().map_or(0, |several| several.rank)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |several| several.count)
    }

    /// How many of them keep what they hold in the memory of this device: those of the machine, or one on a GPU.
    pub fn sharing(&self, device: Device) -> u64 {
        match (device, &self.0) {
            (Device::Cuda(_), _) | (_, None) => 1,
            (_, Some(several)) => several.local as u64,
        }
    }

    /// How many there are as records say it: nothing for one process.
    pub fn recorded(&self) -> Option<u32> {
        let count = || u32::try_from(self.count()).unwrap_or(u32::MAX);
        (!self.is_alone()).then(count)
    }

    /// Whether this is rank 0, which writes and decides.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Whether there is one process alone.
    pub fn is_alone(&self) -> bool {
        self.0.is_none()
    }

    /// The samples of a batch of `bs` that each rank steps on.
    ///
    /// # Errors
    /// A batch that cannot be cut into equal parts.
    pub fn part_of(&self, bs: u32) -> Result<u32> {
        let count = u32::try_from(self.count()).unwrap_or(u32::MAX);
        if bs.is_multiple_of(count) {
            return Ok(bs / count);
        }
        Err(Error::Unsupported {
            message: format!(
                "a batch of {bs} cannot be cut into {count} equal parts: start as many ranks as divide it"
            ),
        })
    }

    /// The part of each batch that this rank reads.
    pub fn part(&self) -> Part {
        Part {
            number: self.rank() as u64,
            of: self.count() as u64,
        }
    }

    /// What sends tensors; nothing for one process.
    fn group(&self) -> Option<&Group> {
        self.0.as_ref().map(|several| &several.group)
    }

    /// The values of rank 0, in place, on all ranks.
    ///
    /// # Errors
    /// [`Error::Rank`], here and below: another rank failed.
    pub fn broadcast(&self, tensors: &[Tensor]) -> Result<()> {
        let Some(group) = self.group() else {
            return Ok(());
        };
        for tensor in tensors {
            // A copy with its values in a row; gradients have no say in it.
            let sent = no_grad(|| tensor.detach().contiguous());
            self.sent(group.broadcast(&sent, 0))?;
            no_grad(|| tensor.detach().f_copy_(&sent))?;
        }
        Ok(())
    }

    /// The tensors of all ranks, `[ranks, ...]`.
    ///
    /// # Errors
    /// As [`Ranks::broadcast`].
    pub fn gather(&self, tensor: &Tensor) -> Result<Tensor> {
        match self.group() {
            None => Ok(tensor.f_unsqueeze(0)?),
            Some(group) => self.sent(group.gather(tensor)),
        }
    }

    /// The rows of all ranks in their order, with their gradients.
    ///
    /// # Errors
    /// As [`Ranks::broadcast`].
    pub fn rows(&self, rows: &Tensor) -> Result<Tensor> {
        match self.group() {
            None => Ok(rows.shallow_clone()),
            Some(group) => self.sent(group.rows(rows)),
        }
    }

    /// The rows of this rank of those of all.
    pub fn own_rows(&self, rows: &Tensor) -> Tensor {
        let (rank, count) = (self.rank() as i64, self.count() as i64);
        let own = rows.size().first().copied().unwrap_or(0) / count;
        rows.narrow(0, rank * own, own)
    }

    /// The mean over the ranks, whose gradient goes through to each.
    ///
    /// # Errors
    /// As [`Ranks::broadcast`].
    pub fn mean(&self, value: &Tensor) -> Result<Tensor> {
        match self.group() {
            None => Ok(value.shallow_clone()),
            Some(group) => self.sent(group.mean(value)),
        }
    }

    /// BatchNorm over the rows of all ranks; `None` for one process, which needs nobody for it.
    pub fn norm(
        &self,
        x: &Tensor,
        learned: [&Tensor; 2],
        running: [&Tensor; 2],
        numbers: (f64, f64),
    ) -> Option<Tensor> {
        let normed = self.group()?.norm(x, learned, running, numbers);
        Some(normed.unwrap_or_else(|cause| {
            // Layers have no way to hand an error on.
            let error: Box<Error> = Box::new(self.reason(cause.into()));
            std::panic::resume_unwind(error)
        }))
    }

    /// Whether all ranks can go on, as far as is known.
    ///
    /// # Errors
    /// The failure of this rank or of another.
    pub fn check(&self) -> Result<()> {
        let failed = |several: &Arc<Several>| several.line.failure(Duration::ZERO);
        match self.0.as_ref().and_then(failed) {
            None => Ok(()),
            Some(failed) => Err(failed.into()),
        }
    }

    /// The value that rank 0 makes, on every rank; only there it is made.
    ///
    /// # Errors
    /// As [`Ranks::broadcast`].
    pub fn tell<T: Serialize + DeserializeOwned>(&self, make: impl FnOnce() -> T) -> Result<T> {
        let Some(several) = &self.0 else {
            return Ok(make());
        };
        let own = (several.rank == 0).then(|| written(&make()));
        read(several.line.broadcast(own)?)
    }

    /// The values of all ranks in their order, on every rank.
    ///
    /// # Errors
    /// As [`Ranks::broadcast`].
    pub fn collect<T: Serialize + DeserializeOwned>(&self, own: T) -> Result<Vec<T>> {
        let Some(several) = &self.0 else {
            return Ok(vec![own]);
        };
        let all = several.line.gather(written(&own))?;
        let all = several.line.broadcast(all.map(serde_json::Value::from))?;
        read(all)
    }

    /// The outcome of something that each rank does for itself: where one fails, all have failed.
    ///
    /// # Errors
    /// The own one, or another rank's as [`Error::Rank`].
    pub fn agree<T>(&self, own: Result<T>) -> Result<T> {
        if self.is_alone() {
            return own;
        }
        let texts = self.collect(own.as_ref().err().map(Error::in_full))?;
        let own = own?;
        match texts
            .into_iter()
            .enumerate()
            .find_map(|(rank, text)| Some((rank, text?)))
        {
            None => Ok(own),
            Some((rank, text)) => Err(Error::from(Failed {
                rank,
                what: format!("failed: {text}"),
                is_said: false,
            })),
        }
    }

    /// What ends the waiting for data: `asked` of one process; nothing of several, for none may go alone.
    pub fn stopper<'a>(&self, asked: &'a AtomicBool) -> &'a AtomicBool {
        static NEVER: AtomicBool = AtomicBool::new(false);
        if self.is_alone() { asked } else { &NEVER }
    }

    /// Brings signals to rank 0 from where they come: `number` is that of the first one here, `asked` is set on rank 0, which tells the
    /// others before the next step. For as long as the ranks are connected.
    pub fn relay(&self, number: &Arc<AtomicUsize>, asked: &Arc<AtomicBool>) {
        let Some(several) = &self.0 else {
            return;
        };
        let (several, number, asked) = (
            Arc::downgrade(several),
            Arc::clone(number),
            Arc::clone(asked),
        );
        std::thread::spawn(move || {
            while let Some(several) = several.upgrade() {
                let own = number.load(Ordering::Relaxed);
                if several.rank > 0 && own > 0 {
                    several.line.signal(own);
                    return;
                }
                let other = several.line.signalled();
                if several.rank == 0 && own == 0 && other > 0 {
                    number.store(other, Ordering::Relaxed);
                }
                if several.rank == 0 && own.max(other) > 0 {
                    asked.store(true, Ordering::Relaxed);
                    return;
                }
                drop(several);
                std::thread::sleep(LOOK);
            }
        });
    }

    /// Waits until the device `has_passed` something that other ranks have a part in. Where one of them has failed, what it would have sent
    /// never comes: the exchange is ended then, so that the device comes to the end of what it was given, and `false` says that not all
    /// of it may have been there.
    ///
    /// # Errors
    /// That failure, where the device does not come there even so.
    pub fn wait(&self, mut has_passed: impl FnMut() -> Result<bool>) -> Result<bool> {
        let mut ended: Option<(Instant, Failed)> = None;
        while !has_passed().map_err(|error| self.reason(error))? {
            match (&ended, &self.0) {
                (Some((since, failed)), _) if since.elapsed() >= REASON => {
                    return Err(failed.clone().into());
                }
                (None, Some(several)) => {
                    if let Some(failed) = several.line.failure(Duration::ZERO) {
                        let _ = several.group.abort();
                        ended = Some((Instant::now(), failed));
                    }
                }
                (Some(_), _) | (None, None) => {}
            }
            std::thread::sleep(crate::ffi::LOOK);
        }
        Ok(ended.is_none())
    }

    /// Until this is dropped, but for a minute at most, [`Ranks::end_with_others`] lets the process go on, which keeps what can be kept.
    pub fn hold(&self) -> Hold {
        let holds = self.0.as_ref().map(|several| Arc::clone(&several.holds));
        let holds = holds.unwrap_or_default();
        holds.fetch_add(1, Ordering::Relaxed);
        Hold(holds)
    }

    /// Ends this process with `end` some seconds after another rank has failed, where it does not end by itself: it may be waiting for
    /// that rank. `say` is called before, by one rank where the failing one has said nothing.
    pub fn end_with_others(
        &self,
        say: impl FnOnce(&str) + Send + 'static,
        end: impl FnOnce() + Send + 'static,
    ) {
        let Some(several) = &self.0 else {
            return;
        };
        let (watch, rank) = (several.line.watch(), several.rank);
        let holds = Arc::clone(&several.holds);
        std::thread::spawn(move || {
            let Some(failed) = watch() else {
                return;
            };
            let since = Instant::now();
            std::thread::sleep(GRACE);
            while holds.load(Ordering::Relaxed) > 0 && since.elapsed() < HELD {
                std::thread::sleep(LOOK);
            }
            let error = Error::from(failed);
            if error.is_for(rank) {
                say(&error.in_full());
            }
            end();
        });
    }

    /// Tells the others that this rank cannot go on because of `error`, unless it is their fault.
    pub fn fail(&self, error: &Error) {
        if let (Some(several), false) = (&self.0, matches!(error, Error::Rank { .. })) {
            several.line.fail(&Failed {
                rank: several.rank,
                what: format!("failed: {error}"),
                // The failing one prints it too; it may be another machine.
                is_said: several.rank == 0,
            });
            let _ = several.group.abort();
        }
    }

    /// Waits until all ranks are done.
    ///
    /// # Errors
    /// As [`Ranks::broadcast`].
    pub fn finish(&self) -> Result<()> {
        match &self.0 {
            None => Ok(()),
            Some(several) => Ok(several.line.finish()?),
        }
    }

    /// The failure of another rank behind an error that follows from it, if there is one.
    pub fn reason(&self, error: Error) -> Error {
        let failed = |several: &Arc<Several>| several.line.failure(REASON);
        match (&error, self.0.as_ref()) {
            (Error::Torch(_), Some(several)) => failed(several).map_or(error, Error::from),
            _ => error,
        }
    }

    /// What came of sending tensors.
    fn sent<T>(&self, outcome: std::result::Result<T, tch::TchError>) -> Result<T> {
        outcome.map_err(|cause| self.reason(cause.into()))
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        let Failed {
            rank,
            what,
            is_said,
        } = failed;
        Error::Rank {
            rank,
            what,
            is_said,
        }
    }
}

/// What `waits` gives, on another rank than 0; where it takes long, `say` is told once that it waits for rank 0.
fn waiting_for_rank_0<T>(
    rank: usize,
    place: &str,
    say: &(dyn Fn(&str) + Sync),
    waits: impl FnOnce() -> T,
) -> T {
    let line = format!(
        "rank {rank} waits for rank 0 at {place}, for {} s at most",
        START.as_secs()
    );
    let (is_over, over) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if over.recv_timeout(line::SOON) == Err(mpsc::RecvTimeoutError::Timeout) {
                say(&line);
            }
        });
        let waited = waits();
        drop(is_over);
        waited
    })
}

/// Joins the group that exchanges tensors on this device.
fn group(store: &Store, launch: &Launch, device: Device, line: &Line) -> Result<Group> {
    let place = (launch.rank, launch.ranks);
    if let Device::Cuda(index) = device {
        return nccl(store, place, index);
    }
    let reach = match interfaces::named(interfaces::GLOO) {
        Some(name) => Reach::Interface(name),
        None if launch.is_local() => Reach::Host("127.0.0.1".to_owned()),
        None => line
            .address()
            .map_or(Reach::Own, |address| Reach::Host(address.to_string())),
    };
    Group::gloo(store, place, &reach, PATIENCE).map_err(|cause| match reach {
        Reach::Interface(name) => interfaces::unusable(&name, &cause),
        Reach::Host(_) | Reach::Own => cause.into(),
    })
}

/// The group of NCCL, where the build has it.
#[cfg(has_cuda)]
pub(crate) fn nccl(store: &Store, place: (usize, usize), index: usize) -> Result<Group> {
    Ok(Group::nccl(store, place, index, PATIENCE)?)
}

/// The same where the build has none.
#[cfg(not(has_cuda))]
pub(crate) fn nccl(_store: &Store, _place: (usize, usize), index: usize) -> Result<Group> {
    Err(Error::Device {
        device: format!("cuda:{index}"),
        message: format!(
            "this build exchanges no tensors between GPUs: it was built where torch has no headers of NCCL; install the CUDA build of \
             torch=={} (with its packages nvidia-nccl-cu13, nvidia-cuda-runtime and triton) and build again, or use `--device cpu`",
            crate::device::TORCH_VERSION
        ),
    })
}

fn written<T: Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).expect("what ranks tell one another is plain data")
}

fn read<T: DeserializeOwned>(value: serde_json::Value) -> Result<T> {
    serde_json::from_value(value).map_err(|cause| {
        Error::from(Failed {
            rank: 0,
            what: format!("says what this rank did not ask: {cause}"),
            is_said: false,
        })
    })
}

/// What a stranger does not guess.
fn token() -> String {
    use std::hash::{BuildHasher, RandomState};
    // The keys of each state come from the system's source of random numbers.
    let word = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", word(), word())
}
