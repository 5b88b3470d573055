#include "runtime/iterations.h"

#include <algorithm>

#include "base/memory.h"

namespace ingot {
namespace {

Result<Tensor> allocate(DType dtype, const Shape& shape) {
  double bytes = dtype_info(dtype).block_bytes;
  for (int64_t d : shape) bytes *= static_cast<double>(d);
  INGOT_TRY(check_memory_if_large("what a loop makes", bytes, "give smaller inputs, or fewer iterations"));
  return Tensor::allocate(dtype, shape);
}

Shape with_count(int64_t count, const Shape& slice) {
  Shape shape{count};
  for (int64_t d : slice) shape.push_back(d);
  return shape;
}

TensorView scalar_or_one(const Graph& body, size_t input, DType dtype, const void* data) {
  const Type& t = body.value(body.inputs()[input]).type;
  return {dtype, t.ranked() && t.rank() == 1 ? Shape{1} : Shape{}, data};
}

}  // namespace

Iterations::Iterations(const Node& node, const Graph& body) : node_(node), body_(body) {
  num_carried_ = static_cast<size_t>(node.attributes.get_int("num_carried"));
  num_sliced_ = static_cast<size_t>(node.attributes.get_int("num_scan_inputs"));
  now_.resize(num_carried_);
  then_.resize(num_carried_);
}

Result<void> Iterations::begin(std::span<const TensorView> operands) {
  operands_.assign(operands.begin(), operands.end());
  const auto first = operands_.begin() + static_cast<ptrdiff_t>(first_carried());
  carried_.assign(first, first + static_cast<ptrdiff_t>(num_carried_));
  scanned_.assign(node_.outputs.size() - num_carried_, {});
  const auto& directions = node_.attributes.ints("scan_output_directions");
  for (size_t i = 0; i < directions.size() && i < scanned_.size(); ++i) scanned_[i].backward = directions[i] != 0;
  iteration_ = 0;
  condition_ = 1;
  return node_.op == Op::kLoop ? begin_loop() : begin_slices();
}

Result<void> Iterations::begin_loop() {
  for (size_t i = 0; i < 2; ++i)
    if (node_.inputs[i] != kNoValue && operands_[i].num_elements() != 1)
      return invalid("[run] Loop '{}': operand {} has the shape {}, not one element", node_.name, i,
                     operands_[i].shape.to_string());
  count_ = node_.inputs[0] == kNoValue ? -1 : std::max<int64_t>(*operands_[0].as<int64_t>(), 0);
  if (node_.inputs[1] != kNoValue) condition_ = *operands_[1].as<uint8_t>() != 0;
  return {};
}

Result<void> Iterations::begin_slices() {
  const bool sequences = node_.op == Op::kSequenceMap;
  count_ = -1;
  for (size_t i = num_carried_; i < num_carried_ + num_sliced_; ++i) {
    const TensorView& t = operands_[i];
    if (sequences && t.dtype != DType::kSequence) continue;
    if (t.shape.rank() == 0)
      return invalid("[run] {} '{}': operand {} is a scalar: it has no slices", op_name(node_.op), node_.name, i);
    if (count_ >= 0 && t.shape[0] != count_)
      return invalid("[run] {} '{}': operands of {} and {} slices", op_name(node_.op), node_.name, count_, t.shape[0]);
    count_ = t.shape[0];
    const int block = dtype_info(t.dtype).block_elements;
    if (block > 1 && t.shape.product(1, t.shape.rank()) % block)
      return unimplemented("[run] {} '{}': slices of {}{} do not begin at bytes", op_name(node_.op), node_.name,
                           dtype_name(t.dtype), t.shape.to_string());
  }
  return {};
}

TensorView Iterations::slice(const TensorView& t) const {
  if (node_.op == Op::kSequenceMap) return t.as<Tensor>()[index_].view();
  TensorView out{t.dtype, Shape(t.shape.dims().subspan(1)), nullptr};
  out.data = t.as<std::byte>() + index_ * static_cast<int64_t>(dtype_bytes(t.dtype, out.num_elements()));
  return out;
}

Result<bool> Iterations::next(RunControl& control, std::vector<TensorView>& inputs) {
  if (!condition_ || (count_ >= 0 && iteration_ >= count_)) return false;
  INGOT_TRY(control.count_iteration());
  inputs.clear();
  index_ = iteration_;
  if (node_.op == Op::kLoop) {
    inputs.push_back(scalar_or_one(body_, 0, DType::kI64, &index_));
    inputs.push_back(scalar_or_one(body_, 1, DType::kBool, &condition_));
  }
  inputs.insert(inputs.end(), carried_.begin(), carried_.end());
  const auto& directions = node_.attributes.ints("scan_input_directions");
  for (size_t i = inputs.size(); i < operands_.size(); ++i) {
    const size_t sliced = i - num_carried_;
    const bool whole = node_.op == Op::kLoop || sliced >= num_sliced_ ||
                       (node_.op == Op::kSequenceMap && operands_[i].dtype != DType::kSequence);
    index_ = !whole && sliced < directions.size() && directions[sliced] ? count_ - 1 - iteration_ : iteration_;
    inputs.push_back(whole ? operands_[i] : slice(operands_[i]));
  }
  index_ = iteration_;
  return true;
}

Result<void> Iterations::take(const std::function<TensorView(size_t)>& output) {
  const size_t first = node_.op == Op::kLoop ? 1 : 0;
  for (size_t i = 0; i < num_carried_; ++i) carried_[i] = INGOT_TRY(then_[i].assign(output(first + i)));
  for (size_t i = 0; i < scanned_.size(); ++i)
    INGOT_TRY(append(scanned_[i], output(first + num_carried_ + i), num_carried_ + i));
  std::swap(now_, then_);
  if (first) {
    const TensorView condition = output(0);
    if (condition.num_elements() != 1)
      return invalid("[run] Loop '{}': its body's condition has the shape {}", node_.name, condition.shape.to_string());
    condition_ = *condition.as<uint8_t>() != 0;
  }
  ++iteration_;
  return {};
}

Result<TensorView> Iterations::Buffer::assign(const TensorView& value) {
  const size_t needed = value.num_bytes();
  if (holds_objects(value.dtype)) {
    tensor = copy_of(value);
    bytes = 0;
    return tensor.view();
  }
  if (!tensor.defined() || needed > bytes) {
    tensor = INGOT_TRY(allocate(value.dtype, value.shape));
    bytes = needed;
  }
  const TensorRef to{value.dtype, value.shape, tensor.mutable_view().data};
  copy_elements(value, to);
  return TensorView(to);
}

Result<void> Iterations::reserve(Scanned& s, DType dtype, int64_t count) const {
  if (count <= s.capacity) return {};
  const int64_t known = node_.op == Op::kLoop ? 0 : count_;
  const int64_t capacity = std::max({known, count, 2 * s.capacity});
  Tensor larger = INGOT_TRY(allocate(dtype, with_count(capacity, *s.slice)));
  if (s.capacity) {
    const TensorView filled = s.tensor.view();
    copy_elements(filled, {dtype, filled.shape, larger.mutable_view().data});
  }
  s.tensor = std::move(larger);
  s.capacity = capacity;
  return {};
}

Result<void> Iterations::append(Scanned& s, const TensorView& value, size_t output) {
  if (node_.op == Op::kSequenceMap) {
    if (!s.slice) s.tensor = INGOT_TRY(allocate(DType::kSequence, Shape{count_}));
    s.slice = Shape{};
    Tensor element = INGOT_TRY(allocate(value.dtype, value.shape));
    copy_elements(value, element.mutable_view());
    s.tensor.mutable_as<Tensor>()[iteration_] = std::move(element);
    return {};
  }
  if (!s.slice) s.slice = value.shape;
  if (!(*s.slice == value.shape))
    return invalid("[run] {} '{}': output {} has slices of the shapes {} and {}", op_name(node_.op), node_.name, output,
                   s.slice->to_string(), value.shape.to_string());
  const int block = dtype_info(value.dtype).block_elements;
  if (value.shape.rank() == limits::kRankMax || (block > 1 && value.num_elements() % block))
    return unimplemented("[run] {} '{}': slices {}{} cannot be stacked", op_name(node_.op), node_.name,
                         dtype_name(value.dtype), value.shape.to_string());
  INGOT_TRY(reserve(s, value.dtype, iteration_ + 1));
  const int64_t at = s.backward ? count_ - 1 - iteration_ : iteration_;
  const int64_t bytes = static_cast<int64_t>(dtype_bytes(value.dtype, value.num_elements()));
  copy_elements(value, {value.dtype, value.shape, s.tensor.mutable_as<std::byte>() + at * bytes});
  return {};
}

// Without an iteration, unknown dimensions are 0.
TensorView Iterations::output(size_t i) const {
  if (i < num_carried_) return carried_[i];
  const Scanned& s = scanned_[i - num_carried_];
  const Type& type = body_.value(body_.outputs()[i + (node_.op == Op::kLoop ? 1 : 0)]).type;
  if (node_.op == Op::kSequenceMap) return {DType::kSequence, Shape{iteration_}, s.tensor.view().data};
  if (s.slice) return {type.dtype, with_count(iteration_, *s.slice), s.tensor.view().data};
  Shape shape{0};
  if (type.ranked())
    for (const Dim& d : *type.dims)
      if (shape.rank() < limits::kRankMax) shape.push_back(d.is_const() ? d.value() : 0);
  return {type.dtype, shape, nullptr};
}

}  // namespace ingot
