// Numbers between two bounds as expressions.
//
// Readers take a number without a point as an integer, one with a point as a double: each kind has its own bounds, and
// what rounds to a value outside is not taken. Feeds json_schema.cc. Thread-safety: pure functions.
// Limits: 19 digits without a point; with one, 17 before and 21 after it. With an exponent only where neither bound
// cuts into the numbers of that sign.
#pragma once

#include <boost/json/fwd.hpp>
#include <limits>

#include "text/grammar/expression.h"

namespace ingot::grammar {

struct NumberBounds {
  using Integer = __int128;
  static constexpr Integer kPast = Integer{100} * 1'000'000'000'000'000'000;  // further out than any that is written

  Integer integer_min = -kPast, integer_max = kPast;
  double min = -std::numeric_limits<double>::infinity(), max = std::numeric_limits<double>::infinity();

  // bound: a JSON number.
  void at_least(const boost::json::value& bound, bool exclusive);
  void at_most(const boost::json::value& bound, bool exclusive);
};

// Errors: kInvalidArgument if no number is left, kUnimplemented if all that are left have too many digits.
Result<Expr> json_integer(const NumberBounds& bounds);
Result<Expr> json_number(const NumberBounds& bounds);

}  // namespace ingot::grammar
