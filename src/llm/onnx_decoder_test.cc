// Decoders of ONNX Runtime GenAI (tests/goldens/onnx_llm, made by make_onnx_llm.py) through the whole of llm/: logits
// and greedy tokens against ONNX Runtime's.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "formats/json.h"
#include "llm/generator.h"
#include "llm/golden_check.h"
#include "llm/loaded_model.h"

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

struct OnnxGolden {
  std::vector<int32_t> tokens, greedy;
  std::vector<float> logits;

  explicit OnnxGolden(const std::string& folder) {
    std::ifstream in(folder + "/golden.json");
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    const auto json = parse_json(text, folder);
    EXPECT_TRUE(json);
    if (!json) return;
    for (const auto& v : json->at("tokens").as_array()) tokens.push_back(v.to_number<int32_t>());
    for (const auto& v : json->at("greedy").as_array()) greedy.push_back(v.to_number<int32_t>());
    for (const auto& v : json->at("logits").as_array()) logits.push_back(v.to_number<float>());
  }
};

std::string folder_of(const std::string& name) { return INGOT_SOURCE_DIR "/tests/goldens/onnx_llm/" + name; }

llm::LoadedModel load(const std::string& folder, bool fast) {
  std::vector<const Backend*> backends{&ref_backend()};
  if (fast) backends.insert(backends.begin(), &cpu_backend());
  auto model = llm::load_model(
      folder, {.pool = std::make_shared<ThreadPool>(fast ? 2 : 1), .backends = backends, .kv_dtype = DType::kF32});
  EXPECT_TRUE(model) << model.error().message();
  return model ? std::move(*model) : llm::LoadedModel();
}

std::vector<float> last_logits(ModelRunner& runner, SeqId seq, std::span<const int32_t> tokens, int64_t chunk) {
  std::vector<float> out;
  for (size_t at = 0; at < tokens.size(); at += static_cast<size_t>(chunk)) {
    const auto part = tokens.subspan(at, std::min(static_cast<size_t>(chunk), tokens.size() - at));
    const auto logits = runner.step(std::vector<Chunk>{{seq, part, 1}});
    EXPECT_TRUE(logits) << logits.error().message();
    if (!logits) return {};
    out.assign(logits->as<float>(), logits->as<float>() + logits->num_elements());
  }
  return out;
}

class OnnxDecoder : public testing::TestWithParam<std::tuple<std::string, bool>> {
 protected:
  // What a product of bytes rounds, and what halves do in ONNX Runtime.
  static double tolerance(const std::string& name, bool fast) {
    if (name.ends_with("int4")) return fast ? 3e-2 : 2e-3;
    return name.ends_with("f16") ? 5e-3 : 1e-5;
  }
};

TEST_P(OnnxDecoder, gives_the_logits_of_onnx_runtime_in_one_prompt_and_in_chunks) {
  const auto& [name, fast] = GetParam();
  const OnnxGolden golden(folder_of(name));
  const auto model = load(folder_of(name), fast);
  ASSERT_TRUE(model.runner);
  std::vector<float> first;
  for (int64_t chunk : {24, 1, 7}) {
    const SeqId seq = model.runner->add_sequence();
    const auto got = last_logits(*model.runner, seq, golden.tokens, chunk);
    model.runner->remove_sequence(seq);
    ASSERT_EQ(got.size(), golden.logits.size());
    EXPECT_LT(relative_l2(got, golden.logits), tolerance(name, fast)) << "chunks of " << chunk;
    if (first.empty()) first = got;
    EXPECT_EQ(std::memcmp(got.data(), first.data(), got.size() * sizeof(float)), 0) << "chunks of " << chunk;
  }
}

TEST_P(OnnxDecoder, chooses_the_tokens_of_onnx_runtime) {
  const auto& [name, fast] = GetParam();
  if (name.ends_with("int4") && fast) GTEST_SKIP() << "near ties: its products are of bytes";
  const OnnxGolden golden(folder_of(name));
  const auto model = load(folder_of(name), fast);
  ASSERT_TRUE(model.runner);
  const SeqId seq = model.runner->add_sequence();
  std::vector<int32_t> next = golden.tokens, got;
  while (got.size() < golden.greedy.size()) {
    const auto logits = last_logits(*model.runner, seq, next, 64);
    ASSERT_FALSE(logits.empty());
    got.push_back(static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin()));
    next = {got.back()};
  }
  EXPECT_EQ(got, golden.greedy);
}

INSTANTIATE_TEST_SUITE_P(, OnnxDecoder,
                         testing::Combine(testing::Values("qwen3_f32", "qwen3_int4", "gemma2_f32", "llama_f16"),
                                          testing::Bool()),
                         [](const auto& p) { return std::get<0>(p.param) + (std::get<1>(p.param) ? "_cpu" : "_ref"); });

TEST(OnnxDecoders, give_the_logits_that_transformers_gives_for_the_model_they_were_made_from) {
  const std::string folder = INGOT_SOURCE_DIR "/tests/goldens/models/qwen3";
  const std::vector<float> want = golden_floats(folder + "/logits.npy");
  const std::vector<int32_t> tokens = golden_tokens(folder + "/tokens.json");
  const auto model = load(folder_of("qwen3_f32"), true);
  ASSERT_TRUE(model.runner);
  const SeqId seq = model.runner->add_sequence();
  const auto logits = model.runner->step(std::vector<Chunk>{{seq, tokens, static_cast<int>(tokens.size())}});
  ASSERT_TRUE(logits) << logits.error().message();
  ASSERT_EQ(static_cast<size_t>(logits->num_elements()), want.size());
  EXPECT_LT(relative_l2({logits->as<float>(), want.size()}, want), 1e-4);
}

TEST(OnnxDecoders, bring_tokenizer_and_end_of_generation_from_their_folder) {
  const auto model = load(folder_of("qwen3_f32"), true);
  ASSERT_TRUE(model.tokenizer);
  EXPECT_EQ(model.tokenizer->vocab_size(), 272);
  EXPECT_TRUE(model.tokenizer->is_end_of_generation(269));
}

}  // namespace
}  // namespace ingot
