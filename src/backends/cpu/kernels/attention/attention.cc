// Splits a ragged batch into tiles of rows and chunks of keys, gives each thread a contiguous share of the work,
// and merges what threads computed of one tile.
//
// A tile is up to 96 rows (tokens x the query heads that share a kv head) of one sequence and one kv head. Tiles of
// few rows (decoding) may be shared by threads: the thread with the first chunk keeps a running state, the others
// leave one state per chunk, and the first merges them in order: the same arithmetic as if it had done all.
#include "backends/cpu/kernels/attention/attention.h"

#include <algorithm>
#include <limits>

#include "backends/cpu/kernels/attention/chunk.h"
#include "base/thread_pool.h"
#include "tensor/block_formats.h"

namespace ingot {
namespace attention {
namespace {

constexpr float kLog2E = 1.44269504088896341f;

Kernels find_kernels(Isa isa) {
#define FLOAT_ISA(level, suffix) \
  if (isa_includes(isa, Isa::level)) return kernels_##suffix();
#include "backends/cpu/kernels/simd/float_isas.def"
#undef FLOAT_ISA
  return kernels_baseline();
}

size_t align64(size_t n) { return (n + 63) / 64 * 64; }

// Register tiles work on all their rows, also those past the last.
int64_t whole_tiles(int64_t rows) { return (rows + kTileRowsMax - 1) / kTileRowsMax * kTileRowsMax; }

// Sizes that depend on shapes alone, and where a thread's memory lies.
struct Layout {
  int64_t dp, rows;  // rows: the most a tile can have, as far as shapes tell
  bool tiles;
  int64_t chunks, split_rows;
  size_t work_floats, state_floats, part_floats, thread_bytes;

  Layout(const AttentionConfig& c, int64_t tokens, int64_t keys, int num_threads) {
    dp = padded_dim(c.head_dim);
    const int64_t all = std::max<int64_t>(1, tokens * (c.heads / c.kv_heads));
    rows = std::min(kRowsMax, whole_tiles(all));
    tiles = all > kDirectRowsMax;
    split_rows = num_threads > 1 ? whole_tiles(std::min(kSplitRowsMax, all)) : 0;
    chunks = (keys + kChunkKeys - 1) / kChunkKeys;
    const int64_t direct = kChunkKeys * kDirectRowsMax + kDirectRowsMax * dp + kLanesMax * dp + dp;
    const int64_t tiled = tiles ? kChunkKeys * (2 * dp + kLanesMax) + 4 * kTileRowsMax * 2 * kLanesMax : 0;
    work_floats = align64(static_cast<size_t>(2 * rows * dp + direct + tiled));
    state_floats = align64(static_cast<size_t>(rows * (dp + 2)));
    part_floats = align64(static_cast<size_t>(split_rows * (dp + 2)));
    thread_bytes = (work_floats + state_floats + part_floats * static_cast<size_t>(split_rows ? chunks : 0)) * 4;
  }

  static State state_at(float* p, int64_t rows) { return {p, p + rows, p + 2 * rows}; }
  float* thread_memory(std::byte* scratch, int thread) const {
    return reinterpret_cast<float*>(scratch + static_cast<size_t>(thread) * thread_bytes);
  }
  Work work(std::byte* scratch, int thread) const {
    float* p = thread_memory(scratch, thread);
    auto take = [&](int64_t n) {
      float* at = p;
      p += n;
      return at;
    };
    Work w{};
    w.q = take(rows * dp);
    w.q_leaf = take(rows * dp);
    w.scores = take(kDirectRowsMax * kChunkKeys);
    w.block = take(kLanesMax * dp);
    w.sums = take(kDirectRowsMax * dp);
    w.zeros = reinterpret_cast<std::byte*>(take(dp));
    std::fill_n(reinterpret_cast<float*>(w.zeros), dp, 0.0f);
    if (tiles) {
      w.keys = take(kChunkKeys * dp);
      w.values = take(kChunkKeys * (dp + kLanesMax));
      w.stack = take(4 * kTileRowsMax * 2 * kLanesMax);
    }
    w.state = state(scratch, thread);
    return w;
  }
  State state(std::byte* scratch, int thread) const {
    return state_at(thread_memory(scratch, thread) + work_floats, rows);
  }
  // What `thread` computed of its first tile's chunk number `index` of those it was given.
  State part(std::byte* scratch, int thread, int64_t index) const {
    float* p = thread_memory(scratch, thread) + work_floats + state_floats;
    return state_at(p + static_cast<size_t>(index) * part_floats, split_rows);
  }
};

struct Tile {
  int64_t seq, kv_head, first_row, rows;  // first_row: in the sequence, token * group + head in group
  int64_t chunk_begin, chunk_end;
  int64_t cost;  // of one chunk
  bool can_split() const { return rows <= kSplitRowsMax; }
  int64_t chunks() const { return chunk_end - chunk_begin; }
};

// All tiles of a batch, in order, and each thread's share of them.
class Schedule {
 public:
  Schedule(const AttentionConfig& c, const AttentionBatch& b, int num_threads)
      : c_(c), b_(b), group_(c.heads / c.kv_heads), num_threads_(num_threads) {
    for_each([&](const Tile& t, int64_t) { total_ += t.cost * t.chunks(); });
  }

  // fn(tile, cost of all tiles before it).
  template <class Fn>
  void for_each(Fn fn) const {
    int64_t before = 0;
    for (int64_t s = 0; s < b_.num_seqs; ++s) {
      const int64_t tokens = b_.query_start[s + 1] - b_.query_start[s], all = tokens * group_;
      const int64_t height = tile_height(all);
      for (int64_t g = 0; g < c_.kv_heads; ++g)
        for (int64_t r = 0; r < all; r += height) {
          const Tile t = make_tile(s, g, r, std::min(height, all - r));
          fn(t, before);
          before += t.cost * t.chunks();
        }
    }
  }

  // The chunks of a tile that belong to a thread; a tile that cannot be split belongs to where it starts.
  Range share(const Tile& t, int64_t before, int thread) const {
    const int64_t begin = total_ * thread / num_threads_, end = total_ * (thread + 1) / num_threads_;
    if (!t.can_split()) return before >= begin && before < end ? Range{t.chunk_begin, t.chunk_end} : Range{0, 0};
    auto chunk_from = [&](int64_t cost) {  // the first chunk that starts at `cost` or later
      const int64_t i = cost <= before ? 0 : (cost - before + t.cost - 1) / t.cost;
      return t.chunk_begin + std::min(i, t.chunks());
    };
    return {chunk_from(begin), chunk_from(end)};
  }

  int64_t first_position(const Tile& t) const {
    return b_.context_len[t.seq] - (b_.query_start[t.seq + 1] - b_.query_start[t.seq]);
  }
  int64_t group() const { return group_; }

 private:
  // Results do not depend on it: how rows are cut is a matter of speed.
  int64_t tile_height(int64_t all) const {
    if (all <= kSplitRowsMax) return std::max<int64_t>(all, 1);
    return c_.kv_heads * all >= 2 * num_threads_ * kRowsMax ? kRowsMax : kRowsMax / 2;
  }
  Tile make_tile(int64_t s, int64_t g, int64_t row, int64_t rows) const {
    Tile t{.seq = s, .kv_head = g, .first_row = row, .rows = rows};
    const int64_t start = first_position(t);
    const int64_t low = start + row / group_, high = start + (row + rows - 1) / group_;
    t.chunk_begin = c_.window > 0 ? std::max<int64_t>(0, low - c_.window + 1) / kChunkKeys : 0;
    t.chunk_end = high / kChunkKeys + 1;
    t.cost = rows + 12;  // reading and converting a chunk costs as much as some rows
    return t;
  }

  const AttentionConfig& c_;
  const AttentionBatch& b_;
  const int64_t group_;
  const int num_threads_;
  int64_t total_ = 0;
};

const float* query_row(const AttentionConfig& c, const AttentionBatch& b, const Tile& t, int64_t r, int64_t group) {
  const int64_t row = t.first_row + r, token = b.query_start[t.seq] + row / group;
  return b.q + (token * c.heads + t.kv_head * group + row % group) * c.head_dim;
}

void reset(const State& s, int64_t rows, int64_t dp) {
  std::fill_n(s.max, rows, -std::numeric_limits<float>::infinity());
  std::fill_n(s.sum, rows, 0.0f);
  std::fill_n(s.values, rows * dp, 0.0f);
}

// A sink is a key of value 0 that every row of its head sees first.
void start_rows(const AttentionConfig& c, const AttentionBatch& b, const Tile& t, const State& s, int64_t dp) {
  reset(s, t.rows, dp);
  const int64_t group = c.heads / c.kv_heads;
  for (int64_t r = 0; b.sinks && r < t.rows; ++r) {
    s.max[r] = b.sinks[t.kv_head * group + (t.first_row + r) % group] * kLog2E;
    s.sum[r] = 1;
  }
}

void finish_rows(const AttentionConfig& c, const AttentionBatch& b, const Tile& t, const State& s, int64_t dp,
                 const Kernels& k) {
  const int64_t group = c.heads / c.kv_heads;
  for (int64_t r = 0; r < t.rows; ++r) k.finish(s, r, c.head_dim, dp, b.out + (query_row(c, b, t, r, group) - b.q));
}

ChunkJob make_job(const AttentionConfig& c, const AttentionBatch& b, const Schedule& s, const Tile& t,
                  const Work& work) {
  const size_t row_bytes = dtype_bytes(c.kv_dtype, c.head_dim);
  const size_t head = static_cast<size_t>(t.kv_head) * row_bytes;
  return {.work = &work,
          .rows = t.rows,
          .d = c.head_dim,
          .dp = padded_dim(c.head_dim),
          .first_position = s.first_position(t),
          .first_row = t.first_row,
          .group = s.group(),
          .window = c.window,
          .softcap = c.softcap * kLog2E,
          .kv_dtype = c.kv_dtype,
          .k_cache = b.k_cache + head,
          .v_cache = b.v_cache + head,
          .row_stride = row_bytes * static_cast<size_t>(c.kv_heads),
          .row_bytes = row_bytes,
          .pages = b.block_table + t.seq * b.table_width,
          .page_tokens = b.page_tokens};
}

}  // namespace
}  // namespace attention

using namespace attention;

bool attention_supports(const AttentionConfig& c) {
  const bool type = c.kv_dtype == DType::kF32 || c.kv_dtype == DType::kF16 || c.kv_dtype == DType::kBF16 ||
                    c.kv_dtype == DType::kQ8_0 || c.kv_dtype == DType::kQ4_0;
  return type && c.head_dim > 0 && c.head_dim <= kHeadDimMax && c.head_dim % 8 == 0 &&
         c.head_dim % dtype_info(c.kv_dtype).block_elements == 0 && c.kv_heads > 0 && c.heads % c.kv_heads == 0;
}

size_t attention_scratch_bytes(const AttentionConfig& c, int64_t tokens, int64_t keys, int num_threads) {
  return Layout(c, tokens, keys, num_threads).thread_bytes * static_cast<size_t>(num_threads);
}

void append_keys_values(const AttentionConfig& c, const AttentionBatch& b, int thread, int num_threads) {
  const Kernels kernels = find_kernels(c.isa);
  const size_t row_bytes = dtype_bytes(c.kv_dtype, c.head_dim);
  const Range share = partition(b.query_start[b.num_seqs], thread, num_threads);
  int64_t s = 0;
  for (int64_t t = share.begin; t < share.end; ++t) {
    while (t >= b.query_start[s + 1]) ++s;
    const int64_t position = b.context_len[s] - (b.query_start[s + 1] - t);
    const int64_t page = b.block_table[s * b.table_width + position / b.page_tokens];
    const int64_t first = (page * b.page_tokens + position % b.page_tokens) * c.kv_heads;
    for (int64_t g = 0; g < c.kv_heads; ++g) {
      const size_t at = static_cast<size_t>(first + g) * row_bytes;
      kernels.encode(c.kv_dtype, b.k + (t * c.kv_heads + g) * c.head_dim, b.k_cache + at, c.head_dim);
      kernels.encode(c.kv_dtype, b.v + (t * c.kv_heads + g) * c.head_dim, b.v_cache + at, c.head_dim);
    }
  }
}

void attend(const AttentionConfig& c, const AttentionBatch& b, int thread, int num_threads) {
  const Kernels kernels = find_kernels(c.isa);
  const Layout layout(c, b.scratch_tokens, b.scratch_keys, num_threads);
  const Work work = layout.work(b.scratch, thread);
  const Schedule schedule(c, b, num_threads);
  schedule.for_each([&](const Tile& t, int64_t before) {
    const Range mine = schedule.share(t, before, thread);
    if (mine.begin >= mine.end) return;
    for (int64_t r = 0; r < t.rows; ++r)
      kernels.pack_queries(work, query_row(c, b, t, r, schedule.group()), r, c.head_dim, c.scale * kLog2E);
    ChunkJob job = make_job(c, b, schedule, t, work);
    const bool from_start = mine.begin == t.chunk_begin;
    job.state = work.state;
    if (from_start) start_rows(c, b, t, job.state, layout.dp);
    for (int64_t chunk = mine.begin; chunk < mine.end; ++chunk) {
      if (!from_start) {
        job.state = layout.part(b.scratch, thread, chunk - mine.begin);
        reset(job.state, t.rows, layout.dp);
      }
      job.chunk = chunk;
      kernels.process_chunk(job);
    }
    if (from_start && mine.end == t.chunk_end) finish_rows(c, b, t, job.state, layout.dp, kernels);
  });
}

// Only a thread's last tile can go on at other threads, so its state is still in place.
void merge_split_rows(const AttentionConfig& c, const AttentionBatch& b, int thread, int num_threads) {
  const Kernels kernels = find_kernels(c.isa);
  const Layout layout(c, b.scratch_tokens, b.scratch_keys, num_threads);
  const Schedule schedule(c, b, num_threads);
  schedule.for_each([&](const Tile& t, int64_t before) {
    const Range mine = schedule.share(t, before, thread);
    if (mine.begin >= mine.end || mine.begin != t.chunk_begin || mine.end == t.chunk_end) return;
    const State total = layout.state(b.scratch, thread);
    for (int other = thread + 1; other < num_threads; ++other) {
      const Range theirs = schedule.share(t, before, other);
      for (int64_t chunk = theirs.begin; chunk < theirs.end; ++chunk)
        kernels.merge(total, layout.part(b.scratch, other, chunk - theirs.begin), t.rows, layout.dp);
    }
    finish_rows(c, b, t, total, layout.dp, kernels);
  });
}

}  // namespace ingot
