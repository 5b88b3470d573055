// Transpose, Slice, Expand, Concat, Split and Gather on the CPU: any element of 1, 2, 4 or 8 bytes.
#include <algorithm>
#include <cstring>

#include "backends/backend.h"
#include "backends/cpu/kernels/pointwise/pointwise.h"
#include "backends/cpu/kernels/simd/float_isa.h"
#include "backends/cpu/ops/strides.h"

namespace ingot {
namespace {

size_t element_bytes(DType t) {
  const DTypeInfo& info = dtype_info(t);
  return t == DType::kString || info.block_elements != 1 ? 0 : static_cast<size_t>(info.block_bytes);
}

bool is_movable(DType t) {
  const size_t n = element_bytes(t);
  return n == 1 || n == 2 || n == 4 || n == 8;
}

int64_t work(const BoundShapes& s) { return s.outputs[0].num_elements(); }
int64_t work_split(const BoundShapes& s) { return s.inputs[0].num_elements(); }

int64_t index_at(const TensorView& t, int64_t i) {
  return t.dtype == DType::kI32 ? t.as<int32_t>()[i] : t.as<int64_t>()[i];
}

template <class T>
void copy_steps(const std::byte* x, int64_t x_step, std::byte* y, int64_t n) {
  const T* from = reinterpret_cast<const T*>(x);
  T* to = reinterpret_cast<T*>(y);
  for (int64_t i = 0; i < n; ++i) to[i] = from[i * x_step];
}

void copy_run(size_t bytes, const std::byte* x, int64_t step, std::byte* y, int64_t n) {
  if (step == 1)
    std::memcpy(y, x, static_cast<size_t>(n) * bytes);
  else if (bytes == 8)
    copy_steps<uint64_t>(x, step, y, n);
  else if (bytes == 4)
    copy_steps<uint32_t>(x, step, y, n);
  else if (bytes == 2)
    copy_steps<uint16_t>(x, step, y, n);
  else
    copy_steps<uint8_t>(x, step, y, n);
}

// The two innermost dimensions swap roles: 4-byte squares are turned in registers. False if they do not.
bool turn(KernelContext& c, const Walk<2>& walk, int64_t base) {
  if (walk.rank < 2 || element_bytes(c.in(0).dtype) != 4) return false;
  int along = -1;  // the dimension that x walks element by element
  for (int d = 0; d + 1 < walk.rank; ++d)
    if (walk.step[static_cast<size_t>(d)][0] == 1) along = d;
  if (along < 0 || walk.inner_step()[0] < walk.size[static_cast<size_t>(along)]) return false;
  const size_t a = static_cast<size_t>(along);
  Walk<2> outer = walk;  // without the two
  outer.size[a] = 1;
  const int64_t columns = walk.size[a], rows = walk.inner();
  constexpr int64_t kBlock = 64;
  const int64_t blocks = (columns + kBlock - 1) / kBlock;
  const Range r = c.share(outer.outer() * blocks);
  for (int64_t i = r.begin; i < r.end; ++i) {
    const auto [x, y] = outer.start(i / blocks);
    const int64_t j = i % blocks * kBlock;
    pointwise(float_isa())
        .transpose(c.in(0).as<float>() + base + x + j, walk.inner_step()[0], rows, std::min(kBlock, columns - j),
                   c.out(0).as<float>() + y + j * walk.step[a][1], walk.step[a][1]);
  }
  return true;
}

// y in order from x[base + sum of index * steps]
void copy_strided(KernelContext& c, const std::array<int64_t, limits::kRankMax>& steps, int64_t base) {
  const Shape& shape = c.out(0).shape;
  if (shape.num_elements() == 0) return;
  Walk<2> walk;
  for (int d = 0; d < shape.rank(); ++d)
    walk.add(shape[d], {steps[static_cast<size_t>(d)], shape.product(d + 1, shape.rank())});
  walk.finish();
  if (turn(c, walk, base)) return;
  const size_t bytes = element_bytes(c.in(0).dtype);
  const std::byte* x = c.in(0).as<std::byte>() + base * static_cast<int64_t>(bytes);
  std::byte* y = c.out(0).as<std::byte>();
  const int64_t inner = walk.inner(), size = static_cast<int64_t>(bytes);
  const Range r = c.share(shape.num_elements(), 64);
  for (int64_t at = r.begin; at < r.end;) {
    const int64_t row = at / inner, from = at - row * inner, n = std::min(inner - from, r.end - at);
    const int64_t step = walk.inner_step()[0];
    copy_run(bytes, x + (walk.start(row)[0] + from * step) * size, step, y + at * size, n);
    at += n;
  }
}

std::array<int64_t, limits::kRankMax> strides_of(const Shape& s) {
  std::array<int64_t, limits::kRankMax> out{};
  for (int d = 0; d < s.rank(); ++d) out[static_cast<size_t>(d)] = s.product(d + 1, s.rank());
  return out;
}

void run_transpose(KernelContext& c) {
  const auto own = strides_of(c.in(0).shape);
  const auto& perm = *static_cast<const std::vector<int64_t>*>(c.prepared);
  const int rank = c.in(0).shape.rank();
  std::array<int64_t, limits::kRankMax> steps{};
  for (int d = 0; d < rank; ++d) {
    const int64_t from = perm.empty() ? rank - 1 - d : perm[static_cast<size_t>(d)];
    steps[static_cast<size_t>(d)] = own[static_cast<size_t>(from)];
  }
  copy_strided(c, steps, 0);
}

void run_slice(KernelContext& c) {
  const Shape& in = c.in(0).shape;
  auto steps = strides_of(in);
  int64_t base = 0;
  for (int64_t i = 0; i < c.in(1).num_elements(); ++i) {
    const int64_t given = c.has_input(3) ? index_at(c.in(3), i) : i;
    const int axis = static_cast<int>(given < 0 ? given + in.rank() : given);
    const int64_t n = in[axis], step = c.has_input(4) ? index_at(c.in(4), i) : 1;
    int64_t start = index_at(c.in(1), i);
    start = start < -n ? 0 : start < 0 ? start + n : std::min(start, step > 0 ? n : n - 1);
    base += start * steps[static_cast<size_t>(axis)];
    if (c.out(0).shape[axis] > 1) steps[static_cast<size_t>(axis)] *= step;
  }
  copy_strided(c, steps, base);
}

void run_expand(KernelContext& c) {
  const Shape &in = c.in(0).shape, &out = c.out(0).shape;
  const auto own = strides_of(in);
  std::array<int64_t, limits::kRankMax> steps{};
  for (int d = 0; d < in.rank(); ++d)
    steps[static_cast<size_t>(out.rank() - in.rank() + d)] = in[d] == 1 ? 0 : own[static_cast<size_t>(d)];
  copy_strided(c, steps, 0);
}

int axis_of(const KernelContext& c, int rank) {
  const int64_t axis = c.node.attributes.get_int("axis");
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

// Between one whole tensor and parts of it along the axis: copy(part, offset in the part, offset in the whole, bytes).
template <class Parts, class Copy>
void for_each_part(const KernelContext& c, const Shape& whole, size_t bytes, const Parts& parts, Copy copy) {
  const int axis = axis_of(c, whole.rank());
  const int64_t outer = whole.product(0, axis);
  const size_t inner = static_cast<size_t>(whole.product(axis + 1, whole.rank())) * bytes;
  const size_t row = static_cast<size_t>(whole[axis]) * inner;
  size_t begin = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t run = static_cast<size_t>(parts[i].shape[axis]) * inner;
    if (outer == 1) {  // one long run: threads share its bytes
      const Range r = c.share(static_cast<int64_t>(run), 64);
      if (r.begin < r.end)
        copy(i, static_cast<size_t>(r.begin), begin + static_cast<size_t>(r.begin),
             static_cast<size_t>(r.end - r.begin));
    } else if (run) {
      const Range r = c.share(outer);
      for (int64_t o = r.begin; o < r.end; ++o)
        copy(i, static_cast<size_t>(o) * run, static_cast<size_t>(o) * row + begin, run);
    }
    begin += run;
  }
}

void run_concat(KernelContext& c) {
  std::byte* y = c.out(0).as<std::byte>();
  for_each_part(c, c.out(0).shape, element_bytes(c.out(0).dtype), c.inputs,
                [&](size_t i, size_t part, size_t whole, size_t n) {
                  std::memcpy(y + whole, c.inputs[i].as<std::byte>() + part, n);
                });
}

void run_split(KernelContext& c) {
  const std::byte* x = c.in(0).as<std::byte>();
  for_each_part(c, c.in(0).shape, element_bytes(c.in(0).dtype), c.outputs,
                [&](size_t i, size_t part, size_t whole, size_t n) {
                  std::memcpy(c.outputs[i].as<std::byte>() + part, x + whole, n);
                });
}

void run_gather(KernelContext& c) {
  const TensorView &x = c.in(0), &indices = c.in(1);
  const int axis = axis_of(c, x.shape.rank());
  const int64_t size = x.shape[axis], count = indices.num_elements();
  const size_t bytes = static_cast<size_t>(x.shape.product(axis + 1, x.shape.rank())) * element_bytes(x.dtype);
  const Range r = c.share(x.shape.product(0, axis) * count);
  for (int64_t i = r.begin; i < r.end; ++i) {
    const int64_t o = i / count, given = index_at(indices, i % count), index = given < 0 ? given + size : given;
    if (index < 0 || index >= size)
      return c.fail(
          Status(Code::kInvalidArgument, fmt::format("[run] {} '{}': index {} is out of range for {} elements",
                                                     op_name(c.node.op), c.node.name, given, size)));
    std::memcpy(c.out(0).as<std::byte>() + static_cast<size_t>(i) * bytes,
                x.as<std::byte>() + static_cast<size_t>(o * size + index) * bytes, bytes);
  }
}

KernelFn run_of(Op op) {
  switch (op) {
    case Op::kTranspose: return run_transpose;
    case Op::kSlice: return run_slice;
    case Op::kExpand: return run_expand;
    case Op::kConcat: return run_concat;
    case Op::kSplit: return run_split;
    default: return run_gather;
  }
}

}  // namespace

Support cpu_supports_tensor_move(const NodeView& v) {
  const Type& x = v.input_type(0);
  if (!is_movable(x.dtype) || !x.ranked()) return Support::no("the input is {}", x.to_string());
  if (v.node.op == Op::kGather || v.node.op == Op::kSlice)
    for (int i = 1; i < static_cast<int>(v.node.inputs.size()); ++i)
      if (v.has_input(i) && v.input_type(i).dtype != DType::kI64 && v.input_type(i).dtype != DType::kI32)
        return Support::no("operand {} is {}", i, v.input_type(i).to_string());
  return Support::yes();
}

Result<Kernel> cpu_prepare_tensor_move(const NodeView& v, ThreadPool&) {
  Kernel kernel{.name = "move", .run = run_of(v.node.op), .work = v.node.op == Op::kSplit ? work_split : work};
  if (v.node.op == Op::kTranspose)
    kernel.prepared = std::make_shared<const std::vector<int64_t>>(v.node.attributes.get_ints("perm"));
  return kernel;
}

}  // namespace ingot
