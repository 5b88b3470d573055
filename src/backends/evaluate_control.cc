// If, Loop, Scan and SequenceMap, node by node: what the specification says, for tests of the executor.
#include <algorithm>

#include "backends/evaluate.h"

namespace ingot {
namespace {

using Tensors = std::vector<Tensor>;

bool is_true(const Tensor& t) { return t.shape().num_elements() == 1 && *t.as<uint8_t>() != 0; }

Tensor scalar(const Graph& body, size_t input, DType dtype, int64_t value) {
  const Type& type = body.value(body.inputs()[input]).type;
  Tensor t = Tensor::allocate(dtype, type.ranked() && type.rank() == 1 ? Shape{1} : Shape{});
  if (dtype == DType::kI64)
    *t.mutable_as<int64_t>() = value;
  else
    *t.mutable_as<uint8_t>() = static_cast<uint8_t>(value);
  return t;
}

// Slices of one shape, stacked along a new first dimension.
Result<Tensor> stack(const Node& node, const Type& slice, const Tensors& slices, bool backward) {
  Shape shape{static_cast<int64_t>(slices.size())};
  if (slices.empty() && slice.ranked())
    for (const Dim& d : *slice.dims) shape.push_back(d.is_const() ? d.value() : 0);
  for (const Tensor& s : slices) {
    if (!(s.shape() == slices[0].shape()) || s.shape().rank() == limits::kRankMax ||
        dtype_info(s.dtype()).block_elements != 1)
      return invalid("[evaluate] {} '{}': slices {} and {}", op_name(node.op), node.name, s.shape().to_string(),
                     slices[0].shape().to_string());
    if (shape.rank() == 1)
      for (int64_t d : s.shape()) shape.push_back(d);
  }
  Tensor out = Tensor::allocate(slice.dtype, shape);
  for (size_t i = 0; i < slices.size(); ++i) {
    const size_t at = backward ? slices.size() - 1 - i : i;
    const size_t bytes = dtype_bytes(slice.dtype, slices[i].shape().num_elements());
    copy_elements(slices[i], {slice.dtype, slices[i].shape(), out.mutable_as<std::byte>() + at * bytes});
  }
  return out;
}

Tensor slice_of(const Tensor& t, int64_t i) {
  Tensor out = Tensor::allocate(t.dtype(), Shape(t.shape().dims().subspan(1)));
  const size_t bytes = dtype_bytes(t.dtype(), out.shape().num_elements());
  copy_elements({t.dtype(), out.shape(), t.as<std::byte>() + static_cast<size_t>(i) * bytes}, out.mutable_view());
  return out;
}

// carried, then one list of slices for each other output.
struct Results {
  Tensors carried;
  std::vector<Tensors> scanned;
};

Result<Tensors> results_of(const Node& node, const Graph& body, Results r) {
  const std::vector<int64_t> backward = node.attributes.get_ints("scan_output_directions");
  const size_t first = (node.op == Op::kLoop ? 1 : 0) + r.carried.size();
  Tensors out = std::move(r.carried);
  for (size_t i = 0; i < r.scanned.size(); ++i) {
    const Type& slice = body.value(body.outputs()[first + i]).type;
    if (node.op == Op::kSequenceMap) {
      out.push_back(Tensor::allocate(DType::kSequence, Shape{static_cast<int64_t>(r.scanned[i].size())}));
      std::ranges::copy(r.scanned[i], out.back().mutable_as<Tensor>());
    } else {
      out.push_back(INGOT_TRY(stack(node, slice, r.scanned[i], i < backward.size() && backward[i])));
    }
  }
  return out;
}

Result<Tensors> run_loop(const Backend& backend, const Node& node, const Tensors& in, const Graph& body) {
  const size_t carried = static_cast<size_t>(node.attributes.get_int("num_carried"));
  Results r{Tensors(in.begin() + 2, in.begin() + 2 + static_cast<ptrdiff_t>(carried)),
            std::vector<Tensors>(node.outputs.size() - carried)};
  bool go_on = !in[1].defined() || is_true(in[1]);
  for (int64_t i = 0; go_on && (!in[0].defined() || i < *in[0].as<int64_t>()); ++i) {
    if (i == limits::kLoopIterationsMax)
      return error(Code::kResourceExhausted, "[evaluate] Loop '{}' is endless", node.name);
    Tensors args{scalar(body, 0, DType::kI64, i), scalar(body, 1, DType::kBool, 1)};
    args.insert(args.end(), r.carried.begin(), r.carried.end());
    args.insert(args.end(), in.begin() + 2 + static_cast<ptrdiff_t>(carried), in.end());
    const Tensors out = INGOT_TRY(evaluate_graph(backend, body, args));
    go_on = is_true(out[0]);
    for (size_t k = 1; k < out.size(); ++k)
      if (k <= carried)
        r.carried[k - 1] = out[k];
      else
        r.scanned[k - 1 - carried].push_back(out[k]);
  }
  return results_of(node, body, std::move(r));
}

Result<Tensors> run_slices(const Backend& backend, const Node& node, const Tensors& in, const Graph& body) {
  const size_t carried = static_cast<size_t>(node.attributes.get_int("num_carried"));
  const size_t sliced = static_cast<size_t>(node.attributes.get_int("num_scan_inputs"));
  const std::vector<int64_t> backward = node.attributes.get_ints("scan_input_directions");
  const auto is_sliced = [&](size_t i) {
    return i >= carried && i < carried + sliced && (node.op == Op::kScan || in[i].dtype() == DType::kSequence);
  };
  Results r{Tensors(in.begin(), in.begin() + static_cast<ptrdiff_t>(carried)),
            std::vector<Tensors>(node.outputs.size() - carried)};
  int64_t count = -1;
  for (size_t i = 0; i < in.size(); ++i) {
    if (!is_sliced(i)) continue;
    if (in[i].shape().rank() == 0 || (count >= 0 && in[i].shape()[0] != count))
      return invalid("[evaluate] {} '{}': operand {} has the shape {}", op_name(node.op), node.name, i,
                     in[i].shape().to_string());
    count = in[i].shape()[0];
  }
  for (int64_t i = 0; i < count; ++i) {
    Tensors args = r.carried;
    for (size_t k = carried; k < in.size(); ++k) {
      const bool from_end = k - carried < backward.size() && backward[k - carried];
      if (!is_sliced(k))
        args.push_back(in[k]);
      else if (node.op == Op::kSequenceMap)
        args.push_back(in[k].as<Tensor>()[i]);
      else
        args.push_back(slice_of(in[k], from_end ? count - 1 - i : i));
    }
    const Tensors out = INGOT_TRY(evaluate_graph(backend, body, args));
    for (size_t k = 0; k < out.size(); ++k)
      if (k < carried)
        r.carried[k] = out[k];
      else
        r.scanned[k - carried].push_back(out[k]);
  }
  return results_of(node, body, std::move(r));
}

}  // namespace

Result<Tensors> evaluate_control(const Backend& backend, const Node& node, const Tensors& in) {
  if (node.op == Op::kLoop) return run_loop(backend, node, in, *node.subgraph("body"));
  if (node.op != Op::kIf) return run_slices(backend, node, in, *node.subgraph("body"));
  if (in[0].dtype() != DType::kBool || in[0].shape().num_elements() != 1)
    return invalid("[evaluate] If '{}': the condition is not one bool", node.name);
  const Graph* branch = node.subgraph(is_true(in[0]) ? "then_branch" : "else_branch");
  return evaluate_graph(backend, *branch, std::span(in).subspan(1));
}

}  // namespace ingot
