// What tch lacks of libtorch: autocast for any device and type, fused optimisers, the version of the library loaded, CUDA on
// demand. C functions with `at::Tensor*` in and out. No C++ exception leaves this file: a function that can fail returns its
// text, to be given back with `shim_free`, or null. The Rust side is `src/ffi.rs`.
#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <torch/version.h>

#include <cstring>
#include <dlfcn.h>
#include <exception>
#include <string>
#include <vector>

// The pair that tch is made for: its generated bindings call functions of exactly this version.
static_assert(TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR == 11, "tch 0.24 needs the headers of PyTorch 2.11.0");

using at::Tensor;

namespace {

char* text(const char* message) { return strdup(message); }

// Runs `body` and turns an exception into its text.
template <typename Body>
char* guarded(Body body) {
  try {
    body();
    return nullptr;
  } catch (const std::exception& e) {
    return text(e.what());
  } catch (...) {
    return text("unknown C++ exception");
  }
}

std::vector<Tensor> list(Tensor* const* tensors, size_t n) {
  std::vector<Tensor> result;
  result.reserve(n);
  for (size_t i = 0; i < n; ++i) result.push_back(*tensors[i]);
  return result;
}

struct AutocastState {
  at::DeviceType device;
  bool enabled;
  at::ScalarType type;
};

}  // namespace

extern "C" {

void shim_free(char* message) { free(message); }

// `2.11.0`, of the library that is loaded, not of the headers.
char* shim_torch_version(char** version) {
  return guarded([&] {
    const std::string config = at::show_config(), key = "TORCH_VERSION=";
    const auto at = config.find(key);
    const auto start = at == std::string::npos ? config.size() : at + key.size();
    *version = text(config.substr(start, config.find_first_of(", \n", start) - start).c_str());
  });
}

// Loads the CUDA half of libtorch. Must come before any question about CUDA: the answer is remembered.
char* shim_load_cuda() {
  return dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) ? nullptr : text(dlerror());
}

// Switches autocast for a device (CUDA or CPU) to bfloat16, or off, and hands back what was set before.
char* shim_autocast_push(bool cuda, bool enabled, AutocastState** before) {
  return guarded([&] {
    const auto device = cuda ? at::kCUDA : at::kCPU;
    *before = new AutocastState{device, at::autocast::is_autocast_enabled(device), at::autocast::get_autocast_dtype(device)};
    at::autocast::set_autocast_enabled(device, enabled);
    at::autocast::set_autocast_dtype(device, at::kBFloat16);
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

// One step of Adam with L2 decay in the gradient; `steps` are float32 scalars, counted up here.
char* shim_adam(Tensor* const* parameters, Tensor* const* gradients, Tensor* const* means, Tensor* const* squares,
                Tensor* const* steps, size_t n, double rate, double beta1, double beta2, double decay, double eps) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    auto p = list(parameters, n), g = list(gradients, n), m = list(means, n), v = list(squares, n), k = list(steps, n);
    at::_foreach_add_(k, 1.0);
    at::_fused_adam_(p, g, m, v, {}, k, rate, beta1, beta2, decay, eps, /*amsgrad=*/false, /*maximize=*/false);
  });
}

// One step of SGD with momentum and L2 decay in the gradient. Momenta that start at 0 make the first one the gradient.
char* shim_sgd(Tensor* const* parameters, Tensor* const* gradients, Tensor* const* momenta, size_t n, double rate,
               double momentum, double decay) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    auto p = list(parameters, n), g = list(gradients, n), m = list(momenta, n);
    at::_fused_sgd_(p, g, m, decay, momentum, rate, /*dampening=*/0.0, /*nesterov=*/false, /*maximize=*/false,
                    /*is_first_step=*/false);
  });
}

}  // extern "C"
