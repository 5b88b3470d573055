// Demanded calls: what the grammar of a format takes and refuses, and that the parser reads all that it takes.
#include "text/tools/tool_grammar.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <random>

#include "text/grammar/pushdown.h"
#include "text/tools/tool_call_parser.h"

namespace ingot::tools {
namespace {

namespace json = boost::json;

std::vector<Tool> tools() {
  return {{"weather", json::parse(R"({"type": "object", "properties": {"city": {"type": "string", "maxLength": 5},
            "n": {"type": "integer", "minimum": 1, "maximum": 9}, "b": {"type": ["boolean", "null"]}}, "required": ["city"]})")},
          {"f", nullptr},
          {"any", json::parse(R"({"properties": {"a b": {"type": "array", "items": {"enum": ["x", 1]}, "minItems": 1,
            "maxItems": 2}}, "required": ["a b"]})")}};
}

std::shared_ptr<const grammar::Automaton> compiled(DemandedCalls wanted, std::vector<Tool> list = tools()) {
  grammar::Rules rules;
  auto body = demanded_calls(rules, list, wanted);
  EXPECT_TRUE(body) << body.error().message();
  auto done = rules.compile(*body);
  EXPECT_TRUE(done) << done.error().message();
  return *done;
}

bool takes(const std::shared_ptr<const grammar::Automaton>& automaton, std::string_view text) {
  grammar::Pushdown walk(automaton);
  int32_t set = walk.start();
  for (const char c : text)
    if (set >= 0) set = walk.step(set, static_cast<uint8_t>(c));
  return set >= 0 && walk.accepts(set);
}

TEST(ToolGrammar, writes_each_format) {
  const auto one = [](ToolFormat f, std::string_view text) { return takes(compiled({f, false}), text); };
  EXPECT_TRUE(one(ToolFormat::kHermes, "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>"));
  EXPECT_TRUE(one(ToolFormat::kHermes,
                  "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\", \"n\":3}}\n</tool_call>"));
  EXPECT_FALSE(one(ToolFormat::kHermes, "<tool_call>\n{\"name\": \"weather\", \"arguments\": {}}\n</tool_call>"));
  EXPECT_FALSE(one(ToolFormat::kHermes, "<tool_call>\n{\"name\": \"other\", \"arguments\": {}}\n</tool_call>"));
  EXPECT_TRUE(one(ToolFormat::kLlama3, "{\"name\": \"f\", \"parameters\": {}}"));
  EXPECT_TRUE(one(ToolFormat::kMistral, "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}]"));
  EXPECT_TRUE(one(ToolFormat::kMistralNamed, "[TOOL_CALLS]weather[ARGS]{\"city\": \"x\"}"));
  EXPECT_TRUE(one(ToolFormat::kPythonic, "[weather(city=\"x\",n=4,b=null)]"));
  EXPECT_TRUE(one(ToolFormat::kPythonic, "[any(**{\"a b\":[\"x\"]})]"));
  EXPECT_TRUE(one(ToolFormat::kGemma, "```tool_code\nf()\n```"));
  EXPECT_TRUE(one(ToolFormat::kFunctionGemma, "<start_function_call>call:f{}<end_function_call>"));
  const std::string two = "{\"name\": \"f\", \"parameters\": {}}; {\"name\": \"f\", \"parameters\": {}}";
  EXPECT_FALSE(one(ToolFormat::kLlama3, two));
  EXPECT_TRUE(takes(compiled({ToolFormat::kLlama3, true}), two));
}

TEST(ToolGrammar, special_tokens_stand_for_their_marks) {
  const auto a = compiled({ToolFormat::kMistralNamed, false, [](std::string_view) { return true; }});
  EXPECT_FALSE(takes(a, "[TOOL_CALLS]f[ARGS]{}"));
  EXPECT_TRUE(
      takes(a, grammar::special_token_bytes("[TOOL_CALLS]") + "f" + grammar::special_token_bytes("[ARGS]") + "{}"));
}

TEST(ToolGrammar, a_schema_that_cannot_be_met_names_its_tool) {
  grammar::Rules rules;
  const std::vector<Tool> list{{"g", json::parse(R"({"properties": {"p": {"not": {}}}})")}};
  const auto refused = demanded_calls(rules, list, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("'g'"), std::string::npos);
  EXPECT_NE(refused.error().message().find("#/properties/p"), std::string::npos);
  const std::vector<Tool> array{{"g", json::parse(R"({"type": "array"})")}};
  EXPECT_FALSE(demanded_calls(rules, array, {}));
}

// A random text of the grammar, by steps that are allowed; ends where it may, more and more likely.
std::string sample(const std::shared_ptr<const grammar::Automaton>& automaton, std::mt19937& random) {
  grammar::Pushdown walk(automaton);
  int32_t set = walk.start();
  std::string text;
  while (!(walk.accepts(set) && random() % 8 == 0)) {
    std::vector<uint8_t> allowed;
    for (int b = 1; b < 0x7F; ++b)
      if (walk.step(set, static_cast<uint8_t>(b)) >= 0) allowed.push_back(static_cast<uint8_t>(b));
    if (allowed.empty()) break;
    text += static_cast<char>(allowed[random() % allowed.size()]);
    set = walk.step(set, static_cast<uint8_t>(text.back()));
  }
  EXPECT_TRUE(walk.accepts(set)) << text;
  return text;
}

TEST(ToolGrammar, the_parser_reads_whatever_the_grammar_lets_through) {
  std::mt19937 random(5);
  for (size_t f = 0; f < tool_format_names().size(); ++f)
    for (int i = 0; i < 200; ++i) {
      const auto format = static_cast<ToolFormat>(f);
      const std::string text = sample(compiled({format, i % 2 == 0}), random);
      ToolCallParser parser(format, {"weather", "f", "any"}, 1 << 20);
      std::vector<Call> calls;
      auto pieces = parser.push(text);
      for (const ToolPiece& p : parser.finish()) pieces.push_back(p);
      for (const ToolPiece& p : pieces) {
        EXPECT_EQ(p.content, "") << text;
        if (!p.name.empty()) calls.push_back({p.name, ""});
        if (p.call >= 0) calls.back().arguments += p.arguments;
      }
      ASSERT_FALSE(calls.empty()) << text;
      for (const Call& c : calls) {
        json::error_code failed;
        const json::value v = json::parse(c.arguments, failed);
        ASSERT_FALSE(failed) << c.arguments << "\n" << text;
        EXPECT_EQ(v.as_object().contains("city"), c.name == "weather") << text;
        EXPECT_EQ(v.as_object().contains("a b"), c.name == "any") << text;
      }
    }
}

TEST(Lead, a_grammar_may_begin_after_free_text) {
  using grammar::Lead;
  const auto with = [](Lead lead) {
    grammar::Rules rules;
    auto body = grammar::regex_part("[0-9]+");
    return *rules.compile(after_lead(rules, lead, *body));
  };
  const auto open = with({Lead::Kind::kOpen, "<think>", "</think>"});
  EXPECT_TRUE(takes(open, "well < or </th or <</think>\n\n42"));
  EXPECT_TRUE(takes(open, "é</think>7"));
  EXPECT_FALSE(takes(open, "42"));
  EXPECT_FALSE(takes(open, "a</think>b</think>42"));
  const auto maybe = with({Lead::Kind::kOptional, "<think>", "</think>"});
  EXPECT_TRUE(takes(maybe, "42"));
  EXPECT_TRUE(takes(maybe, "<think>\nx\n</think>\n42"));
  EXPECT_FALSE(takes(maybe, "x</think>42"));
  const auto special = with({Lead::Kind::kOptional, "[THINK]", "[/THINK]", true});
  EXPECT_TRUE(
      takes(special, grammar::special_token_bytes("[THINK]") + "x" + grammar::special_token_bytes("[/THINK]") + "1"));
  EXPECT_FALSE(takes(special, "[THINK]x[/THINK]1"));
}

}  // namespace
}  // namespace ingot::tools
