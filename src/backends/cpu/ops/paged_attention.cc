// ingot.paged_attention on the CPU (kernels/attention). What the block table and lengths say is checked on every
// call: a wrong entry ends the run with a Status and touches no memory.
#include "backends/backend.h"
#include "backends/cpu/kernels/attention/attention.h"

namespace ingot {
namespace {

AttentionConfig read_config(const Node& node, DType kv_dtype) {
  const Attributes& a = node.attributes;
  return {.heads = a.get_int("heads"),
          .kv_heads = a.get_int("kv_heads"),
          .head_dim = a.get_int("head_dim"),
          .window = a.get_int("window"),
          .scale = a.get_float("scale"),
          .softcap = a.get_float("softcap"),
          .kv_dtype = kv_dtype,
          .isa = current_isa()};
}

int64_t keys_max(const TensorView& table, const TensorView& cache) { return table.shape[1] * cache.shape[1]; }

// Multiply-adds if every sequence were as long as its table allows.
int64_t work(const BoundShapes& s) {
  return 2 * s.inputs[0].num_elements() * std::min<int64_t>(keys_max(s.inputs[7], s.inputs[3]), 1 << 20);
}

size_t scratch_bytes(const BoundShapes& s) {
  return attention_scratch_bytes(read_config(s.node, s.inputs[3].dtype), s.inputs[0].shape[0],
                                 keys_max(s.inputs[7], s.inputs[3]), s.num_threads);
}

Result<void> check(const KernelContext& c) {
  const int64_t tokens = c.in(0).shape[0], batch = c.in(6).num_elements();
  const int64_t pages = c.in(3).shape[0], page_tokens = c.in(3).shape[1], width = c.in(7).shape[1];
  const int32_t *start = c.in(5).as<int32_t>(), *length = c.in(6).as<int32_t>(), *table = c.in(7).as<int32_t>();
  if (start[0] != 0 || start[batch] != tokens)
    return invalid("[run] query_start runs from {} to {}, not over the {} tokens", start[0], start[batch], tokens);
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t rows = start[b + 1] - start[b];
    if (rows < 0 || length[b] < rows || length[b] > width * page_tokens)
      return invalid("[run] sequence {}: {} new tokens, {} in all, room for {} in its block table", b, rows, length[b],
                     width * page_tokens);
    for (int64_t i = 0; i * page_tokens < length[b]; ++i)
      if (table[b * width + i] < 0 || table[b * width + i] >= pages)
        return invalid("[run] sequence {}: block {} is page {}, not in [0, {})", b, i, table[b * width + i], pages);
  }
  return {};
}

void run(KernelContext& c) {
  // Every thread checks, so all of them agree to stop.
  if (auto ok = check(c); !ok) return c.fail(std::move(ok).error());
  const AttentionConfig& config = *static_cast<const AttentionConfig*>(c.prepared);
  auto bytes = [&](int i) { return const_cast<std::byte*>(c.in(i).as<std::byte>()); };  // states are written
  const AttentionBatch batch{.q = c.in(0).as<float>(),
                             .k = c.in(1).as<float>(),
                             .v = c.in(2).as<float>(),
                             .k_cache = bytes(3),
                             .v_cache = bytes(4),
                             .page_tokens = c.in(3).shape[1],
                             .table_width = c.in(7).shape[1],
                             .num_seqs = c.in(6).num_elements(),
                             .query_start = c.in(5).as<int32_t>(),
                             .context_len = c.in(6).as<int32_t>(),
                             .block_table = c.in(7).as<int32_t>(),
                             .sinks = c.has_input(8) ? c.in(8).as<float>() : nullptr,
                             .out = c.out(0).as<float>(),
                             .scratch = c.scratch,
                             .scratch_tokens = c.in(0).shape[0],
                             .scratch_keys = keys_max(c.in(7), c.in(3))};
  append_keys_values(config, batch, c.thread, c.num_threads);
  if (c.num_threads > 1) c.barrier();
  attend(config, batch, c.thread, c.num_threads);
  if (c.num_threads == 1) return;
  c.barrier();
  merge_split_rows(config, batch, c.thread, c.num_threads);
}

}  // namespace

Support cpu_supports_paged_attention(const NodeView& v) {
  const DType type = v.input_type(3).dtype;
  const AttentionConfig config = read_config(v.node, type);
  if (type != v.input_type(4).dtype) return Support::no("keys and values differ in type");
  if (!attention_supports(config))
    return Support::no("a cache of {} with heads of {}", dtype_name(type), config.head_dim);
  for (int i : {3, 4}) {
    const Type& cache = v.input_type(i);
    if (!cache.ranked() || cache.rank() != 4) return Support::no("the cache is {}", cache.to_string());
    const Dims& d = *cache.dims;
    if (!(d[2] == Dim(config.kv_heads)) || !(d[3] == Dim(config.head_dim)))
      return Support::no("the cache is {}", cache.to_string());
  }
  return Support::yes();
}

Result<Kernel> cpu_prepare_paged_attention(const NodeView& v, ThreadPool&) {
  auto config = std::make_shared<AttentionConfig>(read_config(v.node, v.input_type(3).dtype));
  return Kernel{.name = fmt::format("paged_attention_{}_{}", dtype_name(config->kv_dtype), isa_name(config->isa)),
                .run = run,
                .prepared = config,
                .work = work,
                .scratch_bytes = scratch_bytes};
}

}  // namespace ingot
