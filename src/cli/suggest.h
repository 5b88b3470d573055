// "Did you mean": the known word that is nearest to a mistyped one. Thread-safety: pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace ingot::cli {

// The nearest of `known` by edit distance (a swap of neighbours counts once); empty if none is near.
std::string nearest(std::string_view word, std::span<const std::string> known);

}  // namespace ingot::cli
