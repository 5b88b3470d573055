#include "formats/genai/genai_source.h"

#include <fmt/format.h>

#include "formats/test_files.h"
#include "ir/graph.h"

namespace ingot {
namespace {

// What opening says of a folder with this genai_config.json and an empty model.onnx; "" if it opens.
std::string problem_of(std::string_view config) {
  const TempFolder folder;
  write_text(folder / "genai_config.json", config);
  write_text(folder / "model.onnx", "");
  const auto source = open_source(folder.path());
  return source ? "" : source.error().message();
}

TEST(GenaiSource, opens_a_folder_by_its_configuration) {
  const TempFolder folder;
  write_text(folder / "genai_config.json",
             R"({"model": {"type": "llama", "eos_token_id": [2, 7], "decoder": {"filename": "model.onnx"}}})");
  write_text(folder / "model.onnx", "");
  write_text(folder / "tokenizer.json", "{}");
  const auto source = open_source(folder.path());
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ((*source)->kind(), SourceKind::kOnnx);
  EXPECT_EQ((*source)->paths().front(), folder / "model.onnx");
  EXPECT_EQ((*source)->get_string("genai_config.model.type").value(), "llama");
  const MetaValue* ends = (*source)->find_metadata("generation_config.eos_token_id");
  ASSERT_TRUE(ends);
  EXPECT_EQ(std::get<std::vector<int64_t>>(*ends), (std::vector<int64_t>{2, 7}));
  EXPECT_EQ((*source)->file("tokenizer.json"), "{}");
}

TEST(GenaiSource, refuses_a_configuration_that_names_no_file_of_the_folder) {
  EXPECT_NE(problem_of(R"({"model": {}})").find("no 'model.decoder.filename'"), std::string::npos);
  EXPECT_NE(problem_of(R"({"model": {"decoder": {"filename": "other.onnx"}}})").find("no file in the folder"),
            std::string::npos);
  EXPECT_NE(problem_of(R"({"model": {"decoder": {"filename": 7}}})").find("expected a string"), std::string::npos);
  EXPECT_NE(problem_of(R"({"model": {"decoder": {"filename": "."}}})").find("no file in the folder"),
            std::string::npos);
  EXPECT_NE(problem_of("[1]"), "");
  EXPECT_NE(problem_of("{"), "");
}

TEST(GenaiSource, refuses_a_file_outside_of_the_folder) {
  for (const char* name : {"../model.onnx", "/etc/passwd", "a/../../model.onnx", "model.onnx\\u0000x"}) {
    const std::string problem = problem_of(fmt::format(R"({{"model": {{"decoder": {{"filename": "{}"}}}}}})", name));
    EXPECT_NE(problem.find("outside of the folder"), std::string::npos) << name << ": " << problem;
  }
}

TEST(GenaiSource, refuses_models_of_several_graphs) {
  for (const char* more : {R"("vision": {"filename": "vision.onnx"},)", R"("encoder": {"filename": "encoder.onnx"},)"})
    EXPECT_NE(problem_of(fmt::format(R"({{"model": {{{} "decoder": {{"filename": "model.onnx"}}}}}})", more))
                  .find("only models of one graph"),
              std::string::npos);
  EXPECT_NE(problem_of(R"({"model": {"decoder": {"pipeline": [{"x": {"filename": "a.onnx"}}]}}})")
                .find("only models of one graph"),
            std::string::npos);
}

TEST(GenaiSource, says_that_a_file_without_a_graph_is_no_model) {
  const TempFolder folder;
  write_text(folder / "genai_config.json", R"({"model": {"decoder": {"filename": "model.onnx"}}})");
  write_text(folder / "model.onnx", "nonsense");
  const auto source = open_source(folder.path());
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_FALSE((*source)->import_graph());
}

}  // namespace
}  // namespace ingot
