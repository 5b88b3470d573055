// Reference kernel: ingot.moe. Token by token; each chosen expert's matrices are decoded row by row.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "backends/expert_weights.h"
#include "backends/ref/activations.h"
#include "backends/ref/kernels.h"
#include "tensor/block_formats.h"

namespace ingot {
namespace {

// y = w x
std::vector<float> multiply(const TensorView& w, const float* x) {
  const int64_t n = w.shape[0], k = w.shape[1];
  std::vector<float> row(static_cast<size_t>(k)), y(static_cast<size_t>(n));
  for (int64_t j = 0; j < n; ++j) {
    decode_row(w.dtype, w.as<std::byte>() + static_cast<size_t>(j) * w.row_bytes(), row.data(), k);
    double sum = 0;
    for (int64_t i = 0; i < k; ++i) sum += static_cast<double>(x[i]) * row[static_cast<size_t>(i)];
    y[static_cast<size_t>(j)] = static_cast<float>(sum);
  }
  return y;
}

}  // namespace

void ref_Moe(KernelContext& c) {
  const ExpertWeights weights(c.inputs.subspan(2));
  const auto act = activation_by_name(c.node.attributes.get_string("activation"));
  const int64_t used = c.node.attributes.get_int("used"), width = c.in(0).shape[1], experts = weights.count();
  const bool normalize = c.node.attributes.get_int("normalize", 1) != 0;
  for (int64_t t = 0; t < c.in(0).shape[0]; ++t) {
    const float *x = c.in(0).as<float>() + t * width, *logits = c.in(1).as<float>() + t * experts;
    std::vector<int64_t> best(static_cast<size_t>(experts));
    std::iota(best.begin(), best.end(), 0);
    std::ranges::stable_sort(best, [&](int64_t a, int64_t b) { return logits[a] > logits[b]; });
    double total = 0;
    for (size_t i = 0; i < static_cast<size_t>(normalize ? used : experts); ++i)
      total += std::exp(static_cast<double>(logits[best[i]]) - logits[best[0]]);
    std::vector<double> sum(static_cast<size_t>(width));
    for (size_t r = 0; r < static_cast<size_t>(used); ++r) {
      const double share = std::exp(static_cast<double>(logits[best[r]]) - logits[best[0]]) / total;
      std::vector<float> gate = multiply(weights.matrix(ExpertPart::kGate, best[r]), x);
      const std::vector<float> up = multiply(weights.matrix(ExpertPart::kUp, best[r]), x);
      for (size_t i = 0; i < gate.size(); ++i) gate[i] = act(gate[i]) * up[i];
      const std::vector<float> down = multiply(weights.matrix(ExpertPart::kDown, best[r]), gate.data());
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += share * down[i];
    }
    for (size_t i = 0; i < sum.size(); ++i)
      c.out(0).as<float>()[t * width + static_cast<int64_t>(i)] = static_cast<float>(sum[i]);
  }
}

}  // namespace ingot
