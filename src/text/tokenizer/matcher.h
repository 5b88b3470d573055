// Patterns that cut text into words: PCRE2 for any pattern, hand-written scanners for the famous ones.
//
// A pattern is given in Oniguruma's dialect, as tokenizer.json has it; compile_regex() rewrites what PCRE2
// reads differently. scanner_for() knows the published patterns of GPT-2, cl100k, Llama 3, Qwen, o200k,
// Tekken and DeepSeek; matcher_test.cc proves each equal to the PCRE2 form. PCRE2 10.42 has Unicode 14, the
// scanners Unicode 16 like `tokenizers`. Thread-safety: const; scratch is per thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ingot::tokenizer {

// [begin, end) of the text; either a match or what lies between two matches.
struct Span {
  uint32_t begin;
  uint32_t end;
  bool match;
};

class Matcher {
 public:
  virtual ~Matcher() = default;
  // Spans that cover the text in order; a match may be empty. Valid UTF-8 only.
  // Errors: kInvalidArgument if a pattern of the file needs too many steps on this text.
  virtual Result<void> find_all(std::string_view text, std::vector<Span>& out) const = 0;
};

Result<std::unique_ptr<const Matcher>> compile_regex(std::string_view pattern);
std::unique_ptr<const Matcher> scanner_for(std::string_view pattern);  // null if the pattern is not a famous one
Result<std::unique_ptr<const Matcher>> make_matcher(std::string_view pattern);  // the scanner, else PCRE2
std::unique_ptr<const Matcher> literal_matcher(std::string_view text);
// One code point that `is` accepts, each a match of its own.
std::unique_ptr<const Matcher> char_matcher(bool (*is)(uint32_t));

// Oniguruma to PCRE2. Errors: kUnimplemented names the construct.
Result<std::string> translate_regex(std::string_view pattern);

}  // namespace ingot::tokenizer
