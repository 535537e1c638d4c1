//! The functions of the C++ shim (`shim/shim.cpp`), safe to call. `unsafe` is here and in `ranks/ffi.rs`, nowhere else.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::ptr;
use std::slice;
use std::time::Duration;
use tch::{Device, Kind, TchError, Tensor};
use torch_sys::C_tensor;

/// What autocast was set to before, as the shim keeps it.
#[repr(C)]
struct AutocastState {
    opaque: [u8; 0],
}

/// A place in a stream, as the shim keeps it.
#[repr(C)]
struct MarkState {
    opaque: [u8; 0],
}

/// A stream and the one before it, as the shim keeps them.
#[repr(C)]
struct StreamState {
    opaque: [u8; 0],
}

unsafe extern "C" {
    fn shim_free(message: *mut c_char);
    fn shim_torch_version(version: *mut *mut c_char) -> *mut c_char;
    fn shim_cuda_config(config: *mut *mut c_char) -> *mut c_char;
    fn shim_gpu_name(index: c_int, name: *mut *mut c_char) -> *mut c_char;
    fn shim_load_cuda() -> *mut c_char;
    fn shim_autocast_push(
        cuda: bool,
        enabled: bool,
        half: bool,
        before: *mut *mut AutocastState,
    ) -> *mut c_char;
    fn shim_autocast_pop(before: *mut AutocastState);
    fn shim_anomaly(is_enabled: bool);
    fn shim_profile_begin(cuda: bool) -> *mut c_char;
    fn shim_profile_end(lines: *mut *mut c_char) -> *mut c_char;
    fn shim_set_tf32(allowed: bool) -> *mut c_char;
    fn shim_tf32(products: *mut bool, convolutions: *mut bool) -> *mut c_char;
    fn shim_full_product(
        a: *mut C_tensor,
        b: *mut C_tensor,
        product: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn shim_one_thread() -> *mut c_char;
    fn shim_stream_enter(index: c_int, entered: *mut *mut StreamState) -> *mut c_char;
    fn shim_mark_set(index: c_int, mark: *mut *mut MarkState) -> *mut c_char;
    fn shim_mark_passed(mark: *mut MarkState, passed: *mut bool) -> *mut c_char;
    fn shim_mark_drop(mark: *mut MarkState);
    fn shim_stream_leave(of: *mut StreamState);
    fn shim_stream_reads(tensor: *mut C_tensor) -> *mut c_char;
    fn shim_norms(
        tensors: *const *mut C_tensor,
        n: usize,
        norms: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn shim_lerp(
        moved: *const *mut C_tensor,
        to: *const *mut C_tensor,
        n: usize,
        share: *mut C_tensor,
    ) -> *mut c_char;
    fn shim_peak_memory(index: c_int, bytes: *mut usize) -> *mut c_char;
    fn shim_free_memory(index: c_int, bytes: *mut usize) -> *mut c_char;
    fn shim_give_back(index: c_int) -> *mut c_char;
    fn shim_is_held_once(tensor: *mut C_tensor, is_held_once: *mut bool) -> *mut c_char;
    fn shim_adam(
        parameters: *const *mut C_tensor,
        gradients: *const *mut C_tensor,
        means: *const *mut C_tensor,
        squares: *const *mut C_tensor,
        steps: *const *mut C_tensor,
        n: usize,
        rate: f64,
        rate_here: *mut C_tensor,
        beta1: f64,
        beta2: f64,
        decay: f64,
        eps: f64,
        skip: *mut C_tensor,
    ) -> *mut c_char;
    fn shim_sgd(
        parameters: *const *mut C_tensor,
        gradients: *const *mut C_tensor,
        momenta: *const *mut C_tensor,
        n: usize,
        rate: f64,
        rate_here: *mut C_tensor,
        momentum: f64,
        decay: f64,
        skip: *mut C_tensor,
    ) -> *mut c_char;
    fn shim_scale_with_decay(
        parameters: *const *mut C_tensor,
        gradients: *const *mut C_tensor,
        n: usize,
        decays: *mut C_tensor,
        factors: *mut C_tensor,
    ) -> *mut c_char;
    fn shim_unscale(
        tensors: *const *mut C_tensor,
        n: usize,
        scale: *mut C_tensor,
        found: *mut C_tensor,
    ) -> *mut c_char;
    fn shim_update_scale(
        scale: *mut C_tensor,
        clean: *mut C_tensor,
        found: *mut C_tensor,
        growth: f64,
        backoff: f64,
        interval: c_int,
    ) -> *mut c_char;
}

/// Takes a string of the shim.
pub(crate) fn take(text: *mut c_char) -> String {
    // SAFETY: the shim hands out a zero-terminated string that is ours to give back, once, with `shim_free`.
    unsafe {
        let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
        shim_free(text);
        owned
    }
}

/// The shim's answer: null, or what libtorch said. Only its first line; the rest is a C++ backtrace.
pub(crate) fn checked(message: *mut c_char) -> Result<(), TchError> {
    if message.is_null() {
        return Ok(());
    }
    Err(TchError::Torch(
        take(message).lines().next().unwrap_or_default().to_owned(),
    ))
}

/// The tensors as the shim wants them. The pointers are valid as long as `tensors` is borrowed.
pub(crate) fn pointers(tensors: &[Tensor]) -> Vec<*mut C_tensor> {
    tensors
        .iter()
        .map(|tensor| tensor.as_ptr().cast_mut())
        .collect()
}

/// The version of the libtorch that is loaded, `2.11.0`; empty where the library does not say.
pub fn torch_version() -> Result<String, TchError> {
    let mut version = ptr::null_mut();
    // SAFETY: `version` is written before the shim returns null, and is a string of the shim then.
    checked(unsafe { shim_torch_version(&mut version) })?;
    Ok(take(version))
}

/// The version of CUDA's runtime, `13.0`, where CUDA's half of libtorch is loaded and says so.
pub fn cuda_version() -> Result<Option<String>, TchError> {
    let mut config = ptr::null_mut();
    // SAFETY: as above.
    checked(unsafe { shim_cuda_config(&mut config) })?;
    Ok(after(&take(config), "CUDA Runtime "))
}

/// The word behind `key`.
fn after(text: &str, key: &str) -> Option<String> {
    let (_, behind) = text.split_once(key)?;
    let ends = |sign: char| sign == ',' || sign.is_whitespace();
    behind.split(ends).next().map(str::to_owned)
}

/// The name of this GPU, `NVIDIA H100 80GB HBM3`, as its driver has it.
pub fn gpu_name(index: usize) -> Result<String, TchError> {
    let mut name = ptr::null_mut();
    let index = self::index(Device::Cuda(index));
    // SAFETY: `name` is written before the shim returns null, and is a string of the shim then.
    checked(unsafe { shim_gpu_name(index, &mut name) })?;
    Ok(take(name))
}

/// Loads the CUDA half of libtorch. Call it before any question about CUDA: libtorch remembers the first answer.
pub fn load_cuda() -> Result<(), TchError> {
    // SAFETY: runs the initialisers of a library that comes with the libtorch already loaded.
    checked(unsafe { shim_load_cuda() })
}

/// A new f32 tensor of this shape on the CPU, with the values that `fill` writes over zeros.
pub fn filled<const N: usize>(shape: [i64; N], fill: impl FnOnce(&mut [f32])) -> Tensor {
    let mut tensor = Tensor::zeros(shape, (Kind::Float, Device::Cpu));
    if tensor.numel() > 0 {
        fill(floats_of(&mut tensor));
    }
    tensor
}

/// Numbers of 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The range of float32 and 8 bits of its digits.
    Bfloat16,
    /// 11 bits of digits and a range from 6e-8 to 65504.
    Float16,
}

/// Autocast of this thread, switched until it is dropped. Guards are dropped in reverse order of their making.
pub struct Autocast {
    before: *mut AutocastState,
    /// Autocast is a state of the thread, so the guard must stay in it.
    thread: PhantomData<*const ()>,
}

impl Autocast {
    /// Switches autocast of CUDA or of the CPU to these numbers, or off.
    pub fn new(is_cuda: bool, to: Option<Half>) -> Result<Autocast, TchError> {
        let mut before = ptr::null_mut();
        let is_float16 = to == Some(Half::Float16);
        // SAFETY: `before` is written before the shim returns null.
        checked(unsafe { shim_autocast_push(is_cuda, to.is_some(), is_float16, &mut before) })?;
        Ok(Autocast {
            before,
            thread: PhantomData,
        })
    }
}

impl Drop for Autocast {
    fn drop(&mut self) {
        // SAFETY: `before` comes from `shim_autocast_push` and is given back once.
        unsafe { shim_autocast_pop(self.before) }
    }
}

/// Whether this thread keeps what gradients need, as it was: it is so again once this is dropped.
pub struct GradientMode {
    before: c_int,
    /// It is a state of the thread.
    thread: PhantomData<*const ()>,
}

impl GradientMode {
    /// As it is now.
    pub fn kept() -> Self {
        // SAFETY: sets a flag of this thread, and gives what it was before.
        let before = unsafe { torch_sys::at_grad_set_enabled(1) };
        let kept = Self {
            before,
            thread: PhantomData,
        };
        kept.set();
        kept
    }

    fn set(&self) {
        // SAFETY: as above.
        unsafe { torch_sys::at_grad_set_enabled(self.before) };
    }
}

impl Drop for GradientMode {
    fn drop(&mut self) {
        self.set();
    }
}

/// Has libtorch end a backward pass at the first operation that gives NaN, with an error that names it, until this is dropped.
pub struct Anomaly(());

impl Anomaly {
    /// Switches it on. It is a state of the process.
    #[allow(clippy::new_without_default)] // it does something
    pub fn new() -> Self {
        // SAFETY: sets a flag that libtorch reads.
        unsafe { shim_anomaly(true) }
        Self(())
    }
}

impl Drop for Anomaly {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { shim_anomaly(false) }
    }
}

/// Has libtorch note every operation, and with `cuda` every kernel of a GPU, until this is [`Profiler::end`]ed or dropped.
pub struct Profiler(bool);

impl Profiler {
    /// Begins. There is one at a time.
    pub fn begin(cuda: bool) -> Result<Self, TchError> {
        // SAFETY: sets states of libtorch.
        checked(unsafe { shim_profile_begin(cuda) })?;
        Ok(Self(true))
    }

    /// What was noted: a line for each event, with tabs between `gpu` or `cpu`, the thread, begin and duration in nanoseconds, the name.
    pub fn end(mut self) -> Result<String, TchError> {
        self.0 = false;
        let mut lines = ptr::null_mut();
        // SAFETY: `begin` has begun; `lines` is written before the shim returns null, and is ours then.
        checked(unsafe { shim_profile_end(&mut lines) })?;
        Ok(take(lines))
    }
}

impl Drop for Profiler {
    fn drop(&mut self) {
        if self.0 {
            let mut lines = ptr::null_mut();
            // SAFETY: as above.
            if checked(unsafe { shim_profile_end(&mut lines) }).is_ok() {
                drop(take(lines));
            }
        }
    }
}

/// Sets whether products and convolutions of float32 on a GPU may round their factors to TF32, for the whole process.
pub fn set_tf32(allowed: bool) -> Result<(), TchError> {
    // SAFETY: sets flags that libtorch reads.
    checked(unsafe { shim_set_tf32(allowed) })
}

/// What libtorch would do now: whether products may use TF32, and whether convolutions may.
pub fn tf32() -> Result<(bool, bool), TchError> {
    let (mut products, mut convolutions) = (false, false);
    // SAFETY: both are written before the shim returns null.
    checked(unsafe { shim_tf32(&mut products, &mut convolutions) })?;
    Ok((products, convolutions))
}

/// The product of `[n, k]` and `[k, m]` without TF32, forwards and backwards, whatever [`set_tf32`] says.
pub fn full_product(a: &Tensor, b: &Tensor) -> Result<Tensor, TchError> {
    let mut product = ptr::null_mut();
    // SAFETY: two live tensors; `product` is a new tensor of ours where the shim returns null.
    checked(unsafe {
        shim_full_product(a.as_ptr().cast_mut(), b.as_ptr().cast_mut(), &mut product)
    })?;
    // SAFETY: as above.
    Ok(unsafe { Tensor::from_ptr(product) })
}

/// Keeps libtorch's work for this thread on this thread, for good. Other threads stay as they are.
pub fn one_thread() -> Result<(), TchError> {
    // SAFETY: sets numbers that belong to this thread.
    checked(unsafe { shim_one_thread() })
}

/// A stream of the device beside that of the training, current in this thread until it is dropped: what this thread does on the
/// device goes on beside what others do. The CPU has one stream, where everything is done when it returns.
pub struct SideStream {
    state: *mut StreamState,
    device: Device,
    /// The current stream is a state of the thread.
    thread: PhantomData<*const ()>,
}

impl SideStream {
    /// Takes a stream of the device's pool.
    pub fn enter(device: Device) -> Result<Self, TchError> {
        let mut state = ptr::null_mut();
        // SAFETY: `state` is written before the shim returns null.
        checked(unsafe { shim_stream_enter(index(device), &mut state) })?;
        Ok(Self {
            state,
            device,
            thread: PhantomData,
        })
    }

    /// Waits until all is done that the stream was given so far. The thread sleeps meanwhile; no other stream waits.
    pub fn finish(&mut self) -> Result<(), TchError> {
        // It is the current one of this thread.
        Mark::set(self.device)?.wait()
    }
}

impl Drop for SideStream {
    fn drop(&mut self) {
        // SAFETY: `state` comes from `shim_stream_enter` and is given back once.
        unsafe { shim_stream_leave(self.state) }
    }
}

/// The place that a stream has come to when all is done that it had been given.
#[derive(Debug)]
pub struct Mark(*mut MarkState);

impl Mark {
    /// Marks it in the stream of this device that is current in this thread. The CPU is there at once.
    pub fn set(device: Device) -> Result<Self, TchError> {
        let mut state = ptr::null_mut();
        // SAFETY: `state` is written before the shim returns null.
        checked(unsafe { shim_mark_set(index(device), &mut state) })?;
        Ok(Self(state))
    }

    /// Whether the stream is there.
    pub fn has_passed(&self) -> Result<bool, TchError> {
        let mut passed = false;
        // SAFETY: the mark comes from `shim_mark_set` and is live until the drop; `passed` is written before the shim returns null.
        checked(unsafe { shim_mark_passed(self.0, &mut passed) })?;
        Ok(passed)
    }

    /// Waits until the stream is there. The thread sleeps meanwhile. What other ranks have a part in is waited for with
    /// [`Ranks::wait`](crate::ranks::Ranks::wait).
    pub fn wait(&self) -> Result<(), TchError> {
        while !self.has_passed()? {
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // SAFETY: it comes from `shim_mark_set` and is given back once.
        unsafe { shim_mark_drop(self.0) }
    }
}

/// Time between two looks at a stream.
pub(crate) const LOOK: Duration = Duration::from_micros(200);

/// The number of a GPU as the shim wants it; negative for the CPU.
fn index(device: Device) -> c_int {
    match device {
        Device::Cuda(index) => c_int::try_from(index).unwrap_or(c_int::MAX),
        Device::Cpu | Device::Mps | Device::Vulkan => -1,
    }
}

/// Says that this thread's stream reads a tensor that was made on another stream: its memory is not used again before that.
pub fn read_here(tensor: &Tensor) -> Result<(), TchError> {
    // SAFETY: a live tensor, which the shim only looks at.
    checked(unsafe { shim_stream_reads(tensor.as_ptr().cast_mut()) })
}

/// A function of the shared object that needs CUDA (`shim/nccl.cpp`, `shim/graph.cpp`). It is loaded once, from the bytes that this crate carries.
#[cfg(has_cuda)]
pub(crate) fn cuda_symbol(name: &CStr) -> Result<ptr::NonNull<std::ffi::c_void>, TchError> {
    use std::io::Write;
    use std::sync::OnceLock;
    static LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/cuda.so"));
    static LOADED: OnceLock<Result<usize, String>> = OnceLock::new();
    unsafe extern "C" {
        fn dlopen(path: *const c_char, flags: c_int) -> *mut std::ffi::c_void;
        fn dlsym(library: *mut std::ffi::c_void, name: *const c_char) -> *mut std::ffi::c_void;
        fn dlerror() -> *const c_char;
    }
    const NOW: c_int = 2;
    let load = || -> Result<usize, String> {
        let mut file = tempfile::NamedTempFile::new().map_err(|cause| cause.to_string())?;
        file.write_all(LIBRARY).map_err(|cause| cause.to_string())?;
        let path = file.path().as_os_str().as_encoded_bytes();
        let path = std::ffi::CString::new(path).map_err(|cause| cause.to_string())?;
        // SAFETY: a whole library of this crate, without initialisers that could fail; the file may go once it is mapped.
        let library = unsafe { dlopen(path.as_ptr(), NOW) };
        if library.is_null() {
            // SAFETY: `dlopen` has failed in this thread, so there is a zero-terminated text, which is copied at once.
            let cause = unsafe { CStr::from_ptr(dlerror()) };
            return Err(cause.to_string_lossy().into_owned());
        }
        Ok(library as usize)
    };
    let library = LOADED.get_or_init(load).clone().map_err(TchError::Torch)?;
    // SAFETY: a library that stays loaded, and a zero-terminated name.
    let symbol = unsafe { dlsym(library as *mut std::ffi::c_void, name.as_ptr()) };
    ptr::NonNull::new(symbol).ok_or_else(|| TchError::Torch(format!("{name:?} is not in cuda.so")))
}

/// A graph of a GPU, as the shim keeps it.
#[cfg(has_cuda)]
#[repr(C)]
struct GraphState {
    opaque: [u8; 0],
}

/// What a GPU was given, recorded: to be given to it again with one call.
pub struct Graph {
    #[cfg(has_cuda)]
    state: *mut GraphState,
    /// Recorded and computed on streams that are current in this thread.
    thread: PhantomData<*const ()>,
}

#[cfg(has_cuda)]
impl Graph {
    /// Begins to record what this thread gives to its current stream, which is one of [`SideStream`]. CUDA's half of libtorch must be
    /// loaded.
    pub fn begin() -> Result<Self, TchError> {
        type Begin = unsafe extern "C" fn(*mut *mut GraphState) -> *mut c_char;
        let begin = cuda_symbol(c"shim_graph_begin")?;
        // SAFETY: the library is this crate's own (`shim/graph.cpp`), and this is the type of the function in it.
        let begin: Begin = unsafe { std::mem::transmute::<ptr::NonNull<_>, Begin>(begin) };
        let mut state = ptr::null_mut();
        // SAFETY: `state` is written before the shim returns null.
        checked(unsafe { begin(&mut state) })?;
        Ok(Self {
            state,
            thread: PhantomData,
        })
    }

    /// Ends the recording. Nothing of it has been computed. Where that fails, what comes after it in this process is computed with memory
    /// that is not given back.
    pub fn end(&self) -> Result<(), TchError> {
        self.call(c"shim_graph_end")
    }

    /// Gives all of it to the current stream.
    pub fn replay(&self) -> Result<(), TchError> {
        self.call(c"shim_graph_replay")
    }

    fn call(&self, name: &CStr) -> Result<(), TchError> {
        type Call = unsafe extern "C" fn(*mut GraphState) -> *mut c_char;
        let call = cuda_symbol(name)?;
        // SAFETY: as above.
        let call: Call = unsafe { std::mem::transmute::<ptr::NonNull<_>, Call>(call) };
        // SAFETY: a live graph.
        checked(unsafe { call(self.state) })
    }
}

#[cfg(has_cuda)]
impl Drop for Graph {
    fn drop(&mut self) {
        type Free = unsafe extern "C" fn(*mut GraphState);
        if let Ok(free) = cuda_symbol(c"shim_graph_free") {
            // SAFETY: as above; it comes from `shim_graph_begin` and is given back once.
            unsafe {
                let free: Free = std::mem::transmute::<ptr::NonNull<_>, Free>(free);
                free(self.state);
            }
        }
    }
}

#[cfg(not(has_cuda))]
impl Graph {
    /// There are none in this build.
    pub fn begin() -> Result<Self, TchError> {
        Err(TchError::Torch(
            "this build has no graphs of GPUs: it was made where torch is without CUDA's headers"
                .to_owned(),
        ))
    }

    /// Never called: there is none.
    pub fn end(&self) -> Result<(), TchError> {
        Self::begin().map(drop)
    }

    /// Never called: there is none.
    pub fn replay(&self) -> Result<(), TchError> {
        Self::begin().map(drop)
    }
}

/// The Euclidean norm of each tensor, `[tensors]`, in few kernels. There is at least one, and all are of one kind and device.
pub fn norms(tensors: &[Tensor]) -> Result<Tensor, TchError> {
    let pointers = pointers(tensors);
    let mut norms = ptr::null_mut();
    // SAFETY: a list of live tensors; `norms` is a new tensor of ours where the shim returns null.
    checked(unsafe { shim_norms(pointers.as_ptr(), pointers.len(), &mut norms) })?;
    // SAFETY: as above.
    Ok(unsafe { Tensor::from_ptr(norms) })
}

/// Moves each tensor towards the one at its place in `to`, of the same shape and kind, by `share` of the way, a tensor of one number
/// beside them.
pub fn lerp(moved: &[Tensor], to: &[Tensor], share: &Tensor) -> Result<(), TchError> {
    assert!(moved.len() == to.len(), "one for each");
    let (moved, to) = (pointers(moved), pointers(to));
    let share = or_null(Some(share));
    // SAFETY: two lists of as many live tensors, and one more.
    checked(unsafe { shim_lerp(moved.as_ptr(), to.as_ptr(), moved.len(), share) })
}

/// The most bytes that tensors of this process have taken on this GPU at once.
pub fn peak_memory(index: usize) -> Result<u64, TchError> {
    let mut bytes = 0;
    // SAFETY: `bytes` is written before the shim returns null.
    checked(unsafe { shim_peak_memory(c_int::try_from(index).unwrap_or(c_int::MAX), &mut bytes) })?;
    Ok(bytes as u64)
}

/// Bytes of this GPU that nobody has taken.
pub fn free_memory(index: usize) -> Result<u64, TchError> {
    let mut bytes = 0;
    // SAFETY: `bytes` is written before the shim returns null.
    checked(unsafe { shim_free_memory(c_int::try_from(index).unwrap_or(c_int::MAX), &mut bytes) })?;
    Ok(bytes as u64)
}

/// Gives memory that this process has freed back, where it was kept: that of the machine by the C library, that of this GPU by libtorch.
pub fn give_back(device: Device) -> Result<(), TchError> {
    // SAFETY: asks the C library and libtorch for what they may do at any time.
    checked(unsafe { shim_give_back(index(device)) })
}

/// Whether nothing but this holds the tensor's memory: no other handle of it, no view, no gradient that remembers its values. On a
/// GPU work that reads it may still be under way.
pub fn is_held_once(tensor: &Tensor) -> bool {
    let mut is_held_once = false;
    // SAFETY: a live tensor, which the shim only looks at; where the shim fails the answer stays no.
    let _ = checked(unsafe { shim_is_held_once(tensor.as_ptr().cast_mut(), &mut is_held_once) });
    is_held_once
}

/// A learning rate.
#[derive(Clone, Copy, Debug)]
pub enum Rate<'a> {
    /// A number.
    Number(f64),
    /// A scalar beside the parameters, which may change between two replays of a [`Graph`]: float32 on a GPU.
    Here(&'a Tensor),
}

impl From<f64> for Rate<'_> {
    fn from(rate: f64) -> Self {
        Self::Number(rate)
    }
}

impl Rate<'_> {
    /// As the shim wants it.
    fn parts(self) -> (f64, *mut C_tensor) {
        match self {
            Self::Number(rate) => (rate, ptr::null_mut()),
            Self::Here(rate) => (0.0, or_null(Some(rate))),
        }
    }

    /// Each number of a tensor divided by it.
    pub fn divides(self, tensor: &Tensor) -> Tensor {
        match self {
            Self::Number(rate) => tensor / rate,
            Self::Here(rate) => tensor / rate,
        }
    }
}

/// The numbers of one step of Adam.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep<'a> {
    /// Learning rate.
    pub rate: Rate<'a>,
    /// Decay of the two moments.
    pub betas: (f64, f64),
    /// L2 decay, added to the gradient.
    pub decay: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
}

/// One fused step of Adam, in place. All lists have one entry for each parameter; `steps` are float32 scalars that count up. Where
/// `skip`, float32 `[1]`, is 1, nothing changes; nobody waits for it.
pub fn adam(
    parameters: &[Tensor],
    gradients: &[Tensor],
    means: &[Tensor],
    squares: &[Tensor],
    steps: &[Tensor],
    step: AdamStep<'_>,
    skip: Option<&Tensor>,
) -> Result<(), TchError> {
    let n = parameters.len();
    assert!(
        [gradients.len(), means.len(), squares.len(), steps.len()]
            .iter()
            .all(|&len| len == n),
        "one state each"
    );
    let (p, g, m, v, k) = (
        pointers(parameters),
        pointers(gradients),
        pointers(means),
        pointers(squares),
        pointers(steps),
    );
    let AdamStep {
        rate,
        betas,
        decay,
        eps,
    } = step;
    let (rate, rate_here) = rate.parts();
    // SAFETY: five lists of `n` live tensors.
    checked(unsafe {
        shim_adam(
            p.as_ptr(),
            g.as_ptr(),
            m.as_ptr(),
            v.as_ptr(),
            k.as_ptr(),
            n,
            rate,
            rate_here,
            betas.0,
            betas.1,
            decay,
            eps,
            or_null(skip),
        )
    })
}

/// One fused step of SGD with momentum and L2 decay, in place. Momenta start at 0.
pub fn sgd(
    parameters: &[Tensor],
    gradients: &[Tensor],
    momenta: &[Tensor],
    rate: Rate<'_>,
    momentum: f64,
    decay: f64,
    skip: Option<&Tensor>,
) -> Result<(), TchError> {
    let n = parameters.len();
    assert!(gradients.len() == n && momenta.len() == n, "one state each");
    let (p, g, m) = (pointers(parameters), pointers(gradients), pointers(momenta));
    let (rate, rate_here) = rate.parts();
    // SAFETY: three lists of `n` live tensors.
    checked(unsafe {
        shim_sgd(
            p.as_ptr(),
            g.as_ptr(),
            m.as_ptr(),
            n,
            rate,
            rate_here,
            momentum,
            decay,
            or_null(skip),
        )
    })
}

/// The tensor as the shim wants it where there may be none.
fn or_null(tensor: Option<&Tensor>) -> *mut C_tensor {
    tensor.map_or(ptr::null_mut(), |tensor| tensor.as_ptr().cast_mut())
}

/// `g := (g + decay p) factor` for each gradient and its parameter, in place: `decays` and `factors` are `[n]`.
pub fn scale_with_decay(
    parameters: &[Tensor],
    gradients: &[Tensor],
    decays: &Tensor,
    factors: &Tensor,
) -> Result<(), TchError> {
    let n = parameters.len();
    assert!(gradients.len() == n, "one gradient each");
    let (p, g) = (pointers(parameters), pointers(gradients));
    let (decays, factors) = (or_null(Some(decays)), or_null(Some(factors)));
    // SAFETY: two lists of `n` live tensors, and two more.
    checked(unsafe { shim_scale_with_decay(p.as_ptr(), g.as_ptr(), n, decays, factors) })
}

/// Divides the tensors by `scale`, in place, and sets `found` to 1 where one of their numbers is not finite; both float32 `[1]`.
pub fn unscale(tensors: &[Tensor], scale: &Tensor, found: &Tensor) -> Result<(), TchError> {
    let all = pointers(tensors);
    let (scale, found) = (or_null(Some(scale)), or_null(Some(found)));
    // SAFETY: a list of live tensors, and two more.
    checked(unsafe { shim_unscale(all.as_ptr(), all.len(), scale, found) })
}

/// How a scale of losses moves.
#[derive(Clone, Copy, Debug)]
pub struct Scaling {
    /// Factor after so many steps whose gradients were finite.
    pub growth: f64,
    /// Factor after a step whose gradient was not.
    pub backoff: f64,
    /// The number of those steps.
    pub interval: i32,
}

/// Moves `scale`, float32 `[1]`, after a step that `found` something: grown after enough steps without, which `clean` counts, int64
/// `[1]`.
pub fn update_scale(
    scale: &Tensor,
    clean: &Tensor,
    found: &Tensor,
    by: Scaling,
) -> Result<(), TchError> {
    let [scale, clean, found] = [scale, clean, found].map(|tensor| or_null(Some(tensor)));
    // SAFETY: three live tensors.
    checked(unsafe { shim_update_scale(scale, clean, found, by.growth, by.backoff, by.interval) })
}

/// A file in memory, paged in where it is read.
#[derive(Debug)]
pub struct Map(memmap2::Mmap);

impl Map {
    /// Maps the whole file at `path`.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &std::path::Path) -> std::io::Result<Self> {
        Self::of(&std::fs::File::open(path)?)
    }

    /// Maps the whole file. Files that are mapped are written once, under another name or without one, and not changed afterwards; one
    /// that another program cuts off while it is mapped ends this process.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(file: &std::fs::File) -> std::io::Result<Self> {
        // SAFETY: the bytes are only read, and as said above nobody changes them.
        Ok(Self(unsafe { memmap2::Mmap::map(file) }?))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The bytes of a fresh tensor on the CPU, to be filled: nothing else reads its memory.
///
/// # Panics
/// Where the tensor is not contiguous bytes on the CPU.
pub fn bytes_of(tensor: &mut Tensor) -> &mut [u8] {
    assert!(is_plain(tensor, Kind::Uint8), "{PLAIN}");
    // SAFETY: so many bytes belong to the tensor, which is borrowed for as long as they are.
    unsafe { slice::from_raw_parts_mut(place_of(tensor), tensor.numel()) }
}

/// The values of a fresh f32 tensor on the CPU, to be filled: nothing else reads its memory.
///
/// # Panics
/// Where the tensor is not contiguous f32 on the CPU.
pub fn floats_of(tensor: &mut Tensor) -> &mut [f32] {
    assert!(is_plain(tensor, Kind::Float), "{PLAIN}");
    // SAFETY: as above.
    unsafe { slice::from_raw_parts_mut(place_of(tensor), tensor.numel()) }
}

/// The bytes of a tensor on the CPU, to be read.
///
/// # Panics
/// As [`bytes_of`].
pub fn read_bytes(tensor: &Tensor) -> &[u8] {
    assert!(is_plain(tensor, Kind::Uint8), "{PLAIN}");
    // SAFETY: as above.
    unsafe { slice::from_raw_parts(place_of(tensor), tensor.numel()) }
}

/// The values of an f32 tensor on the CPU, to be read.
///
/// # Panics
/// As [`floats_of`].
pub fn read_floats(tensor: &Tensor) -> &[f32] {
    assert!(is_plain(tensor, Kind::Float), "{PLAIN}");
    // SAFETY: as above.
    unsafe { slice::from_raw_parts(place_of(tensor), tensor.numel()) }
}

const PLAIN: &str = "values of this kind in a contiguous tensor on the CPU";

fn is_plain(tensor: &Tensor, kind: Kind) -> bool {
    tensor.kind() == kind && tensor.device() == Device::Cpu && tensor.is_contiguous()
}

/// Where the values of a contiguous tensor on the CPU begin. One without values has no memory, and a slice needs a place.
fn place_of<T>(tensor: &Tensor) -> *mut T {
    match tensor.numel() {
        0 => ptr::NonNull::dangling().as_ptr(),
        _ => tensor.data_ptr().cast(),
    }
}

/// The most bytes that FFmpeg may ask for at once: above what a picture of 8192 x 8192 takes, below what harms a machine.
#[cfg(feature = "media")]
const MAX_ALLOCATION: usize = 512 << 20;

/// Limits every single piece of memory that FFmpeg asks for in this process.
#[cfg(feature = "media")]
pub fn limit_ffmpeg_memory() {
    // SAFETY: stores a number that FFmpeg reads atomically.
    unsafe { ffmpeg_next::ffi::av_max_alloc(MAX_ALLOCATION) }
}

/// Whether the packet is only decoded for others and never shown, as an edit list says.
#[cfg(feature = "media")]
pub fn is_unseen(packet: &ffmpeg_next::Packet) -> bool {
    use ffmpeg_next::packet::Ref;
    // SAFETY: the pointer is that of a packet which `packet` owns.
    unsafe { (*packet.as_ptr()).flags & ffmpeg_next::ffi::AV_PKT_FLAG_DISCARD != 0 }
}

/// Has the container pass over the packets of the stream.
#[cfg(feature = "media")]
pub fn discard(stream: &mut ffmpeg_next::StreamMut<'_>) {
    // SAFETY: the pointer is that of a stream which `stream` borrows from its open container, for itself alone.
    unsafe { (*stream.as_mut_ptr()).discard = ffmpeg_next::ffi::AVDiscard::AVDISCARD_ALL }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_cuda_is_read_where_libtorch_writes_it() {
        let config =
            "  - CUDA Runtime 13.0\n  - NVCC architecture flags: -gencode\n  - CuDNN 91.9\n";
        assert_eq!(after(config, "CUDA Runtime ").as_deref(), Some("13.0"));
        let other = "  - CUDA Runtime 12.8  (built against CUDA 12.6)";
        assert_eq!(after(other, "CUDA Runtime ").as_deref(), Some("12.8"));
        assert_eq!(after("  - CuDNN 91.9", "CUDA Runtime "), None);
    }

    #[test]
    fn one_thread_is_a_matter_of_the_thread_that_asks() {
        let asked = || tch::get_num_threads();
        let before = asked();
        let alone = std::thread::spawn(move || one_thread().map(|()| asked()));
        assert_eq!(alone.join().unwrap().unwrap(), 1);
        assert_eq!(asked(), before);
        assert_eq!(std::thread::spawn(asked).join().unwrap(), before);
    }

    #[test]
    fn the_stream_of_the_cpu_is_always_done() {
        let mut stream = SideStream::enter(Device::Cpu).unwrap();
        let sum = Tensor::ones([4], (Kind::Float, Device::Cpu)).sum(None);
        stream.finish().unwrap();
        read_here(&sum).unwrap();
        assert_eq!(sum.double_value(&[]), 4.0);
    }
}
