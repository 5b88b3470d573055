// The pages of the paged KV cache: who holds which, what they contain, and which can be given away.
//
// A page stores `page_tokens` consecutive tokens of a sequence in every layer. Pages are reference-counted, so
// sequences share them; a full page can be published under a key (a hash of its tokens and of all before them) and
// is then found by whoever needs the same content, also after its last holder left: it is evicted only when room
// is needed, least recently released first. Thread-safety: the engine's thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"

namespace ingot {

// 128 bits of XXH3 over the parent's key and the page's tokens: names the whole prefix up to the page's end.
struct PageKey {
  uint64_t low = 0, high = 0;
  bool operator==(const PageKey&) const = default;
};
struct PageKeyHash {
  size_t operator()(const PageKey& k) const { return k.low; }
};
// The key that stands before a sequence's first page. Different salts share nothing.
PageKey root_page_key(std::string_view salt, uint64_t seed);
PageKey page_key(const PageKey& parent, std::span<const int32_t> tokens);

class KvPages {
 public:
  KvPages(int64_t num_pages, int64_t page_tokens);

  int64_t page_tokens() const { return page_tokens_; }
  int64_t num_pages() const { return static_cast<int64_t>(pages_.size()); }
  int64_t num_free() const { return static_cast<int64_t>(free_.size()) + num_cached_; }  // what allocate() can give
  int64_t num_cached() const { return num_cached_; }                                     // published and held by nobody
  int64_t num_used() const { return num_pages() - num_free(); }
  uint64_t num_evictions() const { return num_evictions_; }
  int32_t references(int32_t page) const { return at(page).references; }

  // A page with one reference and no content. Evicts if it must. Errors: kResourceExhausted.
  Result<int32_t> allocate();
  void retain(int32_t page);
  void release(int32_t page);

  // A page with this key and exactly these tokens. It takes no reference.
  std::optional<int32_t> find(const PageKey& key, std::span<const int32_t> tokens) const;
  // The caller's full page can be found from now on. Returns the page that holds this content: an older one if there
  // is one (bit for bit the same, so the caller may change over to it), else `page`.
  int32_t publish(int32_t page, const PageKey& key, std::span<const int32_t> tokens);
  // Forgets all content; held pages stay held.
  void forget();

  // Walks everything. Errors: kInternal naming what does not fit together.
  Result<void> check() const;

 private:
  static constexpr int32_t kNone = -1;
  struct Page {
    int32_t references = 0;
    int32_t older = kNone, newer = kNone;  // in the list of unreferenced published pages
    bool published = false;
    PageKey key;
  };
  const Page& at(int32_t page) const { return pages_[static_cast<size_t>(page)]; }
  Page& at(int32_t page) { return pages_[static_cast<size_t>(page)]; }
  std::span<int32_t> tokens_of(int32_t page);
  std::span<const int32_t> tokens_of(int32_t page) const;
  void link_newest(int32_t page);
  void unlink(int32_t page);
  void unpublish(int32_t page);

  int64_t page_tokens_;
  std::vector<Page> pages_;
  std::vector<int32_t> tokens_;  // [pages, page_tokens] of published pages
  std::vector<int32_t> free_;    // without content; the lowest page last, so memory is touched from the front
  std::unordered_map<PageKey, int32_t, PageKeyHash> by_key_;
  int32_t oldest_ = kNone, newest_ = kNone;
  int64_t num_cached_ = 0;
  uint64_t num_evictions_ = 0;
};

}  // namespace ingot
