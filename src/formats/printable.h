// Foreign text made safe to show: names, keys and strings of a file may hold any bytes.
// Feeds every message of formats/ and the tables of `ingot inspect`. Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ingot {

// Control characters and invalid UTF-8 become escapes (\n, \x1b); what would pass `bytes_max` is cut
// between code points and ends in "…". Text that went through once is not changed again.
std::string printable(std::string_view text, size_t bytes_max = 120);

// Each byte that is not part of valid UTF-8 becomes U+FFFD.
std::string valid_utf8(std::string_view text);

// The same failure with the file's name after its tag, if its message does not name it yet:
// "[model] tensor 'x': …" -> "[model] 'a.gguf': tensor 'x': …".
Status about_file(const Status& status, std::string_view path);

}  // namespace ingot
