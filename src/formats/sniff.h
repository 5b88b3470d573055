// What a file is, judged by its first bytes and never by its name; for files that are no model, what
// they look like and what to do. Feeds open_source(). Thread-safety: pure.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace ingot {

enum class FileKind { kGguf, kSafetensors, kOnnx, kOther };

// FileGuess::description of bytes that resemble nothing.
inline constexpr std::string_view kNothingKnown = "none of the known formats";

struct FileGuess {
  FileKind kind;
  std::string_view description;  // "a Git LFS pointer"
  std::string_view fix;          // "fetch the real file with `git lfs pull`"; empty for a model
};

//   bytes: the file, or its first 512 bytes at least when it is longer.
FileGuess guess_file(std::span<const std::byte> bytes);

}  // namespace ingot
