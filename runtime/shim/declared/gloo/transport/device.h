// What the headers of PyTorch 2.11.0 name of Gloo, which comes inside `libtorch_cpu.so` without its own headers. Declarations alone,
// for exactly this version: shim.cpp checks it.
#pragma once

namespace gloo::transport {

class Device;

class UnboundBuffer {
 public:
  virtual ~UnboundBuffer() = 0;
};

}  // namespace gloo::transport
