#include "ir/rnn_activation.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <string>

namespace ingot {
namespace {

struct Entry {
  std::string_view name;
  RnnActivation activation;
  bool has_alpha, has_beta;
};
constexpr Entry kEntries[] = {
    {"relu", {RnnFunction::kRelu}, false, false},
    {"tanh", {RnnFunction::kTanh}, false, false},
    {"sigmoid", {RnnFunction::kSigmoid}, false, false},
    {"softsign", {RnnFunction::kSoftsign}, false, false},
    {"softplus", {RnnFunction::kSoftplus}, false, false},
    {"affine", {RnnFunction::kAffine, 1, 0}, true, true},
    {"leakyrelu", {RnnFunction::kLeakyRelu, 0.01, 0}, true, false},
    {"thresholdedrelu", {RnnFunction::kThresholdedRelu, 1, 0}, true, false},
    {"scaledtanh", {RnnFunction::kScaledTanh, 1, 1}, true, true},
    {"hardsigmoid", {RnnFunction::kHardSigmoid, 0.2, 0.5}, true, true},
    {"elu", {RnnFunction::kElu, 1, 0}, true, false},
};

const Entry* find_entry(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto it = std::ranges::find(kEntries, lower, &Entry::name);
  return it == std::end(kEntries) ? nullptr : it;
}

std::vector<float> floats(const Attributes& a, std::string_view name) {
  const Attribute* given = a.find(name);
  return given ? std::get<std::vector<float>>(*given) : std::vector<float>{};
}

}  // namespace

double RnnActivation::operator()(double x) const {
  switch (function) {
    case RnnFunction::kRelu: return std::max(x, 0.0);
    case RnnFunction::kTanh: return std::tanh(x);
    case RnnFunction::kSigmoid: return 1 / (1 + std::exp(-x));
    case RnnFunction::kSoftsign: return x / (1 + std::fabs(x));
    case RnnFunction::kSoftplus: return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x)));
    case RnnFunction::kAffine: return alpha * x + beta;
    case RnnFunction::kLeakyRelu: return x < 0 ? alpha * x : x;
    case RnnFunction::kThresholdedRelu: return x >= alpha ? x : 0;
    case RnnFunction::kScaledTanh: return alpha * std::tanh(beta * x);
    case RnnFunction::kHardSigmoid: return std::clamp(alpha * x + beta, 0.0, 1.0);
    case RnnFunction::kElu: return x < 0 ? alpha * std::expm1(x) : x;
  }
  return x;
}

std::optional<RnnActivation> find_rnn_activation(std::string_view name) {
  const Entry* entry = find_entry(name);
  return entry ? std::optional(entry->activation) : std::nullopt;
}

std::vector<RnnActivation> rnn_activations(const Attributes& attributes, std::vector<std::string_view> defaults,
                                           size_t directions) {
  const size_t places = defaults.size();
  std::vector<std::string> names(defaults.begin(), defaults.end());
  if (const Attribute* given = attributes.find("activations")) names = std::get<std::vector<std::string>>(*given);
  for (size_t i = 0; names.size() < places * directions; ++i) names.push_back(names[i]);
  const auto alphas = floats(attributes, "activation_alpha"), betas = floats(attributes, "activation_beta");
  size_t alpha = 0, beta = 0;
  std::vector<RnnActivation> out;
  for (const std::string& name : names) {
    const Entry* entry = find_entry(name);
    INGOT_CHECK(entry != nullptr);
    out.push_back(entry->activation);
    if (entry->has_alpha && alpha < alphas.size()) out.back().alpha = static_cast<double>(alphas[alpha++]);
    if (entry->has_beta && beta < betas.size()) out.back().beta = static_cast<double>(betas[beta++]);
  }
  return out;
}

}  // namespace ingot
