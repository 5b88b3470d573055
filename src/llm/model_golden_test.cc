// Every architecture against transformers' float32 logits (tests/goldens/models, made by make_models.py), from the
// Hugging Face folder and from the GGUF of the same weights, in one prompt and in chunks.
#include <gtest/gtest.h>

#include <cmath>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "llm/golden_check.h"
#include "llm/model_runner.h"

namespace ingot {
namespace {

double relative_l2(std::span<const float> got, std::span<const float> want) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - want[i], 2);
    norm += std::pow(static_cast<double>(want[i]), 2);
  }
  return std::sqrt(difference / norm);
}

class ModelGolden : public testing::TestWithParam<std::tuple<std::string, bool, bool>> {};

TEST_P(ModelGolden, gives_the_logits_of_transformers) {
  const auto [name, gguf, fast] = GetParam();
  const std::string folder = INGOT_SOURCE_DIR "/tests/goldens/models/" + name;
  auto source = open_source(gguf ? folder + "/model.gguf" : folder);
  ASSERT_TRUE(source) << source.error().message();
  std::vector<const Backend*> backends{&ref_backend()};
  if (fast) backends.insert(backends.begin(), &cpu_backend());
  auto runner = ModelRunner::create(
      *source, {.pool = std::make_shared<ThreadPool>(fast ? 2 : 1), .backends = backends, .kv_dtype = DType::kF32});
  ASSERT_TRUE(runner) << runner.error().message();
  const std::vector<float> want = golden_floats(folder + "/logits.npy");
  const std::vector<int32_t> tokens = golden_tokens(folder + "/tokens.json");
  ASSERT_EQ(want.size(), tokens.size() * static_cast<size_t>((*runner)->vocab()));
  for (int64_t chunk : {64, 7}) {
    const SeqId seq = (*runner)->add_sequence();
    std::vector<float> got;
    for (size_t at = 0; at < tokens.size(); at += static_cast<size_t>(chunk)) {
      const auto part = std::span(tokens).subspan(at, std::min(static_cast<size_t>(chunk), tokens.size() - at));
      auto logits = (*runner)->step(std::vector<Chunk>{{seq, part, static_cast<int>(part.size())}});
      ASSERT_TRUE(logits) << logits.error().message();
      got.insert(got.end(), logits->as<float>(), logits->as<float>() + logits->num_elements());
    }
    (*runner)->remove_sequence(seq);
    ASSERT_EQ(got.size(), want.size());
    EXPECT_LT(relative_l2(got, want), 1e-4) << "in chunks of " << chunk;
  }
  EXPECT_EQ((*runner)->pages().num_free(), (*runner)->pages().num_pages());
}

// transformers chooses LongRoPE's factors by the length of each run, we (as llama.cpp) by the context: one that is
// not longer than the original takes the short ones.
TEST(LongRope, of_a_short_context_gives_the_short_logits_of_transformers) {
  const std::string folder = INGOT_SOURCE_DIR "/tests/goldens/models/phi3_longrope";
  const std::vector<float> want = golden_floats(folder + "/logits_short.npy");
  std::vector<int32_t> tokens = golden_tokens(folder + "/tokens.json");
  for (const bool gguf : {false, true}) {
    auto source = open_source(gguf ? folder + "/model.gguf" : folder);
    ASSERT_TRUE(source) << source.error().message();
    auto runner = ModelRunner::create(*source, {.pool = std::make_shared<ThreadPool>(1),
                                                .backends = {&ref_backend()},
                                                .kv_dtype = DType::kF32,
                                                .context = 32});
    ASSERT_TRUE(runner) << runner.error().message();
    tokens.resize(want.size() / static_cast<size_t>((*runner)->vocab()));
    const SeqId seq = (*runner)->add_sequence();
    auto logits = (*runner)->step(std::vector<Chunk>{{seq, tokens, static_cast<int>(tokens.size())}});
    ASSERT_TRUE(logits) << logits.error().message();
    EXPECT_LT(relative_l2({logits->as<float>(), want.size()}, want), 1e-4) << (gguf ? "GGUF" : "Hugging Face");
  }
}

std::string test_name(const testing::TestParamInfo<ModelGolden::ParamType>& p) {
  return std::get<0>(p.param) + (std::get<1>(p.param) ? "_gguf" : "_hugging_face") +
         (std::get<2>(p.param) ? "_cpu" : "_ref");
}

// GGUF cannot say which of Qwen's layers have a window or experts.
INSTANTIATE_TEST_SUITE_P(HuggingFaceOnly, ModelGolden,
                         testing::Combine(testing::Values("qwen2_window", "qwen3moe_mixed"), testing::Values(false),
                                          testing::Bool()),
                         test_name);
INSTANTIATE_TEST_SUITE_P(, ModelGolden,
                         testing::Combine(testing::Values("gemma2", "gemma3", "gpt2", "llama", "llama3",
                                                          "llama_linear_bias", "mistral", "mixtral", "phi3",
                                                          "phi3_longrope", "qwen2", "qwen3", "qwen3_yarn", "qwen3moe"),
                                          testing::Bool(), testing::Bool()),
                         test_name);

}  // namespace
}  // namespace ingot
