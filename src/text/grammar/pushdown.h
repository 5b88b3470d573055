// Walks an Automaton: sets of stacks, made when first reached and remembered, so that a byte is a table look-up.
//
// A stack is the current state and the states to come back to; stacks share their lower parts. A set holds all stacks
// that the text so far allows. Thread-safety: none; TokenGrammar locks.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "text/grammar/automaton.h"

namespace ingot::grammar {

class Pushdown {
 public:
  static constexpr int32_t kDead = -1;  // no text of the grammar begins like this
  static constexpr int32_t kOver = -3;  // perhaps one does, but there are too many ways to read it: past the limits

  static constexpr size_t kFramesMax = 1u << 20;     // of all stacks together
  static constexpr size_t kSetFramesMax = 1u << 16;  // that one set looks at
  static constexpr size_t kStacksMax = 8u << 20;     // of all sets together

  explicit Pushdown(std::shared_ptr<const Automaton> automaton);

  int32_t start() const { return start_; }
  // The set after one more byte, or kDead, or kOver. Nesting past the limit (stack depth) is dead.
  int32_t step(int32_t set, uint8_t byte) {
    const int32_t next = sets_[static_cast<size_t>(set)]->next[byte];
    return next == kUnknown ? find_next(set, byte) : next;
  }
  // The text may end here.
  bool accepts(int32_t set) const { return sets_[static_cast<size_t>(set)]->accepts; }
  size_t num_frames() const { return frames_.size(); }
  // Half of a limit is used up: new places may soon be kOver.
  bool worn_out() const;

 private:
  static constexpr int32_t kUnknown = -2, kBottom = -1, kNoFrame = -2;
  struct Frame {
    int32_t below, state;  // below: a frame, or kBottom
    int32_t depth;
  };
  struct Set {
    std::vector<int32_t> stacks;  // top frames that can take a byte; sorted
    bool accepts = false;
    std::array<int32_t, 256> next;
  };

  int32_t frame(int32_t below, int32_t state);  // kNoFrame past the limit
  int32_t intern(std::vector<int32_t> tops);
  bool close(std::vector<int32_t> todo, Set& set);  // false past the limits
  int32_t find_next(int32_t set, uint8_t byte);

  std::shared_ptr<const Automaton> automaton_;
  std::vector<Frame> frames_;
  std::unordered_map<uint64_t, int32_t> frame_of_;  // (below, state) -> frame
  std::vector<std::unique_ptr<Set>> sets_;
  std::map<std::pair<std::vector<int32_t>, bool>, int32_t> set_of_;
  std::vector<int32_t> seen_;  // by frame: the closure that saw it
  int32_t closure_ = 0;
  size_t num_stacks_ = 0;  // of all sets
  int32_t start_;
};

}  // namespace ingot::grammar
