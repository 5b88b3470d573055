// A regular expression of a model, compiled by PCRE2. ONNX means RE2's syntax; back-references, which RE2 has not, are
// refused, and a match may take kMatchSteps steps at most. Thread-safety: immutable; a Matcher belongs to one thread.
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ingot::text {

class Pattern {
 public:
  // `whole`: a match must be the whole text. Errors: kInvalidArgument with the place.
  static Result<Pattern> compile(const std::string& text, bool whole);

  const pcre2_code* code() const { return code_.get(); }

 private:
  std::unique_ptr<pcre2_code, void (*)(pcre2_code*)> code_{nullptr, pcre2_code_free};
};

class Matcher {
 public:
  // Errors: kResourceExhausted.
  static Result<Matcher> make();

  struct Found {
    size_t begin = 0, end = 0;
    bool any = false;
  };
  // The first match at or after `from`. Text that is not UTF-8 has none. Errors: kResourceExhausted (too many steps).
  Result<Found> find(const Pattern& pattern, std::string_view text, size_t from = 0) const;

 private:
  std::unique_ptr<pcre2_match_context, void (*)(pcre2_match_context*)> limits_{nullptr, pcre2_match_context_free};
  std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> data_{nullptr, pcre2_match_data_free};
};

}  // namespace ingot::text
