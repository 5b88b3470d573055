// Matrix products: MatMul, Gemm, MatMulInteger, the fused form. Floats accumulate in double over ascending k.
#include <algorithm>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"
#include "backends/ref/nn/activation.h"

namespace ingot {
namespace {

// A batch of matrices in one operand: the strides of its last two dimensions, and per batch an offset.
struct Matrices {
  int64_t rows, columns, row_stride, column_stride;
  Shape batch;

  // A vector counts as one row (left operand) or one column (right operand).
  Matrices(const Shape& s, bool left, bool transposed) {
    const int r = s.rank();
    rows = r == 1 ? (left ? 1 : s[0]) : s[r - 2];
    columns = r == 1 ? (left ? s[0] : 1) : s[r - 1];
    row_stride = columns;
    column_stride = 1;
    if (transposed && r > 1) {
      std::swap(rows, columns);
      std::swap(row_stride, column_stride);
    }
    for (int d = 0; d + 2 < r; ++d) batch.push_back(s[d]);
  }
};

// write(output index, column, sum) for every element of a b, where sum adds term(offset in a, offset in b) over k.
template <class Acc, class Term, class Write>
void for_each_product(const Matrices& a, const Matrices& b, const Shape& out, Term term, Write write) {
  Shape batch;
  for (int d = 0; d < std::max(a.batch.rank(), b.batch.rank()); ++d) batch.push_back(out[d]);
  auto sa = broadcast_strides(a.batch, batch), sb = broadcast_strides(b.batch, batch);
  for (auto& s : sa) s *= a.rows * a.columns;
  for (auto& s : sb) s *= b.rows * b.columns;
  for_each_index<2>(batch, {sa, sb}, [&](int64_t i, const auto& at) {
    for (int64_t m = 0; m < a.rows; ++m)
      for (int64_t n = 0; n < b.columns; ++n) {
        Acc sum = 0;
        for (int64_t k = 0; k < a.columns; ++k)
          sum += term(at[0] + m * a.row_stride + k * a.column_stride, at[1] + k * b.row_stride + n * b.column_stride);
        write((i * a.rows + m) * b.columns + n, n, sum);
      }
  });
}

bool inner_dimensions_agree(const KernelContext& c, const Matrices& a, const Matrices& b) {
  if (a.columns == b.rows) return true;
  invalid_data(c, fmt::format("inner dimensions {} and {} differ", a.columns, b.rows));
  return false;
}

}  // namespace

void ref_MatMul(KernelContext& c) {
  const Matrices a(c.in(0).shape, true, false), b(c.in(1).shape, false, false);
  if (!inner_dimensions_agree(c, a, b)) return;
  dispatch_number(c, c.in(0).dtype, [&]<class T>() {
    const T *pa = c.in(0).as<T>(), *pb = c.in(1).as<T>();
    for_each_product<Sum<T>>(
        a, b, c.out(0).shape,
        [&](int64_t i, int64_t j) { return static_cast<Sum<T>>(pa[i]) * static_cast<Sum<T>>(pb[j]); },
        [&](int64_t i, int64_t, Sum<T> sum) { c.out(0).as<T>()[i] = static_cast<T>(sum); });
  });
}

void ref_Gemm(KernelContext& c) {
  const Attributes& at = c.node.attributes;
  const Matrices a(c.in(0).shape, true, at.get_int("transA") != 0), b(c.in(1).shape, false, at.get_int("transB") != 0);
  if (!inner_dimensions_agree(c, a, b)) return;
  const double alpha = at.get_float("alpha", 1), beta = at.get_float("beta", 1);
  const TensorRef& y = c.out(0);
  dispatch_number(c, c.in(0).dtype, [&]<class T>() {
    const T *pa = c.in(0).as<T>(), *pb = c.in(1).as<T>();
    const auto add = c.has_input(2) ? broadcast_strides(c.in(2).shape, y.shape) : decltype(strides_of(y.shape)){};
    for_each_product<double>(
        a, b, y.shape, [&](int64_t i, int64_t j) { return static_cast<double>(pa[i]) * static_cast<double>(pb[j]); },
        [&](int64_t i, int64_t n, double sum) {
          const int64_t from = i / y.shape[1] * add[0] + n * add[1];
          const double bias = c.has_input(2) ? beta * static_cast<double>(c.in(2).as<T>()[from]) : 0;
          y.as<T>()[i] = static_cast<T>(static_cast<Compute<T>>(alpha * sum + bias));
        });
  });
}

void ref_FusedMatMul(KernelContext& c) {
  const Attributes& at = c.node.attributes;
  const Matrices a(c.in(0).shape, true, at.get_int("transA") != 0), b(c.in(1).shape, false, at.get_int("transB") != 0);
  if (!inner_dimensions_agree(c, a, b)) return;
  const double scale = at.get_float("scale", 1);
  const Activation activation(at);
  dispatch_float(c, c.in(0).dtype, [&]<class T>() {
    const T *pa = c.in(0).as<T>(), *pb = c.in(1).as<T>(), *bias = c.has_input(2) ? c.in(2).as<T>() : nullptr;
    const bool one_bias = bias && c.in(2).num_elements() == 1;
    for_each_product<double>(
        a, b, c.out(0).shape,
        [&](int64_t i, int64_t j) { return static_cast<double>(pa[i]) * static_cast<double>(pb[j]); },
        [&](int64_t i, int64_t n, double sum) {
          const double v = scale * sum + (bias ? static_cast<double>(bias[one_bias ? 0 : n]) : 0);
          c.out(0).as<T>()[i] = static_cast<T>(static_cast<Compute<T>>(activation(v)));
        });
  });
}

namespace {

// A zero point: one value, or one per row (left operand) or column (right operand).
int32_t byte_at(const TensorView& t, int64_t i) {
  return t.dtype == DType::kI8 ? t.as<int8_t>()[i] : t.as<uint8_t>()[i];
}

}  // namespace

void ref_MatMulInteger(KernelContext& c) {
  for (int i = 0; i < 2; ++i)
    if (c.in(i).dtype != DType::kI8 && c.in(i).dtype != DType::kU8) return unsupported_type(c, c.in(i).dtype);
  const Matrices a(c.in(0).shape, true, false), b(c.in(1).shape, false, false);
  if (!inner_dimensions_agree(c, a, b)) return;
  const auto zero = [&](int input, int64_t i) {
    if (!c.has_input(input)) return 0;
    return byte_at(c.in(input), c.in(input).num_elements() == 1 ? 0 : i % c.in(input).num_elements());
  };
  for_each_product<uint32_t>(  // sums wrap
      a, b, c.out(0).shape,
      [&](int64_t i, int64_t j) -> uint32_t {
        return static_cast<uint32_t>((byte_at(c.in(0), i) - zero(2, i / a.columns)) *
                                     (byte_at(c.in(1), j) - zero(3, j % b.columns)));
      },
      [&](int64_t i, int64_t, uint32_t sum) { c.out(0).as<int32_t>()[i] = static_cast<int32_t>(sum); });
}

}  // namespace ingot
