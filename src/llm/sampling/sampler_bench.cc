// One step of the sampler over a vocabulary of 262,144 (Gemma 3), by what it is asked for.
#include <benchmark/benchmark.h>

#include <random>

#include "llm/sampling/sampler.h"

namespace ingot::llm {
namespace {

constexpr size_t kVocab = 262'144;

std::vector<float> logits() {
  std::mt19937 rng(1);
  std::normal_distribution<float> normal(0, 2.5f);
  std::vector<float> x(kVocab);
  for (float& v : x) v = normal(rng);
  for (int i = 0; i < 20; ++i) x[rng() % kVocab] = 14 + 0.3f * static_cast<float>(i);
  return x;
}

void run(benchmark::State& state, SamplerParams params) {
  params.seed = 1;
  auto sampler = Sampler::create(params, {static_cast<int64_t>(kVocab), {}, nullptr});
  const std::vector<float> x = logits();
  for (int i = 0; i < 64; ++i) sampler->accept(i * 13);
  for (auto _ : state) benchmark::DoNotOptimize(sampler->sample(x));
}

void greedy(benchmark::State& state) {
  SamplerParams p;
  p.temperature = 0;
  run(state, p);
}
void defaults(benchmark::State& state) { run(state, {}); }
void penalized(benchmark::State& state) {
  SamplerParams p;
  p.repeat_penalty = 1.1f;
  run(state, p);
}
void top_p_only(benchmark::State& state) {
  SamplerParams p;
  p.top_k = 0;
  p.min_p = 0;
  run(state, p);
}
void no_truncation(benchmark::State& state) {
  SamplerParams p;
  p.order = {};
  run(state, p);
}
void typical(benchmark::State& state) {
  SamplerParams p;
  p.order = {SamplerStep::kTypicalP};
  p.typical_p = 0.9f;
  run(state, p);
}
void greedy_logprobs(benchmark::State& state) {
  SamplerParams p;
  p.temperature = 0;
  p.logprobs = 5;
  run(state, p);
}

BENCHMARK(greedy)->Unit(benchmark::kMicrosecond);
BENCHMARK(defaults)->Unit(benchmark::kMicrosecond);
BENCHMARK(penalized)->Unit(benchmark::kMicrosecond);
BENCHMARK(top_p_only)->Unit(benchmark::kMicrosecond);
BENCHMARK(no_truncation)->Unit(benchmark::kMicrosecond);
BENCHMARK(typical)->Unit(benchmark::kMicrosecond);
BENCHMARK(greedy_logprobs)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace ingot::llm
