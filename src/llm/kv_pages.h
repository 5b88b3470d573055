// The pages of the paged KV cache: who holds which, and which are free.
//
// A page stores `page_tokens` consecutive tokens of one sequence in every layer. Thread-safety: the engine's
// thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"

namespace ingot {

class KvPages {
 public:
  KvPages(int64_t num_pages, int64_t page_tokens);

  int64_t page_tokens() const { return page_tokens_; }
  int64_t num_pages() const { return static_cast<int64_t>(used_.size()); }
  int64_t num_free() const { return static_cast<int64_t>(free_.size()); }

  // Errors: kResourceExhausted.
  Result<int32_t> allocate();
  void release(int32_t page);

 private:
  int64_t page_tokens_;
  std::vector<char> used_;     // by page
  std::vector<int32_t> free_;  // the lowest page last, so memory is touched from the front
};

}  // namespace ingot
