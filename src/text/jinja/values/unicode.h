// Python's idea of text over UTF-8 bytes: code points, character classes, case, line breaks.
// Bytes that are not UTF-8 count as one character each. Stateless; thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ingot::jinja::unicode {

// The code point at `pos`, which moves past it.
char32_t decode(std::string_view s, size_t& pos);
size_t length(std::string_view s);
// The byte offset of code point `index`, or s.size() past the end.
size_t offset_of(std::string_view s, size_t index);
std::vector<std::string_view> characters(std::string_view s);

bool is_space(char32_t c);
bool is_printable(char32_t c);
bool is_alpha(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);
bool is_numeric(char32_t c);
bool is_alnum(char32_t c);
bool is_lower(char32_t c);
bool is_upper(char32_t c);
bool is_title(char32_t c);
bool is_identifier_start(char32_t c);
bool is_identifier_part(char32_t c);
// 0 to 9 for a decimal digit of any script, else -1.
int decimal_value(char32_t c);

// With the special cases of Unicode: ß -> SS, İ -> i̇, the final sigma.
std::string upper(std::string_view s);
std::string lower(std::string_view s);
std::string title(std::string_view s);
std::string capitalize(std::string_view s);
std::string swapcase(std::string_view s);
std::string casefold(std::string_view s);

std::string_view strip(std::string_view s, bool left, bool right);
// Every character that is in `chars` leaves the chosen ends.
std::string_view strip(std::string_view s, std::string_view chars, bool left, bool right);
std::vector<std::string_view> split_lines(std::string_view s, bool keep_ends);

}  // namespace ingot::jinja::unicode
