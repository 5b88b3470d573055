#include "formats/printable.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>

namespace ingot {
namespace {

// Bytes of the valid UTF-8 sequence at the start of `s` (RFC 3629: no surrogates, shortest form), or 0.
size_t sequence_bytes(std::string_view s) {
  const auto byte = [&](size_t i) { return i < s.size() ? static_cast<uint8_t>(s[i]) : uint8_t{0}; };
  const auto continues = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;
    if (lead == 0xED && byte(1) > 0x9F) return 0;
    return continues(1) && continues(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (lead == 0xF0 && byte(1) < 0x90) return 0;
    if (lead == 0xF4 && byte(1) > 0x8F) return 0;
    return continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

// A terminal may obey C0, DEL and C1 controls.
bool is_control(std::string_view sequence) {
  const auto first = static_cast<uint8_t>(sequence[0]);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7F;
  return first == 0xC2 && static_cast<uint8_t>(sequence[1]) < 0xA0;
}

std::string escape(std::string_view bytes) {
  if (bytes == "\n") return "\\n";
  if (bytes == "\t") return "\\t";
  if (bytes == "\r") return "\\r";
  std::string out;
  for (char c : bytes) fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<uint8_t>(c));
  return out;
}

}  // namespace

std::string printable(std::string_view text, size_t bytes_max) {
  std::string out;
  while (!text.empty()) {
    const size_t n = sequence_bytes(text);
    const std::string_view piece = text.substr(0, n ? n : 1);
    const bool plain = n && !is_control(piece);
    const std::string shown = plain ? std::string(piece) : escape(piece);
    if (out.size() + shown.size() > bytes_max) return out + "…";
    out += shown;
    text.remove_prefix(piece.size());
  }
  return out;
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t n = sequence_bytes(text);
    out += n ? text.substr(0, n) : std::string_view("\uFFFD");
    text.remove_prefix(n ? n : 1);
  }
  return out;
}

Status about_file(const Status& status, std::string_view path) {
  constexpr size_t kPathBytesMax = 400;
  std::string message = status.message();
  const std::string name = printable(path, kPathBytesMax);
  if (message.find(path) != message.npos || message.find(name) != message.npos) return status;
  const size_t tag = message.starts_with('[') ? message.find("] ") : message.npos;
  message.insert(tag == message.npos ? 0 : tag + 2, fmt::format("'{}': ", name));
  return {status.code(), std::move(message)};
}

}  // namespace ingot
