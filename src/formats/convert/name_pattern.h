// A regular expression that is looked for in tensor names. Movable. Thread-safety: const after compile.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ingot::convert {

class NamePattern {
 public:
  // Errors: kInvalidArgument with the place and reason.
  static Result<NamePattern> compile(const std::string& text);
  bool found_in(std::string_view name) const;

 private:
  std::shared_ptr<const void> code_;
};

}  // namespace ingot::convert
