// DRY's sequence breakers of one model, by their strings: building them looks at the whole vocabulary.
//
// The requests of a program have few lists between them, mostly the default one; the oldest of many are forgotten.
// Feeds sampler_vocab(). Ownership: what was handed out lives on. Thread-safety: get() from any thread.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "llm/sampling/dry.h"
#include "text/tokenizer.h"

namespace ingot::llm {

class BreakerCache {
 public:
  static constexpr size_t kListsMax = 16;

  // vocab: the logits' width. Errors: kInvalidArgument (a string that cannot be encoded).
  Result<std::shared_ptr<const DryBreakers>> get(const Tokenizer& tokenizer, int64_t vocab,
                                                 const std::vector<std::string>& strings);

 private:
  std::mutex mutex_;
  std::deque<std::pair<std::vector<std::string>, std::shared_ptr<const DryBreakers>>> lists_;
};

}  // namespace ingot::llm
