// Grammars in the forms that people write them in, compiled to one automaton.
//
// What a form cannot express here is an error that names it, never silently ignored. Thread-safety: pure functions.
// Limits: base/limits.h (grammars).
#pragma once

#include <boost/json/fwd.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "text/grammar/automaton.h"

namespace ingot::grammar {

using Compiled = Result<std::shared_ptr<const Automaton>>;

// llama.cpp's GBNF; the text begins with rule `root`.
Compiled from_gbnf(std::string_view text);
// The whole text matches. Literals, classes, groups, '|', '*', '+', '?', '{m,n}' (lazy forms mean the same), '.',
// '^' and '$' at the ends. Look-around, back references, word boundaries and \p are errors.
Compiled from_regex(std::string_view pattern);
// One of these texts.
Compiled from_choice(std::span<const std::string> choices);
// JSON that a JSON Schema (2020-12) accepts, never what it does not; properties in the schema's order and no others
// without 'additionalProperties', at most one space after ',' and ':', integers without a point (json_number.h).
// The formats date, time, date-time, uuid, ipv4 and email are enforced, others say nothing.
// Unsupported keywords are kUnimplemented naming keyword and place. Bounds with fractions hold to a unit in the last
// place of a double: the JSON reader is that exact.
Compiled from_json_schema(const boost::json::value& schema);
Compiled from_json_schema(std::string_view schema);
// Any JSON object.
Compiled json_object();

}  // namespace ingot::grammar
