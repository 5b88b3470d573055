// How a model's answers are to be read: the format of its tool calls and the marks around its thoughts.
#pragma once

#include "text/tools/reasoning.h"
#include "text/tools/tool_format.h"

namespace ingot::tools {

struct Dialect {
  ToolFormat tool_format = ToolFormat::kHermes;
  std::optional<ReasoningMarks> reasoning;  // empty: thoughts are not told apart
};

inline Dialect detect_dialect(std::string_view chat_template) {
  return {detect_tool_format(chat_template), detect_reasoning(chat_template)};
}

}  // namespace ingot::tools
