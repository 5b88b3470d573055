// Inference of the ops that run subgraphs.
#include "ir/infer.h"

namespace ingot {

// The branches' output types, joined: what both agree on. Operands after the condition are the captures.
Result<void> infer_if(InferContext& c) {
  const Graph *then_graph = c.node().subgraph("then_branch"), *else_graph = c.node().subgraph("else_branch");
  if (!then_graph || !else_graph) return c.fail("needs then_branch and else_branch");
  const auto condition = c.type(0).concrete();
  if (c.type(0).dtype != DType::kBool || (condition && condition->num_elements() != 1))
    return c.fail("the condition is {}, not one bool", c.type(0).to_string());
  const size_t n = static_cast<size_t>(c.num_outputs());
  if (then_graph->outputs().size() != n || else_graph->outputs().size() != n)
    return c.fail("has {} outputs, its branches {} and {}", n, then_graph->outputs().size(),
                  else_graph->outputs().size());
  for (size_t i = 0; i < n; ++i) {
    const Type &a = then_graph->value(then_graph->outputs()[i]).type,
               &b = else_graph->value(else_graph->outputs()[i]).type;
    if (a.dtype != b.dtype)
      return c.fail("output {} is {} in one branch, {} in the other", i, a.to_string(), b.to_string());
    Type joined = a;
    if (!a.ranked() || !b.ranked() || a.rank() != b.rank())
      joined.dims.reset();
    else
      for (size_t d = 0; d < joined.dims->size(); ++d)
        if (!((*a.dims)[d] == (*b.dims)[d])) (*joined.dims)[d] = Dim::unknown();
    c.set(static_cast<int>(i), std::move(joined));
  }
  return {};
}

}  // namespace ingot
