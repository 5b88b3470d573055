// com.microsoft's quantized operators: through floats and back, or by integer products where both sides are bytes.
#include <cmath>
#include <cstring>

#include "formats/onnx/graph_builder.h"
#include "formats/onnx/operators/convert_microsoft.h"
#include "tensor/block_formats.h"
#include "tensor/half.h"

namespace ingot::onnx {
namespace {

constexpr int64_t kWeightElementsMax = int64_t{1} << 34;

// x of operands i (data), i + 1 (scale), i + 2 (zero point?).
Result<ValueId> dequantized(const MicrosoftDraft& m, size_t i) {
  if (!m.has(i) || !m.has(i + 1)) return m.d.fail("operand {} or {} is missing", i, i + 1);
  return m.add(Op::kDequantizeLinear, {m.in(i), m.in(i + 1), m.in(i + 2)});
}

// y in the type of the zero point, or of operand `like`.
Result<void> finish(const MicrosoftDraft& m, ValueId y, size_t scale, size_t like) {
  if (!m.has(scale)) return m.d.fail("operand {} is missing", scale);
  Attributes a;
  if (!m.has(scale + 1)) a.set("output_dtype", std::string(dtype_name(m.type(m.in(like)).dtype)));
  m.d.results = {INGOT_TRY(m.add(Op::kQuantizeLinear, {y, m.in(scale), m.in(scale + 1)}, std::move(a)))};
  return {};
}

Result<ValueId> transposed(const MicrosoftDraft& m, ValueId v, std::vector<int64_t> perm) {
  return m.add(Op::kTranspose, {v}, {{"perm", std::move(perm)}});
}

// (a - a_zero)(b - b_zero) * a_scale * b_scale + bias?
Result<ValueId> scaled_product(const MicrosoftDraft& m, std::vector<ValueId> operands, ValueId a_scale, ValueId b_scale,
                               ValueId bias) {
  const ValueId sums = INGOT_TRY(m.add(Op::kMatMulInteger, std::move(operands)));
  const ValueId scale = INGOT_TRY(m.add(Op::kMul, {a_scale, b_scale}));
  ValueId y = INGOT_TRY(m.add(Op::kMul, {INGOT_TRY(m.cast(sums, m.type(scale).dtype)), scale}));
  return bias == kNoValue ? Result<ValueId>(y) : m.add(Op::kAdd, {y, bias});
}

// Before opset 13 the dimensions from `axis` on were one.
Result<ValueId> softmax(const MicrosoftDraft& m, ValueId x) {
  const bool old = m.integer("opset") < 13;
  const int64_t axis = m.integer("axis", old ? 1 : -1);
  if (!old) return m.add(Op::kSoftmax, {x}, {{"axis", axis}});
  const ValueId shape = INGOT_TRY(m.add(Op::kShape, {x}));
  const ValueId flat = INGOT_TRY(m.add(Op::kFlatten, {x}, {{"axis", axis}}));
  const ValueId y = INGOT_TRY(m.add(Op::kSoftmax, {flat}, {{"axis", int64_t{-1}}}));
  return m.add(Op::kReshape, {y, shape}, {{"allowzero", int64_t{1}}});
}

}  // namespace

Result<void> convert_ms_quantize(NodeDraft& d) {
  d.node.op = d.op_type.ends_with("DequantizeLinear") ? Op::kDequantizeLinear : Op::kQuantizeLinear;
  return {};
}

// (a, a_scale, a_zero?, b, b_scale, b_zero?, y_scale, y_zero?)
Result<void> convert_ms_qlinear_binary(NodeDraft& d) {
  const MicrosoftDraft m{d};
  const ValueId a = INGOT_TRY(dequantized(m, 0)), b = INGOT_TRY(dequantized(m, 3));
  const Op op = d.op_type.ends_with("Add") ? Op::kAdd : Op::kMul;
  return finish(m, INGOT_TRY(m.add(op, {a, b})), 6, 0);
}

// (x, x_scale, x_zero?, y_scale, y_zero?)
Result<void> convert_ms_qlinear_unary(NodeDraft& d) {
  const MicrosoftDraft m{d};
  ValueId x = INGOT_TRY(dequantized(m, 0));
  const std::string_view name = d.op_type.substr(d.op_type.rfind('.') + 1);
  const auto channels_last = d.take("channels_last");
  const bool last = channels_last && std::get<int64_t>(*channels_last) != 0;
  if (last) x = INGOT_TRY(transposed(m, x, {0, 3, 1, 2}));
  ValueId y = x;
  if (name == "QLinearSigmoid") y = INGOT_TRY(m.add(Op::kSigmoid, {x}));
  if (name == "QLinearLeakyRelu") y = INGOT_TRY(m.add(Op::kLeakyRelu, {x}, d.attributes()));
  if (name == "QLinearAveragePool") y = INGOT_TRY(m.add(Op::kAveragePool, {x}, d.attributes()));
  if (name == "QLinearGlobalAveragePool") y = INGOT_TRY(m.add(Op::kGlobalAveragePool, {x}));
  if (name == "QLinearSoftmax") {
    y = INGOT_TRY(softmax(m, x));
  }
  if (name == "QLinearReduceMean") {
    const std::vector<int64_t> axes = d.attributes().get_ints("axes");
    y = INGOT_TRY(m.add(Op::kReduceMean, {x, axes.empty() ? kNoValue : d.int_list(axes)},
                        {{"keepdims", m.integer("keepdims", 1)}}));
  }
  if (last) y = INGOT_TRY(transposed(m, y, {0, 2, 3, 1}));
  return finish(m, y, 3, 0);
}

// (y_scale, y_zero, then data, scale and zero point of each part)
Result<void> convert_ms_qlinear_concat(NodeDraft& d) {
  const MicrosoftDraft m{d};
  std::vector<ValueId> parts;
  for (size_t i = 2; i < d.node.inputs.size(); i += 3) parts.push_back(INGOT_TRY(dequantized(m, i)));
  if (parts.empty()) return d.fail("has no parts");
  return finish(m, INGOT_TRY(m.add(Op::kConcat, parts, {{"axis", m.integer("axis")}})), 0, 2);
}

// (a f32, b, b_scale, b_zero?, bias?)
Result<void> convert_ms_dynamic_quantize_matmul(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(3));
  Node node{.op = Op::kDynamicQuantizeLinear, .name = d.node.name, .inputs = {m.in(0)}};
  const auto a = INGOT_TRY(d.builder.add_node(std::move(node), {}, 3));
  d.results = {INGOT_TRY(scaled_product(m, {a[0], m.in(1), a[2], m.in(3)}, a[1], m.in(2), m.in(4)))};
  return {};
}

// (a, b, a_scale, b_scale, a_zero?, b_zero?, bias?)
Result<void> convert_ms_matmul_integer_to_float(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(4));
  d.results = {INGOT_TRY(scaled_product(m, {m.in(0), m.in(1), m.in(4), m.in(5)}, m.in(2), m.in(3), m.in(6)))};
  return {};
}

// (a, a_scale, a_zero, b, b_scale, b_zero, c? i32, y_scale?, y_zero?): alpha (a b + c) in integers, then floats or
// bytes.
Result<void> convert_ms_qgemm(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(6));
  const ValueId a = m.integer("transA") ? INGOT_TRY(transposed(m, m.in(0), {1, 0})) : m.in(0);
  const ValueId b = m.integer("transB") ? INGOT_TRY(transposed(m, m.in(3), {1, 0})) : m.in(3);
  ValueId sums = INGOT_TRY(m.add(Op::kMatMulInteger, {a, b, m.in(2), m.in(5)}));
  if (m.has(6)) sums = INGOT_TRY(m.add(Op::kAdd, {sums, m.in(6)}));
  const ValueId scale = INGOT_TRY(m.add(Op::kMul, {m.in(1), m.in(4)}));
  ValueId y = INGOT_TRY(m.add(Op::kMul, {INGOT_TRY(m.cast(sums, DType::kF32)), scale}));
  if (m.number("alpha", 1) != 1) y = INGOT_TRY(m.add(Op::kMul, {y, d.scalar_like(y, m.number("alpha", 1))}));
  if (m.has(7)) return finish(m, y, 7, 0);
  d.results = {y};
  return {};
}

namespace {

// What MatMulNBits stores: codes of `bits` bits, rows of whole blocks; a scale and a zero point for each block.
struct Codes {
  int64_t n, k, block, blocks, bits;
  const uint8_t* data;
  std::vector<float> scales, zeros;  // [n * blocks]

  unsigned code(int64_t row, int64_t i) const {
    const int64_t at = row * blocks * block + i;
    return bits == 8 ? data[at] : data[at / 2] >> (at % 2 * 4) & 15;
  }
  size_t block_of(int64_t row, int64_t i) const { return static_cast<size_t>(row * blocks + i / block); }
};

Result<std::vector<float>> floats_of(const NodeDraft& d, const Tensor& t, int64_t count) {
  if (t.shape().num_elements() != count || !is_float(t.dtype()) || t.dtype() == DType::kF64)
    return d.fail("a list of {} floats is {}", count, Type::of(t.view()).to_string());
  std::vector<float> out(static_cast<size_t>(count));
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = t.dtype() == DType::kF32   ? t.as<float>()[i]
             : t.dtype() == DType::kF16 ? half_to_float(t.as<uint16_t>()[i])
                                        : bf16_to_float(t.as<uint16_t>()[i]);
  return out;
}

// Zero points are 2^(bits-1), floats, or codes whose rows are padded to whole bytes.
Result<std::vector<float>> zeros_of(const NodeDraft& d, const Codes& c, const Tensor* t) {
  const int64_t count = c.n * c.blocks;
  std::vector<float> out(static_cast<size_t>(count), static_cast<float>(1 << (c.bits - 1)));
  if (!t) return out;
  if (is_float(t->dtype())) return floats_of(d, *t, count);
  const int64_t row_bytes = c.bits == 8 ? c.blocks : (c.blocks + 1) / 2;
  if (t->dtype() != DType::kU8 || t->shape().num_elements() != c.n * row_bytes)
    return d.fail("zero points are {}", Type::of(t->view()).to_string());
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = i / c.blocks, at = i % c.blocks;
    const uint8_t* bytes = t->as<uint8_t>() + row * row_bytes;
    out[static_cast<size_t>(i)] = static_cast<float>(c.bits == 8 ? bytes[at] : bytes[at / 2] >> (at % 2 * 4) & 15);
  }
  return out;
}

bool is_half(float v) { return half_to_float(float_to_half(v)) == v; }

// Rounding to binary16 keeps 11 bits.
bool is_nearly_half(float v) { return std::fabs(half_to_float(float_to_half(v)) - v) <= std::fabs(v) * 0x1p-11F; }

// As blocks of 32 with binary16 scales: Q4_0 or Q4_1, Q8_0; nullopt if that would lose anything, or, with `rounded`,
// more than the last bits of a scale.
std::optional<Tensor> as_blocks(const Codes& c, bool rounded) {
  if (c.block % 32 || c.k % 32) return std::nullopt;
  const float middle = static_cast<float>(1 << (c.bits - 1));
  bool symmetric = true, exact = true;
  for (size_t i = 0; i < c.scales.size(); ++i) {
    symmetric &= c.zeros[i] == middle;
    const auto fits = rounded ? is_nearly_half : is_half;
    exact &= fits(c.scales[i]) && fits(-c.scales[i] * c.zeros[i]);
  }
  if (!exact || (c.bits == 8 && !symmetric)) return std::nullopt;
  const DType type = c.bits == 8 ? DType::kQ8_0 : symmetric ? DType::kQ4_0 : DType::kQ4_1;
  Tensor t = Tensor::allocate(type, Shape{c.n, c.k});
  for (int64_t g = 0; g < c.n * c.k / 32; ++g) {
    const int64_t row = g * 32 / c.k, first = g * 32 % c.k;
    const size_t at = c.block_of(row, first);
    const auto pair = [&](int64_t i) {
      return static_cast<uint8_t>(c.code(row, first + i) | c.code(row, first + i + 16) << 4);
    };
    if (type == DType::kQ8_0) {
      BlockQ8_0& b = t.mutable_as<BlockQ8_0>()[g];
      b.d = float_to_half(c.scales[at]);
      for (int64_t i = 0; i < 32; ++i) b.qs[i] = static_cast<int8_t>(static_cast<int>(c.code(row, first + i)) - 128);
    } else if (type == DType::kQ4_0) {
      BlockQ4_0& b = t.mutable_as<BlockQ4_0>()[g];
      b.d = float_to_half(c.scales[at]);
      for (int64_t i = 0; i < 16; ++i) b.qs[i] = pair(i);
    } else {
      BlockQ4_1& b = t.mutable_as<BlockQ4_1>()[g];
      b.d = float_to_half(c.scales[at]);
      b.m = float_to_half(-c.scales[at] * c.zeros[at]);
      for (int64_t i = 0; i < 16; ++i) b.qs[i] = pair(i);
    }
  }
  return t;
}

Tensor as_floats(const Codes& c) {
  Tensor t = Tensor::allocate(DType::kF32, Shape{c.n, c.k});
  for (int64_t row = 0; row < c.n; ++row)
    for (int64_t i = 0; i < c.k; ++i) {
      const size_t at = c.block_of(row, i);
      t.mutable_as<float>()[row * c.k + i] = (static_cast<float>(c.code(row, i)) - c.zeros[at]) * c.scales[at];
    }
  return t;
}

// Reshapes of a constant are constants.
const Tensor* constant_behind(const Graph& graph, ValueId v) {
  while (v != kNoValue && graph.value(v).producer != kNoNode && graph.node(graph.value(v).producer).op == Op::kReshape)
    v = graph.node(graph.value(v).producer).inputs[0];
  return graph.constant(v);
}

// The constant [n,k] of these codes: as blocks, if wanted and possible, else f32.
Result<ValueId> block_weight(NodeDraft& d, Codes& c, ValueId codes_of, ValueId scales_of, ValueId zeros_given,
                             bool blocks_wanted, bool rounded) {
  if (c.bits != 4 && c.bits != 8) return d.unsupported(fmt::format("a weight of {} bits", c.bits));
  if (c.n < 1 || c.k < 1 || c.n > INT32_MAX || c.k > INT32_MAX || c.n * c.k > kWeightElementsMax || c.block < 16 ||
      c.block > 65536 || (c.block & (c.block - 1)))
    return d.fail("N {}, K {}, block_size {}", c.n, c.k, c.block);
  c.blocks = (c.k + c.block - 1) / c.block;
  const Graph& graph = d.builder.graph();
  const Tensor *codes = constant_behind(graph, codes_of), *scales = constant_behind(graph, scales_of),
               *zeros = constant_behind(graph, zeros_given);
  if (!codes || !scales || (zeros_given != kNoValue && !zeros)) return d.unsupported("a weight that is not a constant");
  if (codes->dtype() != DType::kU8 || codes->shape().num_elements() != c.n * c.blocks * c.block * c.bits / 8)
    return d.fail("the weight is {}", Type::of(codes->view()).to_string());
  c.data = codes->as<uint8_t>();
  c.scales = INGOT_TRY(floats_of(d, *scales, c.n * c.blocks));
  c.zeros = INGOT_TRY(zeros_of(d, c, zeros));
  auto blocks = blocks_wanted ? as_blocks(c, rounded) : std::nullopt;
  return d.builder.add_constant(d.node.name + "_weight", blocks ? *std::move(blocks) : as_floats(c));
}

}  // namespace

// (a, codes u8[N,blocks,bytes], scales [N*blocks], zeros?, g_idx?, bias?): a W^T + bias. The weight keeps its blocks
// where ours hold the same numbers, or nearly so where accuracy_level allows products of binary16 or bytes (2 to 4);
// else, and with accuracy_level 1 (f32 products), it becomes f32.
Result<void> convert_ms_matmul_nbits(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(3));
  if (m.has(4)) return d.unsupported("g_idx");
  Codes c{.n = m.integer("N"),
          .k = m.integer("K"),
          .block = m.integer("block_size"),
          .blocks = 0,
          .bits = m.integer("bits", 4),
          .data = nullptr,
          .scales = {},
          .zeros = {}};
  const int64_t accuracy = m.integer("accuracy_level");
  const ValueId weight = INGOT_TRY(block_weight(d, c, m.in(1), m.in(2), m.in(3), accuracy != 1, accuracy > 1));
  const DType dtype = m.type(m.in(0)).dtype;
  const ValueId x = INGOT_TRY(m.cast(m.in(0), DType::kF32));
  const ValueId bias = m.has(5) ? INGOT_TRY(m.cast(m.in(5), DType::kF32)) : kNoValue;
  d.results = {INGOT_TRY(m.cast(INGOT_TRY(m.add(Op::kLinear, {x, weight, bias})), dtype))};
  return {};
}

// (codes u8[V,bytes], ids, scales [V,blocks], zeros?): rows of a table, each of whole blocks.
Result<void> convert_ms_gather_block_quantized(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(3));
  const Tensor* codes = constant_behind(d.builder.graph(), m.in(0));
  if (!codes || codes->dtype() != DType::kU8) return d.unsupported("a table that is not a constant of bytes");
  if (m.integer("gather_axis") != 0) return d.unsupported("a gather_axis other than 0");
  if (const int64_t axis = m.integer("quantize_axis", 1); axis != 1 && axis != -1)
    return d.unsupported(fmt::format("quantize_axis {}", axis));
  Codes c{.n = INGOT_TRY(m.dim(m.in(2), 0)),
          .k = INGOT_TRY(m.dim(m.in(2), 1)),
          .block = m.integer("block_size", 128),
          .blocks = 0,
          .bits = m.integer("bits", 4),
          .data = nullptr,
          .scales = {},
          .zeros = {}};
  if (c.n < 1 || c.k < 1 || c.block < 1 || c.k > INT32_MAX / c.block || m.type(m.in(2)).rank() != 2)
    return d.fail("scales {}, block_size {}", m.type(m.in(2)).to_string(), c.block);
  c.k *= c.block;
  const ValueId table = INGOT_TRY(block_weight(d, c, m.in(0), m.in(2), m.in(3), true, false));
  const ValueId ids = INGOT_TRY(m.cast(m.in(1), DType::kI32));
  const ValueId rows = INGOT_TRY(m.add(Op::kEmbedding, {ids, table}, {{"scale", 1.0F}}));
  d.results = {INGOT_TRY(m.cast(rows, m.type(m.in(2)).dtype))};
  return {};
}

}  // namespace ingot::onnx
