// Finds stop strings in streamed text, also where they span tokens.
//
// Text is held back only while it may still become a stop string: the longest suffix that is a
// beginning of one. The match that is complete first wins; of several that end together, the longest.
// All text before it is emitted, the stop string and what follows never are.
// Whole code points in, whole code points out: a stop string is valid UTF-8, so it cannot begin or
// end inside a character, except where the stream itself is broken.
// Not thread-safe; one per sequence. Limits: base/limits.h (sampling).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ingot::llm {

class StopMatcher {
 public:
  struct Output {
    std::string_view emit;  // valid until the next call
    bool stopped = false;
    std::string_view matched;  // which stop string, if stopped
  };

  StopMatcher() = default;  // no stop strings: everything passes
  // Errors: kInvalidArgument for an empty string, too many or too long ones.
  static Result<StopMatcher> create(std::vector<std::string> stops);

  // The next piece of text. After a stop, text is swallowed.
  Output push(std::string_view text);
  // The text has ended: what was held back.
  Output flush();

 private:
  bool find_match();
  size_t held_suffix() const;

  std::vector<std::string> stops_;
  size_t longest_ = 0;
  std::string pending_;  // its front `emitted_` bytes were emitted by the last call
  size_t emitted_ = 0;
  size_t matched_at_ = 0, matched_ = 0;
  bool stopped_ = false;
};

}  // namespace ingot::llm
