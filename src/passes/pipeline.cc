#include "passes/pipeline.h"

#include <algorithm>

#include "base/clock.h"
#include "ir/infer.h"

namespace ingot {
namespace {

constexpr Pass kPasses[] = {
    {"fold_constants", fold_constants},    //
    {"eliminate", eliminate},              //
    {"canonicalize", canonicalize},        //
    {"merge_common", merge_common},        //
    {"fuse_layer_norm", fuse_layer_norm},  // before the parts of its pattern fuse with products
    {"fuse_gelu", fuse_gelu},              //
    {"fuse_conv", fuse_conv},              //
    {"fuse_matmul", fuse_matmul},          //
    {"eliminate", eliminate},              // what fusion left over
};

// Records what inference knows after a pass: folded constants make types more exact.
Result<void> refresh_types(Graph& graph) {
  std::vector<InferredValue> inputs;
  for (ValueId v : graph.inputs()) inputs.push_back({graph.value(v).type, std::nullopt, nullptr});
  auto known = INGOT_TRY(infer_graph(graph, inputs));
  for (NodeId n : graph.order())
    for (ValueId v : graph.node(n).outputs) {
      Type& recorded = graph.value(v).type;
      const Type& inferred = known[static_cast<size_t>(v)].type;
      if (!inferred.ranked()) continue;
      if (!recorded.ranked() || recorded.rank() != inferred.rank()) {
        recorded = inferred;
        continue;
      }
      for (size_t d = 0; d < inferred.dims->size(); ++d)
        if (!(*recorded.dims)[d].is_const() && !(*inferred.dims)[d].is_unknown())
          (*recorded.dims)[d] = (*inferred.dims)[d];
    }
  return {};
}

// Runs one pass on the graph and, on copies, on its subgraphs.
Result<bool> run_pass(const Pass& pass, Graph& graph, const PassContext& context, bool check) {
  bool changed = INGOT_TRY(pass.run(graph, context));
  for (NodeId n : graph.order())
    for (auto& [name, sub] : graph.node(n).subgraphs) {
      auto copy = std::make_shared<Graph>(*sub);
      if (!INGOT_TRY(run_pass(pass, *copy, context, check))) continue;
      sub = std::move(copy);
      changed = true;
    }
  if (!changed) return false;
  INGOT_TRY(refresh_types(graph));
  if (check)
    if (auto ok = verify(graph); !ok)
      return std::unexpected(ok.error().with_context(fmt::format("after pass {}", pass.name)));
  return true;
}

}  // namespace

std::span<const Pass> all_passes() { return kPasses; }

Result<PassReport> run_passes(Graph& graph, const PassOptions& options) {
  for (const std::string& name : options.disabled)
    if (std::none_of(std::begin(kPasses), std::end(kPasses), [&](const Pass& p) { return p.name == name; })) {
      std::string names;
      for (const Pass& p : kPasses) names += fmt::format(" {}", p.name);
      return invalid("[passes] there is no pass '{}'; the passes are:{}", name, names);
    }
  const PassContext context{options.evaluator};
  PassReport report;
  for (const Pass& pass : kPasses) {
    if (std::ranges::find(options.disabled, pass.name) != options.disabled.end()) continue;
    PassReport::Entry entry{.name = pass.name, .nodes_before = graph.order().size()};
    const Stopwatch watch;
    entry.changed = INGOT_TRY(run_pass(pass, graph, context, options.verify));
    entry.ms = watch.elapsed_ms();
    entry.nodes_after = graph.order().size();
    report.entries.push_back(entry);
  }
  return report;
}

}  // namespace ingot
