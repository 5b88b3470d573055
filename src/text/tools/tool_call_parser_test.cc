// Every format, whole and in pieces: the same calls whatever the pieces, and nothing lost of what is no call.
#include "text/tools/tool_call_parser.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <random>

namespace ingot::tools {
namespace {

const std::vector<std::string> kNames = {"weather", "get_time", "f"};

struct Seen {
  std::string content;
  std::vector<Call> calls;
  bool names_once = true;
  void add(const std::vector<ToolPiece>& pieces) {
    for (const ToolPiece& p : pieces) {
      content += p.content;
      if (p.call < 0) continue;
      if (p.call == static_cast<int>(calls.size()))
        calls.push_back({p.name, ""});
      else
        names_once = names_once && p.name.empty() && p.call + 1 == static_cast<int>(calls.size());
      calls.back().arguments += p.arguments;
    }
  }
  std::string text() const {
    std::string out = content;
    for (const Call& c : calls) out += "|" + c.name + c.arguments;
    return out;
  }
};

Seen parse(ToolFormat format, std::string_view text, std::vector<size_t> cuts = {}, int calls_max = 100) {
  ToolCallParser parser(format, kNames, calls_max);
  Seen seen;
  size_t at = 0;
  for (const size_t cut : cuts) {
    seen.add(parser.push(text.substr(at, cut - at)));
    at = cut;
  }
  seen.add(parser.push(text.substr(at)));
  seen.add(parser.finish());
  return seen;
}

// The same for every split tried: byte by byte, each single cut, and random ones.
std::string result(ToolFormat format, std::string_view text) {
  const std::string whole = parse(format, text).text();
  std::mt19937 random(7);
  std::vector<std::vector<size_t>> splits(1);
  for (size_t i = 1; i < text.size(); ++i) splits[0].push_back(i);
  for (size_t i = 1; i < text.size(); ++i) splits.push_back({i});
  for (int i = 0; i < 50; ++i) {
    splits.emplace_back();
    for (size_t at = 1; at < text.size(); ++at)
      if (random() % 4 == 0) splits.back().push_back(at);
  }
  for (const auto& split : splits) {
    const Seen seen = parse(format, text, split);
    EXPECT_EQ(seen.text(), whole) << text;
    EXPECT_TRUE(seen.names_once) << text;
  }
  return whole;
}

TEST(ToolCallParser, hermes) {
  const auto f = ToolFormat::kHermes;
  EXPECT_EQ(
      result(f,
             "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\", \"n\": [1, 2]}}\n</tool_call>"),
      "|weather{\"city\": \"Köln\", \"n\": [1, 2]}");
  EXPECT_EQ(
      result(f,
             "Let me see.\n\n<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>\n<tool_call>\n{\"arguments\": "
             "{\"a\": {\"b\": \"</tool_call>\"}}, \"name\": \"get_time\"}</tool_call>\n"),
      "Let me see.|f{}|get_time{\"a\": {\"b\": \"</tool_call>\"}}");
  EXPECT_EQ(result(f, "<tool_call>{\"name\": \"f\", \"id\": 7, \"arguments\": \"{\\\"a\\\": 1}\"} and on"),
            " and on|f{\"a\": 1}");
  EXPECT_EQ(result(f, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"x\ny\"}, \"id\": \"q\"}"),
            "|f{\"a\": \"x\\ny\"}");
  EXPECT_EQ(result(f, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"cut of"), "|f{\"a\": \"cut of");
  EXPECT_EQ(result(f, "<tool_call>{\"name\": \"f\", \"arguments\": null}</tool_ca"), "|f{}");
}

TEST(ToolCallParser, what_is_no_call_is_content) {
  const auto f = ToolFormat::kHermes;
  for (const char* text :
       {"plain text", " spaces around \n", "", "<tool_cal", "a <tool_call> b",
        "<tool_call>{\"name\": \"unknown\", \"arguments\": {}}",
        "<tool_call>{\"name\": \"f\", \"arguments\": {'a': 1}}</tool_call>", "<tool_call>{\"name\": \"f\", \"argum",
        "<tool_call>[1]</tool_call>", "<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>",
        "<tool_call>{\"name\": 5}</tool_call>", "<tool_call>{\"arguments\": {}}</tool_call>", "<tool_call><tool_call>",
        "<tool_call>{\"name\": \"f\", \"id\": , \"arguments\": {}}"})
    EXPECT_EQ(result(f, text), text);
  for (const char* text : {"{\"name\": \"Bob\", \"age\": 3}", "{\"name\": \"Bob\"}", "{ not json",
                           "Hi {\"name\": \"f\"}", "<|python_tag|>brave_search.call(query=\"x\")"})
    EXPECT_EQ(result(ToolFormat::kLlama3, text), text);
  for (const char* text : {"[1] is a note", "[unknown(a=1)]", "[f(1)]", "[f(a=b)]", "[f(a=1", "f(a=1)", "[f"})
    EXPECT_EQ(result(ToolFormat::kPythonic, text), text);
  for (const char* text : {"```python\nf(a=1)\n```", "```tool_code\nx = 1\n```", "```tool_code\nf(a=1)", "``"})
    EXPECT_EQ(result(ToolFormat::kGemma, text), text);
  for (const char* text : {"[TOOL_CALLS]", "[TOOL_CALLS][{\"name\": \"other\", \"arguments\": {}}]",
                           "[TOOL_CALLS]f[ARGS]no", "[TOOL_CALLS]g{}", "[1, 2]"})
    EXPECT_EQ(result(ToolFormat::kMistral, text), text);
  for (const char* text : {"<start_function_call>call:g{}<end_function_call>", "<start_function_call>call:f{a:<escape>",
                           "<start_function_call>call:f{a:b}<end_function_call>",
                           "<start_function_call>call:f{a:[,1]}<end_function_call>", "call:f{}"})
    EXPECT_EQ(result(ToolFormat::kFunctionGemma, text), text);
}

TEST(ToolCallParser, what_breaks_after_its_beginning_leaves_the_rest_as_content) {
  EXPECT_EQ(result(ToolFormat::kHermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1, b}}</tool_call>"),
            "b}}</tool_call>|f{\"a\": 1, ");
  EXPECT_EQ(result(ToolFormat::kPythonic, "[f(a=1), 7]"), ", 7]|f{\"a\": 1}");
}

TEST(ToolCallParser, llama3) {
  const auto f = ToolFormat::kLlama3;
  EXPECT_EQ(result(f, " {\"name\": \"weather\", \"parameters\": {\"city\": \"Rome\"}}"),
            "|weather{\"city\": \"Rome\"}");
  EXPECT_EQ(result(f,
                   "<|python_tag|>{\"name\": \"f\", \"parameters\": {}}; {\"name\": \"get_time\", \"parameters\": "
                   "{\"z\": 1.5}}"),
            "|f{}|get_time{\"z\": 1.5}");
  EXPECT_EQ(result(f,
                   "{\"type\": \"function\", \"name\": \"f\", \"parameters\": {\"a\": true}}\n{\"name\": \"f\", "
                   "\"arguments\": {}}"),
            "|f{\"a\": true}|f{}");
  EXPECT_EQ(result(f, "{\"name\": \"f\"}"), "|f{}");
}

TEST(ToolCallParser, mistral) {
  const auto f = ToolFormat::kMistral;
  EXPECT_EQ(result(f,
                   "[TOOL_CALLS][{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}, \"id\": \"abcdefghi\"}, "
                   "{\"name\": \"f\", \"arguments\": {}}]"),
            "|weather{\"city\": \"Rome\"}|f{}");
  EXPECT_EQ(result(f, "I look.[TOOL_CALLS]weather[ARGS]{\"city\": \"Rome\"}[TOOL_CALLS]f[CALL_ID]abc123def[ARGS]{}"),
            "I look.|weather{\"city\": \"Rome\"}|f{}");
  EXPECT_EQ(result(f, "[TOOL_CALLS]f{\"a\": []}"), "|f{\"a\": []}");
}

TEST(ToolCallParser, pythonic_and_gemma) {
  const std::string calls =
      "[weather(city='It\\'s \"x\"', n=-1.50, b=True, l=[1, (2,), None]), f(), get_time(d={'k': .5,},)]";
  const std::string wanted =
      R"(|weather{"city": "It's \"x\"", "n": -1.50, "b": true, "l": [1, [2], null]}|f{}|get_time{"d": {"k": 0.5}})";
  EXPECT_EQ(result(ToolFormat::kPythonic, calls), wanted);
  EXPECT_EQ(result(ToolFormat::kPythonic, "<|python_start|>" + calls + "<|python_end|>"), wanted);
  EXPECT_EQ(result(ToolFormat::kGemma, calls), wanted);
  EXPECT_EQ(
      result(ToolFormat::kGemma, "Sure:\n```tool_code\nprint(default_api.f(a=\"\\u00e9\\n\"))\nget_time()\n```\n"),
      "Sure:|f{\"a\": \"é\\n\"}|get_time{}");
  EXPECT_EQ(result(ToolFormat::kGemma, "```tool_code\n[f(**{\"a b\": 1}), f(x=2)]\n```"), "|f{\"a b\": 1}|f{\"x\": 2}");
  EXPECT_EQ(result(ToolFormat::kGemma, "{\"name\": \"f\", \"parameters\": {\"a\": 1}}"), "|f{\"a\": 1}");
  EXPECT_EQ(
      result(ToolFormat::kFunctionGemma,
             "<start_function_call>call:weather{city:<escape>New {York}<escape>,n:3,o:{a:[1,<escape>x<escape>],b:true}}"
             "<end_function_call><start_function_call>call:f{}<end_function_call>"),
      R"(|weather{"city": "New {York}", "n": 3, "o": {"a": [1, "x"], "b": true}}|f{})");
}

TEST(ToolCallParser, no_more_calls_are_told_than_asked_for) {
  const Seen seen =
      parse(ToolFormat::kMistral,
            "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"f\", \"arguments\": {}}]", {}, 1);
  EXPECT_EQ(seen.text(), "|f{}");
}

TEST(ToolCallParser, arguments_come_while_they_grow) {
  ToolCallParser parser(ToolFormat::kHermes, kNames, 100);
  EXPECT_TRUE(parser.push("<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": ").empty());
  const auto begun = parser.push("\"one");
  ASSERT_EQ(begun.size(), 2u);
  EXPECT_EQ(begun[0].name, "f");
  EXPECT_EQ(begun[1].arguments, "{\"a\": \"one");
  EXPECT_EQ(parser.push(" two")[0].arguments, " two");
}

TEST(ToolFormat, is_found_in_the_template) {
  EXPECT_EQ(detect_tool_format("… <tool_call>\\n{"), ToolFormat::kHermes);
  EXPECT_EQ(detect_tool_format("[TOOL_CALLS]["), ToolFormat::kMistral);
  EXPECT_EQ(detect_tool_format("'[TOOL_CALLS]' + name + '[ARGS]'"), ToolFormat::kMistralNamed);
  EXPECT_EQ(detect_tool_format("<|start_header_id|>"), ToolFormat::kLlama3);
  EXPECT_EQ(detect_tool_format("<start_of_turn>"), ToolFormat::kGemma);
  EXPECT_EQ(detect_tool_format(""), ToolFormat::kHermes);
  for (const auto name : tool_format_names()) EXPECT_EQ(tool_format_name(*tool_format_named(name)), name);
  EXPECT_FALSE(tool_format_named("other"));
}

}  // namespace
}  // namespace ingot::tools
