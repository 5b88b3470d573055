// ONNX Attention: softmax(Q K^T * scale + mask) V over heads. 16-bit floats round after every step, as the operator's
// definition by simpler operators does; others only at the end.
#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"
#include "backends/ref/reals.h"

namespace ingot {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

// Q, K or V as rows of `width`: [B,H,S,D], or [B,S,H*D]; those of `past` [B,H,P,D] come first.
struct Rows {
  std::vector<double> x, past;
  int64_t heads, length, width, past_length = 0;
  bool flat;

  Rows(const TensorView& t, int64_t heads_given) : x(reals_of(t)), flat(t.shape.rank() == 3) {
    heads = flat ? heads_given : t.shape[1];
    length = t.shape[flat ? 1 : 2];
    width = flat ? t.shape[2] / heads : t.shape[3];
  }
  void prepend(const TensorView& t) {
    past = reals_of(t);
    past_length = t.shape[2];
  }
  int64_t total() const { return past_length + length; }
  const double* operator()(int64_t b, int64_t h, int64_t i) const {
    if (i < past_length) return past.data() + ((b * heads + h) * past_length + i) * width;
    i -= past_length;
    return x.data() + (flat ? (b * length + i) * heads + h : (b * heads + h) * length + i) * width;
  }
  // All rows as [B,H,P+S,D].
  void store(const TensorRef& t) const {
    for (int64_t r = 0; r < t.num_elements() / std::max<int64_t>(1, width); ++r)
      for (int64_t d = 0; d < width; ++d)
        store_real(t, r * width + d, (*this)(r / total() / heads, r / total() % heads, r % total())[d]);
  }
};

// What is added to the scores of query i: the mask, -infinity where a key may not be seen.
class Bias {
 public:
  Bias(const KernelContext& c, const Shape& scores)
      : mask_(c.has_input(3) ? reals_of(c.in(3)) : std::vector<double>{}),
        logical_(c.has_input(3) && c.in(3).dtype == DType::kBool),
        masked_(c.has_input(3)),
        causal_(c.node.attributes.get_int("is_causal") != 0),
        left_(c.node.attributes.get_int("left_window_size", -1)),
        right_(c.node.attributes.get_int("right_window_size", -1)) {
    if (!masked_) return;
    strides_ = broadcast_strides(c.in(3).shape, scores);
    mask_length_ = c.in(3).shape.at(-1);
    strides_[3] = 1;
  }
  // position: of the query among the keys; valid: how many keys there are.
  double operator()(int64_t b, int64_t h, int64_t i, int64_t j, int64_t position, int64_t valid) const {
    double bias = 0;
    if (masked_) {
      if (j >= mask_length_) return kMinusInfinity;
      bias = mask_[static_cast<size_t>(b * strides_[0] + h * strides_[1] + i * strides_[2] + j)];
      if (logical_) bias = bias != 0 ? 0 : kMinusInfinity;
    }
    const bool seen = j < valid && (!causal_ || j <= position) && (left_ < 0 || position - j <= left_) &&
                      (right_ < 0 || j - position <= right_);
    return seen ? bias : kMinusInfinity;
  }

 private:
  std::vector<double> mask_;
  bool logical_, masked_, causal_;
  int64_t left_, right_, mask_length_ = 0;
  std::array<int64_t, limits::kRankMax> strides_{};
};

// A row all of whose keys are masked becomes zeros.
void softmax_row(std::vector<double>& row, bool all_masked, DType precision) {
  if (all_masked) return std::fill(row.begin(), row.end(), 0.0);
  for (double& v : row) v = rounded(precision, v);
  const double max = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (double& v : row) sum += v = rounded(precision, std::exp(rounded(precision, v - max)));
  for (double& v : row) v = rounded(precision, v / rounded(precision, sum));
}

}  // namespace

void ref_Attention(KernelContext& c) {
  const Attributes& a = c.node.attributes;
  const DType type = c.in(0).dtype;
  const Rows q(c.in(0), a.get_int("q_num_heads"));
  Rows k(c.in(1), a.get_int("kv_num_heads")), v(c.in(2), a.get_int("kv_num_heads"));
  if (c.has_input(4)) k.prepend(c.in(4));
  if (c.has_input(5)) v.prepend(c.in(5));
  const int64_t batch = c.in(0).shape[0], keys = k.total(), group = q.heads / k.heads;
  const double scale = a.has("scale") ? a.get_float("scale") : 1 / std::sqrt(static_cast<double>(q.width));
  const double factor = rounded(type, std::sqrt(scale)), cap = a.get_float("softcap");
  const int64_t mode = a.get_int("qk_matmul_output_mode");
  const DType precision = dtype_from_name(a.get_string("softmax_precision", std::string(dtype_name(type)))).value();
  const Bias bias(c, Shape{batch, q.heads, q.length, keys});
  for (int64_t b = 0; b < batch && c.has_input(6); ++b)
    if (const int64_t n = c.in(6).as<int64_t>()[b]; n < 0 || n > keys)
      return invalid_data(c, fmt::format("{} of {} keys are no padding", n, keys));
  std::vector<double> scores(static_cast<size_t>(keys));
  for (int64_t r = 0; r < batch * q.heads * q.length; ++r) {
    const int64_t b = r / q.length / q.heads, h = r / q.length % q.heads, i = r % q.length;
    const auto show = [&](bool now) {
      if (!now || !c.has_output(3)) return;
      for (int64_t j = 0; j < keys; ++j) store_real(c.out(3), r * keys + j, scores[static_cast<size_t>(j)]);
    };
    const int64_t valid = c.has_input(6) ? c.in(6).as<int64_t>()[b] : keys;
    const int64_t position = i + (c.has_input(6) ? valid - q.length : k.past_length);
    const double* query = q(b, h, i);
    for (int64_t j = 0; j < keys; ++j) {
      const double* key = k(b, h / group, j);
      double sum = 0;
      for (int64_t d = 0; d < q.width; ++d) sum += rounded(type, query[d] * factor) * rounded(type, key[d] * factor);
      scores[static_cast<size_t>(j)] = rounded(type, sum);
    }
    show(mode == 0);
    if (cap > 0)
      for (double& s : scores) s = rounded(type, cap * rounded(type, std::tanh(rounded(type, s / cap))));
    show(mode == 1);
    bool all_masked = true;
    for (int64_t j = 0; j < keys; ++j) {
      const double add = bias(b, h, i, j, position, valid);
      all_masked &= add == kMinusInfinity;
      scores[static_cast<size_t>(j)] = rounded(type, scores[static_cast<size_t>(j)] + add);
    }
    show(mode == 2);
    softmax_row(scores, all_masked, precision);
    show(mode == 3);
    for (int64_t d = 0; d < v.width; ++d) {
      double sum = 0;
      for (int64_t j = 0; j < keys; ++j) sum += rounded(type, scores[static_cast<size_t>(j)]) * v(b, h / group, j)[d];
      store_real(c.out(0), (q.flat ? (b * q.length + i) * q.heads + h : r) * v.width + d, sum);
    }
  }
  if (c.has_output(1)) k.store(c.out(1));
  if (c.has_output(2)) v.store(c.out(2));
}

}  // namespace ingot
