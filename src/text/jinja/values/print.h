// How values look as text: Python's str(), repr() and type names. Stateless.
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/values/value.h"

namespace ingot::jinja {

// What {{ value }} prints. Strings come back unchanged.
std::string to_text(Heap& heap, const Value& value);
void append_text(Heap& heap, const Value& value, std::string& out);
void append_repr(Heap& heap, const Value& value, std::string& out);
std::string repr(Heap& heap, const Value& value);
std::string repr_of_string(std::string_view text, bool ascii_only = false);
// The shortest digits that read back as the same double: "1.0", "1e+16", "inf".
std::string repr_of_double(double value);
// Python's name of the type: "str", "dict", "jinja2.runtime.Undefined"...
std::string_view type_name(const Value& value);
// Why this value is undefined: "'x' is undefined", "'dict object' has no attribute 'y'".
std::string undefined_message(const Value& undefined);
[[noreturn]] void fail_undefined(const Value& undefined);

}  // namespace ingot::jinja
