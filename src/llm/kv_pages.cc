#include "llm/kv_pages.h"

namespace ingot {

KvPages::KvPages(int64_t num_pages, int64_t page_tokens)
    : page_tokens_(page_tokens), used_(static_cast<size_t>(num_pages), 0) {
  for (int64_t p = num_pages; p-- > 0;) free_.push_back(static_cast<int32_t>(p));
}

Result<int32_t> KvPages::allocate() {
  if (free_.empty())
    return error(Code::kResourceExhausted, "[llm] all {} pages of the KV cache are in use ({} tokens)", num_pages(),
                 num_pages() * page_tokens_);
  const int32_t page = free_.back();
  free_.pop_back();
  used_[static_cast<size_t>(page)] = 1;
  return page;
}

void KvPages::release(int32_t page) {
  INGOT_CHECK(used_[static_cast<size_t>(page)]);
  used_[static_cast<size_t>(page)] = 0;
  free_.push_back(page);
}

}  // namespace ingot
