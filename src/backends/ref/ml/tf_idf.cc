// TfIdfVectorizer: counts of n-grams of tokens (strings or integers), their tokens up to max_skip_count apart.
#include <unordered_map>

#include "backends/ref/dispatch.h"
#include "backends/ref/kernels.h"
#include "backends/ref/prepare.h"

namespace ingot {
namespace {

// Tokens have numbers; an n-gram is the bytes of its tokens' numbers. `grams` gives its place in ngram_indexes.
struct Pool {
  std::unordered_map<std::string, int64_t> strings;
  std::unordered_map<std::string, std::vector<size_t>> grams;
};

void append(std::string& key, int64_t token) { key.append(reinterpret_cast<const char*>(&token), sizeof token); }

}  // namespace

Result<RefState> prepare_tf_idf(const NodeView& v) {
  const Attributes& a = v.node.attributes;
  const auto &counts = a.ints("ngram_counts"), &ints = a.ints("pool_int64s");
  const auto& strings = a.strings("pool_strings");
  const bool text = v.input_type(0).dtype == DType::kString;
  const size_t size = text ? strings.size() : ints.size();
  auto pool = std::make_shared<Pool>();
  size_t gram = 0;
  for (size_t n = 0; n < counts.size(); ++n) {
    const size_t end = n + 1 < counts.size() ? static_cast<size_t>(counts[n + 1]) : size;
    for (size_t at = static_cast<size_t>(counts[n]); at < end; at += n + 1, ++gram) {
      std::string key;
      for (size_t i = at; i <= at + n; ++i)
        append(key,
               text ? pool->strings.try_emplace(strings[i], static_cast<int64_t>(pool->strings.size())).first->second
                    : ints[i]);
      pool->grams[key].push_back(gram);
    }
  }
  return RefState{std::move(pool)};
}

void ref_TfIdfVectorizer(KernelContext& c) {
  const Pool& pool = *static_cast<const Pool*>(c.prepared);
  const Attributes& a = c.node.attributes;
  const TensorView& x = c.in(0);
  const int64_t low = a.get_int("min_gram_length"), high = a.get_int("max_gram_length"),
                skips = a.get_int("max_skip_count");
  const auto& indexes = a.ints("ngram_indexes");
  const auto& weights = a.floats("weights");
  const std::string mode = a.get_string("mode");
  const int64_t tokens = x.shape.at(-1), rows = x.shape.rank() == 2 ? x.shape[0] : 1, columns = c.out(0).shape.at(-1);
  const auto token = [&](int64_t i) -> int64_t {
    if (x.dtype != DType::kString) return index_at(x, i);
    const auto it = pool.strings.find(x.as<std::string>()[i]);
    return it == pool.strings.end() ? -1 : it->second;
  };
  std::vector<float> counts;
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<int64_t> row;
    for (int64_t i = 0; i < tokens; ++i) row.push_back(token(r * tokens + i));
    counts.assign(indexes.size(), 0);
    std::string key;
    for (int64_t n = low; n <= std::min(high, tokens); ++n)
      for (int64_t step = 1; step <= (n == 1 ? 1 : skips + 1) && step * (n - 1) < tokens; ++step)
        for (int64_t begin = 0; begin + step * (n - 1) < tokens; ++begin) {
          key.clear();
          for (int64_t i = 0; i < n; ++i) append(key, row[static_cast<size_t>(begin + i * step)]);
          if (const auto it = pool.grams.find(key); it != pool.grams.end())
            for (size_t gram : it->second) counts[gram] += 1;
        }
    float* out = c.out(0).as<float>() + r * columns;
    std::fill_n(out, columns, 0.0f);
    for (size_t g = 0; g < counts.size(); ++g) {
      const float weight = weights.empty() || mode == "TF" ? 1.0f : weights[g];
      out[indexes[g]] += weight * (mode == "IDF" ? std::min(counts[g], 1.0f) : counts[g]);
    }
  }
}

}  // namespace ingot
