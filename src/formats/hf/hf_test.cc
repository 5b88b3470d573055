// safetensors, Hugging Face folders and flattened JSON; goldens come from tests/goldens/make_formats.py.
#include <cmath>
#include <cstring>

#include "formats/hf/flatten_json.h"
#include "formats/hf/hf_source.h"
#include "formats/json.h"
#include "formats/safetensors/safetensors_parser.h"
#include "formats/test_files.h"

namespace ingot {
namespace {

// A safetensors file with this header and `data_bytes` zeros.
std::vector<std::byte> safetensors(std::string_view header, size_t data_bytes) {
  std::vector<std::byte> out(8 + header.size() + data_bytes);
  const uint64_t n = header.size();
  std::memcpy(out.data(), &n, 8);
  std::memcpy(out.data() + 8, header.data(), header.size());
  return out;
}

void expect_error(std::string_view header, size_t data_bytes, std::string_view part) {
  const auto result = parse_safetensors(safetensors(header, data_bytes), "x.safetensors");
  ASSERT_FALSE(result) << header;
  EXPECT_NE(result.error().message().find(part), std::string::npos) << result.error().message();
}

TEST(Safetensors, refuses_broken_headers_by_tensor_and_number) {
  expect_error(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "hold 4 bytes, F32 [2] needs 8");
  expect_error(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4, "pass the end of the data (4 bytes)");
  expect_error(R"({"a":{"dtype":"F6_E2M3","shape":[2],"data_offsets":[0,8]}})", 8, "dtype 'F6_E2M3' cannot be read");
  expect_error(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1, "no integer >= 0");
  expect_error(R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,1]}})", 1, "elements in all");
  expect_error(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1, "rank 9 is above");
  expect_error(
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", 3,
      "tensors overlap");
  expect_error(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})", 3,
      "leave a hole");
  expect_error(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 2, "the tensors end at byte");
  expect_error(R"({"a":3})", 0, "header entry is no object");
  expect_error(R"([1])", 0, "no JSON object");
  expect_error(R"({"a")", 0, "not valid JSON at line 1");
  expect_error(R"({"__metadata__":{"x":1}})", 0, "is no string");
  expect_error(std::string(200, '['), 0, "not valid JSON");
  auto huge = safetensors("{}", 0);
  const uint64_t n = UINT64_MAX;
  std::memcpy(huge.data(), &n, 8);
  EXPECT_FALSE(parse_safetensors(huge, "x"));
  EXPECT_EQ(parse_safetensors(std::span(huge).first(5), "x").error().code(), Code::kDataLoss);
}

TEST(HuggingFace, flattens_its_configs) {
  auto s = open_source(golden("hf")).value();
  EXPECT_EQ(s->kind(), SourceKind::kHuggingFace);
  EXPECT_EQ(s->get_string("config.model_type").value(), "llama");
  EXPECT_EQ(s->get_double("config.rope_scaling.factor").value(), 8);
  EXPECT_EQ(*s->find_metadata("config.architectures"), MetaValue(std::vector<std::string_view>{"LlamaForCausalLM"}));
  EXPECT_EQ(*s->find_metadata("config.eos_token_id"), MetaValue(std::vector<int64_t>{1, 2}));
  EXPECT_EQ(*s->find_metadata("config.big"), MetaValue(uint64_t{1} << 63));
  EXPECT_EQ(*s->find_metadata("config.floats"), MetaValue(std::vector<double>{1, 0.5}));
  EXPECT_EQ(*s->find_metadata("config.empty"), MetaValue(std::vector<int64_t>{}));
  EXPECT_EQ(s->find_metadata("config.pad_token_id"), nullptr);
  EXPECT_EQ(s->get_int("config.mixed.0").value(), 1);
  EXPECT_EQ(s->get_string("config.mixed.1").value(), "a");
  EXPECT_EQ(s->get_int("config.objects.0.b").value(), 1);
  EXPECT_EQ(s->get_bool("config.tie_word_embeddings").value(), true);
  EXPECT_EQ(s->get_double("generation_config.temperature").value(), 0.6);
  EXPECT_EQ(s->get_string("tokenizer_config.added_tokens_decoder.0.content").value(), "<s>");
  EXPECT_EQ(s->get_string("safetensors.format").value(), "pt");
}

TEST(HuggingFace, hands_out_its_texts) {
  auto s = open_source(golden("hf")).value();
  EXPECT_EQ(s->file("tokenizer.json"), "{}");
  EXPECT_EQ(s->file("merges.txt"), "a b\n");
  EXPECT_EQ(s->file("chat_template.jinja"), "{{ messages }}");
  EXPECT_EQ(s->file("additional_chat_templates/tool_use.jinja"), "tools");
  EXPECT_EQ(s->file("vocab.json"), "");
}

TEST(HuggingFace, opens_shards_by_folder_or_by_any_file) {
  for (const auto* path : {"hf_sharded", "hf_sharded/model-00002-of-00002.safetensors"}) {
    auto s = open_source(golden(path));
    ASSERT_TRUE(s) << s.error().message();
    EXPECT_EQ((*s)->tensors().size(), 4u);
    EXPECT_EQ((*s)->find_tensor("layer.2.w")->file, 1);
  }
}

TEST(HuggingFace, says_what_is_missing_from_a_folder) {
  TempFolder dir;
  const auto message = [&] { return open_source(dir.path()).error().message(); };
  EXPECT_NE(message().find("no .safetensors file"), std::string::npos);
  write_text(dir / "pytorch_model.bin", "x");
  EXPECT_NE(message().find("pickled weights"), std::string::npos);
  write_text(dir / "m.gguf", "x");
  EXPECT_NE(message().find("/m.gguf'"), std::string::npos);
  std::filesystem::copy(golden("hf_sharded"), dir.path());
  std::filesystem::remove(dir / "config.json");
  EXPECT_NE(message().find("config.json is missing"), std::string::npos);
  std::filesystem::remove(dir / "model-00001-of-00002.safetensors");
  EXPECT_NE(message().find("model-00001-of-00002.safetensors': this shard is missing"), std::string::npos);
  write_text(dir / "model-00001-of-00002.safetensors", "version https://git-lfs.github.com/spec/v1\n");
  EXPECT_NE(message().find("Git LFS"), std::string::npos);
  write_text(dir / "model.safetensors.index.json", R"({"weight_map":{"a":"../../etc/passwd"}})");
  EXPECT_NE(message().find("no plain file name"), std::string::npos);
}

TEST(HuggingFace, refuses_an_index_that_names_a_tensor_the_shard_lacks) {
  TempFolder dir;
  std::filesystem::copy(golden("hf_sharded"), dir.path());
  write_text(
      dir / "model.safetensors.index.json",
      R"({"weight_map":{"layer.1.w":"model-00001-of-00002.safetensors","gone":"model-00002-of-00002.safetensors"}})");
  const auto result = open_source(dir.path());
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message().find("tensor 'gone' is not in this file"), std::string::npos);
}

TEST(HuggingFace, copies_tensors_that_lie_unaligned) {
  TempFolder dir;
  std::string header = R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})";
  while ((header.size() + 8) % 8 != 3) header += ' ';
  auto bytes = safetensors(header, 8);
  const double value = 2.5;
  std::memcpy(bytes.data() + bytes.size() - 8, &value, 8);
  write_bytes(dir / "model.safetensors", bytes);
  write_text(dir / "config.json", "{}");
  auto s = open_source(dir.path()).value();
  EXPECT_EQ(*s->find_tensor("a")->view.as<double>(), 2.5);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(s->find_tensor("a")->view.data) % 8, 0u);
}

TEST(Json, reads_what_python_writes_and_tells_where_it_is_broken) {
  EXPECT_TRUE(parse_json(R"({"a": NaN, "b": [-Infinity, "NaN \" Infinity"]})", "x")->at("a").is_null());
  EXPECT_EQ(parse_json(R"({"b": ["NaN\" ", NaN]})", "x")->at("b").at(0), "NaN\" ");
  EXPECT_NE(parse_json("{\n  \"a\": }", "x").error().message().find("line 2, column"), std::string::npos);
  EXPECT_FALSE(parse_json(std::string(65, '[') + std::string(65, ']'), "x"));
  EXPECT_TRUE(parse_json(std::string(64, '[') + std::string(64, ']'), "x"));
  EXPECT_FALSE(parse_json("", "x"));
  EXPECT_FALSE(parse_json("\"\xff\"", "x"));
}

TEST(FlattenJson, bounds_the_memory_of_keys) {
  TextArena arena;
  Metadata out;
  std::string text = "1";
  const std::string key(2000, 'k');
  for (int i = 0; i < 4; ++i) text = "{\"" + key + "\":" + text + "}";
  const auto result = flatten_json(parse_json(text, "x").value(), "p", "x", arena, out);
  EXPECT_EQ(result.error().code(), Code::kResourceExhausted);
  Nulls nulls;
  ASSERT_TRUE(
      flatten_json(parse_json(R"({"a": null, "b": {"c": null}, "d": 1})", "x").value(), "p", "x", arena, out, &nulls));
  EXPECT_EQ(nulls, (Nulls{"p.a", "p.b.c"}));
  EXPECT_FALSE(flatten_json(parse_json("[]", "x").value(), "p", "x", arena, out));
}

}  // namespace
}  // namespace ingot
