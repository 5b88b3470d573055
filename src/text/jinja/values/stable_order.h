// A stable sort for comparisons that may throw or contradict themselves, as Python's sorted() allows.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

namespace ingot::jinja {

// Merges ever longer runs. less(a, b) is only asked with a behind b, and any answers are safe.
template <class T, class Less>
void stable_order(std::vector<T>& items, Less less) {
  std::vector<T> merged(items.size());
  for (size_t width = 1; width < items.size(); width *= 2) {
    for (size_t begin = 0; begin < items.size(); begin += 2 * width) {
      const size_t middle = std::min(begin + width, items.size());
      const size_t end = std::min(begin + 2 * width, items.size());
      size_t left = begin;
      size_t right = middle;
      for (size_t out = begin; out < end; ++out) {
        const bool take_right = right < end && (left == middle || less(items[right], items[left]));
        merged[out] = std::move(take_right ? items[right++] : items[left++]);
      }
    }
    std::swap(items, merged);
  }
}

}  // namespace ingot::jinja
