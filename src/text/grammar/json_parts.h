// The pieces of JSON text as expressions: strings, keys that are none of some names. Numbers: json_number.h.
//
// Thread-safety: pure functions.
#pragma once

#include <span>
#include <string>

#include "text/grammar/expression.h"

namespace ingot::grammar {

Expr json_character();  // one character inside a string, escaped or not
Expr json_string(int64_t length_min, int64_t length_max);
// `text` describes what a string says; the result how it is written, with the escapes that JSON demands.
Expr json_written(const Expr& text);
// A key, quotes included, that is none of these. rest: any characters (json_character()), or none.
// Control characters without a short escape do not stand where a name could still follow.
Expr json_key_except(std::span<const std::string> names, const Expr& rest);

}  // namespace ingot::grammar
