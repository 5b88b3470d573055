// How models write tool calls: the formats, their names, and which one a chat template shows.
//
// Feeds tool_call_parser.h (text to calls) and tool_grammar.h (calls that are demanded). Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace ingot::tools {

enum class ToolFormat : uint8_t {
  kHermes,         // <tool_call>{"name": …, "arguments": {…}}</tool_call>: Hermes, Qwen
  kLlama3,         // {"name": …, "parameters": {…}} as the whole answer, perhaps after <|python_tag|>
  kMistral,        // [TOOL_CALLS][{"name": …, "arguments": {…}}, …]
  kMistralNamed,   // [TOOL_CALLS]name[ARGS]{…}: from tokenizer v11 on
  kPythonic,       // [name(a=1), other(b="x")] as the whole answer: Llama 3.2 and 4
  kGemma,          // ```tool_code fences of such calls; bare [name(…)] and {"name": …} as Gemma 3's guide has them
  kFunctionGemma,  // <start_function_call>call:name{a:<escape>x<escape>}<end_function_call>
};

// "hermes", "llama3", "mistral", "mistral-named", "pythonic", "gemma", "functiongemma".
std::string_view tool_format_name(ToolFormat format);
std::optional<ToolFormat> tool_format_named(std::string_view name);
std::span<const std::string_view> tool_format_names();

// From the markers in a template's text; Hermes if it shows none.
ToolFormat detect_tool_format(std::string_view chat_template);

// Texts that the format is made of and that may be special tokens of the vocabulary: an answer must show them.
std::span<const std::string_view> tool_markers(ToolFormat format);

}  // namespace ingot::tools
