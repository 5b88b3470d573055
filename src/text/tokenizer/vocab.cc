#include "text/tokenizer/vocab.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>

#include "base/limits.h"

namespace ingot::tokenizer {
namespace {
constexpr uint64_t kTagMask = 0xFFFFFFFF00000000u;
}

uint64_t hash_bytes(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

void Vocab::reserve(size_t num_pieces, size_t num_bytes) {
  num_pieces = std::min<size_t>(num_pieces, limits::kVocabSizeMax);
  entries_.reserve(num_pieces);
  arena_.reserve(num_bytes);
  grow(std::bit_ceil(std::max<size_t>(64, num_pieces * 2)));
}

void Vocab::grow(size_t slots) {
  if (slots <= slots_.size()) return;
  std::vector<uint64_t> old(slots, 0);
  old.swap(slots_);
  const size_t mask = slots - 1;
  for (uint64_t s : old) {
    if (s == 0) continue;
    const Entry& e = entries_[static_cast<uint32_t>(s) - 1];
    size_t i = hash_bytes({arena_.data() + e.offset, e.length}) & mask;
    while (slots_[i] != 0) i = (i + 1) & mask;
    slots_[i] = s;
  }
}

int Vocab::find(std::string_view piece, uint64_t hash) const {
  if (slots_.empty()) return -1;
  const size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask; slots_[i] != 0; i = (i + 1) & mask) {
    if ((slots_[i] & kTagMask) != (hash & kTagMask)) continue;
    const int id = static_cast<int>(static_cast<uint32_t>(slots_[i]) - 1);
    if (this->piece(id) == piece) return id;
  }
  return -1;
}

Result<void> Vocab::set(int64_t id, std::string_view piece, bool replace) {
  if (id < 0 || id >= limits::kVocabSizeMax)
    return invalid("[tokenizer] piece '{}': id {} is not in [0, {})", piece, id, limits::kVocabSizeMax);
  if ((used_ + 1) * 2 > slots_.size()) grow(std::max<size_t>(64, slots_.size() * 2));
  if (id >= size()) entries_.resize(static_cast<size_t>(id) + 1);
  entries_[static_cast<size_t>(id)] = {arena_.size(), static_cast<uint32_t>(piece.size())};
  arena_.append(piece);
  bytes_max_ = std::max(bytes_max_, piece.size());

  const uint64_t hash = hash_bytes(piece);
  const size_t mask = slots_.size() - 1;
  const uint64_t slot = (hash & kTagMask) | static_cast<uint64_t>(id + 1);
  size_t i = hash & mask;
  for (; slots_[i] != 0; i = (i + 1) & mask) {
    if ((slots_[i] & kTagMask) != (hash & kTagMask)) continue;
    if (this->piece(static_cast<int>(static_cast<uint32_t>(slots_[i]) - 1)) != piece) continue;
    if (replace) slots_[i] = slot;
    return {};
  }
  slots_[i] = slot;
  ++used_;
  ++count_;
  return {};
}

}  // namespace ingot::tokenizer
