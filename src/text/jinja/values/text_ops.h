// String operations that methods and filters share. Stateless.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/values/value.h"

namespace ingot::jinja {

enum class Align : uint8_t { kLeft, kRight, kCenter };

Value strings(Heap& heap, const std::vector<std::string_view>& parts);
// At most `most` cuts if that is not negative.
std::vector<std::string_view> split_by(std::string_view s, std::string_view separator, int64_t most, bool from_right);
std::vector<std::string_view> split_by_space(std::string_view s, int64_t most, bool from_right);
std::string replace_text(Heap& heap, std::string_view s, std::string_view from, std::string_view to, int64_t most);
// Pads to `width` code points with `fill`, one character.
std::string pad(Heap& heap, std::string_view s, int64_t width, std::string_view fill, Align align);
bool is_lower_text(std::string_view s);
bool is_upper_text(std::string_view s);

}  // namespace ingot::jinja
