// Inference of matrix products: Gemm, MatMul, its integer and fused forms, Einsum.
#include <algorithm>
#include <map>

#include "ir/infer.h"

namespace ingot {

Result<void> infer_gemm(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  if (c.type(1).dtype != dtype) return c.fail("operands are {} and {}", c.type(0).to_string(), c.type(1).to_string());
  INGOT_TRY(require_dtype(c, 2, dtype));
  if (!c.ranked(0) || !c.ranked(1)) return c.set(0, dtype, {Dim::unknown(), Dim::unknown()}), Result<void>{};
  if (c.rank(0) != 2 || c.rank(1) != 2)
    return c.fail("operands {} and {} are not matrices", c.type(0).to_string(), c.type(1).to_string());
  const bool ta = c.attributes().get_int("transA") != 0, tb = c.attributes().get_int("transB") != 0;
  const Dim &m = c.dims(0)[ta], &ka = c.dims(0)[!ta], &kb = c.dims(1)[tb], &n = c.dims(1)[!tb];
  if (ka.is_const() && kb.is_const() && !(ka == kb))
    return c.fail("inner dimensions differ: {} and {}", c.type(0).to_string(), c.type(1).to_string());
  if (c.has_input(2) && c.ranked(2)) {
    auto dims = broadcast(c.dims(2), {m, n});
    if (!dims || dims->size() != 2 || ((*dims)[0].is_const() && m.is_const() && !((*dims)[0] == m)) ||
        ((*dims)[1].is_const() && n.is_const() && !((*dims)[1] == n)))
      return c.fail("c {} does not broadcast to the result", c.type(2).to_string());
  }
  c.set(0, dtype, {m, n});
  return {};
}

namespace {

// The shape of MatMul of two shapes.
Result<Dims> matmul_dims(const InferContext& c, Dims a, Dims b) {
  if (a.empty() || b.empty()) return c.fail("an operand is a scalar");
  const bool vector_a = a.size() == 1, vector_b = b.size() == 1;
  if (vector_a) a.insert(a.begin(), Dim(1));
  if (vector_b) b.push_back(Dim(1));
  const Dim ka = a.back(), kb = b[b.size() - 2];
  if (ka.is_const() && kb.is_const() && !(ka == kb))
    return c.fail("inner dimensions differ: {} and {}", c.type(0).to_string(), c.type(1).to_string());
  auto batch = broadcast(Dims(a.begin(), a.end() - 2), Dims(b.begin(), b.end() - 2));
  if (!batch) return c.fail("{}", batch.error().message());
  Dims out = std::move(*batch);
  if (!vector_a) out.push_back(a[a.size() - 2]);
  if (!vector_b) out.push_back(b.back());
  return out;
}

}  // namespace

Result<void> infer_matmul(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  if (c.type(1).dtype != dtype) return c.fail("operands are {} and {}", c.type(0).to_string(), c.type(1).to_string());
  if (!c.ranked(0) || !c.ranked(1)) return c.set_unranked(0, dtype), Result<void>{};
  c.set(0, dtype, INGOT_TRY(matmul_dims(c, c.dims(0), c.dims(1))));
  return {};
}

Result<void> infer_matmul_integer(InferContext& c) {
  for (int i : {2, 3}) {
    INGOT_TRY(require_dtype(c, i, c.type(i - 2).dtype));
    if (const auto zero = c.has_input(i) ? c.type(i).concrete() : std::nullopt; zero && zero->num_elements() == 0)
      return c.fail("zero point {} is empty", c.type(i).to_string());
  }
  if (!c.ranked(0) || !c.ranked(1)) return c.set_unranked(0, DType::kI32), Result<void>{};
  c.set(0, DType::kI32, INGOT_TRY(matmul_dims(c, c.dims(0), c.dims(1))));
  return {};
}

Result<void> infer_fused_matmul(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  if (c.type(1).dtype != dtype) return c.fail("operands are {} and {}", c.type(0).to_string(), c.type(1).to_string());
  INGOT_TRY(require_dtype(c, 2, dtype));
  if (!c.ranked(0) || !c.ranked(1)) return c.set_unranked(0, dtype), Result<void>{};
  Dims a = c.dims(0), b = c.dims(1);
  if (a.size() > 1 && c.attributes().get_int("transA")) std::swap(a[a.size() - 1], a[a.size() - 2]);
  if (b.size() > 1 && c.attributes().get_int("transB")) std::swap(b[b.size() - 1], b[b.size() - 2]);
  const Dim n = b.size() > 1 ? b.back() : Dim(1);
  if (const auto bias = c.has_input(2) ? c.type(2).concrete() : std::nullopt)
    if (bias->num_elements() != 1 && n.is_const()) INGOT_TRY(require_elements(c, 2, n.value()));
  c.set(0, dtype, INGOT_TRY(matmul_dims(c, std::move(a), std::move(b))));
  return {};
}

namespace {

// One side's letters with "..." as '.', blanks removed.
std::string letters(std::string_view term) {
  std::string out;
  for (size_t i = 0; i < term.size(); ++i) {
    if (term.substr(i).starts_with("...")) {
      out += '.';
      i += 2;
    } else if (term[i] != ' ') {
      out += term[i];
    }
  }
  return out;
}

}  // namespace

Result<void> infer_einsum(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  for (int i = 1; i < c.num_inputs(); ++i) INGOT_TRY(require_dtype(c, i, dtype));
  const std::string equation = c.attributes().get_string("equation");
  const size_t arrow = equation.find("->");
  std::string_view left = std::string_view(equation).substr(0, arrow);
  std::map<char, Dim> sizes;
  std::map<char, int> counts;
  Dims ellipsis;
  int operand = 0;
  for (bool more = true; more; ++operand) {
    const size_t comma = left.find(',');
    const std::string term = letters(left.substr(0, comma));
    more = comma != left.npos;
    if (more) left.remove_prefix(comma + 1);
    if (operand >= c.num_inputs()) return c.fail("equation '{}' has more terms than operands", equation);
    if (!c.ranked(operand)) return c.set_unranked(0, dtype), Result<void>{};
    const bool dots = term.contains('.');
    const int extra = c.rank(operand) - static_cast<int>(term.size()) + (dots ? 1 : 0);
    if (extra < 0 || (!dots && extra != 0))
      return c.fail("term '{}' does not fit {}", term, c.type(operand).to_string());
    size_t at = 0;
    for (char letter : term) {
      if (letter == '.') {
        auto joined = broadcast(ellipsis, Dims(c.dims(operand).begin() + static_cast<int64_t>(at),
                                               c.dims(operand).begin() + static_cast<int64_t>(at) + extra));
        if (!joined) return c.fail("{}", joined.error().message());
        ellipsis = std::move(*joined);
        at += static_cast<size_t>(extra);
        continue;
      }
      if (!std::isalpha(static_cast<unsigned char>(letter))) return c.fail("'{}' in equation '{}'", letter, equation);
      const Dim& d = c.dims(operand)[at++];
      auto [it, fresh] = sizes.emplace(letter, d);
      if (!fresh && it->second.is_const() && d.is_const() && !(it->second == d) && !d.is_const(1) &&
          !it->second.is_const(1))
        return c.fail("'{}' is both {} and {}", letter, it->second.value(), d.value());
      if (!fresh && (it->second.is_const(1) || !it->second.is_const())) it->second = d;
      ++counts[letter];
    }
  }
  if (operand != c.num_inputs())
    return c.fail("equation '{}' has {} terms for {} operands", equation, operand, c.num_inputs());
  std::string result;
  if (arrow != equation.npos) {
    result = letters(std::string_view(equation).substr(arrow + 2));
  } else {
    result = ellipsis.empty() ? "" : ".";
    for (const auto& [letter, n] : counts)
      if (n == 1) result += letter;
  }
  Dims out;
  for (char letter : result) {
    if (letter == '.') {
      out.insert(out.end(), ellipsis.begin(), ellipsis.end());
      continue;
    }
    const auto it = sizes.find(letter);
    if (it == sizes.end()) return c.fail("'{}' of the result is in no term of '{}'", letter, equation);
    out.push_back(it->second);
  }
  if (out.size() > limits::kRankMax) return c.fail("result rank {} is over the limit", out.size());
  c.set(0, dtype, std::move(out));
  return {};
}

}  // namespace ingot
