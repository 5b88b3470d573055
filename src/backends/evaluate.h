// Runs one node, or a whole graph node by node, on one backend, without a plan.
//
// For constant folding and as the oracle of tests: every result gets its own memory, kernels run on one thread,
// control flow is followed. Slow by design. Thread-safety: pure functions.
#pragma once

#include "backends/backend.h"

namespace ingot {

// The node's outputs for these operands (an absent optional operand is an undefined Tensor).
// operand_types: what containers hold, which an empty one does not show; may be empty for tensors.
// Errors: what inference, the backend's support or the kernel report; kResourceExhausted over `bytes_max`.
Result<std::vector<Tensor>> evaluate_node(const Backend& backend, const Node& node, std::span<const Tensor> inputs,
                                          size_t bytes_max = SIZE_MAX, std::span<const Type> operand_types = {});
// The same for a node of control flow, whose subgraphs run node by node (evaluate_control.cc).
Result<std::vector<Tensor>> evaluate_control(const Backend& backend, const Node& node,
                                             const std::vector<Tensor>& inputs);

// The graph's outputs for its inputs, in order. The graph must have no states.
Result<std::vector<Tensor>> evaluate_graph(const Backend& backend, const Graph& graph, std::span<const Tensor> inputs);

}  // namespace ingot
