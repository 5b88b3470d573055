// The cost of opening a model: a GGUF with a vocabulary of 262,144 strings, written for the purpose, and
// the file that the environment variable INGOT_BENCH_MODEL names, if any.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "formats/gguf/gguf_writer.h"
#include "formats/source.h"

namespace ingot {
namespace {

constexpr size_t kTokens = 262'144;

void open_repeatedly(benchmark::State& state, const std::string& path) {
  for (auto _ : state) {
    auto source = open_source(path);
    if (!source) {
      state.SkipWithError(source.error().message().c_str());
      return;
    }
    benchmark::DoNotOptimize((*source)->tensors().size());
  }
}

void open_large_vocabulary(benchmark::State& state) {
  const auto path = (std::filesystem::temp_directory_path() / "ingot-source-bench.gguf").string();
  std::vector<std::string> words;
  for (size_t i = 0; i < kTokens; ++i) words.push_back(fmt::format("token{}", i));
  const std::vector<std::string_view> views(words.begin(), words.end());
  GgufWriter writer;
  writer.add_strings("tokenizer.ggml.tokens", views);
  writer.add_numbers("tokenizer.ggml.scores", std::span<const float>(std::vector<float>(kTokens)));
  if (const auto written = writer.write(path); !written) state.SkipWithError(written.error().message().c_str());
  open_repeatedly(state, path);
  std::filesystem::remove(path);
}
BENCHMARK(open_large_vocabulary)->Unit(benchmark::kMillisecond);

void open_given_model(benchmark::State& state) {
  const char* path = std::getenv("INGOT_BENCH_MODEL");
  if (path) {
    open_repeatedly(state, path);
  } else {
    state.SkipWithError("INGOT_BENCH_MODEL is not set");
  }
}
BENCHMARK(open_given_model)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ingot
