// What the engine tells of a prompt, against the logits and hidden states that transformers computed.
#include "llm/engine/engine_check.h"
#include "llm/golden_check.h"
#include "llm/sampling/logprobs.h"

namespace ingot::llm {
namespace {

TEST(EngineGolden, prompt_logprobs_are_those_of_the_golden_logits) {
  const ModelSetup setup{.kv_dtype = DType::kF32};
  const auto engine = make_engine(setup);
  const std::vector<float> logits = golden_floats(setup.path + "/logits.npy");
  const auto vocab = static_cast<size_t>(engine->config().vocab);
  Request r = greedy(prompt_of(4, 64), 0);
  r.prompt = golden_tokens(setup.path + "/tokens.json");
  ASSERT_EQ(r.prompt.size() * vocab, logits.size());
  r.prompt_logprobs = 3;
  const std::vector<int32_t> prompt = r.prompt;
  for (int time = 0; time < 2; ++time) {  // the second finds the prompt in the cache
    const auto done = engine->run(r);
    ASSERT_TRUE(done) << done.error().message();
    ASSERT_EQ(done->prompt_logprobs.size(), prompt.size());
    EXPECT_FALSE(done->prompt_logprobs[0].logprob);
    Logprobs want;
    for (size_t i = 1; i < prompt.size(); ++i) {
      const auto row = std::span(logits).subspan((i - 1) * vocab, vocab);
      want.compute(row, 3);
      const TokenInfo& got = done->prompt_logprobs[i];
      EXPECT_EQ(got.id, prompt[i]);
      EXPECT_NEAR(*got.logprob, want.of(row, prompt[i]), 1e-3);
      ASSERT_EQ(got.top.size(), 3U);
      EXPECT_NEAR(got.top[0].logprob, want.top()[0].logprob, 1e-3);
    }
  }
}

TEST(EngineGolden, embeddings_are_pooled_golden_hidden_states) {
  const ModelSetup setup{.kv_dtype = DType::kF32};
  const auto engine = make_engine(setup, {.batch_tokens = 64});
  const std::vector<float> hidden = golden_floats(setup.path + "/hidden.npy");
  Request r;
  r.prompt = golden_tokens(setup.path + "/tokens.json");
  const auto width = static_cast<size_t>(engine->config().width);
  const auto rows = std::span(hidden).last(64 * width);
  r.n = 0;  // none of these is looked at
  r.sampler.top_p = 7;
  r.stop = {""};
  r.prompt_logprobs = 1;
  for (Pooling pooling : {Pooling::kMean, Pooling::kLast}) {
    r.pooling = pooling;
    const auto done = engine->run(r);
    ASSERT_TRUE(done) << done.error().message();
    ASSERT_EQ(done->embedding.size(), width);
    for (size_t e = 0; e < width; ++e) {
      double mean = 0;
      for (size_t t = 0; t < 64; ++t) mean += rows[t * width + e] / 64;
      EXPECT_NEAR(done->embedding[e], pooling == Pooling::kMean ? mean : rows[63 * width + e], 1e-4);
    }
  }
}

}  // namespace
}  // namespace ingot::llm
