#include "cli/text_file.h"

#include <array>
#include <memory>

#include "base/limits.h"
#include "base/mapped_file.h"
#include "formats/printable.h"

namespace ingot::cli {

Result<std::string> read_stream(std::FILE* stream, std::string_view name, std::string_view tag) {
  std::string text;
  std::array<char, 65536> part;
  while (const size_t n = std::fread(part.data(), 1, part.size(), stream)) {
    text.append(part.data(), n);
    if (text.size() > limits::kPromptBytesMax)
      return invalid("[{}] {} has more than {} bytes: give a shorter prompt", tag, name, limits::kPromptBytesMax);
  }
  if (std::ferror(stream)) return error(Code::kUnavailable, "[{}] cannot read {}: is it a directory?", tag, name);
  return text;
}

Result<std::string> read_text(const std::string& path, std::string_view tag) {
  if (path == "-") return read_stream(stdin, "standard input", tag);
  if (path == "/dev/stdin" || path.starts_with("/dev/fd/")) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(std::fopen(path.c_str(), "rb"), std::fclose);
    if (!stream) return not_found("[{}] cannot open '{}'", tag, printable(path));
    return read_stream(stream.get(), printable(path), tag);
  }
  const auto file = INGOT_TRY(MappedFile::open(path));
  const auto bytes = file->bytes();
  if (bytes.size() > limits::kPromptBytesMax)
    return invalid("[{}] '{}' has {} bytes, over the limit of {}: give a shorter prompt", tag, printable(path),
                   bytes.size(), limits::kPromptBytesMax);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace ingot::cli
