// Inference of operators on strings.
#include <algorithm>

#include "ir/infer.h"

namespace ingot {

Result<void> infer_string_normalizer(InferContext& c) {
  INGOT_TRY(require_dtype(c, 0, DType::kString));
  const std::string action = c.attributes().get_string("case_change_action", "NONE");
  if (action != "NONE" && action != "LOWER" && action != "UPPER")
    return c.fail("case_change_action '{}' is not NONE, LOWER or UPPER", action);
  if (!c.ranked(0)) return c.set_unranked(0, DType::kString), Result<void>{};
  if (c.rank(0) < 1 || c.rank(0) > 2 || (c.rank(0) == 2 && c.dims(0)[0].is_const() && !c.dims(0)[0].is_const(1)))
    return c.fail("the input is {}, not [C] or [1,C]", c.type(0).to_string());
  Dims out = c.dims(0);
  out.back() = Dim::unknown();
  if (out.size() == 2) out[0] = 1;
  c.set(0, DType::kString, std::move(out));
  return {};
}

namespace {

// Output 0: for each string of the input the pieces it falls into, their number not known before.
Result<void> set_pieces(InferContext& c) {
  if (!c.ranked(0)) return c.set_unranked(0, DType::kString), Result<void>{};
  if (c.rank(0) + 1 > limits::kRankMax) return c.fail("rank {} is over the limit", c.rank(0) + 1);
  Dims out = c.dims(0);
  out.push_back(Dim::unknown());
  c.set(0, DType::kString, std::move(out));
  return {};
}

}  // namespace

Result<void> infer_string_split(InferContext& c) {
  INGOT_TRY(require_dtype(c, 0, DType::kString));
  c.set(1, Type{DType::kI64, c.type(0).dims});
  return set_pieces(c);
}

Result<void> infer_string_concat(InferContext& c) {
  INGOT_TRY(require_dtype(c, 0, DType::kString));
  INGOT_TRY(require_dtype(c, 1, DType::kString));
  if (!c.ranked(0) || !c.ranked(1)) return c.set_unranked(0, DType::kString), Result<void>{};
  auto dims = broadcast(c.dims(0), c.dims(1));
  if (!dims) return c.fail("{}", dims.error().message());
  c.set(0, DType::kString, std::move(*dims));
  return {};
}

Result<void> infer_regex_full_match(InferContext& c) {
  INGOT_TRY(require_dtype(c, 0, DType::kString));
  if (!c.attributes().has("pattern")) return c.fail("has no pattern");
  c.set(0, Type{DType::kBool, c.type(0).dims});
  return {};
}

Result<void> infer_tokenizer(InferContext& c) {
  INGOT_TRY(require_dtype(c, 0, DType::kString));
  if (c.attributes().strings("separators").empty() && !c.attributes().has("tokenexp"))
    return c.fail("has neither separators nor tokenexp");
  return set_pieces(c);
}

namespace {

constexpr int64_t kGramLengthMax = 1024, kSkipMax = 1 << 20, kGramIndexMax = int64_t{1} << 30;

// The pool holds all 1-grams, then all 2-grams, …; ngram_counts says where each begins.
Result<void> check_pool(InferContext& c, size_t pool) {
  const auto& counts = c.attributes().ints("ngram_counts");
  int64_t grams = 0;
  for (size_t n = 0; n < counts.size(); ++n) {
    const int64_t begin = counts[n], end = n + 1 < counts.size() ? counts[n + 1] : static_cast<int64_t>(pool);
    const int64_t length = static_cast<int64_t>(n) + 1;
    if (begin < 0 || end < begin || end > static_cast<int64_t>(pool) || (end - begin) % length)
      return c.fail("ngram_counts do not divide a pool of {} into n-grams", pool);
    grams += (end - begin) / length;
  }
  const size_t indexes = c.attributes().ints("ngram_indexes").size(), weights = c.attributes().floats("weights").size();
  if (static_cast<int64_t>(indexes) != grams || (weights && weights != indexes))
    return c.fail("has {} n-grams, {} ngram_indexes and {} weights", grams, indexes, weights);
  return {};
}

}  // namespace

Result<void> infer_tf_idf_vectorizer(InferContext& c) {
  const Attributes& a = c.attributes();
  const bool strings = c.type(0).dtype == DType::kString;
  if (!strings && c.type(0).dtype != DType::kI64 && c.type(0).dtype != DType::kI32)
    return c.fail("the input is {}, not string, i32 or i64", c.type(0).to_string());
  const size_t pool = strings ? a.strings("pool_strings").size() : a.ints("pool_int64s").size();
  if (pool == 0) return c.fail("has no pool for {}", c.type(0).to_string());
  const int64_t low = a.get_int("min_gram_length"), high = a.get_int("max_gram_length"),
                skip = a.get_int("max_skip_count");
  if (low < 1 || high < low || high > kGramLengthMax || skip < 0 || skip > kSkipMax ||
      a.ints("ngram_counts").size() > static_cast<size_t>(kGramLengthMax))
    return c.fail("n-grams of {} to {} with {} skips", low, high, skip);
  const std::string mode = a.get_string("mode");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF") return c.fail("mode '{}' is not TF, IDF or TFIDF", mode);
  INGOT_TRY(check_pool(c, pool));
  int64_t size = 0;
  for (int64_t i : a.ints("ngram_indexes")) {
    if (i < 0 || i >= kGramIndexMax) return c.fail("ngram_indexes hold {}", i);
    size = std::max(size, i + 1);
  }
  if (!c.ranked(0)) return c.set_unranked(0, DType::kF32), Result<void>{};
  if (c.rank(0) < 1 || c.rank(0) > 2) return c.fail("the input is {}, not [C] or [N,C]", c.type(0).to_string());
  if (c.rank(0) == 1)
    c.set(0, DType::kF32, {size});
  else
    c.set(0, DType::kF32, {c.dims(0)[0], size});
  return {};
}

}  // namespace ingot
