// Texts that a command reads whole: a file, or what comes through a pipe.
// Used by `ingot run` and `ingot tokenize`. Thread-safety: pure but for the stream's position.
// Limit: limits::kPromptBytesMax, kInvalidArgument beyond it.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ingot::cli {

// A file, or what the shell opened for us: "-", /dev/stdin, /dev/fd/N (-f <(command)). Messages begin with [tag].
Result<std::string> read_text(const std::string& path, std::string_view tag);
Result<std::string> read_stream(std::FILE* stream, std::string_view name, std::string_view tag);

}  // namespace ingot::cli
