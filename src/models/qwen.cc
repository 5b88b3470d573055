#include "models/qwen.h"

namespace ingot {

Result<std::function<int64_t(int64_t)>> qwen_windows(const ModelBuilder& b) {
  const Hyperparameters h = b.hyperparameters();
  if (!INGOT_TRY(h.flag_or({"", "use_sliding_window"}, false))) return nullptr;
  const int64_t first = INGOT_TRY(h.size_or({"", "max_window_layers"}, 28));
  auto slides = INGOT_TRY(h.sliding_layers(b.config.layers, [&](int64_t i) { return i >= first; }));
  return [window = b.config.window, slides = std::move(slides)](int64_t i) {
    return slides[static_cast<size_t>(i)] ? window : 0;
  };
}

}  // namespace ingot
