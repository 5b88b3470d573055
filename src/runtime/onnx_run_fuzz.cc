// libFuzzer: any bytes as an ONNX model that is optimized, planned for the reference backend and run once.
// Sizes are kept small: what inputs, constants and the plan's memory may have is limited, and models past it are
// left out. A pass that breaks the graph is a finding; every other refusal is fine.
#include "backends/evaluate.h"
#include "backends/ref/ref.h"
#include "formats/onnx/onnx_import.h"
#include "passes/pipeline.h"
#include "runtime/context.h"

namespace ingot {
namespace {

constexpr size_t kBytesMax = 256 << 10;

// Symbols and unknown sizes become 1, 2 or 3, the same symbol always the same.
Shape small_shape(const Type& t) {
  if (!t.ranked()) return {2};
  Shape shape;
  for (const Dim& d : *t.dims)
    shape.push_back(d.is_const()     ? d.value()
                    : d.is_unknown() ? 2
                                     : 1 + static_cast<int64_t>(std::hash<std::string>()(d.to_string()) % 3));
  return shape;
}

// Small numbers of both signs, whatever the type: bytes that are valid in every one of them.
Tensor small_numbers(DType dtype, const Shape& shape) {
  Tensor t = Tensor::allocate(dtype, shape);
  for (int64_t i = 0; i < shape.num_elements(); ++i) {
    const int64_t v = i % 4;
    switch (dtype) {
      case DType::kF32: t.mutable_as<float>()[i] = static_cast<float>(v) - 1.5f; break;
      case DType::kF64: t.mutable_as<double>()[i] = static_cast<double>(v) - 1.5; break;
      case DType::kI64:
      case DType::kU64: t.mutable_as<int64_t>()[i] = v; break;
      case DType::kI32:
      case DType::kU32: t.mutable_as<int32_t>()[i] = static_cast<int32_t>(v); break;
      case DType::kI16:
      case DType::kU16: t.mutable_as<int16_t>()[i] = static_cast<int16_t>(v); break;
      case DType::kF16:
      case DType::kBF16: t.mutable_as<uint16_t>()[i] = static_cast<uint16_t>(0x3C00 + v); break;
      case DType::kI8:
      case DType::kU8: t.mutable_as<int8_t>()[i] = static_cast<int8_t>(v); break;
      case DType::kBool: t.mutable_as<uint8_t>()[i] = v & 1; break;
      default: break;  // strings: empty
    }
  }
  return t;
}

Result<void> optimize_and_run(Graph graph) {
  const Evaluator evaluator = [](const Graph&, const Node& node, std::span<const Tensor> inputs) {
    return evaluate_node(ref_backend(), node, inputs, kBytesMax);
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
    const Type& type = plan->graph().value(v).type;
    shapes.push_back(small_shape(type));
    if (TensorView{type.dtype, shapes.back(), nullptr}.num_bytes() > kBytesMax) return {};
    inputs.push_back(small_numbers(type.dtype, shapes.back()));
    views.push_back(inputs.back().view());
  }
  const auto binding = INGOT_TRY(bind(*plan, shapes, {}, 1));
  if (binding->arena_bytes > kBytesMax) return {};
  ExecutionContext context(plan, pool);
  INGOT_TRY(context.bind_inputs(views, {}));
  return context.run();
}

}  // namespace
}  // namespace ingot

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (auto graph = ingot::import_onnx_bytes(std::as_bytes(std::span(data, size))))
    (void)ingot::optimize_and_run(*std::move(graph));
  return 0;
}
