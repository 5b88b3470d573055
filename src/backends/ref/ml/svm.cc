// SVMClassifier and SVMRegressor (libsvm's and liblinear's models). Probabilities of several classes are coupled as in
// Wu, Lin and Weng, "Probability Estimates for Multi-class Classification by Pairwise Coupling", 2004, second method.
#include <numeric>

#include "backends/ref/kernels.h"
#include "backends/ref/ml/scores.h"

namespace ingot {
namespace {

class SvmKernel {
 public:
  explicit SvmKernel(const Attributes& a) : name_(a.get_string("kernel_type", "LINEAR")) {
    const auto& p = a.floats("kernel_params");
    if (p.size() == 3) gamma_ = p[0], coef0_ = p[1], degree_ = p[2];
  }
  double operator()(std::span<const double> x, const float* v) const {
    double dot = 0, distance = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double w = static_cast<double>(v[i]);
      dot += x[i] * w;
      distance += (x[i] - w) * (x[i] - w);
    }
    if (name_ == "POLY") return std::pow(gamma_ * dot + coef0_, degree_);
    if (name_ == "SIGMOID") return std::tanh(gamma_ * dot + coef0_);
    if (name_ == "RBF") return std::exp(-gamma_ * distance);
    return dot;
  }

 private:
  std::string name_;
  double gamma_ = 0, coef0_ = 0, degree_ = 0;
};

std::vector<double> row_of(const TensorView& t, int64_t row, int64_t features) {
  std::vector<double> out;
  for (int64_t i = 0; i < features; ++i) out.push_back(number_at(t, row * features + i));
  return out;
}

// Probabilities p with sum 1 that fit best the pairwise ones: r[i n + j] = P(i | i or j).
std::vector<double> couple(const std::vector<double>& r, size_t n) {
  constexpr int kStepsMax = 100;
  const auto at = [n](size_t i, size_t j) { return i * n + j; };
  std::vector<double> q(n * n, 0.0), p(n, 1.0 / static_cast<double>(n)), qp(n);
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j)
      if (j != i) {
        q[at(i, i)] += r[at(j, i)] * r[at(j, i)];
        q[at(i, j)] = -r[at(j, i)] * r[at(i, j)];
      }
  for (int step = 0; step < kStepsMax; ++step) {
    double pqp = 0, error = 0;
    for (size_t i = 0; i < n; ++i) {
      qp[i] = 0;
      for (size_t j = 0; j < n; ++j) qp[i] += q[at(i, j)] * p[j];
      pqp += p[i] * qp[i];
    }
    for (size_t i = 0; i < n; ++i) error = std::max(error, std::abs(qp[i] - pqp));
    if (error < 0.005 / static_cast<double>(n)) break;
    for (size_t i = 0; i < n; ++i) {
      const double d = (pqp - qp[i]) / q[at(i, i)];
      p[i] += d;
      pqp = (pqp + d * (d * q[at(i, i)] + 2 * qp[i])) / (1 + d) / (1 + d);
      for (size_t j = 0; j < n; ++j) {
        qp[j] = (qp[j] + d * q[at(i, j)]) / (1 + d);
        p[j] /= 1 + d;
      }
    }
  }
  return p;
}

// One decision a pair of classes (i, j), i < j: positive for i. `votes` counts the pairs each class wins.
std::vector<double> decide_pairs(const Attributes& a, const std::vector<double>& k, size_t classes,
                                 std::vector<double>& votes) {
  const auto& per_class = a.ints("vectors_per_class");
  const auto &weights = a.floats("coefficients"), &rho = a.floats("rho");
  std::vector<size_t> begin(classes + 1, 0);
  for (size_t i = 0; i < classes; ++i) begin[i + 1] = begin[i] + static_cast<size_t>(per_class[i]);
  std::vector<double> out;
  for (size_t i = 0; i < classes; ++i)
    for (size_t j = i + 1; j < classes; ++j) {
      double sum = static_cast<double>(rho[out.size()]);
      for (size_t v = begin[i]; v < begin[i + 1]; ++v)
        sum += static_cast<double>(weights[(j - 1) * k.size() + v]) * k[v];
      for (size_t v = begin[j]; v < begin[j + 1]; ++v) sum += static_cast<double>(weights[i * k.size() + v]) * k[v];
      out.push_back(sum);
      votes[sum > 0 ? i : j] += 1;
    }
  return out;
}

std::vector<double> probabilities(const Attributes& a, const std::vector<double>& decisions, size_t classes) {
  std::vector<double> r(classes * classes, 0.0);
  size_t pair = 0;
  for (size_t i = 0; i < classes; ++i)
    for (size_t j = i + 1; j < classes; ++j, ++pair) {
      const double z = decisions[pair] * static_cast<double>(a.floats("prob_a")[pair]) +
                       static_cast<double>(a.floats("prob_b")[pair]);
      r[i * classes + j] = std::clamp(1 - ml::logistic(z), 1e-7, 1 - 1e-7);
      r[j * classes + i] = 1 - r[i * classes + j];
    }
  return couple(r, classes);
}

// The kernel of the row with each of `count` vectors; empty if the sizes do not fit.
std::vector<double> kernels_of(const SvmKernel& kernel, const std::vector<double>& x, const std::vector<float>& vectors,
                               size_t count) {
  std::vector<double> out;
  if (x.size() * count > vectors.size()) return out;
  for (size_t v = 0; v < count; ++v) out.push_back(kernel(x, vectors.data() + v * x.size()));
  return out;
}

void no_fit(KernelContext& c) { invalid_data(c, fmt::format("the input {} does not fit", c.in(0).shape.to_string())); }

}  // namespace

void ref_SVMClassifier(KernelContext& c) {
  const Attributes& a = c.node.attributes;
  const ml::Rows x(c.in(0).shape);
  const SvmKernel kernel(a), dot{Attributes{}};
  const size_t classes = a.ints("classlabels_ints").size() + a.strings("classlabels_strings").size();
  size_t vectors = 0;
  for (int64_t n : a.ints("vectors_per_class")) vectors += static_cast<size_t>(n);
  const bool linear = vectors == 0, proba = !a.floats("prob_a").empty();
  const bool positive = std::ranges::all_of(a.floats("coefficients"), [](float w) { return w >= 0; });
  const ml::Transform transform = ml::transform_of(c.node);
  ml::Second second = ml::Second::kNone;
  if (!linear && !proba && classes == 2)
    second = transform == ml::Transform::kNone ? ml::Second::kNegative : ml::Second::kComplement;
  for (int64_t row = 0; row < x.count; ++row) {
    const std::vector<double> values = row_of(c.in(0), row, x.features);
    std::vector<double> scores, votes(classes, 0.0);
    if (linear) {
      scores = kernels_of(dot, values, a.floats("coefficients"), classes);
      for (double& s : scores) s += static_cast<double>(a.floats("rho")[0]);
    } else {
      const std::vector<double> k = kernels_of(kernel, values, a.floats("support_vectors"), vectors);
      if (k.size() == vectors) scores = decide_pairs(a, k, classes, votes);
      if (proba && !scores.empty()) scores = probabilities(a, scores, classes);
    }
    if (scores.empty()) return no_fit(c);
    int64_t best = ml::index_of_max(linear ? scores : votes);
    if (linear && classes == 2 && !proba) {
      const double top = std::max(scores[0], scores[1]);
      if (positive ? top >= 0.5 : top > 0) best = 1;
    }
    ml::finish_scores(scores, transform, second);
    ml::write_class(c, row, best, scores);
  }
}

void ref_SVMRegressor(KernelContext& c) {
  const Attributes& a = c.node.attributes;
  const ml::Rows x(c.in(0).shape);
  const size_t supports = static_cast<size_t>(a.get_int("n_supports"));
  const SvmKernel kernel = supports ? SvmKernel(a) : SvmKernel(Attributes{});
  const auto& coefficients = a.floats("coefficients");
  const ml::Transform transform = ml::transform_of(c.node);
  for (int64_t row = 0; row < x.count; ++row) {
    const std::vector<double> values = row_of(c.in(0), row, x.features);
    const std::vector<double> k =
        kernels_of(kernel, values, supports ? a.floats("support_vectors") : coefficients, supports ? supports : 1);
    if (k.empty()) return no_fit(c);
    double sum = static_cast<double>(a.floats("rho")[0]);
    for (size_t v = 0; v < k.size(); ++v) sum += supports ? static_cast<double>(coefficients[v]) * k[v] : k[v];
    std::vector<double> score{a.get_int("one_class") ? (sum > 0 ? 1.0 : -1.0) : sum};
    ml::finish_scores(score, transform, ml::Second::kNone);
    c.out(0).as<float>()[row] = static_cast<float>(score[0]);
  }
}

}  // namespace ingot
