// The same request gives the same bits whatever else happens: threads, chunks of the prompt, neighbours in the batch.
// The tiny models of tests/goldens/models and onnx_llm on the cpu backend, on every ISA.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "base/cpu_features.h"
#include "llm/model_runner.h"

namespace ingot {
namespace {

class BatchInvariance : public testing::TestWithParam<std::tuple<Isa, std::string>> {
 protected:
  static constexpr int64_t kTokens = 45;  // of the request that is looked at: a prompt and the last as a decoded one

  void SetUp() override { ASSERT_TRUE(set_isa(std::get<0>(GetParam()))); }
  void TearDown() override { set_isa(detected_isa()); }

  std::unique_ptr<ModelRunner> make(int threads, DType kv_dtype) {
    auto source = open_source(INGOT_SOURCE_DIR "/tests/goldens/models/" + std::get<1>(GetParam()));
    EXPECT_TRUE(source);
    auto runner = ModelRunner::create(*source, {.pool = std::make_shared<ThreadPool>(threads),
                                                .backends = {&cpu_backend(), &ref_backend()},
                                                .kv_dtype = kv_dtype,
                                                .kv_tokens = 18 * 64});
    EXPECT_TRUE(runner) << runner.error().message();
    return std::move(*runner);
  }
  static std::vector<int32_t> tokens_of(const ModelRunner& r, int request, int64_t n) {
    std::vector<int32_t> out(static_cast<size_t>(n));
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<int32_t>((i * 31 + static_cast<size_t>(request) * 17 + 5) % static_cast<size_t>(r.vocab()));
    return out;
  }
  static std::vector<float> step(ModelRunner& r, std::span<const Chunk> chunks) {
    auto logits = r.step(chunks);
    EXPECT_TRUE(logits) << logits.error().message();
    if (!logits) return {};
    return {logits->as<float>(), logits->as<float>() + logits->num_elements()};
  }
  // Logits of every token of request 0, in chunks.
  static std::vector<float> alone(ModelRunner& r, int64_t chunk) {
    const std::vector<int32_t> tokens = tokens_of(r, 0, kTokens);
    const SeqId seq = r.add_sequence();
    std::vector<float> out;
    for (int64_t at = 0; at < kTokens; at += chunk) {
      const auto part =
          std::span(tokens).subspan(static_cast<size_t>(at), static_cast<size_t>(std::min(chunk, kTokens - at)));
      const auto logits = step(r, std::vector<Chunk>{{seq, part, static_cast<int>(part.size())}});
      out.insert(out.end(), logits.begin(), logits.end());
    }
    r.remove_sequence(seq);
    return out;
  }
};

TEST_P(BatchInvariance, logits_are_the_same_bits_for_any_threads_chunks_and_batch) {
  const auto one = make(1, DType::kF16), two = make(2, DType::kF16), three = make(3, DType::kF16);
  const std::vector<float> want = alone(*one, kTokens);
  ASSERT_EQ(want.size(), static_cast<size_t>(kTokens * one->vocab()));
  auto same = [&](std::span<const float> got, int64_t first) {
    return 0 == std::memcmp(got.data(), want.data() + first * one->vocab(), got.size_bytes());
  };
  for (ModelRunner* r : {one.get(), two.get(), three.get()})
    for (int64_t chunk : {kTokens, int64_t{1}, int64_t{3}, int64_t{17}})
      ASSERT_TRUE(same(alone(*r, chunk), 0)) << "chunks of " << chunk << ", threads "
                                             << (r == one.get()   ? 1
                                                 : r == two.get() ? 2
                                                                  : 3);
  // The others' prompts are longer and shorter; then all decode one token together.
  for (ModelRunner* r : {one.get(), two.get()})
    for (int batch : {2, 3, 5, 8, 17}) {
      std::vector<SeqId> seqs;
      std::vector<std::vector<int32_t>> tokens;
      for (int i = 0; i < batch; ++i) {
        seqs.push_back(r->add_sequence());
        tokens.push_back(tokens_of(*r, i, i == 0 ? kTokens : 2 + i * 5 % 50));
      }
      std::vector<int> order(static_cast<size_t>(batch));
      std::iota(order.begin(), order.end(), 0);
      std::ranges::rotate(order, order.begin() + batch / 2);
      std::vector<Chunk> prompts, last;
      for (int i : order) {
        const std::span<const int32_t> all = tokens[static_cast<size_t>(i)];
        prompts.push_back(
            {seqs[static_cast<size_t>(i)], all.first(all.size() - 1), i == 0 ? static_cast<int>(kTokens) - 1 : 0});
        last.push_back({seqs[static_cast<size_t>(i)], all.last(1), 1});
      }
      ASSERT_TRUE(same(step(*r, prompts), 0)) << "prompts, batch " << batch;
      const auto logits = step(*r, last);
      const auto at =
          static_cast<size_t>(std::ranges::find(order, 0) - order.begin()) * static_cast<size_t>(r->vocab());
      ASSERT_TRUE(same(std::span(logits).subspan(at, static_cast<size_t>(r->vocab())), kTokens - 1))
          << "decoding, batch " << batch;
      for (SeqId s : seqs) r->remove_sequence(s);
    }
}

// Tolerance: weights of these models are float32, so what differs is the order of float32 sums.
TEST_P(BatchInvariance, logits_agree_with_the_reference_backend) {
  const auto mine = make(2, DType::kF32);
  auto source = open_source(INGOT_SOURCE_DIR "/tests/goldens/models/" + std::get<1>(GetParam()));
  auto reference = ModelRunner::create(
      *source, {.pool = std::make_shared<ThreadPool>(1), .backends = {&ref_backend()}, .kv_dtype = DType::kF32});
  ASSERT_TRUE(reference);
  const std::vector<float> got = alone(*mine, kTokens), want = alone(**reference, kTokens);
  double difference = 0, norm = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - want[i], 2);
    norm += std::pow(static_cast<double>(want[i]), 2);
  }
  EXPECT_LT(std::sqrt(difference / norm), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(, BatchInvariance,
                         testing::Combine(testing::ValuesIn(available_isas()),
                                          testing::Values("gemma2", "gemma3", "gpt2", "llama", "mixtral", "phi3",
                                                          "qwen3", "qwen3moe", "../onnx_llm/qwen3_f32",
                                                          "../onnx_llm/gemma2_f32")),
                         [](const auto& p) {
                           std::string name = std::string(isa_name(std::get<0>(p.param))) + "_" + std::get<1>(p.param);
                           std::ranges::replace_if(name, [](char c) { return c == '-' || c == '.' || c == '/'; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace ingot
