// A regular expression as an expression tree: for from_regex() and for JSON Schema's `pattern`.
#pragma once

#include <string_view>

#include "text/grammar/expression.h"

namespace ingot::grammar {

// anchored: the whole text matches, else a part of it is enough. `any`: what '.' and the text around an unanchored
// pattern are made of. Errors: kInvalidArgument, kUnimplemented.
Result<Expr> parse_regex(std::string_view pattern, bool anchored, const Expr& any);

}  // namespace ingot::grammar
