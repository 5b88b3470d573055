// libFuzzer: any bytes as an ONNX model that is optimized, planned for the reference backend and run once.
// Sizes are kept small: what inputs, constants and the plan's memory may have is limited, and models past it are
// left out. A pass that breaks the graph is a finding; every other refusal is fine.
#include "backends/evaluate.h"
#include "backends/ref/ref.h"
#include "formats/onnx/onnx_import.h"
#include "passes/pipeline.h"
#include "runtime/context.h"
#include "runtime/fuzz_inputs.h"

namespace ingot {
namespace {

constexpr int64_t kIterationsMax = 16;  // what doubles in each stays small

Result<void> optimize_and_run(Graph graph) {
  const Evaluator evaluator = [](const Graph&, const Node& node, std::span<const Tensor> inputs) {
    return evaluate_node(ref_backend(), node, inputs, fuzz::kBytesMax);
  };
  if (auto report = run_passes(graph, {.evaluator = evaluator}); !report) {
    if (report.error().code() == Code::kInternal) __builtin_trap();
    return std::unexpected(report.error());
  }
  ThreadPool pool(1);
  const auto plan = INGOT_TRY(compile(std::move(graph), {.backends = {&ref_backend()}, .pool = &pool}));
  std::vector<Tensor> inputs;
  std::vector<TensorView> views;
  std::vector<Shape> shapes;
  for (ValueId v : plan->graph().inputs()) {
    inputs.push_back(fuzz::small_value(plan->graph().value(v).type));
    if (!inputs.back().defined()) return {};
    views.push_back(inputs.back().view());
    shapes.push_back(views.back().shape);
  }
  const auto binding = INGOT_TRY(bind(*plan, shapes, {}, 1));
  if (binding->arena_bytes > fuzz::kBytesMax) return {};
  ExecutionContext context(plan, pool);
  INGOT_TRY(context.bind_inputs(views, {}));
  return context.run(nullptr, {.loop_iterations_max = kIterationsMax});
}

}  // namespace
}  // namespace ingot

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (auto graph = ingot::import_onnx_bytes(std::as_bytes(std::span(data, size))))
    (void)ingot::optimize_and_run(*std::move(graph));
  return 0;
}
