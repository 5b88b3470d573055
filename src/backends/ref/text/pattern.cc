#include "backends/ref/text/pattern.h"

#include "base/limits.h"

namespace ingot::text {
namespace {

constexpr uint32_t kMatchSteps = 10'000'000, kHeapKibMax = 64 << 10;

std::string message_of(int code) {
  char text[256] = "";
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof text);
  return text;
}

}  // namespace

Result<Pattern> Pattern::compile(const std::string& text, bool whole) {
  const auto fail = [&](std::string_view why) { return invalid("[regex] '{}': {}", text.substr(0, 200), why); };
  if (text.size() > limits::kRegexBytesMax) return fail("is too long");
  int code = 0;
  PCRE2_SIZE offset = 0;
  Pattern made;
  made.code_.reset(pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
      PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | (whole ? PCRE2_ANCHORED | PCRE2_ENDANCHORED : 0),
      &code, &offset, nullptr));
  if (!made.code_) return fail(fmt::format("{} at byte {}", message_of(code), offset));
  uint32_t back_references = 0;
  pcre2_pattern_info(made.code_.get(), PCRE2_INFO_BACKREFMAX, &back_references);
  if (back_references) return fail("has a back-reference, which RE2's syntax has not");
  pcre2_jit_compile(made.code_.get(), PCRE2_JIT_COMPLETE);  // without it, slower
  return made;
}

Result<Matcher> Matcher::make() {
  Matcher m;
  m.limits_.reset(pcre2_match_context_create(nullptr));
  m.data_.reset(pcre2_match_data_create(1, nullptr));
  if (!m.limits_ || !m.data_) return error(Code::kResourceExhausted, "[regex] no memory");
  pcre2_set_match_limit(m.limits_.get(), kMatchSteps);
  pcre2_set_heap_limit(m.limits_.get(), kHeapKibMax);
  return m;
}

Result<Matcher::Found> Matcher::find(const Pattern& pattern, std::string_view text, size_t from) const {
  const auto match = [&](uint32_t options) {
    return pcre2_match(pattern.code(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, options,
                       data_.get(), limits_.get());
  };
  const uint32_t checked = from ? PCRE2_NO_UTF_CHECK : 0;  // whoever goes on in a text has begun at its start
  int found = match(checked);
  if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = match(checked | PCRE2_NO_JIT);  // which has kHeapKibMax
  if (found == PCRE2_ERROR_NOMATCH || (found <= PCRE2_ERROR_UTF8_ERR1 && found >= PCRE2_ERROR_UTF8_ERR21))
    return Found{};
  if (found < 0) return error(Code::kResourceExhausted, "[regex] {}", message_of(found));
  const PCRE2_SIZE* at = pcre2_get_ovector_pointer(data_.get());
  return Found{at[0], at[1], true};
}

}  // namespace ingot::text
