//! The functions of the C++ shim for several processes (`shim/ranks.cpp`, `shim/nccl.cpp`), safe to call.
#![allow(unsafe_code)]

#[cfg(has_cuda)]
use crate::ffi::cuda_symbol;
use crate::ffi::{checked, pointers, take};
use std::ffi::{CString, c_char, c_int};
use std::ptr;
use std::time::Duration;
use tch::{TchError, Tensor};
use torch_sys::C_tensor;

/// What the shim keeps of each.
#[repr(C)]
struct StoreState {
    opaque: [u8; 0],
}
#[repr(C)]
struct GroupState {
    opaque: [u8; 0],
}
#[repr(C)]
struct BucketsState {
    opaque: [u8; 0],
}
#[cfg(has_cuda)]
#[repr(C)]
struct InnerStore {
    opaque: [u8; 0],
}

type Message = *mut c_char;

unsafe extern "C" {
    fn shim_store_open(
        host: *const c_char,
        port: u16,
        serves: bool,
        prefix: *const c_char,
        timeout_ms: i64,
        opened: *mut *mut StoreState,
    ) -> Message;
    fn shim_store_port(of: *const StoreState) -> c_int;
    fn shim_store_close(of: *mut StoreState);
    fn shim_store_set(of: *mut StoreState, key: *const c_char, value: *const c_char) -> Message;
    fn shim_store_get(
        of: *mut StoreState,
        key: *const c_char,
        timeout_ms: i64,
        value: *mut *mut c_char,
    ) -> Message;
    #[cfg(has_cuda)]
    fn shim_store_inner(of: *mut StoreState) -> *mut InnerStore;
    fn shim_group_gloo(
        over: *mut StoreState,
        rank: c_int,
        ranks: c_int,
        place: *const c_char,
        is_interface: bool,
        timeout_ms: i64,
        joined: *mut *mut GroupState,
    ) -> Message;
    fn shim_group_leave(group: *mut GroupState);
    fn shim_group_abort(group: *mut GroupState) -> Message;
    fn shim_group_sum(group: *mut GroupState, tensor: *mut C_tensor) -> Message;
    fn shim_group_broadcast(group: *mut GroupState, tensor: *mut C_tensor, from: c_int) -> Message;
    fn shim_group_gather(
        group: *mut GroupState,
        tensor: *mut C_tensor,
        all: *mut *mut C_tensor,
    ) -> Message;
    fn shim_group_barrier(group: *mut GroupState) -> Message;
    fn shim_rows(group: *mut GroupState, rows: *mut C_tensor, all: *mut *mut C_tensor) -> Message;
    fn shim_mean(group: *mut GroupState, value: *mut C_tensor, mean: *mut *mut C_tensor)
    -> Message;
    fn shim_norm(
        group: *mut GroupState,
        x: *mut C_tensor,
        weight: *mut C_tensor,
        bias: *mut C_tensor,
        running_mean: *mut C_tensor,
        running_variance: *mut C_tensor,
        momentum: f64,
        eps: f64,
        normalised: *mut *mut C_tensor,
    ) -> Message;
    fn shim_buckets_new(
        group: *mut GroupState,
        leaves: *const *mut C_tensor,
        n: usize,
        made: *mut *mut BucketsState,
    ) -> Message;
    fn shim_buckets_free(of: *mut BucketsState);
    fn shim_buckets_lay(
        of: *mut BucketsState,
        order: *const usize,
        n: usize,
        first_bytes: usize,
        bytes: usize,
    ) -> Message;
    fn shim_buckets_begin(of: *mut BucketsState);
    fn shim_buckets_end(of: *mut BucketsState, gradients: *mut *mut C_tensor) -> Message;
    fn shim_buckets_came(of: *const BucketsState, order: *mut usize) -> usize;
}

/// A text as C has it; what stands behind a zero is cut off.
fn text(text: &str) -> CString {
    let until_zero = text.split('\0').next().unwrap_or_default();
    CString::new(until_zero).expect("it has no zero any more")
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn number(of: usize) -> c_int {
    c_int::try_from(of).unwrap_or(c_int::MAX)
}

/// A store of keys and texts that all ranks see.
pub struct Store(*mut StoreState);

// SAFETY: c10d's stores lock around each request.
unsafe impl Send for Store {}
// SAFETY: as above.
unsafe impl Sync for Store {}

impl Store {
    /// Opens the server at this port of the machine, at a free one where it is 0, together with a client of it.
    pub fn serve(port: u16, prefix: &str, patience: Duration) -> Result<Self, TchError> {
        Self::open("localhost", port, true, prefix, patience)
    }

    /// Opens a client, once the server is there.
    pub fn reach(
        host: &str,
        port: u16,
        prefix: &str,
        patience: Duration,
    ) -> Result<Self, TchError> {
        Self::open(host, port, false, prefix, patience)
    }

    fn open(
        host: &str,
        port: u16,
        serves: bool,
        prefix: &str,
        patience: Duration,
    ) -> Result<Self, TchError> {
        let mut state = ptr::null_mut();
        let (host, prefix) = (text(host), text(prefix));
        let time = milliseconds(patience);
        // SAFETY: `state` is written before the shim returns null; the texts live until then.
        checked(unsafe {
            shim_store_open(
                host.as_ptr(),
                port,
                serves,
                prefix.as_ptr(),
                time,
                &mut state,
            )
        })?;
        Ok(Self(state))
    }

    /// Where its server listens.
    pub fn port(&self) -> u16 {
        // SAFETY: a live store.
        u16::try_from(unsafe { shim_store_port(self.0) }).unwrap_or(0)
    }

    /// Sets a key.
    pub fn set(&self, key: &str, value: &str) -> Result<(), TchError> {
        let (key, value) = (text(key), text(value));
        // SAFETY: a live store, and texts that live until the shim returns.
        checked(unsafe { shim_store_set(self.0, key.as_ptr(), value.as_ptr()) })
    }

    /// The value of a key once it is set; `None` where it was not in this time.
    pub fn get(&self, key: &str, patience: Duration) -> Result<Option<String>, TchError> {
        let key = text(key);
        let mut value = ptr::null_mut();
        let time = milliseconds(patience);
        // SAFETY: `value` is written before the shim returns null, with null or a string of the shim.
        checked(unsafe { shim_store_get(self.0, key.as_ptr(), time, &mut value) })?;
        Ok((!value.is_null()).then(|| take(value)))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: given back once.
        unsafe { shim_store_close(self.0) }
    }
}

/// The address at which the others reach this rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// That of a host name or address of this machine.
    Host(String),
    /// That of a network interface, as `GLOO_SOCKET_IFNAME` names it.
    Interface(String),
    /// That which the name of this machine stands for.
    Own,
}

/// What sends tensors between the ranks. All ranks must call the same functions in the same order.
pub struct Group(*mut GroupState);

// SAFETY: a group is made to be called from the thread of the training and from that of its backward pass, one at a time.
unsafe impl Send for Group {}
// SAFETY: as above; `Ranks` hands it to one training at a time.
unsafe impl Sync for Group {}

impl Group {
    /// Joins the others through Gloo, on processors.
    pub fn gloo(
        store: &Store,
        (rank, ranks): (usize, usize),
        reach: &Reach,
        patience: Duration,
    ) -> Result<Self, TchError> {
        let (place, is_interface) = match reach {
            Reach::Host(host) => (text(host), false),
            Reach::Interface(name) => (text(name), true),
            Reach::Own => (text(""), false),
        };
        let (rank, ranks, time) = (number(rank), number(ranks), milliseconds(patience));
        let mut state = ptr::null_mut();
        // SAFETY: a live store; `state` is written before the shim returns null.
        checked(unsafe {
            let place = place.as_ptr();
            shim_group_gloo(store.0, rank, ranks, place, is_interface, time, &mut state)
        })?;
        Ok(Self(state))
    }

    /// Joins the others through NCCL on the GPU of this index. CUDA's half of libtorch must be loaded.
    #[cfg(has_cuda)]
    pub fn nccl(
        store: &Store,
        (rank, ranks): (usize, usize),
        device: usize,
        patience: Duration,
    ) -> Result<Self, TchError> {
        type Join = unsafe extern "C" fn(
            *mut InnerStore,
            c_int,
            c_int,
            c_int,
            i64,
            *mut *mut GroupState,
        ) -> Message;
        let join = cuda_symbol(c"shim_group_nccl")?;
        // SAFETY: the library is this crate's own (`shim/nccl.cpp`), and this is the type of the function in it.
        let join: Join = unsafe { std::mem::transmute::<ptr::NonNull<_>, Join>(join) };
        let (rank, ranks, device) = (number(rank), number(ranks), number(device));
        let mut state = ptr::null_mut();
        // SAFETY: a live store; `state` is written before the shim returns null.
        checked(unsafe {
            let store = shim_store_inner(store.0);
            join(
                store,
                rank,
                ranks,
                device,
                milliseconds(patience),
                &mut state,
            )
        })?;
        Ok(Self(state))
    }

    /// Ends what is under way, where the transport can: the others get an error.
    pub fn abort(&self) -> Result<(), TchError> {
        // SAFETY: a live group.
        checked(unsafe { shim_group_abort(self.0) })
    }

    /// The sum over all ranks, in place.
    pub fn sum(&self, tensor: &Tensor) -> Result<(), TchError> {
        // SAFETY: a live group and tensor.
        checked(unsafe { shim_group_sum(self.0, tensor.as_ptr().cast_mut()) })
    }

    /// The values of rank `from`, in place.
    pub fn broadcast(&self, tensor: &Tensor, from: usize) -> Result<(), TchError> {
        // SAFETY: as above.
        checked(unsafe { shim_group_broadcast(self.0, tensor.as_ptr().cast_mut(), number(from)) })
    }

    /// The tensors of all ranks: `[ranks, ...]`.
    pub fn gather(&self, tensor: &Tensor) -> Result<Tensor, TchError> {
        // SAFETY: as above; the result is written before the shim returns null.
        made(|all| unsafe { shim_group_gather(self.0, tensor.as_ptr().cast_mut(), all) })
    }

    /// Waits until all ranks have come here.
    pub fn barrier(&self) -> Result<(), TchError> {
        // SAFETY: a live group.
        checked(unsafe { shim_group_barrier(self.0) })
    }

    /// The rows `[B, ...]` of all ranks, in their order: `[ranks B, ...]`. Each rank gets the gradient of its own rows from the
    /// objectives of all.
    pub fn rows(&self, rows: &Tensor) -> Result<Tensor, TchError> {
        // SAFETY: as for `gather`.
        made(|all| unsafe { shim_rows(self.0, rows.as_ptr().cast_mut(), all) })
    }

    /// The mean over all ranks. The gradient goes through: the objective is the mean of those of the ranks.
    pub fn mean(&self, value: &Tensor) -> Result<Tensor, TchError> {
        // SAFETY: as for `gather`.
        made(|mean| unsafe { shim_mean(self.0, value.as_ptr().cast_mut(), mean) })
    }

    /// BatchNorm of `[B, C, ...]` in training by the statistics of all ranks' rows, of which each has as many; the running statistics
    /// move as by one batch of all.
    pub fn norm(
        &self,
        x: &Tensor,
        [weight, bias]: [&Tensor; 2],
        [mean, variance]: [&Tensor; 2],
        (momentum, eps): (f64, f64),
    ) -> Result<Tensor, TchError> {
        let [x, weight, bias, mean, variance] =
            [x, weight, bias, mean, variance].map(|tensor| tensor.as_ptr().cast_mut());
        // SAFETY: as for `gather`.
        made(|out| unsafe {
            shim_norm(self.0, x, weight, bias, mean, variance, momentum, eps, out)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: given back once; graphs that remember the group hold it themselves.
        unsafe { shim_group_leave(self.0) }
    }
}

/// A tensor that the shim makes.
fn made(make: impl FnOnce(*mut *mut C_tensor) -> Message) -> Result<Tensor, TchError> {
    let mut tensor = ptr::null_mut();
    checked(make(&mut tensor))?;
    // SAFETY: the shim has written a new tensor, which is ours.
    Ok(unsafe { Tensor::from_ptr(tensor) })
}

/// The means over all ranks of the gradients of some leaves, on their way while the backward pass is still running.
pub struct Buckets {
    state: *mut BucketsState,
    leaves: usize,
}

// SAFETY: as for the group; the hooks run inside `run_backward` of the thread that trains.
unsafe impl Send for Buckets {}

impl Buckets {
    /// Watches these leaves.
    pub fn new(group: &Group, leaves: &[Tensor]) -> Result<Self, TchError> {
        let pointers = pointers(leaves);
        let mut state = ptr::null_mut();
        // SAFETY: a live group and live tensors; `state` is written before the shim returns null.
        checked(unsafe {
            shim_buckets_new(group.0, pointers.as_ptr(), pointers.len(), &mut state)
        })?;
        Ok(Self {
            state,
            leaves: leaves.len(),
        })
    }

    /// Lays the leaves out in this order, in buckets of so many bytes, the first of others. Those that are left out must not get a
    /// gradient.
    pub fn lay(&mut self, order: &[usize], (first, bytes): (usize, usize)) -> Result<(), TchError> {
        assert!(
            order.iter().all(|&leaf| leaf < self.leaves),
            "an order of the leaves"
        );
        // SAFETY: live buckets, and a list of that length.
        checked(unsafe { shim_buckets_lay(self.state, order.as_ptr(), order.len(), first, bytes) })
    }

    /// Before a backward pass.
    pub fn begin(&mut self) {
        // SAFETY: live buckets.
        unsafe { shim_buckets_begin(self.state) }
    }

    /// After it: waits for all buckets. The mean gradient of each leaf, undefined where none came. They are overwritten by the next
    /// pass.
    pub fn end(&mut self) -> Result<Vec<Tensor>, TchError> {
        let mut gradients = vec![ptr::null_mut(); self.leaves];
        // SAFETY: live buckets; all entries are written before the shim returns null.
        checked(unsafe { shim_buckets_end(self.state, gradients.as_mut_ptr()) })?;
        let tensor = |pointer| {
            // SAFETY: a new tensor, which is ours.
            unsafe { Tensor::from_ptr(pointer) }
        };
        Ok(gradients.into_iter().map(tensor).collect())
    }

    /// The leaves in the order in which their gradients came in the last pass.
    pub fn came(&self) -> Vec<usize> {
        let mut order = vec![0; self.leaves];
        // SAFETY: live buckets, which write at most as many as there are leaves.
        let count = unsafe { shim_buckets_came(self.state, order.as_mut_ptr()) };
        order.truncate(count);
        order
    }
}

impl Drop for Buckets {
    fn drop(&mut self) {
        // SAFETY: given back once.
        unsafe { shim_buckets_free(self.state) }
    }
}
