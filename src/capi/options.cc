#include "capi/options.h"

#include <charconv>
#include <cmath>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "base/cpu_features.h"
#include "base/limits.h"
#include "formats/printable.h"
#include "passes/pipeline.h"

namespace ingot::capi {
namespace {

struct Setting {
  std::string_view key;
  bool tensor, language;
  int64_t min, max;                // of an integer
  std::string_view possible = "";  // values of a text, or of its parts, separated by spaces
  bool parts = false;              // separated by commas
};

constexpr int64_t kTokensMax = int64_t{1} << 32;
constexpr Setting kSettings[] = {
    {"threads", true, true, 0, limits::kThreadsMax},
    {"backends", true, true, 0, 0, "cpu ref", true},
    {"disabled_passes", true, false, 0, 0, "", true},
    {"context", false, true, 0, 1 << 24},
    {"kv_type", false, true, 0, 0, "f32 f16 bf16 q8_0 q4_0"},
    {"kv_tokens", false, true, 0, kTokensMax},
    {"batch_tokens", false, true, 1, limits::kBatchTokensMax},
    {"sequences_max", false, true, 1, limits::kSequencesMax},
    {"queue_max", false, true, 1, 1 << 20},
    {"prefix_cache", false, true, 0, 1},
};

const Setting* find_setting(std::string_view key) {
  const auto* found = std::ranges::find(kSettings, key, &Setting::key);
  return found == std::end(kSettings) ? nullptr : found;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string possible_values(const Setting& s) {
  if (s.key != "disabled_passes") return std::string(s.possible);
  std::string names = "all";
  for (const Pass& pass : all_passes()) names += fmt::format(" {}", pass.name);
  return names;
}

Result<void> check_text(const Setting& s, std::string_view value) {
  const std::string possible = possible_values(s);
  const auto known = split(possible, ' ');
  const auto parts = s.parts ? split(value, ',') : std::vector<std::string>{std::string(value)};
  if (parts.empty() && s.key == "backends") return invalid("[capi] option 'backends' is empty: {}", possible);
  for (const std::string& part : parts)
    if (std::ranges::find(known, part) == known.end())
      return invalid("[capi] option '{}': '{}' is none of: {}", s.key, printable(part), possible);
  return {};
}

}  // namespace

Result<int64_t> parse_integer(std::string_view key, std::string_view text, int64_t min, int64_t max) {
  int64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size())
    return invalid("[capi] '{}': '{}' is no integer", key, printable(text));
  if (value < min || value > max) return invalid("[capi] '{}': {} is not in {} to {}", key, value, min, max);
  return value;
}

Result<double> parse_number(std::string_view key, std::string_view text) {
  double value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return invalid("[capi] '{}': '{}' is no number", key, printable(text));
  return value;
}

Result<bool> parse_flag(std::string_view key, std::string_view text) {
  if (text == "1" || text == "true") return true;
  if (text == "0" || text == "false") return false;
  return invalid("[capi] '{}': '{}' is neither true nor false", key, printable(text));
}

Result<void> check_setting(std::string_view key, std::string_view value) {
  const Setting* s = find_setting(key);
  if (!s) {
    std::string known;
    for (const Setting& one : kSettings) known += fmt::format(" {}", one.key);
    return invalid("[capi] option '{}' is unknown; there are:{}", printable(key), known);
  }
  if (s->parts || !s->possible.empty()) return check_text(*s, value);
  INGOT_TRY(parse_integer(key, value, s->min, s->max));
  return {};
}

Result<Settings> Settings::create(const OptionsObject* options, ModelKind kind) {
  if (options)
    for (const auto& [key, value] : options->values) {
      const Setting* s = find_setting(key);
      if (!(kind == ModelKind::kTensor ? s->tensor : s->language))
        return invalid("[capi] option '{}' is for {} models, and this is none", key, s->tensor ? "tensor" : "language");
    }
  return Settings(options);
}

int64_t Settings::integer(std::string_view key, int64_t otherwise) const {
  const std::string value = text(key, "");
  if (value.empty()) return otherwise;
  return parse_integer(key, value, INT64_MIN, INT64_MAX).value_or(otherwise);
}

std::string Settings::text(std::string_view key, std::string_view otherwise) const {
  if (options_)
    if (const auto it = options_->values.find(std::string(key)); it != options_->values.end()) return it->second;
  return std::string(otherwise);
}

std::vector<std::string> Settings::list(std::string_view key) const { return split(text(key, ""), ','); }

Result<std::shared_ptr<ThreadPool>> Settings::pool() const {
  const auto threads = static_cast<int>(integer("threads", 0));
  return ThreadPool::create(threads > 0 ? threads : ThreadPool::default_threads());
}

std::vector<const Backend*> Settings::backends() const {
  std::vector<const Backend*> out;
  for (const std::string& name : list("backends")) out.push_back(name == "cpu" ? &cpu_backend() : &ref_backend());
  if (out.empty()) out = {&cpu_backend()};
  if (out.back() != &ref_backend()) out.push_back(&ref_backend());  // what a backend lacks falls back to it
  return out;
}

}  // namespace ingot::capi

using namespace ingot;        // NOLINT(google-build-using-namespace): this file is their C side
using namespace ingot::capi;  // NOLINT(google-build-using-namespace)

ingot_status* ingot_options_create(ingot_options** options) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(options, "options"));
    *options = make_handle<ingot_options>(std::make_shared<OptionsObject>());
    return {};
  });
}

void ingot_options_release(ingot_options* options) { release_handle(options); }

ingot_status* ingot_options_set(ingot_options* options, const char* key, const char* value) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(options, "options"));
    INGOT_TRY(check_pointer(key, "key"));
    INGOT_TRY(check_pointer(value, "value"));
    INGOT_TRY(check_setting(key, value));
    object->values[key] = value;
    return {};
  });
}

ingot_status* ingot_force_isa(const char* isa) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(isa, "isa"));
    const auto known = isa_from_name(isa);
    if (!known) {
      std::string names;
      for (const Isa one : compiled_isas()) names += fmt::format(" {}", isa_name(one));
      return invalid("[capi] argument 'isa': '{}' is none of:{}", printable(isa), names);
    }
    if (!set_isa(*known))
      return error(Code::kFailedPrecondition, "[capi] argument 'isa': this machine has {} at best, not {}",
                   isa_name(detected_isa()), isa);
    return {};
  });
}
