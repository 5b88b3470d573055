#include "llm/breaker_cache.h"

#include <algorithm>

namespace ingot::llm {

Result<std::shared_ptr<const DryBreakers>> BreakerCache::get(const Tokenizer& tokenizer, int64_t vocab,
                                                             const std::vector<std::string>& strings) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [known, breakers] : lists_)
      if (known == strings) return breakers;
  }
  // Without the lock: requests with other strings go on meanwhile.
  auto built = INGOT_TRY(DryBreakers::build(
      strings, std::min<int64_t>(vocab, tokenizer.vocab_size()), [&](Token t) { return tokenizer.token_bytes(t); },
      [&](std::string_view text) { return tokenizer.encode(text, false); }));
  const std::lock_guard lock(mutex_);
  lists_.emplace_back(strings, built);
  if (lists_.size() > kListsMax) lists_.pop_front();
  return built;
}

}  // namespace ingot::llm
