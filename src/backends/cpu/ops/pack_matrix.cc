#include "backends/cpu/ops/pack_matrix.h"

#include "base/mapped_file.h"

namespace ingot {

void pack_matrix(const PackedWeights& weights, const TensorView& w, bool file_backed, std::byte* dst,
                 ThreadPool& pool) {
  constexpr size_t kSliceBytes = size_t{4} << 20;
  const size_t bytes = w.num_bytes(), slices_a_thread = bytes / kSliceBytes / static_cast<size_t>(pool.size()) + 1;
  pool.run([&](int thread, int num_threads) {
    const size_t slices = slices_a_thread * static_cast<size_t>(num_threads);
    for (size_t i = 0; i < slices_a_thread; ++i) {
      const size_t s = static_cast<size_t>(thread) * slices_a_thread + i;
      pack_weights(weights, w.data, dst, static_cast<int>(s), static_cast<int>(slices));
      const size_t begin = bytes / slices * s, end = bytes / slices * (s + 1);
      if (file_backed) drop_mapped_pages(static_cast<const std::byte*>(w.data) + begin, end - begin);
    }
  });
}

}  // namespace ingot
