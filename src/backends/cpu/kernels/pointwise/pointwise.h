// Elementwise functions, row reductions, softmax and transposition of float32, per instruction set.
//
// Each function works on one contiguous run; callers split tensors into runs and runs among threads. Reductions
// keep a fixed number of partial sums by position in the run, so results depend on the run alone. x and y may be
// the same memory, but must not overlap otherwise. Nothing allocates. Errors of exp, log, tanh, erf:
// simd/functions.inc.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/kernels/simd/activation.h"
#include "base/cpu_features.h"

namespace ingot {

enum class Unary : uint8_t { kExp, kLog, kErf, kSqrt, kNeg, kAbs, kReciprocal };
enum class Binary : uint8_t { kAdd, kSub, kMul, kDiv, kMax, kMin, kSquare };

struct PointwiseKernels {
  void (*activate)(const ActSpec& act, const float* x, float* y, int64_t n);
  void (*unary)(Unary f, const float* x, float* y, int64_t n);
  // y[i] = f(a[i], b[i]); an operand with step 0 is one value for all.
  void (*binary)(Binary f, const float* a, int a_step, const float* b, int b_step, float* y, int64_t n);
  // y[i] = x[i] * scale + shift
  void (*affine)(const float* x, float scale, float shift, float* y, int64_t n);
  // y[i] = a[i] * a_weight + b[i] * b_weight
  void (*blend)(const float* a, float a_weight, const float* b, float b_weight, float* y, int64_t n);
  float (*sum)(const float* x, int64_t n);
  float (*max)(const float* x, int64_t n);  // -infinity for none
  // y = exp(x - max) / sum of exp(x - max), or its logarithm
  void (*softmax)(const float* x, float* y, int64_t n, bool logarithm);
  // The same down each of `columns` columns of a [rows, step] matrix.   scratch: 2 * columns floats
  void (*softmax_columns)(const float* x, float* y, int64_t rows, int64_t columns, int64_t step, bool logarithm,
                          float* scratch);
  // y[j] = f over i of x[i * step + j], in order of i; f is kAdd or kMax
  void (*reduce_columns)(Binary f, const float* x, int64_t rows, int64_t columns, int64_t step, float* y);
  // y[j * y_step + i] = x[i * x_step + j], 4-byte elements
  void (*transpose)(const float* x, int64_t x_step, int64_t rows, int64_t columns, float* y, int64_t y_step);
};
const PointwiseKernels& pointwise(Isa isa);

}  // namespace ingot
