#include "ir/dim.h"

#include <algorithm>
#include <cctype>
#include <map>

namespace ingot {
namespace {

constexpr char kJoin = '\x1f';
constexpr std::string_view kUnknown = "?";
constexpr size_t kTermsMax = 64, kMonomialBytesMax = 1024;
constexpr int64_t kCoefficientMax = int64_t{1} << 60;

std::vector<std::string> factors_of(const std::string& monomial) {
  std::vector<std::string> out;
  size_t begin = 0;
  while (begin <= monomial.size()) {
    const size_t end = std::min(monomial.find(kJoin, begin), monomial.size());
    out.push_back(monomial.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

std::string join_factors(std::vector<std::string> factors) {
  std::sort(factors.begin(), factors.end());
  std::string out;
  for (const auto& f : factors) {
    if (!out.empty()) out += kJoin;
    out += f;
  }
  return out;
}

// Sizes out of a hostile file may overflow: then nothing is known.
Dim checked_sum(int64_t a, int64_t b) {
  int64_t out = 0;
  return __builtin_add_overflow(a, b, &out) ? Dim::unknown() : Dim(out);
}
Dim checked_product(int64_t a, int64_t b) {
  int64_t out = 0;
  return __builtin_mul_overflow(a, b, &out) ? Dim::unknown() : Dim(out);
}

int64_t floor_div_int(int64_t a, int64_t b) {
  if (b == -1) return a == INT64_MIN ? INT64_MAX : -a;
  return a / b - ((a % b != 0) && ((a < 0) != (b < 0)));
}

}  // namespace

Dim Dim::make(int64_t constant, Poly terms) {
  std::erase_if(terms, [](const auto& t) { return t.second == 0; });
  // Expressions that only a hostile graph needs are given up, before they grow without bound.
  if (terms.size() > kTermsMax) return unknown();
  for (const auto& [monomial, coefficient] : terms)
    if (monomial.size() > kMonomialBytesMax || coefficient > kCoefficientMax || coefficient < -kCoefficientMax)
      return unknown();
  if (!terms.empty() && (constant > kCoefficientMax || constant < -kCoefficientMax)) return unknown();
  Dim d(constant);
  if (!terms.empty()) {
    std::sort(terms.begin(), terms.end());
    d.poly_ = std::make_shared<const Poly>(std::move(terms));
  }
  return d;
}

Dim Dim::symbol(std::string_view name) { return make(0, {{std::string(name), 1}}); }

Dim Dim::unknown() {
  static const Dim d = symbol(kUnknown);
  return d;
}

bool Dim::is_unknown() const {
  if (!poly_) return false;
  return std::any_of(poly_->begin(), poly_->end(), [](const auto& t) { return t.first.contains('?'); });
}

bool Dim::operator==(const Dim& o) const {
  if (!poly_ || !o.poly_) return !poly_ && !o.poly_ && constant_ == o.constant_;
  return constant_ == o.constant_ && *poly_ == *o.poly_ && !is_unknown();
}

Dim operator+(const Dim& a, const Dim& b) {
  if (a.is_const() && b.is_const()) return checked_sum(a.constant_, b.constant_);
  if (a.is_unknown() || b.is_unknown()) return Dim::unknown();
  std::map<std::string, int64_t> sum;
  for (const Dim* d : {&a, &b})
    if (d->poly_)
      for (const auto& [m, c] : *d->poly_) sum[m] += c;
  int64_t constant = 0;
  if (__builtin_add_overflow(a.constant_, b.constant_, &constant)) return Dim::unknown();
  return Dim::make(constant, {sum.begin(), sum.end()});
}

Dim operator-(const Dim& a, const Dim& b) { return a + b * Dim(-1); }

Dim operator*(const Dim& a, const Dim& b) {
  if (a.is_const() && b.is_const()) return checked_product(a.constant_, b.constant_);
  if (a.is_const(0) || b.is_const(0)) return 0;
  if (a.is_unknown() || b.is_unknown()) return Dim::unknown();
  std::map<std::string, int64_t> sum;
  auto terms = [](const Dim& d) {
    Dim::Poly p = d.poly_ ? *d.poly_ : Dim::Poly{};
    if (d.constant_) p.emplace_back("", d.constant_);
    return p;
  };
  for (const auto& [ma, ca] : terms(a))
    for (const auto& [mb, cb] : terms(b)) {
      std::vector<std::string> f;
      if (!ma.empty()) f = factors_of(ma);
      if (!mb.empty()) std::ranges::copy(factors_of(mb), std::back_inserter(f));
      int64_t& to = sum[join_factors(f)];
      int64_t product = 0;
      if (__builtin_mul_overflow(ca, cb, &product) || __builtin_add_overflow(to, product, &to)) return Dim::unknown();
    }
  const int64_t constant = sum.contains("") ? sum[""] : 0;
  sum.erase("");
  return Dim::make(constant, {sum.begin(), sum.end()});
}

// True if b is one monomial (or an integer) that divides every term of a.
bool Dim::divide_exact(const Dim& a, const Dim& b, Dim* out) {
  int64_t divisor = b.constant_;
  std::vector<std::string> divisor_factors;
  if (b.poly_) {
    if (b.poly_->size() != 1 || b.constant_ != 0 || a.constant_ != 0) return false;
    divisor = b.poly_->front().second;
    divisor_factors = factors_of(b.poly_->front().first);
  }
  if (divisor == 0 || divisor == -1 || a.constant_ % divisor) return false;
  Dim sum(a.constant_ / divisor);
  if (a.poly_) {
    for (const auto& [m, c] : *a.poly_) {
      if (c % divisor) return false;
      std::vector<std::string> f = factors_of(m);
      for (const auto& d : divisor_factors) {
        const auto it = std::find(f.begin(), f.end(), d);
        if (it == f.end()) return false;
        f.erase(it);
      }
      sum = sum + (f.empty() ? Dim(c / divisor) : make(0, {{join_factors(f), c / divisor}}));
    }
  }
  *out = sum;
  return true;
}

Dim Dim::opaque(std::string_view function, const Dim& a, const Dim& b, char separator) {
  if (a.is_unknown() || b.is_unknown()) return unknown();
  auto wrap = [&](const Dim& d) {
    const std::string s = d.to_string();
    const bool simple = s.find_first_of("+-*") == std::string::npos;
    return separator == '/' && !simple ? "(" + s + ")" : s;
  };
  return make(0, {{fmt::format("{}({}{}{})", function, wrap(a), separator, wrap(b)), 1}});
}

Dim floor_div(const Dim& a, const Dim& b) {
  if (a.is_const() && b.is_const()) return b.constant_ ? Dim(floor_div_int(a.constant_, b.constant_)) : Dim::unknown();
  Dim exact;
  if (!a.is_unknown() && !b.is_unknown() && Dim::divide_exact(a, b, &exact)) return exact;
  return Dim::opaque("floor", a, b, '/');
}

Dim ceil_div(const Dim& a, const Dim& b) { return floor_div(a + b - Dim(1), b); }

Dim max(const Dim& a, const Dim& b) {
  if (a.is_const() && b.is_const()) return std::max(a.constant_, b.constant_);
  return a == b ? a : Dim::opaque("max", a, b, ',');
}

Dim min(const Dim& a, const Dim& b) {
  if (a.is_const() && b.is_const()) return std::min(a.constant_, b.constant_);
  return a == b ? a : Dim::opaque("min", a, b, ',');
}

std::string Dim::to_string() const {
  if (!poly_) return std::to_string(constant_);
  if (is_unknown()) return std::string(kUnknown);
  std::string out;
  for (const auto& [m, c] : *poly_) {
    if (c < 0)
      out += '-';
    else if (!out.empty())
      out += '+';
    if (c != 1 && c != -1) out += std::to_string(std::abs(c)) + "*";
    for (char ch : m) out += ch == kJoin ? '*' : ch;
  }
  if (constant_ > 0) out += '+';
  if (constant_) out += std::to_string(constant_);
  return out;
}

// expression := term (('+'|'-') term)*   term := factor ('*' factor)*
// factor := integer | '?' | name | name '(' expression ('/'|',') expression ')' | '(' expression ')'
class DimParser {
 public:
  explicit DimParser(std::string_view text) : text_(text) {}

  Result<Dim> parse() {
    Dim d = INGOT_TRY(expression(0));
    if (pos_ != text_.size()) return fail();
    return d;
  }

 private:
  std::unexpected<Status> fail() const {
    return invalid("[ir] '{}' is not a dimension (at character {})", text_, pos_);
  }
  bool accept(char c) {
    if (pos_ < text_.size() && text_[pos_] == c) return ++pos_, true;
    return false;
  }

  Result<Dim> expression(int depth) {
    if (depth > 32) return fail();
    const bool negative = accept('-');
    Dim sum = INGOT_TRY(term(depth));
    if (negative) sum = sum * Dim(-1);
    while (true) {
      if (accept('+'))
        sum = sum + INGOT_TRY(term(depth));
      else if (accept('-'))
        sum = sum - INGOT_TRY(term(depth));
      else
        return sum;
    }
  }

  Result<Dim> term(int depth) {
    Dim product = INGOT_TRY(factor(depth));
    while (accept('*')) product = product * INGOT_TRY(factor(depth));
    return product;
  }

  Result<Dim> factor(int depth) {
    if (accept('?')) return Dim::unknown();
    if (accept('(')) {
      Dim d = INGOT_TRY(expression(depth + 1));
      if (!accept(')')) return fail();
      return d;
    }
    const size_t begin = pos_;
    auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; };
    while (pos_ < text_.size() && word(text_[pos_])) ++pos_;
    const std::string_view name = text_.substr(begin, pos_ - begin);
    if (name.empty()) return fail();
    if (std::isdigit(static_cast<unsigned char>(name[0]))) {
      if (name.size() > 18 || name.find_first_not_of("0123456789") != name.npos) return fail();
      return Dim(std::stoll(std::string(name)));
    }
    if (!accept('(')) return Dim::symbol(name);
    const Dim a = INGOT_TRY(expression(depth + 1));
    if (!accept('/') && !accept(',')) return fail();
    const Dim b = INGOT_TRY(expression(depth + 1));
    if (!accept(')')) return fail();
    if (name == "floor") return floor_div(a, b);
    if (name == "max") return max(a, b);
    if (name == "min") return min(a, b);
    return fail();
  }

  std::string_view text_;
  size_t pos_ = 0;
};

Result<Dim> Dim::parse(std::string_view text) { return DimParser(text).parse(); }

}  // namespace ingot
