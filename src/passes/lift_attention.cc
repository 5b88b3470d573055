// decoder_lifter.h: attention and its rotations.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "passes/decoder_lifter.h"
#include "tensor/block_formats.h"

namespace ingot {

Result<void> DecoderLifter::check_positions(const Node& n, ValueId positions) const {
  if (positions == kNoValue || ids_of(positions) == positions_) return {};
  return fail(n, "its positions are '{}'; the graph's input '{}' is expected", in_.value(positions).name,
              options_.position_ids);
}

Result<ValueId> DecoderLifter::rope_table(const Node& n, ValueId cos, ValueId sin) {
  const Tensor *c = constant_table(cos), *s = constant_table(sin);
  if (!c || !s || c->shape().rank() != 2 || !(c->shape() == s->shape()) || !can_decode(c->dtype()) ||
      !can_decode(s->dtype()) || c->shape()[0] < 1)
    return fail(n,
                "its cosines '{}' and sines '{}' should be two constant tables [positions,rotated/2], or chosen by "
                "the length from several",
                cos == kNoValue ? "" : in_.value(cos).name, sin == kNoValue ? "" : in_.value(sin).name);
  const auto [at, added] = rope_tables_.try_emplace({c, s}, kNoValue);
  if (!added) return at->second;
  const int64_t rows = c->shape()[0], half = c->shape()[1];
  Tensor joined = Tensor::allocate(DType::kF32, {rows, 2 * half});
  for (int64_t r = 0; r < rows; ++r)
    for (const Tensor* t : {c, s})
      decode_row(t->dtype(), t->as<std::byte>() + static_cast<size_t>(r) * t->view().row_bytes(),
                 joined.mutable_as<float>() + (2 * r + (t == s ? 1 : 0)) * half, half);
  result_.positions_max = result_.positions_max ? std::min(result_.positions_max, rows) : rows;
  const ValueId table = out_.add_constant("rope_angles", std::move(joined));
  at->second = INGOT_TRY(out_.add(Op::kEmbedding, {positions_, table}, {{"scale", 1.0f}}, "rope_table"));
  return at->second;
}

Result<int64_t> DecoderLifter::width_of(const Node& n, size_t i) const {
  const Type& t = in_.value(n.inputs[i]).type;
  if (!t.ranked() || t.rank() != 3 || !t.dims->back().is_const() || t.dims->back().value() < 1)
    return fail(n, "operand {} is {}; [batch,sequence,width] is expected", i, t.to_string());
  return t.dims->back().value();
}

// [1,T,H*D] or [1,H,T,D] -> [T,H*D]
Result<ValueId> DecoderLifter::by_tokens(const Node& n, size_t i, int64_t width) {
  ValueId v = INGOT_TRY(mapped(n.inputs[i]));
  if (in_.value(n.inputs[i]).type.rank() == 4)
    v = INGOT_TRY(out_.add(Op::kTranspose, {v}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}));
  return as_rows(v, width);
}

Result<void> DecoderLifter::emit_rotary(const Node& n) {
  if (operand(n, 3) == kNoValue) return fail(n, "has no positions; tables and positions are expected");
  INGOT_TRY(check_positions(n, n.inputs[3]));
  const ValueId table = INGOT_TRY(rope_table(n, n.inputs[1], n.inputs[2]));
  const int64_t rotated = (*out_.value(table).type.dims)[1].value();
  const int64_t wanted = n.attributes.get_int("rotary_embedding_dim");
  if (wanted != 0 && wanted != rotated)
    return fail(n, "rotates {} elements of a head with tables for {}", wanted, rotated);
  const Type& type = in_.value(n.inputs[0]).type;
  const bool by_heads = type.ranked() && type.rank() == 4;
  int64_t heads = n.attributes.get_int("num_heads"), width = 0;
  if (by_heads) {
    const Dims& d = *type.dims;
    if (!d[1].is_const() || !d[3].is_const()) return fail(n, "its operand is {}", type.to_string());
    heads = d[1].value(), width = d[1].value() * d[3].value();
  } else {
    width = INGOT_TRY(width_of(n, 0));
  }
  if (heads < 1 || width % heads) return fail(n, "has {} heads in {} elements", heads, width);
  const int64_t interleaved = n.attributes.get_int("interleaved");
  const ValueId rows = INGOT_TRY(by_tokens(n, 0, width));
  const ValueId turned = INGOT_TRY(
      out_.add(Op::kRope, {rows, table}, {{"head_dim", width / heads}, {"interleaved", interleaved}}, n.name));
  if (!by_heads) return set(n.outputs[0], INGOT_TRY(as_batch(turned))), Result<void>{};
  const ValueId split = INGOT_TRY(out_.add(Op::kReshape, {turned, int_list({1, -1, heads, width / heads})}));
  set(n.outputs[0], INGOT_TRY(out_.add(Op::kTranspose, {split}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}})));
  return {};
}

Result<DecoderLifter::AttentionForm> DecoderLifter::read_group_query(const Node& n) {
  AttentionForm f{.past_key = 3, .past_value = 4};
  const int64_t width = INGOT_TRY(width_of(n, 0)), kv_width = INGOT_TRY(width_of(n, 1));
  f.heads.query = n.attributes.get_int("num_heads"), f.heads.kv = n.attributes.get_int("kv_num_heads");
  if (f.heads.query < 1 || f.heads.kv < 1 || width % f.heads.query || kv_width % f.heads.kv)
    return fail(n, "{} heads of {} elements and {} of {}", f.heads.query, width, f.heads.kv, kv_width);
  f.heads.dim = width / f.heads.query;
  if (operand(n, 10) != kNoValue) return fail(n, "an attention bias is not supported");
  if (operand(n, 7) != kNoValue) {
    INGOT_TRY(check_positions(n, operand(n, 9)));
    f.table = INGOT_TRY(rope_table(n, n.inputs[7], operand(n, 8)));
    f.interleaved = n.attributes.get_int("interleaved") != 0;
  }
  if (operand(n, 11) != kNoValue) f.sinks = INGOT_TRY(mapped(n.inputs[11]));
  f.window = n.attributes.get_int("window");
  return f;
}

Result<DecoderLifter::AttentionForm> DecoderLifter::read_attention(const Node& n) const {
  AttentionForm f{.past_key = 4, .past_value = 5};
  const Type &q = in_.value(n.inputs[0]).type, &k = in_.value(n.inputs[1]).type;
  if (q.ranked() && q.rank() == 4 && k.ranked() && k.rank() == 4) {
    for (const Type* t : {&q, &k})
      for (size_t i : {1, 3})
        if (!(*t->dims)[i].is_const()) return fail(n, "an operand is {}", t->to_string());
    f.heads = {(*q.dims)[1].value(), (*k.dims)[1].value(), (*q.dims)[3].value()};
  } else {
    f.heads.query = n.attributes.get_int("q_num_heads"), f.heads.kv = n.attributes.get_int("kv_num_heads");
    const int64_t width = INGOT_TRY(width_of(n, 0));
    if (f.heads.query < 1 || f.heads.kv < 1 || width % f.heads.query)
      return fail(n, "{} heads of {} elements, {} of keys", f.heads.query, width, f.heads.kv);
    f.heads.dim = width / f.heads.query;
  }
  if (operand(n, 3) != kNoValue)
    return fail(n, "has the mask '{}'; is_causal = 1 without a mask is expected", in_.value(n.inputs[3]).name);
  if (n.attributes.get_int("is_causal") != 1) return fail(n, "is_causal is 0; a decoder's attention has 1");
  if (operand(n, 6) != kNoValue) return fail(n, "nonpad_kv_seqlen is not supported");
  f.window = n.attributes.get_int("left_window_size", -1) + 1;
  return f;
}

// The layer whose cache the node reads and gives back.
Result<size_t> DecoderLifter::layer_of(const Node& n, const AttentionForm& f) {
  const std::pair past{operand(n, f.past_key), operand(n, f.past_value)};
  if (past.first == kNoValue || past.second == kNoValue || n.outputs.size() < 3)
    return fail(n, "has no past or no present keys and values; every attention of a decoder is expected to have them");
  const auto at = std::ranges::find(pasts_, past);
  if (at == pasts_.end())
    return fail(n, "its past is '{}' and '{}'; two inputs of one layer are expected", in_.value(past.first).name,
                in_.value(past.second).name);
  const auto layer = static_cast<size_t>(at - pasts_.begin());
  if (presents_[layer] != std::pair(n.outputs[1], n.outputs[2]))
    return fail(n, "its present is '{}' and '{}'; '{}' and '{}' are expected for layer {}",
                in_.value(n.outputs[1]).name, in_.value(n.outputs[2]).name, options_.layers[layer].present_key,
                options_.layers[layer].present_value, layer);
  if (layer_seen_[layer]) return fail(n, "reads the cache of layer {}, as another node does", layer);
  layer_seen_[layer] = 1;
  for (ValueId v : {past.first, past.second}) {
    const Type& t = in_.value(v).type;
    const auto is = [&](size_t i, int64_t size) { return !(*t.dims)[i].is_const() || (*t.dims)[i].is_const(size); };
    if (!t.ranked() || t.rank() != 4 || !is(1, f.heads.kv) || !is(3, f.heads.dim))
      return fail(n, "its past '{}' is {}; {} heads of {} are expected", in_.value(v).name, t.to_string(), f.heads.kv,
                  f.heads.dim);
  }
  return layer;
}

Result<ValueId> DecoderLifter::paged(const Node& n, const AttentionForm& f, size_t layer) {
  const auto& [heads, kv_heads, dim] = f.heads;
  const int64_t block = dtype_info(options_.kv_dtype).block_elements;
  if (dim % block)
    return invalid("[lift] --kv-type {} stores blocks of {} elements, this model's heads have {}: use f16",
                   dtype_name(options_.kv_dtype), block, dim);
  const Type cache = Type::of(options_.kv_dtype, {Dim::symbol("pages"), options_.page_tokens, kv_heads, dim});
  const ValueId k_cache = out_.add_state(fmt::format("kv.{}.k", layer), cache);
  const ValueId v_cache = out_.add_state(fmt::format("kv.{}.v", layer), cache);
  ValueId q = INGOT_TRY(by_tokens(n, 0, heads * dim)), k = INGOT_TRY(by_tokens(n, 1, kv_heads * dim));
  const ValueId v = INGOT_TRY(by_tokens(n, 2, kv_heads * dim));
  if (f.table != kNoValue) {
    const Attributes rope{{"head_dim", dim}, {"interleaved", int64_t{f.interleaved}}};
    q = INGOT_TRY(out_.add(Op::kRope, {q, f.table}, rope, n.name));
    k = INGOT_TRY(out_.add(Op::kRope, {k, f.table}, rope, n.name));
  }
  std::vector<ValueId> inputs{q, k, v, k_cache, v_cache, query_start_, context_len_, block_table_};
  if (f.sinks != kNoValue) inputs.push_back(f.sinks);
  const float scale = n.attributes.get_float("scale");
  return out_.add(Op::kPagedAttention, std::move(inputs),
                  {{"heads", heads},
                   {"kv_heads", kv_heads},
                   {"head_dim", dim},
                   {"window", f.window},
                   {"softcap", n.attributes.get_float("softcap")},
                   {"scale", scale != 0 ? scale : static_cast<float>(1 / std::sqrt(static_cast<double>(dim)))}},
                  n.name);
}

Result<void> DecoderLifter::emit_attention(const Node& n) {
  const bool group_query = n.op == Op::kGroupQueryAttention;
  const AttentionForm form = group_query ? INGOT_TRY(read_group_query(n)) : INGOT_TRY(read_attention(n));
  const size_t layer = INGOT_TRY(layer_of(n, form));
  result_.layers[layer] = form.heads;
  const ValueId rows = INGOT_TRY(paged(n, form, layer));
  if (in_.value(n.inputs[0]).type.rank() != 4) return set(n.outputs[0], INGOT_TRY(as_batch(rows))), Result<void>{};
  const ValueId split = INGOT_TRY(out_.add(Op::kReshape, {rows, int_list({1, -1, form.heads.query, form.heads.dim})}));
  set(n.outputs[0], INGOT_TRY(out_.add(Op::kTranspose, {split}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}})));
  return {};
}

}  // namespace ingot
