#include "backends/evaluate.h"

#include "ir/infer.h"

namespace ingot {
namespace {

// What a kernel's hooks write to.
struct Run {
  std::vector<Tensor> tensors;
  std::vector<TensorRef> refs;
  std::optional<Status> failed;
  const Node* node = nullptr;
};

KernelContext::Hooks hooks_of(Run& run) {
  return {&run, [](void*) {},
          [](void* owner, int i, const Shape& shape) {
            Run& r = *static_cast<Run*>(owner);
            Tensor& t = r.tensors[static_cast<size_t>(i)];
            t = Tensor::allocate(r.refs[static_cast<size_t>(i)].dtype, shape);
            r.refs[static_cast<size_t>(i)] = t.mutable_view();
          },
          [](void* owner, Status status) {
            Run& r = *static_cast<Run*>(owner);
            if (!r.failed) r.failed = std::move(status);
          }};
}

// Shapes of the outputs, from the operands' shapes and values.
Result<std::vector<InferredValue>> infer_outputs(const Node& node, std::span<const Tensor> inputs,
                                                 std::span<const Type> types) {
  std::vector<InferredValue> in, out(node.outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& t = inputs[i];
    in.push_back(t.defined() ? InferredValue{Type::of(t.view()), std::nullopt, &t} : InferredValue{});
    if (i < types.size()) in.back().type.elements = types[i].elements;
  }
  InferContext context(node, in, out);
  INGOT_TRY(infer_node(context));
  return out;
}

Result<size_t> bytes_of(const Node& node, DType dtype, const Shape& shape) {
  double elements = 1;
  for (int64_t d : shape) elements *= static_cast<double>(d);
  if (!(elements <= static_cast<double>(limits::kTensorElementsMax)))
    return error(Code::kResourceExhausted, "[evaluate] {} '{}': the result {} is too large", op_name(node.op),
                 node.name, shape.to_string());
  return TensorView{dtype, shape, nullptr}.num_bytes();
}

}  // namespace

Result<std::vector<Tensor>> evaluate_node(const Backend& backend, const Node& node, std::span<const Tensor> inputs,
                                          size_t bytes_max, std::span<const Type> operand_types) {
  const std::vector<InferredValue> types = INGOT_TRY(infer_outputs(node, inputs, operand_types));
  Run run{.tensors = std::vector<Tensor>(types.size()), .node = &node};
  const bool view = op_schema(node.op).flags & kOpView;
  for (size_t i = 0; i < types.size(); ++i) {
    const auto shape = types[i].type.concrete();
    if (!shape) {
      if (!(op_schema(node.op).flags & kOpAllocates))
        return invalid("[evaluate] {} '{}': the shape of result {} does not follow from its operands ({})",
                       op_name(node.op), node.name, i, types[i].type.to_string());
      run.refs.push_back({types[i].type.dtype, {}, nullptr});
      continue;
    }
    const size_t bytes = INGOT_TRY(bytes_of(node, types[i].type.dtype, *shape));
    if (bytes > bytes_max)
      return error(Code::kResourceExhausted, "[evaluate] {} '{}': the result has {} bytes", op_name(node.op), node.name,
                   bytes);
    if (view && i == 0)
      run.tensors[0] = Tensor({types[0].type.dtype, *shape, inputs[0].view().data}, inputs[0].storage());
    else
      run.tensors[i] = Tensor::allocate(types[i].type.dtype, *shape);
    run.refs.push_back(run.tensors[i].mutable_view());
  }
  if (view) return std::move(run.tensors);

  Graph graph;
  Node alone = node;
  alone.inputs.clear();
  for (size_t i = 0; i < inputs.size(); ++i) {
    Type type = Type::of(inputs[i].view());
    if (i < operand_types.size()) type.elements = operand_types[i].elements;
    alone.inputs.push_back(inputs[i].defined() ? graph.add_input("", std::move(type)) : kNoValue);
  }
  std::vector<Type> out_types;
  for (const auto& t : types) out_types.push_back(t.type);
  const Node& bound = graph.node(graph.add_raw(std::move(alone), out_types, {}));
  const NodeView seen{graph, bound};
  if (const Support s = backend.supports(seen); !s.ok)
    return unimplemented("[{}] {} '{}': {}", backend.name(), op_name(node.op), node.name, s.reason);
  ThreadPool pool(1);
  const Kernel kernel = INGOT_TRY(backend.prepare(seen, pool));
  std::vector<TensorView> views, out_views(run.refs.begin(), run.refs.end());
  for (const Tensor& t : inputs) views.push_back(t.view());
  std::shared_ptr<void> scratch;
  if (kernel.scratch_bytes)
    scratch = allocate_aligned(kernel.scratch_bytes({bound, views, out_views, 1, kernel.prepared.get()}));
  std::span<TensorRef> outputs(run.refs);
  KernelContext context{.node = bound,
                        .prepared = kernel.prepared.get(),
                        .inputs = views,
                        .outputs = outputs,
                        .scratch = static_cast<std::byte*>(scratch.get()),
                        .thread = 0,
                        .num_threads = 1,
                        .hooks = hooks_of(run)};
  kernel.run(context);
  if (run.failed) return std::unexpected(*std::move(run.failed));
  return std::move(run.tensors);
}

Result<std::vector<Tensor>> evaluate_graph(const Backend& backend, const Graph& graph, std::span<const Tensor> inputs) {
  if (inputs.size() != graph.inputs().size())
    return invalid("[evaluate] {} inputs given, the graph has {}", inputs.size(), graph.inputs().size());
  std::vector<Tensor> values(graph.num_values());
  for (size_t i = 0; i < inputs.size(); ++i) values[static_cast<size_t>(graph.inputs()[i])] = inputs[i];
  for (size_t i = 0; i < values.size(); ++i)
    if (const Tensor* t = graph.constant(ValueId{static_cast<int32_t>(i)})) values[i] = *t;
  for (NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    std::vector<Tensor> in;
    for (ValueId v : node.inputs) in.push_back(v == kNoValue ? Tensor() : values[static_cast<size_t>(v)]);
    std::vector<Type> types;
    for (ValueId v : node.inputs) types.push_back(v == kNoValue ? Type() : graph.value(v).type);
    std::vector<Tensor> out =
        INGOT_TRY(op_schema(node.op).flags & kOpControl ? evaluate_control(backend, node, in)
                                                        : evaluate_node(backend, node, in, SIZE_MAX, types));
    for (size_t i = 0; i < out.size(); ++i) values[static_cast<size_t>(node.outputs[i])] = std::move(out[i]);
  }
  std::vector<Tensor> out;
  for (ValueId v : graph.outputs()) out.push_back(values[static_cast<size_t>(v)]);
  return out;
}

}  // namespace ingot
