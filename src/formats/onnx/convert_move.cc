// Conversions of operators that move elements: attributes that became operands.
#include "formats/onnx/convert.h"
#include "formats/onnx/graph_builder.h"

namespace ingot::onnx {
namespace {

std::vector<int64_t> ints(const Attribute& a) { return std::get<std::vector<int64_t>>(a); }

}  // namespace

// pads and value were attributes before opset 11.
Result<void> convert_pad(NodeDraft& d) {
  auto pads = d.take("pads");
  if (auto old = d.take("paddings")) pads = std::move(old);
  const auto value = d.take("value");
  if (d.opset >= 11 && (pads || value)) return d.fail("has pads or value as attribute: operands since opset 11");
  if (d.opset >= 11) return {};
  if (!pads || !d.has_input(0)) return d.fail("needs an input and pads");
  d.set_input(1, d.int_list(ints(*pads)));
  if (value && !std::holds_alternative<float>(*value)) return d.fail("value is not a number");
  if (value) d.set_input(2, d.scalar_like(d.node.inputs[0], std::get<float>(*value)));
  return {};
}

// starts, ends and axes were attributes before opset 10.
Result<void> convert_slice(NodeDraft& d) {
  const auto starts = d.take("starts"), ends = d.take("ends"), axes = d.take("axes");
  if (d.opset >= 10 && (starts || ends || axes))
    return d.fail("has starts, ends or axes as attribute: operands since opset 10");
  if (d.opset >= 10) return {};
  if (!starts || !ends) return d.fail("needs starts and ends");
  d.set_input(1, d.int_list(ints(*starts)));
  d.set_input(2, d.int_list(ints(*ends)));
  if (axes) d.set_input(3, d.int_list(ints(*axes)));
  return {};
}

// Sizes were an attribute before opset 13; from 18 on num_outputs repeats what the outputs say.
Result<void> convert_split(NodeDraft& d) {
  const auto split = d.take("split"), count = d.take("num_outputs");
  if (count && std::get<int64_t>(*count) != static_cast<int64_t>(d.num_outputs)) {
    if (std::get<int64_t>(*count) < static_cast<int64_t>(d.num_outputs) || std::get<int64_t>(*count) > 65536)
      return d.fail("num_outputs is {} for {} outputs", std::get<int64_t>(*count), d.num_outputs);
    d.num_outputs = static_cast<size_t>(std::get<int64_t>(*count));
  }
  if (split) {
    if (d.has_input(1)) return d.fail("has sizes both as attribute and as operand");
    d.set_input(1, d.int_list(ints(*split)));
  }
  return {};
}

// k was an attribute before opset 10. The result is always sorted, whatever `sorted` says.
Result<void> convert_top_k(NodeDraft& d) {
  d.take("sorted");
  if (const auto k = d.take("k")) {
    if (d.has_input(1)) return d.fail("has k both as attribute and as operand");
    d.set_input(1, d.int_list({std::get<int64_t>(*k)}));
  }
  return {};
}

}  // namespace ingot::onnx
