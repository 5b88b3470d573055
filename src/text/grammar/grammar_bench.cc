// Masks over a real vocabulary: what compiling a schema costs, the dearest first mask, and one that is there already.
// The vocabulary is that of the file in INGOT_MODEL; without it nothing is measured.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "text/grammar/grammar.h"
#include "text/grammar/token_grammar.h"

namespace ingot::grammar {
namespace {

constexpr const char* kText =
    R"({"name": "Anna \"B\" Smith, a long name", "age": 31, "tags": ["x y z", "qq"], "at": 0.5})";
constexpr const char* kSchemas[] = {
    R"({"type": "object"})",
    R"({"properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "tags": {"items": {"type": "string",
        "maxLength": 200}}, "at": {"type": "number", "minimum": 0, "maximum": 0.9}}, "required": ["name", "age", "tags"]})",
    R"({"properties": {"name": {"pattern": "^[A-Za-z\", ]+$"}, "age": {"type": "integer"}}, "additionalProperties": true})"};

std::shared_ptr<const Tokenizer> tokenizer() {
  static const auto loaded = [] {
    const char* path = std::getenv("INGOT_MODEL");
    auto t = path ? Tokenizer::from_path(path) : Result<std::shared_ptr<const Tokenizer>>(nullptr);
    return t ? *t : nullptr;
  }();
  return loaded;
}

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// Each iteration compiles anew and follows the text; the time is that of compiling and preparing.
void schema(benchmark::State& state, bool prepare) {
  if (!tokenizer()) return state.SkipWithError("INGOT_MODEL names no model file");
  const auto trie = std::make_shared<const TokenTrie>(*tokenizer(), tokenizer()->vocab_size());
  const auto tokens = *tokenizer()->encode(kText, false);
  double sum_ms = 0, worst_ms = 0, cached_ms = 0;
  int64_t num_masks = 0;
  for (auto _ : state) {
    const auto grammar = std::make_shared<TokenGrammar>(*from_json_schema(kSchemas[state.range(0)]), trie);
    if (prepare) grammar->prepare();
    state.PauseTiming();
    for (double* total : {&sum_ms, &cached_ms}) {
      TokenMatcher matcher(grammar);
      for (int32_t token : tokens) {
        const auto start = std::chrono::steady_clock::now();
        benchmark::DoNotOptimize(matcher.allowed());
        const double ms = ms_since(start);
        *total += ms;
        if (total == &sum_ms) worst_ms = std::max(worst_ms, ms);
        matcher.accept(token);
      }
    }
    num_masks += static_cast<int64_t>(tokens.size());
    state.ResumeTiming();
  }
  state.counters["first_us"] = 1e3 * sum_ms / static_cast<double>(num_masks);
  state.counters["first_us_max"] = 1e3 * worst_ms;
  state.counters["again_us"] = 1e3 * cached_ms / static_cast<double>(num_masks);
}
BENCHMARK_CAPTURE(schema, prepared, true)->DenseRange(0, 2)->Unit(benchmark::kMillisecond)->Iterations(5);
BENCHMARK_CAPTURE(schema, not_prepared, false)->DenseRange(0, 2)->Unit(benchmark::kMillisecond)->Iterations(5);

void vocabulary(benchmark::State& state) {
  if (!tokenizer()) return state.SkipWithError("INGOT_MODEL names no model file");
  for (auto _ : state) benchmark::DoNotOptimize(TokenTrie(*tokenizer(), tokenizer()->vocab_size()));
}
BENCHMARK(vocabulary)->Unit(benchmark::kMillisecond)->Iterations(3);

}  // namespace
}  // namespace ingot::grammar
