// The merge loop of BPE, for any rule that ranks a pair of neighbours.
//
// The best (lowest) rank merges first, the leftmost among equals. Short words scan for the minimum; long ones
// use a heap, so an endless word costs n log n.
#pragma once

#include <algorithm>
#include <cstdint>
#include <queue>
#include <vector>

namespace ingot::tokenizer {

struct Symbol {
  int32_t id;      // -1: not a piece by itself
  uint32_t begin;  // of its text within the word
  uint32_t end;
};

inline constexpr uint32_t kNoRank = UINT32_MAX;

struct MergeScratch {
  std::vector<Symbol> symbols;
  std::vector<uint32_t> ranks;  // of the pair (i, next of i)
  std::vector<int32_t> next, previous;
};

// pair(left, right, &id) -> rank, kNoRank if they do not merge; id is the piece they become.
template <class Pair>
void merge_short(MergeScratch& s, const Pair& pair) {
  auto& v = s.symbols;
  auto& ranks = s.ranks;
  const auto rank_at = [&](size_t i) {
    int32_t id;
    return i + 1 < v.size() ? pair(v[i], v[i + 1], &id) : kNoRank;
  };
  ranks.resize(v.size());
  for (size_t i = 0; i < v.size(); ++i) ranks[i] = rank_at(i);
  while (v.size() > 1) {
    const auto best = static_cast<size_t>(std::min_element(ranks.begin(), ranks.end()) - ranks.begin());
    if (ranks[best] == kNoRank) break;
    int32_t id = -1;
    pair(v[best], v[best + 1], &id);
    v[best].id = id;
    v[best].end = v[best + 1].end;
    v.erase(v.begin() + static_cast<ptrdiff_t>(best) + 1);
    ranks.erase(ranks.begin() + static_cast<ptrdiff_t>(best) + 1);
    ranks[best] = rank_at(best);
    if (best > 0) ranks[best - 1] = rank_at(best - 1);
  }
}

template <class Pair>
void merge_long(MergeScratch& s, const Pair& pair) {
  auto& v = s.symbols;
  const auto n = static_cast<int32_t>(v.size());
  s.ranks.assign(v.size(), kNoRank);
  s.next.resize(v.size());
  s.previous.resize(v.size());
  std::vector<uint64_t> heap;  // rank, position
  heap.reserve(v.size());
  const auto at = [](int32_t i) { return static_cast<size_t>(i); };
  const auto entry = [&](int32_t i) { return uint64_t{s.ranks[at(i)]} << 32 | static_cast<uint32_t>(i); };
  for (int32_t i = 0; i < n; ++i) {
    s.next[at(i)] = i + 1 < n ? i + 1 : -1;
    s.previous[at(i)] = i - 1;
    int32_t id;
    if (i + 1 < n) s.ranks[at(i)] = pair(v[at(i)], v[at(i + 1)], &id);
    if (s.ranks[at(i)] != kNoRank) heap.push_back(entry(i));
  }
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> queue(std::greater<>{}, std::move(heap));
  const auto rerank = [&](int32_t i) {
    int32_t id;
    const int32_t right = s.next[at(i)];
    s.ranks[at(i)] = right < 0 ? kNoRank : pair(v[at(i)], v[at(right)], &id);
    if (s.ranks[at(i)] != kNoRank) queue.push(entry(i));
  };
  while (!queue.empty()) {
    const uint64_t top = queue.top();
    queue.pop();
    const auto i = static_cast<int32_t>(static_cast<uint32_t>(top));
    if (s.ranks[at(i)] != static_cast<uint32_t>(top >> 32)) continue;  // the pair changed since
    const int32_t right = s.next[at(i)];
    int32_t id = -1;
    pair(v[at(i)], v[at(right)], &id);
    v[at(i)].id = id;
    v[at(i)].end = v[at(right)].end;
    s.ranks[at(right)] = kNoRank;
    v[at(right)].begin = v[at(right)].end;
    const int32_t after = s.next[at(right)];
    s.next[at(i)] = after;
    if (after >= 0) s.previous[at(after)] = i;
    rerank(i);
    if (s.previous[at(i)] >= 0) rerank(s.previous[at(i)]);
  }
  size_t kept = 0;
  for (int32_t i = 0; i >= 0; i = s.next[at(i)]) v[kept++] = v[at(i)];
  v.resize(kept);
}

template <class Pair>
void merge_all(MergeScratch& s, const Pair& pair) {
  if (s.symbols.size() < 2) return;
  if (s.symbols.size() <= 64) {
    merge_short(s, pair);
  } else {
    merge_long(s, pair);
  }
}

}  // namespace ingot::tokenizer
