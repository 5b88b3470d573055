#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <random>
#include <sstream>

#include "formats/source.h"

namespace ingot {
namespace {

std::string read(const std::string& name) {
  std::ifstream f(std::string(INGOT_SOURCE_DIR) + "/src/text/tokenizer/testdata/" + name);
  std::ostringstream out;
  out << f.rdbuf();
  return out.str();
}

std::shared_ptr<const Tokenizer> load(const std::string& name) {
  auto t = Tokenizer::from_json(read(name + ".json"));
  EXPECT_TRUE(t) << t.error().message();
  return t ? *t : nullptr;
}

std::vector<int32_t> ids_of(const boost::json::value& v) {
  std::vector<int32_t> out;
  for (const auto& id : v.as_array()) out.push_back(static_cast<int32_t>(id.as_int64()));
  return out;
}

class Goldens : public testing::TestWithParam<const char*> {};

TEST_P(Goldens, ids_and_text_equal_those_of_the_reference) {
  const auto tokenizer = load(GetParam());
  ASSERT_NE(tokenizer, nullptr);
  std::istringstream lines(read(GetParam() + std::string(".golden.jsonl")));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto want = boost::json::parse(line).as_object();
    const std::string text(want.at("text").as_string());
    EXPECT_EQ(tokenizer->encode(text, true).value(), ids_of(want.at("ids"))) << line;
    EXPECT_EQ(tokenizer->encode(text, false).value(), ids_of(want.at("plain_ids"))) << line;
    EXPECT_EQ(tokenizer->decode(ids_of(want.at("ids")), false), std::string(want.at("decoded").as_string())) << line;
  }
  EXPECT_GT(count, 30);
}

TEST_P(Goldens, streaming_gives_the_text_of_decode) {
  const auto tokenizer = load(GetParam());
  std::istringstream lines(read(GetParam() + std::string(".golden.jsonl")));
  StreamingDetokenizer stream(tokenizer, false);
  for (std::string line; std::getline(lines, line);) {
    if (GetParam() == std::string("wordlevel") || GetParam() == std::string("scripts"))
      break;  // no decoder: text is for people
    const auto ids = ids_of(boost::json::parse(line).at("ids"));
    std::string text;
    for (const int32_t id : ids) text += stream.push(id);
    text += stream.finish();
    EXPECT_EQ(text, tokenizer->decode(ids, false)) << line;
  }
}

TEST_P(Goldens, endless_words_and_random_bytes_are_encoded) {
  const auto tokenizer = load(GetParam());
  for (const std::string unit : {"a", " ", "\n", "\U0001F600", "\u0301\u0323", "1", "<", "\xFF"}) {
    std::string text;
    while (text.size() < (1u << 18)) text += unit;
    EXPECT_TRUE(tokenizer->encode(text, true)) << unit;
  }
  std::mt19937 rng(3);
  for (int i = 0; i < 500; ++i) {
    std::string bytes(rng() % 64, '\0');
    for (char& c : bytes) c = static_cast<char>(rng());
    EXPECT_TRUE(tokenizer->encode(bytes, false));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Goldens,
                         testing::Values("byte_level", "gpt2", "byte_fallback", "suffix", "unigram", "wordpiece",
                                         "wordlevel", "scripts"));

TEST(Tokenizer, leaves_special_text_alone_if_asked) {
  const auto t = load("byte_level");
  EXPECT_EQ(t->encode("<|end|>", false, true).value(), std::vector<int32_t>{1});
  EXPECT_GT(t->encode("<|end|>", false, false).value().size(), 1u);
  EXPECT_TRUE(t->is_special(1));
  EXPECT_TRUE(t->is_end_of_generation(1));
  EXPECT_EQ(t->decode(std::vector<int32_t>{1}, true), "");
}

TEST(Tokenizer, names_what_it_does_not_support) {
  const auto error_of = [](std::string json) {
    const auto t = Tokenizer::from_json(json);
    return t ? std::string("no error") : t.error().message();
  };
  const std::string model = R"("model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"})";
  EXPECT_NE(error_of("{" + model + R"(,"normalizer":{"type":"Frobnicate"}})").find("Frobnicate"), std::string::npos);
  EXPECT_NE(
      error_of("{" + model + R"(,"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Quux"}]}})").find("Quux"),
      std::string::npos);
  EXPECT_NE(error_of("{" + model + R"(,"decoder":{"type":"Baz"}})").find("Baz"), std::string::npos);
  EXPECT_NE(error_of(R"({"model":{"type":"Rwkv","vocab":{}}})").find("Rwkv"), std::string::npos);
  for (const std::string bad :
       {"", "{", "[]", "{}", R"({"model":3})", R"({"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}})",
        R"({"model":{"type":"BPE","vocab":{"a":1e99},"merges":[]}})",
        R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}})",
        R"({"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":7}})"})
    EXPECT_FALSE(Tokenizer::from_json(bad)) << bad;
}

TEST(Tokenizer, refuses_stages_that_let_a_text_grow_without_bound) {
  const std::string model = R"({"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"})";
  const std::string replace =
      fmt::format(R"({{"type":"Replace","pattern":{{"String":"a"}},"content":"{}"}})", std::string(10000, 'a'));
  const std::string three = replace + "," + replace + "," + replace;
  const auto t = Tokenizer::from_json(model + R"(,"normalizer":{"type":"Sequence","normalizers":[)" + three + "]}}");
  ASSERT_TRUE(t) << t.error().message();
  const auto ids = (*t)->encode("a", false);
  ASSERT_FALSE(ids);
  EXPECT_EQ(ids.error().code(), Code::kResourceExhausted);
  EXPECT_NE(ids.error().message().find("normalizer Replace"), std::string::npos) << ids.error().message();
  const auto d = Tokenizer::from_json(model + R"(,"decoder":{"type":"Sequence","decoders":[)" + three + "]}}");
  ASSERT_FALSE(d);
  EXPECT_EQ(d.error().code(), Code::kResourceExhausted);
  EXPECT_NE(d.error().message().find("decoder Replace"), std::string::npos) << d.error().message();
}

TEST(StreamingDetokenizer, holds_half_code_points_back) {
  const auto t = load("byte_fallback");
  StreamingDetokenizer stream(t);
  const auto byte = [&](const char* piece) { return *t->token_id(piece); };
  EXPECT_EQ(stream.push(byte("<0xF0>")), "");
  EXPECT_EQ(stream.push(byte("<0x9F>")), "");
  EXPECT_EQ(stream.push(byte("<0x98>")), "");
  EXPECT_EQ(stream.push(byte("<0x80>")), "\U0001F600");
  EXPECT_EQ(stream.push(byte("<0xE2>")), "");
  EXPECT_EQ(stream.push(byte("<0x41>")), "\uFFFDA");
  EXPECT_EQ(stream.push(byte("<0xE2>")), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
}

// GGUF metadata in memory.
class FakeGguf final : public Source {
 public:
  explicit FakeGguf(std::vector<std::pair<std::string_view, MetaValue>> metadata) : metadata_(std::move(metadata)) {
    build_index();
  }
  SourceKind kind() const override { return SourceKind::kGguf; }
  const std::vector<std::string>& paths() const override { return paths_; }
  const std::vector<std::pair<std::string_view, MetaValue>>& metadata() const override { return metadata_; }
  const std::vector<SourceTensor>& tensors() const override { return tensors_; }
  std::string_view file(std::string_view) const override { return {}; }

 private:
  std::vector<std::string> paths_;
  std::vector<std::pair<std::string_view, MetaValue>> metadata_;
  std::vector<SourceTensor> tensors_;
};

using Strings = std::vector<std::string_view>;
using Ids = std::vector<int32_t>;

TEST(Gguf, merges_sentencepieces_by_score) {
  const FakeGguf source({{"tokenizer.ggml.model", std::string_view("llama")},
                         {"tokenizer.ggml.tokens", Strings{"<unk>", "<s>", "</s>", "<0x21>", "\u2581", "a", "b", "ab",
                                                           "\u2581a", "<end_of_turn>"}},
                         {"tokenizer.ggml.scores", std::vector<double>{0, 0, 0, 0, -9, -1, -2, -3, -4, 0}},
                         {"tokenizer.ggml.token_type", std::vector<int64_t>{2, 3, 3, 6, 1, 1, 1, 1, 1, 3}}});
  const auto t = Tokenizer::from_source(source);
  ASSERT_TRUE(t) << t.error().message();
  EXPECT_EQ((*t)->encode("ab a!", true).value(), (Ids{1, 4, 7, 8, 3}));
  EXPECT_EQ((*t)->decode(Ids{1, 4, 7, 8, 3}, true), "ab a!");
  EXPECT_EQ((*t)->encode("<end_of_turn>", false).value(), Ids{9});
  EXPECT_TRUE((*t)->is_end_of_generation(9));
  EXPECT_TRUE((*t)->is_end_of_generation(2));
  EXPECT_EQ((*t)->token_bytes(3), "!");
  EXPECT_TRUE((*t)->special().add_bos);
}

TEST(Gguf, refuses_an_unknown_pre_tokenizer_by_name) {
  const FakeGguf source({{"tokenizer.ggml.model", std::string_view("gpt2")},
                         {"tokenizer.ggml.pre", std::string_view("from-the-future")},
                         {"tokenizer.ggml.tokens", Strings{"a", "b", "ab"}},
                         {"tokenizer.ggml.merges", Strings{"a b"}}});
  const auto t = Tokenizer::from_source(source);
  ASSERT_FALSE(t);
  EXPECT_EQ(t.error().code(), Code::kUnimplemented);
  EXPECT_NE(t.error().message().find("from-the-future"), std::string::npos);
  EXPECT_NE(t.error().message().find("llama-bpe"), std::string::npos);
}

TEST(Gguf, finds_the_longest_wordpieces) {
  const FakeGguf source({{"tokenizer.ggml.model", std::string_view("bert")},
                         {"tokenizer.ggml.tokens", Strings{"[UNK]", "[CLS]", "[SEP]", "\u2581play", "ing", "\u2581!"}},
                         {"tokenizer.ggml.token_type", std::vector<int64_t>{2, 3, 3, 1, 1, 1}},
                         {"tokenizer.ggml.bos_token_id", int64_t{1}},
                         {"tokenizer.ggml.seperator_token_id", int64_t{2}},
                         {"tokenizer.ggml.unknown_token_id", int64_t{0}}});
  const auto t = Tokenizer::from_source(source);
  ASSERT_TRUE(t) << t.error().message();
  EXPECT_EQ((*t)->encode("Playing! x", true).value(), (Ids{1, 3, 4, 5, 0, 2}));
}

}  // namespace
}  // namespace ingot
