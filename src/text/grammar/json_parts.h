// The pieces of JSON text as expressions: strings, numbers in a range, keys that are none of some names.
//
// Thread-safety: pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "text/grammar/expression.h"

namespace ingot::grammar {

Expr json_character();  // one character inside a string, escaped or not
Expr json_string(int64_t length_min, int64_t length_max);
// `text` describes what a string says; the result how it is written, with the escapes that JSON demands.
Expr json_written(const Expr& text);
// A key, quotes included, that is none of these.
Expr json_key_except(std::span<const std::string> names);

struct NumberBounds {
  std::optional<double> min, max;
  bool min_exclusive = false, max_exclusive = false;
};
// Errors: kInvalidArgument if no number is left.
Result<Expr> json_integer(const NumberBounds& bounds);
Result<Expr> json_number(const NumberBounds& bounds);

}  // namespace ingot::grammar
