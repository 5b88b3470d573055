// Matrix products take up transposes of their operands, a scale, a bias and an activation: ingot.matmul.
// Gemm with a bias vector becomes the same op. Only where the product has one reader.
#include <algorithm>

#include "passes/match.h"
#include "passes/pipeline.h"

namespace ingot {
namespace {

bool is_product(const Node& n) { return n.op == Op::kMatMul || n.op == Op::kFusedMatMul; }

const Node* absorbed_product(const Matcher& m, ValueId v) {
  const Node* n = m.absorbed(v, Op::kMatMul);
  return n ? n : m.absorbed(v, Op::kFusedMatMul);
}

bool has_bias(const Node& n) { return n.inputs.size() > 2 && n.inputs[2] != kNoValue; }
bool has_activation(const Node& n) { return n.attributes.get_string("activation", "none") != "none"; }

// A bias that the op allows: one element, or one per column of the result.
bool fits_as_bias(const Graph& g, ValueId bias, ValueId result) {
  const Type &b = g.value(bias).type, &y = g.value(result).type;
  if (!b.ranked() || !y.ranked() || y.rank() < 2 || b.rank() > 1 || b.dtype != y.dtype) return false;
  if (b.rank() == 0) return true;
  return b.dims->back().is_const() && b.dims->back() == y.dims->back();
}

bool rewrite_gemm(Matcher& m, Node& n) {
  const Graph& g = m.graph_view();
  if (n.op != Op::kGemm || !is_float(g.value(n.outputs[0]).type.dtype)) return false;
  if (has_bias(n) && (n.attributes.get_float("beta", 1) != 1 || !fits_as_bias(g, n.inputs[2], n.outputs[0])))
    return false;
  const float alpha = n.attributes.get_float("alpha", 1);
  n.op = Op::kFusedMatMul;
  n.attributes.erase("alpha");
  n.attributes.erase("beta");
  if (alpha != 1) n.attributes.set("scale", alpha);
  return true;
}

// MatMul of an operand whose last two axes a Transpose swapped.
bool absorb_transpose(Matcher& m, Node& n) {
  if (!is_product(n)) return false;
  for (size_t i : {0, 1}) {
    const Node* t = m.producer(n.inputs[i], Op::kTranspose);
    if (!t) continue;
    std::vector<int64_t> perm = t->attributes.get_ints("perm");
    if (perm.size() < 2) continue;
    std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
    bool swaps_last = true;
    for (size_t d = 0; d < perm.size(); ++d) swaps_last &= perm[d] == static_cast<int64_t>(d);
    if (!swaps_last) continue;
    const char* flag = i == 0 ? "transA" : "transB";
    n.attributes.set(flag, int64_t{!n.attributes.get_int(flag)});
    n.inputs[i] = t->inputs[0];
    n.op = Op::kFusedMatMul;
    return true;
  }
  return false;
}

// n becomes `product` with its own operands and attributes.
void take_over(Node& n, const Node& product) {
  std::vector<ValueId> inputs = product.inputs;
  Attributes attributes = product.attributes;
  n.op = Op::kFusedMatMul;
  n.inputs = std::move(inputs);
  n.attributes = std::move(attributes);
}

bool absorb_scale(Matcher& m, Node& n) {
  if (n.op != Op::kMul && n.op != Op::kDiv) return false;
  for (size_t i : {0, 1}) {
    if (n.op == Op::kDiv && i == 1) continue;
    const auto s = m.scalar(n.inputs[1 - i]);
    const Node* product = s && *s != 0 ? absorbed_product(m, n.inputs[i]) : nullptr;
    if (!product || has_bias(*product) || has_activation(*product)) continue;
    if (!m.same_shape(n.inputs[i], n.outputs[0])) continue;
    const double scale = n.op == Op::kMul ? *s : 1 / *s;
    take_over(n, *product);
    n.attributes.set("scale", static_cast<float>(n.attributes.get_float("scale", 1) * scale));
    return true;
  }
  return false;
}

bool absorb_bias(Matcher& m, Node& n) {
  if (n.op != Op::kAdd) return false;
  for (size_t i : {0, 1}) {
    const ValueId bias = n.inputs[1 - i];
    const Node* product = absorbed_product(m, n.inputs[i]);
    if (!product || has_bias(*product) || has_activation(*product)) continue;
    if (!fits_as_bias(m.graph_view(), bias, n.inputs[i])) continue;
    take_over(n, *product);
    n.inputs.resize(2);
    n.inputs.push_back(bias);
    return true;
  }
  return false;
}

bool absorb_activation(Matcher& m, Node& n) {
  const auto spec = activation_of(m, n, true);
  const Node* product = spec ? absorbed_product(m, n.inputs[0]) : nullptr;
  if (!product || has_activation(*product)) return false;
  take_over(n, *product);
  set_activation(n.attributes, *spec);
  return true;
}

}  // namespace

Result<bool> fuse_matmul(Graph& graph, const PassContext&) {
  Matcher m(graph);
  bool changed = false;
  for (const RewriteRule rule : {rewrite_gemm, absorb_transpose, absorb_scale, absorb_bias, absorb_activation})
    changed |= rewrite_nodes(m, is_float, rule);
  return changed;
}

}  // namespace ingot
