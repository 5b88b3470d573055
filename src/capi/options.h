// The settings of sessions and language models: judged when they are set, read when a model is loaded.
// Thread-safety: pure functions of the object.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.h"
#include "capi/objects.h"

namespace ingot::capi {

enum class ModelKind : uint8_t { kTensor, kLanguage };

// An OptionsObject, or null, seen by a loader.
class Settings {
 public:
  // Errors: kInvalidArgument (a setting that is not for this kind of model).
  static Result<Settings> create(const OptionsObject* options, ModelKind kind);

  int64_t integer(std::string_view key, int64_t otherwise) const;
  std::string text(std::string_view key, std::string_view otherwise) const;
  std::vector<std::string> list(std::string_view key) const;  // what commas separate
  // As "threads" says. Errors: kResourceExhausted.
  Result<std::shared_ptr<ThreadPool>> pool() const;
  std::vector<const Backend*> backends() const;

 private:
  explicit Settings(const OptionsObject* options) : options_(options) {}
  const OptionsObject* options_;
};

// Errors: kInvalidArgument naming key, value and what is possible.
Result<void> check_setting(std::string_view key, std::string_view value);

// Whole text as an integer in [min, max], or a finite number. Errors: kInvalidArgument naming the key.
Result<int64_t> parse_integer(std::string_view key, std::string_view text, int64_t min, int64_t max);
Result<double> parse_number(std::string_view key, std::string_view text);
Result<bool> parse_flag(std::string_view key, std::string_view text);

}  // namespace ingot::capi
