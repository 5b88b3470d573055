#include "cli/suggest.h"

#include <algorithm>
#include <vector>

namespace ingot::cli {
namespace {

constexpr size_t kWordBytesMax = 64;

// Damerau-Levenshtein distance, restricted form: https://en.wikipedia.org/wiki/Damerau-Levenshtein_distance
size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i)
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

}  // namespace

std::string nearest(std::string_view word, std::span<const std::string> known) {
  word = word.substr(0, kWordBytesMax);
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& k : known) {
    const bool begins = word.size() >= 3 && k.starts_with(word);
    const size_t n = begins ? 1 : distance(word, k);
    if (n < best_distance && n < std::max(word.size(), k.size())) {
      best = k;
      best_distance = n;
    }
  }
  return best;
}

}  // namespace ingot::cli
