// Cast between all element types, strings included.
#include <cmath>
#include <cstdlib>

#include "backends/ref/elementwise/number.h"
#include "backends/ref/kernels.h"

namespace ingot {
namespace {

std::string text_of(const TensorView& t, int64_t i) {
  const Number n = load_number(t, i);
  if (n.integral)
    return t.dtype == DType::kU64 ? std::to_string(static_cast<uint64_t>(n.integer)) : std::to_string(n.integer);
  if (std::isnan(n.real)) return "NaN";
  if (std::isinf(n.real)) return n.real < 0 ? "-INF" : "INF";
  return t.dtype == DType::kF64 ? fmt::format("{}", n.real) : fmt::format("{}", static_cast<float>(n.real));
}

}  // namespace

std::optional<Number> number_of(const std::string& text, bool integral) {
  char* end = nullptr;
  Number n{.integral = integral};
  if (integral) {
    n.integer = std::strtoll(text.c_str(), &end, 10);
    n.real = static_cast<double>(n.integer);
  }
  if (!integral || *end != '\0') {
    n.integral = false;
    n.real = std::strtod(text.c_str(), &end);
  }
  if (text.empty() || *end != '\0') return std::nullopt;
  return n;
}

void ref_Cast(KernelContext& c) {
  const TensorView& x = c.in(0);
  const TensorRef& y = c.out(0);
  const bool saturate = c.node.attributes.get_int("saturate", 1) != 0;
  const std::string mode = c.node.attributes.get_string("round_mode", "up");
  const Rounding rounding = mode == "up" ? Rounding::kUp : mode == "down" ? Rounding::kDown : Rounding::kNearest;
  for (const DType t : {x.dtype, y.dtype})
    if (t != DType::kString && !is_number_type(t)) return unsupported_type(c, t);
  const int64_t n = x.num_elements();
  for (int64_t i = 0; i < n; ++i) {
    if (x.dtype == DType::kString && y.dtype == DType::kString) {
      y.as<std::string>()[i] = x.as<std::string>()[i];
    } else if (y.dtype == DType::kString) {
      y.as<std::string>()[i] = text_of(x, i);
    } else if (x.dtype == DType::kString) {
      const auto number = number_of(x.as<std::string>()[i], !is_float(y.dtype) && !is_small_float(y.dtype));
      if (!number) return invalid_data(c, fmt::format("'{}' is not a number", x.as<std::string>()[i].substr(0, 40)));
      store_number(y, i, *number, saturate, rounding);
    } else {
      store_number(y, i, load_number(x, i), saturate, rounding);
    }
  }
}

}  // namespace ingot
