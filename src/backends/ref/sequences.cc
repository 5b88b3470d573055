// Sequences and optionals: lists of tensors that are shared, never changed. A tensor is copied when it joins one.
#include <cstring>

#include "backends/ref/dispatch.h"
#include "backends/ref/kernels.h"
#include "base/memory.h"

namespace ingot {
namespace {

std::span<const Tensor> elements(const TensorView& t) {
  return {t.as<Tensor>(), static_cast<size_t>(t.num_elements())};
}

// Output 0 as a sequence of n. Errors are reported: then it is empty.
std::span<Tensor> allocate_sequence(KernelContext& c, int64_t n) {
  if (n > limits::kSequenceElementsMax) {
    c.fail(Status(Code::kResourceExhausted,
                  fmt::format("[ref] {} '{}': a sequence of {} elements, the limit is {}", op_name(c.node.op),
                              c.node.name, n, limits::kSequenceElementsMax)));
    n = 0;
  }
  c.allocate_output(0, Shape{n});
  if (!c.out(0).data) return {};
  return {c.out(0).as<Tensor>(), static_cast<size_t>(n)};
}

// The position that operand i names in [0, n), or `otherwise`. Errors are reported: -1.
int64_t position(KernelContext& c, int i, int64_t n, int64_t otherwise) {
  int64_t at = c.has_input(i) ? index_at(c.in(i), 0) : otherwise;
  if (at < 0 && c.has_input(i)) at += c.in(0).num_elements();
  if (at >= 0 && at < n) return at;
  invalid_data(c, fmt::format("position {} of a sequence of {}", c.has_input(i) ? index_at(c.in(i), 0) : at,
                              c.in(0).num_elements()));
  return -1;
}

bool fits_memory(KernelContext& c, size_t bytes) {
  const auto ok = check_memory_if_large("a sequence", static_cast<double>(bytes), "give smaller inputs");
  if (!ok) c.fail(ok.error());
  return ok.has_value();
}

Tensor element_of(KernelContext& c, const TensorView& t) {
  return fits_memory(c, t.num_bytes()) ? copy_of(t) : Tensor::allocate(t.dtype, Shape{0});
}

// The tensor in a sequence or optional becomes output 0, whose shape may have been known before.
void give(KernelContext& c, const TensorView& t) {
  if (c.has_output(0) && !(c.out(0).shape == t.shape))
    return invalid_data(
        c, fmt::format("the element has the shape {}, not {}", t.shape.to_string(), c.out(0).shape.to_string()));
  if (t.dtype != c.out(0).dtype)
    return invalid_data(c, fmt::format("the element is {}, not {}", dtype_name(t.dtype), dtype_name(c.out(0).dtype)));
  if (!c.has_output(0)) c.allocate_output(0, t.shape);
  if (c.out(0).data && c.out(0).shape == t.shape) copy_elements(t, c.out(0));
}

// The part [begin, end) along `axis`.
Tensor part_of(KernelContext& c, const TensorView& x, int axis, int64_t begin, int64_t end, bool keep) {
  Shape shape;
  for (int d = 0; d < x.shape.rank(); ++d)
    if (d != axis || keep) shape.push_back(d == axis ? end - begin : x.shape[d]);
  if (!fits_memory(c, TensorView{x.dtype, shape, nullptr}.num_bytes())) return Tensor::allocate(x.dtype, Shape{0});
  Tensor out = Tensor::allocate(x.dtype, shape);
  const int64_t outer = x.shape.product(0, axis), inner = x.shape.product(axis + 1, x.shape.rank());
  const int64_t run = (end - begin) * inner;
  dispatch_moved(c, x.dtype, [&]<class T>() {
    for (int64_t o = 0; o < outer; ++o)
      std::copy_n(x.as<T>() + (o * x.shape[axis] + begin) * inner, run, out.mutable_as<T>() + o * run);
  });
  return out;
}

}  // namespace

void ref_SequenceEmpty(KernelContext& c) { allocate_sequence(c, 0); }

void ref_SequenceConstruct(KernelContext& c) {
  const auto out = allocate_sequence(c, static_cast<int64_t>(c.inputs.size()));
  for (size_t i = 0; i < out.size(); ++i) out[i] = element_of(c, c.in(static_cast<int>(i)));
}

void ref_SequenceInsert(KernelContext& c) {
  const auto in = elements(c.in(0));
  const int64_t at = position(c, 2, static_cast<int64_t>(in.size()) + 1, static_cast<int64_t>(in.size()));
  if (at < 0) return;
  // Elements that are too small to ask alone ask together.
  constexpr size_t kTogether = 256;
  if (in.size() % kTogether == kTogether - 1 && !fits_memory(c, kTogether * c.in(1).num_bytes())) return;
  const auto out = allocate_sequence(c, static_cast<int64_t>(in.size()) + 1);
  if (out.empty()) return;
  std::copy(in.begin(), in.begin() + at, out.begin());
  out[static_cast<size_t>(at)] = element_of(c, c.in(1));
  std::copy(in.begin() + at, in.end(), out.begin() + at + 1);
}

void ref_SequenceErase(KernelContext& c) {
  const auto in = elements(c.in(0));
  const int64_t at = position(c, 1, static_cast<int64_t>(in.size()), static_cast<int64_t>(in.size()) - 1);
  if (at < 0) return;
  const auto out = allocate_sequence(c, static_cast<int64_t>(in.size()) - 1);
  if (out.size() + 1 != in.size()) return;
  std::copy(in.begin() + at + 1, in.end(), std::copy(in.begin(), in.begin() + at, out.begin()));
}

void ref_SequenceAt(KernelContext& c) {
  const auto in = elements(c.in(0));
  const int64_t at = position(c, 1, static_cast<int64_t>(in.size()), 0);
  if (at >= 0) give(c, in[static_cast<size_t>(at)].view());
}

void ref_SequenceLength(KernelContext& c) { c.out(0).as<int64_t>()[0] = c.in(0).num_elements(); }

// Sizes: one for all (the last may be smaller), a list, or none: single slices, which keepdims = 0 takes the axis from.
void ref_SplitToSequence(KernelContext& c) {
  const TensorView& x = c.in(0);
  const int64_t given = c.node.attributes.get_int("axis");
  const int axis = static_cast<int>(given < 0 ? given + x.shape.rank() : given);
  const int64_t length = x.shape[axis];
  const bool keep = c.has_input(1) || c.node.attributes.get_int("keepdims", 1);
  std::vector<int64_t> ends;
  if (c.has_input(1) && c.in(1).shape.rank() == 1) {
    int64_t end = 0;
    for (int64_t i = 0; i < c.in(1).num_elements(); ++i) {
      const int64_t size = index_at(c.in(1), i);
      if (size < 0 || size > length - end)
        return invalid_data(c, fmt::format("sizes go past the {} there are", length));
      ends.push_back(end += size);
    }
    if (end != length) return invalid_data(c, fmt::format("sizes add up to {}, not {}", end, length));
  } else {
    const int64_t step = c.has_input(1) ? index_at(c.in(1), 0) : 1;
    if (step < 1) return invalid_data(c, fmt::format("parts of {}", step));
    if ((length - 1) / step >= limits::kSequenceElementsMax) return (void)allocate_sequence(c, (length - 1) / step + 1);
    for (int64_t at = 0; at < length; at += std::min(step, length - at))
      ends.push_back(at + std::min(step, length - at));
  }
  const auto out = allocate_sequence(c, static_cast<int64_t>(ends.size()));
  for (size_t i = 0; i < out.size(); ++i) out[i] = part_of(c, x, axis, i ? ends[i - 1] : 0, ends[i], keep);
}

void ref_ConcatFromSequence(KernelContext& c) {
  const auto in = elements(c.in(0));
  if (in.empty()) return invalid_data(c, "nothing to join: the sequence is empty");
  const bool stack = c.node.attributes.get_int("new_axis") != 0;
  const int rank = in[0].shape().rank() + stack;
  const int64_t given = c.node.attributes.get_int("axis");
  const int axis = static_cast<int>(given < 0 ? given + rank : given);
  if (axis < 0 || axis >= rank || rank > limits::kRankMax) return invalid_data(c, fmt::format("axis {}", given));
  Shape shape;
  for (int d = 0, from = 0; d < rank; ++d) shape.push_back(stack && d == axis ? 1 : in[0].shape()[from++]);
  int64_t length = 0;
  for (const Tensor& t : in) {
    bool fits = t.shape().rank() + stack == rank;
    for (int d = 0, from = 0; fits && d < rank; ++d)
      if (!(stack && d == axis)) fits = t.shape()[from++] == shape[d] || d == axis;
    if (!fits) return invalid_data(c, "the tensors' shapes differ");
    length += stack ? 1 : t.shape()[axis];
  }
  shape[axis] = length;
  if (!fits_memory(c, TensorView{in[0].dtype(), shape, nullptr}.num_bytes())) return;
  c.allocate_output(0, shape);
  if (!c.out(0).data || !(c.out(0).shape == shape)) return;
  const int64_t outer = shape.product(0, axis), inner = shape.product(axis + 1, rank);
  dispatch_moved(c, in[0].dtype(), [&]<class T>() {
    int64_t begin = 0;
    for (const Tensor& t : in) {
      const int64_t run = (stack ? 1 : t.shape()[axis]) * inner;
      for (int64_t o = 0; o < outer; ++o)
        std::copy_n(t.as<T>() + o * run, run, c.out(0).as<T>() + o * length * inner + begin);
      begin += run;
    }
  });
}

void ref_Optional(KernelContext& c) {
  const auto out = allocate_sequence(c, c.has_input(0) ? 1 : 0);
  if (!out.empty()) out[0] = element_of(c, c.in(0));
}

// What is no optional has its value.
void ref_OptionalHasElement(KernelContext& c) {
  c.out(0).as<uint8_t>()[0] = c.has_input(0) && (c.in(0).dtype != DType::kOptional || c.in(0).num_elements() == 1);
}

void ref_OptionalGetElement(KernelContext& c) {
  if (c.in(0).dtype != DType::kOptional) return give(c, c.in(0));
  if (c.in(0).num_elements() == 0) return invalid_data(c, "the optional is empty");
  give(c, elements(c.in(0))[0].view());
}

}  // namespace ingot
