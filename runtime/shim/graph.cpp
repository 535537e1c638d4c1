// Graphs of a GPU's work, in the shared object of `nccl.cpp`: recorded once, then given to the device with one call.
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include "guarded.h"

using at::cuda::CUDAGraph;

extern "C" {

// Begins to record what this thread gives to its current stream, which must be none of the device's default. Memory that is kept for
// tensors to come is given back first: a graph has memory of its own. Other threads go on with streams of their own meanwhile.
char* shim_graph_begin(CUDAGraph** graph) {
  return guarded([&] {
    c10::cuda::CUDACachingAllocator::emptyCache();
    auto made = std::make_unique<CUDAGraph>();
    made->capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    *graph = made.release();
  });
}

// Ends that. Nothing of it has been computed yet. Where it fails libtorch's memory goes on as if it were recorded, and nothing in
// its interface ends that: the process takes no further steps.
char* shim_graph_end(CUDAGraph* graph) {
  return guarded([&] { graph->capture_end(); });
}

// Gives all of it to the current stream.
char* shim_graph_replay(CUDAGraph* graph) {
  return guarded([&] { graph->replay(); });
}

// Its memory goes once the tensors that it made are gone, too.
void shim_graph_free(CUDAGraph* graph) {
  try {
    delete graph;
  } catch (...) {  // the device is lost; there is nobody to be told
  }
}

}  // extern "C"
