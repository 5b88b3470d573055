// What the classifiers and regressors of ai.onnx.ml share: rows of their input, transforms of scores, labels.
// Source: the operators' definitions; where those are silent (binary classifiers), as ONNX Runtime answers.
#pragma once

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "backends/ref/dispatch.h"
#include "tensor/number_at.h"

namespace ingot::ml {

enum class Transform { kNone, kLogistic, kSoftmax, kSoftmaxZero, kProbit };

inline Transform transform_of(const Node& node) {
  const std::string name = node.attributes.get_string("post_transform", "NONE");
  return name == "LOGISTIC"       ? Transform::kLogistic
         : name == "SOFTMAX"      ? Transform::kSoftmax
         : name == "SOFTMAX_ZERO" ? Transform::kSoftmaxZero
         : name == "PROBIT"       ? Transform::kProbit
                                  : Transform::kNone;
}

// The input seen as rows of features: [F] is one row.
struct Rows {
  int64_t count, features;
  explicit Rows(const Shape& s) : count(s.rank() == 2 ? s[0] : 1), features(s.at(-1)) {}
};

inline double logistic(double x) {
  const double v = 1 / (1 + std::exp(-std::abs(x)));
  return x < 0 ? 1 - v : v;
}

// sqrt(2) erf^-1(2 x - 1), with Winitzki's approximation of the inverse error function.
inline double probit(double x) {
  constexpr double kA = 0.147, kPi = 3.14159;
  const double y = 2 * x - 1, log = std::log((1 - y) * (1 + y));
  const double v = 2 / (kPi * kA) + 0.5 * log;
  return (y < 0 ? -1 : 1) * 1.41421356 * std::sqrt(-v + std::sqrt(v * v - log / kA));
}

// Softmax; with `zero`, scores that are 0 keep no share of their own: they are scaled only.
inline void softmax(std::vector<double>& scores, bool zero) {
  double top = -INFINITY, sum = 0;
  for (double s : scores) top = std::max(top, s);
  for (double& s : scores) {
    if (zero && std::abs(s) <= 1e-7) {
      s *= std::exp(-top);
      continue;
    }
    s = std::exp(s - top);
    sum += s;
  }
  for (double& s : scores) s /= sum;
}

// What a lone score says of the second class.
enum class Second { kNone, kComplement, kNegative };

// Applies the transform; a lone score may become two: [1 - s, s] or [-s, s].
inline void finish_scores(std::vector<double>& s, Transform t, Second second) {
  if (s.size() == 1) {
    const double v = s[0];
    if (t == Transform::kProbit)
      s = {probit(v)};
    else if (second == Second::kComplement)
      s = {1 - v, v};
    else if (second == Second::kNegative)
      s = t == Transform::kLogistic ? std::vector{logistic(-v), logistic(v)} : std::vector{-v, v};
    return;
  }
  if (t == Transform::kProbit) std::ranges::transform(s, s.begin(), probit);
  if (t == Transform::kLogistic) std::ranges::transform(s, s.begin(), logistic);
  if (t == Transform::kSoftmax || t == Transform::kSoftmaxZero) softmax(s, t == Transform::kSoftmaxZero);
}

// Writes row i of the outputs: the class at `label` of those the node names, and its scores if they are asked for. A
// class that is not named counts as its number.
inline void write_class(KernelContext& c, int64_t row, int64_t label, const std::vector<double>& scores) {
  const auto& strings = c.node.attributes.strings("classlabels_strings");
  const auto& ints = c.node.attributes.ints("classlabels_ints");
  const size_t at = static_cast<size_t>(label);
  if (!strings.empty())
    c.out(0).as<std::string>()[row] = at < strings.size() ? strings[at] : std::to_string(label);
  else
    c.out(0).as<int64_t>()[row] = at < ints.size() ? ints[at] : label;
  if (!c.has_output(1)) return;
  const int64_t columns = c.out(1).shape[1];
  float* out = c.out(1).as<float>() + row * columns;
  for (int64_t i = 0; i < columns; ++i)
    out[i] = i < static_cast<int64_t>(scores.size()) ? static_cast<float>(scores[static_cast<size_t>(i)]) : 0.0f;
}

inline int64_t index_of_max(const std::vector<double>& v) { return std::ranges::max_element(v) - v.begin(); }

}  // namespace ingot::ml
