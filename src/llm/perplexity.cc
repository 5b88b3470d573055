#include "llm/perplexity.h"

#include <algorithm>
#include <cmath>

#include "llm/sampling/dense_math.h"

namespace ingot::llm {
namespace {

// Logits of this many rows at once: [32, V] floats are 32 MB for the largest vocabularies.
constexpr int64_t kRowsMax = 32;

double negative_log_likelihood(std::span<const float> row, int32_t token) {
  const int64_t best = argmax(row);
  if (best < 0) return INFINITY;
  const float top = row[static_cast<size_t>(best)];
  return std::log(sum_exp(row, top)) - (static_cast<double>(row[static_cast<size_t>(token)]) - top);
}

struct Score {
  double sum = 0, squares = 0;
  int64_t count = 0;

  void add(double nll) {
    sum += nll;
    squares += nll * nll;
    ++count;
  }
  Perplexity result(int64_t windows) const {
    const double n = static_cast<double>(count), mean = sum / n;
    const double variance = std::max(0.0, squares / n - mean * mean);
    return {std::exp(mean), mean, count > 1 ? std::sqrt(variance / (n - 1)) : 0, count, windows};
  }
};

// Runs tokens [begin, end) of a window and scores rows from `first` on.
Result<void> run_part(LoadedModel& model, SeqId seq, std::span<const int32_t> window, int64_t begin, int64_t end,
                      int64_t first, Score& score) {
  const auto part = window.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  const Chunk chunk{seq, part, static_cast<int>(std::max<int64_t>(0, end - std::max(begin, first)))};
  const TensorView logits = INGOT_TRY(model.runner->step(std::span(&chunk, 1)));
  const size_t vocab = static_cast<size_t>(model.runner->vocab());
  std::vector<double> nll(static_cast<size_t>(chunk.logits));
  model.runner->session().pool().run([&](int thread, int num_threads) {
    const Range share = partition(chunk.logits, thread, num_threads);
    for (int64_t r = share.begin; r < share.end; ++r)
      nll[static_cast<size_t>(r)] =
          negative_log_likelihood({logits.as<float>() + static_cast<size_t>(r) * vocab, vocab},
                                  window[static_cast<size_t>(end - chunk.logits + r + 1)]);
  });
  for (double v : nll) score.add(v);
  return {};
}

}  // namespace

Result<Perplexity> perplexity(LoadedModel& model, std::span<const int32_t> tokens, int64_t context,
                              const std::function<void(const Perplexity&, int64_t)>& progress) {
  if (context < 4) return invalid("[eval] --ctx: a window of {} tokens is too short: give at least 4", context);
  if (context > model.runner->context())
    return invalid("[eval] --ctx: a window of {} tokens passes the context of {}", context, model.runner->context());
  const int64_t windows = static_cast<int64_t>(tokens.size()) / context;
  if (windows < 2)
    return invalid(
        "[eval] the text has {} tokens; at least {} are needed for windows of {}: give a longer text or a smaller "
        "--ctx",
        tokens.size(), 2 * context, context);
  const SpecialTokens& special = model.tokenizer->special();
  const int64_t first = context / 2, last = context - 1;  // rows [first, last) predict a token of the window
  Score score;
  std::vector<int32_t> window;
  for (int64_t w = 0; w < windows; ++w) {
    const auto begin = tokens.begin() + w * context;
    window.assign(begin, begin + context);
    if (special.add_bos && special.bos) window[0] = *special.bos;
    const SeqId seq = model.runner->add_sequence();
    auto ran = run_part(model, seq, window, 0, first, first, score);
    for (int64_t at = first; ran && at < last; at += kRowsMax)
      ran = run_part(model, seq, window, at, std::min(at + kRowsMax, last), first, score);
    model.runner->remove_sequence(seq);
    INGOT_TRY(std::move(ran));
    if (progress) progress(score.result(w + 1), windows);
  }
  return score.result(windows);
}

}  // namespace ingot::llm
