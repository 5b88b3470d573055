#include "llm/kv_pages.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

namespace ingot {
namespace {

PageKey to_key(XXH128_hash_t h) { return {h.low64, h.high64}; }

}  // namespace

PageKey root_page_key(std::string_view salt, uint64_t seed) {
  return to_key(XXH3_128bits_withSeed(salt.data(), salt.size(), seed));
}

PageKey page_key(const PageKey& parent, std::span<const int32_t> tokens) {
  // The parent seeds both halves: the chain needs no copy of the tokens behind it.
  const XXH128_hash_t h = XXH3_128bits_withSeed(tokens.data(), tokens.size_bytes(), parent.low);
  const uint64_t both[] = {h.low64, h.high64, parent.low, parent.high};
  return to_key(XXH3_128bits(both, sizeof both));
}

KvPages::KvPages(int64_t num_pages, int64_t page_tokens)
    : page_tokens_(page_tokens), pages_(static_cast<size_t>(num_pages)) {
  for (int64_t p = num_pages; p-- > 0;) free_.push_back(static_cast<int32_t>(p));
}

std::span<int32_t> KvPages::tokens_of(int32_t page) {
  return std::span(tokens_).subspan(static_cast<size_t>(page * page_tokens_), static_cast<size_t>(page_tokens_));
}

std::span<const int32_t> KvPages::tokens_of(int32_t page) const {
  return std::span(tokens_).subspan(static_cast<size_t>(page * page_tokens_), static_cast<size_t>(page_tokens_));
}

void KvPages::link_newest(int32_t page) {
  at(page).older = newest_;
  at(page).newer = kNone;
  (newest_ == kNone ? oldest_ : at(newest_).newer) = page;
  newest_ = page;
  ++num_cached_;
}

void KvPages::unlink(int32_t page) {
  const Page& p = at(page);
  (p.older == kNone ? oldest_ : at(p.older).newer) = p.newer;
  (p.newer == kNone ? newest_ : at(p.newer).older) = p.older;
  at(page).older = at(page).newer = kNone;
  --num_cached_;
}

void KvPages::unpublish(int32_t page) {
  by_key_.erase(at(page).key);
  at(page).published = false;
}

Result<int32_t> KvPages::allocate() {
  int32_t page = oldest_;
  if (!free_.empty()) {
    page = free_.back();
    free_.pop_back();
  } else if (page != kNone) {
    unlink(page);
    unpublish(page);
    ++num_evictions_;
  } else {
    return error(Code::kResourceExhausted, "[llm] all {} pages of the KV cache are in use ({} tokens)", num_pages(),
                 num_pages() * page_tokens_);
  }
  at(page).references = 1;
  return page;
}

void KvPages::retain(int32_t page) {
  Page& p = at(page);
  INGOT_CHECK(p.references > 0 || p.published);
  if (p.references++ == 0) unlink(page);
}

void KvPages::release(int32_t page) {
  Page& p = at(page);
  INGOT_CHECK(p.references > 0);
  if (--p.references > 0) return;
  if (p.published)
    link_newest(page);
  else
    free_.push_back(page);
}

std::optional<int32_t> KvPages::find(const PageKey& key, std::span<const int32_t> tokens) const {
  const auto it = by_key_.find(key);
  if (it == by_key_.end() || !std::ranges::equal(tokens_of(it->second), tokens)) return std::nullopt;
  return it->second;
}

int32_t KvPages::publish(int32_t page, const PageKey& key, std::span<const int32_t> tokens) {
  Page& p = at(page);
  INGOT_CHECK(p.references > 0 && static_cast<int64_t>(tokens.size()) == page_tokens_);
  if (tokens_.empty()) tokens_.resize(pages_.size() * static_cast<size_t>(page_tokens_));
  if (p.published) return page;
  if (const auto [it, is_new] = by_key_.try_emplace(key, page); !is_new)
    return std::ranges::equal(tokens_of(it->second), tokens) ? it->second : page;
  p.published = true;
  p.key = key;
  std::ranges::copy(tokens, tokens_of(page).begin());
  return page;
}

void KvPages::forget() {
  while (oldest_ != kNone) {
    const int32_t page = oldest_;
    unlink(page);
    free_.push_back(page);
  }
  for (Page& p : pages_) p.published = false;
  by_key_.clear();
}

Result<void> KvPages::check() const {
  int64_t listed = 0, unheld = 0, published = 0;
  for (int32_t page = oldest_, before = kNone; page != kNone; before = page, page = at(page).newer, ++listed)
    if (at(page).older != before || at(page).references != 0 || !at(page).published || listed > num_pages())
      return error(Code::kInternal, "[llm] page {}: the eviction list is broken", page);
  for (const Page& p : pages_) {
    unheld += p.references == 0;
    published += p.published;
    if (p.references < 0) return error(Code::kInternal, "[llm] a page has {} references", p.references);
    if (!p.published) continue;
    const auto it = by_key_.find(p.key);
    if (it == by_key_.end() || &at(it->second) != &p) return error(Code::kInternal, "[llm] a published page is lost");
  }
  if (listed != num_cached_ || unheld != num_free() || published != static_cast<int64_t>(by_key_.size()))
    return error(Code::kInternal, "[llm] {} pages listed, {} unheld, {} published; counted {}, {}, {}", listed, unheld,
                 published, num_cached_, num_free(), by_key_.size());
  return {};
}

}  // namespace ingot
