// RegexFullMatch: ONNX means RE2's syntax, PCRE2 reads it; what RE2 does not have (look-around, back-references) is
// refused when it is a back-reference, and costs no more than kMatchSteps steps a string in any case.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "backends/ref/dispatch.h"
#include "backends/ref/kernels.h"
#include "backends/ref/prepare.h"

namespace ingot {
namespace {

constexpr uint32_t kMatchSteps = 10'000'000, kHeapKibMax = 64 << 10;

struct Pattern {
  pcre2_code* code = nullptr;
  Pattern() = default;
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  ~Pattern() { pcre2_code_free(code); }
};

std::string message_of(int error) {
  char text[256] = "";
  pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof text);
  return text;
}

}  // namespace

Result<RefState> prepare_regex(const NodeView& v) {
  const std::string pattern = v.node.attributes.get_string("pattern");
  const auto fail = [&](std::string_view why) {
    return invalid("[regex] RegexFullMatch '{}': pattern '{}': {}", v.node.name, pattern.substr(0, 200), why);
  };
  if (pattern.size() > limits::kRegexBytesMax) return fail("is too long");
  auto made = std::make_shared<Pattern>();
  int error = 0;
  PCRE2_SIZE offset = 0;
  made->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C,
                    &error, &offset, nullptr);
  if (!made->code) return fail(fmt::format("{} at byte {}", message_of(error), offset));
  uint32_t back_references = 0;
  pcre2_pattern_info(made->code, PCRE2_INFO_BACKREFMAX, &back_references);
  if (back_references) return fail("has a back-reference, which RE2's syntax has not");
  pcre2_jit_compile(made->code, PCRE2_JIT_COMPLETE);  // without it, slower
  return RefState{std::move(made)};
}

void ref_RegexFullMatch(KernelContext& c) {
  const auto& pattern = *static_cast<const Pattern*>(c.prepared);
  const std::unique_ptr<pcre2_match_context, void (*)(pcre2_match_context*)> limits(pcre2_match_context_create(nullptr),
                                                                                    pcre2_match_context_free);
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> data(pcre2_match_data_create(1, nullptr),
                                                                            pcre2_match_data_free);
  if (!limits || !data) return c.fail(Status(Code::kResourceExhausted, "[regex] no memory"));
  pcre2_set_match_limit(limits.get(), kMatchSteps);
  pcre2_set_heap_limit(limits.get(), kHeapKibMax);
  for (int64_t i = 0; i < c.in(0).num_elements(); ++i) {
    const std::string& s = c.in(0).as<std::string>()[i];
    const int found =
        pcre2_match(pattern.code, reinterpret_cast<PCRE2_SPTR>(s.data()), s.size(), 0, 0, data.get(), limits.get());
    const bool invalid_text = found <= PCRE2_ERROR_UTF8_ERR1 && found >= PCRE2_ERROR_UTF8_ERR21;
    if (found < 0 && found != PCRE2_ERROR_NOMATCH && !invalid_text)
      return c.fail(Status(Code::kResourceExhausted, fmt::format("[regex] RegexFullMatch '{}': string {}: {}",
                                                                 c.node.name, i, message_of(found))));
    c.out(0).as<bool>()[i] = found >= 0;
  }
}

}  // namespace ingot
