// Pad on the CPU: every mode, elements of 1, 2, 4 or 8 bytes. Rows are copied in runs where they go on in the source.
#include <algorithm>
#include <array>

#include "backends/backend.h"

namespace ingot {
namespace {

enum class Mode { kConstant, kReflect, kEdge, kWrap };

Mode mode_of(const Attributes& a) {
  const std::string mode = a.get_string("mode", "constant");
  return mode == "reflect" ? Mode::kReflect
         : mode == "edge"  ? Mode::kEdge
         : mode == "wrap"  ? Mode::kWrap
                           : Mode::kConstant;
}

int64_t work(const BoundShapes& s) { return s.outputs[0].num_elements(); }

int64_t index_at(const TensorView& t, int64_t i) {
  return t.dtype == DType::kI32 ? t.as<int32_t>()[i] : t.as<int64_t>()[i];
}

// Where element i of an axis comes from in [0, n); -1: the pad value.
int64_t source(int64_t i, int64_t n, Mode mode) {
  if (i >= 0 && i < n) return i;
  if (mode == Mode::kConstant || n == 0) return -1;
  if (mode == Mode::kEdge) return std::clamp<int64_t>(i, 0, n - 1);
  if (mode == Mode::kWrap) return (i % n + n) % n;
  if (n == 1) return 0;
  const int64_t period = 2 * (n - 1), at = (i % period + period) % period;
  return at < n ? at : period - at;
}

struct Padding {
  Mode mode;
  Shape in, out;
  std::array<int64_t, limits::kRankMax> begin{};
  int axis = 0;       // the last that is padded
  int64_t block = 1;  // elements of one index of it

  explicit Padding(const KernelContext& c) : mode(mode_of(c.node.attributes)), in(c.in(0).shape), out(c.out(0).shape) {
    const int64_t n = c.in(1).num_elements() / 2;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t given = c.has_input(3) ? index_at(c.in(3), i) : i;
      begin[static_cast<size_t>(given < 0 ? given + out.rank() : given)] += index_at(c.in(1), i);
    }
    for (axis = out.rank() - 1; axis > 0; --axis) {
      if (begin[static_cast<size_t>(axis)] != 0 || in[axis] != out[axis]) break;
      block *= in[axis];
    }
  }
  // Where output row `row` (the dimensions before `axis`) starts in the input; -1: all pad values.
  int64_t row_start(int64_t row) const {
    int64_t at = 0, step = in[axis] * block;
    for (int d = axis - 1; d >= 0; --d) {
      const int64_t from = source(row % out[d] - begin[static_cast<size_t>(d)], in[d], mode);
      if (from < 0) return -1;
      at += from * step;
      row /= out[d];
      step *= in[d];
    }
    return at;
  }
};

template <class T>
void run(KernelContext& c) {
  if (c.out(0).num_elements() == 0) return;
  if (c.out(0).shape.rank() == 0) {
    if (c.thread == 0) *c.out(0).as<T>() = *c.in(0).as<T>();
    return;
  }
  const Padding p(c);
  const T value = c.has_input(2) && c.in(2).num_elements() ? *c.in(2).as<T>() : T{};
  const int64_t size = p.out[p.axis], n = p.in[p.axis], before = p.begin[static_cast<size_t>(p.axis)];
  const Range rows = c.share(p.out.product(0, p.axis));
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    T* y = c.out(0).as<T>() + row * size * p.block;
    const int64_t start = p.row_start(row);
    if (start < 0) {
      std::fill_n(y, size * p.block, value);
      continue;
    }
    const T* x = c.in(0).as<T>() + start;
    for (int64_t i = 0; i < size;) {
      const int64_t from = source(i - before, n, p.mode);
      const bool inside = i >= before && i - before < n;
      const int64_t count = inside ? std::min(size, before + n) - i : 1;
      if (from < 0)
        std::fill_n(y + i * p.block, p.block, value);
      else
        std::copy_n(x + from * p.block, count * p.block, y + i * p.block);
      i += count;
    }
  }
}

KernelFn find(DType t) {
  switch (t == DType::kString || is_container(t) || dtype_info(t).block_elements != 1 ? 0 : dtype_info(t).block_bytes) {
    case 1: return run<uint8_t>;
    case 2: return run<uint16_t>;
    case 4: return run<uint32_t>;
    case 8: return run<uint64_t>;
    default: return nullptr;
  }
}

}  // namespace

Support cpu_supports_tensor_pad(const NodeView& v) {
  return find(v.input_type(0).dtype) ? Support::yes() : Support::no("{}", dtype_name(v.input_type(0).dtype));
}

Result<Kernel> cpu_prepare_tensor_pad(const NodeView& v, ThreadPool&) {
  return Kernel{.name = "pad", .run = find(v.input_type(0).dtype), .work = work};
}

}  // namespace ingot
