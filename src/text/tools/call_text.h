// Tool calls as models write them, read from the front of a text that may not be complete yet.
//
// Each reader is a pure function of the text: kMore if more text could still make it a call, kNo if none can. Only
// the names of the request's tools are calls. Feeds tool_call_parser.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ingot::tools {

enum class Fit : uint8_t { kMore, kNo, kYes };

using Names = std::span<const std::string>;

struct Call {
  std::string name;
  std::string arguments;  // a JSON object
};

struct CallStart {
  Fit fit = Fit::kNo;
  size_t size = 0;  // bytes that were used
  std::string name;
  // Complete, and all of the call was used. Empty: they begin behind `size`, as JSON whose first member is valid.
  std::optional<std::string> arguments;
};

// {"name": …, "arguments" or "parameters": …} with any other members. text begins with '{'.
CallStart read_call_object(std::string_view text, Names names);
// What follows the arguments in such an object, to its '}'.
struct Used {
  Fit fit = Fit::kNo;
  size_t size = 0;
};
Used read_object_rest(std::string_view text);

struct Calls {
  Fit fit = Fit::kNo;
  size_t size = 0;
  std::vector<Call> calls;
};
// name(a=1, b="x"): one call of Python with keyword arguments that are literals.
Calls read_python_call(std::string_view text, Names names);
// ```tool_code, calls in Python, perhaps in print() or a list, and ```.
Calls read_tool_code(std::string_view text, Names names);
// call:name{a:<escape>x<escape>,b:1}, up to and with <end_function_call>.
Calls read_function_gemma(std::string_view text, Names names);

bool is_known(Names names, std::string_view name);
size_t skip_space(std::string_view text, size_t at);
// kYes: `wanted` stands at `at`; kMore: its beginning does, and the text ends.
Fit stands_at(std::string_view text, size_t at, std::string_view wanted);

}  // namespace ingot::tools
