// Thoughts told from answers, in every cut of the text.
#include "text/tools/reasoning.h"

#include <gtest/gtest.h>

namespace ingot::tools {
namespace {

std::string split(std::string_view text, bool open) {
  const auto run = [&](size_t piece) {
    ReasoningSplitter splitter({"<think>", "</think>"}, open);
    ReasoningSplitter::Part all;
    for (size_t at = 0; at < text.size(); at += piece) {
      const auto part = splitter.push(text.substr(at, piece));
      all.reasoning += part.reasoning;
      all.content += part.content;
    }
    const auto rest = splitter.finish();
    return all.reasoning + rest.reasoning + "|" + all.content + rest.content;
  };
  const std::string whole = run(text.size() + 1);
  for (size_t piece = 1; piece < text.size(); ++piece) EXPECT_EQ(run(piece), whole) << piece;
  return whole;
}

TEST(Reasoning, is_split_off) {
  EXPECT_EQ(split("<think>\nHm, 2 < 3.\n\nSo\n</think>\n\nYes.\n", false), "Hm, 2 < 3.\n\nSo|Yes.\n");
  EXPECT_EQ(split("\n<think></think>Yes", false), "|Yes");
  EXPECT_EQ(split("Hm</think> Yes <think>", true), "Hm|Yes <think>");
  EXPECT_EQ(split("<think>\nHm</think>Yes", true), "Hm|Yes");
  EXPECT_EQ(split("Only <think>later</think>", false), "|Only <think>later</think>");
  EXPECT_EQ(split("<thi", false), "|<thi");
  EXPECT_EQ(split("  plain ", false), "|  plain ");
  EXPECT_EQ(split("<think>never ends </thin", false), "never ends </thin|");
  EXPECT_EQ(split("", true), "|");
}

TEST(Reasoning, is_found_in_templates_and_prompts) {
  const auto marks = detect_reasoning("… {{ '<think>\\n\\n</think>' }}");
  ASSERT_TRUE(marks);
  EXPECT_FALSE(detect_reasoning("no such thing"));
  EXPECT_TRUE(ends_in_thought("user: hi <|Assistant|><think>\n", *marks));
  EXPECT_FALSE(ends_in_thought("<think>\n\n</think>\n\n", *marks));
  EXPECT_FALSE(ends_in_thought("<think> is a mark", *marks));
  EXPECT_EQ(detect_reasoning("[THINK]")->close, "[/THINK]");
}

}  // namespace
}  // namespace ingot::tools
