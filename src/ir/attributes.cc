#include "ir/attributes.h"

#include <fmt/format.h>

#include <unordered_map>

namespace ingot {
namespace {

// In the order of Attribute's alternatives.
enum Kind : size_t { kInt, kFloat, kString, kInts, kFloats, kStrings, kTensor };
constexpr std::string_view kKindNames[] = {"an integer",       "a float",           "a string", "a list of integers",
                                           "a list of floats", "a list of strings", "a tensor"};
static_assert(std::size(kKindNames) == std::variant_size_v<Attribute>);
static_assert(std::is_same_v<std::variant_alternative_t<kTensor, Attribute>, Tensor>);

const std::unordered_map<std::string_view, Kind>& kinds() {
  static const std::unordered_map<std::string_view, Kind> map = {
#define ATTRIBUTE(name, kind) {#name, kind},
#include "ir/attributes.def"
#undef ATTRIBUTE
  };
  return map;
}

}  // namespace

std::string Attributes::find_problem() const {
  for (const auto& [name, value] : map_) {
    const auto known = kinds().find(name);
    if (known == kinds().end()) return fmt::format("attribute '{}' is not known", name);
    if (value.index() != known->second)
      return fmt::format("attribute '{}' is {}, not {}", name, kKindNames[value.index()], kKindNames[known->second]);
  }
  return "";
}

}  // namespace ingot
