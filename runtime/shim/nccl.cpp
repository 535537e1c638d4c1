// NCCL through c10d, a shared object of its own: it needs CUDA's half of libtorch, which is loaded only where a GPU is asked for.
// `build.rs` puts it into the crate, `src/ffi.rs` loads it.
#define USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include <cstring>

// The group of this rank on the GPU `device`, or what went wrong.
extern "C" char* shim_group_nccl(c10::intrusive_ptr<c10d::Store>* store, int rank, int ranks, int device, int64_t timeout_ms,
                                 c10::intrusive_ptr<c10d::Backend>** group) {
  try {
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(device));
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = std::chrono::milliseconds(timeout_ms);
    auto made = c10::make_intrusive<c10d::ProcessGroupNCCL>((*store)->clone(), rank, ranks, options);
    made->setBoundDeviceId(at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(device)));
    *group = new c10::intrusive_ptr<c10d::Backend>(std::move(made));
    return nullptr;
  } catch (const std::exception& e) {
    return strdup(e.what());
  } catch (...) {
    return strdup("unknown C++ exception");
  }
}
