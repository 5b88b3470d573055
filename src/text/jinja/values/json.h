// JSON in and out: a caller's variables become values; tojson writes as Python's json.dumps does.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>

#include "text/jinja/values/value.h"

namespace ingot::jinja {

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // one level; absent: everything on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};

std::string to_json(Heap& heap, const Value& value, const JsonStyle& style);
// Integers beyond 64 signed bits become floats, as JSON readers commonly do.
Value from_json(Heap& heap, const boost::json::value& json);

}  // namespace ingot::jinja
