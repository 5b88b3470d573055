// The kernels of what lies between matrix products: norms, rotation, activations, sums. Rows of float32.
//
// Functions of whole rows or element ranges, single-threaded, without allocation; the ops (ops/*.cc) divide rows
// between threads. For a given ISA a result depends on its own row alone, never on where a range starts or ends:
// tails run through the same vector code. An output may be the input itself; other overlaps are not allowed.
// Errors against exact arithmetic: see vector/math.inc.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/cpu_features.h"

namespace ingot::rows {

enum class ActivationKind : uint8_t { kSilu, kGelu, kGeluTanh, kRelu };

struct Kernels {
  // y = x / sqrt(mean(x^2) + eps) * w, for `rows` rows of `width`.
  void (*rms_norm)(const float* x, const float* w, float* y, int64_t rows, int64_t width, float eps);
  // y = (x - mean) / sqrt(variance + eps) * w + b. b may be null.
  void (*layer_norm)(const float* x, const float* w, const float* b, float* y, int64_t rows, int64_t width, float eps);
  // Cosines, then sines, of position * inv_freq[i], each times scale: half of each.
  void (*rope_table)(float position, const float* inv_freq, int64_t half, float scale, float* y);
  // Rotates the first `rotary` elements of each of the heads of one token. table: rotary / 2 cosines, then sines.
  void (*rope)(const float* x, const float* table, float* y, int64_t heads, int64_t head_dim, int64_t rotary);
  void (*rope_interleaved)(const float* x, const float* table, float* y, int64_t heads, int64_t head_dim,
                           int64_t rotary);
  void (*activation)(ActivationKind kind, const float* x, float* y, int64_t n);
  void (*gated_activation)(ActivationKind kind, const float* gate, const float* up, float* y, int64_t n);
  // y = cap * tanh(x / cap)
  void (*softcap)(const float* x, float cap, float* y, int64_t n);
  void (*add)(const float* a, const float* b, float* y, int64_t n);
};

// The best kernels that an ISA runs; the table lives as long as the program.
const Kernels& kernels_for(Isa isa);

}  // namespace ingot::rows
