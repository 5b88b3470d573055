// Python's printf-style formatting ("%s" % x), str.format and HTML escaping. Stateless.
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/builtins/builtins.h"

namespace ingot::jinja {

// text % value, where value is a tuple, a dict or one argument.
std::string format_percent(Heap& heap, std::string_view text, const Value& value);
// text.format(*args, **kwargs)
std::string format_braces(Heap& heap, std::string_view text, const Arguments& args);
std::string escape_html(std::string_view text);

}  // namespace ingot::jinja
