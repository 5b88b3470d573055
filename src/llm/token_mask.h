// Which tokens may come next: how a grammar constrains one choice.
//
// Feeds Sampler::sample. Ownership: one mask belongs to one choice. Thread-safety: a mask is used by one
// thread at a time; masks of different choices run at once, so what they share (a compiled grammar) must be
// immutable or lock by itself.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace ingot::llm {

class TokenMask {
 public:
  virtual ~TokenMask() = default;
  // Bit t % 64 of word t / 64 set: token t may come next; ceil(V / 64) words, valid until accept(). Empty: all may.
  // An end-of-generation token is allowed exactly where the text may end.
  virtual std::span<const uint64_t> allowed() = 0;
  // Why no token is allowed, if more than the text itself is the reason (a limit); else empty.
  virtual std::string_view why_none() const { return {}; }
  // The token that was chosen; it was allowed.
  virtual void accept(int32_t token) = 0;
};

}  // namespace ingot::llm
