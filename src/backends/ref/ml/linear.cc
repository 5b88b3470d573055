// LinearClassifier and LinearRegressor: scores = x coefficients^T + intercepts.
#include "backends/ref/kernels.h"
#include "backends/ref/ml/scores.h"

namespace ingot {
namespace {

// The scores of one row; `count` of them.
std::vector<double> scores_of(const KernelContext& c, int64_t row, int64_t features, size_t count) {
  const auto& coefficients = c.node.attributes.floats("coefficients");
  const auto& intercepts = c.node.attributes.floats("intercepts");
  std::vector<double> out(count, 0.0);
  for (size_t k = 0; k < count; ++k) {
    for (int64_t f = 0; f < features; ++f)
      out[k] += number_at(c.in(0), row * features + f) *
                static_cast<double>(coefficients[k * static_cast<size_t>(features) + static_cast<size_t>(f)]);
    if (!intercepts.empty()) out[k] += static_cast<double>(intercepts[k]);
  }
  return out;
}

bool features_fit(KernelContext& c, int64_t features, size_t count) {
  const size_t have = c.node.attributes.floats("coefficients").size();
  if (static_cast<size_t>(features) * count == have) return true;
  invalid_data(c, fmt::format("{} features with {} coefficients for {} scores", features, have, count));
  return false;
}

}  // namespace

void ref_LinearClassifier(KernelContext& c) {
  const Attributes& a = c.node.attributes;
  const ml::Rows x(c.in(0).shape);
  const size_t labels = a.ints("classlabels_ints").size() + a.strings("classlabels_strings").size();
  const size_t count = a.floats("intercepts").empty() ? labels : a.floats("intercepts").size();
  if (!features_fit(c, x.features, count)) return;
  const ml::Transform transform = ml::transform_of(c.node);
  for (int64_t row = 0; row < x.count; ++row) {
    std::vector<double> scores = scores_of(c, row, x.features, count);
    // One score is that of the second of two classes. With one label only, the classes are 0 and 1.
    const int64_t best = count == 1 ? static_cast<int64_t>(scores[0] > 0) : ml::index_of_max(scores);
    ml::finish_scores(scores, transform, count == 1 && labels == 2 ? ml::Second::kComplement : ml::Second::kNone);
    ml::write_class(c, row, best, scores);
    if (count == 1 && labels == 1) {
      if (c.out(0).dtype == DType::kString)
        c.out(0).as<std::string>()[row] = std::to_string(best);
      else
        c.out(0).as<int64_t>()[row] = best;
    }
  }
}

void ref_LinearRegressor(KernelContext& c) {
  const ml::Rows x(c.in(0).shape);
  const size_t targets = static_cast<size_t>(c.node.attributes.get_int("targets", 1));
  if (!features_fit(c, x.features, targets)) return;
  const ml::Transform transform = ml::transform_of(c.node);
  for (int64_t row = 0; row < x.count; ++row) {
    std::vector<double> scores = scores_of(c, row, x.features, targets);
    ml::finish_scores(scores, transform, ml::Second::kNone);
    for (size_t k = 0; k < targets; ++k)
      c.out(0).as<float>()[row * static_cast<int64_t>(targets) + static_cast<int64_t>(k)] =
          static_cast<float>(scores[k]);
  }
}

}  // namespace ingot
