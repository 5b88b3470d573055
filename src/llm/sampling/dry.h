// DRY ("don't repeat yourself", p-e-w 2024): a token that would lengthen a repetition of what was
// said before is penalized by multiplier * base ^ (length of the repetition - allowed length).
//
// A sequence breaker (a string such as a newline) ends a repetition. Strings are turned into token
// sequences once, since one string can hide in many tokens: DryBreakers, built per model and list,
// shared by requests. Cost of a step: linear in the tokens looked at (Z algorithm), no allocation in
// steady state. DryBreakers is immutable; Dry is not thread-safe, one per Sampler.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "llm/sampling/candidates.h"

namespace ingot::llm {

class DryBreakers {
 public:
  // piece(token): its text, special tokens included. tokenize(text): no tokens added around it.
  // Cost: vocab_size calls of piece.
  static Result<std::shared_ptr<const DryBreakers>> build(
      std::span<const std::string> strings, int64_t vocab_size, const std::function<std::string(Token)>& piece,
      const std::function<Result<std::vector<Token>>(std::string_view)>& tokenize);

  // From token sequences; each holds at least one token.
  static std::shared_ptr<const DryBreakers> from_sequences(std::vector<std::vector<Token>> sequences);

  // How many tokens the longest breaker has that starts at recent[i] (recent: newest first) and
  // whose tokens all stand in recent; 0 if none.
  size_t match(std::span<const Token> history, size_t i) const;
  // A breaker of this one token only.
  bool breaks_alone(Token token) const;

 private:
  void add(Token first, std::vector<Token> tail);
  void finish();

  struct Entry {
    Token first;
    std::vector<Token> tail;
  };
  std::vector<Entry> entries_;  // by rising first token
};

class Dry {
 public:
  Dry(const SamplerParams& params, std::shared_ptr<const DryBreakers> breakers);

  bool active() const { return active_; }
  void apply(Candidates& candidates, std::span<const Token> history);

 private:
  struct Repeat {
    Token token;
    int64_t length;
  };
  size_t repetition_limit(std::span<const Token> window) const;
  void find_repeats(std::span<const Token> window, size_t limit);
  float penalty(int64_t length) const;

  float multiplier_, base_;
  int64_t allowed_length_, last_n_;
  bool active_;
  std::shared_ptr<const DryBreakers> breakers_;
  std::vector<int32_t> z_;
  std::vector<Repeat> repeats_;  // by rising token, one each
};

}  // namespace ingot::llm
