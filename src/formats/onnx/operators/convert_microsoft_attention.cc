// com.microsoft's attention operators: onto the standard's Attention, or ingot.group_query_attention.
#include "formats/onnx/graph_builder.h"
#include "formats/onnx/operators/convert_microsoft.h"

namespace ingot::onnx {
namespace {

ValueId scalar(NodeDraft& d, int64_t v) {
  Tensor t = Tensor::allocate(DType::kI64, {});
  *t.mutable_as<int64_t>() = v;
  return d.builder.add_constant(d.node.name + "_value", std::move(t));
}

// [0, size of dimension i of v)
Result<ValueId> range_over(const MicrosoftDraft& m, ValueId v, int64_t i) {
  const ValueId size = INGOT_TRY(m.add(Op::kSqueeze, {INGOT_TRY(m.size_of(v, i))}));
  return m.add(Op::kRange, {scalar(m.d, 0), size, scalar(m.d, 1)});
}

// Where a mask's keys are to be seen, as something to add to the scores: 0 there, mask_filter_value elsewhere. Masks:
// lengths [B], flags [B,T] or [B,S,T].
Result<ValueId> additive_mask(const MicrosoftDraft& m, ValueId mask, ValueId like, ValueId keys) {
  NodeDraft& d = m.d;
  const Type type = m.type(mask);
  if (!type.ranked() || type.rank() < 1 || type.rank() > 3)
    return d.unsupported(fmt::format("a mask {}", type.to_string()));
  ValueId seen = mask;
  if (type.rank() == 1) {
    // A list of one length for each sequence; the forms with starts or offsets are longer than the batch.
    const Dim batch = m.type(like).ranked() ? m.type(like).dims->front() : Dim::unknown();
    const Dim& count = type.dims->front();
    if (batch.is_const() && count.is_const() ? !(batch == count) : !(batch == count || batch.is_unknown()))
      return d.unsupported(fmt::format("a mask {} for a batch of {}", type.to_string(), batch.to_string()));
    const ValueId lengths = INGOT_TRY(m.add(Op::kUnsqueeze, {INGOT_TRY(m.cast(mask, DType::kI64)), d.int_list({1})}));
    seen = INGOT_TRY(m.add(Op::kLess, {keys, lengths}));
  } else {
    seen = INGOT_TRY(m.cast(mask, DType::kBool));
  }
  const ValueId hidden = d.scalar_like(like, m.number("mask_filter_value", -10000));
  const ValueId add = INGOT_TRY(m.add(Op::kWhere, {seen, d.scalar_like(like, 0), hidden}));
  return m.add(Op::kUnsqueeze, {add, type.rank() == 3 ? d.int_list({1}) : d.int_list({1, 2})});
}

struct Parts {
  ValueId q, k, v;  // all [B,S,H*D], or all [B,H,S,D]
  ValueId mask = kNoValue, bias = kNoValue, past_k = kNoValue, past_v = kNoValue;
  int64_t heads = 1;
  bool by_heads = false, causal = false;
};

// y [B,S,H*D], present key and value.
Result<std::vector<ValueId>> attend(const MicrosoftDraft& m, Parts p) {
  NodeDraft& d = m.d;
  ValueId bias = p.bias;
  if (p.mask != kNoValue) {
    // Keys are the past's, then these.
    ValueId count = INGOT_TRY(m.size_of(p.k, p.by_heads ? 2 : 1));
    if (p.past_k != kNoValue) count = INGOT_TRY(m.add(Op::kAdd, {count, INGOT_TRY(m.size_of(p.past_k, 2))}));
    const ValueId keys =
        INGOT_TRY(m.add(Op::kRange, {scalar(d, 0), INGOT_TRY(m.add(Op::kSqueeze, {count})), scalar(d, 1)}));
    const ValueId mask = INGOT_TRY(additive_mask(m, p.mask, p.q, keys));
    bias = bias == kNoValue ? mask : INGOT_TRY(m.add(Op::kAdd, {bias, mask}));
  }
  Node node{.op = Op::kAttention, .name = d.node.name, .inputs = {p.q, p.k, p.v, bias, p.past_k, p.past_v}};
  if (!p.by_heads) {
    node.attributes.set("q_num_heads", p.heads);
    node.attributes.set("kv_num_heads", p.heads);
  }
  if (m.number("scale") != 0) node.attributes.set("scale", m.number("scale"));
  node.attributes.set("is_causal", int64_t{p.causal});
  auto out = INGOT_TRY(d.builder.add_node(std::move(node), {}, 3));
  if (p.by_heads) {
    const ValueId rows = INGOT_TRY(m.add(Op::kTranspose, {out[0]}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}));
    out[0] = INGOT_TRY(m.add(Op::kReshape, {rows, d.int_list({0, 0, -1})}));
  }
  return out;
}

Result<int64_t> num_heads(const MicrosoftDraft& m) {
  const int64_t heads = m.integer("num_heads");
  if (heads < 1 || heads > INT32_MAX) return m.d.fail("num_heads is {}", heads);
  return heads;
}

// [B,S,H*D] or [B,S,H,D] -> [B,H,S,D]
Result<ValueId> to_heads(const MicrosoftDraft& m, ValueId v, int64_t heads) {
  if (m.type(v).ranked() && m.type(v).rank() == 3)
    v = INGOT_TRY(m.add(Op::kReshape, {v, m.d.int_list({0, 0, heads, -1})}));
  return m.add(Op::kTranspose, {v}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
}

// Piece i of [B,S,H,pieces,D] as [B,S,H*D].
Result<ValueId> piece(const MicrosoftDraft& m, ValueId packed, int64_t i) {
  const ValueId one = INGOT_TRY(m.add(Op::kGather, {packed, scalar(m.d, i)}, {{"axis", int64_t{3}}}));
  return m.add(Op::kReshape, {one, m.d.int_list({0, 0, -1})});
}

// The projections q, k, v of one product, then attention with the past [2,B,H,P,D] and its present.
Result<void> attend_projected(NodeDraft& d, ValueId product, size_t mask, size_t past, size_t bias) {
  const MicrosoftDraft m{d};
  Parts p{.q = product,
          .k = product,
          .v = product,
          .heads = INGOT_TRY(num_heads(m)),
          .causal = m.integer("unidirectional") != 0};
  if (m.integer("do_rotary") || m.integer("past_present_share_buffer"))
    return d.unsupported("do_rotary or past_present_share_buffer");
  const int64_t width = INGOT_TRY(m.dim(product, -1));
  std::vector<int64_t> sizes = d.attributes().get_ints("qkv_hidden_sizes");
  if (sizes.empty()) sizes.assign(3, width / 3);
  if (sizes.size() != 3) return d.fail("qkv_hidden_sizes has {} entries, not 3", sizes.size());
  const auto parts = INGOT_TRY(m.split(product, -1, sizes));
  p.q = parts[0], p.k = parts[1], p.v = parts[2];
  p.mask = m.in(mask);
  p.bias = m.in(bias);
  if (m.has(past)) {
    p.past_k = INGOT_TRY(m.add(Op::kGather, {m.in(past), scalar(d, 0)}, {{"axis", int64_t{0}}}));
    p.past_v = INGOT_TRY(m.add(Op::kGather, {m.in(past), scalar(d, 1)}, {{"axis", int64_t{0}}}));
  }
  const auto out = INGOT_TRY(attend(m, p));
  d.results = {out[0]};
  if (d.num_outputs < 2) return {};
  const ValueId k = INGOT_TRY(m.add(Op::kUnsqueeze, {out[1], d.int_list({0})}));
  const ValueId v = INGOT_TRY(m.add(Op::kUnsqueeze, {out[2], d.int_list({0})}));
  d.results.push_back(INGOT_TRY(m.add(Op::kConcat, {k, v}, {{"axis", int64_t{0}}})));
  return {};
}

}  // namespace

// (x, w, bias?, mask?, past?, attention bias?)
Result<void> convert_ms_attention(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(2));
  if (m.has(6)) return d.unsupported("past_sequence_length");
  ValueId product = INGOT_TRY(m.add(Op::kMatMul, {m.in(0), m.in(1)}));
  if (m.has(2)) product = INGOT_TRY(m.add(Op::kAdd, {product, m.in(2)}));
  return attend_projected(d, product, 3, 4, 5);
}

// (x, w, bias, x_scale, w_scale, mask?, x_zero?, w_zero?, past?)
Result<void> convert_ms_qattention(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(5));
  const ValueId sums = INGOT_TRY(m.add(Op::kMatMulInteger, {m.in(0), m.in(1), m.in(6), m.in(7)}));
  const ValueId scale = INGOT_TRY(m.add(Op::kMul, {m.in(3), m.in(4)}));
  const ValueId real = INGOT_TRY(m.add(Op::kMul, {INGOT_TRY(m.cast(sums, m.type(scale).dtype)), scale}));
  return attend_projected(d, INGOT_TRY(m.add(Op::kAdd, {real, m.in(2)})), 5, 8, SIZE_MAX);
}

// (q, k?, v?, bias?, key mask?, attention bias?, past key?, past value?)
Result<void> convert_ms_multi_head_attention(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(1));
  if (m.has(8) || m.has(9)) return d.unsupported("past_sequence_length or cache_indirection");
  if (d.num_outputs > 3) return d.unsupported("the output qk");
  Parts p{.q = m.in(0),
          .k = m.in(1),
          .v = m.in(2),
          .mask = m.in(4),
          .bias = m.in(5),
          .past_k = m.in(6),
          .past_v = m.in(7),
          .heads = INGOT_TRY(num_heads(m)),
          .causal = m.integer("unidirectional") != 0};
  const auto rank = [&](ValueId v) { return v != kNoValue && m.type(v).ranked() ? m.type(v).rank() : 0; };
  if (rank(p.q) == 5) {
    const ValueId packed = p.q;
    p.q = INGOT_TRY(piece(m, packed, 0)), p.k = INGOT_TRY(piece(m, packed, 1)), p.v = INGOT_TRY(piece(m, packed, 2));
  } else if (rank(p.k) == 5) {
    const ValueId packed = p.k;
    p.k = INGOT_TRY(piece(m, packed, 0)), p.v = INGOT_TRY(piece(m, packed, 1));
  }
  if (p.k == kNoValue || p.v == kNoValue) return d.unsupported("a query without key and value");
  p.by_heads = rank(p.k) == 4;
  if (m.has(3)) {
    const int64_t q = INGOT_TRY(m.dim(p.q, -1)), all = INGOT_TRY(m.dim(m.in(3), 0));
    if (all < 2 * q) return d.fail("bias {} for queries {}", m.type(m.in(3)).to_string(), m.type(p.q).to_string());
    const auto biases = INGOT_TRY(m.split(m.in(3), 0, {q, q, all - 2 * q}));
    p.q = INGOT_TRY(m.add(Op::kAdd, {p.q, biases[0]}));
    if (!p.by_heads) {
      p.k = INGOT_TRY(m.add(Op::kAdd, {p.k, biases[1]}));
      p.v = INGOT_TRY(m.add(Op::kAdd, {p.v, biases[2]}));
    }
  }
  if (p.by_heads) p.q = INGOT_TRY(to_heads(m, p.q, p.heads));
  d.results = INGOT_TRY(attend(m, p));
  return {};
}

// (q or packed q|k|v, k?, v?, past key?, past value?, lengths - 1, total, cos?, sin?, positions?, bias?, sinks?)
Result<void> convert_ms_group_query_attention(NodeDraft& d) {
  const MicrosoftDraft m{d};
  for (size_t i : {0, 5, 6})
    if (!m.has(i)) return d.fail("operand {} is missing", i);
  for (size_t i = 12; i < d.node.inputs.size(); ++i)
    if (m.has(i)) return d.unsupported(fmt::format("operand {} (a quantized cache)", i));
  if (d.num_outputs > 3) return d.unsupported("the output qk");
  const int64_t heads = INGOT_TRY(num_heads(m)), groups = m.integer("kv_num_heads");
  if (groups < 1 || groups > heads) return d.fail("kv_num_heads is {}", groups);
  std::vector<ValueId> in = d.node.inputs;
  in.resize(12, kNoValue);
  if (in[1] == kNoValue || in[2] == kNoValue) {
    const int64_t width = INGOT_TRY(m.dim(in[0], -1)) / (heads + 2 * groups);
    const auto parts = INGOT_TRY(m.split(in[0], -1, {heads * width, groups * width, groups * width}));
    std::copy_n(parts.begin(), 3, in.begin());
  }
  if (!m.integer("do_rotary")) in[7] = in[8] = in[9] = kNoValue;
  if (in[11] == kNoValue && m.integer("smooth_softmax"))
    in[11] = INGOT_TRY(m.add(Op::kExpand, {d.scalar_like(in[0], 0), d.int_list({heads})}));
  Attributes a{{"num_heads", heads}, {"kv_num_heads", groups}, {"interleaved", m.integer("rotary_interleaved")}};
  if (m.number("scale") != 0) a.set("scale", m.number("scale"));
  a.set("softcap", m.number("softcap"));
  a.set("window", std::max<int64_t>(0, m.integer("local_window_size", -1)));
  Node node{.op = Op::kGroupQueryAttention, .name = d.node.name, .inputs = std::move(in), .attributes = std::move(a)};
  d.results = INGOT_TRY(d.builder.add_node(std::move(node), {}, 3));
  return {};
}

// (x, positions [1] or [B,S], cos, sin): one position is the first of every sequence.
Result<void> convert_ms_rotary_embedding(NodeDraft& d) {
  const MicrosoftDraft m{d};
  INGOT_TRY(m.require(4));
  if (m.integer("is_packed_batching")) return d.unsupported("is_packed_batching");
  if (m.number("scale", 1) != 1) return d.unsupported("scale");
  const Type& x = m.type(m.in(0));
  if (!x.ranked() || (x.rank() != 3 && x.rank() != 4)) return d.fail("the operand is {}", x.to_string());
  int64_t heads = m.integer("num_heads"), rotated = m.integer("rotary_embedding_dim");
  if (x.rank() == 3 && heads == 0)
    heads = INGOT_TRY(m.dim(m.in(0), 2)) / std::max<int64_t>(1, 2 * INGOT_TRY(m.dim(m.in(2), -1)));
  ValueId positions = m.in(1);
  const Type& given = m.type(positions);
  if (!given.ranked()) return d.fail("positions of unknown rank");
  if (given.rank() < 2) {
    const ValueId steps = INGOT_TRY(range_over(m, m.in(0), x.rank() == 3 ? 1 : 2));
    const ValueId batch = INGOT_TRY(m.size_of(m.in(0), 0)), length = INGOT_TRY(m.add(Op::kShape, {steps}));
    const ValueId shape = INGOT_TRY(m.add(Op::kConcat, {batch, length}, {{"axis", int64_t{0}}}));
    positions = INGOT_TRY(m.add(Op::kExpand, {INGOT_TRY(m.add(Op::kAdd, {steps, positions})), shape}));
  }
  Attributes a{{"interleaved", m.integer("interleaved")}, {"rotary_embedding_dim", rotated}};
  if (x.rank() == 3) a.set("num_heads", heads);
  d.results = {INGOT_TRY(m.add(Op::kRotaryEmbedding, {m.in(0), m.in(2), m.in(3), positions}, std::move(a)))};
  return {};
}

}  // namespace ingot::onnx
