// What tch lacks of libtorch: autocast for any device and type, fused optimisers, streams, the version of the library loaded, CUDA
// on demand. C functions with `at::Tensor*` in and out. No C++ exception leaves this file: a function that can fail returns its
// text, to be given back with `shim_free`, or null. The Rust side is `src/ffi.rs`.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <caffe2/core/common.h>
#include <torch/csrc/autograd/anomaly_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/profiler_kineto.h>
#include <torch/version.h>

#include <algorithm>
#include <dlfcn.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <optional>
#include <set>
#include <stdexcept>
#include <string>

#include "guarded.h"

// The pair that tch is made for: its generated bindings call functions of exactly this version.
static_assert(TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR == 11, "tch 0.24 needs the headers of PyTorch 2.11.0");

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// The product of two matrices whose factors keep all digits of float32, forwards and backwards, whatever else may use TF32.
struct FullProduct : torch::autograd::Function<FullProduct> {
  static Tensor forward(AutogradContext* context, const Tensor& a, const Tensor& b) {
    at::NoTF32Guard full;
    context->save_for_backward({a, b});
    return a.matmul(b);
  }
  static variable_list backward(AutogradContext* context, variable_list gradient) {
    at::NoTF32Guard full;
    const auto factors = context->get_saved_variables();
    return {gradient[0].matmul(factors[1].t()), factors[0].t().matmul(gradient[0])};
  }
};

struct AutocastState {
  at::DeviceType device;
  bool enabled;
  at::ScalarType type;
};

// Says nothing.
struct Silent : c10::WarningHandler {
  void process(const c10::Warning&) override {}
};

// A stream of its own that is the current one of a thread, and the one before it.
struct SideStream {
  const c10::impl::DeviceGuardImplInterface* device;
  c10::Stream before;
};

// A place in a stream of a GPU; no event for the CPU.
struct Mark {
  const c10::impl::DeviceGuardImplInterface* device;
  c10::DeviceIndex index;
  void* event;
};

// The GPU of this number, or the CPU where it is negative.
c10::Device device_of(int index) {
  return index < 0 ? c10::Device(at::kCPU) : c10::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

}  // namespace

extern "C" {

void shim_free(char* message) { free(message); }

// `2.11.0`, of the library that is loaded, not of the headers. `at::show_config` would ask for CUDA, see `shim_load_cuda`.
char* shim_torch_version(char** version) {
  return guarded([&] {
    const auto& options = caffe2::GetBuildOptions();
    const auto found = options.find("TORCH_VERSION");
    *version = text(found == options.end() ? "" : found->second.c_str());
  });
}

// What CUDA's half of the library, which must be loaded, says of itself.
char* shim_cuda_config(char** config) {
  return guarded([&] { *config = text(at::detail::getCUDAHooks().showConfig().c_str()); });
}

// The name of a GPU. The driver's own interface has the same numbers as CUDA's runtime, and needs no headers.
char* shim_gpu_name(int index, char** name) {
  return guarded([&] {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW);
    if (!driver) throw std::runtime_error(dlerror());
    const auto function = [&](const char* of) {
      void* found = dlsym(driver, of);
      if (!found) throw std::runtime_error(std::string("the driver has no ") + of);
      return found;
    };
    const auto init = reinterpret_cast<int (*)(unsigned)>(function("cuInit"));
    const auto get = reinterpret_cast<int (*)(int*, int)>(function("cuDeviceGet"));
    const auto name_of = reinterpret_cast<int (*)(char*, int, int)>(function("cuDeviceGetName"));
    int device = 0;
    char found[256] = {};
    if (init(0) || get(&device, index) || name_of(found, sizeof found, device)) throw std::runtime_error("the driver does not name the GPU");
    *name = text(found);
  });
}

// Loads the CUDA half of libtorch. Must come before any question about CUDA: the answer is remembered.
char* shim_load_cuda() {
  return dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) ? nullptr : text(dlerror());
}

// Whether float32 products and convolutions on a GPU may use TF32.
char* shim_set_tf32(bool allowed) {
  return guarded([&] {
    at::globalContext().setAllowTF32CuBLAS(allowed);
    at::globalContext().setAllowTF32CuDNN(allowed);
  });
}

// What is set: of products, of convolutions.
char* shim_tf32(bool* products, bool* convolutions) {
  return guarded([&] {
    *products = at::globalContext().allowTF32CuBLAS();
    *convolutions = at::globalContext().allowTF32CuDNN(at::Float32Op::CONV);
  });
}

// `FullProduct` of `[n, k]` and `[k, m]`.
char* shim_full_product(Tensor* a, Tensor* b, Tensor** product) {
  return guarded([&] { *product = new Tensor(FullProduct::apply(*a, *b)); });
}

// Switches autocast for a device (CUDA or CPU) to float16 or bfloat16, or off, and hands back what was set before.
char* shim_autocast_push(bool cuda, bool enabled, bool half, AutocastState** before) {
  return guarded([&] {
    const auto device = cuda ? at::kCUDA : at::kCPU;
    *before = new AutocastState{device, at::autocast::is_autocast_enabled(device), at::autocast::get_autocast_dtype(device)};
    at::autocast::set_autocast_enabled(device, enabled);
    at::autocast::set_autocast_dtype(device, half ? at::kHalf : at::kBFloat16);
    at::autocast::increment_nesting();
  });
}

// Takes `before` back and sets what it says.
void shim_autocast_pop(AutocastState* before) {
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(before->device, before->enabled);
  at::autocast::set_autocast_dtype(before->device, before->type);
  delete before;
}

// One step of Adam with L2 decay in the gradient, at `rate`, or at that of a scalar on the device; `steps` are float32 scalars, counted up here. Where `skip` holds 1, nothing changes.
char* shim_adam(Tensor* const* parameters, Tensor* const* gradients, Tensor* const* means, Tensor* const* squares,
                Tensor* const* steps, size_t n, double rate, Tensor* rate_here, double beta1, double beta2, double decay, double eps, Tensor* skip) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    auto p = list(parameters, n), g = list(gradients, n), m = list(means, n), v = list(squares, n), k = list(steps, n);
    if (skip) {
      at::_foreach_add_(k, at::rsub(*skip, 1.0).squeeze());
    } else {
      at::_foreach_add_(k, 1.0);
    }
    const auto found = skip ? std::optional<Tensor>(*skip) : std::nullopt;
    if (rate_here) {
      at::_fused_adam_(p, g, m, v, {}, k, *rate_here, beta1, beta2, decay, eps, /*amsgrad=*/false, /*maximize=*/false, {}, found);
    } else {
      at::_fused_adam_(p, g, m, v, {}, k, rate, beta1, beta2, decay, eps, /*amsgrad=*/false, /*maximize=*/false, {}, found);
    }
  });
}

// One step of SGD with momentum and L2 decay in the gradient. Momenta that start at 0 make the first one the gradient. Where `skip`
// holds 1, nothing changes.
char* shim_sgd(Tensor* const* parameters, Tensor* const* gradients, Tensor* const* momenta, size_t n, double rate,
               Tensor* rate_here, double momentum, double decay, Tensor* skip) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    auto p = list(parameters, n), g = list(gradients, n), m = momentum == 0.0 ? std::vector<Tensor>() : list(momenta, n);
    const auto found = skip ? std::optional<Tensor>(*skip) : std::nullopt;
    if (rate_here) {
      at::_fused_sgd_(p, g, m, decay, momentum, *rate_here, /*dampening=*/0.0, /*nesterov=*/false, /*maximize=*/false,
                      /*is_first_step=*/false, {}, found);
    } else {
      at::_fused_sgd_(p, g, m, decay, momentum, rate, /*dampening=*/0.0, /*nesterov=*/false, /*maximize=*/false,
                      /*is_first_step=*/false, {}, found);
    }
  });
}

// `g := (g + decay p) m` in place, with a factor of its own for each tensor: `decays` and `factors` are `[n]`.
char* shim_scale_with_decay(Tensor* const* parameters, Tensor* const* gradients, size_t n, Tensor* decays, Tensor* factors) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    auto p = list(parameters, n), g = list(gradients, n);
    auto decayed = at::_foreach_mul(p, decays->unbind());
    at::_foreach_add_(g, decayed);
    at::_foreach_mul_(g, factors->unbind());
  });
}

// Divides the tensors by `scale`, in place, and sets `found` to 1 where one of their numbers is not finite. `[1]` each.
char* shim_unscale(Tensor* const* tensors, size_t n, Tensor* scale, Tensor* found) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    auto all = list(tensors, n);
    at::_amp_foreach_non_finite_check_and_unscale_(all, *found, scale->to(at::kDouble).reciprocal().to(at::kFloat));
  });
}

// The next scale: backed off where `found` holds 1, grown after so many steps without. `clean` counts these, as an int64.
char* shim_update_scale(Tensor* scale, Tensor* clean, Tensor* found, double growth, double backoff, int interval) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    auto count = clean->to(at::kInt);
    at::_amp_update_scale_(*scale, count, *found, growth, backoff, interval);
    clean->copy_(count);
  });
}

// Whether a backward pass ends at the first operation that gives NaN. Its error names it; what libtorch would warn beside that is a
// list of addresses, and is not printed.
void shim_anomaly(bool enabled) {
  static Silent silent;
  static c10::WarningHandler* const before = c10::WarningUtils::get_warning_handler();
  torch::autograd::AnomalyMode::set_enabled(enabled, /*check_nan=*/true);
  c10::WarningUtils::set_warning_handler(enabled ? &silent : before);
}

// Begins to note every operation, and on GPUs every kernel.
char* shim_profile_begin(bool cuda) {
  return guarded([&] {
    using namespace torch::profiler::impl;
    const ProfilerConfig config(ProfilerState::KINETO);
    std::set<ActivityType> of{ActivityType::CPU};
    if (cuda) of.insert(ActivityType::CUDA);
    torch::autograd::profiler::prepareProfiler(config, of);
    torch::autograd::profiler::enableProfiler(config, of);
  });
}

// Ends it. A line for each: `gpu` or `cpu`, thread, begin and duration in nanoseconds, name, with tabs between them.
char* shim_profile_end(char** lines) {
  return guarded([&] {
    const auto result = torch::autograd::profiler::disableProfiler();
    std::string all;
    for (const auto& event : result->events()) {
      const bool gpu = event.deviceType() == at::kCUDA;
      std::string name = event.name();
      std::replace_if(name.begin(), name.end(), [](char c) { return c == '\t' || c == '\n'; }, ' ');
      all += std::string(gpu ? "gpu" : "cpu") + '\t' + std::to_string(event.startThreadId()) + '\t' +
          std::to_string(event.startNs()) + '\t' + std::to_string(event.durationNs()) + '\t' + name + '\n';
    }
    *lines = text(all.c_str());
  });
}

// Keeps libtorch's work for this thread on this thread: other threads and the default of new ones stay as they are.
char* shim_one_thread() {
  return guarded([&] {
    at::get_num_threads();  // sets what a new thread starts with, which must not come after
    if (auto set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"))) set(1);
    if (auto set = reinterpret_cast<int (*)(int)>(dlsym(RTLD_DEFAULT, "MKL_Set_Num_Threads_Local"))) set(1);
  });
}

// Makes a stream of the pool the current one of this thread; `index` is that of a GPU, or negative for the CPU, which has one stream.
char* shim_stream_enter(int index, SideStream** entered) {
  return guarded([&] {
    const auto on = device_of(index);
    const auto* device = c10::impl::getDeviceGuardImpl(on.type());
    const auto stream = index < 0 ? device->getStream(on) : device->getStreamFromGlobalPool(on, /*isHighPriority=*/false);
    *entered = new SideStream{device, device->exchangeStream(stream)};
  });
}

// Makes the stream before it the current one again.
void shim_stream_leave(SideStream* of) {
  try {
    of->device->exchangeStream(of->before);
  } catch (...) {  // the device is lost; there is nobody to be told
  }
  delete of;
}

// Marks the place that the current stream of this thread has come to when all is done that it was given so far. The CPU is there at once.
char* shim_mark_set(int index, Mark** mark) {
  return guarded([&] {
    const auto on = device_of(index);
    const auto* device = c10::impl::getDeviceGuardImpl(on.type());
    void* event = nullptr;
    if (index >= 0) device->record(&event, device->getStream(on), on.index(), c10::EventFlag::PYTORCH_DEFAULT);
    *mark = new Mark{device, on.index(), event};
  });
}

// Has the stream come to the mark?
char* shim_mark_passed(Mark* mark, bool* passed) {
  return guarded([&] { *passed = mark->event == nullptr || mark->device->queryEvent(mark->event); });
}

void shim_mark_drop(Mark* mark) {
  try {
    if (mark->event) mark->device->destroyEvent(mark->event, mark->index);
  } catch (...) {  // as above
  }
  delete mark;
}

// Says that the current stream of this thread reads a tensor that another stream has made: its memory is not used again before.
char* shim_stream_reads(Tensor* tensor) {
  return guarded([&] {
    const auto* device = c10::impl::getDeviceGuardImpl(tensor->device().type());
    device->recordDataPtrOnStream(tensor->storage().data_ptr(), device->getStream(tensor->device()));
  });
}

// The Euclidean norm of each tensor as one tensor.
char* shim_norms(Tensor* const* tensors, size_t n, Tensor** norms) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    *norms = new Tensor(at::stack(at::_foreach_norm(list(tensors, n), 2)));
  });
}

// Moves each tensor of a list towards that of the other by this share of the way, a tensor of one number.
char* shim_lerp(Tensor* const* moved, Tensor* const* to, size_t n, Tensor* share) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    auto m = list(moved, n);
    auto way = at::_foreach_sub(list(to, n), m);
    at::_foreach_mul_(way, share->squeeze());
    at::_foreach_add_(m, way);
  });
}

// The most bytes that tensors have taken on this GPU at once.
char* shim_peak_memory(int index, size_t* bytes) {
  return guarded([&] {
    const auto stats = c10::getDeviceAllocator(at::kCUDA)->getDeviceStats(static_cast<c10::DeviceIndex>(index));
    *bytes = static_cast<size_t>(stats.allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak);
  });
}

// Bytes of this GPU that nobody has taken.
char* shim_free_memory(int index, size_t* bytes) {
  return guarded([&] {
    *bytes = c10::getDeviceAllocator(at::kCUDA)->getMemoryInfo(static_cast<c10::DeviceIndex>(index)).first;
  });
}

// Gives free memory back: of the machine, and of this GPU what is kept for tensors to come.
char* shim_give_back(int index) {
  return guarded([&] {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    if (index >= 0) c10::getDeviceAllocator(at::kCUDA)->emptyCache();
  });
}

// Whether nobody else holds the tensor, a view of it or anything that remembers its values.
char* shim_is_held_once(Tensor* tensor, bool* is_held_once) {
  return guarded([&] { *is_held_once = tensor->use_count() == 1 && tensor->storage().use_count() == 1; });
}

}  // extern "C"
