// What can be said of a JSON Schema and of values without making a grammar of them.
//
// Feeds json_schema.cc. Thread-safety: pure functions.
#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace ingot::grammar {

// The narrowest type of JSON Schema: "integer" for every number without a fraction.
std::string_view type_of(const boost::json::value& value);
// As JSON Schema compares: 1 and 1.0 are one value.
bool is_same(const boost::json::value& a, const boost::json::value& b);
// A number as people write it: 0.5, 1e+20.
std::string number_text(const boost::json::value& number);
// The regular expression of a `format`; nothing: it is not known.
std::optional<std::string> format_pattern(std::string_view name);
// No value can fit both schemas: seen from their types, their values ('const', 'enum') or those of a property that both
// require. False: it cannot be seen.
bool exclude_each_other(const boost::json::value& a, const boost::json::value& b);

}  // namespace ingot::grammar
