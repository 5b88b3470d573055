// Grammars at work in the engine: whatever the sampler likes, the text obeys.
#include "llm/grammar_mask.h"

#include "formats/json.h"
#include "llm/engine/engine_check.h"

namespace ingot::llm {
namespace {

TEST(GrammarMask, hot_samples_obey_the_schema) {
  const auto engine = make_engine({.kv_tokens = 4096});
  const auto mask = engine->compile_grammar({.text = R"({"type": "object", "properties": {
      "name": {"type": "string", "maxLength": 8}, "age": {"type": "integer", "minimum": 3, "maximum": 120},
      "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3}}, "required": ["name", "age"]})"});
  ASSERT_TRUE(mask) << mask.error().message();
  Request r = seeded(prompt_of(0, 8), 1, 110);
  r.sampler.temperature = 1.5f;
  r.n = 16;
  r.make_mask = *mask;
  const auto done = engine->run(std::move(r));
  ASSERT_TRUE(done) << done.error().message();
  for (const auto& c : done->choices) {
    ASSERT_EQ(c.finish, FinishReason::kEndOfGeneration) << c.text;
    const auto value = parse_json(c.text, "answer");
    ASSERT_TRUE(value) << c.text;
    EXPECT_TRUE(value->as_object().contains("name"));
    EXPECT_GE(value->as_object().at("age").as_int64(), 3);
    EXPECT_LE(value->as_object().at("age").as_int64(), 120);
  }
}

TEST(GrammarMask, choice_regex_and_gbnf_rule_too) {
  const auto engine = make_engine();
  const auto text_of = [&](const GrammarSpec& spec) {
    const auto mask = engine->compile_grammar(spec);
    EXPECT_TRUE(mask) << mask.error().message();
    Request r = greedy(prompt_of(0, 8), 40);
    r.make_mask = *mask;
    const auto done = engine->run(std::move(r));
    EXPECT_TRUE(done) << done.error().message();
    return done ? done->choices[0].text : "";
  };
  const std::string chosen = text_of({.kind = GrammarSpec::Kind::kChoice, .choices = {"yes", "no"}});
  EXPECT_TRUE(chosen == "yes" || chosen == "no") << chosen;
  EXPECT_EQ(text_of({.kind = GrammarSpec::Kind::kRegex, .text = "a{3}"}), "aaa");
  EXPECT_EQ(text_of({.kind = GrammarSpec::Kind::kGbnf, .text = "root ::= \"ab\" tail\ntail ::= \"c\""}), "abc");
}

TEST(GrammarMask, what_is_not_supported_is_named) {
  const auto engine = make_engine();
  const auto mask = engine->compile_grammar({.text = R"({"type": "object", "patternProperties": {}})"});
  ASSERT_FALSE(mask);
  EXPECT_EQ(mask.error().code(), Code::kUnimplemented);
  EXPECT_NE(mask.error().message().find("patternProperties"), std::string::npos);
}

}  // namespace
}  // namespace ingot::llm
