// The pieces of a vocabulary: id -> text and text -> id, in one arena and one open-addressing table.
//
// Ownership: copies every piece. Thread-safety: const after it is filled. Limits: kVocabSizeMax ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ingot::tokenizer {

uint64_t hash_bytes(std::string_view bytes);

class Vocab {
 public:
  void reserve(size_t num_pieces, size_t num_bytes);
  // Sets the piece of `id`, and `piece` to mean `id` (replacing what it meant if `replace`).
  Result<void> set(int64_t id, std::string_view piece, bool replace = true);

  int size() const { return static_cast<int>(entries_.size()); }  // greatest id + 1
  int count() const { return count_; }                            // distinct pieces
  bool has(int id) const { return id >= 0 && id < size() && entries_[static_cast<size_t>(id)].length != kNone; }
  std::string_view piece(int id) const {
    if (!has(id)) return {};
    const Entry& e = entries_[static_cast<size_t>(id)];
    return {arena_.data() + e.offset, e.length};
  }
  // -1 if there is none.
  int find(std::string_view piece) const { return find(piece, hash_bytes(piece)); }
  size_t bytes_max() const { return bytes_max_; }  // of a piece

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Entry {
    uint64_t offset = 0;
    uint32_t length = kNone;
  };
  int find(std::string_view piece, uint64_t hash) const;
  void grow(size_t slots);

  std::string arena_;
  std::vector<Entry> entries_;
  std::vector<uint64_t> slots_;  // upper half of the hash, id + 1; 0 = free
  size_t used_ = 0;
  int count_ = 0;
  size_t bytes_max_ = 0;
};

}  // namespace ingot::tokenizer
