// Blocks the matrices for the caches, splits them among threads, and feeds the tiles.
#include "backends/cpu/kernels/gemm/gemm.h"

#include <algorithm>
#include <limits>

#include "base/thread_pool.h"

namespace ingot {

#define FLOAT_ISA(level, suffix) const GemmKernels& gemm_kernels_##suffix();
#include "backends/cpu/kernels/simd/float_isas.def"
#undef FLOAT_ISA
const GemmKernels& gemm_kernels_baseline();

namespace {

// A block of K: a panel of B (kBlockK * 32 floats) stays in the L1 cache while rows of A pass.
constexpr int64_t kBlockK = 256;
// Panels of A packed at a time, and of B made at a time: 14 * 24 * 256 and 32 * 12 * 256 floats, for the L2 cache.
constexpr int64_t kBlockPanelsA = 24;
constexpr int64_t kBlockPanelsB = 12;
constexpr int kTileRowsMax = 14;
constexpr int kPanelColumnsMax = 32;
constexpr int64_t kScratchA = kBlockPanelsA * kTileRowsMax * kBlockK;
constexpr int64_t kScratchB = kBlockPanelsB * kPanelColumnsMax * kBlockK;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

class Worker {
 public:
  Worker(const Gemm& g, Isa isa, float* scratch)
      : g_(g), k_(gemm_kernels(isa)), split_(g.m, k_.tile_rows), scratch_a_(scratch), scratch_b_(scratch + kScratchA) {
    low_ = -std::numeric_limits<float>::infinity();
    high_ = std::numeric_limits<float>::infinity();
    if (g.act.kind == Act::kRelu) low_ = 0;
    if (g.act.kind == Act::kClip) low_ = g.act.alpha, high_ = g.act.beta;
    activates_ = g.act.kind != Act::kNone && g.act.kind != Act::kRelu && g.act.kind != Act::kClip;
  }

  // Panels [panel_begin, panel_end) of B and panels `rows` of A, of one batch.
  void run(int64_t batch, Range columns, Range rows) {
    if (g_.offsets) at_ = g_.offsets(g_.owner, batch);
    batch_ = batch;
    // B that needs no copy is read once per block of rows; otherwise blocks of B are copied once for all rows.
    const bool has_b = g_.b.packed || reads_b_in_place(rows);
    const int64_t step_b = has_b ? std::max<int64_t>(columns.end - columns.begin, 1) : kBlockPanelsB;
    const int64_t step_a = has_b && !g_.a.packed ? kBlockPanelsA : rows.end - rows.begin;
    for (int64_t r = rows.begin; r < rows.end; r += step_a)
      for (int64_t p = columns.begin; p < columns.end; p += step_b)
        for (int64_t k = 0; k < std::max<int64_t>(g_.k, 1); k += kBlockK)
          block({p, std::min(columns.end, p + step_b)}, {r, std::min(rows.end, r + step_a)}, k,
                std::min(kBlockK, g_.k - k));
  }

 private:
  int64_t columns_at(int64_t panel) const {
    return std::min<int64_t>(k_.panel_columns, g_.n - panel * k_.panel_columns);
  }
  // Few rows read B once or twice: a copy would cost more than it saves.
  bool reads_b_in_place(Range rows) const { return g_.b.data && g_.b.column_step == 1 && rows.end - rows.begin <= 2; }

  void block(Range columns, Range rows, int64_t k, int64_t k_count) {
    const bool in_place = reads_b_in_place(rows);
    if (!g_.b.packed)
      for (int64_t p = columns.begin; p < columns.end && k_count > 0; ++p)
        if (!in_place || columns_at(p) < k_.panel_columns) fill_b(p, p - columns.begin, k, k_count);
    const int64_t step = g_.a.packed ? rows.end - rows.begin : kBlockPanelsA;
    for (int64_t r = rows.begin; r < rows.end; r += step) {
      const Range some{r, std::min(rows.end, r + step)};
      if (!g_.a.packed && k_count > 0) fill_a(some, k, k_count);
      const bool one_row = rows.end - rows.begin == 1 && split_.rows_of(rows.begin) == 1 && (g_.b.packed || in_place);
      for (int64_t p = columns.begin; p < columns.end;) {
        const bool two = one_row && p + 1 < columns.end && columns_at(p + 1) == k_.panel_columns;
        panel(p, p - columns.begin, some, k, k_count, two);
        p += two ? 2 : 1;
      }
    }
  }

  // In place, only the last panel of the matrix is ever copied: it goes to slot 0.
  float* slot_b(int64_t slot) const {
    return scratch_b_ + (slot < kBlockPanelsB ? slot : 0) * k_.panel_columns * kBlockK;
  }

  void fill_b(int64_t p, int64_t slot, int64_t k, int64_t k_count) {
    const int64_t column = p * k_.panel_columns;
    const int count = static_cast<int>(columns_at(p));
    if (g_.b.fill)
      g_.b.fill(g_.b.source, batch_, k, k_count, column, count, slot_b(slot));
    else
      k_.pack_b(g_.b.data + at_.b + k * g_.b.k_step + column * g_.b.column_step, g_.b.k_step, g_.b.column_step, count,
                k_count, slot_b(slot));
  }

  void fill_a(Range rows, int64_t k, int64_t k_count) {
    float* out = scratch_a_;
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const int n = split_.rows_of(r);
      k_.pack_a(g_.a.data + at_.a + r * split_.panel_rows * g_.a.row_step + k * g_.a.k_step, g_.a.row_step, g_.a.k_step,
                n, k_count, out);
      out += n * kBlockK;
    }
  }

  // One panel of B against some panels of A, or two against a single row.
  void panel(int64_t p, int64_t slot, Range rows, int64_t k, int64_t k_count, bool two) {
    const int64_t column = p * k_.panel_columns;
    GemmTile t{.k = k_count,
               .ldc = g_.ldc,
               .columns = static_cast<int>(columns_at(p)) * (two ? 2 : 1),
               .start = k == 0,
               .finish = k + k_count >= g_.k,
               .alpha = g_.alpha,
               .low = low_,
               .high = high_,
               .bias = g_.scalar_bias,
               .column_bias = g_.column_bias ? g_.column_bias + column : nullptr};
    t.b_step = k_.panel_columns;
    t.b_panel = g_.b.packed ? g_.k * k_.panel_columns : k_.panel_columns;
    if (g_.b.packed) {
      t.b = g_.b.packed + at_.b_packed + (p * g_.k + k) * k_.panel_columns;
    } else if (reads_b_in_place(rows) && columns_at(p) == k_.panel_columns) {
      t.b = g_.b.data + at_.b + k * g_.b.k_step + column;
      t.b_step = g_.b.k_step;
    } else {
      t.b = slot_b(slot);
    }
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const int n = split_.rows_of(r);
      const int64_t row = r * split_.panel_rows;
      t.a_step = n;
      t.a = g_.a.packed ? g_.a.packed + at_.a_packed + row * g_.k + k * n
                        : scratch_a_ + (r - rows.begin) * split_.panel_rows * kBlockK;
      t.c = g_.c + at_.c + row * g_.ldc + column;
      t.row_bias = g_.row_bias ? g_.row_bias + at_.row_bias + row : nullptr;
      t.residual = g_.residual ? g_.residual + at_.c + row * g_.ldc + column : nullptr;
      if (two)
        k_.row(t);
      else
        k_.tile(n, t);
      if (activates_ && t.finish)
        for (int i = 0; i < n; ++i) k_.activate(g_.act, t.c + i * g_.ldc, t.columns);
    }
  }

  const Gemm& g_;
  const GemmKernels& k_;
  const PanelSplit split_;
  float *scratch_a_, *scratch_b_;
  float low_, high_;
  bool activates_;
  int64_t batch_ = 0;
  Gemm::Offsets at_;
};

}  // namespace

ThreadSplit split_threads(int64_t panels_a, int64_t panels_b, int num_threads) {
  ThreadSplit best{num_threads, 1};
  int64_t least = std::numeric_limits<int64_t>::max();
  for (int over_b = num_threads; over_b >= 1; --over_b) {
    if (num_threads % over_b) continue;
    const int over_a = num_threads / over_b;
    const int64_t longest = ceil_div(panels_a, over_a) * ceil_div(panels_b, over_b);
    if (longest >= least) continue;
    least = longest;
    best = {over_b, over_a};
  }
  return best;
}

PanelSplit::PanelSplit(int64_t m, int tile_rows)
    : rows(m), panels(ceil_div(m, tile_rows)), panel_rows(panels ? ceil_div(m, panels) : 1) {
  panels = ceil_div(m, panel_rows);
}

int PanelSplit::rows_of(int64_t panel) const {
  return static_cast<int>(std::min(panel_rows, rows - panel * panel_rows));
}

const GemmKernels& gemm_kernels(Isa isa) {
#define FLOAT_ISA(level, suffix) \
  if (isa_includes(isa, Isa::level)) return gemm_kernels_##suffix();
#include "backends/cpu/kernels/simd/float_isas.def"
#undef FLOAT_ISA
  return gemm_kernels_baseline();
}

size_t gemm_packed_a_floats(int64_t m, int64_t k) { return static_cast<size_t>(m * k); }

size_t gemm_packed_b_floats(int64_t n, int64_t k, Isa isa) {
  const int panel = gemm_kernels(isa).panel_columns;
  return static_cast<size_t>(ceil_div(n, panel) * panel * k);
}

void pack_gemm_a(const GemmA& a, int64_t m, int64_t k, Isa isa, float* out, int thread, int num_threads) {
  if (k == 0) return;  // there may be no data at all
  const GemmKernels& kernels = gemm_kernels(isa);
  const PanelSplit split(m, kernels.tile_rows);
  const Range range = partition(split.panels, thread, num_threads);
  for (int64_t p = range.begin; p < range.end; ++p) {
    const int64_t row = p * split.panel_rows;
    kernels.pack_a(a.data + row * a.row_step, a.row_step, a.k_step, split.rows_of(p), k, out + row * k);
  }
}

void pack_gemm_b(const GemmB& b, int64_t n, int64_t k, Isa isa, float* out, int thread, int num_threads) {
  if (k == 0) return;  // there may be no data at all
  const GemmKernels& kernels = gemm_kernels(isa);
  const int64_t panel = kernels.panel_columns;
  const Range range = partition(ceil_div(n, panel), thread, num_threads);
  for (int64_t p = range.begin; p < range.end; ++p)
    kernels.pack_b(b.data + p * panel * b.column_step, b.k_step, b.column_step,
                   static_cast<int>(std::min(panel, n - p * panel)), k, out + p * panel * k);
}

size_t gemm_scratch_bytes(int num_threads) {
  return static_cast<size_t>(kScratchA + kScratchB) * sizeof(float) * static_cast<size_t>(num_threads);
}

void gemm(const Gemm& g, Isa isa, std::byte* scratch, int thread, int num_threads) {
  if (g.m == 0 || g.n == 0 || g.batch == 0) return;
  const GemmKernels& kernels = gemm_kernels(isa);
  const int64_t panels = ceil_div(g.n, kernels.panel_columns);
  const PanelSplit rows(g.m, kernels.tile_rows);
  const ThreadSplit split = split_threads(rows.panels, panels * g.batch, num_threads);
  const Range mine = partition(panels * g.batch, thread % split.over_b, split.over_b);
  const Range mine_rows = partition(rows.panels, thread / split.over_b, split.over_a);
  if (mine_rows.begin == mine_rows.end) return;
  Worker worker(g, isa, reinterpret_cast<float*>(scratch) + thread * (kScratchA + kScratchB));
  for (int64_t at = mine.begin; at < mine.end;) {
    const int64_t batch = at / panels, first = at - batch * panels;
    const int64_t last = std::min(panels, first + mine.end - at);
    worker.run(batch, {first, last}, mine_rows);
    at += last - first;
  }
}

}  // namespace ingot
