#include "models/onnx/onnx_decoder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace ingot {
namespace {

namespace fs = std::filesystem;

constexpr auto kGolden = INGOT_SOURCE_DIR "/tests/goldens/onnx_llm/qwen3_f32";

// A copy of a golden model whose genai_config.json has `from` replaced by `to`.
class ChangedModel {
 public:
  ChangedModel(std::string_view from, std::string_view to) {
    std::string name = (fs::temp_directory_path() / "ingot-models-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    fs::copy(kGolden, path_);
    std::ifstream in(fs::path(kGolden) / "genai_config.json");
    std::string text((std::istreambuf_iterator<char>(in)), {});
    const size_t at = text.find(from);
    EXPECT_NE(at, text.npos) << from;
    if (at != text.npos) text.replace(at, from.size(), to);
    std::ofstream(path_ / "genai_config.json") << text;
  }
  ~ChangedModel() { fs::remove_all(path_); }

  // What building says; "" if it succeeds.
  std::string problem(const BuildOptions& options = {}) const {
    const auto source = open_source(path_.string());
    EXPECT_TRUE(source) << source.error().message();
    if (!source) return "";
    const auto model = build_model(*source, options);
    return model ? "" : model.error().message();
  }

 private:
  fs::path path_;
};

std::string problem_of(std::string_view from, std::string_view to) { return ChangedModel(from, to).problem(); }

void expect_found(const std::string& text, std::string_view part) {
  EXPECT_NE(text.find(part), text.npos) << "'" << text << "' has no '" << part << "'";
}

TEST(OnnxDecoder, is_built_as_other_language_models_are) {
  const auto source = open_source(kGolden);
  ASSERT_TRUE(source) << source.error().message();
  const auto model = build_model(*source, {.kv_dtype = DType::kF16, .page_tokens = 32});
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ(model->config.architecture, "qwen3");
  EXPECT_EQ(model->config.layers, 2);
  EXPECT_EQ(model->config.vocab, 272);
  EXPECT_EQ(model->config.context, 128);
  ASSERT_EQ(model->graph.states().size(), 4U);
  EXPECT_EQ(model->graph.value(model->graph.states()[0]).name, "kv.0.k");
  EXPECT_EQ(model->graph.value(model->graph.states()[0]).type.to_string(), "f16[pages,32,2,16]");
  EXPECT_EQ(model->graph.inputs().size(), 7U);
  EXPECT_EQ(model->graph.outputs().size(), 2U);
}

TEST(OnnxDecoder, names_the_key_that_its_configuration_lacks) {
  for (const char* key : {"num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_size", "hidden_size",
                          "vocab_size", "context_length"})
    expect_found(problem_of(fmt::format("\"{}\"", key), "\"x\""), fmt::format("{}'", key));
  expect_found(problem_of("\"type\"", "\"x\""), "'model.type'");
}

TEST(OnnxDecoder, refuses_sizes_that_cannot_be) {
  expect_found(problem_of("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 0"), "is 0, not a size");
  expect_found(problem_of("\"num_hidden_layers\": 2", "\"num_hidden_layers\": -3"), "is -3");
  expect_found(problem_of("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 2000000000"), "over the limit");
  expect_found(problem_of("\"num_hidden_layers\": 2", "\"num_hidden_layers\": \"2\""), "expected an integer");
  expect_found(problem_of("\"context_length\": 128", "\"context_length\": 99999999999"), "not a size");
}

TEST(OnnxDecoder, refuses_a_configuration_of_another_model) {
  expect_found(problem_of("\"num_attention_heads\": 4", "\"num_attention_heads\": 8"), "the graph has 4");
  expect_found(problem_of("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 4"), "the graph has 2");
  expect_found(problem_of("\"head_size\": 16", "\"head_size\": 32"), "the graph has 16");
  expect_found(problem_of("\"hidden_size\": 32", "\"hidden_size\": 64"), "the graph has 32");
  expect_found(problem_of("\"vocab_size\": 272", "\"vocab_size\": 273"), "the graph has 272");
  expect_found(problem_of("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"),
               "no input 'past_key_values.2.key', which should be the past keys of layer 2");
}

TEST(OnnxDecoder, refuses_names_that_the_graph_does_not_have) {
  expect_found(problem_of("\"input_ids\": \"input_ids\"", "\"input_ids\": \"ids\""), "no input 'ids'");
  expect_found(problem_of("\"logits\": \"logits\"", "\"logits\": \"scores\""), "no output 'scores'");
  for (const char* name : {"past.key", "past.%d.%d.key", "past.%s.%d.key", "past.%x"})
    expect_found(problem_of("past_key_values.%d.key", name), "one %d for the layer");
}

// With one layer fewer in the configuration, the second layer's caches are left over.
TEST(OnnxDecoder, refuses_to_leave_a_layer_without_its_cache) {
  expect_found(problem_of("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"), "past_key_values.1.key");
}

TEST(OnnxDecoder, says_how_long_a_context_can_be) {
  expect_found(ChangedModel("\"type\"", "\"type\"").problem({.context = 4096}), "tables for 128 positions");
  expect_found(ChangedModel("\"type\"", "\"type\"").problem({.kv_dtype = DType::kQ8_0}), "use f16");
}

}  // namespace
}  // namespace ingot
