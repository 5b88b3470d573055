// A byte trie over many strings: all prefixes of a text that are keys, in one walk.
//
// Filled once from (key, value) pairs; the greatest value of equal keys counts. Nodes lie breadth first, the
// labels of a node's children side by side. Thread-safety: const after build().
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace ingot::tokenizer {

class Trie {
 public:
  using Key = std::pair<std::string_view, int32_t>;

  void build(std::vector<Key> keys) {
    std::sort(keys.begin(), keys.end());
    struct Range {
      size_t begin, end, depth;
    };
    std::vector<Range> ranges{{0, keys.size(), 0}};
    nodes_.assign(1, {});
    labels_.assign(1, 0);
    for (size_t node = 0; node < nodes_.size(); ++node) {
      auto [i, end, depth] = ranges[node];
      for (; i < end && keys[i].first.size() == depth; ++i) nodes_[node].value = keys[i].second;
      nodes_[node].first = static_cast<uint32_t>(nodes_.size());
      while (i < end) {
        size_t j = i;
        while (j < end && keys[j].first[depth] == keys[i].first[depth]) ++j;
        nodes_.push_back({});
        labels_.push_back(static_cast<unsigned char>(keys[i].first[depth]));
        ranges.push_back({i, j, depth + 1});
        i = j;
      }
      nodes_[node].count = static_cast<uint16_t>(nodes_.size() - nodes_[node].first);
    }
    roots_.fill(-1);
    for (uint32_t c = 0; c < nodes_[0].count; ++c)
      roots_[labels_[nodes_[0].first + c]] = static_cast<int32_t>(nodes_[0].first + c);
  }

  bool empty() const { return nodes_.size() <= 1; }
  bool begins_with(unsigned char byte) const { return roots_[byte] >= 0; }

  // Calls found(length, value) for each key that is a prefix of text, shortest first.
  template <class Found>
  void prefixes(std::string_view text, const Found& found) const {
    if (text.empty() || nodes_.empty()) return;
    int32_t node = roots_[static_cast<unsigned char>(text[0])];
    for (size_t length = 1; node >= 0; ++length) {
      const Node& n = nodes_[static_cast<size_t>(node)];
      if (n.value >= 0) found(length, n.value);
      if (length == text.size()) return;
      node = child(n, static_cast<unsigned char>(text[length]));
    }
  }

 private:
  struct Node {
    uint32_t first = 0;
    int32_t value = -1;
    uint16_t count = 0;
  };
  int32_t child(const Node& n, unsigned char label) const {
    const unsigned char* begin = labels_.data() + n.first;
    const unsigned char* end = begin + n.count;
    const unsigned char* at = n.count > 8 ? std::lower_bound(begin, end, label) : std::find(begin, end, label);
    return at != end && *at == label ? static_cast<int32_t>(n.first + static_cast<uint32_t>(at - begin)) : -1;
  }
  std::vector<Node> nodes_;
  std::vector<unsigned char> labels_;  // of each node, on the edge from its parent
  std::array<int32_t, 256> roots_{};
};

}  // namespace ingot::tokenizer
