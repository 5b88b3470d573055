// Ops that keep the bytes and change the shape, for callers that did not make them views: a plain copy.
#include <cstring>

#include "backends/ref/dispatch.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

void copy(KernelContext& c) {
  if (c.in(0).dtype == DType::kString) {
    std::copy_n(c.in(0).as<std::string>(), c.in(0).num_elements(), c.out(0).as<std::string>());
  } else if (const size_t bytes = c.in(0).num_bytes()) {
    std::memcpy(c.out(0).data, c.in(0).data, bytes);
  }
}

}  // namespace

void ref_Identity(KernelContext& c) { copy(c); }
void ref_Reshape(KernelContext& c) { copy(c); }
void ref_Flatten(KernelContext& c) { copy(c); }
void ref_Squeeze(KernelContext& c) { copy(c); }
void ref_Unsqueeze(KernelContext& c) { copy(c); }
void ref_ZipMap(KernelContext& c) { copy(c); }

}  // namespace ingot
