// The grammar of answers that must be tool calls: a format's marks around arguments that obey the tools' schemas.
//
// What it lets through, tool_call_parser.h reads. Feeds llm/grammar_mask.h. Thread-safety: pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "text/grammar/compose.h"
#include "text/tools/tool_format.h"

namespace ingot::tools {

struct Tool {
  std::string name;
  boost::json::value parameters;  // a JSON Schema of an object; null: it takes none
};

struct DemandedCalls {
  ToolFormat format = ToolFormat::kHermes;
  bool several = true;  // else exactly one call
  // Is this text of the format a special token of the vocabulary?
  std::function<bool(std::string_view)> is_special;
};

// One or several calls of any of these tools, and nothing else.
// Errors: as from_json_schema(), with the tool's name.
Result<grammar::Expr> demanded_calls(grammar::Rules& rules, std::span<const Tool> tools, const DemandedCalls& wanted);

}  // namespace ingot::tools
