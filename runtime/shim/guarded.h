// What the files of the shim share.
#pragma once
#include <ATen/ATen.h>

#include <cstring>
#include <exception>
#include <vector>

inline char* text(const char* message) { return strdup(message); }

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

inline std::vector<at::Tensor> list(at::Tensor* const* tensors, size_t n) {
  std::vector<at::Tensor> result;
  result.reserve(n);
  for (size_t i = 0; i < n; ++i) result.push_back(*tensors[i]);
  return result;
}
