// The names of tokenizer.ggml.pre and the word patterns they stand for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ingot::tokenizer {

struct GgufPre {
  std::vector<std::string_view> patterns;  // applied one after the other, each match and each gap a word
  bool ignore_merges = false;
  bool add_bos = false;
  bool add_sep = false;
  bool spaces_as_marks = false;  // SentencePiece-like: a mark for each space, no byte characters
};

// Errors: kUnimplemented names the value, the known ones and the fix.
Result<GgufPre> gguf_pre(std::string_view name);

}  // namespace ingot::tokenizer
