// The optimizer: a list of passes, each one file, run in order on a graph and on its subgraphs.
//
// A pass changes the graph and never what it computes. Every pass is timed, can be switched off by its name, and
// the graph is verified after it. To add one: its file, its declaration below, one line in pipeline.cc.
// Thread-safety: a graph is optimized by one thread.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace ingot {

// Computes a node from constant operands (an absent one is an undefined Tensor): backends give this to the passes.
using Evaluator =
    std::function<Result<std::vector<Tensor>>(const Graph& graph, const Node& node, std::span<const Tensor> inputs)>;

struct PassContext {
  const Evaluator& evaluator;  // may be empty: then nothing is evaluated
};

struct Pass {
  std::string_view name;
  Result<bool> (*run)(Graph& graph, const PassContext& context);  // true: the graph changed
};

struct PassOptions {
  std::vector<std::string> disabled;  // names
  Evaluator evaluator;
  bool verify = true;
};

struct PassReport {
  struct Entry {
    std::string_view name;
    bool changed = false;
    double ms = 0;
    size_t nodes_before = 0, nodes_after = 0;
  };
  std::vector<Entry> entries;  // in the order of running, top level graph only
};

// In the order of running; a name may appear twice.
std::span<const Pass> all_passes();

// Errors: kInvalidArgument for an unknown name in `disabled`; kInternal when a pass breaks the graph.
Result<PassReport> run_passes(Graph& graph, const PassOptions& options = {});

Result<bool> canonicalize(Graph& graph, const PassContext& context);
Result<bool> fold_constants(Graph& graph, const PassContext& context);
Result<bool> eliminate(Graph& graph, const PassContext& context);
Result<bool> merge_common(Graph& graph, const PassContext& context);
Result<bool> fuse_layer_norm(Graph& graph, const PassContext& context);
Result<bool> fuse_gelu(Graph& graph, const PassContext& context);
Result<bool> fuse_conv(Graph& graph, const PassContext& context);
Result<bool> fuse_matmul(Graph& graph, const PassContext& context);

}  // namespace ingot
