// What a user may write where a model is wanted: a path, an https address, or a repository of the
// Hugging Face Hub, `hf:org/repo[:quant][@revision]`. Only parsed here; nothing is looked up.
// Thread-safety: plain values.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace ingot::hub {

struct ModelRef {
  enum class Kind { kPath, kUrl, kHub };
  Kind kind = Kind::kPath;
  std::string text;      // as the user wrote it
  std::string repo;      // kHub: "org/repo", or "repo" for the oldest models
  std::string quant;     // kHub: as written; empty: choose
  std::string revision;  // kHub: branch, tag or commit; "main" if not written

  bool remote() const { return kind != Kind::kPath; }
};

// Errors: kInvalidArgument, with the form that is expected.
Result<ModelRef> parse_reference(std::string_view text);

// A file name that a server sent: relative, no "..", no control characters, nothing that this cache
// keeps for itself.
bool is_safe_file_name(std::string_view name);

}  // namespace ingot::hub
