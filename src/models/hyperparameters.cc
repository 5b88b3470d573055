// Look-ups in a model's metadata under the spellings of GGUF and of config.json. Contract: config.h.
#include <algorithm>
#include <cmath>

#include "models/config.h"

namespace ingot {
namespace {

constexpr int64_t kSizeMax = int64_t{1} << 31;

std::vector<std::string_view> alternatives(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t bar = std::min(text.find('|'), text.size());
    out.push_back(text.substr(0, bar));
    text.remove_prefix(std::min(bar + 1, text.size()));
  }
  return out;
}

}  // namespace

Hyperparameters::Hyperparameters(const Source& source, std::string architecture)
    : source_(source), architecture_(std::move(architecture)) {}

std::vector<std::string> Hyperparameters::spellings(HyperKey key) const {
  std::vector<std::string> out;
  if (source_.kind() == SourceKind::kGguf) {
    for (std::string_view k : alternatives(key.gguf)) out.push_back(fmt::format("{}.{}", architecture_, k));
  } else {
    for (std::string_view k : alternatives(key.hf)) {
      out.push_back(fmt::format("config.text_config.{}", k));
      out.push_back(fmt::format("config.{}", k));
    }
  }
  return out;
}

Result<void> Hyperparameters::refuse_scalar(HyperKey key, std::string_view wanted) const {
  for (const std::string& k : spellings(key))
    if (source_.find_metadata(k))
      return invalid("[model] '{}' is not {}: convert or download the model again", k, wanted);
  return {};
}

std::string Hyperparameters::name(HyperKey key) const {
  const auto names = spellings(key);
  for (const std::string& k : names)
    if (source_.find_metadata(k)) return k;
  if (names.empty()) return architecture_;
  return source_.kind() == SourceKind::kGguf ? names.front() : names[1];  // text_config is for models with more parts
}

Result<int64_t> Hyperparameters::size_or(HyperKey key, int64_t fallback, int64_t null) const {
  for (const std::string& k : spellings(key)) {
    if (source_.is_null(k)) return null;
    // Some files give one value a layer; one that is the same for all layers is that value.
    if (const MetaValue* m = source_.find_metadata(k))
      if (const auto* list = std::get_if<std::vector<int64_t>>(m)) {
        if (list->empty() || std::ranges::any_of(*list, [&](int64_t x) { return x != list->front(); }))
          return unimplemented("[model] '{}' differs between layers, which this architecture does not support yet", k);
        return list->front();
      }
    const auto v = INGOT_TRY(source_.get_int(k));
    if (!v) continue;
    if (*v < 0 || *v >= kSizeMax)
      return invalid("[model] '{}' is {}, not a size in [0, 2^31): convert or download the model again", k, *v);
    return *v;
  }
  return fallback;
}

Result<int64_t> Hyperparameters::require_size(HyperKey key, int64_t fallback) const {
  const int64_t v = INGOT_TRY(size_or(key, fallback ? fallback : -1));
  if (v < 0) return invalid("[model] '{}' is missing: the file is incomplete, convert it again", name(key));
  if (v == 0)
    return invalid("[model] '{}' is 0, it must be at least 1: convert or download the model again", name(key));
  return v;
}

Result<double> Hyperparameters::number_or(HyperKey key, double fallback, double null) const {
  for (const std::string& k : spellings(key)) {
    if (source_.is_null(k)) return null;
    const auto v = INGOT_TRY(source_.get_double(k));
    if (!v) continue;
    if (!std::isfinite(*v))
      return invalid("[model] '{}' is {}, not a finite number: convert or download the model again", k, *v);
    return *v;
  }
  return fallback;
}

Result<bool> Hyperparameters::flag_or(HyperKey key, bool fallback) const {
  for (const std::string& k : spellings(key))
    if (const auto v = INGOT_TRY(source_.get_bool(k))) return *v;
  return fallback;
}

Result<std::vector<bool>> Hyperparameters::sliding_layers(int64_t layers,
                                                          const std::function<bool(int64_t)>& otherwise) const {
  std::vector<bool> out;
  for (const std::string& k : spellings({"", "layer_types"})) {
    const MetaValue* m = source_.find_metadata(k);
    if (!m) continue;
    const auto* types = std::get_if<std::vector<std::string_view>>(m);
    if (!types || static_cast<int64_t>(types->size()) != layers)
      return invalid("[model] '{}' is not a list of {} texts, one a layer: download the model again", k, layers);
    for (std::string_view type : *types) {
      if (type != "sliding_attention" && type != "full_attention")
        return unimplemented("[model] '{}' has '{}', which is not one of sliding_attention, full_attention", k, type);
      out.push_back(type == "sliding_attention");
    }
    return out;
  }
  for (int64_t i = 0; i < layers; ++i) out.push_back(otherwise(i));
  return out;
}

Result<std::string> Hyperparameters::string_or(HyperKey key, std::string fallback) const {
  for (const std::string& k : spellings(key))
    if (const auto v = INGOT_TRY(source_.get_string(k))) return std::string(*v);
  return fallback;
}

std::vector<float> Hyperparameters::floats(HyperKey key) const {
  for (const std::string& k : spellings(key)) {
    const MetaValue* m = source_.find_metadata(k);
    if (!m) continue;
    if (const auto* d = std::get_if<std::vector<double>>(m)) return {d->begin(), d->end()};
    if (const auto* i = std::get_if<std::vector<int64_t>>(m)) return {i->begin(), i->end()};
  }
  return {};
}

Result<std::vector<int64_t>> Hyperparameters::ints(HyperKey key) const {
  for (const std::string& k : spellings(key)) {
    const MetaValue* m = source_.find_metadata(k);
    if (!m) continue;
    if (const auto* list = std::get_if<std::vector<int64_t>>(m)) return *list;
    const bool empty = std::visit(
        [](const auto& v) {
          if constexpr (requires { v.empty(); }) return v.empty();
          return false;
        },
        *m);
    if (!empty) return invalid("[model] '{}' is not a list of integers: convert or download the model again", k);
  }
  return std::vector<int64_t>();
}

Result<std::string> Hyperparameters::activation(std::string_view field, std::string_view fallback) const {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"silu", "silu"},           {"swish", "silu"},         {"gelu", "gelu"},
      {"gelu_python", "gelu"},    {"gelu_new", "gelu_tanh"}, {"gelu_pytorch_tanh", "gelu_tanh"},
      {"gelu_fast", "gelu_tanh"}, {"relu", "relu"}};
  const HyperKey key{"", field};
  const std::string name = INGOT_TRY(string_or(key, ""));
  if (name.empty()) return std::string(fallback);
  const auto* it = std::ranges::find(kNames, name, &std::pair<std::string_view, std::string_view>::first);
  if (it != std::end(kNames)) return std::string(it->second);
  return unimplemented(
      "[model] '{}' is '{}', which is not one of silu, swish, gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu",
      this->name(key), name);
}

}  // namespace ingot
