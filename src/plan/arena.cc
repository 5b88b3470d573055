#include "plan/arena.h"

#include <algorithm>
#include <numeric>

namespace ingot {

size_t lay_out_arena(std::vector<ArenaBlock>& blocks) {
  std::vector<size_t> by_size(blocks.size());
  std::iota(by_size.begin(), by_size.end(), size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](size_t a, size_t b) { return blocks[a].bytes > blocks[b].bytes; });
  std::vector<size_t> placed;  // sorted by offset
  int64_t total = 0;
  for (size_t i : by_size) {
    ArenaBlock& b = blocks[i];
    const int64_t need = static_cast<int64_t>((std::max<size_t>(b.bytes, 1) + 63) / 64 * 64);
    int64_t at = 0;
    for (size_t j : placed) {
      const ArenaBlock& p = blocks[j];
      if (p.last < b.first || b.last < p.first) continue;
      if (at + need <= p.offset) break;
      at = std::max(at, p.offset + static_cast<int64_t>((std::max<size_t>(p.bytes, 1) + 63) / 64 * 64));
    }
    b.offset = at;
    total = std::max(total, at + need);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), at, [&](int64_t o, size_t j) { return o < blocks[j].offset; }),
        i);
  }
  return static_cast<size_t>(total);
}

}  // namespace ingot
