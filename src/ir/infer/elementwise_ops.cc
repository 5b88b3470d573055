// Inference of elementwise ops: broadcasting of any number of operands, result types, known elements.
#include <algorithm>

#include "ir/infer.h"

namespace ingot {
namespace {

// Broadcasts the shapes of operands [first, last); sets output 0 to `dtype`.
Result<void> set_broadcast(InferContext& c, DType dtype, int first, int last) {
  Dims dims;
  for (int i = first; i < last; ++i) {
    if (!c.ranked(i)) return c.set_unranked(0, dtype), Result<void>{};
    auto next = broadcast(dims, c.dims(i));
    if (!next) return c.fail("{}", next.error().message());
    dims = std::move(*next);
  }
  c.set(0, dtype, std::move(dims));
  return {};
}

// Combines the known elements of two lists of equal length, or a list and a scalar; nullopt if `f` is for any.
template <class F>
KnownElements combine(const KnownElements& a, const KnownElements& b, F f) {
  if (!a || !b || a->empty() || b->empty()) return std::nullopt;
  if (a->size() != b->size() && a->size() != 1 && b->size() != 1) return std::nullopt;
  Dims out;
  for (size_t i = 0; i < std::max(a->size(), b->size()); ++i) {
    const std::optional<Dim> v = f((*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]);
    if (!v) return std::nullopt;
    out.push_back(*v);
  }
  return out;
}

// Elements are recorded only for results of rank 0 or 1.
void set_known(InferContext& c, KnownElements known, int rank) {
  if (known && rank <= 1) c.set_elements(0, std::move(*known));
}

int known_rank(const InferContext& c, int first, int last) {
  int rank = 0;
  for (int i = first; i < last; ++i) rank = std::max(rank, c.ranked(i) ? c.rank(i) : 2);
  return rank;
}

}  // namespace

Result<void> infer_pow(InferContext& c) { return set_broadcast(c, c.type(0).dtype, 0, 2); }

Result<void> infer_variadic(InferContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i)
    if (!c.has_input(i) || c.type(i).dtype != c.type(0).dtype)
      return c.fail("operand {} is {}, operand 0 is {}", i, c.type(i).to_string(), c.type(0).to_string());
  INGOT_TRY(set_broadcast(c, c.type(0).dtype, 0, c.num_inputs()));
  const Op op = c.node().op;
  if (op != Op::kMax && op != Op::kMin) return {};
  KnownElements known = c.elements(0);
  for (int i = 1; i < c.num_inputs(); ++i)
    known = combine(known, c.elements(i),
                    [&](const Dim& a, const Dim& b) { return std::optional(op == Op::kMax ? max(a, b) : min(a, b)); });
  set_known(c, std::move(known), known_rank(c, 0, c.num_inputs()));
  return {};
}

Result<void> infer_compare(InferContext& c) {
  if (c.type(0).dtype != c.type(1).dtype)
    return c.fail("operands are {} and {}", c.type(0).to_string(), c.type(1).to_string());
  INGOT_TRY(set_broadcast(c, DType::kBool, 0, 2));
  const Op op = c.node().op;
  auto known = combine(c.elements(0), c.elements(1), [&](const Dim& a, const Dim& b) -> std::optional<Dim> {
    if (op == Op::kEqual && a == b) return Dim(1);
    if (!a.is_const() || !b.is_const()) return std::nullopt;
    switch (op) {
      case Op::kEqual: return Dim(a.value() == b.value());
      case Op::kGreater: return Dim(a.value() > b.value());
      case Op::kGreaterOrEqual: return Dim(a.value() >= b.value());
      case Op::kLess: return Dim(a.value() < b.value());
      case Op::kLessOrEqual: return Dim(a.value() <= b.value());
      case Op::kAnd: return Dim(a.value() && b.value());
      case Op::kOr: return Dim(a.value() || b.value());
      default: return std::nullopt;
    }
  });
  set_known(c, std::move(known), known_rank(c, 0, 2));
  return {};
}

Result<void> infer_not(InferContext& c) {
  Type t = c.type(0);
  t.dtype = DType::kBool;
  c.set(0, std::move(t));
  const auto e = c.elements(0);
  if (!e || !std::all_of(e->begin(), e->end(), [](const Dim& d) { return d.is_const(); })) return {};
  Dims out;
  for (const Dim& d : *e) out.push_back(Dim(d.value() == 0));
  c.set_elements(0, std::move(out));
  return {};
}

Result<void> infer_is(InferContext& c) {
  Type t = c.type(0);
  t.dtype = DType::kBool;
  c.set(0, std::move(t));
  return {};
}

Result<void> infer_where(InferContext& c) {
  if (c.type(0).dtype != DType::kBool) return c.fail("the condition is {}, not bool", c.type(0).to_string());
  if (c.type(1).dtype != c.type(2).dtype)
    return c.fail("operands are {} and {}", c.type(1).to_string(), c.type(2).to_string());
  INGOT_TRY(set_broadcast(c, c.type(1).dtype, 0, 3));
  const auto cond = c.elements(0), a = c.elements(1), b = c.elements(2);
  if (!cond || !a || !b || known_rank(c, 0, 3) > 1) return {};
  const size_t n = std::max({cond->size(), a->size(), b->size()});
  Dims out;
  for (size_t i = 0; i < n; ++i) {
    if ((cond->size() != n && cond->size() != 1) || (a->size() != n && a->size() != 1) ||
        (b->size() != n && b->size() != 1))
      return {};
    const Dim& k = (*cond)[cond->size() == 1 ? 0 : i];
    const Dim &x = (*a)[a->size() == 1 ? 0 : i], &y = (*b)[b->size() == 1 ? 0 : i];
    if (k.is_const())
      out.push_back(k.value() ? x : y);
    else if (x == y)
      out.push_back(x);
    else
      return {};
  }
  c.set_elements(0, std::move(out));
  return {};
}

Result<void> infer_clip(InferContext& c) {
  for (int i : {1, 2}) {
    INGOT_TRY(require_dtype(c, i, c.type(0).dtype));
    INGOT_TRY(require_elements(c, i, 1));
  }
  return infer_same(c);
}

Result<void> infer_prelu(InferContext& c) {
  INGOT_TRY(require_dtype(c, 1, c.type(0).dtype));
  if (c.ranked(0)) INGOT_TRY(require_broadcasts_to(c, 1, c.dims(0)));
  return infer_same(c);
}

Result<void> infer_cast(InferContext& c) {
  const auto to = dtype_from_name(c.attributes().get_string("to"));
  if (!to) return c.fail("'{}' is not an element type", c.attributes().get_string("to"));
  c.set(0, Type{*to, c.type(0).dims});
  const bool integers = *to == DType::kI64 || *to == DType::kI32;
  const auto e = c.elements(0);
  if (integers && e) c.set_elements(0, *e);
  return {};
}

}  // namespace ingot
