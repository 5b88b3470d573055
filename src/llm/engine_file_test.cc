// Engine files of language models: the same bits as the model they were made from, and refusals with their reason.
#include "plan/engine_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "base/cpu_features.h"
#include "llm/loaded_model.h"

namespace ingot::llm {
namespace {

namespace fs = std::filesystem;

class EngineFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("ingot-engine-{}", ::getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override {
    set_isa(detected_isa());
    fs::remove_all(folder_);
  }

  static std::string model(std::string_view name) {
    return fmt::format(INGOT_SOURCE_DIR "/tests/goldens/models/{}", name);
  }
  std::string file() const { return (folder_ / "model.ingot").string(); }

  static RunnerOptions options() {
    return {.pool = std::make_shared<ThreadPool>(2), .backends = {&cpu_backend(), &ref_backend()}, .kv_tokens = 256};
  }
  // Writes file() from a model; returns what it says to 40 tokens.
  std::vector<float> compile(const std::string& path) {
    RunnerOptions o = options();
    o.recorder = std::make_shared<PackedRecorder>();
    auto loaded = load_model(path, o);
    EXPECT_TRUE(loaded) << loaded.error().message();
    if (!loaded) return {};
    const auto written = loaded->runner->write_engine_file(file(), *loaded->source, *o.recorder);
    EXPECT_TRUE(written) << written.error().message();
    return logits(*loaded);
  }
  static std::vector<float> logits(LoadedModel& m) {
    std::vector<int32_t> tokens(40);
    for (size_t i = 0; i < tokens.size(); ++i)
      tokens[i] = static_cast<int32_t>((i * 31 + 5) % static_cast<size_t>(m.runner->vocab()));
    const Chunk chunk{m.runner->add_sequence(), tokens, 40};
    const auto out = m.runner->step(std::span(&chunk, 1));
    EXPECT_TRUE(out) << out.error().message();
    if (!out) return {};
    return {out->as<float>(), out->as<float>() + out->num_elements()};
  }
  Status refusal(RunnerOptions o = options()) const {
    const auto m = load_model(file(), o);
    EXPECT_FALSE(m);
    return m ? Status(Code::kInternal, "it was loaded") : m.error();
  }
  void change_byte(uint64_t place, uint64_t bytes_kept = UINT64_MAX) const {
    std::ifstream in(file(), std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(in)), {});
    if (place < text.size()) text[place] = static_cast<char>(text[place] ^ 1);
    std::ofstream(file(), std::ios::binary) << text.substr(0, bytes_kept);
  }

  fs::path folder_;
};

TEST_F(EngineFiles, give_the_bits_of_the_model_they_were_made_from) {
  int models = 0;
  for (const auto& entry : fs::directory_iterator(INGOT_SOURCE_DIR "/tests/goldens/models"))
    for (const std::string& path : {entry.path().string(), (entry.path() / "model.gguf").string()}) {
      if (!fs::exists(path)) continue;
      const std::vector<float> want = compile(path);
      auto loaded = load_model(file(), options());
      ASSERT_TRUE(loaded) << path << ": " << loaded.error().message();
      const std::vector<float> got = logits(*loaded);
      ASSERT_EQ(got.size(), want.size()) << path;
      EXPECT_EQ(std::memcmp(got.data(), want.data(), got.size() * sizeof(float)), 0) << path;
      const auto source = open_source(path);
      EXPECT_EQ(loaded->source->metadata().size(), (*source)->metadata().size()) << path;
      EXPECT_EQ(loaded->source->tensors().size(), (*source)->tensors().size()) << path;
      EXPECT_EQ(loaded->chat_template.has_value(), ChatTemplate::from_source(**source).has_value()) << path;
      ++models;
    }
  EXPECT_GE(models, 20);
}

TEST_F(EngineFiles, are_refused_where_the_instruction_set_differs) {
  if (detected_isa() == Isa::kBaseline) GTEST_SKIP() << "this machine has one instruction set only";
  compile(model("llama"));
  ASSERT_TRUE(set_isa(Isa::kBaseline));
  const Status s = refusal();
  EXPECT_EQ(s.code(), Code::kFailedPrecondition);
  EXPECT_NE(s.message().find("ingot compile"), std::string::npos) << s.message();
}

TEST_F(EngineFiles, are_refused_for_another_cache_or_a_longer_context) {
  compile(model("llama"));
  RunnerOptions o = options();
  o.kv_dtype = DType::kQ8_0;
  EXPECT_EQ(refusal(o).code(), Code::kFailedPrecondition);
  o = options();
  o.context = int64_t{1} << 23;
  EXPECT_EQ(refusal(o).code(), Code::kFailedPrecondition);
}

TEST_F(EngineFiles, are_refused_when_truncated_or_damaged) {
  compile(model("llama"));
  const uint64_t size = fs::file_size(file());
  for (const uint64_t kept : {uint64_t{10}, uint64_t{5000}, size - 1}) {
    compile(model("llama"));
    change_byte(UINT64_MAX, kept);
    EXPECT_FALSE(load_model(file(), options()));
  }
  for (const uint64_t place :
       {uint64_t{8}, uint64_t{20}, uint64_t{30}, uint64_t{4096}, uint64_t{4500}, uint64_t{6000}}) {
    compile(model("llama"));
    change_byte(place);
    const Status s = refusal();
    EXPECT_TRUE(s.code() == Code::kDataLoss || s.code() == Code::kFailedPrecondition) << place << " " << s.message();
  }
}

TEST_F(EngineFiles, are_refused_when_their_graph_is_not_a_language_models) {
  compile(model("llama"));
  const std::function<void(Graph&)> changes[] = {
      [](Graph& g) { std::swap(g.mutable_outputs()[0], g.mutable_outputs()[1]); },
      [](Graph& g) { g.mutable_outputs().pop_back(); },
      [](Graph& g) { g.mutable_outputs()[1] = g.outputs()[0]; },
      [](Graph& g) { g.add_input("more", Type::of(DType::kI32, {Dim::symbol("tokens")})); },
      [](Graph& g) { g.value(g.inputs()[0]).type.dtype = DType::kI64; },
      [](Graph& g) { g.value(g.inputs()[4]).type.dims->pop_back(); },
      [](Graph& g) { (*g.value(g.states()[0]).type.dims)[1] = 1; },
  };
  for (const auto& change : changes) {
    auto engine = open_engine(file());
    ASSERT_TRUE(engine) << engine.error().message();
    change(engine->graph);
    const auto runner = ModelRunner::create(std::move(*engine), options());
    ASSERT_FALSE(runner) << &change - changes;
    EXPECT_EQ(runner.error().code(), Code::kDataLoss) << runner.error().message();
  }
}

}  // namespace
}  // namespace ingot::llm
