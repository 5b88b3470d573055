// A symbolic dimension: an integer, a named symbol ("batch"), or arithmetic over them.
//
// Kept as a polynomial in normal form, so equal expressions compare equal. What does not simplify
// (floor(h/2), max(a,b)) becomes an opaque factor with a canonical spelling. "?" is a size known only when
// the graph runs; it equals nothing, not even itself. Thread-safety: immutable values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace ingot {

class Dim {
 public:
  Dim() = default;                          // 0
  Dim(int64_t value) : constant_(value) {}  // NOLINT(google-explicit-constructor): a number is a dimension
  static Dim symbol(std::string_view name);
  static Dim unknown();

  bool is_const() const { return !poly_; }
  bool is_const(int64_t v) const { return !poly_ && constant_ == v; }
  bool is_unknown() const;
  int64_t value() const {
    INGOT_CHECK(is_const());
    return constant_;
  }

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  friend Dim floor_div(const Dim& a, const Dim& b);  // b != 0
  friend Dim ceil_div(const Dim& a, const Dim& b);
  friend Dim max(const Dim& a, const Dim& b);
  friend Dim min(const Dim& a, const Dim& b);
  bool operator==(const Dim& o) const;

  std::string to_string() const;  // "2*seq+1", "floor((h+1)/2)", "?"
  // The inverse of to_string(). Errors: kInvalidArgument.
  static Result<Dim> parse(std::string_view text);

 private:
  // Monomials sorted by spelling, coefficients not zero; a monomial is its sorted factors joined by kJoin.
  using Poly = std::vector<std::pair<std::string, int64_t>>;
  friend class DimParser;
  static Dim make(int64_t constant, Poly terms);
  static Dim opaque(std::string_view function, const Dim& a, const Dim& b, char separator);
  static bool divide_exact(const Dim& a, const Dim& b, Dim* out);

  int64_t constant_ = 0;
  std::shared_ptr<const Poly> poly_;  // null for an integer
};

}  // namespace ingot
