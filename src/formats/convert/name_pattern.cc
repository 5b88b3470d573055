#define PCRE2_CODE_UNIT_WIDTH 8
#include "formats/convert/name_pattern.h"

#include <pcre2.h>

#include "base/limits.h"

namespace ingot::convert {
namespace {

constexpr uint32_t kMatchStepsMax = 1'000'000;

const auto* code_of(const void* p) { return static_cast<const pcre2_code*>(p); }

}  // namespace

Result<NamePattern> NamePattern::compile(const std::string& text) {
  if (text.empty() || text.size() > limits::kTensorNameBytesMax)
    return invalid("[quantize] a tensor's name or pattern has {} bytes, it must have 1 to {}", text.size(),
                   limits::kTensorNameBytesMax);
  int code = 0;
  PCRE2_SIZE place = 0;
  pcre2_code* compiled =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, &code, &place, nullptr);
  if (!compiled) {
    char reason[200];
    pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(reason), sizeof(reason));
    return invalid("[quantize] tensor pattern '{}': {} at character {}", text, reason, place);
  }
  NamePattern pattern;
  pattern.code_ = {compiled, [](const void* p) { pcre2_code_free(const_cast<pcre2_code*>(code_of(p))); }};
  return pattern;
}

bool NamePattern::found_in(std::string_view name) const {
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create_from_pattern(code_of(code_.get()), nullptr), pcre2_match_data_free);
  const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context(
      pcre2_match_context_create(nullptr), pcre2_match_context_free);
  pcre2_set_match_limit(context.get(), kMatchStepsMax);
  return pcre2_match(code_of(code_.get()), reinterpret_cast<PCRE2_SPTR>(name.data()), name.size(), 0, 0, data.get(),
                     context.get()) >= 0;
}

}  // namespace ingot::convert
